//! The running top-k of a block: a queue in shared memory and a bound that only rises.
//!
//! # Idea
//!
//! ```text
//! until there is nothing left:
//!     each warp, on its own:
//!         for each batch:
//!             append the items that reach the bound
//!             if they do not fit: wait for the others
//!     all warps, where one waits or too many are left in the end:
//!         crop the queue to its best k; bound = something these k reach, and no other item
//! ```
//!
//! Who knows a bound beforehand sets it (prim::survey). A crop is a radix select from the top digit
//! down: count the items' digits, find the digit in which the k-th largest lies, go on with the
//! items that have it. It ends as soon as a digit's items are wanted all. Items are composites, of
//! which no two are equal, so exactly `k` items reach the bound that a crop finds, and ties need no
//! thought here.
//!
//! # What the real code does differently, and why
//!
//! 1. Warps meet only when one has no room: a barrier a batch would stop the loads of all.
//! 2. Digits are of the distance from the least item, and start at the highest bit in which any
//!    two distances differ: the leading bits of rows whose elements are all equal, or lie around a
//!    power of two, would spend passes on digits that tell nothing. The same goes for the lower
//!    words apart: [`Line`].
//! 3. Two histograms take turns: while one warp looks for the bin, the others clear the next. So do
//!    two sets of words for the range, one of which is reset while the other is in use.
//! 4. Cropping moves items in place, a few of each thread at a time: there are never more wanted
//!    ones than have been read.
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
use cuda_std::unroll;
use cuda_std::warp::{
    FULL_MASK, WARP_SIZE, lane_id, warp_reduce_add, warp_reduce_max, warp_reduce_min,
    warp_shuffle_idx, warp_vote_any, warp_vote_ballot,
};

use super::scan::{Bin, WARP_BINS, warp_find_bin, warp_reserve};
use super::tops::{Ranking, rank_keys};
use crate::params::{BINS, CONTROL_WORDS, Control, QueueLayout, bound_spare};

const _: () = assert!(BINS == WARP_BINS);

/// Bits of a digit.
const DIGIT_BITS: u32 = BINS.ilog2();

/// Items that a warp offers at once, held in registers: each lane has up to 32, by number.
pub trait Batch: Default {
    /// A bit for each item of this lane that reaches the bound; right but for items that are equal
    /// to its element, and never one where there is no item.
    fn admitted(&self, bound: u64) -> u32;
    /// Item `number` of this lane.
    fn item(&self, number: u32) -> u64;
    /// How many items a lane has where it has all.
    const ITEMS: u32;
    /// Calls `f` with number and value of each item of a lane that has all.
    fn each(&self, f: impl FnMut(u32, u64));
}

/// Where a warp's batches come from. The same in all lanes of a warp.
pub trait Source {
    /// What it gives.
    type Batch: Batch;
    /// Whether there is another batch.
    fn has_next(&self) -> bool;
    /// The next batch; one without items where there is none.
    fn next(&mut self) -> Self::Batch;
}

/// The queue. Every method is for all threads of the block together, unless it says otherwise.
pub struct Queue {
    /// The items, unsorted.
    pub items: SharedArray<u64>,
    histograms: SharedArray<u32>,
    control: SharedArray<u32>,
    layout: QueueLayout,
    /// Items that it started with.
    pub first: u32,
    /// Items that survive a crop.
    k: u32,
    bound: u64,
    /// Bounds looked for so far: whose turn it is among the words of ranges.
    searches: u32,
}

