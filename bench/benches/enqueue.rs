//! What a planned call costs the host: the CPU time of enqueueing it on a GPU's stream. The goal is
//! at most 3 microseconds. Needs a GPU, and says that it was skipped without one.
use std::time::{Duration, Instant};

use aikf_topk::{Backend, DeviceChoice, PreparedTopK, RawCall, Runtime, TopK};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use cuda_loader::api::{memory, stream};
use cuda_loader::{DevicePtr, DriverError, Stream};
use topk_bench::Workload;

/// Calls between two waits: a stream takes about a thousand launches before it makes the host wait.
const CALLS: u64 = 200;
/// The calls whose driver's part is one launch, and two: `singlepass` and `stream`.
const BACKENDS: [Backend; 2] = [Backend::Singlepass, Backend::Stream];
const WORKLOAD: &str = "1x50000:50:f32";

/// A prepared call, and a stream to enqueue it on.
struct Enqueued {
    prepared: PreparedTopK<f32>,
    call: RawCall,
    stream: Stream,
}

impl Enqueued {
    fn new(runtime: &Runtime, backend: Backend, workload: &Workload) -> Enqueued {
        let Workload { rows, n, k, .. } = *workload;
        let topk = TopK::new(k).backend(backend);
        let prepared = topk.prepare::<f32>(runtime, rows, n).expect("a problem that a GPU can do");
        let (input, outputs) = (zeros(workload.bytes()), 4 * rows * k);
        let call = RawCall {
            input: input.0,
            lengths: None,
            values: zeros(outputs).0,
            indices: zeros(outputs).0,
        };
        let stream = stream::stream_create().expect("a stream");
        Enqueued { prepared, call, stream }
    }

    /// The host's time for so many calls; the device's is waited for outside of it.
    fn time(&mut self, calls: u64) -> Duration {
        let mut spent = Duration::ZERO;
        let mut left = calls;
        while left > 0 {
            let now = left.min(CALLS);
            let start = Instant::now();
            for _ in 0..now {
                // SAFETY: the addresses are of live memory with this room, which this program keeps
                // to its end.
                let enqueued = unsafe { self.prepared.enqueue_raw(self.call, self.stream.0) };
                enqueued.expect("a launch");
            }
            spent += start.elapsed();
            self.wait().expect("the GPU goes on");
            left -= now;
        }
        spent
    }

    fn wait(&self) -> Result<(), DriverError> {
        // SAFETY: the stream is live.
        unsafe { stream::stream_synchronize(self.stream) }
    }
}

/// Cleared device memory, which is kept.
fn zeros(bytes: usize) -> DevicePtr {
    let address = memory::mem_alloc(bytes).expect("device memory");
    // SAFETY: allocated just now with this size, and nothing else uses it.
    unsafe { memory::memset_d8_async(address, 0, bytes, Stream::NULL) }.expect("a fill");
    // SAFETY: null is the default stream.
    unsafe { stream::stream_synchronize(Stream::NULL) }.expect("the fill ends");
    address
}

fn enqueue(criterion: &mut Criterion) {
    let runtime = match Runtime::open(DeviceChoice::Cuda(0)) {
        Ok(runtime) => runtime,
        Err(reason) => {
            eprintln!("enqueue: skipped, there is no GPU: {reason}");
            return;
        }
    };
    let workload: Workload = WORKLOAD.parse().expect("a workload");
    let mut group = criterion.benchmark_group("enqueue");
    for backend in BACKENDS {
        let mut enqueued = Enqueued::new(&runtime, backend, &workload);
        enqueued.time(CALLS); // the first launches are slow
        group.bench_function(BenchmarkId::new(backend.name(), WORKLOAD), |bencher| {
            bencher.iter_custom(|calls| enqueued.time(calls));
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().without_plots();
    targets = enqueue
}
criterion_main!(benches);
