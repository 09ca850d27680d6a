//! What the kernels that read whole rows know of their block, and what passes leave for the next.
use cuda_std::atomic::atomic_fetch_inc_acq_rel_u32_device;
use cuda_std::global::{GlobalArray, GlobalArrayMut};
use cuda_std::thread::{block_dim_x, block_idx_x, sync_threads, sync_threads_or, thread_idx_x};
use cuda_std::unroll;

use crate::order::composite;
use crate::params::Flip;
use crate::prim::element::Element;
use crate::prim::rows::row_length;
use crate::sampling::filter::{RowFilter, masking_key};
use crate::sampling::launch::{STATE_WORDS, State};
use crate::sampling::params::{FilterOrder, RowParams};
use crate::sampling::segment::{SEGMENT, segments};

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
    /// The row's first element.
    pub start: *const E::Raw,
    elements: GlobalArray<E::Raw>,
    vectors: GlobalArray<u32>,
    /// Elements of the row before its first 16-byte boundary.
    head: u32,
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
}

/// Vectors of 16 bytes that a thread keeps in flight.
const DEPTH: usize = 4;

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
        let head = ((start.addr().wrapping_neg() & 15) / size_of::<E::Raw>()) as u32;
        // SAFETY: the caller's contract on `x`.
        let elements = unsafe { GlobalArray::new(start) };
        // SAFETY: as above; only vectors that lie wholly inside the row are read through this one.
        let vectors = unsafe { GlobalArray::new(start.wrapping_add(head as usize).cast()) };
        let (first, end) = bounds(piece, n, cut.piece_elements);
        Piece { start, elements, vectors, head, number, piece, first, end, n, cut }
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

    /// First segment of this piece, of whole segments, and what is behind its last.
    #[inline(always)]
    pub fn segments(&self) -> (u32, u32) {
        let per_piece = self.cut.piece_elements / SEGMENT;
        let first = self.piece * per_piece;
        (first, (first + per_piece).min(segments(self.n)))
    }

    /// First element of a piece of the row, and what is behind its last.
    #[inline(always)]
    pub fn bounds(&self, piece: u32) -> (u32, u32) {
        bounds(piece, self.n, self.cut.piece_elements)
    }

    /// An element of the row, in the upper end of a word.
    #[inline(always)]
    pub fn element(&self, index: u32) -> u32 {
        E::raise(self.elements.get(index as u64))
    }

    /// The logit of an element, and its composite, in which a NaN counts as `-inf`.
    #[inline(always)]
    pub fn item(&self, index: u32) -> (f32, u64) {
        item_of::<E>(index, self.element(index))
    }

    /// Calls `f` with index and bits of this thread's elements of the piece, in no order.
    ///
    /// Most of them come as vectors of 16 bytes, of which [`DEPTH`] are in flight; those before and
    /// behind the piece's whole vectors come one by one.
    #[inline(always)]
    pub fn each(&self, mut f: impl FnMut(u32, u32)) {
        let Piece { first, end, head, .. } = *self;
        let width = E::PER_VECTOR as u32;
        let first_vector = first.saturating_sub(head).div_ceil(width);
        let end_vector = (end.saturating_sub(head) / width).max(first_vector);
        let before = (head + first_vector * width).min(end);
        let behind = (head + end_vector * width).min(end);
        let (threads, thread) = (block_dim_x(), thread_idx_x());
        if first + thread < before {
            f(first + thread, self.element(first + thread));
        }
        if behind + thread < end {
            f(behind + thread, self.element(behind + thread));
        }
        let mut vector = first_vector + thread;
        while vector < end_vector {
            let mut words = [[0; 4]; DEPTH];
            unroll!(u in DEPTH => {
                let at = vector + u as u32 * threads;
                if at < end_vector {
                    words[u] = self.vectors.get_vec4_streaming(at as u64 * 4);
                }
            });
            let mut number = 0;
            // Not written out: what is done with an element may be long.
            while number < DEPTH as u32 && vector < end_vector {
                let mut own = words[0];
                unroll!(u in DEPTH => {
                    if number == u as u32 {
                        own = words[u];
                    }
                });
                unroll!(part in E::PER_VECTOR => {
                    f(head + vector * width + part as u32, E::part(&own, part));
                });
                vector += threads;
                number += 1;
            }
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

/// The logit of an element with these bits, and its composite, in which a NaN counts as `-inf`.
#[inline(always)]
pub fn item_of<E: Element>(index: u32, bits: u32) -> (f32, u64) {
    let key = masking_key(bits, E::DTYPE.infinity());
    (E::value(bits), composite(key, index, Flip::LARGEST))
}

/// First element of a piece, and what is behind its last.
#[inline(always)]
fn bounds(piece: u32, n: u32, piece_elements: u32) -> (u32, u32) {
    let first = piece as u64 * piece_elements as u64;
    let end = (first + piece_elements as u64).min(n as u64);
    (first.min(n as u64) as u32, end as u32)
}

/// A range of logits, from `low` on and below `high`.
#[derive(Clone, Copy)]
pub struct Window {
    /// The least.
    pub low: f32,
    /// Above the greatest.
    pub high: f32,
}

impl Window {
    /// As the state has it; 0 for none.
    #[inline(always)]
    pub fn to_word(self) -> u64 {
        (self.high.to_bits() as u64) << 32 | self.low.to_bits() as u64
    }

    /// The inverse.
    #[inline(always)]
    pub fn of_word(word: u64) -> Option<Window> {
        let (low, high) = (f32::from_bits(word as u32), f32::from_bits((word >> 32) as u32));
        if low < high { Some(Window { low, high }) } else { None }
    }

    /// Whether a value is in it.
    #[inline(always)]
    pub fn has(&self, value: f32) -> bool {
        self.low <= value && value < self.high
    }
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
        min_p_bound: f32::NEG_INFINITY,
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
