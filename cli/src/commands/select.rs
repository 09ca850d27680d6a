//! `topk select`: the best k of every row.
use std::time::Instant;

use aikf_topk::{Backend, Dtype, Element, Plan, Problem, Rows, Runtime, TopK};
use clap::Args;
use topk_bench::with_type;

use super::Outcome;
use crate::args::{self, DeviceArg, KnobArgs};
use crate::check::{self, Difference};
use crate::error::Error;
use crate::input::{Input, Source, Wanted};
use crate::output::{self, Format, selection};
use crate::terminal;

/// The arguments of `topk select`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES, allow_negative_numbers = true)]
pub struct SelectArgs {
    /// The rows: FILE.npy, FILE.safetensors:TENSOR, or random:SEED
    ///
    /// An array is `[n]`, one row, or `[rows, n]`. The tensor's name may be left out where a file
    /// has only one. A seed gives bell-shaped values, the same ones everywhere.
    #[arg(long, value_name = "SOURCE")]
    input: Source,
    /// Rows; a file knows its own
    #[arg(long, value_name = "B", value_parser = args::count)]
    batch: Option<usize>,
    /// Elements in a row; a file knows its own
    #[arg(long, value_name = "N", value_parser = args::count)]
    vocab: Option<usize>,
    /// Elements wanted of every row
    #[arg(long, value_name = "K", value_parser = args::count)]
    top_k: usize,
    /// How many elements each row has, from its start; those behind do not count
    ///
    /// One number a row, at most `n` each. Where a row has fewer than K elements, its last places
    /// have no index, and the value -inf (inf with --smallest).
    #[arg(long, value_name = "N,...", value_delimiter = ',', value_parser = args::length)]
    lengths: Option<Vec<u32>>,
    /// The elements' type; a file knows its own [default: f32]
    ///
    /// NumPy has no bf16: with `--dtype bf16` an .npy file may hold 16-bit words (uint16 or V2).
    #[arg(long, value_parser = args::dtype())]
    dtype: Option<Dtype>,
    /// How it is done [default: auto] [env: AIKF_TOPK_IMPL]
    #[arg(long = "impl", value_name = "BACKEND", value_parser = args::backend())]
    backend: Option<Backend>,
    #[command(flatten)]
    device: DeviceArg,
    /// Select the smallest; NaN is the greatest all the same
    #[arg(long)]
    smallest: bool,
    /// Leave the order to what is quickest; it depends on K alone
    ///
    /// Best first up to a K of 128, by index beyond.
    #[arg(long)]
    unsorted: bool,
    /// How the answer is printed
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Print all of the answer in a table too
    #[arg(long)]
    all: bool,
    /// Compare the answer with a sorted reference, bit for bit
    #[arg(long)]
    check: bool,
    /// Say how it is done, and why so
    #[arg(long)]
    explain: bool,
    #[command(flatten)]
    knobs: KnobArgs,
}

const EXAMPLES: &str = "\
Examples:
  The best 5 of two rows of made-up logits:
    topk select --input random:7 --batch 2 --vocab 50000 --top-k 5
  A tensor of a file, on the second GPU, one JSON object a row:
    topk select --input logits.safetensors:lm_head --top-k 50 --device cuda:1 --format json
  Rows of different lengths, padded to 8; the second has fewer than 3 elements:
    topk select --input random:7 --batch 2 --vocab 8 --lengths 8,2 --top-k 3
  The GPU's code path without a GPU, checked and explained:
    topk select --input logits.npy --top-k 20 --device emulator --check --explain";

/// Selects, prints, and checks.
pub fn run(args: &SelectArgs) -> Result<Outcome, Error> {
    let wanted = Wanted { rows: args.batch, n: args.vocab, dtype: args.dtype };
    let input = Input::open(&args.input, &wanted)?;
    let runtime = args.device.open()?;
    with_type!(input.dtype, T => run_typed::<T>(args, &input, &runtime))
}

fn run_typed<T: Element>(
    args: &SelectArgs,
    input: &Input,
    runtime: &Runtime,
) -> Result<Outcome, Error> {
    let topk = topk(args)?;
    // Before the elements are read or made up, so that a wrong k costs nothing.
    let problem = Problem::new(T::DTYPE, input.rows, input.n, args.top_k);
    let plan = topk.plan(runtime, &problem)?;
    if args.explain {
        terminal::note(&plan.explain());
    }
    let lengths = args.lengths.as_deref();
    if let Some(given) = lengths.map(<[u32]>::len).filter(|&given| given != input.rows) {
        return Err(Error::Lengths { given, rows: input.rows });
    }
    let elements = input.elements::<T>()?;
    let mut rows = Rows::new(&elements, input.rows, input.n)?;
    if let Some(lengths) = lengths {
        rows = rows.with_lengths(lengths)?;
    }
    let start = Instant::now();
    let answer = topk.select(runtime, rows)?;
    terminal::note(&summary(&plan, runtime, start));
    selection::print(args.format, args.all, &answer)?;
    if args.check {
        let found = check::first_difference(&elements, lengths, &plan.problem, &answer);
        return Ok(checked(found, input.rows));
    }
    Ok(Outcome::Done)
}

fn topk(args: &SelectArgs) -> Result<TopK, Error> {
    let topk = TopK::new(args.top_k).largest(!args.smallest).sorted(!args.unsorted);
    let topk = match args.backend {
        Some(backend) => topk.backend(backend),
        None => topk,
    };
    args.knobs.apply(topk)
}

fn summary(plan: &Plan, runtime: &Runtime, start: Instant) -> String {
    let milliseconds = start.elapsed().as_secs_f64() * 1e3;
    let copies = match runtime.gpu() {
        Some(_) if plan.backend != Backend::Cpu => ", copies included",
        _ => "",
    };
    format!(
        "{}: backend {} on {}, {milliseconds:.3} ms{copies}",
        output::problem(&plan.problem),
        plan.backend,
        output::device_name(plan.backend, runtime),
    )
}

fn checked(difference: Option<Difference>, rows: usize) -> Outcome {
    match difference {
        None => {
            terminal::note(&format!("check: ok ({})", output::counted(rows, "row", "rows")));
            Outcome::Done
        }
        Some(difference) => {
            terminal::note(&format!("check: {difference}"));
            Outcome::Differs
        }
    }
}