impl Queue {
    /// A queue of the best `k` that starts with `count` items, fewer than there are threads and
    /// slots. For use behind the next barrier.
    ///
    /// # Safety
    /// - *in bounds*: the launch has `layout.bytes()` bytes of shared memory;
    /// - *no concurrent writer*: nothing else uses them while the queue lives;
    /// - `layout` has at least the capacity that [`QueueLayout::new`] gives, for this `k` or a
    ///   greater one.
    #[inline(always)]
    pub unsafe fn new(layout: QueueLayout, k: u32, count: u32, item: impl Fn(u32) -> u64) -> Self {
        // SAFETY: the caller grants the memory, and the layout's parts do not overlap.
        let items = unsafe { SharedArray::new(0) };
        // SAFETY: as above.
        let histograms = unsafe { SharedArray::new(layout.histograms()) };
        // SAFETY: as above.
        let control = unsafe { SharedArray::new(layout.control()) };
        let mut word = thread_idx_x();
        while word < CONTROL_WORDS {
            control.set(word, Control::start_value(word, count));
            word += block_dim_x();
        }
        if thread_idx_x() < count {
            items.set(thread_idx_x(), item(thread_idx_x()));
        }
        Queue { items, histograms, control, layout, first: count, k, bound: 0, searches: 0 }
    }

    /// Takes in everything that the source has, and leaves at most `keep` items, `keep >= k`, the
    /// best `k` among them, unsorted. Ends with a barrier.
    #[inline(always)]
    pub fn absorb<S: Source>(&mut self, mut source: S, keep: u32) {
        let mut batch = S::Batch::default();
        let mut waiting = 0;
        if source.has_next() {
            batch = source.next();
            waiting = batch.admitted(self.bound);
        }
        let (mut overfull, mut ended) = (0, false);
        // The same in all threads of the block.
        loop {
            if overfull > 0 {
                // While others wait, all the room there can be.
                self.crop(overfull, (self.k, if ended { keep } else { self.k }));
                waiting &= batch.admitted(self.bound);
            }
            if ended {
                return;
            }
            let is_waiting = self.flow(&mut source, &mut batch, &mut waiting);
            // Separates the appends from a crop's reads; who waits or has more keeps all here.
            ended = !sync_threads_or(is_waiting || source.has_next());
            overfull = self.control(if ended { Control::Count } else { Control::Filled });
            if ended && overfull <= keep {
                return;
            }
        }
    }

    /// Leaves at most `keep` of the items, the best `least` among them, unsorted, where `k <= least
    /// <= keep`; `false`, and just the `before` items that it had before others were offered, where
    /// there was no room for all. Begins with a barrier; behind the next one items may be added.
    #[inline(always)]
    pub fn settle(&mut self, before: u32, (least, keep): (u32, u32)) -> bool {
        // Separates the items from a crop's reads.
        sync_threads();
        let count = self.count();
        if count > self.layout.capacity {
            // Separates the count's read from its change.
            sync_threads();
            if thread_idx_x() == 0 {
                self.set_count(before);
            }
            // Separates the count's change from its use.
            sync_threads();
            return false;
        }
        if count > keep {
            self.crop(count, (least, keep));
        }
        true
    }

    /// Lets one warp's batches flow in until they end or there is no room, or another warp has
    /// none; whether items wait for room. For the lanes of a warp together.
    #[inline(always)]
    fn flow<S: Source>(&self, source: &mut S, batch: &mut S::Batch, waiting: &mut u32) -> bool {
        loop {
            if self.append(batch, waiting) {
                return true;
            }
            if !source.has_next() || self.is_overfull() {
                return false;
            }
            *batch = source.next();
            *waiting = batch.admitted(self.bound);
        }
    }

    /// Adds what reaches the bound of a batch, if there is room; counts it in any case. For the
    /// lanes of a warp together.
    #[inline(always)]
    pub fn offer<B: Batch>(&self, batch: &B) {
        let mut waiting = batch.admitted(self.bound);
        let count = self.control.at(Control::Count as u32);
        let mut slot = warp_reserve(count, waiting.count_ones());
        while waiting != 0 {
            if slot < self.layout.capacity {
                self.items.set(slot, batch.item(waiting.trailing_zeros()));
            }
            waiting &= waiting - 1;
            slot += 1;
        }
    }

    /// Adds an item, if there is room; counts it in any case. By any thread.
    #[inline(always)]
    pub fn offer_one(&self, item: u64) {
        let slot = self.control.fetch_add(Control::Count as u32, 1);
        if slot < self.layout.capacity {
            self.items.set(slot, item);
        }
    }

