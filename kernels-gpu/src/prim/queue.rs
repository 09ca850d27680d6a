//! The running top-k of a block: a queue in shared memory and a bound that only rises.
//!
//! # Idea
//!
//! ```text
//! bound = lowest
//! for each batch:
//!     append the items that reach the bound
//!     if they do not fit:
//!         crop the queue to its best k; bound = something these k reach, and no other item
//!         append what of the batch still reaches the bound; repeat while some does not fit
//! crop once more if more than k are left
//! ```
//!
//! A crop is a radix select from the top digit down: count the items' digits, find the digit in
//! which the k-th largest lies, go on with the items that have it. It ends as soon as a digit's
//! items are wanted all. Items are composites, of which no two are equal, so exactly `k` items reach
//! the bound that is found, and ties need no thought here.
//!
//! # What the real code does differently, and why
//!
//! 1. Digits start at the highest bit in which any two items differ: rows whose elements are all
//!    equal, or share their exponent, would spend passes on digits that tell nothing.
//! 2. Three histograms take turns, so that one barrier a digit is enough: while pass `p` is being
//!    read, pass `p + 1` may already be counted, and the histogram of pass `p - 1`, which everybody
//!    has left, is cleared for pass `p + 2`.
//! 3. Cropping moves items in place: wanted items behind the first `k` go into the holes that
//!    unwanted ones leave among the first `k`. There are as many of the one as of the other.
//!
//! # Invariants
//!
//! - I1 at least `k` items ever offered reach the bound, once it was set; so nothing below it can
//!   be among the best `k` (checked: differential tests).
//! - I2 the queue never overflows, and every crop lets a warp go on: `QueueLayout::new`.
//! - I3 items are distinct (`order::composite`, `order::empty`).
//!
//! # Source
//! Radix select with an early end and a running threshold: AIR Top-K and GridSelect (Zhang et al.,
//! SC'23).
use cuda_std::shared::SharedArray;
use cuda_std::thread::{block_dim_x, sync_threads, sync_threads_or, thread_idx_x};
use cuda_std::warp::{
    FULL_MASK, lane_id, warp_reduce_and, warp_reduce_or, warp_shuffle_idx, warp_shuffle_up,
    warp_vote_any, warp_vote_ballot,
};
use cuda_std::{unroll, warp};

use crate::order::is_empty;
use crate::params::{BINS, Control, QueueLayout};

/// Bits of a digit.
const DIGIT_BITS: u32 = BINS.ilog2();

/// Items that one thread offers at once, held in registers as `GROUPS` groups of `PARTS`.
///
/// Only the front group is looked at; [`Batch::rotate`] brings the next one to the front. That keeps
/// the code that appends, which seldom runs, to one group's size.
pub trait Batch {
    /// Groups, at most 32.
    const GROUPS: u32;
    /// Items in a group, at most 8.
    const PARTS: usize;
    /// Whether any of the thread's items may reach `bound`: quick, and wrong only in saying yes.
    fn may_admit(&self, bound: u64) -> bool;
    /// Item `part` of the front group, which is group number `group`, or an empty one.
    fn front(&self, group: u32, part: usize) -> u64;
    /// Moves the front group to the back. After `GROUPS` times everything is where it was.
    fn rotate(&mut self);
}

/// The queue. Every method is for all threads of the block together, unless it says otherwise.
pub struct Queue {
    /// The items; after [`Queue::finish`] the best of them come first, unsorted.
    pub items: SharedArray<u64>,
    histograms: SharedArray<u32>,
    control: SharedArray<u32>,
    holes: SharedArray<u16>,
    layout: QueueLayout,
    bound: u64,
}

