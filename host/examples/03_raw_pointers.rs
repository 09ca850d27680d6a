//! Device addresses and a stream of another library: the way in for every framework.
//!
//! Teaches: `RawCall`. An address and a `CUstream` are the same in every library that uses the
//! GPU's primary context, PyTorch's among them. What they have room for cannot be checked here, so
//! the `SAFETY` comments say who vouches. Indices are `i64`, as PyTorch has them.
//!
//! Run it: `cargo run -p aikf-topk --example 03_raw_pointers`; without a GPU, with
//! `AIKF_DEVICE=emulator` before it and `--features emulator` behind `-p aikf-topk`.
use std::error::Error;

use aikf_topk::{Dtype, PreparedTopK, Problem, RawCall, Runtime, TopK};
use cuda_loader::api;

const N: usize = 5000;
const K: usize = 4;

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = Runtime::new()?;
    if runtime.gpu().is_none() {
        println!("There is no GPU here; AIKF_DEVICE=emulator runs this on the emulator.");
        return Ok(());
    }
    let problem = Problem::new(Dtype::F32, 1, N, K);
    let mut topk: PreparedTopK<f32, i64> = TopK::new(K).prepare_problem(&runtime, &problem)?;

    // The other library's part: a stream, memory, and rows in it.
    let stream = api::stream_create()?;
    let row: Vec<f32> = (0..N).map(|i| (i * 37 % 4999) as f32).collect();
    let (input, values) = (api::mem_alloc(size_of_val(&row[..]))?, api::mem_alloc(K * 4)?);
    let indices = api::mem_alloc(K * size_of::<i64>())?;
    let from = row.as_ptr().cast();
    // SAFETY: both sides have the bytes, and live until the stream was waited for.
    unsafe { api::memcpy_htod_async(input, from, size_of_val(&row[..]), stream) }?;
    // SAFETY: the stream was created above.
    unsafe { api::stream_synchronize(stream) }?;

    let call = RawCall { input: input.0, lengths: None, values: values.0, indices: indices.0 };
    // SAFETY: the addresses have room for the problem, and outlive the stream's work.
    unsafe { topk.enqueue_raw(call, stream.0) }?;

    let mut places = [0i64; K];
    let to = places.as_mut_ptr().cast();
    // SAFETY: as for the copy to the device.
    unsafe { api::memcpy_dtoh_async(to, indices, size_of_val(&places), stream) }?;
    // SAFETY: as above.
    unsafe { api::stream_synchronize(stream) }?;
    println!("the best {K} of {N} are at {places:?}");
    assert!(places.is_sorted_by_key(|&at| std::cmp::Reverse(row[at as usize] as u32)));

    for address in [input, values, indices] {
        // SAFETY: allocated above, and nothing is in flight.
        unsafe { api::mem_free(address) }?;
    }
    // SAFETY: created above, and not used again.
    unsafe { api::stream_destroy(stream) }?;
    Ok(())
}
