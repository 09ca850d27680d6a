//! Sorting a block's items: spread over bins, then ranked within their bin; a thread's stay in its
//! registers.
//!
//! # Idea
//!
//! ```text
//! count the items of each bin, by `line`; an item notes how many came before it
//! sum the counts from the top: where each bin starts
//! put the items next to each other, bin by bin
//! an item's rank = its bin's start, and the better ones in its bin; put it there
//! ```
//!
//! Bins are of equal width on the line from the worst item to the best: in key, and in index where
//! elements of 16 bits have the same one. Where a bin is too full to rank its items quickly, there
//! are bins of equal width in value instead; where one of those is, the items are merged.
//!
//! # Source
//! A bucket sort whose buckets are ranked by counting.
use cuda_std::Word;
use cuda_std::shared::SharedArray;
use cuda_std::thread::{block_dim_x, sync_threads, thread_idx_x};
use cuda_std::unroll;
use cuda_std::warp::{
    FULL_MASK, WARP_SIZE, lane_id, warp_reduce_add, warp_reduce_max, warp_reduce_min,
    warp_shuffle_idx,
};

use super::merge_path::{Spread, block_sort_merged};
use super::scan::warp_prefix_sum;
use super::warp_sort::Item;
use crate::params::{BIN_SORT_MIN, BINS_A_THREAD, WIDE_STRETCH};

/// Items of a bin with which bins of another kind are tried.
const FULL: u32 = 24;
/// Items of a bin with which merging is faster. Measured on an H200: merging 2300 items takes
/// 18 000 cycles, of which bins spare two thirds where none has more than 11 items.
const OVERFULL: u32 = 64;

/// Sorts the `count` items that lie one behind the other in `list`, best first: where they were,
/// but spread; at most `C` stretches of [`WIDE_STRETCH`] a thread. `read` is what becomes of an
/// item at first: greater comes first, and none is 0 or equals another. `lines` are an item's place
/// on a line, and a finite number that such a place stands for: no greater item has less of either.
/// `bins` has room for [`crate::params::bin_sort_words`], where there are more items than
/// [`BIN_SORT_MIN`]. For all threads of the block together, behind a barrier; ends with one.
#[inline(always)]
pub fn block_sort<T: Item + Word + Default, const C: usize>(
    list: SharedArray<T>,
    count: u32,
    bins: SharedArray<u32>,
    read: impl Fn(T) -> T,
    lines: (impl Fn(T) -> u32, impl Fn(u32) -> f32),
) -> Spread<T> {
    let may = count > BIN_SORT_MIN && count <= WIDE_STRETCH as u32 * block_dim_x();
    if may && sort_in_bins(list, count, bins, &read, lines) {
        Spread::new(list)
    } else {
        block_sort_merged::<T, C>(list, count, read)
    }
}

/// The same of one stretch a thread, unless a bin is overfull: then nothing has happened to the
/// list, and it is false.
#[inline(always)]
fn sort_in_bins<T: Item + Word + Default>(
    list: SharedArray<T>,
    count: u32,
    bins: SharedArray<u32>,
    read: impl Fn(T) -> T,
    (line, value): (impl Fn(T) -> u32, impl Fn(u32) -> f32),
) -> bool {
    let (mut items, bins) = ([T::default(); WIDE_STRETCH], Bins { words: bins });
    let (mut least, mut most) = (u32::MAX, 0);
    bins.clear();
    each(count, |i, at| {
        items[i] = read(list.get(at));
        let place = line(items[i]);
        (least, most) = (least.min(place), most.max(place));
    });
    let [least, most] = bins.range(least, most);
    let mut span = (most - least) as f32 + 1.0;
    let (mut ranks, mut ends) = ([0; WIDE_STRETCH], [0; WIDE_STRETCH]);
    let mut by_value = false;
    let fullest = loop {
        let factor = bins.count() as f32 / span;
        each(count, |i, _| {
            let place = line(items[i]);
            let place = if by_value { value(place) - value(least) } else { (place - least) as f32 };
            // SAFETY: from 0 to the number of bins, rounded.
            let bin = unsafe { (place * factor).to_int_unchecked::<u32>() };
            let bin = bin.min(bins.count() - 1);
            (ranks[i], ends[i]) = (bin, bins.add(bin));
        });
        // Separates the counts from their sums.
        sync_threads();
        let fullest = bins.sum_from_top();
        span = value(most) - value(least);
        // So that a place times the factor is a number.
        if fullest <= FULL || by_value || span < 1e-30 {
            break fullest;
        }
        by_value = true;
        bins.clear();
        // Separates the zeros from the counts.
        sync_threads();
    };
    if fullest > OVERFULL {
        return false;
    }
    each(count, |i, _| {
        let (bin, order) = (ranks[i], ends[i]);
        ranks[i] = bins.start(bin);
        ends[i] = if bin > 0 { bins.start(bin - 1) } else { count };
        list.set(ranks[i] + order, items[i]);
    });
    // Separates the items, bin by bin, from their ranking.
    sync_threads();
    let ranks = rank_in_bins(list, fullest, &items, (ranks, ends));
    // Separates the ranking from the order.
    sync_threads();
    let spread = Spread::new(list);
    each(count, |i, _| spread.set(ranks[i], items[i]));
    // Separates the order from its use.
    sync_threads();
    true
}