impl Queue {
    /// An empty queue.
    ///
    /// # Safety
    /// - *in bounds*: the launch has `layout.bytes()` bytes of shared memory;
    /// - *no concurrent writer*: nothing else uses them while the queue lives;
    /// - `layout` has at least the capacity that [`QueueLayout::new`] gives.
    #[inline(always)]
    pub unsafe fn new(layout: QueueLayout) -> Self {
        // SAFETY: the caller grants the memory, and the layout's parts do not overlap.
        let items = unsafe { SharedArray::new(0) };
        // SAFETY: as above.
        let histograms = unsafe { SharedArray::new(layout.histograms()) };
        // SAFETY: as above.
        let control = unsafe { SharedArray::new(layout.control()) };
        // SAFETY: as above.
        let holes = unsafe { SharedArray::new(layout.holes()) };
        let queue = Queue {
            items,
            histograms,
            control,
            holes,
            layout,
            bound: 0,
        };
        queue.reset(0);
        // Separates the control words' start values from the first batch.
        sync_threads();
        queue
    }

    /// Takes in every thread's batch. Ends with a barrier.
    #[inline(always)]
    pub fn offer<B: Batch>(&mut self, mut batch: B) {
        const { assert!(B::GROUPS < 32 && B::PARTS <= 8) };
        // A bit for each group that is still to be taken in; the same in all lanes of a warp.
        let interesting = warp_vote_any(FULL_MASK, batch.may_admit(self.bound));
        let mut waiting = if interesting {
            (1u32 << B::GROUPS) - 1
        } else {
            0
        };
        loop {
            let mut group = 0;
            while waiting != 0 && group < B::GROUPS {
                if waiting >> group & 1 != 0 && self.append(&batch, group) {
                    waiting &= !(1 << group);
                }
                batch.rotate();
                group += 1;
            }
            // Separates the appends from a crop's reads; nobody leaves with items in hand.
            if !sync_threads_or(waiting != 0) {
                break;
            }
            self.crop(self.control(Control::Filled));
        }
    }

    /// Leaves the best `min(k, offered)` items at the front, unsorted, and returns their number, in
    /// every thread.
    #[inline(always)]
    pub fn finish(&mut self) -> u32 {
        let count = self.control(Control::Count);
        if count > self.layout.k {
            self.crop(count);
        }
        count.min(self.layout.k)
    }

    /// Takes `count` items that the block has put into [`Queue::items`] itself, behind a barrier.
    #[inline(always)]
    pub fn adopt(&mut self, count: u32) {
        if thread_idx_x() == 0 {
            self.control.set(Control::Count as u32, count);
        }
        // Separates the count's write from its reads, and the items' writes from theirs.
        sync_threads();
    }

    /// Appends the items of the front groups that reach the bound; false, and nothing appended,
    /// where they do not all fit. For the lanes of a warp together.
    #[inline(always)]
    #[allow(unused_assignments)] // the last part written out moves `slot` for nobody
    fn append<B: Batch>(&self, batch: &B, group: u32) -> bool {
        let (mut items, mut chosen) = ([0; 8], 0u32);
        unroll!(part in B::PARTS => {
            items[part] = batch.front(group, part);
            let admitted = items[part] >= self.bound && !is_empty(items[part]);
            chosen |= (admitted as u32) << part;
        });
        let through = warp_prefix_sum(chosen.count_ones());
        let total = warp_shuffle_idx(FULL_MASK, through, warp::WARP_SIZE - 1);
        if total == 0 {
            return true;
        }
        let base = self.reserve(total);
        if base + total > self.layout.capacity {
            return false;
        }
        let mut slot = base + through - chosen.count_ones();
        unroll!(part in B::PARTS => {
            if chosen >> part & 1 != 0 {
                self.items.set(slot, items[part]);
            }
            slot += chosen >> part & 1;
        });
        true
    }

