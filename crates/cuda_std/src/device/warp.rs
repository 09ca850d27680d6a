//! What the 32 lanes of a warp do together.
//!
//! Every function takes a mask of the lanes that take part: all of them, and nobody else, must
//! reach the same call with the same mask. Only [`sync_warp`] orders memory.
use crate::backend;

/// Lanes in a warp.
pub const WARP_SIZE: u32 = 32;

/// The mask that names every lane.
pub const FULL_MASK: u32 = u32::MAX;

/// This thread's lane in its warp.
#[inline(always)]
pub fn lane_id() -> u32 {
    backend::lane()
}

/// Waits for the lanes of `mask` and makes their memory accesses visible to each other.
#[inline(always)]
#[track_caller]
pub fn sync_warp(mask: u32) {
    backend::warp_sync(mask);
}

/// The `value` of lane `source`. The source lane must be in `mask`.
#[inline(always)]
#[track_caller]
pub fn warp_shuffle_idx(mask: u32, value: u32, source: u32) -> u32 {
    backend::shuffle_idx(mask, value, source)
}

/// The `value` of the lane whose number differs by `lane_mask`.
#[inline(always)]
#[track_caller]
pub fn warp_shuffle_xor(mask: u32, value: u32, lane_mask: u32) -> u32 {
    backend::shuffle_xor(mask, value, lane_mask)
}

/// The `value` of the lane `delta` below; lanes below `delta` keep their own.
#[inline(always)]
#[track_caller]
pub fn warp_shuffle_up(mask: u32, value: u32, delta: u32) -> u32 {
    backend::shuffle_up(mask, value, delta)
}

/// The `value` of the lane `delta` above; the top `delta` lanes keep their own.
#[inline(always)]
#[track_caller]
pub fn warp_shuffle_down(mask: u32, value: u32, delta: u32) -> u32 {
    backend::shuffle_down(mask, value, delta)
}

/// [`warp_shuffle_xor`] of 64 bits.
#[inline(always)]
#[track_caller]
pub fn warp_shuffle_xor_u64(mask: u32, value: u64, lane_mask: u32) -> u64 {
    let low = backend::shuffle_xor(mask, value as u32, lane_mask);
    let high = backend::shuffle_xor(mask, (value >> 32) as u32, lane_mask);
    u64::from(high) << 32 | u64::from(low)
}

/// A bit for every lane of `mask` whose predicate holds.
#[inline(always)]
#[track_caller]
pub fn warp_vote_ballot(mask: u32, predicate: bool) -> u32 {
    backend::ballot(mask, predicate)
}

/// Whether the predicate of any lane of `mask` holds.
#[inline(always)]
#[track_caller]
pub fn warp_vote_any(mask: u32, predicate: bool) -> bool {
    backend::ballot(mask, predicate) != 0
}

/// Whether the predicates of all lanes of `mask` hold.
#[inline(always)]
#[track_caller]
pub fn warp_vote_all(mask: u32, predicate: bool) -> bool {
    backend::ballot(mask, predicate) == mask
}

/// A bit for every lane of `mask` that holds the same `value` as this one.
#[inline(always)]
#[track_caller]
pub fn warp_match_any(mask: u32, value: u32) -> u32 {
    backend::match_any(mask, value)
}

/// The sum over the lanes of `mask`, in all of them.
#[inline(always)]
#[track_caller]
pub fn warp_reduce_add(mask: u32, value: u32) -> u32 {
    backend::reduce_add(mask, value)
}

/// The maximum over the lanes of `mask`, in all of them.
#[inline(always)]
#[track_caller]
pub fn warp_reduce_max(mask: u32, value: u32) -> u32 {
    backend::reduce_max(mask, value)
}

/// The minimum over the lanes of `mask`, in all of them.
#[inline(always)]
#[track_caller]
pub fn warp_reduce_min(mask: u32, value: u32) -> u32 {
    backend::reduce_min(mask, value)
}

/// The bitwise or over the lanes of `mask`, in all of them.
#[inline(always)]
#[track_caller]
pub fn warp_reduce_or(mask: u32, value: u32) -> u32 {
    backend::reduce_or(mask, value)
}

/// The bitwise and over the lanes of `mask`, in all of them.
#[inline(always)]
#[track_caller]
pub fn warp_reduce_and(mask: u32, value: u32) -> u32 {
    backend::reduce_and(mask, value)
}