    /// Lets no item that was offered find room: [`Queue::settle`] tells. By any thread.
    #[inline(always)]
    pub fn refuse(&self) {
        self.control.fetch_add(Control::Count as u32, self.layout.capacity + 1);
    }

    /// How many parts of units are listed.
    #[inline(always)]
    pub fn parts(&self) -> SharedArray<u32> {
        self.control.at(Control::Parts as u32)
    }

    /// Forgets the list of parts and what was left out. For all threads of the block together,
    /// behind a barrier.
    #[inline(always)]
    pub fn forget_parts(&self) {
        if thread_idx_x() == 0 {
            self.parts().set(0, 0);
            self.control.set(Control::LeftOut as u32, u32::MAX);
            self.control.set(Control::LeftOut as u32 + 1, u32::MAX);
        }
    }

    /// How many of the queue's items reach `bound`, in every thread. For all threads of the block
    /// together, behind a barrier, once in a queue's life; ends with one.
    #[inline(always)]
    pub fn count_reaching(&self, bound: u64) -> u32 {
        let mut reaching = 0;
        Cropped { items: self.items, count: self.count() }
            .each(|_, item| reaching += (item >= bound) as u32);
        self.sum(0, reaching)
    }

    /// Notes something about the queue's block. By any thread.
    #[inline(always)]
    pub fn note(&self) {
        self.control.or(Control::Noted as u32, 1);
    }

    /// Whether anything was noted; behind a barrier.
    #[inline(always)]
    pub fn is_noted(&self) -> bool {
        self.control(Control::Noted) > 0
    }

    /// The number of items, in every thread; behind a barrier.
    #[inline(always)]
    pub fn count(&self) -> u32 {
        self.control(Control::Count)
    }

    /// Room for as many items behind the first `count`.
    #[inline(always)]
    pub fn spare(&self, count: u32) -> SharedArray<u64> {
        self.items.at(count)
    }

    /// Whether some warp found no room. For the lanes of a warp together.
    ///
    /// The vote matters: while another warp is just finding out, one lane may read the word before
    /// and the next lane after, and the warp would part.
    #[inline(always)]
    fn is_overfull(&self) -> bool {
        let filled = self.control.load_relaxed(Control::Filled as u32);
        warp_vote_any(FULL_MASK, filled != u32::MAX)
    }

    /// Appends the items whose bits are set, and clears the bits of those that found room; whether
    /// some did not. Room is taken for all at once, unless they are more than ever find room
    /// together. For the lanes of a warp together.
    #[inline(always)]
    fn append<B: Batch>(&self, batch: &B, waiting: &mut u32) -> bool {
        let total = warp_reduce_add(FULL_MASK, waiting.count_ones());
        if total == 0 {
            return false;
        }
        let at_once = total <= self.layout.capacity - self.k;
        let mut slot = 0;
        if at_once {
            slot = self.reserve(total);
            if slot + total > self.layout.capacity {
                return true;
            }
            if total == B::ITEMS * WARP_SIZE {
                // All of them: without looking for who has which.
                batch.each(|number, item| {
                    self.items.set(slot + number * WARP_SIZE + lane_id(), item);
                });
                *waiting = 0;
                return false;
            }
        }
        loop {
            // One of each lane at a time.
            let votes = warp_vote_ballot(FULL_MASK, *waiting != 0);
            if votes == 0 {
                return false;
            }
            if !at_once {
                slot = self.reserve(votes.count_ones());
                if slot + votes.count_ones() > self.layout.capacity {
                    return true;
                }
            }
            if *waiting != 0 {
                let below = votes & ((1 << lane_id()) - 1);
                let item = batch.item(waiting.trailing_zeros());
                self.items.set(slot + below.count_ones(), item);
                *waiting &= *waiting - 1;
            }
            slot += votes.count_ones();
        }
    }

