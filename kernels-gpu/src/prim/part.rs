//! A block's part of a row: what it reads, and the shared memory that it works in.
use cuda_std::shared::SharedArray;
use cuda_std::thread::{block_dim_x, block_idx_x};

use super::element::Element;
use super::masking::Masking;
use super::queue::Queue;
use super::rows::{Row, row_length};
use super::survey::{Survey, Wanted};
use crate::params::{QueueLayout, SelectParams, survey_keys};

/// The block's part of a row.
pub struct Part<E: Element> {
    start: *const E::Raw,
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
        Part { start, row, number, piece, params }
    }

    /// The same elements, but that a NaN counts as `-inf`.
    #[inline(always)]
    pub fn masked(&self) -> Part<Masking<E>> {
        // SAFETY: the same row, read as another type of the same bits.
        let row = unsafe { Row::<Masking<E>>::new(self.start, self.row.len()) };
        let Part { start, number, piece, params, .. } = *self;
        Part { start, row, number, piece, params }
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
        let SelectParams { piece_k, tops, chunk_units, bounded, .. } = self.params;
        Wanted { k: piece_k, tops, chunk_units, bounded: bounded != 0 }
    }

    /// Where the block's queue lies.
    #[inline(always)]
    pub fn layout(&self) -> QueueLayout {
        let SelectParams { k, capacity, chunk_units, .. } = self.params;
        QueueLayout { capacity, k, survey_keys: survey_keys(chunk_units, block_dim_x()) }
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

    /// Surveys vectors `range.0..range.1` of the row into the queue, of which at most `keep` items
    /// are left. For all threads of the block together.
    ///
    /// # Safety
    /// - *in bounds*: the launch has the layout's shared memory;
    /// - *no concurrent writer*: no other survey is under way.
    #[inline(always)]
    pub unsafe fn survey<const U: usize, const LARGE: bool>(
        &self,
        range: (u32, u32),
        wanted: Wanted,
        queue: &mut Queue,
        keep: u32,
    ) {
        // SAFETY: the caller's contract.
        let survey = unsafe { self.survey_of::<U, LARGE>(range, wanted) };
        survey.run(survey.ahead(), queue, keep);
    }

    /// A survey of vectors `range.0..range.1` of the row.
    ///
    /// # Safety
    /// As for [`Part::survey`], while it is used.
    #[inline(always)]
    pub unsafe fn survey_of<const U: usize, const LARGE: bool>(
        &self,
        range: (u32, u32),
        wanted: Wanted,
    ) -> Survey<'_, E, U, LARGE> {
        // SAFETY: the caller's contract; nothing else uses that part of the memory.
        let keys = unsafe { SharedArray::new(self.layout().keys()) };
        Survey::new(&self.row, range, self.params.flip, keys, wanted)
    }
}
