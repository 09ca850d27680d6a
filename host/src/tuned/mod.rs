//! Tuned tables: which backend and knobs were the fastest for a shape, as `topk tune` measured it.
//!
//! # Look-up
//!
//! A table is of one kind of GPU: an architecture and a number of multiprocessors. Its entries are
//! keyed by [`Bucket`]: the type, and rows, n and k each rounded to the nearest power of two.
//! Looking up is a pure function:
//!
//! ```text
//! an entry of the problem's own bucket; else the nearest of its neighbours:
//!   the same type, or the other one of 16 bits;
//!   n or k one power of two away, and the others the same;
//!   or rows, where both have more of them than there are multiprocessors;
//!   of these, those that leave the choice to the planner
//! else nothing: the planner has heuristics
//! ```
//!
//! Rows count so strictly because they say how many blocks may share a row; where every row has one
//! block anyway, they do not.
mod file;
mod sources;

use std::fmt;
use std::path::{Path, PathBuf};

use kernels_gpu::params::Dtype;
use serde::Deserialize;

use crate::knobs::Knobs;
use crate::plan::DeviceLimits;
use crate::problem::Problem;
use crate::settings::Backend;

/// Shapes that are alike: a type, and powers of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Bucket {
    /// The elements' type.
    pub dtype: Dtype,
    /// Rows.
    pub rows: usize,
    /// Elements in a row.
    pub n: usize,
    /// Wanted elements a row.
    pub k: usize,
}

impl Bucket {
    /// The bucket of a shape.
    pub fn of(dtype: Dtype, rows: usize, n: usize, k: usize) -> Bucket {
        let nearest = nearest_power_of_two;
        Bucket { dtype, rows: nearest(rows), n: nearest(n), k: nearest(k) }
    }

    /// How far an entry of `other` is from a problem of this bucket; nothing where it does not
    /// count.
    fn distance(&self, other: &Bucket, multiprocessors: u32) -> Option<u32> {
        let is_16_bit = |dtype: Dtype| dtype.bytes() == 2;
        let types = match (self.dtype, other.dtype) {
            (mine, theirs) if mine == theirs => 0,
            (mine, theirs) if is_16_bit(mine) && is_16_bit(theirs) => 1,
            _ => return None,
        };
        let powers = |a: usize, b: usize| a.ilog2().abs_diff(b.ilog2());
        let many = self.rows.min(other.rows) > multiprocessors as usize;
        let (rows, n, k) =
            (powers(self.rows, other.rows), powers(self.n, other.n), powers(self.k, other.k));
        let counts = rows <= u32::from(many) && rows + n + k <= 1;
        // An entry of the problem's own shape comes first, of whichever 16-bit type.
        counts.then_some(2 * (rows + n + k) + types)
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Bucket { dtype, rows, n, k } = self;
        write!(f, "{} rows {rows} n {n} k {k}", dtype.name())
    }
}

/// The power of two whose ratio to `value`, or its inverse, is least; 1 for 0.
fn nearest_power_of_two(value: usize) -> usize {
    let value = value.max(1);
    let below = 1usize << value.ilog2();
    // Above the geometric mean of two powers the upper one is nearer.
    let is_above = value as u128 * value as u128 > 2 * below as u128 * below as u128;
    if is_above { below.saturating_mul(2) } else { below }
}

/// What was the fastest in a bucket.
#[derive(Clone, Debug, PartialEq)]
pub struct TunedEntry {
    /// The shapes it is for.
    pub bucket: Bucket,
    /// The backend; [`Backend::Auto`] where nothing was faster than the planner's own choice.
    pub backend: Backend,
    /// The knobs, where others than the planner's own were faster.
    pub knobs: Knobs,
    /// The time of a call, in microseconds, for the first shape of the bucket that was measured.
    pub median_us: f64,
    /// The time of the planner's own choice for it.
    pub planner_us: f64,
}

/// Where a table comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// The GPU's name.
    pub gpu: String,
    /// The driver's version.
    pub driver: String,
    /// The compiler of the kernels.
    pub compiler: String,
    /// The crate's version.
    pub version: String,
    /// The commit, where it was known.
    pub commit: String,
    /// The day, `yyyy-mm-dd`.
    pub date: String,
    /// A hash of the workloads.
    pub workloads: String,
    /// What the times are.
    pub score: String,
}

