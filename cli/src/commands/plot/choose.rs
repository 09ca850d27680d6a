//! Which measurements of a file belong into one picture: they differ in what the picture shows and
//! in nothing else. What else differs has to be chosen by whoever asks.
use std::fmt::Display;

use super::PlotArgs;
use super::record::{Measured, Record};
use crate::error::Error;
use crate::terminal;

/// How the CPU is timed; its times do not stand beside those of a GPU.
const CPU_MODE: &str = "cpu";

/// A number of a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Axis {
    /// Rows
    Batch,
    /// Elements in a row
    Vocab,
    /// Elements wanted of a row
    K,
}

impl Axis {
    /// All of them.
    pub const ALL: [Axis; 3] = [Axis::Batch, Axis::Vocab, Axis::K];

    /// What it is for a measurement.
    pub fn of(self, row: &Measured) -> u64 {
        match self {
            Axis::Batch => row.rows,
            Axis::Vocab => row.n,
            Axis::K => row.k,
        }
    }

    /// What stands beside the axis.
    pub fn title(self) -> &'static str {
        match self {
            Axis::Batch => "rows (batch)",
            Axis::Vocab => "elements in a row (vocab)",
            Axis::K => "elements wanted of a row (k)",
        }
    }

    /// The flag that chooses one.
    fn flag(self) -> &'static str {
        match self {
            Axis::Batch => "--batch",
            Axis::Vocab => "--vocab",
            Axis::K => "--top-k",
        }
    }

    /// The letter that stands for it in a title.
    fn letter(self) -> &'static str {
        match self {
            Axis::Batch => "rows",
            Axis::Vocab => "n",
            Axis::K => "k",
        }
    }

    fn wanted(self, args: &PlotArgs) -> Option<u64> {
        match self {
            Axis::Batch => args.batch,
            Axis::Vocab => args.vocab,
            Axis::K => args.top_k,
        }
    }
}

/// Measurements that differ in backend and in the free axes alone.
#[derive(Debug)]
pub struct Chosen {
    /// The measurements, one for each backend and place.
    pub rows: Vec<Measured>,
    /// What they have in common, for people.
    pub common: String,
    /// Whether they are the CPU's, of which a GPU's bandwidth is no measure.
    pub on_cpu: bool,
}

/// Chooses by the flags; refuses where they leave a choice.
pub fn choose(args: &PlotArgs, record: Record, free: &[Axis]) -> Result<Chosen, Error> {
    let all = record.rows.len();
    let right: Vec<Measured> = record.rows.into_iter().filter(|row| row.verified).collect();
    if right.len() < all {
        let wrong = all - right.len();
        terminal::warning(&format!("left out for wrong answers: {wrong} of {all} measurements"));
    }
    if right.is_empty() {
        return Err(Error::Malformed {
            path: args.from.clone(),
            kind: "measurements",
            reason: "it has no right answer; measure again".to_string(),
        });
    }
    let narrow = Narrow { args };
    let rows = narrow
        .by("--dtype", args.dtype.map(|d| d.name().to_string()), right, |row| row.dtype.clone())?;
    let rows = without_cpu(args, rows);
    let mut rows = narrow.by("--mode", args.mode.clone(), rows, |row| row.mode.clone())?;
    let mut common = vec![];
    for axis in Axis::ALL.into_iter().filter(|axis| !free.contains(axis)) {
        rows = narrow.by(axis.flag(), axis.wanted(args), rows, |row| axis.of(row))?;
        common.push(format!("{} = {}", axis.letter(), axis.of(&rows[0])));
    }
    for &axis in free {
        if let Some(wanted) = axis.wanted(args) {
            rows = narrow.by(axis.flag(), Some(wanted), rows, |row| axis.of(row))?;
        }
    }
    common.extend([rows[0].dtype.clone(), rows[0].mode.clone()]);
    let on_cpu = rows[0].mode == CPU_MODE;
    Ok(Chosen { rows: fastest(rows), common: common.join(", "), on_cpu })
}

struct Narrow<'a> {
    args: &'a PlotArgs,
}

impl Narrow<'_> {
    /// The rows in which a thing is as wanted, or the same in all of them.
    fn by<T: Ord + Display>(
        &self,
        flag: &'static str,
        wanted: Option<T>,
        mut rows: Vec<Measured>,
        thing: impl Fn(&Measured) -> T,
    ) -> Result<Vec<Measured>, Error> {
        let mut there: Vec<T> = rows.iter().map(&thing).collect();
        there.sort();
        there.dedup();
        let listed = || there.iter().map(T::to_string).collect::<Vec<_>>();
        let refused = |given| {
            Err(Error::Choice { path: self.args.from.clone(), flag, given, there: listed() })
        };
        match wanted {
            Some(wanted) if !there.contains(&wanted) => refused(Some(wanted.to_string())),
            Some(wanted) => {
                rows.retain(|row| thing(row) == wanted);
                Ok(rows)
            }
            None if there.len() == 1 => Ok(rows),
            None => refused(None),
        }
    }
}

/// The CPU's times are left out beside those of a GPU, unless they are what is wanted.
fn without_cpu(args: &PlotArgs, rows: Vec<Measured>) -> Vec<Measured> {
    let others = rows.iter().any(|row| row.mode != CPU_MODE);
    if args.mode.is_some() || !others {
        return rows;
    }
    let before = rows.len();
    let rows: Vec<Measured> = rows.into_iter().filter(|row| row.mode != CPU_MODE).collect();
    if rows.len() < before {
        terminal::note("the CPU's times are left out; --mode cpu shows them");
    }
    rows
}

/// One measurement for each backend and problem, the fastest.
fn fastest(mut rows: Vec<Measured>) -> Vec<Measured> {
    let key = |row: &Measured| (row.backend.clone(), row.rows, row.n, row.k);
    rows.sort_by(|a, b| key(a).cmp(&key(b)).then(a.median_us.total_cmp(&b.median_us)));
    let before = rows.len();
    rows.dedup_by(|later, first| key(later) == key(first));
    if rows.len() < before {
        let more = before - rows.len();
        terminal::note(&format!("{more} slower measurements of the same problems are left out"));
    }
    rows
}
