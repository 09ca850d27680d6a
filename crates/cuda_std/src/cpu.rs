//! The CPU back end: every device function becomes a call of the SIMT emulator, which knows the
//! calling line (`#[track_caller]`), checks the access and may switch threads there.
use simt::collective::{self, Reduce};
use simt::{cluster, global, index, shared};

use crate::count::halves;
use crate::float::{bf16_to_f32, pairs};

pub use cluster::{
    arrive as cluster_arrive, arrive as cluster_arrive_relaxed, rank as cluster_rank,
    size as cluster_size, wait as cluster_wait,
};
pub use collective::{block_and, block_count, block_or, block_sync, warp_sync};
pub use index::{block_dim, block_index, grid_dim, lane, thread_index};

#[track_caller]
pub fn ballot(mask: u32, predicate: bool) -> u32 {
    collective::warp_ballot(mask, predicate)
}
#[track_caller]
pub fn match_any(mask: u32, value: u32) -> u32 {
    collective::warp_match_any(mask, value)
}
#[track_caller]
pub fn shuffle_idx(mask: u32, value: u32, source: u32) -> u32 {
    collective::warp_shuffle(mask, value, source & 31)
}
#[track_caller]
pub fn shuffle_xor(mask: u32, value: u32, lane_mask: u32) -> u32 {
    collective::warp_shuffle(mask, value, lane() ^ lane_mask)
}
#[track_caller]
pub fn shuffle_up(mask: u32, value: u32, delta: u32) -> u32 {
    let lane = lane();
    collective::warp_shuffle(mask, value, lane.checked_sub(delta).unwrap_or(lane))
}
#[track_caller]
pub fn shuffle_down(mask: u32, value: u32, delta: u32) -> u32 {
    let lane = lane();
    collective::warp_shuffle(mask, value, if lane + delta < 32 { lane + delta } else { lane })
}

macro_rules! reduce {
    ($($name:ident = $op:ident;)*) => { $(
        #[track_caller]
        pub fn $name(mask: u32, value: u32) -> u32 {
            collective::warp_reduce(mask, value, Reduce::$op)
        }
    )* };
}
reduce! { reduce_add = Add; reduce_max = Max; reduce_min = Min; reduce_or = Or; reduce_and = And; }

/// The emulator runs one access at a time, so a fence has nothing to order.
pub fn device_fence() {}

/// Bits of an address in a block's shared memory; above them, in that of a cluster's, the block's
/// rank.
const SHARED_BITS: u32 = 24;

pub fn cluster_map(address: u32, rank: u32) -> u32 {
    rank << SHARED_BITS | address
}

pub fn shared_base() -> u32 {
    0
}

/// A type that one load or store moves.
pub trait Word: Copy {
    /// Reads shared memory.
    #[track_caller]
    fn shared_load(address: u32) -> Self {
        shared::read(address)
    }
    /// Writes shared memory.
    #[track_caller]
    fn shared_store(address: u32, value: Self) {
        shared::write(address, value);
    }
    /// Writes shared memory of a block of the cluster.
    #[track_caller]
    fn cluster_store(address: u32, value: Self) {
        cluster::write(address >> SHARED_BITS, address & ((1 << SHARED_BITS) - 1), value);
    }
    /// Reads global memory that the grid does not write.
    ///
    /// # Safety
    /// The place is live and aligned, and nobody races for it.
    #[track_caller]
    unsafe fn global_load_const(place: *const Self) -> Self {
        // SAFETY: the caller's duty, unchanged.
        unsafe { Self::global_load(place) }
    }
    /// Reads global memory.
    ///
    /// # Safety
    /// The place is live and aligned, and nobody races for it.
    #[track_caller]
    unsafe fn global_load(place: *const Self) -> Self {
        // SAFETY: the caller's duty, unchanged; the emulator checks it where the launch lists its
        // allocations.
        unsafe { global::read(place) }
    }
    /// Writes global memory.
    ///
    /// # Safety
    /// The place is live and aligned, and nobody races for it.
    #[track_caller]
    unsafe fn global_store(place: *mut Self, value: Self) {
        // SAFETY: as above.
        unsafe { global::write(place, value) }
    }
}
impl Word for u16 {}
impl Word for u32 {}
impl Word for i32 {}
impl Word for f32 {}
impl Word for u64 {}
impl Word for i64 {}

/// Four words moved at once, aligned as the hardware asks.
#[derive(Clone, Copy)]
#[repr(C, align(16))]
struct Vec4([u32; 4]);

#[track_caller]
pub fn shared_load_vec4(address: u32) -> [u32; 4] {
    shared::read::<Vec4>(address).0
}
#[derive(Clone, Copy)]
#[repr(C, align(16))]
struct Pair([u64; 2]);

