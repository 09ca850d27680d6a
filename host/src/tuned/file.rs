//! Tuned tables as TOML.
//!
//! Reading forgives: an entry that is not right is left out with a warning, and a file that is not
//! right, or is of another schema or another GPU, as a whole.
use std::collections::BTreeMap;
use std::fmt::Write as _;

use kernels_gpu::params::Dtype;
use serde::Deserialize;

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
#[derive(Deserialize)]
struct Head {
    architecture: String,
    multiprocessors: u32,
    provenance: Provenance,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    dtype: String,
    rows: usize,
    n: usize,
    k: usize,
    backend: String,
    #[serde(default)]
    knobs: BTreeMap<String, KnobValue>,
    median_us: f64,
    planner_us: f64,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum KnobValue {
    Number(u32),
    Word(String),
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
        let Head { architecture, multiprocessors, provenance } =
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

    /// The table as [`TunedTable::parse`] reads it: the head first, so that one sees whose table it
    /// is, and a line an entry.
    pub fn to_toml(&self) -> String {
        let TunedTable { architecture, multiprocessors, provenance, entries } = self;
        let Provenance { gpu, driver, compiler, version, commit, date, workloads, score } =
            provenance;
        let architecture = quoted(architecture);
        let mut text = format!(
            "{PREFACE}schema = {SCHEMA}\narchitecture = {architecture}\n\
             multiprocessors = {multiprocessors}\n"
        );
        let told = [
            ("gpu", gpu),
            ("driver", driver),
            ("compiler", compiler),
            ("version", version),
            ("commit", commit),
            ("date", date),
            ("workloads", workloads),
            ("score", score),
        ];
        for (name, value) in told {
            let _ = writeln!(text, "provenance.{name} = {}", quoted(value));
        }
        text.push_str("entry = [\n");
        for entry in entries {
            let _ = writeln!(text, "    {},", line(entry));
        }
        text.push_str("]\n");
        text
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

/// An entry as a line of TOML. Names and knobs' words need no quoting.
fn line(entry: &TunedEntry) -> String {
    let TunedEntry { bucket, backend, knobs, median_us, planner_us } = entry;
    let Bucket { dtype, rows, n, k } = bucket;
    let knobs = knobs.iter().map(|(knob, value)| {
        let spec = knob.spec();
        let shown = spec.legal.show(value);
        let value = if shown.parse::<u32>().is_ok() { shown } else { quoted(&shown) };
        format!("{} = {value}", spec.key)
    });
    let knobs = knobs.collect::<Vec<_>>().join(", ");
    let knobs = if knobs.is_empty() { knobs } else { format!("knobs = {{ {knobs} }}, ") };
    format!(
        "{{ dtype = \"{}\", rows = {rows}, n = {n}, k = {k}, backend = \"{backend}\", \
         {knobs}median_us = {median_us:?}, planner_us = {planner_us:?} }}",
        dtype.name()
    )
}

/// A string of TOML.
fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// An error of the parser, without its picture of the line.
fn one_line(error: impl std::fmt::Display) -> String {
    let text = error.to_string();
    let lines: Vec<&str> = text.lines().filter(|line| !line.contains('|')).collect();
    lines.join(" ").trim().to_string()
}
