//! What the kernels that read whole rows know of their block, and what passes leave for the next.
use core::marker::PhantomData;

use cuda_std::atomic::atomic_fetch_inc_acq_rel_u32_device;
use cuda_std::global::GlobalArrayMut;
use cuda_std::thread::{block_dim_x, block_idx_x, sync_threads, sync_threads_or, thread_idx_x};

use crate::order::composite;
use crate::params::Flip;
use crate::prim::element::Element;
use crate::prim::rows::{Row, row_length};
use crate::sampling::filter::{RowFilter, masking_key};
use crate::sampling::launch::{STATE_WORDS, State};
use crate::sampling::params::{FilterOrder, RowParams};

/// How a launch cuts rows into pieces.
#[derive(Clone, Copy)]
pub struct Cut {
    /// Distance between the starts of two rows, in elements.
    pub row_stride: u64,
    /// Elements in a row.
    pub n: u32,
    /// Blocks that share a row.
    pub pieces: u32,
    /// Elements in a piece.
    pub piece_elements: u32,
}

/// The part of a row that one block reads.
pub struct Piece<E: Element> {
    row: Row<E>,
    /// The row's number.
    pub number: u32,
    /// The piece's number in its row.
    pub piece: u32,
    /// The piece's first element.
    pub first: u32,
    /// Behind the piece's last element.
    pub end: u32,
    /// Elements in the row.
    pub n: u32,
    cut: Cut,
    element: PhantomData<E>,
}

impl<E: Element> Piece<E> {
    /// The piece of this block.
    ///
    /// # Safety
    /// - *in bounds*: `x` points to rows as `cut` says, `lengths` is null or has one for each;
    /// - *no concurrent writer*: nothing writes them while the grid runs;
    /// - the grid has `cut.pieces >= 1` blocks a row.
    #[inline(always)]
    pub unsafe fn new(x: *const E::Raw, lengths: *const u32, cut: Cut) -> Self {
        // SAFETY: the caller's contract; it spares the division's check.
        unsafe { core::hint::assert_unchecked(cut.pieces != 0) };
        let (number, piece) = (block_idx_x() / cut.pieces, block_idx_x() % cut.pieces);
        let start = x.wrapping_add(number as usize * cut.row_stride as usize);
        // SAFETY: the caller's contract on `lengths`.
        let n = unsafe { row_length(lengths, number, cut.n) };
        // SAFETY: the caller's contract on `x`.
        let row = unsafe { Row::<E>::new(start, n) };
        let (first, end) = bounds(piece, n, cut.piece_elements);
        Piece { row, number, piece, first, end, n, cut, element: PhantomData }
    }

    /// Number of the piece among all.
    #[inline(always)]
    pub fn list(&self) -> u64 {
        self.first_list() + self.piece as u64
    }

    /// Number of the row's first piece.
    #[inline(always)]
    pub fn first_list(&self) -> u64 {
        self.number as u64 * self.cut.pieces as u64
    }

    /// First element of a piece of the row, and what is behind its last.
    #[inline(always)]
    pub fn bounds(&self, piece: u32) -> (u32, u32) {
        bounds(piece, self.n, self.cut.piece_elements)
    }

    /// The logit of an element.
    #[inline(always)]
    pub fn logit(&self, index: u32) -> f32 {
        E::value(self.row.element(index))
    }

    /// The logit of an element, and its composite, in which a NaN counts as `-inf`.
    #[inline(always)]
    pub fn item(&self, index: u32) -> (f32, u64) {
        let bits = self.row.element(index);
        let key = masking_key(bits, E::DTYPE.infinity());
        (E::value(bits), composite(key, index, Flip::LARGEST))
    }

    /// Calls `f` with this thread's elements of the piece.
    #[inline(always)]
    pub fn each(&self, mut f: impl FnMut(u32)) {
        let mut index = self.first + thread_idx_x();
        while index < self.end {
            f(index);
            index += block_dim_x();
        }
    }

    /// Takes a ticket for the block; whether it was the row's last, in every thread. For all
    /// threads of the block together.
    ///
    /// # Safety
    /// `tickets` points to a zero for each row, used by the rows' blocks alone, in this way.
    #[inline(always)]
    pub unsafe fn is_last(&self, tickets: *mut u32) -> bool {
        // Separates what the block wrote from the ticket that announces it.
        sync_threads();
        let mut is_last = false;
        if thread_idx_x() == 0 {
            let ticket = tickets.wrapping_add(self.number as usize);
            let last = self.cut.pieces - 1;
            // SAFETY: the caller's contract.
            is_last = unsafe { atomic_fetch_inc_acq_rel_u32_device(ticket, last) } == last;
        }
        // Separates the ticket, and what it acquired, from the other threads' reads.
        sync_threads_or(is_last)
    }
}

/// First element of a piece, and what is behind its last.
#[inline(always)]
fn bounds(piece: u32, n: u32, piece_elements: u32) -> (u32, u32) {
    let first = piece as u64 * piece_elements as u64;
    let end = (first + piece_elements as u64).min(n as u64);
    (first.min(n as u64) as u32, end as u32)
}

/// What earlier passes found out about a row.
#[derive(Clone, Copy)]
pub struct RowState {
    words: GlobalArrayMut<u64>,
    first: u64,
}

impl RowState {
    /// The state of row number `number`.
    ///
    /// # Safety
    /// - *in bounds*: `state` points to `[rows, STATE_WORDS]`, aligned;
    /// - *no concurrent writer*: the row's last block alone writes, when the others have read.
    #[inline(always)]
    pub unsafe fn new(state: *mut u64, number: u32) -> Self {
        // SAFETY: the caller vouches for it.
        let words = unsafe { GlobalArrayMut::new(state) };
        RowState { words, first: number as u64 * STATE_WORDS as u64 }
    }

    /// One word.
    #[inline(always)]
    pub fn get(&self, word: State) -> u64 {
        self.words.get(self.first + word as u64)
    }

    /// Sets one word.
    #[inline(always)]
    pub fn set(&self, word: State, value: u64) {
        self.words.set(self.first + word as u64, value);
    }

    /// What the first pass leaves: the greatest logit, and how many tokens top-k wants. By one
    /// thread.
    #[inline(always)]
    pub fn begin(&self, max: f32, top_k: u32) {
        self.set(State::Max, max.to_bits() as u64);
        self.set(State::Cut, 0);
        self.set(State::Key, 0);
        self.set(State::Wanted, top_k as u64);
        self.set(State::Total, 0);
    }

    /// The row's greatest logit; `-inf` where there is none.
    #[inline(always)]
    pub fn max(&self) -> f32 {
        f32::from_bits(self.get(State::Max) as u32)
    }
}

/// The parameters under which a row's own softmax is its distribution.
#[inline(always)]
pub fn raw_params() -> RowParams {
    RowParams {
        seed: 0,
        position: 0,
        temperature: 1.0,
        top_p: 1.0,
        min_p: 0.0,
        repetition_penalty: 1.0,
        frequency_penalty: 0.0,
        presence_penalty: 0.0,
        top_k: 0,
        reserved: 0,
    }
}

/// The filter of a row's own softmax.
#[inline(always)]
pub fn raw_filter(max: f32, n: u32) -> RowFilter {
    RowFilter::new(&raw_params(), FilterOrder::HuggingFace, max, n)
}
