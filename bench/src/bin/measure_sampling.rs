//! Measures draws on the first GPU, `K` being the rows' `top_k`, 0 for none:
//! `measure_sampling [--temperature T] [--top-p P] [--min-p P] ROWSxN:K:DTYPE...`
//!
//! Exit code 1: a token was wrong; 2: the command line, the device or the driver was.
use std::process::ExitCode;

use aikf_topk::{DeviceChoice, Dtype, Element, Runtime, SamplingParams};
use topk_bench::{
    Error, Measurement, Method, Pool, Workload, exit_code, measure_sampling, with_type,
};

const USAGE: &str = "no workload is named: measure_sampling [--temperature T] [--top-p P] \
    [--min-p P] ROWSxN:K:DTYPE...";

fn main() -> ExitCode {
    exit_code(run())
}

/// What is asked for: the parameters of every row, and the workloads.
fn read(mut args: impl Iterator<Item = String>) -> Result<(SamplingParams, Vec<Workload>), String> {
    let (mut params, mut workloads) = (SamplingParams::default(), vec![]);
    while let Some(arg) = args.next() {
        let mut number = || {
            let text = args.next().unwrap_or_default();
            text.parse::<f32>().map_err(|_| format!("{arg} {text:?} is not a number"))
        };
        match arg.as_str() {
            "--temperature" => params.temperature = number()?,
            "--top-p" => params.top_p = number()?,
            "--min-p" => params.min_p = number()?,
            text => workloads.push(text.parse()?),
        }
    }
    if workloads.is_empty() { Err(USAGE.to_string()) } else { Ok((params, workloads)) }
}

/// Measures all, and says whether every token was right.
fn run() -> Result<bool, Box<dyn std::error::Error>> {
    let (params, workloads) = read(std::env::args().skip(1))?;
    let runtime = Runtime::open(DeviceChoice::Cuda(0))?;
    let mut all_right = true;
    for dtype in Dtype::ALL {
        let of_type = workloads.iter().filter(|w| w.dtype == dtype);
        let these: Vec<Workload> = of_type.copied().collect();
        if !these.is_empty() {
            all_right &= with_type!(dtype, T => run_type::<T>(&runtime, params, &these))?;
        }
    }
    Ok(all_right)
}

fn run_type<T: Element>(
    runtime: &Runtime,
    params: SamplingParams,
    workloads: &[Workload],
) -> Result<bool, Error> {
    let pool = Pool::<T>::new(runtime, workloads, Method::RECORD.pool_bytes(), 0)?;
    let SamplingParams { temperature, top_p, min_p, .. } = params;
    let mut all_right = true;
    for workload in workloads {
        let floor_us = workload.bytes() as f64 / 4.5e6;
        let Measurement { median_us, least_us, right } =
            measure_sampling(runtime, params, workload, &pool)?;
        all_right &= right;
        println!(
            "{:24} T {temperature} p {top_p} min-p {min_p} {median_us:9.2} us (least \
             {least_us:.2}) {:5.2} of the read {}",
            workload.to_string(),
            median_us / floor_us,
            if right { "ok" } else { "WRONG" }
        );
    }
    Ok(all_right)
}
