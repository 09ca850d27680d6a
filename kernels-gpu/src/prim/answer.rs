//! From a queue to a row's answer: order, write.
use cuda_std::count::count_above;
use cuda_std::global::GlobalArrayMut;
use cuda_std::shared::SharedArray;
use cuda_std::thread::{block_dim_x, sync_threads, thread_idx_x};
use cuda_std::unroll;
use cuda_std::warp::{FULL_MASK, WARP_SIZE, lane_id, sync_warp};

use super::bins::{Ordering, block_order};
use super::compact::Compact;
use super::element::{Element, place_on_line};
use super::merge_path::Spread;
use super::queue::Queue;
use super::rows::Row;
use super::sort::block_rank;
use super::warp_sort::warp_sort_descending;
use crate::order::{NAN_KEY, composite, empty, index_of, is_empty, key_of, unique_bits};
use crate::params::{BIN_MAX, Flip, Index, Order, RANKED_MAX, SelectParams};

/// What becomes of a row's best items, once they are in one block's queue.
pub trait Finish<E: Element> {
    /// Whether the row is wanted at all: the same in all blocks of the row.
    #[inline(always)]
    fn is_wanted(&self) -> bool {
        true
    }

    /// How many items may be left in the queue.
    fn keep(&self) -> u32;

    /// Takes the queue's items, the best k among them. `has_nan` is right in thread 0. For all
    /// threads of the block together.
    fn finish(&self, row: &Row<E>, queue: &mut Queue, has_nan: bool);
}

/// The end of `select` and `cluster`: the answer is written. Its addresses are made when they are
/// needed, so that they take no registers while the row is read.
pub struct Writing<E: Element, const LARGE: bool> {
    values: *mut E::Raw,
    indices: *mut u32,
    number: u32,
    shape: AnswerShape,
    capacity: u32,
}

impl<E: Element, const LARGE: bool> Writing<E, LARGE> {
    /// For row number `number`.
    ///
    /// # Safety
    /// As for [`Answer::new`].
    #[inline(always)]
    pub unsafe fn new(
        values: *mut E::Raw,
        indices: *mut u32,
        number: u32,
        params: &SelectParams,
    ) -> Self {
        let SelectParams { k, flip, index, order, capacity, .. } = *params;
        let shape = AnswerShape { k, flip, index, order };
        Writing { values, indices, number, shape, capacity }
    }
}

impl<E: Element, const LARGE: bool> Finish<E> for Writing<E, LARGE> {
    #[inline(always)]
    fn keep(&self) -> u32 {
        if LARGE { self.shape.keep(self.capacity) } else { self.shape.keep_few() }
    }

    #[inline(always)]
    fn finish(&self, row: &Row<E>, queue: &mut Queue, _has_nan: bool) {
        // SAFETY: `new`'s caller vouches for the outputs.
        let answer =
            unsafe { Answer::new(row, self.values, self.indices, self.number, self.shape) };
        if LARGE {
            answer.write(queue);
        } else {
            answer.write_few(queue);
        }
    }
}

/// Where a row's answer goes: `values [rows, k]` in the input's type, `indices [rows, k]` of `u32`
/// or `i64`.
pub struct Answer<'a, E: Element> {
    row: &'a Row<E>,
    values: GlobalArrayMut<E::Raw>,
    indices: GlobalArrayMut<u32>,
    wide_indices: GlobalArrayMut<i64>,
    base: u64,
    shape: AnswerShape,
}

/// What an answer is like.
#[derive(Clone, Copy)]
pub struct AnswerShape {
    /// Places a row.
    pub k: u32,
    /// Which end is wanted.
    pub flip: Flip,
    /// The indices' type.
    pub index: Index,
    /// The order of a row's places.
    pub order: Order,
}

impl AnswerShape {
    /// How many items may be left in the queue for [`Answer::write_few`]: `k`, or more where that
    /// spares a crop.
    #[inline(always)]
    pub fn keep_few(self) -> u32 {
        match self.order {
            Order::Best => self.k.max(RANKED_MAX),
            Order::Index => self.k,
        }
    }

    /// How many items may be left in a queue with room for `capacity` for [`Answer::write`].
    #[inline(always)]
    pub fn keep(self, capacity: u32) -> u32 {
        match self.order {
            Order::Best => self.keep_few().max(capacity.saturating_sub(self.k + BIN_MAX)),
            Order::Index => self.k,
        }
    }
}

