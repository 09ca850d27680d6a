//! Measures draws on the first GPU, `K` being the rows' `top_k`, 0 for none:
//! `measure_sampling [--temperature T] [--top-p P] [--min-p P] ROWSxN:K:DTYPE...`
use aikf_topk::{DeviceChoice, Dtype, Element, Runtime, SamplingParams};
use topk_bench::{Error, Measurement, Method, Pool, Workload, measure_sampling, with_type};

fn main() {
    if let Err(error) = run() {
        eprintln!("error: {error}");
        std::process::exit(2);
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let runtime = Runtime::open(DeviceChoice::Cuda(0))?;
    let (mut params, mut workloads) = (SamplingParams::default(), vec![]);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut number = || args.next().unwrap_or_default().parse::<f32>();
        match arg.as_str() {
            "--temperature" => params.temperature = number()?,
            "--top-p" => params.top_p = number()?,
            "--min-p" => params.min_p = number()?,
            text => workloads.push(text.parse::<Workload>()?),
        }
    }
    for dtype in Dtype::ALL {
        let of_type = workloads.iter().filter(|w| w.dtype == dtype);
        let these: Vec<Workload> = of_type.copied().collect();
        if !these.is_empty() {
            with_type!(dtype, T => run_type::<T>(&runtime, params, &these))?;
        }
    }
    Ok(())
}

fn run_type<T: Element>(
    runtime: &Runtime,
    params: SamplingParams,
    workloads: &[Workload],
) -> Result<(), Error> {
    let pool = Pool::<T>::new(runtime, workloads, Method::RECORD.pool_bytes(), 0)?;
    let SamplingParams { temperature, top_p, min_p, .. } = params;
    for workload in workloads {
        let floor_us = workload.bytes() as f64 / 4.5e6;
        let Measurement { median_us, least_us, right } =
            measure_sampling(runtime, params, workload, &pool)?;
        println!(
            "{:24} T {temperature} p {top_p} min-p {min_p} {median_us:9.2} us (least \
             {least_us:.2}) {:5.2} of the read {}",
            workload.to_string(),
            median_us / floor_us,
            if right { "ok" } else { "WRONG" }
        );
    }
    Ok(())
}
