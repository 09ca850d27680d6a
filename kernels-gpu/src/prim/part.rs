//! A block's part of a row: what it reads, and the shared memory that it works in.
use cuda_std::shared::SharedArray;
use cuda_std::thread::{block_dim_x, block_idx_x, thread_idx_x};

use super::element::Element;
use super::queue::Queue;
use super::rows::{Row, row_length};
use super::survey::{Survey, Wanted};
use crate::params::{self, QueueLayout, SelectParams, survey_keys};

/// The block's part of a row.
pub struct Part<E: Element> {
    /// The row.
    pub row: Row<E>,
    /// Its number.
    pub number: u32,
    /// Number of the piece in its row.
    pub piece: u32,
    /// The launch's scalars.
    pub params: SelectParams,
}

impl<E: Element> Part<E> {
    /// # Safety
    /// - *in bounds*: `x` points to the input, `lengths`, unless null, to the rows' lengths, both
    ///   aligned for their types;
    /// - *no concurrent writer*: nothing writes them while the grid runs.
    #[inline(always)]
    pub unsafe fn new(x: *const E::Raw, lengths: *const u32, params: SelectParams) -> Self {
        // SAFETY: the launch contract; it spares the division's check.
        unsafe { core::hint::assert_unchecked(params.pieces != 0) };
        let (number, piece) = (block_idx_x() / params.pieces, block_idx_x() % params.pieces);
        let start = x.wrapping_add(number as usize * params.row_stride as usize);
        // SAFETY: the caller's contract on `lengths`.
        let n = unsafe { row_length(lengths, number, params.n) };
        // SAFETY: the caller's contract on `x`.
        let row = unsafe { Row::<E>::new(start, n) };
        Part { row, number, piece, params }
    }

    /// Vectors of the row that are the piece's: the first, and the first behind them.
    #[inline(always)]
    pub fn range(&self) -> (u32, u32) {
        let first = self.piece * self.params.piece_vectors;
        (first, self.row.vector_count().min(first + self.params.piece_vectors))
    }

    /// As [`Part::range`], where the pieces of each row are of one size, whatever its length. There
    /// is a power of two of them.
    #[inline(always)]
    pub fn even_range(&self) -> (u32, u32) {
        let (vectors, pieces) = (self.row.vector_count(), self.params.pieces);
        let each = (vectors + pieces - 1) >> pieces.trailing_zeros();
        let first = vectors.min(self.piece * each);
        (first, vectors.min(first + each))
    }

    /// What a survey of the piece is for.
    #[inline(always)]
    pub fn wanted(&self) -> Wanted {
        let SelectParams { k, piece_k, slots, tops, chunk_units, bounded, .. } = self.params;
        let gives = if slots < params::slots(k) { piece_k } else { k };
        Wanted { k: piece_k, gives, tops, chunk_units, bounded: bounded != 0 }
    }

    /// Where the block's queue lies.
    #[inline(always)]
    pub fn layout(&self) -> QueueLayout {
        let SelectParams { capacity, chunk_units, .. } = self.params;
        QueueLayout { capacity, survey_keys: survey_keys(chunk_units, block_dim_x()) }
    }

    /// A queue of the best `k`, with the piece's or the row's stray elements, or none.
    ///
    /// # Safety
    /// - *in bounds*: the launch has the layout's shared memory;
    /// - *no concurrent writer*: a queue made before is not used any more, behind a barrier.
    #[inline(always)]
    pub unsafe fn queue(&self, k: u32, with_strays: bool) -> Queue {
        let strays = if with_strays { self.row.stray_count() } else { 0 };
        let flip = self.params.flip;
        // SAFETY: the caller's contract.
        unsafe { Queue::new(self.layout(), k, strays, |number| self.row.stray(number, flip)) }
    }

    /// Whether this thread's stray element of the row, if it has one, is a NaN that is masked.
    #[inline(always)]
    pub fn masks_stray(&self) -> bool {
        E::MASKS_NAN
            && thread_idx_x() < self.row.stray_count()
            && self.row.masks_stray(thread_idx_x())
    }

    /// A survey of vectors `range.0..range.1` of the row.
    ///
    /// # Safety
    /// While it is used,
    /// - *in bounds*: the launch has the layout's shared memory;
    /// - *no concurrent writer*: no other survey is under way.
    #[inline(always)]
    pub unsafe fn survey<const U: usize, const LARGE: bool>(
        &self,
        range: (u32, u32),
        wanted: Wanted,
    ) -> Survey<'_, E, U, LARGE> {
        // SAFETY: the caller's contract; nothing else uses that part of the memory.
        let keys = unsafe { SharedArray::new(self.layout().keys()) };
        Survey::new(&self.row, range, self.params.flip, keys, wanted)
    }
}