    /// The first of `wanted` slots for a warp's items; they may lie behind the queue's end. For the
    /// lanes of a warp together.
    #[inline(always)]
    fn reserve(&self, wanted: u32) -> u32 {
        let mut base = 0;
        if lane_id() == 0 {
            base = self.control.fetch_add(Control::Count as u32, wanted);
            if base + wanted > self.layout.capacity {
                // Whoever comes later finds no room either, so the least base is what is filled.
                self.control.min(Control::Filled as u32, base);
            }
        }
        warp_shuffle_idx(FULL_MASK, base, 0)
    }

    /// Room for keys that are ranked by counting, until a bound is looked for otherwise.
    #[inline(always)]
    pub fn tops(&self) -> SharedArray<u32> {
        self.histograms
    }

    /// Ranks `count` of [`Queue::tops`], and raises the bound to what `ranking.k` of them reach.
    /// Once in a queue's life.
    #[inline(always)]
    pub fn rank_tops(&mut self, count: u32, ranking: Ranking) -> u32 {
        let found = self.control.at(Control::Surveyed as u32);
        let bound = rank_keys(self.tops(), count, ranking, found, self.best_tops());
        self.raise(bound);
        bound
    }

    /// The best keys that [`Queue::rank_tops`] was asked for.
    #[inline(always)]
    pub fn best_tops(&self) -> SharedArray<u32> {
        self.control.at(Control::BestTops as u32)
    }

    /// Raises the bound to a key that at least `k` of `keys` reach, and not many more but for
    /// equals; how many do, or more. `base` is at most the k-th best key, and none is further
    /// above it than `span`. For all threads of the block together, behind [`Queue::range_of`].
    #[inline(always)]
    pub fn raise_to_kth_key(&mut self, keys: &impl Keys, (base, span): (u32, u32)) -> u32 {
        let greatest = base + span;
        let (mut base, mut most, mut rank, mut pass) = (base, span, self.k, 0);
        loop {
            let shift = (32 - most.leading_zeros()).saturating_sub(DIGIT_BITS);
            if most == 0 {
                // All of them are equal.
                self.raise(base);
                return u32::MAX;
            }
            let histogram = self.histogram(pass);
            keys.each(|key| {
                // Below the base it wraps round.
                let from_base = key.wrapping_sub(base);
                if from_base <= most {
                    histogram.add(from_base >> shift, 1);
                }
            });
            // Separates counting from reading.
            sync_threads();
            let bin = self.find_bin(pass, rank);
            base += bin.digit << shift;
            rank -= bin.above;
            if bin.count <= rank + bound_spare(self.k) {
                self.raise(base);
                return self.k - rank + bin.count;
            }
            // No further than there are keys, so that nothing wraps round into the digit.
            (most, pass) = ((greatest - base).min((1 << shift) - 1), pass + 1);
        }
    }

    /// Raises the bound to whatever has this key.
    #[inline(always)]
    pub fn raise(&mut self, key: u32) {
        self.bound = self.bound.max((key as u64) << 32);
    }

    /// From this index on equals of the bound's key, or of the next one `above` it, are left out:
    /// `k` of them lie before. By one lane of a warp.
    #[inline(always)]
    pub fn leave_out(&self, index: u32, above: bool) {
        self.control.min(Control::LeftOut as u32 + above as u32, index);
    }

    /// Raises the bound above what was left out. For all threads of the block together; begins with
    /// a barrier.
    #[inline(always)]
    pub fn raise_above_left_out(&mut self) {
        // Separates the leaving out from its use.
        sync_threads();
        let words = self.control.at(Control::LeftOut as u32);
        let key = (self.bound >> 32) as u32;
        let raised = |key: u32, first: u32| match first {
            u32::MAX => 0,
            _ => (key as u64) << 32 | !(first - 1) as u64,
        };
        let same = raised(key, words.get(0));
        self.bound = self.bound.max(same).max(raised(key.saturating_add(1), words.get(1)));
    }

