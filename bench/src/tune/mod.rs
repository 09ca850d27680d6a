//! The search for the fastest backend and knobs of every bucket of shapes.
//!
//! # Idea
//!
//! ```text
//! for each bucket that a workload is in:
//!     candidates: the planner's own choice; each backend; each backend with one knob set
//!     without those whose plan another one has already
//!     each: prepare, check the answer, a few samples; drop it where it takes twice the best
//!     halve: samples in turns, drop the slower half, until few are left
//!     `full`: change one more knob of those that are left, and halve again
//!     the last ones and the planner's own choice: many samples, in turns
//!     the best replaces the planner's choice only if it is better beyond the noise, and not worse
//!     at the ends of the bucket
//! ```
//!
//! Where several workloads are in a bucket, a time is the geometric mean of theirs, and none of
//! them may become slower. What is known so far is in a file beside the table (see [`progress`]),
//! so that a tune can go on where it stopped.
pub mod progress;
mod search;
mod space;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use aikf_topk::{
    Backend, Bucket, DeviceLimits, Provenance, Runtime, TunedEntry, TunedTable, kernel_provenance,
};

use crate::error::Error;
use crate::pool::Pool;
use crate::workload::Workload;
use crate::workloads::Workloads;
use crate::{date, with_type};
use progress::Progress;
use search::Search;

/// Bytes that inputs rotate through: more than twice what the caches of current GPUs hold, and half
/// of what records take, for half of the time.
const POOL_BYTES: usize = 128_000_000;

/// How much of a bucket's time goes into trying, before the last comparison.
const TRYING: f64 = 0.7;

/// How much is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grid {
    /// Every knob alone.
    Quick,
    /// Combinations of the knobs that help.
    Full,
}

/// What is tuned, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// What is measured.
    pub workloads: Workloads,
    /// A hash of the whole list, of which `workloads` may be a part.
    pub list_hash: String,
    /// The backends that are tried.
    pub backends: Vec<Backend>,
    /// How much is tried.
    pub grid: Grid,
    /// The time for all of it; none where it may take as long as it takes.
    pub time: Option<Duration>,
    /// Go on where an earlier tune stopped.
    pub resume: bool,
    /// The table.
    pub out: PathBuf,
    /// The commit, for the table's header.
    pub commit: String,
}

/// What was found in one bucket.
#[derive(Clone, Debug)]
pub struct Found {
    /// The workloads of the bucket.
    pub workloads: Vec<Workload>,
    /// What the table says of it.
    pub entry: TunedEntry,
    /// Plans that were tried.
    pub tried: usize,
    /// Buckets that are done, this one included.
    pub done: usize,
    /// Buckets in all.
    pub all: usize,
}

/// How a tune ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The table is complete.
    Complete {
        /// Its entries.
        entries: usize,
    },
    /// The time was up; the rest waits in this file for another tune to go on.
    OutOfTime {
        /// Buckets that are done.
        done: usize,
        /// Buckets in all.
        all: usize,
        /// What is known so far.
        partial: PathBuf,
    },
}

/// Tunes, and writes the table. `tell` hears of every bucket.
///
/// # Errors
/// [`Error::Refused`] without a GPU or the emulator, or where the environment sets knobs;
/// [`Error::Wrong`] for a wrong answer; [`Error::File`]; [`Error::Malformed`] for what cannot be
/// resumed; the library's and the driver's.
pub fn run(
    runtime: &Runtime,
    options: &Options,
    tell: &mut dyn FnMut(Event),
) -> Result<End, Error> {
    let limits = check(runtime)?;
    let head = head(limits, options);
    let mut progress = Progress::open(options, head, tell)?;
    let all = by_buckets(&options.workloads.list);
    let mut left = all.clone();
    left.retain(|workloads| !progress.has(&bucket(&workloads[0])));
    // A time beyond the clock's end is as good as none.
    let clock = Clock { end: options.time.and_then(|time| Instant::now().checked_add(time)) };
    let mut done = all.len() - left.len();
    for dtype in aikf_topk::Dtype::ALL {
        let of_type = |workloads: &&Vec<Workload>| workloads[0].dtype == dtype;
        let buckets: Vec<&Vec<Workload>> = left.iter().filter(of_type).collect();
        let these: Vec<Workload> = buckets.iter().copied().flatten().copied().collect();
        if these.is_empty() {
            continue;
        }
        with_type!(dtype, T => {
            search::load_kernels::<T>(runtime, options, &these)?;
            let with_ends = [these.clone(), these.iter().flat_map(ends).collect()].concat();
            let pool = Pool::<T>::new(runtime, &with_ends, POOL_BYTES, 0)?;
            for workloads in buckets {
                let Some(end) = clock.share(all.len() - done) else {
                    let partial = progress.partial();
                    return Ok(End::OutOfTime { done, all: all.len(), partial });
                };
                let (entry, tried) =
                    Search::new(runtime, options, workloads, &pool, end)?.run()?;
                progress.add(entry.clone())?;
                done += 1;
                let (workloads, all) = (workloads.clone(), all.len());
                tell(Event::Found(Found { workloads, entry, tried, done, all }));
            }
        });
    }
    Ok(End::Complete { entries: progress.finish()? })
}