impl<'a, E: Element> Answer<'a, E> {
    /// The answer of row number `number`, which `row` reads.
    ///
    /// # Safety
    /// - *in bounds*: `values` and `indices` have the shapes above, aligned for their types;
    /// - *no concurrent writer*: nothing else touches the row's part of them.
    #[inline(always)]
    pub unsafe fn new(
        row: &'a Row<E>,
        values: *mut E::Raw,
        indices: *mut u32,
        number: u32,
        shape: AnswerShape,
    ) -> Self {
        // SAFETY: the caller vouches for both; a place is written by one thread.
        let values = unsafe { GlobalArrayMut::new(values) };
        // SAFETY: as above, where indices are of this type.
        let narrow = unsafe { GlobalArrayMut::new(indices) };
        // SAFETY: as above, where they are of that.
        let wide_indices = unsafe { GlobalArrayMut::new(indices.cast()) };
        let base = number as u64 * shape.k as u64;
        Answer { row, values, indices: narrow, wide_indices, base, shape }
    }

    /// Writes the best k of the queue's items, of which there are at most [`AnswerShape::keep`], in
    /// order, and fills up the places of rows that have fewer. For all threads of the block
    /// together.
    #[inline(always)]
    pub fn write(&self, queue: &mut Queue) {
        let found = queue.count();
        if found <= RANKED_MAX {
            return self.write_few(queue);
        }
        self.turn_items(queue, found);
        // Separates the count's read from the sort, which may write where nobody has read yet.
        sync_threads();
        let AnswerShape { k, order, .. } = self.shape;
        let halves = E::PER_VECTOR == 8 && order == Order::Best;
        let ordering = Ordering { count: found, k, halves };
        let ordered = block_order(queue, ordering, |item| self.line(item));
        let (mut rank, count) = (thread_idx_x(), found.min(k));
        while rank < count {
            self.put(rank, self.turned(ordered.get(rank)));
            rank += block_dim_x();
        }
        self.fill_up(found);
    }

    /// As [`Answer::write`], for at most [`AnswerShape::keep_few`] items and a `k` of at most
    /// [`RANKED_MAX`].
    #[inline(always)]
    pub fn write_few(&self, queue: &Queue) {
        let found = queue.count();
        self.turn_items(queue, found);
        block_rank(queue.items, found, |rank, item| self.put_turned(rank, item));
        self.fill_up(found);
    }

    /// Writes the best k of a warp's `count` items, in order, and fills up the places of rows that
    /// have fewer. Each lane has some, the others are 0; indices are below 2^16. For the lanes of a
    /// warp together.
    #[inline(always)]
    pub fn write_of_warp<const R: usize>(&self, items: [u64; R], count: u32) {
        let items = sort_of_warp::<E, R>(items, self.shape.flip);
        unroll!(i in R => {
            let rank = lane_id() * R as u32 + i as u32;
            if rank < count.min(self.shape.k) {
                self.put(rank, items[i]);
            }
        });
        self.fill_up_of_warp(count);
    }

    /// As [`Answer::write_of_warp`], of `count` items in shared memory, behind which three more
    /// have room. Fewer instructions for fewer than 24 items of two words.
    #[inline(always)]
    pub fn write_few_of_warp(&self, items: SharedArray<u64>, count: u32) {
        self.write_few_of_group(items, count, WARP_SIZE);
        self.fill_up_of_warp(count);
    }

    /// Writes the best k of `count` items in shared memory, behind which three more have room, in
    /// order, by a group of so many lanes of a warp: a power of two. For the lanes of a warp
    /// together.
    #[inline(always)]
    pub fn write_few_of_group(&self, items: SharedArray<u64>, count: u32, lanes: u32) {
        let lane = lane_id() % lanes;
        // Items are read four at a time; those behind the last are better than none.
        if lane < count.next_multiple_of(4) - count {
            items.set(count + lane, 0);
        }
        // Separates the padding from its use.
        sync_warp(FULL_MASK);
        let mut own = lane;
        while own < count {
            let item = items.get(own);
            let (mut rank, mut at) = (0, 0);
            while at < count {
                let (low, high) = (items.get_pair(at), items.get_pair(at + 2));
                let others = [low[0], low[1], high[0], high[1]];
                unroll!(i in 4 => { rank = count_above(rank, others[i], item); });
                at += 4;
            }
            if rank < self.shape.k {
                self.put(rank, item);
            }
            own += lanes;
        }
    }

    /// Writes the best k of a block's `count` items, sorted as [`Compact::ordered`] has them, and
    /// fills up the places of rows that have fewer. For all threads of the block together, behind a
    /// barrier.
    #[inline(always)]
    pub fn write_sorted(&self, items: Spread<E::Packed>, count: u32)
    where
        E: Compact,
    {
        self.write_ordered(count, |rank| self.composite_of(items.get(rank), 0));
    }

    /// Writes the best k of `count` items, the composites that `item` gives by rank, and fills up
    /// the places of rows that have fewer. For all threads of the block together.
    #[inline(always)]
    pub fn write_ordered(&self, count: u32, item: impl Fn(u32) -> u64) {
        let mut rank = thread_idx_x();
        while rank < count.min(self.shape.k) {
            self.put(rank, item(rank));
            rank += block_dim_x();
        }
        self.fill_up(count);
    }

