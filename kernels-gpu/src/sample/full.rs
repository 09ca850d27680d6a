//! The kernels that draw from whole rows: `full_max` finds the greatest logits, `full_mass` sums
//! the tokens' weights and draws.
//!
//! # Idea
//!
//! ```text
//! full_max:   the greatest logit of each piece; the row's last block: of the row
//! full_mass:  the mass of each piece's tokens; the row's last block, for each sample:
//!     the piece in which the running mass exceeds the drawn share, then the token in it
//! ```
//!
//! What the real code does differently: without replacement, what was drawn before is left out of
//! the pieces' masses and of the walk through a piece.
//!
//! # Shapes
//! Input `[rows, n]`, rows `row_stride` elements apart; lengths `[rows]` or null. Partial results
//! `[rows, pieces]` of `u64`; state `[rows, STATE_WORDS]`; tokens, logarithms and ranks
//! `[rows, num_samples]`, status `[rows]`.
//!
//! # Work split
//! `rows * pieces` blocks; block `b` has the elements from `b % pieces * piece_elements` on of row
//! `b / pieces`, a thread an element at a time. Draws are the row's last block's.
//!
//! # Shared memory
//! A mass a warp, [`crate::sampling::launch::FULL_BYTES`].
//!
//! # Invariants
//! - I1: sums are of integers that cannot overflow, so their order does not matter
//!   (`sampling::math::scale`).
//! - I2: tickets are 0 before and after every launch.
//! - I3: the drawn share is less than the sum of all, so the walk ends at a token that weighs
//!   something.
//!
//! # Synchronisation
//! The ticket, which acquires and releases, separates all blocks' partial results from the last
//! block's reads. Launches follow each other in the stream. Nobody waits for another block.
//!
//! # Launch contract
//! Whole warps, at most the threads in `variants`; the shared memory above.
//!
//! # Cost
//! Each launch reads the row once; a draw reads one piece again.
//!
//! # Ties, NaN, tail
//! By the composite; a NaN counts as `-inf`, and sets the row's status.
//!
//! # Source
//! Inverse transform sampling by blocks of a prefix sum.
use cuda_std::global::GlobalArrayMut;
use cuda_std::shared::SharedArray;
use cuda_std::thread::{block_dim_x, sync_threads, sync_threads_or, thread_idx_x};
use cuda_std::warp::{FULL_MASK, WARP_SIZE, lane_id, warp_reduce_max};

use super::piece::{Cut, Piece, RowState, item_of, raw_filter, raw_params};
use super::rows::RowTable;
use super::walk::Walk;
use crate::order::bits_of_key;
use crate::prim::element::Element;
use crate::prim::mass::block_sum_u64;
use crate::sampling::filter::{RowFilter, masking_key};
use crate::sampling::launch::{FullParams, Phase, State};
use crate::sampling::math::multiply_high;
use crate::sampling::params::{RowParams, RowStatus};
use crate::sampling::philox::draw_word;

