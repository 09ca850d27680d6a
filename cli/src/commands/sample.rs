//! `topk sample`: tokens drawn from rows of logits.
use std::hash::{BuildHasher, RandomState};
use std::time::Instant;

use aikf_topk::{
    Adjustments, DeviceChoice, Dtype, Element, FilterOrder, History, LogprobKind, Problem, Rows,
    Runtime, Sampler, Samples, SamplingParams,
};
use clap::Args;
use topk_bench::with_type;

use super::Outcome;
use crate::args::{self, DeviceArg};
use crate::error::Error;
use crate::input::{Input, Source, Wanted};
use crate::output::{Format, counted, draws};
use crate::terminal;

/// The most steps: what they draw is kept until all is printed.
const STEPS_MAX: usize = 1_000_000;
/// The most tokens in all: those that are drawn, and the best of each row.
const TOKENS_MAX: usize = 1 << 26;

/// The arguments of `topk sample`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES, allow_negative_numbers = true)]
pub struct SampleArgs {
    /// The logits: FILE.npy, FILE.safetensors:TENSOR, or random:SEED
    #[arg(long, value_name = "SOURCE")]
    input: Source,
    /// Rows; a file knows its own
    #[arg(long, value_name = "B", value_parser = args::count)]
    batch: Option<usize>,
    /// Tokens in a row; a file knows its own
    #[arg(long, value_name = "N", value_parser = args::count)]
    vocab: Option<usize>,
    /// The logits' type; a file knows its own [default: f32]
    #[arg(long, value_parser = args::dtype())]
    dtype: Option<Dtype>,
    /// What logits are divided by; 0 takes the greatest
    #[arg(long, value_name = "T", default_value_t = 1.0)]
    temperature: f32,
    /// Keep the best K tokens; 0 or -1 keeps all
    #[arg(long, value_name = "K", default_value_t = 0)]
    top_k: i64,
    /// Keep the best tokens whose probabilities reach P together; 1 keeps all
    #[arg(long, value_name = "P", default_value_t = 1.0)]
    top_p: f32,
    /// Keep tokens of at least this share of the greatest probability; 0 keeps all
    #[arg(long, value_name = "P", default_value_t = 0.0)]
    min_p: f32,
    /// Divides the logits of tokens of --prompt and --history, where positive; else multiplies
    #[arg(long, value_name = "R", default_value_t = 1.0)]
    repetition_penalty: f32,
    /// Taken off a token's logit for each time that it is in --history
    #[arg(long, value_name = "F", default_value_t = 0.0)]
    frequency_penalty: f32,
    /// Taken off the logits of tokens in --history
    #[arg(long, value_name = "F", default_value_t = 0.0)]
    presence_penalty: f32,
    /// The prompt's tokens, of every row
    #[arg(long, value_name = "TOKEN,...", value_delimiter = ',')]
    prompt: Vec<u32>,
    /// The tokens that every row has generated so far
    #[arg(long, value_name = "TOKEN,...", value_delimiter = ',')]
    history: Vec<u32>,
    /// Added to single logits of every row, as TOKEN:BIAS; -inf bans a token
    #[arg(long, value_name = "TOKEN:BIAS,...", value_delimiter = ',', value_parser = bias)]
    logit_bias: Vec<(u32, f32)>,
    /// The tokens that may be drawn, of every row; all, where there is no such list
    #[arg(long, value_name = "TOKEN,...", value_delimiter = ',')]
    allow: Vec<u32>,
    /// How many tokens each row has, from its start; one number a row, at most the row's length
    #[arg(long, value_name = "N,...", value_delimiter = ',', value_parser = args::length)]
    lengths: Option<Vec<u32>>,
    /// The order of the filters
    #[arg(long, value_enum, default_value_t = OrderName::Hf)]
    order: OrderName,
    /// The stream of random words of row 0; row r has that of SEED + r [default: anybody's guess]
    #[arg(long)]
    seed: Option<u64>,
    /// The first step's place in that stream
    #[arg(long, default_value_t = 0)]
    position: u64,
    /// Draws of a row at each step
    #[arg(long, value_name = "COUNT", default_value = "1", value_parser = args::positive)]
    num_samples: usize,
    /// Draw no token of a row twice in a step
    #[arg(long)]
    without_replacement: bool,
    /// Steps, at most 1000000, each at the next position
    #[arg(long, value_name = "COUNT", default_value = "1", value_parser = args::up_to(STEPS_MAX))]
    steps: usize,
    /// Print logarithms of probabilities and ranks
    #[arg(long, value_enum, value_name = "KIND")]
    logprobs: Option<LogprobName>,
    /// Print also the best tokens of each row, with their logarithms; json alone shows them
    #[arg(long, value_name = "COUNT", default_value_t = 0, requires = "logprobs")]
    top_logprobs: usize,
    /// Print how often each token was drawn, in place of the draws
    #[arg(long)]
    histogram: bool,
    /// How the answer is printed
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Say how it is done, and why so
    #[arg(long)]
    explain: bool,
    /// Compare every step with the CPU's, token by token
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    device: DeviceArg,
}

