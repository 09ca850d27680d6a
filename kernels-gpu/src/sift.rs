//! The kernel `sift`: the best k of long rows, for a k of hundreds, a block a row.
//!
//! # Idea
//!
//! ```text
//! the best of each of 1024 groups of a sample of the row; sort them
//! until it is a few more than k's share: count those of the sample that reach one of them
//! read the row: put together what reaches it
//! sort, write
//! ```
//!
//! What the real code does differently: where fewer than `k` elements reached the step, or more
//! than there is room for, others are tried, each with a read of the row ([`find_bound`]). Where
//! many of the sample reach a step just so, such elements of the row are put together for
//! themselves, the first `k` in the row.
//!
//! # Shapes
//! As for `wide`, of longer rows.
//!
//! # Work split
//! A block a row. Its warps take turns at parts of 256 vectors of 16 bytes; the first part has the
//! elements before the row's first 16-byte boundary too, the last those behind its last.
//!
//! # Shared memory
//! [`SiftLayout`].
//!
//! # Invariants
//! - I1: at least `k` elements reach the step that is taken, or the row has fewer: all are counted
//!   (checked: differential tests).
//! - I2: at most [`SIFT_ITEMS`] are put together: others are counted alone.
//!
//! # Synchronisation
//! The block's: some twelve barriers to sort the sample, one behind a read, two for each doubling
//! of a sorted run, or eight for bins; one a turn of the warps while equals are put together.
//!
//! # Launch contract
//! [`SIFT_THREADS`] threads; `k` is at most [`crate::params::SIFT_K_MAX`], rows have at most
//! [`crate::params::SIFT_N_MAX`] elements.
//!
//! # Cost
//! Reads every element once, and [`SIFT_SAMPLE`] vectors before. Rows whose sample misleads are
//! read again for each step that is tried: at most once for each bit of a key, and six times.
//!
//! # Ties, NaN, tail
//! By key, then index. A row of fewer than k elements gets `-inf` (`+inf` for the smallest) and no
//! index in the places left.
//!
//! # Source
//! A bound from the ranks of a sample: "Randomized selection" (Floyd and Rivest, 1975). The best of
//! groups as delegates: "Dr. Top-k" (Gaihre et al., 2021).
use cuda_std::shared::SharedArray;
use cuda_std::thread::{block_idx_x, sync_threads, thread_idx_x};
use cuda_std::unroll;
use cuda_std::warp::{FULL_MASK, WARP_SIZE, lane_id, warp_reduce_add};

use crate::order::composite;
use crate::params::{
    Flip, Order, SIFT_GROUPS, SIFT_ITEMS, SIFT_K_MAX, SIFT_SAMPLE, SIFT_THREADS, ShortParams,
    SiftLayout, WIDE_STRETCH,
};
use crate::prim::answer::{Answer, AnswerShape};
use crate::prim::bin_sort::block_sort;
use crate::prim::census::BlockCensus;
use crate::prim::compact::Compact;
use crate::prim::held::{HeldPart, HeldRow, Places, put_long, step_of};
use crate::prim::merge_path::{Spread, block_sort_spread};
use crate::prim::pivots::{Reaching, Steps, find_bound};
use crate::prim::rows::{Row, row_length};
use crate::prim::scan::{warp_prefix_sum, warp_reserve};
use crate::prim::warp_sort::Item;

/// Warps of a block.
const WARPS: u32 = SIFT_THREADS / WARP_SIZE;
/// Vectors of a part.
const PART: u32 = 8 * WARP_SIZE;
/// Items of an answer that a thread moves.
const FEW: usize = 4;
const _: () = assert!(SIFT_ITEMS <= WIDE_STRETCH as u32 * SIFT_THREADS, "one stretch a thread");
const _: () = assert!(SIFT_K_MAX <= FEW as u32 * SIFT_THREADS, "an answer's items");
const _: () = assert!(2 * SIFT_K_MAX <= SIFT_ITEMS, "the best and their equals lie side by side");