/// Finds each row's greatest logit, and the status of rows that are drawn from.
///
/// # Safety
/// - *in bounds*: the pointers are to arrays of the shapes above, aligned for their types;
///   `lengths` may be null, and in the phase `Raw` also `rows`, `tokens` and `status`;
/// - *no concurrent writer*: nothing else touches what is written, nothing writes what is read;
/// - `params` and the launch keep the launch contract above.
#[inline(always)]
#[allow(clippy::too_many_arguments)] // a kernel's buffers are arguments of their own
pub unsafe fn full_max<E: Element>(
    x: *const E::Raw,
    lengths: *const u32,
    rows: *const RowParams,
    partial: *mut u64,
    state: *mut u64,
    tickets: *mut u32,
    tokens: *mut u32,
    status: *mut u32,
    params: FullParams,
) {
    // SAFETY: the caller's contract.
    let piece = unsafe { Piece::<E>::new(x, lengths, cut_of(&params)) };
    let is_raw = params.phase == Phase::Raw;
    let table = RowTable { rows, seeds: core::ptr::null(), positions: core::ptr::null() };
    // SAFETY: the caller's contract on `rows`.
    let row = if is_raw { raw_params() } else { unsafe { table.get(piece.number) } };
    if row.sorted_k() > 0 {
        return;
    }
    // SAFETY: the caller's contract on `partial`; a place is written by one block.
    let partial = unsafe { GlobalArrayMut::new(partial) };
    // SAFETY: the launch contract grants a word a warp.
    let totals = unsafe { SharedArray::<u32>::new(0) };
    let least = masking_key(E::DTYPE.infinity() | 0x8000_0000, E::DTYPE.infinity());
    let (mut key, mut has_nan) = (least, false);
    piece.each(|index, bits| {
        let (logit, item) = item_of::<E>(index, bits);
        has_nan |= logit.is_nan();
        key = key.max((item >> 32) as u32);
    });
    key = block_max(totals, key);
    has_nan = sync_threads_or(has_nan);
    if thread_idx_x() == 0 {
        partial.set(piece.list(), (has_nan as u64) << 32 | key as u64);
    }
    // SAFETY: the caller's contract on `tickets`.
    if !unsafe { piece.is_last(tickets) } {
        return;
    }
    let mut at = thread_idx_x();
    while at < params.pieces {
        let word = partial.get(piece.first_list() + at as u64);
        has_nan |= word >> 32 != 0;
        key = key.max(word as u32);
        at += block_dim_x();
    }
    key = block_max(totals, key);
    has_nan = sync_threads_or(has_nan);
    let max = E::value(bits_of_key(key));
    // SAFETY: the caller's contract on `state`.
    let state = unsafe { RowState::new(state, piece.number) };
    if thread_idx_x() == 0 {
        state.begin(max, row.top_k.min(piece.n));
    }
    if !is_raw {
        // SAFETY: the caller's contract on `tokens` and `status`.
        unsafe { put_status(&piece, tokens, status, RowStatus::of(max, has_nan), &params) };
    }
}

/// Writes a row's status, and that there is no token where all are masked. For all threads of the
/// block together.
///
/// # Safety
/// As for [`full_max`], of `tokens` and `status`.
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

/// The greatest word of the block, in all threads. For all threads of the block together; `totals`
/// has a word a warp.
#[inline(always)]
fn block_max(totals: SharedArray<u32>, value: u32) -> u32 {
    let most = warp_reduce_max(FULL_MASK, value);
    // Separates the last use of the totals from their new values.
    sync_threads();
    if lane_id() == 0 {
        totals.set(thread_idx_x() / WARP_SIZE, most);
    }
    // Separates the totals from their use.
    sync_threads();
    let warps = block_dim_x() / WARP_SIZE;
    warp_reduce_max(FULL_MASK, if lane_id() < warps { totals.get(lane_id()) } else { 0 })
}

#[inline(always)]
fn cut_of(params: &FullParams) -> Cut {
    let FullParams { row_stride, n, pieces, piece_elements, .. } = *params;
    Cut { row_stride, n, pieces, piece_elements }
}

