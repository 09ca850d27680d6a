//! The kernel that draws from whole rows: `full_mass` weighs their segments, and draws.
//!
//! # Idea
//!
//! ```text
//! for each segment of the piece: its greatest logit, and the weights of its tokens against that
//! the row's last block:
//!     the row's greatest logit; each segment's share of its mass
//!     for each sample: the segment in which the running mass exceeds the drawn share of all,
//!         then the token in which the segment's exceeds that of a second word
//! ```
//!
//! What the real code does differently: rows that are filtered are looked at in one launch
//! (`Phase::Draw`), for their greatest logits and for sums that top-p may take, and are weighed,
//! against the row's greatest, and drawn from in another (`Phase::Cut`), when the cut is known; it
//! leaves out segments that have nothing to keep, and of those where min-p keeps few it reads what
//! the first look found to be near the segment's greatest. Calls that were prepared for rows
//! without a min-p have no such launch for it: there the row's last block looks a second time.
//! Without replacement, what was drawn before weighs nothing, and a segment loses what it weighed.
//!
//! # Shapes
//! Input `[rows, n]`, rows `row_stride` elements apart; lengths `[rows]` or null. Of each segment
//! the greatest logit and the mass, `[rows, segments]` of `u32` and `u64`; what is near the
//! greatest, `[rows, segments, 32]`, or null; state `[rows, STATE_WORDS]`; tokens
//! `[rows, num_samples]`, status `[rows]`.
//!
//! # Work split
//! `rows * pieces` blocks; block `b` has the segments of piece `b % pieces` of row `b / pieces`, a
//! warp a segment at a time. Draws are the row's last block's.
//!
//! # Shared memory
//! A mass a warp, and what was found: [`crate::sampling::launch::FULL_BYTES`].
//!
//! # Invariants
//! - I1: sums are of integers that cannot overflow, so their order does not matter
//!   ([`crate::sampling::segment`]).
//! - I2: tickets are 0 before and after every launch.
//! - I3: a drawn share is less than the sum of all, so that the walk ends at a segment, and in it
//!   at a token, that weighs something: a segment's mass is of the same weights.
//!
//! # Synchronisation
//! The ticket, which acquires and releases, separates what all blocks wrote of their segments from
//! the last block's reads. Launches follow each other in the stream. Nobody waits for another
//! block.
//!
//! # Launch contract
//! [`crate::sampling::launch::MASS_THREADS`] threads; the shared memory above; pieces of whole
//! segments.
//!
//! # Cost
//! Reads the row once; of filtered rows what may stay once more; a draw reads a segment again.
//!
//! # Ties, NaN, tail
//! Walked by index; a NaN counts as `-inf`, and sets the row's status.
//!
//! # Source
//! Inverse transform sampling by blocks of a prefix sum, each with a maximum of its own as in the
//! online softmax (Milakov and Gimelshein, 2018).
use cuda_std::global::GlobalArrayMut;
use cuda_std::shared::SharedArray;
use cuda_std::thread::{block_dim_x, sync_threads, thread_idx_x};

use super::draw::{Drawing, Running};
use super::look::{Look, Near};
use super::piece::{Cut, Piece, RowState, raw_params};
use super::rows::RowTable;
use super::segment::SegmentedRow;
use crate::prim::element::Element;
use crate::sampling::launch::{FullParams, Phase, State};
use crate::sampling::params::{RowParams, RowStatus};

