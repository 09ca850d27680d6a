//! `topk compare`: every backend that can run here, checked and timed on the same rows.
use std::time::Instant;

use aikf_topk::Error::Unsupported;
use aikf_topk::{Backend, Dtype, Element, Problem, Rows, Runtime, Selection, TopK};
use clap::Args;
use half::{bf16, f16};

use super::Outcome;
use crate::args::{self, DeviceArg, KnobArgs};
use crate::check;
use crate::error::Error;
use crate::input::{Input, Source, Wanted};
use crate::output::measurements::{self, Measurement};
use crate::output::{self, Format};
use crate::terminal;
use crate::timing::gpu::Resident;
use crate::timing::{self, Samples};

/// The arguments of `topk compare`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES, allow_negative_numbers = true)]
pub struct CompareArgs {
    /// Rows
    #[arg(long, value_name = "B", default_value = "1", value_parser = args::positive)]
    batch: usize,
    /// Elements in a row
    #[arg(long, value_name = "N", default_value = "50000", value_parser = args::positive)]
    vocab: usize,
    /// Elements wanted of every row
    #[arg(long, value_name = "K", default_value = "50", value_parser = args::count)]
    top_k: usize,
    /// The elements' type
    #[arg(long, default_value = "f32", value_parser = args::dtype())]
    dtype: Dtype,
    /// Where the made-up rows start from
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The backends, the first of which the others are compared with [default: all of ours]
    #[arg(
        long,
        value_name = "BACKEND,...",
        value_delimiter = ',',
        value_parser = args::one_backend()
    )]
    impls: Vec<Backend>,
    #[command(flatten)]
    device: DeviceArg,
    /// Timed samples of a backend; a slow one takes fewer
    #[arg(long, value_name = "COUNT", default_value = "50", value_parser = args::positive)]
    iterations: usize,
    /// How the measurements are printed
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    #[command(flatten)]
    knobs: KnobArgs,
}

const EXAMPLES: &str = "\
Examples:
  One row of 50000 logits, best 50, on all that is here:
    topk compare
  A batch in bf16, as CSV:
    topk compare --batch 64 --vocab 128256 --top-k 50 --dtype bf16 --format csv
  What a knob does to two of them:
    topk compare --impls stream,singlepass --stage1-warps 8

A GPU's time is the device's own, with rows and answer in its memory; the CPU's is wall time.
GB/s counts the bytes of rows and answer. The emulator is measured only with --device emulator.
The last line says which backend auto takes: auto measures nothing, so it may be another than the
fastest one here.";

/// The rows that every backend gets.
struct Bench<'a, T> {
    args: &'a CompareArgs,
    runtime: &'a Runtime,
    elements: &'a [T],
}

/// Measures, prints, and says whether every answer was right.
pub fn run(args: &CompareArgs) -> Result<Outcome, Error> {
    let wanted = Wanted { rows: Some(args.batch), n: Some(args.vocab), dtype: Some(args.dtype) };
    let input = Input::open(&Source::Random(args.seed), &wanted)?;
    let runtime = args.device.open()?;
    let auto = of_auto(args, &runtime)?;
    let measurements = match args.dtype {
        Dtype::F32 => measure_all::<f32>(args, &input, &runtime),
        Dtype::F16 => measure_all::<f16>(args, &input, &runtime),
        Dtype::Bf16 => measure_all::<bf16>(args, &input, &runtime),
    }?;
    measurements::print(args.format, &measurements)?;
    terminal::note(&format!("auto takes backend {auto}"));
    Ok(match measurements.iter().all(|m| m.ok) {
        true => Outcome::Done,
        false => Outcome::Differs,
    })
}

fn measure_all<T: Element>(
    args: &CompareArgs,
    input: &Input,
    runtime: &Runtime,
) -> Result<Vec<Measurement>, Error> {
    // Plans come first, so that a wrong k costs nothing.
    let problem = Problem::new(T::DTYPE, input.rows, input.n, args.top_k);
    let calls = able(args, &problem, runtime)?;
    terminal::note(&output::problem(&problem));
    let elements = input.elements::<T>()?;
    let bench = Bench { args, runtime, elements: &elements };
    let mut measurements = vec![];
    for (backend, topk) in calls {
        measurements.push(bench.measure(backend, &topk)?);
    }
    let first_us = measurements[0].median_us;
    for measurement in &mut measurements {
        measurement.speedup = first_us / measurement.median_us;
    }
    Ok(measurements)
}

