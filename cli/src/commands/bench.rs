//! `topk bench`: the list of workloads, as `auto` does them.
use aikf_topk::Backend;
use clap::Args;
use topk_bench::Method;

use super::Outcome;
use super::measuring::{Job, MeasuringArgs};
use crate::args::{self, ListArgs};
use crate::error::Error;

/// The arguments of `topk bench`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES, allow_negative_numbers = true)]
pub struct BenchArgs {
    #[command(flatten)]
    list: ListArgs,
    /// The backends
    #[arg(
        long,
        value_name = "BACKEND,...",
        value_delimiter = ',',
        default_value = "auto",
        value_parser = args::backend()
    )]
    impls: Vec<Backend>,
    /// Let the input stay in the caches
    #[arg(long)]
    warm: bool,
    #[command(flatten)]
    measuring: MeasuringArgs,
}

const EXAMPLES: &str = "\
Examples:
  Decode steps, as a report for plots and baselines:
    topk bench --group decode --format json --output decode.json
  All of the list against an earlier run; exit code 1 where a time is more than 5 % longer:
    topk bench --baseline before.json --fail-above 5%
  The GPU's code path without a GPU, on a list of your own:
    topk bench --device emulator --workloads tiny.toml --iters 3

Calls are replayed in a CUDA graph, and their inputs rotate through 240 MB, so that they come from
memory. Every answer is checked.";

/// Measures, prints, and says whether every answer was right.
pub fn run(args: &BenchArgs) -> Result<Outcome, Error> {
    let workloads = args.list.chosen()?.list;
    let runtime = args.measuring.device.open()?;
    let method = Method { cold: !args.warm, ..Method::RECORD };
    let job =
        Job { args: &args.measuring, runtime: &runtime, workloads, impls: &args.impls, method };
    job.run()
}
