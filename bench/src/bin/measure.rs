//! Measures workloads on the first GPU:
//! `measure [--impl NAME]... [--knob VAR=VALUE]... [--data NAME] ROWSxN:K:DTYPE...`
//!
//! Exit code 1: an answer was wrong, or a workload could not be measured; 2: the command line, the
//! device or the driver was.
use std::error::Error;
use std::process::ExitCode;

use aikf_topk::{Backend, DeviceChoice, Dtype, Element, Knob, Runtime, TopK};
use topk_bench::{Data, Measurement, Method, Pool, Workload, exit_code, measure, with_type};

const USAGE: &str = "no workload is named: measure [--impl NAME]... [--knob VAR=VALUE]... \
    [--data NAME] ROWSxN:K:DTYPE...";

fn main() -> ExitCode {
    exit_code(run())
}

/// What is asked for.
#[derive(Default)]
struct Asked {
    backends: Vec<Backend>,
    knobs: Vec<(Knob, String)>,
    data: Data,
    workloads: Vec<Workload>,
}

impl Asked {
    fn read(mut args: impl Iterator<Item = String>) -> Result<Asked, Box<dyn Error>> {
        let mut asked = Asked::default();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--impl" => asked.backends.push(backend(&args.next().unwrap_or_default())?),
                "--data" => asked.data = args.next().unwrap_or_default().parse()?,
                "--knob" => asked.knobs.push(knob(&args.next().unwrap_or_default())?),
                text => asked.workloads.push(text.parse()?),
            }
        }
        if asked.workloads.is_empty() {
            return Err(USAGE.into());
        }
        if asked.backends.is_empty() {
            asked.backends.push(Backend::Auto);
        }
        Ok(asked)
    }
}

fn backend(name: &str) -> Result<Backend, String> {
    name.parse().map_err(|legal| format!("--impl {name:?}: {legal}"))
}

/// Reads `VAR=VALUE`; whether the value is legal, the library says.
fn knob(pair: &str) -> Result<(Knob, String), String> {
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    let found = Knob::ALL.iter().find(|knob| knob.spec().variable == name);
    let names = || Knob::ALL.iter().map(|knob| knob.spec().variable).collect::<Vec<_>>().join(", ");
    let knob = found.ok_or_else(|| format!("no knob is called {name:?}; there are {}", names()))?;
    Ok((*knob, value.to_string()))
}

/// Measures all, and says whether all were measured and every answer was right.
fn run() -> Result<bool, Box<dyn Error>> {
    let asked = Asked::read(std::env::args().skip(1))?;
    let runtime = Runtime::open(DeviceChoice::Cuda(0))?;
    let mut all_right = true;
    for dtype in Dtype::ALL {
        let of_type = asked.workloads.iter().filter(|w| w.dtype == dtype);
        let these: Vec<Workload> = of_type.copied().collect();
        if !these.is_empty() {
            all_right &= with_type!(dtype, T => run_type::<T>(&runtime, &these, &asked))?;
        }
    }
    Ok(all_right)
}

fn run_type<T: Element>(
    runtime: &Runtime,
    workloads: &[Workload],
    asked: &Asked,
) -> Result<bool, topk_bench::Error> {
    let bytes = Method::RECORD.pool_bytes();
    if asked.data == Data::Bell {
        let pool = Pool::<T>::new(runtime, workloads, bytes, 0)?;
        return workloads.iter().try_fold(true, |right, workload| {
            Ok(right & run_workload(runtime, workload, asked, &pool)?)
        });
    }
    workloads.iter().try_fold(true, |right, workload| {
        let pool = Pool::<T>::with_data(runtime, workload, bytes, asked.data)?;
        Ok(right & run_workload(runtime, workload, asked, &pool)?)
    })
}

fn run_workload<T: Element>(
    runtime: &Runtime,
    workload: &Workload,
    asked: &Asked,
    pool: &Pool<T>,
) -> Result<bool, topk_bench::Error> {
    let mut all_right = true;
    for &backend in &asked.backends {
        let topk = TopK::new(workload.k).backend(backend);
        let with = |topk: TopK, (knob, value): &(Knob, String)| topk.knob(*knob, value);
        let topk = asked.knobs.iter().try_fold(topk, with)?;
        let floor_us = workload.bytes() as f64 / 4.5e6;
        match measure(runtime, &topk, workload, pool) {
            Ok(Measurement { median_us, least_us, right }) => {
                all_right &= right;
                println!(
                    "{:24} {backend:12} {median_us:9.2} us (least {least_us:.2}) {:5.2} of the \
                     read {}",
                    workload.to_string(),
                    median_us / floor_us,
                    if right { "ok" } else { "WRONG" }
                );
            }
            Err(error) => {
                all_right = false;
                eprintln!("error: {workload} {backend}: {error}");
            }
        }
    }
    Ok(all_right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_measured_is_no_success() {
        let runtime = Runtime::open(DeviceChoice::Emulator).unwrap();
        let all_right = |text: &str| {
            let args = text.split_whitespace().map(str::to_string);
            let asked = Asked::read(args).unwrap();
            run_type::<f32>(&runtime, &asked.workloads, &asked).unwrap()
        };
        assert!(all_right("--impl singlepass 1x64:3:f32"));
        assert!(!all_right("--impl singlepass 1x64:65:f32 1x64:3:f32"), "k exceeds n");
    }
}