#[track_caller]
pub fn shared_load_pair(address: u32) -> [u64; 2] {
    shared::read::<Pair>(address).0
}
#[track_caller]
pub fn shared_store_words(address: u32, words: [u32; 2]) {
    shared::write(address, u64::from(words[1]) << 32 | u64::from(words[0]));
}
pub fn count_at_least(count: u32, a: u32, b: u32) -> u32 {
    count + u32::from(a >= b)
}
pub fn count_above(count: u32, a: u64, b: u64) -> u32 {
    count + u32::from(a > b)
}
pub fn mark_above_or_nan(mask: u32, bit: u32, a: f32, b: f32) -> u32 {
    if a > b || a.is_nan() || b.is_nan() { mask | bit } else { mask }
}
pub fn mark_at_most(mask: u32, bit: u32, a: f32, b: f32) -> u32 {
    if a <= b { mask | bit } else { mask }
}
pub fn mark_not_below(mask: u32, bit: u32, a: f32, b: f32) -> u32 {
    if a < b { mask } else { mask | bit }
}
pub fn mark_not_above(mask: u32, bit: u32, a: f32, b: f32) -> u32 {
    if a > b { mask } else { mask | bit }
}
pub fn add_not_below(sum: u32, word: u32, a: f32, b: f32) -> u32 {
    if a < b { sum } else { sum.wrapping_add(word) }
}
pub fn tally_f32_above_or_nan(tally: u32, a: u32, b: u32) -> u32 {
    mark_above_or_nan(0, 1, f32::from_bits(a), f32::from_bits(b)) + tally
}
pub fn tally_f32_at_most(tally: u32, a: u32, b: u32) -> u32 {
    mark_at_most(0, 1, f32::from_bits(a), f32::from_bits(b)) + tally
}
pub fn tally_f16_above_or_nan(tally: u32, a: u32, b: u32) -> u32 {
    halves::above_or_nan(tally, a, b, f16_to_f32)
}
pub fn tally_f16_at_most(tally: u32, a: u32, b: u32) -> u32 {
    halves::at_most(tally, a, b, f16_to_f32)
}
pub fn tally_bf16_above_or_nan(tally: u32, a: u32, b: u32) -> u32 {
    halves::above_or_nan(tally, a, b, bf16_to_f32)
}
pub fn tally_bf16_at_most(tally: u32, a: u32, b: u32) -> u32 {
    halves::at_most(tally, a, b, bf16_to_f32)
}
pub fn opaque(word: u32) -> u32 {
    word
}
#[track_caller]
pub unsafe fn global_load_vec4_streaming(place: *const u32) -> [u32; 4] {
    // SAFETY: the caller vouches for the place; the emulator checks it where the launch lists its
    // allocations.
    unsafe { global::read(place.cast::<Vec4>()) }.0
}

pub fn global_prefetch<T>(_: *const T) {}

#[track_caller]
pub fn shared_fetch_add(address: u32, value: u32) -> u32 {
    shared::update(address, |old: u32| old.wrapping_add(value))
}
#[track_caller]
pub fn shared_load_relaxed(address: u32) -> u32 {
    shared::update(address, |old: u32| old)
}
#[track_caller]
pub fn shared_add(address: u32, value: u32) {
    shared_fetch_add(address, value);
}
#[track_caller]
pub fn shared_min(address: u32, value: u32) {
    shared::update(address, |old: u32| old.min(value));
}
#[track_caller]
pub fn shared_max(address: u32, value: u32) {
    shared::update(address, |old: u32| old.max(value));
}
#[track_caller]
pub fn shared_or(address: u32, value: u32) {
    shared::update(address, |old: u32| old | value);
}
#[track_caller]
pub fn shared_and(address: u32, value: u32) {
    shared::update(address, |old: u32| old & value);
}

#[track_caller]
pub unsafe fn global_fetch_add_acq_rel(place: *mut u32, value: u32) -> u32 {
    // SAFETY: the caller vouches for the place.
    unsafe { global::update(place, |old: u32| old.wrapping_add(value)) }
}
#[track_caller]
pub unsafe fn global_fetch_add_relaxed(place: *mut u32, value: u32) -> u32 {
    // SAFETY: the caller vouches for the place.
    unsafe { global::update(place, |old: u32| old.wrapping_add(value)) }
}
#[track_caller]
pub unsafe fn global_fetch_inc_acq_rel(place: *mut u32, last: u32) -> u32 {
    // SAFETY: the caller vouches for the place.
    unsafe { global::update(place, |old: u32| if old >= last { 0 } else { old + 1 }) }
}
#[track_caller]
pub unsafe fn global_add_relaxed(place: *mut u32, value: u32) {
    // SAFETY: the caller vouches for the place.
    unsafe { global::update(place, |old: u32| old.wrapping_add(value)) };
}
#[track_caller]
pub unsafe fn global_load_acquire(place: *const u32) -> u32 {
    // SAFETY: the caller vouches for the place.
    unsafe { global::load_acquire(place) }
}
#[track_caller]
pub unsafe fn global_store_release(place: *mut u32, value: u32) {
    // SAFETY: the caller vouches for the place.
    unsafe { global::update(place, |_: u32| value) };
}

/// Exact: every `f16` is an `f32`. Half of the exponent's range is rebiased by a multiplication.
pub fn f16_to_f32(bits: u16) -> f32 {
    let sign = u32::from(bits & 0x8000) << 16;
    let rest = u32::from(bits & 0x7fff);
    let magnitude = if rest >= 0x7c00 {
        f32::from_bits(0x7f80_0000 | (rest & 0x3ff) << 13)
    } else {
        // The bits as an f32 stand for a value 2^112 too small; the product is exact.
        f32::from_bits(rest << 13) * f32::from_bits((127 + 112) << 23)
    };
    f32::from_bits(magnitude.to_bits() | sign)
}

pub fn f32_max_nan(a: f32, b: f32) -> f32 {
    if a.is_nan() || a > b { a } else { b }
}
pub fn f16x2_max_nan(a: u32, b: u32) -> u32 {
    pairs::max_nan(a, b, f16_to_f32)
}
pub fn f16x2_min(a: u32, b: u32) -> u32 {
    pairs::min(a, b, f16_to_f32)
}
pub fn bf16x2_max_nan(a: u32, b: u32) -> u32 {
    pairs::max_nan(a, b, bf16_to_f32)
}
pub fn bf16x2_min(a: u32, b: u32) -> u32 {
    pairs::min(a, b, bf16_to_f32)
}