/// The entries for one kind of GPU.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TunedTable {
    /// The architecture: `sm_90`.
    pub architecture: String,
    /// Multiprocessors of the GPU.
    pub multiprocessors: u32,
    /// Where it comes from.
    pub provenance: Provenance,
    /// The entries.
    pub entries: Vec<TunedEntry>,
}

impl TunedTable {
    /// The entry for a problem on a device, and whether it is of the problem's own bucket.
    fn find(&self, problem: &Problem, device: &DeviceLimits) -> Option<(&TunedEntry, bool)> {
        if !self.is_for(device) {
            return None;
        }
        let Problem { dtype, rows, n, k, .. } = *problem;
        let own = Bucket::of(dtype, rows, n, k);
        let distance = |entry: &&TunedEntry| own.distance(&entry.bucket, device.multiprocessors);
        // Measured on an H200: what gained 8 % for one shape cost one near by 30.
        let counts = |entry: &&TunedEntry| {
            entry.backend == Backend::Auto || Bucket { dtype, ..entry.bucket } == own
        };
        let near = self.entries.iter().filter(counts);
        let near = near.filter_map(|entry| Some((distance(&entry)?, entry)));
        let order = |bucket: &Bucket| (bucket.rows, bucket.n, bucket.k, bucket.dtype.name());
        let nearest = near.min_by_key(|(distance, entry)| (*distance, order(&entry.bucket)));
        nearest.map(|(_, entry)| (entry, entry.bucket == own))
    }

    /// Whether this is the kind of GPU that the table is of.
    pub fn is_for(&self, device: &DeviceLimits) -> bool {
        self.architecture == device.architecture() && self.multiprocessors == device.multiprocessors
    }
}

/// The tables that count for a device, the strongest first, and what was wrong with their files.
///
/// They are, where `AIKF_TUNED` names neither a file nor `off`: the user's own, which `topk tune`
/// writes, and the one that the library has. What cannot be used is left out with a warning, and is
/// never an error: a table changes speed alone.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TunedTables {
    tables: Vec<(String, TunedTable)>,
    warnings: Vec<String>,
}

impl TunedTables {
    /// A single table; `source` names it for people.
    pub fn of(source: &str, table: TunedTable) -> TunedTables {
        TunedTables { tables: vec![(source.to_string(), table)], warnings: vec![] }
    }

    /// The user's own table for a device, which `topk tune` writes where nothing else is named;
    /// none where the system says of no folder for it.
    pub fn user_file(device: &DeviceLimits) -> Option<PathBuf> {
        sources::user_file(device)
    }

    /// Reads the table of a file; what is wrong with it are warnings, as everywhere.
    pub fn from_file(path: &Path, device: &DeviceLimits) -> TunedTables {
        let mut tables = TunedTables::default();
        sources::add_file(&mut tables, path, device);
        tables
    }

    /// What the tables have for a problem.
    pub fn find(&self, problem: &Problem, device: &DeviceLimits) -> Option<TunedHit<'_>> {
        self.tables.iter().find_map(|(source, table)| {
            let (entry, is_own_bucket) = table.find(problem, device)?;
            let architecture = &table.architecture;
            Some(TunedHit { source, architecture, entry, is_own_bucket })
        })
    }

    /// The tables and where they come from, the strongest first.
    pub fn tables(&self) -> impl Iterator<Item = (&str, &TunedTable)> {
        self.tables.iter().map(|(source, table)| (source.as_str(), table))
    }

    /// What could not be used, a sentence each.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

/// An entry that was found for a problem.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TunedHit<'a> {
    /// The table, for people.
    pub source: &'a str,
    /// The table's architecture.
    pub architecture: &'a str,
    /// The entry.
    pub entry: &'a TunedEntry,
    /// Whether it is of the problem's own bucket, and not of a neighbour.
    pub is_own_bucket: bool,
}

impl fmt::Display for TunedHit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TunedHit { source, architecture, entry, is_own_bucket } = self;
        let near = if *is_own_bucket { "entry" } else { "nearest entry" };
        write!(f, "by the tuned table ({source}): {near} {architecture} {}", entry.bucket)
    }
}

#[cfg(test)]
mod tests;