/// Sums the masses of each row's tokens, and draws, but in the phase `Raw`.
///
/// # Safety
/// As for [`full_max`].
#[inline(always)]
#[allow(clippy::too_many_arguments)] // a kernel's buffers are arguments of their own
pub unsafe fn full_mass<E: Element>(
    x: *const E::Raw,
    lengths: *const u32,
    rows: *const RowParams,
    seeds: *const u64,
    positions: *const u64,
    partial: *mut u64,
    state: *mut u64,
    tickets: *mut u32,
    tokens: *mut u32,
    params: FullParams,
) {
    // SAFETY: the caller's contract.
    let piece = unsafe { Piece::<E>::new(x, lengths, cut_of(&params)) };
    let table = RowTable { rows, seeds, positions };
    let is_raw = params.phase == Phase::Raw;
    // SAFETY: the caller's contract on the table.
    let row = if is_raw { raw_params() } else { unsafe { table.get(piece.number) } };
    // SAFETY: the caller's contract on `state`.
    let state = unsafe { RowState::new(state, piece.number) };
    if row.sorted_k() > 0 || state.max() == f32::NEG_INFINITY {
        return;
    }
    let filter = match is_raw {
        true => raw_filter(state.max(), piece.n),
        false => RowFilter::new(&row, params.order, state.max(), piece.n),
    };
    let least = state.get(State::Cut);
    let weight = |index: u32, bits: u32| {
        let (logit, item) = item_of::<E>(index, bits);
        if item < least { 0 } else { filter.draw_weight(logit) }
    };
    // SAFETY: the caller's contract on `partial`; a place is written by one block.
    let partial = unsafe { GlobalArrayMut::new(partial) };
    // SAFETY: the launch contract grants a mass a warp, and two more.
    let scratch = unsafe { SharedArray::<u64>::new(0) };
    let mut mass = 0;
    piece.each(|index, bits| mass += weight(index, bits));
    mass = block_sum_u64(scratch, mass);
    if thread_idx_x() == 0 {
        partial.set(piece.list(), mass);
    }
    // SAFETY: the caller's contract on `tickets`.
    if !unsafe { piece.is_last(tickets) } {
        return;
    }
    let total = sum_of_pieces(&piece, partial, scratch, params.pieces);
    if thread_idx_x() == 0 {
        state.set(State::Total, total);
    }
    if params.phase == Phase::Draw {
        let walk = Walk { piece: &piece, partial, scratch, pieces: params.pieces };
        // SAFETY: the caller's contract on `tokens`; the row's are this block's.
        let tokens = unsafe { GlobalArrayMut::new(tokens) };
        draw(&walk, &row, tokens, total, &params, weight);
    }
}

/// The sum of the row's partial results, in all threads. For all threads of the block together.
#[inline(always)]
fn sum_of_pieces<E: Element>(
    piece: &Piece<E>,
    partial: GlobalArrayMut<u64>,
    scratch: SharedArray<u64>,
    pieces: u32,
) -> u64 {
    let (mut sum, mut at) = (0, thread_idx_x());
    while at < pieces {
        sum += partial.get(piece.first_list() + at as u64);
        at += block_dim_x();
    }
    block_sum_u64(scratch, sum)
}

/// Draws every sample of a row whose tokens weigh `total`. For all threads of the block together.
#[inline(always)]
fn draw<E: Element>(
    walk: &Walk<'_, E>,
    row: &RowParams,
    tokens: GlobalArrayMut<u32>,
    total: u64,
    params: &FullParams,
    weight: impl Fn(u32, u32) -> u64,
) {
    let base = walk.piece.number as u64 * params.num_samples as u64;
    let (mut left, mut sample) = (total, 0);
    while sample < params.num_samples {
        let mut token = u32::MAX;
        if left > 0 {
            let share = multiply_high(draw_word(row.seed, row.position, sample), left);
            let drawn = if params.replacement == 0 { sample } else { 0 };
            let place = walk.reach(share + 1, |index| {
                // What was drawn before weighs nothing any more.
                let mut earlier = 0;
                while earlier < drawn && tokens.get(base + earlier as u64) != index {
                    earlier += 1;
                }
                if earlier < drawn { 0 } else { weight(index, walk.piece.element(index)) }
            });
            token = place.index;
            if params.replacement == 0 {
                left -= place.mass;
                walk.remove(&place);
            }
        }
        if thread_idx_x() == 0 {
            tokens.set(base + sample as u64, token);
        }
        // Separates the token's write from the next draw's reads.
        sync_threads();
        sample += 1;
    }
}
