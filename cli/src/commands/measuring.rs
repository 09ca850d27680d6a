//! What `topk compare` and `topk bench` share: flags, measuring a list of workloads, the verdict.
use std::path::PathBuf;
use std::time::Duration;

use aikf_topk::Error::Unsupported;
use aikf_topk::{Backend, Dtype, Element, Runtime, TopK};
use clap::Args;
use topk_bench::report::{Row, SCHEMA};
use topk_bench::times::rounded_us;
use topk_bench::{
    Call, Effort, Error as BenchError, Method, Pool, Reference, Report, Times, Workload,
    copy_gb_per_s, date, with_type,
};

use super::Outcome;
use crate::args::{self, DeviceArg, KnobArgs};
use crate::error::Error;
use crate::output;
use crate::output::report::{self, Format};
use crate::terminal;

/// How long the samples of one backend and workload may take.
const LIMIT: Duration = Duration::from_secs(5);

/// How it is measured, and what becomes of the measurements.
#[derive(Args, Debug)]
pub struct MeasuringArgs {
    #[command(flatten)]
    pub device: DeviceArg,
    /// Where the made-up rows start from
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Samples that are thrown away first
    #[arg(long, value_name = "COUNT", default_value = "3", value_parser = args::count)]
    warmup: usize,
    /// Timed samples of a backend; a slow one takes fewer
    #[arg(
        long,
        alias = "iterations",
        value_name = "COUNT",
        default_value = "50",
        value_parser = args::positive
    )]
    iters: usize,
    /// An earlier report in JSON; times that are longer now are named, and the exit code is 1
    #[arg(long, value_name = "FILE.json")]
    baseline: Option<PathBuf>,
    /// How much longer than the baseline a time may be
    #[arg(
        long,
        value_name = "PERCENT",
        default_value = "5%",
        value_parser = args::percent,
        requires = "baseline"
    )]
    fail_above: f64,
    /// Where `auto` is named beside others: exit code 1 where it takes more than this longer than
    /// the best of them
    #[arg(long, value_name = "PERCENT", value_parser = args::percent)]
    auto_within: Option<f64>,
    /// How the measurements are written
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Where to, if not to standard output
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    pub knobs: KnobArgs,
}

/// Workloads, and the backends that do them.
pub struct Job<'a> {
    pub args: &'a MeasuringArgs,
    pub runtime: &'a Runtime,
    pub workloads: Vec<Workload>,
    /// The backends that were named; none where all of ours are meant.
    pub impls: &'a [Backend],
    pub method: Method,
}

/// A backend as it was asked for, and a selection that it does.
struct Wanted {
    backend: Backend,
    ran: Backend,
    topk: TopK,
}

