//! Ranking few keys by counting: the quick way to a bound where few elements are wanted.
//!
//! Each lane has a key, the best of the elements that it has seen. A warp sorts its lanes' keys and
//! puts its best few where the block sees them; then each of these finds by counting how many reach
//! it. A key that `k` of them reach is reached by `k` elements, whatever keys were left out; with
//! a quarter more from each warp than it has on average, few are missed.
//!
//! Whole blocks count: what a block of 16 warps does costs four times its instructions in cycles, so
//! each step here is as short as can be.
use cuda_std::count::count_at_least;
use cuda_std::shared::SharedArray;
use cuda_std::thread::{block_dim_x, sync_threads, thread_idx_x};
use cuda_std::unroll;
use cuda_std::warp::{FULL_MASK, WARP_SIZE, lane_id, warp_reduce_max, warp_shuffle_xor};

use crate::params::{LIST_TOPS_MAX, RANKED_KEYS_MAX, tops_of};

/// How many keys a warp gives where a block's best `k` are looked for: a multiple of 4, at most 32.
#[inline(always)]
fn keys_a_warp(k: u32) -> u32 {
    let warps = block_dim_x() / WARP_SIZE;
    tops_of(k, warps).min(WARP_SIZE)
}

/// Whether the block is large enough, and `k` small enough, to find its best `k` lanes here.
#[inline(always)]
pub fn tops_suffice(k: u32) -> bool {
    let warps = block_dim_x() / WARP_SIZE;
    4 * k <= 3 * block_dim_x() && warps * keys_a_warp(k) <= RANKED_KEYS_MAX
}

/// Puts the best of each warp's keys, for a block's best `k`, into `tops`; how many. For all threads
/// of the block together, without a barrier.
#[inline(always)]
pub fn gather_tops(tops: SharedArray<u32>, key: u32, k: u32) -> u32 {
    let per_warp = keys_a_warp(k);
    let sorted = warp_sort_keys_descending(key);
    if lane_id() < per_warp {
        tops.set(thread_idx_x() / WARP_SIZE * per_warp + lane_id(), sorted);
    }
    block_dim_x() / WARP_SIZE * per_warp
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
    // Neighbouring lanes share a key's counting: a power of two, so that all are counted at once.
    let mut share = 1;
    while share < WARP_SIZE && 2 * share * count <= block_dim_x() {
        share *= 2;
    }
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

/// Sorts a warp's keys, the best to lane 0. For the lanes of a warp together.
///
/// # Source
/// K. Batcher, "Sorting networks and their applications", 1968.
#[inline(always)]
fn warp_sort_keys_descending(key: u32) -> u32 {
    let (mut key, lane) = (key, lane_id());
    unroll!(stage in 5 => {
        unroll!(step in 5 => {
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
