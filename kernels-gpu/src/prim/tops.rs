//! Ranking few keys by counting: the quick way to a bound where few elements are wanted.
//!
//! Each lane has a key, the best of the elements that it has seen. A warp sorts its lanes' keys and
//! puts its best few where the block sees them; then each of these finds by counting how many reach
//! it. A key that `k` of them reach is reached by `k` elements, whatever keys were left out; with
//! a quarter more from each warp than it has on average, few are missed.
//!
//! Whole blocks count: what a block of 16 warps does costs four times its instructions in cycles,
//! so each step here is as short as can be.
use cuda_std::count::count_at_least;
use cuda_std::shared::SharedArray;
use cuda_std::thread::{block_dim_x, sync_threads, thread_idx_x};
use cuda_std::unroll;
use cuda_std::warp::{
    FULL_MASK, WARP_SIZE, lane_id, warp_reduce_max, warp_shuffle_xor, warp_vote_ballot,
};

use crate::params::{LIST_TOPS_MAX, RANKED_KEYS_MAX, tops_of};

/// The warps of a block that have seen elements, the first ones: what keys they give.
#[derive(Clone, Copy)]
pub struct Gathering {
    /// So many warps.
    warps: u32,
    /// Keys that each gives: a multiple of 4, at most 32.
    per_warp: u32,
}

impl Gathering {
    /// For the best `k` lanes of so many warps; `None` where they are too few, or `k` too large for
    /// counting.
    #[inline(always)]
    pub fn new(k: u32, warps: u32) -> Option<Gathering> {
        if 4 * k > 3 * WARP_SIZE * warps {
            return None;
        }
        // SAFETY: k is at least 1, so there is a warp, and a block has no more than so many; it
        // spares the division's check.
        unsafe { core::hint::assert_unchecked(warps != 0 && warps <= WARP_SIZE) };
        let per_warp = tops_of(k, warps).min(WARP_SIZE);
        let fits = warps * per_warp <= RANKED_KEYS_MAX;
        if fits { Some(Gathering { warps, per_warp }) } else { None }
    }

    /// Puts the best of each warp's keys into `tops`; how many. For all threads of the block
    /// together, without a barrier.
    #[inline(always)]
    pub fn gather(self, tops: SharedArray<u32>, key: u32) -> u32 {
        let (warp, per_warp) = (thread_idx_x() / WARP_SIZE, self.per_warp);
        if warp < self.warps {
            let sorted = if per_warp <= PICKED_MAX {
                warp_pick_best(key, per_warp)
            } else {
                warp_sort_keys_descending(key)
            };
            if lane_id() < per_warp {
                tops.set(warp * per_warp + lane_id(), sorted);
            }
        }
        self.warps * per_warp
    }
}

/// The most keys that a warp picks one by one rather than by sorting all.
const PICKED_MAX: u32 = 8;

/// The warp's best `count` keys, the best in lane 0. For the lanes of a warp together.
#[inline(always)]
fn warp_pick_best(key: u32, count: u32) -> u32 {
    let (mut key, mut mine, mut number) = (key, 0, 0);
    while number < count {
        let best = warp_reduce_max(FULL_MASK, key);
        let first = warp_vote_ballot(FULL_MASK, key == best).trailing_zeros();
        if lane_id() == first {
            key = 0;
        }
        if lane_id() == number {
            mine = best;
        }
        number += 1;
    }
    mine
}

/// What is wanted of ranked keys.
#[derive(Clone, Copy)]
pub struct Ranking {
    /// The greatest key that so many keys reach; 0 if none is wanted.
    pub k: u32,
    /// So many of the best keys, in order, at most [`LIST_TOPS_MAX`].
    pub best: u32,
}

