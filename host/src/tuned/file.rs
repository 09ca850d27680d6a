//! Tuned tables as TOML.
//!
//! Reading forgives: an entry that is not right is left out with a warning, and a file that is not
//! right, or is of another schema or another GPU, as a whole.
use std::collections::BTreeMap;

use kernels_gpu::params::Dtype;
use serde::{Deserialize, Serialize};

use super::{Bucket, Provenance, TunedEntry, TunedTable};
use crate::knobs::{Knob, Knobs, Origin};
use crate::settings::Backend;

/// The version of the format that is read and written.
const SCHEMA: u32 = 1;

const PREFACE: &str = "\
# A tuned table of aikf-topk, written by `topk tune`: for each bucket of shapes the backend and the
# knobs that were the fastest. docs/tuning.md says how it is made, found and read.
";

/// What is outside the entries.
#[derive(Serialize, Deserialize)]
struct Head {
    schema: u32,
    architecture: String,
    multiprocessors: u32,
    provenance: Provenance,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    dtype: String,
    rows: usize,
    n: usize,
    k: usize,
    backend: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    knobs: BTreeMap<String, KnobValue>,
    median_us: f64,
    planner_us: f64,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum KnobValue {
    Number(u32),
    Word(String),
}

/// As it is written. The head comes first, so that a reader sees whose table it is.
#[derive(Serialize)]
struct Whole<'a> {
    #[serde(flatten)]
    head: Head,
    entry: &'a [Entry],
}

impl TunedTable {
    /// Reads a table; beside it a sentence for every entry that was left out.
    ///
    /// # Errors
    /// A sentence, where nothing of the file can be used.
    pub fn parse(text: &str) -> Result<(TunedTable, Vec<String>), String> {
        let mut file: toml::Table = text.parse().map_err(one_line)?;
        let entries = match file.remove("entry") {
            None => vec![],
            Some(toml::Value::Array(entries)) => entries,
            Some(_) => return Err("`entry` is not a list of tables".to_string()),
        };
        match file.get("schema").and_then(toml::Value::as_integer) {
            Some(schema) if schema == i64::from(SCHEMA) => {}
            Some(other) => return Err(format!("it has schema {other}, and {SCHEMA} is read")),
            None => return Err("it has no `schema`".to_string()),
        }
        let Head { architecture, multiprocessors, provenance, .. } =
            file.try_into().map_err(one_line)?;
        let mut table =
            TunedTable { architecture, multiprocessors, provenance, entries: Vec::new() };
        let mut warnings = vec![];
        for (number, entry) in (1..).zip(entries) {
            let added = entry.try_into().map_err(one_line).and_then(|entry| table.add(entry));
            if let Err(reason) = added {
                warnings.push(format!("entry {number}: {reason}"));
            }
        }
        Ok((table, warnings))
    }

    /// The table as [`TunedTable::parse`] reads it.
    ///
    /// # Errors
    /// The writer's, in words.
    pub fn to_toml(&self) -> Result<String, String> {
        let head = Head {
            schema: SCHEMA,
            architecture: self.architecture.clone(),
            multiprocessors: self.multiprocessors,
            provenance: self.provenance.clone(),
        };
        let entry: Vec<Entry> = self.entries.iter().map(write).collect();
        let text = toml::to_string(&Whole { head, entry: &entry }).map_err(one_line)?;
        Ok(format!("{PREFACE}{text}"))
    }

    fn add(&mut self, entry: Entry) -> Result<(), String> {
        let entry = read(entry)?;
        if self.entries.iter().any(|known| known.bucket == entry.bucket) {
            return Err(format!("a second one for {}", entry.bucket));
        }
        self.entries.push(entry);
        Ok(())
    }
}

fn read(entry: Entry) -> Result<TunedEntry, String> {
    let Entry { dtype, rows, n, k, backend, knobs, median_us, planner_us } = entry;
    let dtype = Dtype::ALL.into_iter().find(|known| known.name() == dtype);
    let dtype = dtype.ok_or("`dtype` is no type of elements")?;
    let bucket = Bucket { dtype, rows, n, k };
    if ![rows, n, k].iter().all(|size| size.is_power_of_two()) {
        return Err("`rows`, `n` and `k` must be powers of two".to_string());
    }
    let backend: Backend = backend.parse()?;
    if matches!(backend, Backend::Cpu | Backend::Torch) {
        return Err(format!("backend {backend} is none that auto takes on a GPU"));
    }
    if ![median_us, planner_us].iter().all(|us| us.is_finite() && *us > 0.0) {
        return Err("a time is not above 0".to_string());
    }
    Ok(TunedEntry { bucket, backend, knobs: read_knobs(knobs)?, median_us, planner_us })
}

fn read_knobs(pairs: BTreeMap<String, KnobValue>) -> Result<Knobs, String> {
    let mut knobs = Knobs::default();
    for (key, value) in pairs {
        let knob = Knob::ALL.iter().find(|knob| knob.spec().key == key);
        let knob = *knob.ok_or_else(|| format!("there is no knob `{key}`"))?;
        let text = match value {
            KnobValue::Number(number) => number.to_string(),
            KnobValue::Word(word) => word,
        };
        knobs.set(knob, &text, Origin::Tuned).map_err(|error| error.to_string())?;
    }
    Ok(knobs)
}

fn write(entry: &TunedEntry) -> Entry {
    let TunedEntry { bucket, backend, knobs, median_us, planner_us } = entry;
    let knobs = knobs.iter().map(|(knob, value)| {
        let shown = knob.spec().legal.show(value);
        let value = shown.parse().map_or(KnobValue::Word(shown), KnobValue::Number);
        (knob.spec().key.to_string(), value)
    });
    Entry {
        dtype: bucket.dtype.name().to_string(),
        rows: bucket.rows,
        n: bucket.n,
        k: bucket.k,
        backend: backend.name().to_string(),
        knobs: knobs.collect(),
        median_us: *median_us,
        planner_us: *planner_us,
    }
}

/// An error of the parser or the writer, without its picture of the line.
fn one_line(error: impl std::fmt::Display) -> String {
    let text = error.to_string();
    let lines: Vec<&str> = text.lines().filter(|line| !line.contains('|')).collect();
    lines.join(" ").trim().to_string()
}
