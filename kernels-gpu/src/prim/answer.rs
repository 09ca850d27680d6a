//! From a queue to a row's answer: order, write.
use cuda_std::global::GlobalArrayMut;
use cuda_std::thread::{block_dim_x, sync_threads, thread_idx_x};

use super::element::Element;
use super::queue::Queue;
use super::rows::Row;
use super::sort::{block_rank, block_sort_descending, ranked_max};
use crate::order::{empty, index_of, is_empty, key_of, unique_bits};
use crate::params::{Flip, Index};

/// What becomes of a row's best items, once they are in one block's queue.
pub trait Finish<E: Element> {
    /// Whether a NaN counts as `-inf`, and is told of.
    const MASKS_NAN: bool;

    /// How many items may be left in the queue.
    fn keep(&self) -> u32;

    /// Takes the queue's items, the best k among them. `has_nan` is right in thread 0. For all
    /// threads of the block together.
    fn finish(&self, row: &Row<E>, queue: &Queue, has_nan: bool);
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
}

impl<E: Element> Finish<E> for Answer<'_, E> {
    const MASKS_NAN: bool = false;

    #[inline(always)]
    fn keep(&self) -> u32 {
        self.keep()
    }

    #[inline(always)]
    fn finish(&self, _row: &Row<E>, queue: &Queue, _has_nan: bool) {
        self.write(queue);
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

    /// How many items may be left in the queue for [`Answer::write`]: `k`, or more where that
    /// spares a crop.
    #[inline(always)]
    pub fn keep(&self) -> u32 {
        self.shape.k.max(ranked_max())
    }

    /// Writes the best k of the queue's items, of which there are at most [`Answer::keep`], best
    /// first, and fills up the places of rows that have fewer. For all threads of the block
    /// together.
    #[inline(always)]
    pub fn write(&self, queue: &Queue) {
        let (k, found) = (self.shape.k, queue.count());
        let mut place = found + thread_idx_x();
        while place < k {
            self.put(place, empty(0));
            place += block_dim_x();
        }
        if found <= ranked_max() {
            block_rank(queue.items, found, |rank, item| {
                if rank < k {
                    self.put(rank, item);
                }
            });
            return;
        }
        // Separates the count's read from the sort, which may write where nobody has read yet.
        sync_threads();
        let sorted = block_sort_descending(queue.items, queue.spare(found), found);
        let mut rank = thread_idx_x();
        while rank < k.min(found) {
            self.put(rank, sorted.get(rank));
            rank += block_dim_x();
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