/// Finds the greatest of `count` keys, a multiple of 4, that `ranking.k` of them reach, or 0, and
/// puts the best into `best`, which is zero before; of equals there only the last place is filled.
/// `found` is zero before. For all threads of the block together; begins and ends with a barrier.
#[inline(always)]
pub fn rank_keys(
    keys: SharedArray<u32>,
    count: u32,
    ranking: Ranking,
    found: SharedArray<u32>,
    best: SharedArray<u32>,
) -> u32 {
    const { assert!(LIST_TOPS_MAX == 32) };
    // Separates the keys from their ranking.
    sync_threads();
    let share = lanes_an_item(count);
    let part = thread_idx_x() & (share - 1);
    let mut base = 0;
    while base < count {
        let number = base + thread_idx_x() / share;
        let mine = if number < count { keys.get(number) } else { 0 };
        let (mut reach, mut at) = (0, 4 * part);
        while at < count {
            let others = keys.get_vec4(at);
            unroll!(i in 4 => { reach = count_at_least(reach, others[i], mine); });
            at += 4 * share;
        }
        let mut distance = share / 2;
        while distance > 0 {
            reach += warp_shuffle_xor(FULL_MASK, reach, distance);
            distance /= 2;
        }
        let is_reached = number < count && reach >= ranking.k;
        let most = warp_reduce_max(FULL_MASK, if is_reached { mine } else { 0 });
        if lane_id() == 0 && ranking.k > 0 {
            found.max(0, most);
        }
        if number < count && part == 0 && reach <= ranking.best {
            best.max(reach - 1, mine);
        }
        base += block_dim_x() / share;
    }
    // Separates the finding from its use.
    sync_threads();
    found.get(0)
}

/// How many neighbouring lanes share one item's counting: a power of two, such that all of `count`
/// items are counted at once, if that can be.
#[inline(always)]
pub fn lanes_an_item(count: u32) -> u32 {
    // Of the block's threads the logarithm rounded down, of the items' rounded up.
    let (threads, items) = (31 - block_dim_x().leading_zeros(), 32 - (count - 1).leading_zeros());
    1 << threads.saturating_sub(items).min(WARP_SIZE.ilog2())
}

/// Sorts a warp's keys, the best to lane 0. For the lanes of a warp together.
#[inline(always)]
pub fn warp_sort_keys_descending(key: u32) -> u32 {
    group_sort_keys_descending::<5>(key)
}

/// As [`warp_sort_keys_descending`], of each group of `2^STEPS` lanes for itself.
///
/// # Source
/// K. Batcher, "Sorting networks and their applications", 1968.
#[inline(always)]
pub fn group_sort_keys_descending<const STEPS: usize>(key: u32) -> u32 {
    let (mut key, lane) = (key, lane_id() % (1 << STEPS));
    unroll!(stage in STEPS => {
        unroll!(step in STEPS => {
            if step <= stage {
                let stride = 1 << (stage - step);
                let other = warp_shuffle_xor(FULL_MASK, key, stride);
                // The lower lane of a pair takes the greater where the stretch is to descend: where
                // the lane's bits of the pair and of the stretch are alike.
                let takes_greater = (lane ^ lane >> (step + 1)) & stride == 0;
                key = if (other > key) == takes_greater { other } else { key };
            }
        });
    });
    key
}

/// The best of a group's keys, of which each lane has two, as many as it has lanes, the best to
/// its first lane. For the lanes of a warp together.
#[inline(always)]
pub fn group_best_keys<const STEPS: usize>(first: u32, second: u32) -> u32 {
    let first = group_sort_keys_descending::<STEPS>(first);
    let second = group_sort_keys_descending::<STEPS>(second);
    // The greater of each and its opposite are the best: they rise and then fall, or the reverse.
    let mut key = first.max(warp_shuffle_xor(FULL_MASK, second, (1 << STEPS) - 1));
    unroll!(step in STEPS => {
        let stride = 1 << (STEPS - 1 - step);
        let other = warp_shuffle_xor(FULL_MASK, key, stride);
        key = if (other > key) == (lane_id() & stride == 0) { other } else { key };
    });
    key
}