/// What a tune tells meanwhile.
#[derive(Clone, Debug)]
pub enum Event {
    /// A bucket is done.
    Found(Found),
    /// So many buckets were done before.
    Resumed(usize),
}

fn check(runtime: &Runtime) -> Result<&DeviceLimits, Error> {
    let knobs = &runtime.settings().knobs;
    if knobs.iter().next().is_some() {
        return Err(Error::Refused(format!(
            "the environment sets knobs ({knobs}), and a tune starts from the planner's own: unset \
             their AIKF_ variables"
        )));
    }
    let gpu = runtime.gpu().ok_or_else(|| {
        let reason = "a tune needs one; `--device emulator` tries the command out".to_string();
        aikf_topk::Error::NoGpu { purpose: "a tune".to_string(), reason }
    })?;
    Ok(gpu.limits())
}

/// The table without entries.
fn head(limits: &DeviceLimits, options: &Options) -> TunedTable {
    let provenance = Provenance {
        gpu: limits.name.clone(),
        driver: progress::driver_version(),
        compiler: kernel_provenance().to_string(),
        version: env!("CARGO_PKG_VERSION").to_string(),
        commit: options.commit.clone(),
        date: date::today(),
        workloads: options.list_hash.clone(),
        score: "median microseconds of a call in a replayed CUDA graph, inputs from memory; the \
                answer was verified"
            .to_string(),
    };
    TunedTable {
        architecture: limits.architecture(),
        multiprocessors: limits.multiprocessors,
        provenance,
        entries: vec![],
    }
}

/// The workloads of every bucket, in the order in which buckets first come.
fn by_buckets(list: &[Workload]) -> Vec<Vec<Workload>> {
    let mut buckets: Vec<Vec<Workload>> = vec![];
    for workload in list {
        match buckets.iter_mut().find(|known| bucket(&known[0]) == bucket(workload)) {
            Some(known) => known.push(*workload),
            None => buckets.push(vec![*workload]),
        }
    }
    buckets
}

fn bucket(workload: &Workload) -> Bucket {
    let Workload { rows, n, k, dtype } = *workload;
    Bucket::of(dtype, rows, n, k)
}

/// The shortest and the longest rows of a workload's bucket, the fewest and the most wanted
/// elements, and the fewest and the most rows, or nearly so.
fn ends(workload: &Workload) -> Vec<Workload> {
    let bucket_of = bucket(workload);
    let parts = |whole: usize| [(whole * 3).div_ceil(4), whole * 11 / 8];
    let lengths = parts(bucket_of.n).map(|n| Workload { n: n.max(workload.k), ..*workload });
    let batches = parts(bucket_of.rows).map(|rows| Workload { rows, ..*workload });
    let wanted = parts(bucket_of.k).map(|k| Workload { k: k.min(workload.n), ..*workload });
    // Of one or two there is no other number in the bucket.
    let is_other = |end: &Workload| {
        (end.rows, end.k) != (workload.rows, workload.k) && bucket(end) == bucket_of
    };
    lengths.into_iter().chain(wanted.into_iter().chain(batches).filter(is_other)).collect()
}

/// When all must be done.
struct Clock {
    end: Option<Instant>,
}

impl Clock {
    /// Until when the next of so many buckets may try: each has its share of what is left, and a
    /// part of it is for the last comparison. Nothing where no time is left.
    fn share(&self, buckets_left: usize) -> Option<Option<Instant>> {
        let Some(end) = self.end else {
            return Some(None);
        };
        let now = Instant::now();
        let left = end.checked_duration_since(now)?;
        let share = left / buckets_left.max(1) as u32;
        Some(Some(now + share.mul_f64(TRYING)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_are_in_the_bucket() {
        for shape in ["9x256:8:f32", "1x50257:50:bf16", "64x128256:2048:f16", "3x1048576:1:f32"] {
            let workload: Workload = shape.parse().unwrap();
            let ends = ends(&workload);
            assert!(ends[0].n < ends[1].n);
            assert!(ends.iter().all(|end| bucket(end) == bucket(&workload)), "{ends:?}");
            let others = ends[2..].iter().filter(|end| end.k == workload.k);
            let batches: Vec<usize> = others.map(|end| end.rows).collect();
            let others: &[usize] = match workload.rows {
                1 => &[],
                3 => &[5],
                9 => &[6, 11],
                _ => &[48, 88],
            };
            assert_eq!(batches, others, "{ends:?}");
            let wanted: Vec<usize> =
                ends.iter().map(|end| end.k).filter(|&k| k != workload.k).collect();
            let others: &[usize] = match workload.k {
                1 => &[],
                8 => &[6, 11],
                50 => &[48, 88],
                _ => &[1536, 2816],
            };
            assert_eq!(wanted, others, "{ends:?}");
        }
    }
}
