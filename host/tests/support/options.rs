//! The contract's options on a device: lengths, strides, 64-bit indices, a workspace of the
//! caller's, two streams at once. The emulator and the GPU run the same.
use aikf_topk::{
    Backend, DeviceChoice, DeviceSlice, DeviceSliceMut, Dtype, IndexType, Knob, Order,
    PreparedTopK, Problem, RawCall, Rows, Runtime, TopK,
};
use cust::memory::{CopyDestination, DeviceBuffer};
use cust::stream::{Stream, StreamFlags};
use half::bf16;
use kernels_gpu::testkit::{Case, Pattern, expected};

use super::ON_GPU;

fn values_of(pattern: Pattern, rows: usize, n: usize) -> Vec<f32> {
    let bits = pattern.fill(Dtype::F32, rows, n, 7);
    bits.into_iter().map(f32::from_bits).collect()
}

fn stream() -> Stream {
    Stream::new(StreamFlags::DEFAULT, None).expect("a stream")
}

/// Unsorted answers, whose order depends on k alone: best first up to 128, by index beyond.
pub fn unsorted(runtime: &Runtime) {
    let (rows, n) = (3, 4000);
    let lengths = [4000, 130, 2];
    for (pattern, k, order) in [
        (Pattern::Ties, 128, Order::Best),
        (Pattern::Ties, 129, Order::Index),
        (Pattern::AnyBits, 700, Order::Index),
        (Pattern::AnyBits, 4000, Order::Index),
    ] {
        let data = values_of(pattern, rows, n);
        let view = Rows::new(&data, rows, n).and_then(|r| r.with_lengths(&lengths)).expect("legal");
        let mut right = vec![];
        for (row, &length) in lengths.iter().enumerate() {
            let bits: Vec<u32> =
                data[row * n..][..length as usize].iter().map(|v| v.to_bits()).collect();
            right.extend(expected(&bits, Dtype::F32, k, true).in_order(order).indices);
            right.resize((row + 1) * k, u32::MAX);
        }
        let topk = TopK::new(k).sorted(false);
        let cpu = Runtime::open(DeviceChoice::Cpu).expect("the host's cores are always there");
        let on_cpu = topk.clone().backend(Backend::Cpu).select(&cpu, view).expect("selected");
        assert_eq!(on_cpu.indices, right, "cpu, k = {k}");
        for backend in ON_GPU {
            let got = topk.clone().backend(backend).select(runtime, view).expect("selected");
            assert_eq!(got.indices, right, "{backend}, k = {k}");
            let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&got.values), bits(&on_cpu.values), "{backend}, k = {k}");
        }
    }
}

