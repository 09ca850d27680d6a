//! A draw captured in a CUDA graph: a replay at another position draws another token.
//!
//! Teaches: positions are read on the device, so that the graph need not be captured again.
//!
//! Run it: `cargo run -p aikf-topk --example 09_sampling_graph`; without a GPU, with
//! `AIKF_DEVICE=emulator` before it and `--features emulator` behind `-p aikf-topk`.
use std::error::Error;

use aikf_topk::{DeviceSlice, Runtime, Sampler, SamplingParams};
use cuda_loader::api::graph;
use cust::memory::{CopyDestination, DeviceBuffer};
use cust::stream::{Stream, StreamFlags};

const N: usize = 20_000;

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = Runtime::new()?;
    if runtime.gpu().is_none() {
        println!("There is no GPU here; AIKF_DEVICE=emulator runs this on the emulator.");
        return Ok(());
    }
    let params =
        SamplingParams { temperature: 0.8, top_p: 0.9, seed: Some(7), ..Default::default() };
    let mut sampler = Sampler::new().prepare::<f32>(&runtime, 1, N, &[params])?;
    let logits: Vec<f32> = (0..N).map(|i| (i * 7919 % 1000) as f32 / 100.0).collect();
    let row = DeviceBuffer::from_slice(&logits)?;
    let mut position = DeviceBuffer::<u64>::zeroed(1)?;
    let mut token = DeviceBuffer::<u32>::zeroed(1)?;
    let mut status = DeviceBuffer::<u32>::zeroed(1)?;
    // Not NON_BLOCKING: such a stream would not wait for cust's copies, on the default stream.
    let stream = Stream::new(StreamFlags::DEFAULT, None)?;
    let raw = cuda_loader::Stream(stream.as_inner().cast());

    // SAFETY: the stream is live, and nobody else uses it.
    unsafe { graph::stream_begin_capture(raw) }?;
    let at = Some(DeviceSlice::from(&position));
    // SAFETY: the buffers and the prepared call outlive the graph, which goes first, below.
    let enqueued = unsafe { sampler.enqueue(&row, at, &mut token, &mut status, &stream) };
    // SAFETY: the capture was begun above; it is ended whether or not something failed in it.
    let captured = unsafe { graph::stream_end_capture(raw) }?;
    enqueued?;
    // SAFETY: the graph was captured just now.
    let executable = unsafe { graph::graph_instantiate(captured) }?;

    let mut drawn = vec![];
    for step in [0u64, 1, 2, 1] {
        position.copy_from(&[step])?;
        // SAFETY: graph, stream and buffers are live.
        unsafe { graph::graph_launch(executable, raw) }?;
        stream.synchronize()?;
        let mut one = [0u32];
        token.copy_to(&mut one)?;
        println!("position {step}: token {}", one[0]);
        drawn.push(one[0]);
    }
    assert_eq!(drawn[1], drawn[3]); // the same position draws the same
    assert_ne!(drawn[0], drawn[1]);
    // SAFETY: nothing is in flight, and it is not used again.
    unsafe { graph::graph_exec_destroy(executable) }?;
    // SAFETY: as above.
    unsafe { graph::graph_destroy(captured) }?;
    Ok(())
}
