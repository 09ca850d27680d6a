//! `topk compare`: every backend that can run here, checked and timed on the same rows.
use std::path::PathBuf;

use aikf_topk::{Backend, Dtype};
use clap::Args;
use topk_bench::{Method, Workload, Workloads};

use super::Outcome;
use super::measuring::{Job, MeasuringArgs};
use crate::args;
use crate::error::Error;
use crate::terminal;

/// The most random shapes: more take days, and their report more than one reads.
const RANDOM_MAX: usize = 10_000;

/// The arguments of `topk compare`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES, allow_negative_numbers = true)]
pub struct CompareArgs {
    /// Rows
    #[arg(
        long,
        value_name = "B,...",
        value_delimiter = ',',
        default_value = "1",
        value_parser = args::positive
    )]
    batch: Vec<usize>,
    /// Elements in a row
    #[arg(
        long,
        value_name = "N,...",
        value_delimiter = ',',
        default_value = "50000",
        value_parser = args::positive
    )]
    vocab: Vec<usize>,
    /// Elements wanted of every row
    #[arg(
        long,
        value_name = "K,...",
        value_delimiter = ',',
        default_value = "50",
        value_parser = args::count
    )]
    top_k: Vec<usize>,
    /// The elements' type
    #[arg(
        long,
        value_name = "DTYPE,...",
        value_delimiter = ',',
        default_value = "f32",
        value_parser = args::dtype()
    )]
    dtype: Vec<Dtype>,
    /// A list of workloads instead, as bench/workloads.toml is one
    #[arg(
        long,
        value_name = "FILE.toml",
        conflicts_with_all = ["batch", "vocab", "top_k", "dtype"]
    )]
    workloads: Option<PathBuf>,
    /// That many random shapes instead, at most 10000, of the types of --dtype; they follow --seed
    #[arg(
        long,
        value_name = "COUNT",
        value_parser = args::up_to(RANDOM_MAX),
        conflicts_with_all = ["batch", "vocab", "top_k", "workloads"]
    )]
    random: Option<usize>,
    /// The backends [default: all of ours]
    #[arg(
        long,
        value_name = "BACKEND,...",
        value_delimiter = ',',
        value_parser = args::backend()
    )]
    impls: Vec<Backend>,
    /// Replay calls in a CUDA graph, which leaves out the host's part
    #[arg(long)]
    graph: bool,
    /// Let inputs come from memory: they rotate through more than caches hold
    #[arg(long)]
    cold_l2: bool,
    #[command(flatten)]
    measuring: MeasuringArgs,
}

const EXAMPLES: &str = "\
Examples:
  One row of 50000 logits, best 50, on all that is here:
    topk compare
  Batches of two types as decode steps meet them, as Markdown:
    topk compare --batch 1,8,64 --vocab 128256 --dtype f32,bf16 --graph --cold-l2 --format markdown
  What a knob does to two of them:
    topk compare --impls stream,singlepass --stage1-warps 8
  Against an earlier run; exit code 1 where a time is more than 5 % longer:
    topk compare --format json --output before.json
    topk compare --baseline before.json --fail-above 5%
  Whether auto is near the best of the others on 30 random shapes:
    topk compare --random 30 --impls auto,stream,singlepass,streaming --graph --cold-l2 \
        --auto-within 5%

A GPU's time is the device's own, with rows and answer in its memory; the CPU's is wall time.
Samples of all backends are taken in turns. GB/s counts the bytes of rows and answer; `of copy` is
that as a share of what a copy within the GPU's memory reads and writes. The emulator is measured
only with --device emulator. `auto` may be named too; the notes say which backend it takes.";

/// Measures, prints, and says whether every answer was right.
pub fn run(args: &CompareArgs) -> Result<Outcome, Error> {
    let workloads = match (&args.workloads, args.random) {
        (Some(path), _) => Workloads::read(Some(path), &[])?.list,
        (None, Some(count)) => Workloads::random(count, &args.dtype, args.measuring.seed).list,
        (None, None) => combinations(args),
    };
    let runtime = args.measuring.device.open()?;
    let method = Method { graph: args.graph, cold: args.cold_l2 };
    let job =
        Job { args: &args.measuring, runtime: &runtime, workloads, impls: &args.impls, method };
    job.run()
}

/// Every combination of the lists. Where there are several, those whose k exceeds n are left out.
fn combinations(args: &CompareArgs) -> Vec<Workload> {
    let mut all = vec![];
    for &dtype in &args.dtype {
        for &rows in &args.batch {
            for &n in &args.vocab {
                all.extend(args.top_k.iter().map(|&k| Workload { rows, n, k, dtype }));
            }
        }
    }
    let fitting = all.iter().filter(|workload| workload.k <= workload.n).count();
    if fitting > 0 && fitting < all.len() {
        let left_out = all.len() - fitting;
        terminal::note(&format!("left out: {left_out} of {} shapes, whose k exceeds n", all.len()));
        all.retain(|workload| workload.k <= workload.n);
    }
    all
}