/// The wanted backends that can do it here, the CPU first unless `--impls` has an order of its own.
/// A backend that was not named and cannot do it is left out, with a note.
fn able(
    args: &CompareArgs,
    problem: &Problem,
    runtime: &Runtime,
) -> Result<Vec<(Backend, TopK)>, Error> {
    let mut calls: Vec<(Backend, TopK)> = vec![];
    for backend in wanted(args, runtime) {
        let topk = args.knobs.apply(TopK::new(args.top_k).backend(backend))?;
        let done_by = match topk.plan(runtime, problem) {
            Ok(plan) => plan.backend,
            Err(reason @ Unsupported { .. }) if args.impls.is_empty() => {
                terminal::note(&format!("backend {backend} is left out: {reason}"));
                continue;
            }
            Err(reason) => return Err(reason.into()),
        };
        if done_by != backend {
            terminal::note(&format!("backend {backend} leaves k = {} to {done_by}", problem.k));
        }
        // What two names come to is measured once, under the name of what runs.
        if calls.iter().all(|(listed, _)| *listed != done_by) {
            calls.push((done_by, topk));
        }
    }
    Ok(calls)
}

/// The backends that were named; else the CPU, and all others where there is a GPU for them.
/// `torch` is for those who name it: few builds have it, and among equals it differs.
fn wanted(args: &CompareArgs, runtime: &Runtime) -> Vec<Backend> {
    if !args.impls.is_empty() {
        return args.impls.clone();
    }
    let others = [Backend::Auto, Backend::Cpu, Backend::Torch];
    let on_gpu = |backend: &Backend| !others.contains(backend);
    let on_gpu: Vec<Backend> = Backend::ALL.into_iter().filter(on_gpu).collect();
    if runtime.gpu().is_none() {
        let names = on_gpu.iter().map(|backend| backend.name()).collect::<Vec<_>>().join(", ");
        terminal::note(&format!(
            "left out without a GPU: {names} (--device emulator runs them, slowly)"
        ));
        return vec![Backend::Cpu];
    }
    [vec![Backend::Cpu], on_gpu].concat()
}

/// The backend that `auto` takes. First of all, because it says what is wrong with the problem.
fn of_auto(args: &CompareArgs, runtime: &Runtime) -> Result<Backend, Error> {
    let topk = args.knobs.apply(TopK::new(args.top_k).backend(Backend::Auto))?;
    let problem = Problem::new(args.dtype, args.batch, args.vocab, args.top_k);
    Ok(topk.plan(runtime, &problem)?.backend)
}

impl<T: Element> Bench<'_, T> {
    fn measure(&self, backend: Backend, topk: &TopK) -> Result<Measurement, Error> {
        let (samples, answer) = match backend {
            Backend::Cpu => self.on_cpu(topk)?,
            _ => self.on_gpu(topk)?,
        };
        let device = timing::device_name(backend, self.runtime);
        let CompareArgs { batch, vocab, top_k, .. } = *self.args;
        let problem = Problem::new(T::DTYPE, batch, vocab, top_k);
        let difference = check::first_difference(self.elements, None, &problem, &answer);
        if let Some(difference) = &difference {
            terminal::note(&format!("check: backend {backend} on {device}: {difference}"));
        }
        // A clock that is too coarse gives 0, and nothing is to be divided by that.
        let median_us = samples.percentile_us(50).max(1e-3);
        let bytes = size_of_val(self.elements)
            + size_of_val(&answer.values[..])
            + size_of_val(&answer.indices[..]);
        Ok(Measurement {
            backend: backend.name(),
            device,
            median_us,
            p10_us: samples.percentile_us(10),
            p90_us: samples.percentile_us(90),
            gb_per_s: bytes as f64 / (median_us * 1e3),
            speedup: 1.0,
            samples: samples.len(),
            ok: difference.is_none(),
        })
    }

    fn on_cpu(&self, topk: &TopK) -> Result<(Samples, Selection<T>), Error> {
        let rows = Rows::new(self.elements, self.args.batch, self.args.vocab)?;
        let mut answer = topk.select(self.runtime, rows)?;
        let samples = Samples::take(self.args.iterations, || {
            let start = Instant::now();
            answer = topk.select(self.runtime, rows)?;
            Ok(start.elapsed())
        })?;
        Ok((samples, answer))
    }

    fn on_gpu(&self, topk: &TopK) -> Result<(Samples, Selection<T>), Error> {
        let shape = (self.args.batch, self.args.vocab);
        let mut resident = Resident::new(topk, self.runtime, self.elements, shape)?;
        let samples = Samples::take(self.args.iterations, || resident.sample())?;
        Ok((samples, resident.answer()?))
    }
}