    /// The bound.
    #[inline(always)]
    pub fn bound(&self) -> u64 {
        self.bound
    }

    /// Items that fit.
    #[inline(always)]
    pub fn capacity(&self) -> u32 {
        self.layout.capacity
    }

    /// The sum over all threads. Each of the numbers 0 and 1 once in a queue's life. Ends with a
    /// barrier.
    #[inline(always)]
    pub fn sum(&self, number: u32, value: u32) -> u32 {
        let total = self.control.at(Control::Sums as u32 + number);
        let sum = warp_reduce_add(FULL_MASK, value);
        if lane_id() == 0 {
            total.add(0, sum);
        }
        // Separates the sum from its use.
        sync_threads();
        total.get(0)
    }

    /// The sum of what the warps before this one give, each the same in all lanes. Between two
    /// calls there is a barrier.
    #[inline(always)]
    pub fn sum_of_earlier_warps(&self, value: u32) -> u32 {
        let (values, warp) = (self.control.at(Control::Ties as u32), thread_idx_x() / WARP_SIZE);
        if lane_id() == 0 {
            values.set(warp, value);
        }
        // Separates the values from their sum.
        sync_threads();
        warp_reduce_add(FULL_MASK, if lane_id() < warp { values.get(lane_id()) } else { 0 })
    }

    /// Keeps the best `least` of the first `count` items, `count >= least`, and at most `keep`;
    /// raises the bound. Ends with a barrier.
    #[inline(always)]
    pub fn crop(&mut self, count: u32, (least, keep): (u32, u32)) {
        let items = Cropped { items: self.items, count };
        self.bound = self.find_bound(&items, (least, keep));
        if thread_idx_x() == 0 {
            // Everybody has read the old words before the search's barriers.
            self.set_count(0);
        }
        self.close_ranks(count);
    }

    /// The `least`-th best item, or something below it that no more than `keep` items reach. In
    /// every thread.
    #[inline(always)]
    fn find_bound(&mut self, items: &Cropped, (least, keep): (u32, u32)) -> u64 {
        let words = self.range_words(self.searches);
        self.range(items);
        let line = Line::new(|word| words.get(word));
        let mut open = line.bits();
        let (mut offset, mut rank, mut pass) = (0u64, least, 0);
        while open > 0 {
            let shift = open.saturating_sub(DIGIT_BITS);
            let histogram = self.histogram(pass);
            items.each(|_, item| {
                let place = line.place(item);
                if (place ^ offset) & !low_bits(open) == 0 {
                    histogram.add(((place & low_bits(open)) >> shift) as u32, 1);
                }
            });
            // Separates counting from reading.
            sync_threads();
            let bin = self.find_bin(pass, rank);
            offset |= (bin.digit as u64) << shift;
            rank -= bin.above;
            if least - rank + bin.count <= keep {
                break;
            }
            open = shift;
            pass += 1;
        }
        line.item(offset)
    }

    /// Something that no item is below, and how far at most the greatest is above it. In every
    /// thread. Clears the first histogram.
    #[inline(always)]
    fn range(&mut self, items: &Cropped) -> (u64, u64) {
        let (mut least_high, mut most_high) = (u32::MAX, 0);
        let (mut least_low, mut most_low) = (u32::MAX, 0);
        items.each(|_, item| {
            let (high, low) = ((item >> 32) as u32, item as u32);
            (least_high, most_high) = (least_high.min(high), most_high.max(high));
            (least_low, most_low) = (least_low.min(low), most_low.max(low));
        });
        self.range_of((least_high, least_low), (most_high, most_low))
    }