    /// The first of `total` slots for a warp's items; they may lie behind the queue's end. For the
    /// lanes of a warp together.
    #[inline(always)]
    fn reserve(&self, total: u32) -> u32 {
        let mut base = 0;
        if lane_id() == 0 {
            base = self.control.fetch_add(Control::Count as u32, total);
            if base + total > self.layout.capacity {
                // Whoever comes later finds no room either, so the least base is what is filled.
                self.control.min(Control::Filled as u32, base);
            }
        }
        warp_shuffle_idx(FULL_MASK, base, 0)
    }

    /// Keeps the best `k` of the first `count` items, `count >= k`, and raises the bound.
    #[inline(always)]
    fn crop(&mut self, count: u32) {
        self.bound = self.find_bound(count);
        self.close_ranks(count);
        self.reset(self.layout.k);
        // Separates the new counts from the next appends.
        sync_threads();
    }

    /// Something that exactly `k` of the first `count` items reach. In every thread.
    #[inline(always)]
    fn find_bound(&self, count: u32) -> u64 {
        let (any, all) = self.common_bits(count);
        let mut open = 64 - (any ^ all).leading_zeros();
        let mut bound = all & !low_bits(open);
        let (mut rank, mut pass) = (self.layout.k, 0);
        while open > 0 {
            let shift = open.saturating_sub(DIGIT_BITS);
            let histogram = self.histogram(pass);
            self.each_item(count, |_, item| {
                if (item ^ bound) & !low_bits(open) == 0 {
                    histogram.add(((item & low_bits(open)) >> shift) as u32, 1);
                }
            });
            // Separates counting from reading; and everybody has left the histogram before this.
            sync_threads();
            let bin = find_bin(histogram, rank);
            self.clear(self.histogram(pass + 2));
            bound |= (bin.digit as u64) << shift;
            rank -= bin.above;
            if bin.count == rank {
                break;
            }
            open = shift;
            pass += 1;
        }
        bound
    }

    /// The bits set in any of the items, and those set in all. In every thread.
    #[inline(always)]
    fn common_bits(&self, count: u32) -> (u64, u64) {
        let (mut any, mut all) = (0, !0);
        self.each_item(count, |_, item| {
            any |= item;
            all &= item;
        });
        let (any_low, any_high) = (
            warp_reduce_or(FULL_MASK, any as u32),
            warp_reduce_or(FULL_MASK, (any >> 32) as u32),
        );
        let (all_low, all_high) = (
            warp_reduce_and(FULL_MASK, all as u32),
            warp_reduce_and(FULL_MASK, (all >> 32) as u32),
        );
        if lane_id() == 0 {
            self.control.or(Control::AnyLow as u32, any_low);
            self.control.or(Control::AnyHigh as u32, any_high);
            self.control.and(Control::AllLow as u32, all_low);
            self.control.and(Control::AllHigh as u32, all_high);
        }
        self.clear(self.histogram(0));
        self.clear(self.histogram(1));
        // Separates the words and the cleared histograms from their use.
        sync_threads();
        let pair = |low, high| (self.control(high) as u64) << 32 | self.control(low) as u64;
        (
            pair(Control::AnyLow, Control::AnyHigh),
            pair(Control::AllLow, Control::AllHigh),
        )
    }

    /// Moves the items that reach the bound, of which there are `k`, to the front. Ends with a
    /// barrier.
    #[inline(always)]
    fn close_ranks(&self, count: u32) {
        let k = self.layout.k;
        self.each_item(k, |at, item| {
            if item < self.bound {
                let hole = self.control.fetch_add(Control::Holes as u32, 1);
                self.holes.set(hole, at as u16);
            }
        });
        // Separates the list of holes from its use.
        sync_threads();
        let mut at = k + thread_idx_x();
        while at < count {
            let item = self.items.get(at);
            if item >= self.bound {
                let stray = self.control.fetch_add(Control::Strays as u32, 1);
                self.items.set(self.holes.get(stray) as u32, item);
            }
            at += block_dim_x();
        }
        // Separates the moved items, and the counters' use, from what comes next.
        sync_threads();
    }

