//! What the operations of a warp cost, each waiting for the one before.
use cuda_std::global::GlobalArrayMut;
use cuda_std::thread::{block_dim_x, block_idx_x, thread_idx_x};
use cuda_std::unroll;
use cuda_std::warp::{
    FULL_MASK, lane_id, warp_match_any, warp_reduce_max, warp_shuffle_xor, warp_vote_ballot,
};

/// An operation of a warp.
pub trait WarpOperation {
    /// A lane's next value from that of each.
    fn next(value: u32) -> u32;
}

/// The neighbour's value.
pub struct Shuffle;
/// One more than the greatest.
pub struct ReduceMax;
/// A bit for each lane whose value is zero.
pub struct Ballot;
/// A bit for each lane of the same value.
pub struct MatchAny;

impl WarpOperation for Shuffle {
    #[inline(always)]
    fn next(value: u32) -> u32 {
        warp_shuffle_xor(FULL_MASK, value, 1)
    }
}

impl WarpOperation for ReduceMax {
    #[inline(always)]
    fn next(value: u32) -> u32 {
        warp_reduce_max(FULL_MASK, value).wrapping_add(1)
    }
}

impl WarpOperation for Ballot {
    #[inline(always)]
    fn next(value: u32) -> u32 {
        warp_vote_ballot(FULL_MASK, value == 0)
    }
}

impl WarpOperation for MatchAny {
    #[inline(always)]
    fn next(value: u32) -> u32 {
        warp_match_any(FULL_MASK, value)
    }
}

/// Begins with the lanes' numbers; every thread writes what it has in the end.
///
/// # Safety
/// - *in bounds*: `out` has a word for each thread;
/// - *no concurrent writer*: nothing else touches it.
#[inline(always)]
pub unsafe fn warp_chain<O: WarpOperation>(out: *mut u32, rounds: u32) {
    // SAFETY: the caller's contract.
    let out = unsafe { GlobalArrayMut::new(out) };
    let (mut round, mut value) = (0, lane_id());
    while round < rounds {
        unroll!(_thing in 8 => { value = O::next(value); });
        round += 1;
    }
    out.set((block_idx_x() * block_dim_x() + thread_idx_x()) as u64, value);
}
