//! `topk tune`: the search for the fastest backend and knobs, whose table `auto` reads.
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use aikf_topk::{Backend, Gpu, Runtime, TunedTables};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use topk_bench::tune::{self, End, Event, Found, Grid, Options};

use super::Outcome;
use crate::args::{self, DeviceArg, ListArgs};
use crate::error::Error;
use crate::output;
use crate::terminal;

/// The arguments of `topk tune`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct TuneArgs {
    #[command(flatten)]
    list: ListArgs,
    /// The backends that are tried
    #[arg(
        long,
        value_name = "BACKEND,...",
        value_delimiter = ',',
        default_values = args::TUNED_BACKENDS.map(Backend::name),
        value_parser = args::tuned_backend()
    )]
    backend: Vec<Backend>,
    /// How much is tried
    #[arg(long, value_enum, default_value_t = GridName::Quick)]
    grid: GridName,
    /// The time for all of it, as 90s, 10m or 1h; every bucket of shapes gets its share
    #[arg(long, value_name = "TIME", value_parser = args::duration)]
    time_budget: Option<Duration>,
    /// Go on where an earlier tune stopped: with FILE.partial, or with what is in FILE
    #[arg(long)]
    resume: bool,
    /// The table [default: the one in your cache folder, which auto reads]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The commit that the program was built from, for the table's header [default: what git says]
    #[arg(long, value_name = "COMMIT")]
    commit: Option<String>,
    #[command(flatten)]
    device: DeviceArg,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum GridName {
    /// Every knob alone
    Quick,
    /// Combinations of the knobs that help, too
    Full,
}

const EXAMPLES: &str = "\
Examples:
  A table for this GPU, in ten minutes:
    topk tune --time-budget 10m
  The same in two sittings:
    topk tune --time-budget 5m --out table.toml
    topk tune --time-budget 5m --out table.toml --resume
  Your own shapes only, thoroughly:
    topk tune --workloads mine.toml --grid full

Every answer is checked before it is timed. Times are of calls in a replayed CUDA graph, with inputs
from memory. A candidate replaces the planner's choice only where it is at least 3 % faster, and
faster in nine of ten samples than nine of ten of the other's. AIKF_TUNED=FILE makes auto read a
table elsewhere, AIKF_TUNED=off none; docs/tuning.md has the rest.";

/// Tunes, and says what came of it.
pub fn run(args: &TuneArgs) -> Result<Outcome, Error> {
    // Of the whole list: parts of it may be tuned one behind the other.
    let list_hash = args.list.whole()?.hash();
    let workloads = args.list.chosen()?;
    let runtime = args.device.open()?;
    let out = match &args.out {
        Some(out) => out.clone(),
        None => user_file(&runtime).ok_or(Error::NoTableFile)?,
    };
    let options = Options {
        workloads,
        list_hash,
        backends: args.backend.clone(),
        grid: match args.grid {
            GridName::Quick => Grid::Quick,
            GridName::Full => Grid::Full,
        },
        time: args.time_budget,
        resume: args.resume,
        out,
        commit: args.commit.clone().or_else(commit).unwrap_or_else(|| "unknown".to_string()),
    };
    let teller = Teller::new();
    let end = tune::run(&runtime, &options, &mut |event| teller.tell(&event));
    teller.bar.finish_and_clear();
    match end? {
        End::Complete { entries } => {
            let (out, how) = (options.out.display(), how_it_is_read(&options.out, &runtime));
            let entries = output::counted(entries, "entry", "entries");
            terminal::note(&format!("{out}: {entries}; {how}"));
        }
        End::OutOfTime { done, all, partial } => terminal::note(&format!(
            "the time was up: {done} of {all} buckets are done, in {}; --resume goes on",
            partial.display()
        )),
    }
    Ok(Outcome::Done)
}

fn user_file(runtime: &Runtime) -> Option<PathBuf> {
    // Without a GPU a tune is refused, whatever the file.
    runtime.gpu().map_or(Some(PathBuf::new()), |gpu| TunedTables::user_file(gpu.limits()))
}

fn how_it_is_read(out: &Path, runtime: &Runtime) -> String {
    let own = runtime.gpu().map(Gpu::limits).and_then(TunedTables::user_file);
    if own.as_deref() == Some(out) {
        "auto reads it from now on".to_string()
    } else {
        format!("AIKF_TUNED={} makes auto read it", out.display())
    }
}

/// The commit of the folder that one is in.
fn commit() -> Option<String> {
    let output = Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.trim().to_string()).filter(|text| output.status.success() && !text.is_empty())
}

/// A bar with the time that is left, on a terminal; else a line a bucket.
struct Teller {
    bar: ProgressBar,
}

impl Teller {
    fn new() -> Teller {
        let bar = match std::io::stderr().is_terminal() {
            true => ProgressBar::new(0),
            false => ProgressBar::hidden(),
        };
        let template = "{bar:30} {pos}/{len} buckets, {eta} left  {msg}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Teller { bar }
    }

    fn tell(&self, event: &Event) {
        match event {
            Event::Found(found) if self.bar.is_hidden() => terminal::note(&line(found)),
            Event::Found(found) => {
                self.bar.set_length(found.all as u64);
                self.bar.set_position(found.done as u64);
                self.bar.set_message(line(found));
            }
            Event::Resumed(entries) => {
                terminal::note(&format!("buckets that were done before: {entries}"));
            }
        }
    }
}

fn line(found: &Found) -> String {
    let Found { workloads, entry, tried, done, all } = found;
    let names = workloads.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let what = match entry.backend {
        Backend::Auto => "the planner's choice".to_string(),
        backend => format!("{backend} {}", entry.knobs),
    };
    let (us, planner_us) = (entry.median_us, entry.planner_us);
    format!("{done}/{all} {names}: {} {us:.2} us of {planner_us:.2}, {tried} plans", what.trim())
}
