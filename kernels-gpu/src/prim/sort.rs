//! Ordering a block's items: by counting for few, by sorted runs for many.
use cuda_std::count::count_above;
use cuda_std::shared::SharedArray;
use cuda_std::thread::{block_dim_x, sync_threads, thread_idx_x};
use cuda_std::unroll;
use cuda_std::warp::{FULL_MASK, WARP_SIZE, lane_id, warp_shuffle_xor};

use super::tops::lanes_an_item;
use super::warp_sort::warp_sort_descending;

/// Calls `put` with each of at most [`RANKED_MAX`](crate::params::RANKED_MAX) items and its rank,
/// the best one's is 0: an item's rank is the number of better ones. Several neighbouring lanes
/// share an item's counting, and one of them calls `put`. No two items are equal; up to 3 places
/// behind them are written. For all threads of the block together, behind a barrier.
#[inline(always)]
pub fn block_rank(items: SharedArray<u64>, count: u32, put: impl Fn(u32, u64)) {
    // Items are read four at a time; those behind the last are better than none.
    let padded = count.next_multiple_of(4);
    if thread_idx_x() < padded - count {
        items.set(count + thread_idx_x(), 0);
    }
    // Separates the padding from its use.
    sync_threads();
    if count == 0 {
        return;
    }
    let share = lanes_an_item(count);
    let part = thread_idx_x() & (share - 1);
    let mut base = 0;
    while base < count {
        let number = base + thread_idx_x() / share;
        let item = if number < count { items.get(number) } else { 0 };
        let (mut rank, mut at) = (0, 4 * part);
        while at < padded {
            let (low, high) = (items.get_pair(at), items.get_pair(at + 2));
            let others = [low[0], low[1], high[0], high[1]];
            unroll!(i in 4 => { rank = count_above(rank, others[i], item); });
            at += 4 * share;
        }
        let mut distance = share / 2;
        while distance > 0 {
            rank += warp_shuffle_xor(FULL_MASK, rank, distance);
            distance /= 2;
        }
        if number < count && part == 0 {
            put(rank, item);
        }
        base += block_dim_x() / share;
    }
}

/// Sorts the first `count` items, best first, between two arrays that have room for as many; gives
/// the one that they end in. No two items are equal. For all threads of the block together, behind
/// a barrier; ends with a barrier.
///
/// Warps sort 32 items each in registers; then runs are merged two by two: an item's place in the
/// merge is its place in its own run plus the number of better items in the other, which a binary
/// search finds.
///
/// # Source
/// Merging by rank: "Designing efficient sorting algorithms for manycore GPUs" (Satish et al.,
/// 2009).
#[inline(always)]
pub fn block_sort_descending(
    items: SharedArray<u64>,
    spare: SharedArray<u64>,
    count: u32,
) -> SharedArray<u64> {
    let mut first = thread_idx_x() & !(WARP_SIZE - 1);
    while first < count {
        let at = first + lane_id();
        let mut item = [if at < count { items.get(at) } else { 0 }];
        warp_sort_descending(&mut item);
        if at < count {
            items.set(at, item[0]);
        }
        first += block_dim_x();
    }
    // Separates the runs from their merges.
    sync_threads();
    let (mut from, mut to, mut run) = (items, spare, WARP_SIZE);
    while run < count {
        let mut at = thread_idx_x();
        while at < count {
            let item = from.get(at);
            to.set(merged_place(|other| from.get(other), at, item, run, count), item);
            at += block_dim_x();
        }
        // Separates one round of merges from the next.
        sync_threads();
        (from, to) = (to, from);
        run *= 2;
    }
    from
}

/// The place that an item at `at` gets when its run of `run` items (a power of two) is merged with
/// its neighbour; the last run of `count` items may be short, and may have no neighbour.
#[inline(always)]
pub fn merged_place(get: impl Fn(u32) -> u64, at: u32, item: u64, run: u32, count: u32) -> u32 {
    let (own, pair) = (at & !(run - 1), at & !(2 * run - 1));
    let other = count.min(if own == pair { pair + run } else { pair });
    let (mut low, mut high) = (other, count.min(other + run));
    while low < high {
        let middle = low + (high - low) / 2;
        if get(middle) > item {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    pair + (at - own) + (low - other)
}
