//! A selection captured in a CUDA graph, and replayed with new data.
//!
//! Teaches: enqueueing neither allocates nor waits, so it can be captured; a replay reads the rows
//! anew, and needs nothing cleared between calls.
//!
//! Run it: `cargo run -p aikf-topk --example 04_graph`; without a GPU, with
//! `AIKF_DEVICE=emulator` before it and `--features emulator` behind `-p aikf-topk`.
use std::error::Error;

use aikf_topk::{Runtime, TopK};
use cuda_loader::api::graph;
use cust::memory::{CopyDestination, DeviceBuffer};
use cust::stream::{Stream, StreamFlags};

const N: usize = 20_000;
const K: usize = 3;

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = Runtime::new()?;
    if runtime.gpu().is_none() {
        println!("There is no GPU here; AIKF_DEVICE=emulator runs this on the emulator.");
        return Ok(());
    }
    let mut topk = TopK::new(K).prepare::<f32>(&runtime, 1, N)?;
    let mut row = DeviceBuffer::<f32>::zeroed(N)?;
    let mut values = DeviceBuffer::<f32>::zeroed(K)?;
    let mut indices = DeviceBuffer::<u32>::zeroed(K)?;
    // Not NON_BLOCKING: such a stream would not wait for cust's copies, on the default stream.
    let stream = Stream::new(StreamFlags::DEFAULT, None)?;
    let raw = cuda_loader::Stream(stream.as_inner().cast());

    // SAFETY: the stream is live, and nobody else uses it.
    unsafe { graph::stream_begin_capture(raw) }?;
    // SAFETY: the buffers and the prepared call outlive the graph, which goes first, below.
    let enqueued = unsafe { topk.enqueue(&row, &mut values, &mut indices, &stream) };
    // SAFETY: the capture was begun above; it is ended whether or not something failed in it.
    let captured = unsafe { graph::stream_end_capture(raw) }?;
    enqueued?;
    // SAFETY: the graph was captured just now.
    let executable = unsafe { graph::graph_instantiate(captured) }?;

    for step in 1..=4 {
        let mut data = vec![0f32; N];
        data[step * 1000] = 7.0; // another place each time
        row.copy_from(&data)?;
        // SAFETY: graph, stream and buffers are live.
        unsafe { graph::graph_launch(executable, raw) }?;
        stream.synchronize()?;
        let mut best = [0u32; K];
        indices.copy_to(&mut best)?;
        println!("replay {step}: the best are at {best:?}");
        assert_eq!(best, [step as u32 * 1000, 0, 1]); // among equals, the zeros, by index
    }
    // SAFETY: nothing is in flight, and it is not used again.
    unsafe { graph::graph_exec_destroy(executable) }?;
    // SAFETY: as above.
    unsafe { graph::graph_destroy(captured) }?;
    Ok(())
}