/// The ranks of a thread's items, whose bins have these starts and ends and at most so many items.
#[inline(always)]
fn rank_in_bins<T: Item + Word>(
    list: SharedArray<T>,
    fullest: u32,
    items: &[T; WIDE_STRETCH],
    (starts, ends): ([u32; WIDE_STRETCH], [u32; WIDE_STRETCH]),
) -> [u32; WIDE_STRETCH] {
    let (mut ranks, mut step) = (starts, 0);
    while step < fullest {
        // One of each bin at a time, so that none waits for another.
        unroll!(i in WIDE_STRETCH => {
            let other = starts[i] + step;
            if other < ends[i] {
                ranks[i] += (list.get(other) > items[i]) as u32;
            }
        });
        step += 1;
    }
    ranks
}

/// Calls `f` with the number among the thread's and the place of each of its share of `count`
/// items.
#[inline(always)]
fn each(count: u32, mut f: impl FnMut(usize, u32)) {
    unroll!(i in WIDE_STRETCH => {
        let at = i as u32 * block_dim_x() + thread_idx_x();
        if at < count {
            f(i, at);
        }
    });
}

/// Counts in shared memory, [`BINS_A_THREAD`] a thread, and behind them numbers of each warp. A
/// thread's bins are neighbours; their counts lie as many places apart as there are threads: in
/// different banks for the lanes of a warp.
#[derive(Clone, Copy)]
struct Bins {
    words: SharedArray<u32>,
}

impl Bins {
    /// Sets the counts to 0. For all threads of the block together.
    #[inline(always)]
    fn clear(&self) {
        unroll!(i in BINS_A_THREAD as usize => {
            self.words.set(i as u32 * block_dim_x() + thread_idx_x(), 0);
        });
    }

    /// How many bins there are.
    #[inline(always)]
    fn count(&self) -> u32 {
        BINS_A_THREAD * block_dim_x()
    }

    #[inline(always)]
    fn place(bin: u32) -> u32 {
        bin % BINS_A_THREAD * block_dim_x() + bin / BINS_A_THREAD
    }

    /// Counts an item; how many its bin had before.
    #[inline(always)]
    fn add(&self, bin: u32) -> u32 {
        self.words.fetch_add(Self::place(bin), 1)
    }

    /// How many items the bins above this one have, behind [`Bins::sum_from_top`].
    #[inline(always)]
    fn start(&self, bin: u32) -> u32 {
        self.words.get(Self::place(bin))
    }

    /// The least and the greatest number of all threads. For all threads of the block together,
    /// with a barrier.
    #[inline(always)]
    fn range(&self, least: u32, most: u32) -> [u32; 2] {
        let of_warp = [warp_reduce_min(FULL_MASK, least), warp_reduce_max(FULL_MASK, most)];
        let [least, most] = self.of_warps(0, of_warp, [u32::MAX, 0]);
        [warp_reduce_min(FULL_MASK, least), warp_reduce_max(FULL_MASK, most)]
    }

    /// Replaces each bin's count by the sum of those above it; the greatest count. For all threads
    /// of the block together, with a barrier before the end and at it.
    #[inline(always)]
    fn sum_from_top(&self) -> u32 {
        const SHARE: usize = BINS_A_THREAD as usize;
        // The top bins first.
        let mine = self.words.at(block_dim_x() - 1 - thread_idx_x());
        let (mut counts, mut sum, mut fullest) = ([0; SHARE], 0, 0);
        unroll!(i in SHARE => {
            counts[i] = mine.get(i as u32 * block_dim_x());
            sum += counts[i];
            fullest = fullest.max(counts[i]);
        });
        let through = warp_prefix_sum(sum);
        let of_warp = [
            warp_shuffle_idx(FULL_MASK, through, WARP_SIZE - 1),
            warp_reduce_max(FULL_MASK, fullest),
        ];
        let [of_lane, fullest] = self.of_warps(2 * WARP_SIZE, of_warp, [0; 2]);
        let is_before = lane_id() < thread_idx_x() / WARP_SIZE;
        let before = warp_reduce_add(FULL_MASK, if is_before { of_lane } else { 0 });
        let mut above = before + through;
        unroll!(bin in SHARE => {
            above -= counts[bin];
            mine.set(bin as u32 * block_dim_x(), above);
        });
        // Separates the sums from their use.
        sync_threads();
        warp_reduce_max(FULL_MASK, fullest)
    }

    /// Two numbers of each warp, this lane's of them, or `rest` where there is no such warp. For
    /// all threads of the block together, with a barrier.
    #[inline(always)]
    fn of_warps(&self, first: u32, of_warp: [u32; 2], rest: [u32; 2]) -> [u32; 2] {
        let numbers = self.words.at(self.count() + first);
        if lane_id() == 0 {
            unroll!(i in 2 => {
                numbers.set(i as u32 * WARP_SIZE + thread_idx_x() / WARP_SIZE, of_warp[i]);
            });
        }
        // Separates the warps' numbers from their use, and the zeros or the counts from theirs.
        sync_threads();
        if lane_id() < block_dim_x() / WARP_SIZE {
            [numbers.get(lane_id()), numbers.get(WARP_SIZE + lane_id())]
        } else {
            rest
        }
    }
}
