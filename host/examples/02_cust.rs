//! Rows that are on the GPU already, in `cust`'s buffers, selected on a stream of `cust`.
//!
//! Teaches: prepare once and enqueue often. Preparing plans, loads the kernels and allocates the
//! workspace; enqueueing only launches, and the host goes on at once.
//!
//! Run it: `cargo run -p aikf-topk --example 02_cust`; without a GPU,
//! `AIKF_DEVICE=emulator cargo run -p aikf-topk --features emulator --example 02_cust`.
use std::error::Error;

use aikf_topk::{Runtime, TopK};
use cust::memory::{CopyDestination, DeviceBuffer};
use cust::stream::{Stream, StreamFlags};

const ROWS: usize = 4;
const N: usize = 10_000;
const K: usize = 8;

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = Runtime::new()?; // makes the GPU's primary context current: cust shares it
    if runtime.gpu().is_none() {
        println!("There is no GPU here; AIKF_DEVICE=emulator runs this on the emulator.");
        return Ok(());
    }
    // Not NON_BLOCKING: such a stream would not wait for cust's copies, on the default stream.
    let stream = Stream::new(StreamFlags::DEFAULT, None)?;
    let mut topk = TopK::new(K).prepare::<f32>(&runtime, ROWS, N)?;

    // What a model would write: its logits, and room for the answer.
    let mut logits = DeviceBuffer::<f32>::zeroed(ROWS * N)?;
    let mut values = DeviceBuffer::<f32>::zeroed(ROWS * K)?;
    let mut indices = DeviceBuffer::<u32>::zeroed(ROWS * K)?;

    for step in 0..3 {
        let data: Vec<f32> = (0..ROWS * N).map(|i| ((i * 31 + step) % 9973) as f32).collect();
        logits.copy_from(&data)?;
        // SAFETY: buffers and stream live until the stream was waited for, and nobody else uses
        // them meanwhile.
        unsafe { topk.enqueue(&logits, &mut values, &mut indices, &stream) }?;
        stream.synchronize()?;

        let (mut best, mut places) = (vec![0f32; ROWS * K], vec![0u32; ROWS * K]);
        values.copy_to(&mut best)?;
        indices.copy_to(&mut places)?;
        println!("step {step}: the best of row 0 is {} at {}", best[0], places[0]);
        assert_eq!(best[0], data[places[0] as usize]);
    }
    println!("how: {}", topk.plan().explain());
    Ok(())
}