/// Rows of few values in pieces that give less than is wanted of a row: each piece leaves out
/// equals of what it gives, and says so.
pub fn few_values(runtime: &Runtime) {
    let (rows, n) = (2, 60_000);
    let mixed = |i: usize| (i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    let cpu = Runtime::open(DeviceChoice::Cpu).expect("the host's cores are always there");
    for (values, k) in [(1, 4096), (10, 700), (10, 1500), (10, 2048), (40, 1000), (200, 1000)] {
        let data: Vec<bf16> =
            (0..rows * n).map(|i| bf16::from_f32((mixed(i) % values) as f32)).collect();
        let view = Rows::new(&data, rows, n).expect("as long");
        let right = TopK::new(k).backend(Backend::Cpu).select(&cpu, view).expect("selected");
        for stages in ["1", "2"] {
            let topk = TopK::new(k).backend(Backend::Singlepass);
            let topk = topk.knob(Knob::Stage1Stages, stages).expect("legal");
            let topk = topk.knob(Knob::Stage1TargetCtas, "16").expect("legal");
            let plan = topk.plan(runtime, &Problem::new(Dtype::Bf16, rows, n, k)).expect("planned");
            assert!(!plan.explain().contains("pieces a row: 1 "), "{}", plan.explain());
            let got = topk.select(runtime, view).expect("selected");
            assert_eq!(got, right, "{values} values, k = {k}, stages = {stages}");
        }
    }
}

/// Rows of several lengths, 0 and less than k among them, padded by poison that must not be chosen.
pub fn ragged_rows(runtime: &Runtime) {
    // Rows that a warp holds have kernels of their own.
    for (n, k) in [(5000, 60), (301, 20), (301, 60), (1020, 128), (4000, 60)] {
        ragged_rows_of(runtime, n, k);
    }
}

fn ragged_rows_of(runtime: &Runtime, n: usize, k: usize) {
    let rows = 9;
    let lengths = [0, 1, k - 1, k, k + 1, n - 1, n, n / 3, n / 2].map(|length| length as u32);
    let mut data = values_of(Pattern::Normal, rows, n);
    for (row, &length) in lengths.iter().enumerate() {
        data[row * n + length as usize..(row + 1) * n].fill(f32::NAN);
    }
    let cpu = Runtime::open(DeviceChoice::Cpu).expect("the host's cores are always there");
    let view = Rows::new(&data, rows, n).and_then(|r| r.with_lengths(&lengths)).expect("legal");
    for largest in [true, false] {
        let right = TopK::new(k).largest(largest).backend(Backend::Cpu);
        let right = right.select(&cpu, view).expect("selected");
        assert_eq!(right.indices[..k], vec![u32::MAX; k], "a row without elements");
        let worst = if largest { f32::NEG_INFINITY } else { f32::INFINITY };
        assert_eq!(right.values[k + 1], worst, "a row of one element");
        for backend in ON_GPU {
            let topk = TopK::new(k).largest(largest).backend(backend);
            let got = topk.select(runtime, view).expect("selected");
            assert_eq!(got, right, "{backend}, from the host's memory");
            let mut prepared = topk.prepare::<f32>(runtime, rows, n).expect("planned");
            let input = DeviceBuffer::from_slice(&data).expect("device memory");
            let lens = DeviceBuffer::from_slice(&lengths).expect("device memory");
            let mut v = DeviceBuffer::<f32>::zeroed(rows * k).expect("device memory");
            let mut i = DeviceBuffer::<u32>::zeroed(rows * k).expect("device memory");
            let s = stream();
            // SAFETY: the buffers live until the stream was waited for.
            unsafe { prepared.enqueue_ragged(&input, &lens, &mut v, &mut i, &s) }.expect("sent");
            s.synchronize().expect("the kernels ran");
            assert_eq!(download(&i), right.indices, "{backend}");
            assert_eq!(download(&v), right.values, "{backend}");
        }
    }
}

/// Indices of 64 bits, -1 where there is no element, from rows that stand apart.
pub fn wide_indices_and_strides(runtime: &Runtime) {
    let (rows, n, k, row_stride) = (4, 777, 20, 1001);
    let data = values_of(Pattern::Ties, 1, (rows - 1) * row_stride + n);
    let lengths = [777u32, 3, 0, 500];
    for backend in ON_GPU {
        let problem = Problem { row_stride, ..Problem::new(Dtype::F32, rows, n, k) };
        let topk = TopK::new(k).backend(backend);
        let mut prepared = topk.prepare_problem::<f32, i64>(runtime, &problem).expect("planned");
        let input = DeviceBuffer::from_slice(&data).expect("device memory");
        let lens = DeviceBuffer::from_slice(&lengths).expect("device memory");
        let mut v = DeviceBuffer::<f32>::zeroed(rows * k).expect("device memory");
        let mut i = DeviceBuffer::<i64>::zeroed(rows * k).expect("device memory");
        let s = stream();
        // SAFETY: the buffers live until the stream was waited for.
        unsafe { prepared.enqueue_ragged(&input, &lens, &mut v, &mut i, &s) }.expect("sent");
        s.synchronize().expect("the kernels ran");
        let mut right = vec![];
        for (row, &length) in lengths.iter().enumerate() {
            let elements = &data[row * row_stride..][..length as usize];
            let bits: Vec<u32> = elements.iter().map(|v| v.to_bits()).collect();
            let best = expected(&bits, Dtype::F32, k, true);
            right.extend(best.indices.iter().map(|&i| i64::from(i)));
            right.resize((row + 1) * k, -1);
        }
        assert_eq!(download(&i), right, "{backend}");
    }
}

/// A workspace of the caller's, poisoned, then used again by calls of another shape.
pub fn lent_workspace(runtime: &Runtime) {
    let workspace = DeviceBuffer::from_slice(&vec![0xffu8; 1 << 20]).expect("device memory");
    let address = workspace.as_device_ptr().as_raw();
    for (rows, n, k) in [(1, 40_000, 50), (3, 9000, 7), (2, 20_000, 300)] {
        for backend in ON_GPU {
            let problem = Problem::new(Dtype::F32, rows, n, k);
            let topk = TopK::new(k).backend(backend);
            let needed = topk.plan(runtime, &problem).expect("planned").workspace_bytes();
            if needed > 0 {
                // SAFETY: refused for its size.
                let refused =
                    unsafe { topk.prepare_in::<f32, u32>(runtime, &problem, address, needed - 1) };
                let text = refused.expect_err("too small").to_string();
                assert!(text.contains(&format!("{needed} are needed")), "{text}");
            }
            // SAFETY: the workspace outlives the calls, which take turns.
            let prepared = unsafe { topk.prepare_in(runtime, &problem, address, needed) };
            let mut prepared = prepared.expect("planned");
            for _ in 0..2 {
                assert_selects(&mut prepared, &stream());
            }
        }
    }
}

/// Calls on two streams at once, each with its own workspace.
pub fn two_streams(runtime: &Runtime) {
    let streams = [stream(), stream()];
    let problem = Problem::new(Dtype::F32, 2, 30_000, 64);
    let topk = TopK::new(64).backend(Backend::Singlepass);
    let prepare = || topk.prepare_problem::<f32, u32>(runtime, &problem).expect("planned");
    let mut calls = [prepare(), prepare()];
    let data = [values_of(Pattern::Normal, 2, 30_000), values_of(Pattern::Spikes, 2, 30_000)];
    let inputs = data.each_ref().map(|d| DeviceBuffer::from_slice(d).expect("device memory"));
    let outputs: [_; 2] = std::array::from_fn(|_| {
        let v = DeviceBuffer::<f32>::zeroed(128).expect("device memory");
        (v, DeviceBuffer::<u32>::zeroed(128).expect("device memory"))
    });
    for _ in 0..20 {
        for at in 0..2 {
            let call = RawCall {
                input: inputs[at].as_device_ptr().as_raw(),
                lengths: None,
                values: outputs[at].0.as_device_ptr().as_raw(),
                indices: outputs[at].1.as_device_ptr().as_raw(),
            };
            // SAFETY: the buffers have room and live until both streams were waited for.
            unsafe { calls[at].enqueue_raw(call, streams[at].as_inner().cast()) }.expect("sent");
        }
    }
    for (at, stream) in streams.iter().enumerate() {
        stream.synchronize().expect("the kernels ran");
        assert_eq!(download(&outputs[at].1), right_indices(&data[at], 2, 64));
    }
}

fn right_indices(data: &[f32], rows: usize, k: usize) -> Vec<u32> {
    let bits: Vec<u32> = data.iter().map(|v| v.to_bits()).collect();
    let best = |row: &[u32]| expected(row, Dtype::F32, k, true).indices;
    bits.chunks(data.len() / rows).flat_map(best).collect()
}

/// One call on fresh data, checked.
fn assert_selects(prepared: &mut PreparedTopK<f32, u32>, stream: &Stream) {
    let Problem { rows, n, k, .. } = prepared.plan().problem;
    let (pattern, dtype, largest) = (Pattern::AnyBits, Dtype::F32, true);
    let case = Case { pattern, dtype, rows, n, k, largest, lead: 0 };
    let data: Vec<f32> = case.elements().into_iter().map(f32::from_bits).collect();
    let input = DeviceBuffer::from_slice(&data).expect("device memory");
    let mut v = DeviceBuffer::<f32>::zeroed(rows * k).expect("device memory");
    let mut i = DeviceBuffer::<u32>::zeroed(rows * k).expect("device memory");
    // SAFETY: the buffers live until the stream was waited for.
    unsafe { prepared.enqueue(&input, &mut v, &mut i, stream) }.expect("sent");
    stream.synchronize().expect("the kernels ran");
    assert_eq!(download(&i), right_indices(&data, rows, k));
}

fn download<T: cust::memory::DeviceCopy + Default>(buffer: &DeviceBuffer<T>) -> Vec<T> {
    let mut data = vec![T::default(); buffer.len()];
    buffer.copy_to(&mut data).expect("downloaded");
    data
}

/// Buffers that do not fit are refused before anything is launched.
pub fn buffers_that_do_not_fit<I: IndexType>(runtime: &Runtime) {
    let problem = Problem::new(Dtype::F32, 2, 100, 4);
    let mut topk = TopK::new(4).prepare_problem::<f32, I>(runtime, &problem).expect("planned");
    let s = stream();
    let mut refused = |input, values, indices| {
        // SAFETY: the addresses are never used: the call is refused for its lengths.
        let input = unsafe { DeviceSlice::<f32>::from_raw(256, input) };
        // SAFETY: as above.
        let values = unsafe { DeviceSliceMut::<f32>::from_raw(256, values) };
        // SAFETY: as above.
        let indices = unsafe { DeviceSliceMut::<I>::from_raw(256, indices) };
        // SAFETY: as above.
        unsafe { topk.enqueue(input, values, indices, &s) }.expect_err("too small").to_string()
    };
    assert_eq!(refused(199, 8, 8), "the input has room for 199 elements, and 200 are needed");
    assert_eq!(refused(200, 7, 8), "the values' buffer has room for 7 elements, and 8 are needed");
    assert_eq!(refused(200, 8, 0), "the indices' buffer has room for 0 elements, and 8 are needed");
}
