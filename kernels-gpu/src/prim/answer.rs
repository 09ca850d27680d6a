//! From a queue to a row's answer: order, write.
use cuda_std::global::GlobalArrayMut;
use cuda_std::thread::{block_dim_x, sync_threads, thread_idx_x};

use super::element::Element;
use super::queue::Queue;
use super::rows::Row;
use super::sort::{block_rank, block_sort_descending, ranked_max};
use crate::order::{index_of, key_of, unique_bits};
use crate::params::Flip;

/// Where a row's answer goes: `values [rows, k]` in the input's type, `indices [rows, k]`.
pub struct Answer<'a, E: Element> {
    row: &'a Row<E>,
    values: GlobalArrayMut<E::Raw>,
    indices: GlobalArrayMut<u32>,
    base: u64,
    k: u32,
    flip: Flip,
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
        k: u32,
        flip: Flip,
    ) -> Self {
        // SAFETY: the caller vouches for both; a place is written by one thread.
        let values = unsafe { GlobalArrayMut::new(values) };
        // SAFETY: as above.
        let indices = unsafe { GlobalArrayMut::new(indices) };
        Answer {
            row,
            values,
            indices,
            base: number as u64 * k as u64,
            k,
            flip,
        }
    }

    /// How many items may be left in the queue for [`Answer::write`]: `k`, or more where that
    /// spares a crop.
    #[inline(always)]
    pub fn keep(&self) -> u32 {
        self.k.max(ranked_max())
    }

    /// Writes the best k of the queue's items, of which there are at most [`Answer::keep`], best
    /// first. For all threads of the block together.
    #[inline(always)]
    pub fn write(&self, queue: &Queue) {
        let found = queue.count();
        if found <= ranked_max() {
            block_rank(queue.items, found, |rank, item| {
                if rank < self.k {
                    self.put(rank, item);
                }
            });
            return;
        }
        // Separates the count's read from the sort, which may write where nobody has read yet.
        sync_threads();
        block_sort_descending(queue.items, found);
        let mut rank = thread_idx_x();
        while rank < self.k.min(found) {
            self.put(rank, queue.items.get(rank));
            rank += block_dim_x();
        }
    }

    /// Writes one element. A value comes from its key where only one element has it; zeros and
    /// NaNs, whose keys many bit patterns share, are read again from the row.
    #[inline(always)]
    fn put(&self, rank: u32, item: u64) {
        let bits = match unique_bits(key_of(item, self.flip)) {
            Some(bits) => bits,
            None => self.row.element(index_of(item)),
        };
        let at = self.base + rank as u64;
        self.values.set(at, E::lower(bits));
        self.indices.set(at, index_of(item));
    }
}
