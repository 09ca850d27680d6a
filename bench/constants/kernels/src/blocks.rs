//! What a launch, a join of blocks, a barrier and an atomic on shared memory cost.
use cuda_std::atomic::atomic_fetch_inc_acq_rel_u32_device;
use cuda_std::global::GlobalArrayMut;
use cuda_std::shared::SharedArray;
use cuda_std::thread::{
    block_dim_x, block_idx_x, grid_dim_x, sync_threads, sync_threads_count, sync_threads_or,
    thread_idx_x,
};
use cuda_std::unroll;
use cuda_std::warp::{FULL_MASK, WARP_SIZE, lane_id, warp_reduce_add};

use crate::BINS;

/// Nothing.
///
/// # Safety
/// None is needed: the argument is there for the kernel's table alone.
#[inline(always)]
pub unsafe fn empty(_out: *mut u32) {}

/// Every block writes a word. With `joined`, the block whose ticket is the last one adds up all the
/// words and writes the sum to `out`: how blocks that share a row of the product come together.
///
/// # Safety
/// - *in bounds*: `parts` has a word for each block; `tickets`, which is zero, and `out` have one;
/// - *no concurrent writer*: nothing else touches them.
#[inline(always)]
pub unsafe fn join(parts: *mut u32, tickets: *mut u32, out: *mut u32, joined: u32) {
    // SAFETY: the caller's contract; the last block reads behind the tickets of all others.
    let parts = unsafe { GlobalArrayMut::new(parts) };
    // SAFETY: the caller's contract; one thread writes it.
    let out = unsafe { GlobalArrayMut::new(out) };
    let (thread, blocks) = (thread_idx_x(), grid_dim_x());
    if thread == 0 {
        parts.set(block_idx_x() as u64, block_idx_x() + 1);
    }
    if joined == 0 {
        return;
    }
    sync_threads();
    let mut last = false;
    if thread == 0 {
        // SAFETY: the caller vouches for the place; tickets alone use it.
        last = unsafe { atomic_fetch_inc_acq_rel_u32_device(tickets, blocks - 1) } == blocks - 1;
    }
    if !sync_threads_or(last) || thread >= WARP_SIZE {
        return;
    }
    let (mut sum, mut part) = (0u32, thread);
    while part < blocks {
        sum = sum.wrapping_add(parts.get(part as u64));
        part += WARP_SIZE;
    }
    let sum = warp_reduce_add(FULL_MASK, sum);
    if lane_id() == 0 {
        out.set(0, sum);
    }
}

/// Barriers of the block.
///
/// # Safety
/// As for [`shared_add`], but for the shared memory.
#[inline(always)]
pub unsafe fn barrier(out: *mut u32, rounds: u32) {
    let mut round = 0;
    while round < rounds {
        unroll!(_thing in 8 => { sync_threads(); });
        round += 1;
    }
    // SAFETY: the caller's contract.
    unsafe { put(out, rounds) };
}

/// Barriers of the block that count.
///
/// # Safety
/// As for [`shared_add`], but for the shared memory.
#[inline(always)]
pub unsafe fn barrier_count(out: *mut u32, rounds: u32) {
    let (mut round, mut sum) = (0, 0u32);
    while round < rounds {
        unroll!(_thing in 8 => { sum = sum.wrapping_add(sync_threads_count(true)); });
        round += 1;
    }
    // SAFETY: the caller's contract.
    unsafe { put(out, sum) };
}

/// Additions to shared memory whose result nobody waits for, `spread` words from one thread to the
/// next; 0 is the same word for all.
///
/// # Safety
/// - *in bounds*: the block has [`BINS`] words of shared memory, `out` has a word for each block;
/// - *no concurrent writer*: nothing else touches it.
#[inline(always)]
pub unsafe fn shared_add(out: *mut u32, rounds: u32, spread: u32) {
    let bins = cleared_bins();
    let bin = thread_idx_x() * spread % BINS;
    let mut round = 0;
    while round < rounds {
        unroll!(_thing in 8 => { bins.add(bin, 1); });
        round += 1;
    }
    sync_threads();
    let sum = sum_of(bins);
    // SAFETY: the caller's contract.
    unsafe { put(out, sum) };
}

/// The same, but that each addition waits for the one before.
///
/// # Safety
/// As for [`shared_add`].
#[inline(always)]
pub unsafe fn shared_fetch_add(out: *mut u32, rounds: u32, spread: u32) {
    let bins = cleared_bins();
    let bin = thread_idx_x() * spread % BINS;
    let (mut round, mut at) = (0, bin);
    while round < rounds {
        // No count has the highest bit, which the compiler cannot know.
        unroll!(_thing in 8 => { at = bin + (bins.fetch_add(at, 1) >> 31); });
        round += 1;
    }
    sync_threads();
    let sum = sum_of(bins);
    // SAFETY: the caller's contract.
    unsafe { put(out, sum) };
}

/// The block's bins, all zero.
#[inline(always)]
fn cleared_bins() -> SharedArray<u32> {
    // SAFETY: the launch gives the block its bins; they are written before they are read, and then
    // used by atomics alone until the barrier behind those.
    let bins = unsafe { SharedArray::<u32>::new(0) };
    let mut bin = thread_idx_x();
    while bin < BINS {
        bins.set(bin, 0);
        bin += block_dim_x();
    }
    sync_threads();
    bins
}

/// The sum of all bins, in the block's first warp.
#[inline(always)]
fn sum_of(bins: SharedArray<u32>) -> u32 {
    let (mut sum, mut bin) = (0u32, thread_idx_x());
    while bin < BINS && thread_idx_x() < WARP_SIZE {
        sum = sum.wrapping_add(bins.get(bin));
        bin += WARP_SIZE;
    }
    warp_reduce_add(FULL_MASK, sum)
}

/// Writes what the block's first thread has.
///
/// # Safety
/// - *in bounds*: `out` has a word for each block;
/// - *no concurrent writer*: nothing else touches it.
#[inline(always)]
unsafe fn put(out: *mut u32, value: u32) {
    // SAFETY: the caller's contract.
    let out = unsafe { GlobalArrayMut::new(out) };
    if thread_idx_x() == 0 {
        out.set(block_idx_x() as u64, value);
    }
}