/// # Safety
/// - *in bounds*: `x` points to the input; `lengths`, unless null, to the rows' lengths; `values`
///   and `indices` to the outputs; all aligned for their types;
/// - *no concurrent writer*: nothing else touches the outputs, nothing writes the inputs;
/// - `params` and the launch keep the launch contract above.
#[inline(always)]
pub unsafe fn sift<E: Compact>(
    x: *const E::Raw,
    lengths: *const u32,
    values: *mut E::Raw,
    indices: *mut u32,
    params: ShortParams,
) {
    let ShortParams { k, flip, index, order, .. } = params;
    let number = block_idx_x();
    let start = x.wrapping_add(number as usize * params.row_stride as usize);
    // SAFETY: the caller's contract on `lengths`.
    let n = unsafe { row_length(lengths, number, params.n) };
    // SAFETY: the caller's contract on `x`.
    let row = unsafe { Row::<E>::new(start, n) };
    // SAFETY: the launch contract grants the shared memory.
    let shared = unsafe { Shared::new() };
    let count = Sought { row: &row, flip, k, shared }.put_together();
    let read = |item: u64| composite(E::key((item >> 32) as u32), !(item as u32), flip);
    // Of 16-bit elements many are equal: there is room below them for the index.
    let shift = (32 - n.leading_zeros()).saturating_sub(16);
    let line = |item: u64| match E::PER_VECTOR {
        // `n` more than its complement is how far an index is from the row's end.
        8 => item.line() & 0xffff_0000 | (item as u32).wrapping_add(n) >> shift,
        _ => item.line(),
    };
    let lines = (line, |line| E::value_of_line(line, flip));
    let mut items = block_sort::<_, 1>(shared.items, count, shared.bins, read, lines);
    if order == Order::Index {
        items = by_index(items, &shared, count.min(k));
    }
    let shape = AnswerShape { k, flip, index, order };
    // SAFETY: the caller's contract on the outputs.
    let answer = unsafe { Answer::new(&row, values, indices, number, shape) };
    answer.write_ordered(count, |rank| match order {
        Order::Best => items.get(rank),
        Order::Index => items.get(rank).rotate_left(32),
    });
}

/// Sorts the first `count` items by index. For all threads of the block together; ends with a
/// barrier.
#[inline(always)]
fn by_index(items: Spread<u64>, shared: &Shared, count: u32) -> Spread<u64> {
    let list = shared.items;
    let mut own = [0; FEW];
    unroll!(i in FEW => {
        let at = i as u32 * SIFT_THREADS + thread_idx_x();
        if at < count {
            own[i] = items.get(at);
        }
    });
    // Separates the reads from the list, which lies in the same place.
    sync_threads();
    unroll!(i in FEW => {
        let at = i as u32 * SIFT_THREADS + thread_idx_x();
        if at < count {
            list.set(at, own[i].rotate_left(32));
        }
    });
    // Separates the list from its order.
    sync_threads();
    let lines = (Item::line, |line| line as f32);
    block_sort::<_, 1>(list, count, shared.bins, |item| item, lines)
}

/// The block's shared memory.
#[derive(Clone, Copy)]
struct Shared {
    sample: SharedArray<u32>,
    control: SharedArray<u32>,
    items: SharedArray<u64>,
    bins: SharedArray<u32>,
}

impl Shared {
    /// Clears the control words, for use behind a barrier, with which this ends. For all threads
    /// of the block together.
    ///
    /// # Safety
    /// - *in bounds*: the launch has [`SiftLayout::BYTES`] of shared memory;
    /// - *no concurrent writer*: nothing else uses it.
    #[inline(always)]
    unsafe fn new() -> Self {
        // SAFETY: the caller grants the memory, and the layout's parts do not overlap.
        let sample = unsafe { SharedArray::new(0) };
        // SAFETY: as above.
        let control = unsafe { SharedArray::new(SiftLayout::CONTROL) };
        // SAFETY: as above.
        let items = unsafe { SharedArray::new(SiftLayout::ITEMS) };
        // SAFETY: as above.
        let bins = unsafe { SharedArray::new(SiftLayout::BINS) };
        if thread_idx_x() < SiftLayout::CONTROL_WORDS {
            control.set(thread_idx_x(), 0);
        }
        // Separates the cleared words from their use.
        sync_threads();
        Shared { sample, control, items, bins }
    }
}

/// The best of a sample's groups, sorted: as steps.
struct Sample {
    steps: Spread<u32>,
}

impl Steps for Sample {
    #[inline(always)]
    fn count(&self) -> u32 {
        SIFT_GROUPS
    }

    #[inline(always)]
    fn get(&self, number: u32) -> u32 {
        self.steps.get(number - 1)
    }
}

impl Sample {
    /// Sorts the best of the groups of a sample, two a thread. For all threads of the block
    /// together; ends with a barrier.
    #[inline(always)]
    fn new<E: Compact>(held: &HeldRow<'_, E, 1>, words: SharedArray<u32>) -> Self {
        let keys = held.best_keys(2);
        unroll!(i in 2 => {
            words.set(2 * thread_idx_x() + i as u32, step_of::<E>(keys[i]));
        });
        // Separates the steps from their order.
        sync_threads();
        Sample { steps: block_sort_spread::<_, 2, 1>(words, SIFT_GROUPS, |step| step) }
    }
}