impl Job<'_> {
    /// Measures, writes, and says whether answers were right and times not longer than they were.
    pub fn run(&self) -> Result<Outcome, Error> {
        // First of all what may be wrong with the command line, so that it costs nothing.
        let baseline = self.args.baseline.as_deref().map(Report::read).transpose()?;
        for workload in &self.workloads {
            self.plan(workload, Backend::Auto)?;
            self.impls.iter().try_for_each(|&backend| self.plan(workload, backend).map(drop))?;
        }
        if self.runtime.gpu().is_none() && self.impls.is_empty() {
            terminal::note(&format!(
                "left out without a GPU: {} (--device emulator runs them, slowly)",
                names(&args::TUNED_BACKENDS)
            ));
        }
        let mut report = Report {
            schema: SCHEMA,
            device: match self.runtime.gpu() {
                Some(gpu) => gpu.limits().name.clone(),
                None => output::device_name(Backend::Cpu, self.runtime),
            },
            copy_gbs: copy_gb_per_s(self.runtime)?,
            date: date::today(),
            rows: vec![],
        };
        for dtype in Dtype::ALL {
            let of_type = self.workloads.iter().filter(|workload| workload.dtype == dtype);
            let these: Vec<Workload> = of_type.copied().collect();
            if !these.is_empty() {
                with_type!(dtype, T => self.measure_all::<T>(&these, &mut report))?;
            }
        }
        report::write(self.args.format, self.args.output.as_deref(), &report)?;
        Ok(self.verdict(&report, baseline.as_ref()))
    }

    fn measure_all<T: Element>(
        &self,
        workloads: &[Workload],
        report: &mut Report,
    ) -> Result<(), Error> {
        let pool =
            Pool::<T>::new(self.runtime, workloads, self.method.pool_bytes(), self.args.seed)?;
        for workload in workloads {
            let (_, auto) = self.plan(workload, Backend::Auto)?;
            let problem = output::problem(&workload.problem());
            terminal::note(&format!("{problem}; auto takes backend {auto}"));
            let wanted = self.wanted(workload)?;
            // The host's cores are not to be busy while a GPU is measured.
            let (on_cpu, on_gpu): (Vec<Wanted>, Vec<Wanted>) =
                wanted.into_iter().partition(|wanted| wanted.ran == Backend::Cpu);
            for together in [on_cpu, on_gpu] {
                self.measure(workload, &together, &pool, report)?;
            }
            report.rank(workload);
        }
        Ok(())
    }

    /// Checks and measures backends of one workload in turns.
    fn measure<T: Element>(
        &self,
        workload: &Workload,
        wanted: &[Wanted],
        pool: &Pool<T>,
        report: &mut Report,
    ) -> Result<(), Error> {
        let mut calls = vec![];
        for wanted in wanted {
            calls.push(Call::new(self.runtime, &wanted.topk, workload, pool, self.method)?);
        }
        let effort = Effort { warm_up: self.args.warmup, samples: self.args.iters, limit: LIMIT };
        let mut samplers: Vec<_> = calls.iter_mut().map(|call| || call.sample_us()).collect();
        let mut samplers: Vec<&mut dyn FnMut() -> Result<f64, BenchError>> =
            samplers.iter_mut().map(|sampler| sampler as _).collect();
        let times = effort.take(&mut samplers)?;
        for ((wanted, call), times) in wanted.iter().zip(&calls).zip(&times) {
            let reference = Reference::new(call.input(), workload);
            let difference = reference.difference(&call.answer()?, wanted.ran);
            if let Some(difference) = &difference {
                let backend = wanted.backend;
                terminal::note(&format!("check: backend {backend}: {difference}"));
            }
            let verified = difference.is_none();
            report.rows.push(self.row(workload, wanted, times, verified, report.copy_gbs));
        }
        Ok(())
    }

    fn row(
        &self,
        workload: &Workload,
        wanted: &Wanted,
        times: &Times,
        verified: bool,
        copy_gbs: Option<f64>,
    ) -> Row {
        let gbs = workload.bytes_in_all() as f64 / (times.median_us() * 1e3);
        Row {
            rows: workload.rows,
            n: workload.n,
            k: workload.k,
            dtype: workload.dtype.name().to_string(),
            backend: wanted.backend.name().to_string(),
            ran: wanted.ran.name().to_string(),
            mode: self.method.name(wanted.ran).to_string(),
            cold: self.method.cold,
            median_us: rounded_us(times.median_us()),
            p10_us: rounded_us(times.percentile_us(10)),
            p90_us: rounded_us(times.percentile_us(90)),
            gbs,
            of_copy: copy_gbs.filter(|_| wanted.ran != Backend::Cpu).map(|copy| gbs / copy),
            vs_torch: None,
            best: false,
            samples: times.count(),
            verified,
        }
    }

    /// A selection by a backend, and the backend that does it. Says what is wrong with a problem.
    fn plan(&self, workload: &Workload, backend: Backend) -> Result<(TopK, Backend), Error> {
        let topk = self.args.knobs.apply(TopK::new(workload.k).backend(backend))?;
        let ran = topk.plan(self.runtime, &workload.problem())?.backend;
        Ok((topk, ran))
    }

    /// The backends that can do it here, in order. One that was not named and cannot do it is left
    /// out, with a note; what two names come to is measured once, but for `auto`.
    fn wanted(&self, workload: &Workload) -> Result<Vec<Wanted>, Error> {
        let mut wanted: Vec<Wanted> = vec![];
        for backend in self.named() {
            let (topk, ran) = match self.plan(workload, backend) {
                Err(Error::Library(reason @ Unsupported { .. })) if self.impls.is_empty() => {
                    terminal::note(&format!("backend {backend} is left out: {reason}"));
                    continue;
                }
                planned => planned?,
            };
            let is_auto = backend == Backend::Auto;
            if ran != backend && !is_auto {
                let k = workload.k;
                terminal::note(&format!("backend {backend} leaves k = {k} to {ran}"));
            }
            let backend = if is_auto { backend } else { ran };
            if wanted.iter().all(|listed| listed.backend != backend) {
                wanted.push(Wanted { backend, ran, topk });
            }
        }
        Ok(wanted)
    }

    /// The backends that were named; else the CPU, and all others where there is a GPU for them.
    /// `torch` is for those who name it: few builds have it.
    fn named(&self) -> Vec<Backend> {
        match (self.impls.is_empty(), self.runtime.gpu()) {
            (false, _) => self.impls.to_vec(),
            (true, None) => vec![Backend::Cpu],
            (true, Some(_)) => [&[Backend::Cpu], &args::TUNED_BACKENDS[..]].concat(),
        }
    }

    fn verdict(&self, report: &Report, baseline: Option<&Report>) -> Outcome {
        let mut is_slower = false;
        if let Some(baseline) = baseline {
            let (slower, compared) = report.slower_than(baseline, self.args.fail_above);
            slower.iter().for_each(|line| terminal::note(&format!("baseline: {line}")));
            let (count, percent) = (slower.len(), self.args.fail_above);
            terminal::note(&format!(
                "baseline: {compared} of {} times compared, {count} longer by more than \
                 {percent} %",
                report.rows.len()
            ));
            if compared == 0 {
                terminal::warning("the baseline has none of these workloads, backends and modes");
            }
            is_slower = count > 0;
        }
        if let Some(percent) = self.args.auto_within {
            let (slower, compared) = report.auto_slower_than(percent);
            slower.iter().for_each(|line| terminal::note(&format!("auto: {line}")));
            terminal::note(&format!(
                "auto: {compared} workloads compared, {} longer by more than {percent} %",
                slower.len()
            ));
            if compared == 0 {
                terminal::warning("auto was not measured beside others: name it in --impls");
            }
            is_slower |= !slower.is_empty();
        }
        match report.is_verified() {
            false => Outcome::Differs,
            true if is_slower => Outcome::Slower,
            true => Outcome::Done,
        }
    }
}

/// The names of backends, in a list.
pub fn names(backends: &[Backend]) -> String {
    backends.iter().map(|backend| backend.name()).collect::<Vec<_>>().join(", ")
}
