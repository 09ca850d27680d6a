//! Device time of selections, by criterion: `auto` on the decode steps of `bench/workloads.toml`,
//! in replayed CUDA graphs with inputs from memory. Needs a GPU, and says that it was skipped
//! without one.
use std::time::Duration;

use aikf_topk::{Backend, DeviceChoice, Dtype, Element, Runtime, TopK};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use topk_bench::{Call, Error, Method, Pool, Reference, Workload, Workloads, with_type};

const GROUPS: [&str; 3] = ["decode", "decode-one", "decode-many"];
/// Replays, each of many calls, that one sample of criterion's comes from at most.
const REPLAYS_MAX: u64 = 5;

fn select_on_gpu(criterion: &mut Criterion) {
    let runtime = match Runtime::open(DeviceChoice::Cuda(0)) {
        Ok(runtime) => runtime,
        Err(reason) => {
            eprintln!("gpu: skipped, there is no GPU: {reason}");
            return;
        }
    };
    let groups = GROUPS.map(str::to_string);
    let list = Workloads::read(None, &groups).expect("groups of the list").list;
    for dtype in Dtype::ALL {
        let of_type = list.iter().filter(|workload| workload.dtype == dtype);
        let these: Vec<Workload> = of_type.copied().collect();
        if !these.is_empty() {
            let measured = with_type!(dtype, T => measure::<T>(criterion, &runtime, &these));
            measured.expect("problems that a GPU can do");
        }
    }
}

fn measure<T: Element>(
    criterion: &mut Criterion,
    runtime: &Runtime,
    workloads: &[Workload],
) -> Result<(), Error> {
    let pool = Pool::<T>::new(runtime, workloads, Method::RECORD.pool_bytes(), 0)?;
    let mut group = criterion.benchmark_group("gpu");
    group.sample_size(20);
    for workload in workloads {
        let topk = TopK::new(workload.k).backend(Backend::Auto);
        let mut call = Call::new(runtime, &topk, workload, &pool, Method::RECORD)?;
        call.sample_us()?;
        let difference =
            Reference::new(call.input(), workload).difference(&call.answer()?, Backend::Auto);
        assert_eq!(difference, None, "{workload}");
        group.throughput(Throughput::Bytes(workload.bytes() as u64));
        group.bench_function(BenchmarkId::from_parameter(workload), |bencher| {
            bencher.iter_custom(|calls| time(&mut call, calls).expect("the GPU goes on"));
        });
    }
    group.finish();
    Ok(())
}

/// The device's time of so many calls, from as many replays as are enough.
fn time<T: Element>(call: &mut Call<'_, T>, calls: u64) -> Result<Duration, Error> {
    let replays = calls.min(REPLAYS_MAX);
    let mut sum_us = 0.0;
    for _ in 0..replays {
        sum_us += call.sample_us()?;
    }
    Ok(Duration::from_secs_f64(sum_us * 1e-6 / replays as f64 * calls as f64))
}

criterion_group! {
    name = benches;
    config = Criterion::default().without_plots();
    targets = select_on_gpu
}
criterion_main!(benches);