/// Looks at rows, and draws from those of which nothing more has to be known.
///
/// # Safety
/// - *in bounds*: the pointers are to arrays of the shapes above, aligned for their types;
///   `lengths` may be null, and in the phase `Raw` also `rows`, `tokens` and `status`;
/// - *no concurrent writer*: nothing else touches what is written, nothing writes what is read;
/// - `params` and the launch keep the launch contract above.
#[inline(always)]
#[allow(clippy::too_many_arguments)] // a kernel's buffers are arguments of their own
pub unsafe fn full_mass<E: Element>(
    x: *const E::Raw,
    lengths: *const u32,
    rows: *const RowParams,
    seeds: *const u64,
    positions: *const u64,
    tops: *mut u32,
    masses: *mut u64,
    near: *mut u32,
    state: *mut u64,
    tickets: *mut u32,
    tokens: *mut u32,
    status: *mut u32,
    params: FullParams,
) {
    let FullParams { row_stride, n, pieces, piece_elements, phase, order, .. } = params;
    // SAFETY: the caller's contract.
    let piece =
        unsafe { Piece::<E>::new(x, lengths, Cut { row_stride, n, pieces, piece_elements }) };
    let table = RowTable { rows, seeds, positions };
    // Read again where it is needed, so that it takes no registers while the row is read.
    let row = || match phase {
        Phase::Raw => raw_params(),
        // SAFETY: the caller's contract on the table.
        _ => unsafe { table.get(piece.number) },
    };
    if phase != Phase::Cut {
        // SAFETY: the caller's contract on the input.
        let whole = unsafe { SegmentedRow::<E>::new(piece.start, piece.n) };
        // On its way while the row's parameters are read.
        whole.prefetch_first(piece.segments());
    }
    let own = row();
    // SAFETY: the caller's contract on `state`.
    let state = unsafe { RowState::new(state, piece.number) };
    let is_second = phase == Phase::Cut;
    let is_drawn = !params.is_cut(&own) || params.draws_in_window(&own);
    if own.sorted_k() > 0 || is_second && (is_drawn || state.max() == f32::NEG_INFINITY) {
        return;
    }
    // SAFETY: the caller's contract on the segments.
    let near = unsafe { Near::new(near, piece.number, n) };
    // SAFETY: the caller's contract on the input and the segments.
    let mut look = unsafe { Look::new(&piece, tops, masses, near, &own, &params) };
    if is_second {
        look.filter(&own, order, state.max(), state.get(State::Cut));
    }
    let is_cut = params.is_cut(&own);
    let is_weighed = is_second || !is_cut;
    let block = Block { piece: &piece, state, tickets, tokens, status, params: &params };
    // SAFETY: the caller's contract on the buffers.
    if !unsafe { weigh(&block, &mut look, is_weighed, row) } {
        return;
    }
    // SAFETY: the launch contract grants two masses a warp, and three more.
    let scratch = unsafe { SharedArray::<u64>::new(0) };
    let segments = Running::of_segments(&look, scratch);
    if thread_idx_x() == 0 {
        state.set(State::Total, segments.total);
    }
    if phase != Phase::Raw {
        // SAFETY: the caller's contract on `tokens`; the row's are this block's.
        let tokens = unsafe { GlobalArrayMut::new(tokens) };
        let base = piece.number as u64 * params.num_samples as u64;
        Drawing { look: &look, row: &row(), tokens, base, scratch }.draw(segments, &params);
    }
}

/// What a block of `full_mass` is given.
struct Block<'a, E: Element> {
    piece: &'a Piece<E>,
    state: RowState,
    tickets: *mut u32,
    tokens: *mut u32,
    status: *mut u32,
    params: &'a FullParams,
}

/// Looks at the segments of the block's piece, at their weights too if `is_weighed`, and where it
/// is the row's last, finds out the row's greatest logit; whether the row is to be drawn from, by
/// this block. For all threads of the block together; ends with a barrier.
///
/// # Safety
/// As for [`full_mass`].
#[inline(always)]
unsafe fn weigh<E: Element>(
    block: &Block<'_, E>,
    look: &mut Look<E>,
    is_weighed: bool,
    row: impl Fn() -> RowParams,
) -> bool {
    let Block { piece, params, .. } = *block;
    let is_second = look.is_filtered;
    let (mut first, mut end) = piece.segments();
    loop {
        look.sums(first, end, is_weighed);
        // SAFETY: the caller's contract on `tickets`.
        if look.is_filtered == is_second && !unsafe { piece.is_last(block.tickets) } {
            return false;
        }
        if look.is_filtered {
            // Separates the sums of a second look from their use.
            sync_threads();
            return true;
        }
        let own = row();
        // SAFETY: the launch contract grants a word a warp; masses come later.
        let (most, has_nan) = look.most(unsafe { SharedArray::new(0) });
        look.greatest = most;
        if thread_idx_x() == 0 {
            block.state.begin(most, own.top_k.min(piece.n));
        }
        if params.phase != Phase::Raw {
            let outcome = RowStatus::of(most, has_nan);
            // SAFETY: the caller's contract on `tokens` and `status`.
            unsafe { put_status(piece, block.tokens, block.status, outcome, params) };
        }
        if most == f32::NEG_INFINITY || params.is_cut(&own) {
            return false;
        }
        if !own.has_min_p() {
            return true;
        }
        // Once more, against the greatest.
        look.filter(&own, params.order, most, 0);
        (first, end) = (0, look.segments.count);
    }
}

/// Writes a row's status, and that there is no token where all are masked. For all threads of the
/// block together.
///
/// # Safety
/// As for [`full_mass`], of `tokens` and `status`.
#[inline(always)]
unsafe fn put_status<E: Element>(
    piece: &Piece<E>,
    tokens: *mut u32,
    status: *mut u32,
    outcome: RowStatus,
    params: &FullParams,
) {
    // SAFETY: the caller's contract on `status`; a place is written by one thread.
    let status = unsafe { GlobalArrayMut::new(status) };
    // SAFETY: the caller's contract on `tokens`; as above.
    let tokens = unsafe { GlobalArrayMut::new(tokens) };
    if thread_idx_x() == 0 {
        status.set(piece.number as u64, outcome as u32);
    }
    let mut sample = thread_idx_x();
    while outcome == RowStatus::AllMasked && sample < params.num_samples {
        tokens.set(piece.number as u64 * params.num_samples as u64 + sample as u64, u32::MAX);
        sample += block_dim_x();
    }
}
