//! The backend `torch` against our own, on a GPU with LibTorch (`docs/torch.md`).
//!
//! Rows have no equals and no NaN: which of those `torch.topk` takes is its own affair. Without a
//! GPU every test is reported as ignored, and why; with `AIKF_REQUIRE_GPU=1` its absence is a
//! failure.
mod support;

use aikf_topk::{
    Backend, DeviceSlice, DeviceSliceMut, Dtype, Error, IndexType, Problem, RawCall, Rows, Runtime,
    StreamRef, TopK,
};
use cuda_loader::api::{graph, memory};
use cuda_loader::{DevicePtr, Stream as RawStream};
use cust::memory::{CopyDestination, DeviceBuffer};
use cust::stream::{Stream, StreamFlags};
use support::TestElement;
use support::on_gpu::{self, GpuTest};

/// Rows, elements of a row, wanted elements: few and many, all of a row, long enough for every
/// path of `torch.topk`.
const SHAPES: [(usize, usize, usize); 7] = [
    (1, 1, 1),
    (1, 50_257, 50),
    (5, 3000, 7),
    (64, 1000, 1000),
    (3, 40_000, 2048),
    (200, 600, 64),
    (2, 30_000, 29_999),
];

const TESTS: [GpuTest; 7] = [
    ("from_the_hosts_memory", from_the_hosts_memory),
    ("wide_and_narrow_indices", wide_and_narrow_indices),
    ("in_the_order_of_the_stream", in_the_order_of_the_stream),
    ("lent_workspace", lent_workspace),
    ("nan_is_greatest", nan_is_greatest),
    ("refuses_lengths", refuses_lengths),
    ("refuses_to_be_captured", refuses_to_be_captured),
];

fn main() {
    on_gpu::run(on_gpu::trials("tests of backend torch", &TESTS));
}

/// Finite elements, no two of a row equal, in no order.
fn elements<T: TestElement>(rows: usize, n: usize, row_stride: usize) -> Vec<T> {
    let (width, infinity) = match T::DTYPE {
        Dtype::F32 => (32, 0x7f80_0000),
        Dtype::F16 => (16, 0x7c00),
        Dtype::Bf16 => (16, 0x7f80),
    };
    let (all, sign) = (u32::MAX >> (32 - width), 1u32 << (width - 1));
    // An odd factor: every pattern comes once before one comes again.
    let pattern = |i: usize, row: usize| (i as u32 ^ row as u32).wrapping_mul(0x9e37_79b1) & all;
    let wanted = |bits: &u32| bits & !sign < infinity && *bits != sign;
    let mut data = vec![T::of_bits(infinity); rows * row_stride];
    for (number, row) in data.chunks_mut(row_stride).enumerate() {
        let bits = (0..1 << 16).map(|i| pattern(i, 97 * number)).filter(wanted);
        let placed = row[..n].iter_mut().zip(bits).map(|(place, bits)| *place = T::of_bits(bits));
        assert_eq!(placed.count(), n, "there are as many patterns");
    }
    data
}

fn bits<T: TestElement>(values: &[T]) -> Vec<u32> {
    values.iter().map(|value| value.bits()).collect()
}

fn from_the_hosts_memory(runtime: &Runtime) {
    fn check<T: TestElement>(runtime: &Runtime) {
        for (rows, n, k) in SHAPES {
            let row_stride = n + 3;
            let data = elements::<T>(rows, n, row_stride);
            let view = Rows::with_stride(&data, rows, n, row_stride).expect("legal");
            for largest in [true, false] {
                let select = |backend| {
                    let topk = TopK::new(k).largest(largest).backend(backend);
                    topk.select(runtime, view).expect("selected")
                };
                let (got, right) = (select(Backend::Torch), select(Backend::Auto));
                let what = format!("{:?} {rows}x{n}:{k} largest {largest}", T::DTYPE);
                assert_eq!(got.indices, right.indices, "{what}");
                assert_eq!(bits(&got.values), bits(&right.values), "{what}");
            }
        }
    }
    check::<f32>(runtime);
    check::<half::f16>(runtime);
    check::<half::bf16>(runtime);
}

/// Buffers of one problem, the outputs poisoned.
struct Resident {
    input: DeviceBuffer<u8>,
    values: DeviceBuffer<u8>,
    indices: DeviceBuffer<u8>,
}

impl Resident {
    fn new<T: TestElement, I: IndexType>(problem: &Problem, data: &[T]) -> Resident {
        let poison = |bytes| DeviceBuffer::from_slice(&vec![0xa5u8; bytes]).expect("device memory");
        Resident {
            input: DeviceBuffer::from_slice(bytemuck::cast_slice(data)).expect("device memory"),
            values: poison(problem.output_elements() * size_of::<T>()),
            indices: poison(problem.output_elements() * size_of::<I>()),
        }
    }