/// This thread's part of a row's sample: of four neighbouring vectors at each of 1024 places,
/// evenly apart.
#[inline(always)]
fn sampled<E: Compact>(row: &Row<E>, flip: Flip) -> HeldRow<'_, E, 1> {
    let count = row.vector_count();
    HeldRow::load_at(row, flip, |u| {
        let slot = u as u32 * SIFT_THREADS + thread_idx_x();
        (slot / 4 * count / (SIFT_SAMPLE / 4) + slot % 4).min(count - 1)
    })
}

/// How many of a sample's elements are to reach a step.
struct Share {
    /// So many, so that `k` of the row's do.
    least: u32,
    /// No more, so that there is room for the row's.
    most: u32,
    /// For how many all groups stand, if they did as those do whose best reach it.
    groups: u32,
}

impl Share {
    /// For the best `k` of a row of `n` elements.
    #[inline(always)]
    fn new<E: Compact>(k: u32, n: u32) -> Self {
        const GROUPS: f32 = SIFT_GROUPS as f32;
        let part = (SIFT_SAMPLE * E::PER_VECTOR as u32) as f32 / n as f32;
        let wanted = k as f32 * part;
        // Four standard deviations more, but no more than to the middle between what is wanted and
        // what there is room for.
        let middle = wanted * (0.5 + 0.5 * SIFT_ITEMS as f32 / k as f32);
        let least = (wanted + 4.0 * root(wanted) + 2.0).min(middle);
        let most = least * 1.25 + 4.0;
        // A share e^-x of the groups has none of x a group.
        let aim = (least + most) * 0.5;
        let reaching = 1.0 - 1.0 / exp_of((aim * (1.0 / GROUPS)).min(4.0));
        let [least, most, groups] = [least, most, aim / reaching].map(|number| {
            // SAFETY: from 0 to a few times the sample's elements, or k times that.
            unsafe { number.to_int_unchecked::<u32>() }
        });
        Share { least: least.max(1), most, groups }
    }
}

/// About e^x, for an x from 0 to 4.
#[inline(always)]
fn exp_of(x: f32) -> f32 {
    let y = x * 0.25;
    let part = 1.0 + y * (1.0 + y * (0.5 + y * (1.0 / 6.0 + y * (1.0 / 24.0))));
    let half = part * part;
    half * half
}

/// About the square root of a number above 0: exponent and mantissa halved.
#[inline(always)]
fn root(x: f32) -> f32 {
    f32::from_bits((x.to_bits() >> 1) + 0x1fbd_1df5)
}

/// A step that is tried.
#[derive(Clone, Copy)]
struct Tried {
    step: u32,
    /// Whether many elements reach it just so.
    has_many: bool,
}

/// What is looked for in a row.
#[derive(Clone, Copy)]
struct Sought<'r, E: Compact> {
    row: &'r Row<E>,
    flip: Flip,
    k: u32,
    shared: Shared,
}

impl<E: Compact> Reaching for Sought<'_, E> {
    #[inline(always)]
    fn own_reaching(&self, step: u32) -> u32 {
        if step <= step_of::<E>(E::worst_key(self.flip)) {
            // All do. Nobody asks how many of them are this thread's.
            return 0;
        }
        let (mut number, parts, mut own) = (thread_idx_x() / WARP_SIZE, self.parts(), 0);
        while number < parts {
            own += self.part(number, parts).own_reaching(step);
            number += WARPS;
        }
        own
    }
}

impl<'r, E: Compact> Sought<'r, E> {
    /// Puts elements together among which are the best `k`; all where the row has no more than
    /// there is room for. How many they are. For all threads of the block together; ends with a
    /// barrier.
    #[inline(always)]
    fn put_together(&self) -> u32 {
        let (n, k) = (self.row.len(), self.k);
        if n <= SIFT_ITEMS {
            return self.collect_all();
        }
        let held = sampled(self.row, self.flip);
        let sample = Sample::new(&held, self.shared.sample);
        let mut census = BlockCensus::new(self.shared.control.at(SiftLayout::SUMS));
        let share = Share::new::<E>(k, n);
        let (sizes, stands_for) =
            ((share.least, share.most), (SIFT_SAMPLE * E::PER_VECTOR as u32, share.groups));
        let bound = find_bound::<E, _>(&held, self.flip, &sample, &mut census, sizes, stands_for);
        let mut tried = Tried { step: bound.step, has_many: bound.count > share.most };
        let mut counter = SiftLayout::COUNTER;
        loop {
            let count = match tried.has_many {
                true => self.collect_equals(tried.step, counter),
                false => self.collect(tried.step, counter),
            };
            if k <= count && count <= SIFT_ITEMS || counter == SiftLayout::LAST_COUNTER {
                return count;
            }
            counter = SiftLayout::LAST_COUNTER;
            let sizes = (k, SIFT_ITEMS);
            let bound = find_bound::<E, _>(self, self.flip, &sample, &mut census, sizes, (n, n));
            tried = Tried { step: bound.step, has_many: bound.count > SIFT_ITEMS };
        }
    }

