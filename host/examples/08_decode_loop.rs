//! A decode loop: logits and tokens stay in the GPU's memory, and so do the positions.
//!
//! Teaches: `Sampler::prepare`, `PreparedSampler::enqueue`, one upload of a word a row for each
//! step. The same loop on the host's cores gives the same tokens.
//!
//! Run it: `cargo run -p aikf-topk --example 08_decode_loop`; without a GPU, with
//! `AIKF_DEVICE=emulator` before it and `--features emulator` behind `-p aikf-topk`.
use std::error::Error;

use aikf_topk::{DeviceChoice, DeviceSlice, Rows, Runtime, Sampler, SamplingParams};
use cust::memory::{CopyDestination, DeviceBuffer};
use cust::stream::{Stream, StreamFlags};

const ROWS: usize = 2;
const N: usize = 5000;
const STEPS: u64 = 6;

/// A model, in a manner of speaking: the last tokens' logits.
fn logits(last: &[u32]) -> Vec<f32> {
    let row = |token: &u32| {
        let token = *token as usize;
        (0..N).map(move |i| ((i + token) * 7919 % 1000) as f32 / 80.0)
    };
    last.iter().flat_map(row).collect()
}

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = Runtime::new()?;
    if runtime.gpu().is_none() {
        println!("There is no GPU here; AIKF_DEVICE=emulator runs this on the emulator.");
        return Ok(());
    }
    let params: Vec<SamplingParams> = (0..ROWS as u64)
        .map(|seed| SamplingParams {
            temperature: 0.7,
            top_k: 40,
            top_p: 0.9,
            seed: Some(seed),
            ..Default::default()
        })
        .collect();
    let mut sampler = Sampler::new().prepare::<f32>(&runtime, ROWS, N, &params)?;
    println!("{}", sampler.plan().explain());
    let mut input = DeviceBuffer::<f32>::zeroed(ROWS * N)?;
    let mut positions = DeviceBuffer::<u64>::zeroed(ROWS)?;
    let mut tokens = DeviceBuffer::<u32>::zeroed(ROWS)?;
    let mut status = DeviceBuffer::<u32>::zeroed(ROWS)?;
    // Not NON_BLOCKING: such a stream would not wait for cust's copies, on the default stream.
    let stream = Stream::new(StreamFlags::DEFAULT, None)?;
    let cpu = Runtime::open(DeviceChoice::Cpu)?;
    let mut last = [0u32; ROWS];
    for step in 0..STEPS {
        let data = logits(&last);
        input.copy_from(&data)?;
        positions.copy_from(&[step; ROWS])?;
        let at = Some(DeviceSlice::from(&positions));
        // SAFETY: the buffers live until the stream was waited for, and nobody else uses them.
        unsafe { sampler.enqueue(&input, at, &mut tokens, &mut status, &stream) }?;
        stream.synchronize()?;
        tokens.copy_to(&mut last)?;
        println!("step {step}: {last:?}");

        let moved: Vec<SamplingParams> =
            params.iter().map(|row| SamplingParams { position: step, ..*row }).collect();
        let right = Sampler::new().sample(&cpu, Rows::new(&data, ROWS, N)?, &moved)?;
        assert_eq!(last[..], right.tokens);
    }
    Ok(())
}