    fn call(&self) -> RawCall {
        RawCall {
            input: self.input.as_device_ptr().as_raw(),
            lengths: None,
            values: self.values.as_device_ptr().as_raw(),
            indices: self.indices.as_device_ptr().as_raw(),
        }
    }
}

fn download(buffer: &DeviceBuffer<u8>) -> Vec<u8> {
    let mut bytes = vec![0; buffer.len()];
    buffer.copy_to(&mut bytes).expect("downloaded");
    bytes
}

fn stream() -> Stream {
    Stream::new(StreamFlags::NON_BLOCKING, None).expect("a stream")
}

/// The bytes of values and indices, from rows that stand apart.
fn on_device<T: TestElement, I: IndexType>(
    runtime: &Runtime,
    backend: Backend,
    problem: &Problem,
) -> (Vec<u8>, Vec<u8>) {
    let data = elements::<T>(problem.rows, problem.n, problem.row_stride);
    let topk = TopK::new(problem.k).backend(backend);
    let mut prepared = topk.prepare_problem::<T, I>(runtime, problem).expect("planned");
    let (resident, stream) = (Resident::new::<T, I>(problem, &data), stream());
    for _ in 0..3 {
        // SAFETY: the buffers have room and live until the stream was waited for.
        let sent = unsafe { prepared.enqueue_raw(resident.call(), stream.as_inner().cast()) };
        sent.expect("enqueued");
    }
    stream.synchronize().expect("the kernels ran");
    (download(&resident.values), download(&resident.indices))
}

fn wide_and_narrow_indices(runtime: &Runtime) {
    fn check<T: TestElement, I: IndexType>(runtime: &Runtime) {
        for (rows, n, k) in SHAPES {
            let problem = Problem { row_stride: n + 5, ..Problem::new(T::DTYPE, rows, n, k) };
            let answer = |backend| on_device::<T, I>(runtime, backend, &problem);
            let same = answer(Backend::Torch) == answer(Backend::Auto);
            assert!(same, "{:?} {:?} {rows}x{n}:{k}", T::DTYPE, I::INDEX);
        }
    }
    check::<f32, u32>(runtime);
    check::<f32, i64>(runtime);
    check::<half::f16, u32>(runtime);
    check::<half::f16, i64>(runtime);
    check::<half::bf16, u32>(runtime);
    check::<half::bf16, i64>(runtime);
}

/// The rows are made late on the caller's stream, the selection comes late on the default stream,
/// and the outputs are read and the rows overwritten by the caller's stream at once.
fn in_the_order_of_the_stream(runtime: &Runtime) {
    const BUSY_BYTES: usize = 1 << 30;
    let (rows, n, k) = (4, 50_000, 100);
    let problem = Problem::new(Dtype::F32, rows, n, k);
    let data = elements::<f32>(rows, n, n);
    let view = Rows::new(&data, rows, n).expect("legal");
    let right = TopK::new(k).select(runtime, view).expect("selected");

    let source = DeviceBuffer::from_slice(&data).expect("device memory");
    let busy = memory::mem_alloc(BUSY_BYTES).expect("device memory");
    let resident = Resident::new::<f32, u32>(&problem, &vec![0f32; rows * n]);
    let kept = Resident::new::<f32, u32>(&problem, &[0f32]);
    let (stream, call) = (stream(), resident.call());
    let raw = RawStream(stream.as_inner().cast());
    let at = DevicePtr;
    let keep_busy = |stream: RawStream| {
        for value in 0..20 {
            // SAFETY: nothing is kept in this memory, and the streams are live.
            unsafe { memory::memset_d8_async(busy, value, BUSY_BYTES, stream) }.expect("filled");
        }
    };
    let copy = |to: u64, from: u64, bytes: usize| {
        // SAFETY: both have that many bytes and live until the stream was waited for.
        unsafe { memory::memcpy_dtod_async(at(to), at(from), bytes, raw) }.expect("copied");
    };
    let topk = TopK::new(k).backend(Backend::Torch);
    let mut prepared = topk.prepare::<f32>(runtime, rows, n).expect("planned");
    for _ in 0..3 {
        keep_busy(raw);
        copy(call.input, source.as_device_ptr().as_raw(), 4 * rows * n);
        keep_busy(RawStream::NULL);
        // SAFETY: the buffers have room and live until the stream was waited for.
        unsafe { prepared.enqueue_raw(call, raw.0) }.expect("enqueued");
        copy(kept.call().values, call.values, 4 * rows * k);
        copy(kept.call().indices, call.indices, 4 * rows * k);
        for (address, bytes) in [(call.input, 4 * rows * n), (call.values, 4 * rows * k)] {
            // SAFETY: as above.
            unsafe { memory::memset_d8_async(at(address), 0, bytes, raw) }.expect("filled");
        }
        stream.synchronize().expect("all ran");
        let values = download(&kept.values);
        assert_eq!(values, bytemuck::cast_slice::<f32, u8>(&right.values));
        assert_eq!(download(&kept.indices), bytemuck::cast_slice::<u32, u8>(&right.indices));
    }
    // SAFETY: nothing uses it any more.
    unsafe { memory::mem_free(busy) }.expect("freed");
}

