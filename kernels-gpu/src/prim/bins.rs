//! Ordering many items of a block: spread over bins, then ranked within their bin.
//!
//! # Idea
//!
//! ```text
//! count the items of each bin; sum the counts from the top
//! put the items of the bins that hold the first k next to each other, bin by bin
//! an item's rank = the items in the bins above its own, and the better ones in its own
//! put each of them where its rank says
//! ```
//!
//! Bins are of equal width in value, or in the items' own numbers where all values are equal. Of
//! 16-bit elements many are equal: where they span few keys, bins are of equal width in key and
//! index. Where some bin that matters is overfull, the items are cropped to `k` and sorted by
//! merging.
//!
//! # Source
//! A bucket sort whose buckets are ranked by counting.
use cuda_std::count::count_above;
use cuda_std::shared::SharedArray;
use cuda_std::thread::{block_dim_x, sync_threads, thread_idx_x};
use cuda_std::warp::{
    FULL_MASK, WARP_SIZE, lane_id, warp_reduce_max, warp_reduce_min, warp_shuffle_idx,
};

use super::queue::Queue;
use super::scan::warp_prefix_sum;
use super::sort::block_sort_descending;
use crate::params::{BIN_MAX, BINS};

/// The fewest bins that items are spread over: two of the queue's histograms.
const BINS_MIN: u32 = 2 * BINS;
/// The greatest span of 16-bit keys of which each still has bins of its own.
const KEYS_MAX: u32 = 1024;

/// What is to be ordered.
#[derive(Clone, Copy)]
pub struct Ordering {
    /// Items: the queue's first so many.
    pub count: u32,
    /// How many of the best are wanted.
    pub k: u32,
    /// Whether the items are composites of 16-bit elements.
    pub halves: bool,
}

/// The best `k` of the queue's items, or all if there are fewer, best first; perhaps with some more
/// behind them. `line` gives each item's place on a line, a finite number that no better item has
/// less of. Behind the items there is room for `k` and [`BIN_MAX`] more, or for `k` where there are
/// no more. No survey is under way. For all threads of the block together, behind a barrier; ends
/// with one.
#[inline(always)]
pub fn block_order(
    queue: &mut Queue,
    Ordering { count, k, halves }: Ordering,
    line: impl Fn(u64) -> f32,
) -> SharedArray<u64> {
    let bins = Bins::new(queue, count);
    let ((base, span), indices) = queue.prepare_bins(count);
    let (worst_key, best_key) = ((base >> 48) as u32, ((base + span) >> 48) as u32);
    let by_key = halves && best_key - worst_key <= KEYS_MAX;
    // Less than 1 for the best index, so that it stays below the next key's worst.
    let index_scale = 0.99 / (indices.1 - indices.0 + 1) as f32;
    let place = |item: u64| {
        if by_key {
            let index = (item as u32 - indices.0) as f32 * index_scale;
            ((item >> 48) as u32 - worst_key) as f32 + index
        } else {
            line(item)
        }
    };
    let (low, high) = if by_key {
        (0.0, (best_key - worst_key + 1) as f32)
    } else {
        (line(base), line(base + span))
    };
    let scale = (bins.count() as f32 - 0.5) / (high - low);
    let shift = (64 - span.leading_zeros()).saturating_sub(bins.bits);
    let bin_of = |item: u64| {
        let bin = if high > low {
            ((place(item) - low) * scale) as u32
        } else {
            ((item - base) >> shift) as u32
        };
        bin.min(bins.count() - 1)
    };
    let items = queue.items;
    each_of(count, |at| bins.add(bin_of(items.get(at)), 1));
    if thread_idx_x() == 0 {
        queue.notice().set(0, bins.count());
        queue.notice().set(1, 0);
    }
    // Separates the counts from their sums.
    sync_threads();
    bins.sum_from_top(queue, k);
    let (cut, most) = (queue.notice().get(0), queue.notice().get(1));
    if most > BIN_MAX {
        return sort_best(queue, count, k);
    }
    bins.place_best(queue, count, cut, bin_of)
}