const EXAMPLES: &str = "\
Examples:
  Eight tokens of one row of made-up logits, as a decode loop would draw them:
    topk sample --input random:7 --batch 1 --vocab 50000 --temperature 0.8 --top-k 50 --steps 8
  A nucleus, four draws a row, with logarithms of probabilities, as JSON:
    topk sample --input logits.npy --top-p 0.9 --num-samples 4 --logprobs raw --format json
  How often each token comes in 1000 steps, on the GPU's code path, checked against the CPU:
    topk sample --input random:7 --batch 1 --vocab 64 --top-p 0.5 --steps 1000 --histogram \\
        --device emulator --check --seed 1";

/// The orders of filters by name.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum OrderName {
    /// Temperature, top-k, top-p, min-p
    Hf,
    /// Temperature, min-p, top-k, top-p
    Vllm,
    /// Top-k, top-p, min-p, temperature
    Llama,
}

/// What logarithms are taken of, by name.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum LogprobName {
    /// The softmax of the row as it came
    Raw,
    /// What is drawn from, after all filters
    Processed,
}

/// Reads `TOKEN:BIAS`.
fn bias(text: &str) -> Result<(u32, f32), String> {
    let parts = text.split_once(':').and_then(|(token, bias)| {
        let bias: f32 = bias.parse().ok()?;
        Some((token.parse().ok()?, bias)).filter(|_| !bias.is_nan())
    });
    parts.ok_or_else(|| "it must be TOKEN:BIAS, like 42:-1.5 or 42:-inf".to_string())
}

/// Draws, prints, and checks.
pub fn run(args: &SampleArgs) -> Result<Outcome, Error> {
    let wanted = Wanted { rows: args.batch, n: args.vocab, dtype: args.dtype };
    let input = Input::open(&args.input, &wanted)?;
    let runtime = args.device.open()?;
    with_type!(input.dtype, T => run_typed::<T>(args, &input, &runtime))
}

fn run_typed<T: Element>(
    args: &SampleArgs,
    input: &Input,
    runtime: &Runtime,
) -> Result<Outcome, Error> {
    // Before the logits are read or made up, so that a wrong parameter costs nothing.
    let problem = Problem::new(T::DTYPE, input.rows, input.n, 1);
    let planned = sampler(args).adjusted(is_adjusted(args));
    let plan = planned.plan(runtime, &problem, &[params(args, 0, 0)])?;
    if args.explain {
        terminal::note(&plan.explain());
    }
    check_tokens(args, input.rows)?;
    let elements = input.elements::<T>()?;
    let mut rows = Rows::new(&elements, input.rows, input.n)?;
    if let Some(lengths) = &args.lengths {
        if lengths.len() != input.rows {
            return Err(Error::Lengths { given: lengths.len(), rows: input.rows });
        }
        rows = rows.with_lengths(lengths)?;
    }
    let mask = mask(args, input)?;
    let seed = args.seed.unwrap_or_else(anybodys_guess);
    let start = Instant::now();
    let draw = |runtime: &Runtime| -> Result<Vec<Samples>, Error> {
        (0..args.steps as u64)
            .map(|step| draw_step(args, runtime, rows, &mask, seed, step))
            .collect()
    };
    let steps = draw(runtime)?;
    terminal::note(&summary(args, &problem, runtime, start));
    match args.histogram {
        true => draws::print_histogram(args.format, &steps)?,
        false => draws::print(args.format, args.position, &steps)?,
    }
    if !args.check {
        return Ok(Outcome::Done);
    }
    if runtime.gpu().is_none() {
        terminal::note("check: these are the CPU's own draws, and there is nothing to compare");
        return Ok(Outcome::Done);
    }
    let right = draw(&Runtime::open(DeviceChoice::Cpu)?)?;
    Ok(checked(&steps, &right))
}

/// Whether there is room for what all steps draw.
fn check_tokens(args: &SampleArgs, rows: usize) -> Result<(), Error> {
    let each = args.num_samples.saturating_add(args.top_logprobs);
    let tokens = args.steps.saturating_mul(rows).saturating_mul(each);
    match tokens <= TOKENS_MAX {
        true => Ok(()),
        false => Err(Error::Tokens { steps: args.steps, rows, each, most: TOKENS_MAX }),
    }
}

