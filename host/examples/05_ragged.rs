//! Rows of several lengths in one call, the lengths in the GPU's memory.
//!
//! Teaches: `enqueue_ragged`. Of a row only its first elements count; the host need not know how
//! many. Where a row has fewer than `k`, the last places get `-inf` and index `u32::MAX`.
//!
//! Run it: `cargo run -p aikf-topk --example 05_ragged`; without a GPU, with
//! `AIKF_DEVICE=emulator` before it and `--features emulator` behind `-p aikf-topk`.
use std::error::Error;

use aikf_topk::{DeviceChoice, Rows, Runtime, TopK};
use cust::memory::{CopyDestination, DeviceBuffer};
use cust::stream::{Stream, StreamFlags};

const N: usize = 6;
const K: usize = 3;

fn main() -> Result<(), Box<dyn Error>> {
    // What stands behind a row's length is of no account: here NaN, which would be greatest.
    let padded = [
        [0.5f32, 2.0, -1.0, 4.0, 3.0, 1.0],
        [7.0, 8.0, f32::NAN, f32::NAN, f32::NAN, f32::NAN],
        [f32::NAN; N],
    ]
    .concat();
    let lengths = [6u32, 2, 0];

    // The same on the host's cores, for comparison.
    let rows = Rows::new(&padded, lengths.len(), N)?.with_lengths(&lengths)?;
    let right = TopK::new(K).select(&Runtime::open(DeviceChoice::Cpu)?, rows)?;
    assert_eq!(right.indices, [3, 4, 1, 1, 0, u32::MAX, u32::MAX, u32::MAX, u32::MAX]);
    assert_eq!(right.values[5], f32::NEG_INFINITY);

    let runtime = Runtime::new()?;
    if runtime.gpu().is_none() {
        println!("There is no GPU here; AIKF_DEVICE=emulator runs this on the emulator.");
        return Ok(());
    }
    let mut topk = TopK::new(K).prepare::<f32>(&runtime, lengths.len(), N)?;
    let input = DeviceBuffer::from_slice(&padded)?;
    let lengths = DeviceBuffer::from_slice(&lengths)?;
    let mut values = DeviceBuffer::<f32>::zeroed(right.values.len())?;
    let mut indices = DeviceBuffer::<u32>::zeroed(right.indices.len())?;
    // Not NON_BLOCKING: such a stream would not wait for cust's copies, on the default stream.
    let stream = Stream::new(StreamFlags::DEFAULT, None)?;
    // SAFETY: buffers and stream live until the stream was waited for, and nobody else uses them.
    unsafe { topk.enqueue_ragged(&input, &lengths, &mut values, &mut indices, &stream) }?;
    stream.synchronize()?;

    let mut places = vec![0u32; right.indices.len()];
    indices.copy_to(&mut places)?;
    for (row, places) in places.chunks(K).enumerate() {
        let there = places.iter().take_while(|&&place| place != u32::MAX);
        println!("row {row}: {:?}", there.collect::<Vec<_>>());
    }
    assert_eq!(places, right.indices);
    Ok(())
}