/// The same by sorting.
#[inline(always)]
fn sort_best(queue: &mut Queue, count: u32, k: u32) -> SharedArray<u64> {
    let mut count = count;
    if count > k {
        queue.crop(count, (k, k));
        count = k;
    }
    block_sort_descending(queue.items, queue.spare(count), count)
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

/// Counts in shared memory. Each thread has some neighbouring bins to sum up; they lie so that the
/// lanes of a warp find theirs in different banks.
#[derive(Clone, Copy)]
struct Bins {
    words: SharedArray<u32>,
    /// Bits of a bin's number.
    bits: u32,
    /// Bits of the number of bins that a thread has.
    share: u32,
}

impl Bins {
    /// For `count` items, zeros behind the next barrier. For all threads of the block together, a
    /// power of two of them.
    #[inline(always)]
    fn new(queue: &Queue, count: u32) -> Self {
        let (words, room) = queue.room_for_bins();
        let wished = (2 * count).max(BINS_MIN);
        let bits = wished.ilog2().min(room.ilog2());
        let share = bits.saturating_sub(block_dim_x().trailing_zeros());
        each_of(1 << bits, |at| words.set(at, 0));
        Bins { words, bits, share }
    }

    #[inline(always)]
    fn count(&self) -> u32 {
        1 << self.bits
    }

    #[inline(always)]
    fn place(&self, bin: u32) -> u32 {
        (bin & ((1 << self.share) - 1)) << (self.bits - self.share) | bin >> self.share
    }

    #[inline(always)]
    fn get(&self, bin: u32) -> u32 {
        self.words.get(self.place(bin))
    }

    /// Puts the items of the bins from `cut` on where they stand in the order, each bin's count
    /// being the sum of those above it; among the queue's items. For all threads of the block
    /// together; ends with a barrier.
    #[inline(always)]
    fn place_best(
        &self,
        queue: &Queue,
        count: u32,
        cut: u32,
        bin_of: impl Fn(u64) -> u32,
    ) -> SharedArray<u64> {
        // The bins below the cut keep their sums: all that is above them.
        let needed = if cut > 0 { self.get(cut - 1) } else { count };
        let (items, spread) = (queue.items, queue.spare(count));
        each_of(count, |at| {
            let item = items.get(at);
            let bin = bin_of(item);
            if bin >= cut {
                spread.set(self.fetch_add(bin, 1), item);
            }
        });
        // Separates the spread items from their ranking.
        sync_threads();
        each_of(needed, |at| {
            let item = spread.get(at);
            let bin = bin_of(item);
            // A bin ends where the next lower one started; by now all have moved on by their items.
            let mut other = if bin + 1 < self.count() { self.get(bin + 1) } else { 0 };
            let (mut rank, end) = (other, self.get(bin));
            while other < end {
                rank = count_above(rank, spread.get(other), item);
                other += 1;
            }
            items.set(rank, item);
        });
        // Separates the ranked items from their use.
        sync_threads();
        items
    }

    #[inline(always)]
    fn add(&self, bin: u32, count: u32) {
        self.words.add(self.place(bin), count);
    }

    #[inline(always)]
    fn fetch_add(&self, bin: u32, count: u32) -> u32 {
        self.words.fetch_add(self.place(bin), count)
    }

    /// Replaces each bin's count by the sum of those above it. Leaves as the queue's notice the
    /// lowest bin that has one of the first `k` items, and the greatest count of a bin from there
    /// on; there stands the number of bins, and 0, before. For all threads of the block together;
    /// with a barrier, and ends with one.
    #[inline(always)]
    fn sum_from_top(&self, queue: &Queue, k: u32) {
        let threads = self.count() >> self.share;
        let has_bins = thread_idx_x() < threads;
        // The top bins first.
        let first = if has_bins { (threads - 1 - thread_idx_x()) << self.share } else { 0 };
        let stretch = if has_bins { 1 << self.share } else { 0 };
        let (mut mine, mut at) = (0, stretch);
        while at > 0 {
            at -= 1;
            mine += self.get(first + at);
        }
        let through = warp_prefix_sum(mine);
        let all = warp_shuffle_idx(FULL_MASK, through, WARP_SIZE - 1);
        let mut above = queue.sum_of_earlier_warps(all) + through - mine;
        let (mut cut, mut most) = (self.count(), 0);
        at = stretch;
        while at > 0 {
            at -= 1;
            let count = self.get(first + at);
            self.words.set(self.place(first + at), above);
            if above < k {
                (cut, most) = (first + at, most.max(count));
            }
            above += count;
        }
        (cut, most) = (warp_reduce_min(FULL_MASK, cut), warp_reduce_max(FULL_MASK, most));
        if lane_id() == 0 {
            queue.notice().min(0, cut);
            queue.notice().max(1, most);
        }
        // Separates the sums from their use.
        sync_threads();
    }
}