/// Whether logits are changed before they are drawn from.
fn is_adjusted(args: &SampleArgs) -> bool {
    let lists = [&args.prompt, &args.history, &args.allow];
    lists.iter().any(|list| !list.is_empty()) || !args.logit_bias.is_empty()
}

/// A seed of the system's, and how to have it again.
fn anybodys_guess() -> u64 {
    let seed = RandomState::new().hash_one(());
    terminal::note(&format!("seed {seed}: --seed {seed} draws the same again"));
    seed
}

fn summary(args: &SampleArgs, problem: &Problem, runtime: &Runtime, start: Instant) -> String {
    let milliseconds = start.elapsed().as_secs_f64() * 1e3;
    let copies = if runtime.gpu().is_some() { ", copies included" } else { "" };
    format!(
        "{} of {} {}, {} of {} on {}: {milliseconds:.3} ms{copies}",
        counted(problem.rows, "row", "rows"),
        problem.n,
        problem.dtype.name(),
        counted(args.steps, "step", "steps"),
        counted(args.num_samples, "sample", "samples"),
        runtime.device(),
    )
}

/// One draw of every row.
fn draw_step<T: Element>(
    args: &SampleArgs,
    runtime: &Runtime,
    rows: Rows<'_, T>,
    allowed: &[u32],
    seed: u64,
    step: u64,
) -> Result<Samples, Error> {
    let params: Vec<SamplingParams> = (0..rows.count() as u64)
        .map(|row| params(args, seed.wrapping_add(row), args.position.wrapping_add(step)))
        .collect();
    let history = History { prompt: &args.prompt, output: &args.history };
    let has_history = !(args.prompt.is_empty() && args.history.is_empty());
    let histories = if has_history { vec![history; rows.count()] } else { vec![] };
    let bias: Vec<(u32, u32, f32)> = (0..rows.count() as u32)
        .flat_map(|row| args.logit_bias.iter().map(move |&(token, bias)| (row, token, bias)))
        .collect();
    let adjustments = Adjustments { histories: &histories, bias: &bias, allowed };
    Ok(sampler(args).sample_adjusted(runtime, rows, &params, &adjustments)?)
}

/// A bit for each token of each row that `--allow` names; nothing without it.
fn mask(args: &SampleArgs, input: &Input) -> Result<Vec<u32>, Error> {
    let words = input.n.div_ceil(32);
    let mut row = vec![0u32; if args.allow.is_empty() { 0 } else { words }];
    for &token in &args.allow {
        if token as usize >= input.n {
            return Err(Error::Token { flag: "--allow", token, n: input.n });
        }
        row[token as usize / 32] |= 1 << (token % 32);
    }
    Ok(row.repeat(input.rows))
}

fn params(args: &SampleArgs, seed: u64, position: u64) -> SamplingParams {
    SamplingParams {
        temperature: args.temperature,
        top_k: args.top_k,
        top_p: args.top_p,
        min_p: args.min_p,
        repetition_penalty: args.repetition_penalty,
        frequency_penalty: args.frequency_penalty,
        presence_penalty: args.presence_penalty,
        seed: Some(seed),
        position,
    }
}

fn sampler(args: &SampleArgs) -> Sampler {
    let order = match args.order {
        OrderName::Hf => FilterOrder::HuggingFace,
        OrderName::Vllm => FilterOrder::Vllm,
        OrderName::Llama => FilterOrder::LlamaCpp,
    };
    let sampler = Sampler::new()
        .order(order)
        .num_samples(args.num_samples)
        .replacement(!args.without_replacement);
    match args.logprobs {
        Some(LogprobName::Raw) => sampler.logprobs(LogprobKind::Raw, args.top_logprobs),
        Some(LogprobName::Processed) => sampler.logprobs(LogprobKind::Processed, args.top_logprobs),
        None => sampler,
    }
}

fn checked(steps: &[Samples], right: &[Samples]) -> Outcome {
    let different = steps.iter().zip(right).position(|(got, right)| got != right);
    match different {
        None => {
            terminal::note(&format!("check: ok ({})", counted(steps.len(), "step", "steps")));
            Outcome::Done
        }
        Some(step) => {
            let tokens = steps[step].tokens.iter().zip(&right[step].tokens).enumerate();
            let place = tokens.clone().find(|(_, (got, right))| got != right);
            terminal::note(&match place {
                Some((at, (got, right))) => format!(
                    "check: step {step}, row {}, sample {}: token {got}, the CPU has {right}",
                    at / steps[step].num_samples,
                    at % steps[step].num_samples
                ),
                None => format!("check: step {step}: statuses or logarithms differ"),
            });
            Outcome::Differs
        }
    }
}
