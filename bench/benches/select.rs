//! What the host's part costs: a whole selection by the backend `cpu`, and the planning of one for
//! a GPU. Needs no GPU. Every answer is compared with the sorted reference before it is timed.

use std::hint::black_box;

use aikf_topk::{
    Backend, DeviceChoice, DeviceLimits, Dtype, Element, Plan, Problem, Rows, Runtime, Settings,
    TopK,
};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use half::f16;
use kernels_gpu::testkit::{Pattern, expected};
use topk_bench::Workload;

/// A decode step, a batch of them, a long row, a large `k`, and short rows: `ROWSxN:K:DTYPE`.
const WORKLOADS: [&str; 5] = [
    "1x128256:50:f32",
    "64x32000:50:f16",
    "1x4194304:100:f32",
    "4x65536:2048:f32",
    "1024x512:8:f16",
];
const SEED: u64 = 1;

/// An element that is made from its bits.
trait FromBits: Element {
    fn from_bits(bits: u32) -> Self;
}

impl FromBits for f32 {
    fn from_bits(bits: u32) -> f32 {
        f32::from_bits(bits)
    }
}

impl FromBits for f16 {
    fn from_bits(bits: u32) -> f16 {
        f16::from_bits(bits as u16)
    }
}

fn workloads() -> impl Iterator<Item = Workload> {
    let parse = |text: &str| text.parse().expect("a workload of the list above");
    WORKLOADS.into_iter().map(parse)
}

fn select_on_cpu(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("cpu");
    group.sample_size(20);
    for workload in workloads() {
        group.throughput(Throughput::Bytes(workload.bytes() as u64));
        let id = BenchmarkId::from_parameter(workload);
        match workload.dtype {
            Dtype::F32 => {
                group.bench_function(id, |bencher| bencher.iter(select::<f32>(&workload)))
            }
            _ => group.bench_function(id, |bencher| bencher.iter(select::<f16>(&workload))),
        };
    }
    group.finish();
}

/// A selection that was verified once.
fn select<T: FromBits>(workload: &Workload) -> impl FnMut() -> Vec<u32> + use<T> {
    let Workload { rows, n, k, dtype } = *workload;
    let bits = Pattern::Normal.fill(dtype, rows, n, SEED);
    let data: Vec<T> = bits.iter().map(|&bits| T::from_bits(bits)).collect();
    let runtime = Runtime::open(DeviceChoice::Cpu).expect("the host's cores are always there");
    let topk = TopK::new(k).backend(Backend::Cpu);
    let run = move || {
        let rows = Rows::new(&data, rows, n).expect("the data has this shape");
        topk.select(&runtime, rows).expect("a legal problem").indices
    };
    let right = bits.chunks(n).flat_map(|row| expected(row, dtype, k, true).indices);
    assert!(run().into_iter().eq(right), "{workload}: another answer than the reference");
    run
}

fn plan_for_gpu(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("plan");
    let device = DeviceLimits {
        name: "a GPU of Hopper's size".to_string(),
        multiprocessors: 132,
        shared_bytes_max: 227 * 1024,
        compute_capability: 90,
    };
    let settings = Settings::default();
    for workload in workloads() {
        let Workload { rows, n, k, dtype } = workload;
        let problem = Problem::new(dtype, rows, n, k);
        let plan = || Plan::new(black_box(&problem), Some(&device), &settings);
        plan().expect("a problem that a GPU can do");
        group.bench_function(BenchmarkId::from_parameter(workload), |bencher| bencher.iter(plan));
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().without_plots();
    targets = select_on_cpu, plan_for_gpu
}
criterion_main!(benches);