    /// Puts the whole row together. For all threads of the block together; ends with a barrier.
    #[inline(always)]
    fn collect_all(&self) -> u32 {
        let n = self.row.len();
        let mut index = thread_idx_x();
        while index < n {
            put_long::<E>(self.shared.items.at(index), self.row.element(index), !index);
            index += SIFT_THREADS;
        }
        // Separates the items from their order.
        sync_threads();
        n
    }

    /// A warp's part of the row, of `parts`.
    #[inline(always)]
    fn part(&self, number: u32, parts: u32) -> HeldRow<'r, E, 1> {
        let part = HeldPart {
            first: number * PART,
            has_head: number == 0,
            has_tail: number == parts - 1,
            ..HeldPart::WHOLE
        };
        HeldRow::load_part(self.row, part, self.flip)
    }

    /// Parts of the row.
    #[inline(always)]
    fn parts(&self) -> u32 {
        self.row.vector_count().div_ceil(PART).max(1)
    }

    /// Puts what reaches a step together, as far as there is room; how many do. `counter` is 0. For
    /// all threads of the block together; ends with a barrier.
    #[inline(always)]
    fn collect(&self, step: u32, counter: u32) -> u32 {
        let counter = self.shared.control.at(counter);
        let (mut number, parts) = (thread_idx_x() / WARP_SIZE, self.parts());
        while number < parts {
            let held = self.part(number, parts);
            let own = held.own_reaching(step);
            let slot = warp_reserve(counter, own);
            if own > 0 && slot + own <= SIFT_ITEMS {
                held.put_long_reaching(step, slot, self.shared.items);
            }
            number += WARPS;
        }
        // Separates the items and their number from their use.
        sync_threads();
        counter.get(0)
    }

    /// Puts together what is better than a step, and of what reaches it just so the first `k`. How
    /// many these are; 0 where there is no room for them, or they are fewer than `k`.
    /// `counter` is 0. For all threads of the block together; ends with a barrier.
    #[inline(always)]
    fn collect_equals(&self, step: u32, counter: u32) -> u32 {
        let (k, warp) = (self.k, thread_idx_x() / WARP_SIZE);
        let Shared { control, items, .. } = self.shared;
        let (counter, sums) = (control.at(counter), control.at(SiftLayout::EQUALS));
        let has_better = step < step_of::<E>(u32::MAX);
        let equals = items.at(SIFT_ITEMS - k);
        let (parts, mut turn, mut found) = (self.parts(), 0, 0);
        while turn * WARPS < parts {
            let mut equal = Places::NONE;
            let number = turn * WARPS + warp;
            // Behind the last part there is none, and its warp has nothing.
            let held = self.part(number.min(parts - 1), parts);
            if number < parts {
                let better = if has_better { held.places_reaching(step + 1) } else { Places::NONE };
                equal = held.places_reaching(step).without(&better);
                let own = better.own_count();
                let slot = warp_reserve(counter, own);
                if own > 0 && slot + own <= SIFT_ITEMS - k {
                    held.put_long(&better, slot, items);
                }
            }
            if found < k {
                let of_turn = sums.at(turn % 2 * WARPS);
                let count = equal.count();
                if lane_id() == 0 {
                    of_turn.set(warp, count);
                }
                // Separates the warps' counts from their sums, and those from the next but one's.
                sync_threads();
                let of_lane = if lane_id() < WARPS { of_turn.get(lane_id()) } else { 0 };
                let before = if lane_id() < warp { of_lane } else { 0 };
                let before = found + warp_reduce_add(FULL_MASK, before);
                found += warp_reduce_add(FULL_MASK, of_lane);
                let first = held.first_of(&equal, k.saturating_sub(before));
                let own = first.own_count();
                let slot = before + warp_prefix_sum(own) - own;
                if own > 0 {
                    held.put_long(&first, slot, equals);
                }
            }
            turn += 1;
        }
        // Separates the items and their number from their use.
        sync_threads();
        let (better, found) = (counter.get(0), found.min(k));
        if better > SIFT_ITEMS - k || better + found < k {
            return 0;
        }
        let mut own = [0; FEW];
        unroll!(i in FEW => {
            let at = i as u32 * SIFT_THREADS + thread_idx_x();
            if at < found {
                own[i] = equals.get(at);
            }
        });
        // Separates the reads from the writes, which may be to the same places.
        sync_threads();
        unroll!(i in FEW => {
            let at = i as u32 * SIFT_THREADS + thread_idx_x();
            if at < found {
                items.set(better + at, own[i]);
            }
        });
        // Separates the items from their order.
        sync_threads();
        better + found
    }
}
