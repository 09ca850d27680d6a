//! Ordering many items of a block: spread over bins, then ranked within their bin.
//!
//! # Idea
//!
//! ```text
//! count the items of each bin; sum the counts from the top
//! put the items of the bins that hold the first k next to each other, bin by bin
//! an item's rank = the items in the bins above its own, and the better ones in its own
//! ```
//!
//! Bins are of equal width in value, or in the items' own numbers where all values are equal. Where
//! some bin that matters is overfull, the items are cropped to `k` and sorted by merging instead.
//!
//! # Source
//! A bucket sort whose buckets are ranked by counting.
use cuda_std::count::count_above;
use cuda_std::shared::SharedArray;
use cuda_std::thread::{block_dim_x, sync_threads, thread_idx_x};
use cuda_std::warp::{FULL_MASK, WARP_SIZE, lane_id, warp_reduce_max, warp_reduce_min};

use super::queue::Queue;
use super::scan::warp_prefix_sum;
use super::sort::block_sort_descending;
use crate::params::{BIN_MAX, BINS};

/// Bits of a bin's number.
const ORDER_BITS: u32 = 9;
/// Bins that items are spread over: two of the queue's histograms.
const ORDER_BINS: u32 = 1 << ORDER_BITS;
const _: () = assert!(ORDER_BINS == 2 * BINS);

/// Calls `put` with the rank, the best one's is 0, of the best `k` of the queue's first `count`
/// items, and perhaps of some more. `line` gives each item's place on a line, a finite number that
/// no better item has less of. Behind the items there is room for `k` and [`BIN_MAX`] more, or for
/// `k` where there are no more. For all threads of the block together, behind a barrier.
#[inline(always)]
pub fn block_order(
    queue: &mut Queue,
    count: u32,
    k: u32,
    line: impl Fn(u64) -> f32,
    put: impl Fn(u32, u64),
) {
    let (base, span, bins) = queue.prepare_bins(count);
    let (low, high) = (line(base), line(base + span));
    let scale = (ORDER_BINS as f32 - 0.5) / (high - low);
    let shift = (64 - span.leading_zeros()).saturating_sub(ORDER_BITS);
    let bin_of = |item: u64| {
        let bin = if high > low {
            ((line(item) - low) * scale) as u32
        } else {
            ((item - base) >> shift) as u32
        };
        bin.min(ORDER_BINS - 1)
    };
    let items = queue.items;
    each_of(count, |at| bins.add(bin_of(items.get(at)), 1));
    // Separates the counts from their sums.
    sync_threads();
    if thread_idx_x() < WARP_SIZE {
        let (cut, most) = warp_sum_from_top(bins, k);
        if lane_id() == 0 {
            queue.notice().set(0, cut);
            queue.notice().set(1, most);
        }
    }
    // Separates the sums from their use.
    sync_threads();
    let (cut, most) = (queue.notice().get(0), queue.notice().get(1));
    if most > BIN_MAX {
        return sort_best(queue, count, k, put);
    }
    // The bins below the cut keep their sums: all that is above them.
    let needed = if cut > 0 { bins.get(cut - 1) } else { count };
    let spread = queue.spare(count);
    each_of(count, |at| {
        let item = items.get(at);
        let bin = bin_of(item);
        if bin >= cut {
            spread.set(bins.fetch_add(bin, 1), item);
        }
    });
    // Separates the spread items from their ranking.
    sync_threads();
    each_of(needed, |at| {
        let item = spread.get(at);
        let bin = bin_of(item);
        // A bin ends where the next lower one started; by now all have moved on by their items.
        let mut other = if bin + 1 < ORDER_BINS { bins.get(bin + 1) } else { 0 };
        let (mut rank, end) = (other, bins.get(bin));
        while other < end {
            rank = count_above(rank, spread.get(other), item);
            other += 1;
        }
        put(rank, item);
    });
}

/// The same by sorting.
#[inline(always)]
fn sort_best(queue: &mut Queue, count: u32, k: u32, put: impl Fn(u32, u64)) {
    let mut count = count;
    if count > k {
        queue.crop(count);
        count = k;
    }
    let sorted = block_sort_descending(queue.items, queue.spare(count), count);
    each_of(count, |at| put(at, sorted.get(at)));
}

/// Calls `f` with this thread's share of the numbers below `count`.
#[inline(always)]
fn each_of(count: u32, mut f: impl FnMut(u32)) {
    let mut at = thread_idx_x();
    while at < count {
        f(at);
        at += block_dim_x();
    }
}

/// Replaces each bin's count by the sum of those above it. The lowest bin that has one of the first
/// `k` items, and the greatest count of a bin from there on. For the lanes of a warp together;
/// valid in every lane.
#[inline(always)]
fn warp_sum_from_top(bins: SharedArray<u32>, k: u32) -> (u32, u32) {
    // A lane a stretch, the top bins first.
    const STRETCH: u32 = ORDER_BINS / WARP_SIZE;
    let first = ORDER_BINS - STRETCH * (lane_id() + 1);
    let (mut mine, mut at) = (0, 0);
    while at < STRETCH {
        mine += bins.get(first + at);
        at += 1;
    }
    let mut above = warp_prefix_sum(mine) - mine;
    let (mut cut, mut most) = (ORDER_BINS, 0);
    while at > 0 {
        at -= 1;
        let count = bins.get(first + at);
        bins.set(first + at, above);
        if above < k {
            (cut, most) = (first + at, most.max(count));
        }
        above += count;
    }
    (warp_reduce_min(FULL_MASK, cut), warp_reduce_max(FULL_MASK, most))
}