    /// As [`Queue::range`], of each thread's least and greatest upper and lower word. For all
    /// threads of the block together, behind a barrier; ends with one.
    #[inline(always)]
    pub fn range_of(&mut self, least: (u32, u32), most: (u32, u32)) -> (u64, u64) {
        let words = self.range_words(self.searches);
        let least = (warp_reduce_min(FULL_MASK, least.0), warp_reduce_min(FULL_MASK, least.1));
        let most = (warp_reduce_max(FULL_MASK, most.0), warp_reduce_max(FULL_MASK, most.1));
        if lane_id() == 0 {
            words.min(0, least.0);
            words.max(1, most.0);
            words.min(2, least.1);
            words.max(3, most.1);
        }
        self.clear(self.histogram(0), 0);
        // Separates the words and the cleared histogram from their use.
        sync_threads();
        self.searches += 1;
        if thread_idx_x() == 0 {
            // The next search's words; its first use of them is behind this search's next barrier.
            self.reset_range(self.searches);
        }
        let high = (words.get(0), words.get(1));
        if high.0 == high.1 {
            let low = (words.get(2), words.get(3));
            ((high.0 as u64) << 32 | low.0 as u64, (low.1 - low.0) as u64)
        } else {
            ((high.0 as u64) << 32, ((high.1 - high.0) as u64) << 32 | low_bits(32))
        }
    }

    /// The bin that holds the item of this `rank`, in every thread. Clears the next pass's
    /// histogram. Ends with a barrier.
    #[inline(always)]
    fn find_bin(&self, pass: u32, rank: u32) -> Bin {
        let found = self.control.at(Control::Found as u32);
        // One warp looks, which is quicker than all doing the same; the others clear.
        let others = block_dim_x() > WARP_SIZE;
        if thread_idx_x() < WARP_SIZE {
            let bin = warp_find_bin(self.histogram(pass), rank);
            if lane_id() == 0 {
                found.set(0, bin.digit);
                found.set(1, bin.above);
                found.set(2, bin.count);
            }
        }
        if !others || thread_idx_x() >= WARP_SIZE {
            self.clear(self.histogram(pass + 1), if others { WARP_SIZE } else { 0 });
        }
        // Separates the finding from its use, and the cleared histogram from the next count.
        sync_threads();
        Bin { digit: found.get(0), above: found.get(1), count: found.get(2) }
    }

    /// Moves those of the first `count` items that reach the bound to the front, and counts them.
    /// Begins with a barrier behind the counter's reset, and ends with one.
    #[inline(always)]
    fn close_ranks(&self, count: u32) {
        const ROUND: usize = 4;
        let mut first = 0;
        while first < count {
            let (mut items, mut wanted) = ([0; ROUND], 0u32);
            unroll!(i in ROUND => {
                let at = first + i as u32 * block_dim_x() + thread_idx_x();
                if at < count {
                    items[i] = self.items.get(at);
                    wanted |= ((items[i] >= self.bound) as u32) << i;
                }
            });
            // Separates the reads of a round from its writes, which never reach the next round's.
            sync_threads();
            let count = self.control.at(Control::Count as u32);
            let mut slot = warp_reserve(count, wanted.count_ones());
            unroll!(i in ROUND => {
                if wanted >> i & 1 != 0 {
                    self.items.set(slot, items[i]);
                    slot += 1;
                }
            });
            first += ROUND as u32 * block_dim_x();
        }
        // Separates the moved items from what comes next.
        sync_threads();
    }

    /// What no item of the first `count` is below and how far at most the greatest is above it; and
    /// the least and the greatest lower word. For all threads of the block together, behind a
    /// barrier; ends with one.
    #[inline(always)]
    pub fn prepare_bins(&mut self, count: u32) -> ((u64, u64), (u32, u32)) {
        let words = self.range_words(self.searches);
        let range = self.range(&Cropped { items: self.items, count });
        (range, (words.get(2), words.get(3)))
    }

    /// Words for other counts, and how many, at least two histograms'. They are where a survey
    /// keeps its keys or where a bound is looked for: neither may be under way.
    #[inline(always)]
    pub fn room_for_bins(&self) -> (SharedArray<u32>, u32) {
        let keys = self.layout.survey_keys;
        if keys <= 2 * BINS {
            return (self.histograms, 2 * BINS);
        }
        // SAFETY: `new`'s caller grants the layout's memory; no survey is under way.
        (unsafe { SharedArray::new(self.layout.keys()) }, keys)
    }

