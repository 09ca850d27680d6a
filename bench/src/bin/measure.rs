//! Measures workloads on the first GPU:
//! `measure [--impl NAME] [--knob VAR=VALUE]... ROWSxN:K:DTYPE...`
use aikf_topk::{Backend, DeviceChoice, Dtype, Error, Knob, Runtime, TopK};
use topk_bench::{Measurement, Method, Pool, Workload, measure, with_type};

fn main() {
    if let Err(error) = run() {
        eprintln!("error: {error}");
        std::process::exit(2);
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let runtime = Runtime::open(DeviceChoice::Cuda(0))?;
    let (mut backends, mut knobs, mut workloads) = (vec![], vec![], vec![]);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--impl" => backends.push(args.next().unwrap_or_default().parse::<Backend>()?),
            "--knob" => knobs.push(args.next().unwrap_or_default()),
            text => workloads.push(text.parse::<Workload>()?),
        }
    }
    if backends.is_empty() {
        backends.push(Backend::Auto);
    }
    for dtype in Dtype::ALL {
        let of_type = workloads.iter().filter(|w| w.dtype == dtype);
        let these: Vec<Workload> = of_type.copied().collect();
        if !these.is_empty() {
            with_type!(dtype, T => run_type::<T>(&runtime, &these, &backends, &knobs))?;
        }
    }
    Ok(())
}

fn run_type<T: aikf_topk::Element>(
    runtime: &Runtime,
    workloads: &[Workload],
    backends: &[Backend],
    knobs: &[String],
) -> Result<(), topk_bench::Error> {
    let pool = Pool::<T>::new(runtime, workloads, Method::RECORD.pool_bytes(), 0)?;
    for workload in workloads {
        for &backend in backends {
            let topk = with_knobs(TopK::new(workload.k).backend(backend), knobs)?;
            let floor_us = workload.bytes() as f64 / 4.5e6;
            match measure(runtime, &topk, workload, &pool) {
                Ok(Measurement { median_us, least_us, right }) => println!(
                    "{:24} {backend:12} {median_us:9.2} us (least {least_us:.2}) {:5.2} of the \
                     read {}",
                    workload.to_string(),
                    median_us / floor_us,
                    if right { "ok" } else { "WRONG" }
                ),
                Err(error) => println!("{:24} {backend:12} {error}", workload.to_string()),
            }
        }
    }
    Ok(())
}

fn with_knobs(mut topk: TopK, knobs: &[String]) -> Result<TopK, Error> {
    for pair in knobs {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        match Knob::ALL.iter().find(|knob| knob.spec().variable == name) {
            Some(&knob) => topk = topk.knob(knob, value)?,
            None => eprintln!("warning: no knob is called {name}"),
        }
    }
    Ok(topk)
}
