//! `topk recommend`: what `auto` takes for batches of a shape, and why.
use aikf_topk::{Backend, Dtype, Gpu, Problem, Runtime, TopK};
use clap::Args;
use serde::Serialize;

use super::Outcome;
use crate::args::{self, DeviceArg, KnobArgs};
use crate::error::Error;
use crate::output::report::{Column, Format, number, rows, word};

/// The arguments of `topk recommend`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES, allow_negative_numbers = true)]
pub struct RecommendArgs {
    /// Rows
    #[arg(
        long,
        value_name = "B,...",
        value_delimiter = ',',
        default_value = "1,8,64",
        value_parser = args::positive
    )]
    batch: Vec<usize>,
    /// Elements in a row
    #[arg(long, value_name = "N", default_value = "50000", value_parser = args::positive)]
    vocab: usize,
    /// Elements wanted of every row
    #[arg(long, value_name = "K", default_value = "50", value_parser = args::count)]
    top_k: usize,
    /// The elements' type
    #[arg(long, default_value = "f32", value_parser = args::dtype())]
    dtype: Dtype,
    #[command(flatten)]
    device: DeviceArg,
    /// How it is written
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    #[command(flatten)]
    knobs: KnobArgs,
}

const EXAMPLES: &str = "\
Examples:
  What to expect of decode steps on this machine:
    topk recommend --batch 1,8,64,256 --vocab 128256 --top-k 50 --dtype bf16

Nothing is measured: the times are those of the tuned table for the nearest shape that `topk tune`
measured, and there is none where the planner decides by itself.";

/// What is recommended for one batch.
#[derive(Debug, Serialize)]
struct Recommendation {
    batch: usize,
    vocab: usize,
    top_k: usize,
    dtype: &'static str,
    backend: &'static str,
    knobs: String,
    expected_us: Option<f64>,
    reason: String,
}

const COLUMNS: [Column<Recommendation>; 8] = [
    number("batch", |r| r.batch.to_string()),
    number("vocab", |r| r.vocab.to_string()),
    number("top_k", |r| r.top_k.to_string()),
    word("dtype", |r| r.dtype.to_string()),
    word("backend", |r| r.backend.to_string()),
    number("expected_us", |r| r.expected_us.map_or("-".to_string(), |us| format!("{us:.2}"))),
    word("knobs", |r| if r.knobs.is_empty() { "-".to_string() } else { r.knobs.clone() }),
    word("reason", |r| r.reason.clone()),
];

/// Plans, and prints.
pub fn run(args: &RecommendArgs) -> Result<Outcome, Error> {
    let runtime = args.device.open()?;
    let of_batch = |&batch: &usize| recommend(args, &runtime, batch);
    let all = args.batch.iter().map(of_batch).collect::<Result<Vec<_>, Error>>()?;
    rows(args.format, &COLUMNS, &all)?;
    Ok(Outcome::Done)
}

fn recommend(
    args: &RecommendArgs,
    runtime: &Runtime,
    batch: usize,
) -> Result<Recommendation, Error> {
    let RecommendArgs { vocab, top_k, dtype, .. } = *args;
    let problem = Problem::new(dtype, batch, vocab, top_k);
    let topk = args.knobs.apply(TopK::new(top_k))?;
    let plan = topk.plan(runtime, &problem)?;
    let explained = plan.explain();
    // The plan's first sentence says why; it begins with the backend's name, which has its column.
    let first = explained.lines().next().unwrap_or_default();
    let reason = first.split_once(": ").map_or(first, |(_, reason)| reason).to_string();
    let is_auto = runtime.settings().backend.unwrap_or_default() == Backend::Auto;
    let limits = runtime.gpu().map(Gpu::limits).filter(|_| is_auto);
    let hit = limits.and_then(|limits| runtime.tuned().find(&problem, limits));
    Ok(Recommendation {
        batch,
        vocab,
        top_k,
        dtype: dtype.name(),
        backend: plan.backend.name(),
        knobs: hit.map_or(String::new(), |hit| hit.entry.knobs.to_string()),
        expected_us: hit.map(|hit| hit.entry.median_us),
        reason,
    })
}