    /// Sets the control words for a queue of `count` items; by thread 0, without a barrier.
    #[inline(always)]
    fn reset(&self, count: u32) {
        if thread_idx_x() == 0 {
            self.control.set(Control::Count as u32, count);
            self.control.set(Control::Filled as u32, u32::MAX);
            self.control.set(Control::Holes as u32, 0);
            self.control.set(Control::Strays as u32, 0);
            self.control.set(Control::AnyLow as u32, 0);
            self.control.set(Control::AnyHigh as u32, 0);
            self.control.set(Control::AllLow as u32, u32::MAX);
            self.control.set(Control::AllHigh as u32, u32::MAX);
        }
    }

    #[inline(always)]
    #[track_caller]
    fn control(&self, word: Control) -> u32 {
        self.control.get(word as u32)
    }

    /// The histogram of a pass.
    #[inline(always)]
    fn histogram(&self, pass: u32) -> SharedArray<u32> {
        self.histograms.at(pass % 3 * BINS)
    }

    /// Clears a histogram, without a barrier.
    #[inline(always)]
    fn clear(&self, histogram: SharedArray<u32>) {
        let mut bin = thread_idx_x();
        while bin < BINS {
            histogram.set(bin, 0);
            bin += block_dim_x();
        }
    }

    /// Calls `f` with place and value of this thread's share of the first `count` items.
    #[inline(always)]
    fn each_item(&self, count: u32, mut f: impl FnMut(u32, u64)) {
        let mut at = thread_idx_x();
        while at < count {
            f(at, self.items.get(at));
            at += block_dim_x();
        }
    }
}

/// A word with the `count` lowest bits set, `count <= 64`.
#[inline(always)]
fn low_bits(count: u32) -> u64 {
    if count >= 64 { !0 } else { (1 << count) - 1 }
}

/// The sum of `value` over this lane and those below it. For the lanes of a warp together.
#[inline(always)]
fn warp_prefix_sum(value: u32) -> u32 {
    let mut sum = value;
    unroll!(step in 5 => {
        let distance = 1 << step;
        let below = warp_shuffle_up(FULL_MASK, sum, distance);
        if lane_id() >= distance {
            sum += below;
        }
    });
    sum
}

/// A bin of a histogram, as it lies in the order from the top bin down.
struct Bin {
    digit: u32,
    /// Items in the bins above it.
    above: u32,
    /// Items in it.
    count: u32,
}

/// The bin that holds the item of this `rank` (1 is the greatest). For the lanes of a warp
/// together; every warp may do it for itself. Valid in every lane.
#[inline(always)]
fn find_bin(histogram: SharedArray<u32>, rank: u32) -> Bin {
    const PER_LANE: u32 = BINS / warp::WARP_SIZE;
    // Lane 0 has the top bins.
    let first = BINS - PER_LANE * (lane_id() + 1);
    let (low, high) = (histogram.get_vec4(first), histogram.get_vec4(first + 4));
    let counts = [
        high[3], high[2], high[1], high[0], low[3], low[2], low[1], low[0],
    ];
    let mut mine = 0;
    unroll!(i in 8 => { mine += counts[i]; });
    let through = warp_prefix_sum(mine);
    let source = warp_vote_ballot(FULL_MASK, through >= rank).trailing_zeros();
    // Every lane walks its own bins; only the source lane's result is used.
    let mut bin = Bin {
        digit: first + PER_LANE - 1,
        above: through - mine,
        count: counts[0],
    };
    unroll!(i in 7 => {
        if bin.above + bin.count < rank {
            bin = Bin { digit: bin.digit - 1, above: bin.above + bin.count, count: counts[i + 1] };
        }
    });
    Bin {
        digit: warp_shuffle_idx(FULL_MASK, bin.digit, source),
        above: warp_shuffle_idx(FULL_MASK, bin.above, source),
        count: warp_shuffle_idx(FULL_MASK, bin.count, source),
    }
}
