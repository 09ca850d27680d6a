//! Capturing a selection in a CUDA graph, and replaying it with new data.
use aikf_topk::{Dtype, Runtime, StreamRef, TopK};
use cuda_loader::api::graph;
use cust::memory::{CopyDestination, DeviceBuffer};
use cust::stream::{Stream, StreamFlags};
use kernels_gpu::testkit::{Case, Pattern};

use super::{Answer, assert_same};

/// Captures once, replays `replays` times with other data each time, and checks every answer.
pub fn replays_with_new_data(runtime: &Runtime, replays: usize) {
    let case = |n| Case {
        pattern: Pattern::Normal,
        dtype: Dtype::F32,
        rows: 2,
        n,
        k: 20,
        largest: true,
        lead: 0,
    };
    let (n, k) = (3000, 20);
    let mut topk = TopK::new(k).prepare::<f32>(runtime, 2, n).expect("planned");
    let mut input = DeviceBuffer::<f32>::zeroed(2 * n).expect("device memory");
    let mut values = DeviceBuffer::<f32>::zeroed(2 * k).expect("device memory");
    let mut indices = DeviceBuffer::<u32>::zeroed(2 * k).expect("device memory");
    let stream = Stream::new(StreamFlags::DEFAULT, None).expect("a stream");
    let raw = cuda_loader::Stream(stream.as_inner().cast());
    // SAFETY: the stream is live and nothing else uses it.
    unsafe { graph::stream_begin_capture(raw) }.expect("capturing");
    // SAFETY: the buffers outlive the graph, which is destroyed below.
    let enqueued =
        unsafe { topk.enqueue(&input, &mut values, &mut indices, StreamRef::from(&stream)) };
    // SAFETY: the capture was begun above.
    let captured = unsafe { graph::stream_end_capture(raw) }.expect("captured");
    enqueued.expect("enqueued");
    // SAFETY: captured just now.
    let exec = unsafe { graph::graph_instantiate(captured) }.expect("instantiated");
    for replay in 0..replays {
        // Another seed: the case's elements depend on n and k, so rows are cut from a longer one.
        let long = case(2 * n + replay).elements();
        let elements = &long[replay..replay + 2 * n];
        let data: Vec<f32> = elements.iter().map(|&bits| f32::from_bits(bits)).collect();
        input.copy_from(&data).expect("uploaded");
        // SAFETY: buffers, graph and stream are live.
        unsafe { graph::graph_launch(exec, raw) }.expect("replayed");
        stream.synchronize().expect("the kernels ran");
        let (mut v, mut i) = (vec![0f32; 2 * k], vec![0u32; 2 * k]);
        values.copy_to(&mut v).expect("downloaded");
        indices.copy_to(&mut i).expect("downloaded");
        let mut right = Answer { values: vec![], indices: vec![] };
        for row in elements.chunks(n) {
            let best = kernels_gpu::testkit::expected(row, Dtype::F32, k, true);
            right.values.extend(best.values);
            right.indices.extend(best.indices);
        }
        let got = Answer { values: v.into_iter().map(f32::to_bits).collect(), indices: i };
        assert_same(&got, &right, k, &replay);
    }
    // SAFETY: nothing is in flight, and neither is used again.
    unsafe { graph::graph_exec_destroy(exec) }.expect("destroyed");
    // SAFETY: as above.
    unsafe { graph::graph_destroy(captured) }.expect("destroyed");
}