fn lent_workspace(runtime: &Runtime) {
    let problem = Problem::new(Dtype::F32, 3, 5000, 20);
    let topk = TopK::new(20).backend(Backend::Torch);
    let plan = topk.plan(runtime, &problem).expect("planned");
    assert_eq!(plan.workspace_bytes(), 8 * 60, "{}", plan.explain());
    assert!(plan.explain().starts_with("backend torch: asked for\ntorch.topk of LibTorch"));
    let workspace = DeviceBuffer::from_slice(&[0xffu8; 8 * 60]).expect("device memory");
    let address = workspace.as_device_ptr().as_raw();
    // SAFETY: the workspace outlives the calls and is used by nothing else.
    let prepared = unsafe { topk.prepare_in::<f32, u32>(runtime, &problem, address, 8 * 60) };
    let mut prepared = prepared.expect("planned");
    let data = elements::<f32>(3, 5000, 5000);
    let (resident, stream) = (Resident::new::<f32, u32>(&problem, &data), stream());
    // SAFETY: the buffers have room and live until the stream was waited for.
    unsafe { prepared.enqueue_raw(resident.call(), stream.as_inner().cast()) }.expect("enqueued");
    stream.synchronize().expect("the kernels ran");
    let right = on_device::<f32, u32>(runtime, Backend::Auto, &problem);
    assert_eq!(download(&resident.indices), right.1);
}

/// In both directions, as the contract has it.
fn nan_is_greatest(runtime: &Runtime) {
    let data = [1.0, f32::NAN, f32::INFINITY, -2.0, f32::NEG_INFINITY];
    let rows = Rows::new(&data, 1, 5).expect("legal");
    for (largest, right) in [(true, [1, 2, 0, 3, 4]), (false, [4, 3, 0, 2, 1])] {
        let topk = TopK::new(5).largest(largest).backend(Backend::Torch);
        assert_eq!(topk.select(runtime, rows).expect("selected").indices, right);
    }
}

fn refuses_lengths(runtime: &Runtime) {
    let rows = Rows::new(&[1f32, 2.0, 3.0, 4.0], 2, 2).and_then(|r| r.with_lengths(&[1, 2]));
    let topk = TopK::new(1).backend(Backend::Torch);
    let error = topk.select(runtime, rows.expect("legal")).expect_err("refused");
    assert!(matches!(error, Error::Refused { backend: "torch", .. }), "{error:?}");
    assert_eq!(
        error.to_string(),
        "backend torch knows no lengths of rows: choose another backend, or rows of one length"
    );
}

fn refuses_to_be_captured(runtime: &Runtime) {
    let problem = Problem::new(Dtype::F32, 1, 100, 5);
    let mut prepared =
        TopK::new(5).backend(Backend::Torch).prepare::<f32>(runtime, 1, 100).expect("planned");
    let resident = Resident::new::<f32, u32>(&problem, &elements::<f32>(1, 100, 100));
    let (stream, call) = (stream(), resident.call());
    let raw = RawStream(stream.as_inner().cast());
    // SAFETY: the addresses are those of live buffers with this room.
    let input = unsafe { DeviceSlice::from_raw(call.input, 100) };
    // SAFETY: as above.
    let values = unsafe { DeviceSliceMut::from_raw(call.values, 5) };
    // SAFETY: as above.
    let indices = unsafe { DeviceSliceMut::from_raw(call.indices, 5) };
    // SAFETY: the stream is live and nothing else uses it.
    unsafe { graph::stream_begin_capture(raw) }.expect("capturing");
    // SAFETY: the buffers live until the stream was waited for.
    let enqueued = unsafe { prepared.enqueue(input, values, indices, StreamRef::from(&stream)) };
    // SAFETY: the capture was begun above.
    let captured = unsafe { graph::stream_end_capture(raw) }.expect("not spoilt");
    // SAFETY: captured just now.
    unsafe { graph::graph_destroy(captured) }.expect("destroyed");
    let text = enqueued.expect_err("refused").to_string();
    assert!(text.starts_with("backend torch cannot be captured in a graph"), "{text}");
    // SAFETY: as above.
    unsafe { prepared.enqueue_raw(call, raw.0) }.expect("enqueued after the capture");
    stream.synchronize().expect("the kernels ran");
}