    /// A word for what one warp tells the others.
    #[inline(always)]
    pub fn notice(&self) -> SharedArray<u32> {
        self.control.at(Control::Found as u32)
    }

    /// Sets the number of items; by thread 0, without a barrier.
    #[inline(always)]
    fn set_count(&self, count: u32) {
        self.control.set(Control::Count as u32, count);
        self.control.set(Control::Filled as u32, u32::MAX);
    }

    /// Clears a search's words; by thread 0, without a barrier.
    #[inline(always)]
    fn reset_range(&self, search: u32) {
        let words = self.range_words(search);
        words.set(0, u32::MAX);
        words.set(1, 0);
        words.set(2, u32::MAX);
        words.set(3, 0);
    }

    /// The words of a search.
    #[inline(always)]
    fn range_words(&self, search: u32) -> SharedArray<u32> {
        self.control.at(Control::Range as u32 + search % 2 * 4)
    }

    #[inline(always)]
    #[track_caller]
    fn control(&self, word: Control) -> u32 {
        self.control.get(word as u32)
    }

    /// The histogram of a pass.
    #[inline(always)]
    fn histogram(&self, pass: u32) -> SharedArray<u32> {
        self.histograms.at(pass % 2 * BINS)
    }

    /// Clears a histogram, by the threads from `first` on, without a barrier.
    #[inline(always)]
    fn clear(&self, histogram: SharedArray<u32>, first: u32) {
        let mut bin = thread_idx_x() - first;
        while bin < BINS {
            histogram.set(bin, 0);
            bin += block_dim_x() - first;
        }
    }
}

/// Keys that a block holds together, some in each thread.
pub trait Keys {
    /// Calls `f` with each of this thread's keys, and perhaps with some zeros.
    fn each(&self, f: impl FnMut(u32));
}

/// The first items of the queue, spread over the block.
struct Cropped {
    items: SharedArray<u64>,
    count: u32,
}

impl Cropped {
    /// Calls `f` with number and value of this thread's items.
    #[inline(always)]
    fn each(&self, mut f: impl FnMut(u32, u64)) {
        let mut at = thread_idx_x();
        while at < self.count {
            f(at, self.items.get(at));
            at += block_dim_x();
        }
    }
}

/// Items in order on a line that is as short as their words' ranges let it be: few distinct keys
/// leave few bits to look at.
#[derive(Clone, Copy)]
struct Line {
    /// The least upper and the least lower word.
    least: (u32, u32),
    /// The greatest distance of an upper word from the least.
    span: u32,
    /// Bits of the greatest distance of a lower word.
    low: u32,
}

impl Line {
    /// Of items whose words' range is `words`: least and greatest upper, least and greatest lower.
    #[inline(always)]
    fn new(words: impl Fn(u32) -> u32) -> Line {
        let least = (words(0), words(2));
        let low = 32 - (words(3) - least.1).leading_zeros();
        Line { least, span: words(1) - least.0, low }
    }

    /// Bits of a place, at least 1.
    #[inline(always)]
    fn bits(&self) -> u32 {
        (32 - self.span.leading_zeros() + self.low).max(1)
    }

    /// An item's place.
    #[inline(always)]
    fn place(&self, item: u64) -> u64 {
        let high = ((item >> 32) as u32 - self.least.0) as u64;
        high << self.low | (item as u32 - self.least.1) as u64
    }

    /// The item at a place.
    #[inline(always)]
    fn item(&self, place: u64) -> u64 {
        let low = (place & low_bits(self.low)) as u32 + self.least.1;
        (((place >> self.low) as u32 + self.least.0) as u64) << 32 | low as u64
    }
}

/// A word with the `count` lowest bits set, `count <= 64`.
#[inline(always)]
fn low_bits(count: u32) -> u64 {
    if count >= 64 { !0 } else { (1 << count) - 1 }
}