    /// Writes an item, as [`Compact::ordered`] has it, of a part of the row that starts at element
    /// `start`.
    #[inline(always)]
    pub fn put_sorted(&self, rank: u32, item: E::Packed, start: u32)
    where
        E: Compact,
    {
        self.put(rank, self.composite_of(item, start));
    }

    #[inline(always)]
    fn composite_of(&self, item: E::Packed, start: u32) -> u64
    where
        E: Compact,
    {
        let AnswerShape { flip, order, .. } = self.shape;
        // An index' complement grows less as the index grows.
        E::composite_of(item, flip, order) - start as u64
    }

    /// Fills the places behind the first `count`. For the lanes of a warp together.
    #[inline(always)]
    fn fill_up_of_warp(&self, count: u32) {
        let mut place = count + lane_id();
        while place < self.shape.k {
            self.put(place, empty(0));
            place += WARP_SIZE;
        }
    }

    /// Fills the places behind the first `found`. For all threads of the block together.
    #[inline(always)]
    pub fn fill_up(&self, found: u32) {
        let mut place = found + thread_idx_x();
        while place < self.shape.k {
            self.put(place, empty(0));
            place += block_dim_x();
        }
    }

    /// A turned item's place on the line from the worst to the best: its value, or its index.
    #[inline(always)]
    fn line(&self, item: u64) -> f32 {
        if self.shape.order == Order::Index {
            return (item >> 32) as u32 as f32;
        }
        let flip = self.shape.flip;
        let value = place_on_line::<E>(key_of(item, flip));
        if flip == Flip::LARGEST { value } else { -value }
    }

    /// Writes a turned item, unless its rank is beyond the answer.
    #[inline(always)]
    fn put_turned(&self, rank: u32, item: u64) {
        if rank < self.shape.k {
            self.put(rank, self.turned(item));
        }
    }

    /// Makes "greater" mean "first in the answer's order": for the order of indices an item's
    /// halves change places, since the lower half is the index's complement. For all threads of the
    /// block together.
    #[inline(always)]
    fn turn_items(&self, queue: &Queue, found: u32) {
        if self.shape.order == Order::Best {
            return;
        }
        let mut at = thread_idx_x();
        while at < found {
            queue.items.set(at, self.turned(queue.items.get(at)));
            at += block_dim_x();
        }
        // Separates the turned items from their reads by other threads.
        sync_threads();
    }

    /// An item turned, or turned back.
    #[inline(always)]
    fn turned(&self, item: u64) -> u64 {
        match self.shape.order {
            Order::Best => item,
            Order::Index => item.rotate_left(32),
        }
    }

    /// Writes one element, or what stands for none: the worst value and no index.
    #[inline(always)]
    pub fn put(&self, rank: u32, item: u64) {
        let at = self.base + rank as u64;
        let there = !is_empty(item);
        let bits = if there { self.element(item) } else { E::filler(self.shape.flip) };
        self.values.set(at, E::lower(bits));
        match self.shape.index {
            Index::U32 => self.indices.set(at, if there { index_of(item) } else { u32::MAX }),
            Index::I64 => {
                self.wide_indices.set(at, if there { index_of(item) as i64 } else { -1 });
            }
        }
    }

    /// The bits of an item's element. They come from its key where only one element has it; zeros
    /// and NaNs, whose keys many bit patterns share, are read again from the row.
    #[inline(always)]
    fn element(&self, item: u64) -> u32 {
        match unique_bits(key_of(item, self.shape.flip)) {
            Some(bits) => bits,
            None => self.row.element(index_of(item)),
        }
    }
}

/// A warp's items in order, best first, so many neighbours a lane; indices are below 2^16, and what
/// a lane lacks is 0. For the lanes of a warp together.
#[inline(always)]
pub fn sort_of_warp<E: Element, const R: usize>(items: [u64; R], flip: Flip) -> [u64; R] {
    let mut items = items;
    if E::PER_VECTOR == 8 {
        let mut halves = [0; R];
        unroll!(i in R => { halves[i] = halved(items[i]); });
        warp_sort_descending(&mut halves);
        unroll!(i in R => { items[i] = unhalved(halves[i], flip); });
    } else {
        warp_sort_descending(&mut items);
    }
    items
}

/// An item of a 16-bit element and an index below 2^16 in one word: larger is better.
#[inline(always)]
fn halved(item: u64) -> u32 {
    (item >> 32) as u32 & 0xffff_0000 | item as u32 & 0xffff
}

/// The inverse of [`halved`].
#[inline(always)]
pub fn unhalved(half: u32, flip: Flip) -> u64 {
    let key = half ^ flip.mask();
    // The lower half of a negative element's key is ones, and so is that of NaN's, whose upper half
    // no other key has.
    let is_ones = key >> 31 == 0 || key >> 16 == NAN_KEY >> 16;
    let key = if is_ones { key | 0xffff } else { key & 0xffff_0000 };
    composite(key, !half & 0xffff, flip)
}
