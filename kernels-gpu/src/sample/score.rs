//! The kernels behind a draw: `write_logprobs` writes logarithms of probabilities, `count_ranks`
//! counts the tokens that are better.
//!
//! # Idea
//!
//! ```text
//! write_logprobs: for each token of the row's list:
//!     (its distance from the greatest) / T - ln(mass of all / greatest's); its rank starts at 1
//! count_ranks: for each token of the row's list:
//!     add to its rank the number of the piece's elements that are better
//! ```
//!
//! What the real code does differently: nothing.
//!
//! # Shapes
//! Input `[rows, n]`, rows `row_stride` elements apart; lengths `[rows]` or null; state
//! `[rows, STATE_WORDS]`; list, logarithms and ranks `[rows, tokens]`.
//!
//! # Work split
//! `write_logprobs`: a block a row, a thread a token. `count_ranks`: `rows * pieces` blocks, as in
//! `sample::digits`.
//!
//! # Shared memory
//! None.
//!
//! # Invariants
//! I1: a token of the list is below the row's length, or `u32::MAX`.
//!
//! # Synchronisation
//! None but the launches' order in the stream; ranks are added to by atomics.
//!
//! # Launch contract
//! Whole warps, at most the threads in `variants`.
//!
//! # Cost
//! `count_ranks` reads the row once a token of the list.
//!
//! # Ties, NaN, tail
//! By the composite; a NaN counts as `-inf`.
//!
//! # Source
//! The definition of the softmax.
use cuda_std::atomic::atomic_add_relaxed_u32_device;
use cuda_std::global::GlobalArrayMut;
use cuda_std::thread::{block_dim_x, thread_idx_x};
use cuda_std::warp::{FULL_MASK, lane_id, warp_reduce_add};

use super::piece::{Cut, Piece, RowState, item_of, raw_filter};
use super::rows::RowTable;
use crate::prim::element::Element;
use crate::sampling::filter::RowFilter;
use crate::sampling::launch::{ScoreParams, ScoreSource, State};
use crate::sampling::math::ln;
use crate::sampling::params::RowParams;
use crate::sampling::segment::{Weigher, in_units_of, segments};

/// Writes the logarithms of a list's tokens.
///
/// # Safety
/// - *in bounds*: the pointers are to arrays of the shapes above, aligned for their types;
///   `lengths` and `ranks` may be null;
/// - *no concurrent writer*: nothing else touches what is written, nothing writes what is read;
/// - `params` and the launch keep the launch contract above.
#[inline(always)]
#[allow(clippy::too_many_arguments)] // a kernel's buffers are arguments of their own
pub unsafe fn write_logprobs<E: Element>(
    x: *const E::Raw,
    lengths: *const u32,
    rows: *const RowParams,
    state: *mut u64,
    list: *mut u32,
    logprobs: *mut u32,
    ranks: *mut u32,
    params: ScoreParams,
) {
    let ScoreParams { row_stride, n, order, source, tokens: width, .. } = params;
    let cut = Cut { row_stride, n, pieces: 1, piece_elements: n };
    // SAFETY: the caller's contract.
    let piece = unsafe { Piece::<E>::new(x, lengths, cut) };
    let table = RowTable { rows, seeds: core::ptr::null(), positions: core::ptr::null() };
    // SAFETY: the caller's contract on `rows`.
    let row = unsafe { table.get(piece.number) };
    let is_raw = source != ScoreSource::Processed;
    if row.sorted_k() > 0 && !is_raw {
        return;
    }
    let writes_ranks =
        !ranks.is_null() && (row.sorted_k() == 0 || source == ScoreSource::RawBeforeChanges);
    // SAFETY: the caller's contract on `state`.
    let state = unsafe { RowState::new(state, piece.number) };
    let max = state.max();
    let filter = match is_raw {
        true => raw_filter(max, piece.n),
        false => RowFilter::new(&row, order, max, piece.n),
    };
    let least = state.get(State::Cut);
    let temperature = if is_raw { 1.0 } else { row.draw_temperature() };
    let greatest = Weigher::new(temperature).against(max).weight(max);
    let log_total = ln(in_units_of(greatest, state.get(State::Total), segments(piece.n)));
    // SAFETY: the caller's contract on `list`; nobody writes it here.
    let list = unsafe { GlobalArrayMut::new(list) };
    // SAFETY: the caller's contract; a place is written by one thread.
    let logprobs = unsafe { GlobalArrayMut::new(logprobs) };
    // SAFETY: as above.
    let ranks = unsafe { GlobalArrayMut::new(ranks) };
    let mut at = thread_idx_x();
    while at < width {
        let place = piece.number as u64 * width as u64 + at as u64;
        let token = list.get(place);
        let mut logprob = f32::NEG_INFINITY;
        if token < piece.n && max > f32::NEG_INFINITY {
            let (logit, item) = piece.item(token);
            if item >= least && filter.can_draw(logit) {
                logprob = filter.log_ratio(logit, log_total);
            }
        }
        logprobs.set(place, logprob.to_bits());
        if writes_ranks {
            ranks.set(place, (token < piece.n) as u32);
        }
        at += block_dim_x();
    }
}

/// Adds to the ranks of a list's tokens the number of elements that are better.
///
/// # Safety
/// As for [`write_logprobs`]; `ranks` is not null.
#[inline(always)]
pub unsafe fn count_ranks<E: Element>(
    x: *const E::Raw,
    lengths: *const u32,
    rows: *const RowParams,
    list: *mut u32,
    ranks: *mut u32,
    params: ScoreParams,
) {
    let ScoreParams { row_stride, n, source, tokens: width, pieces, piece_elements, .. } = params;
    // SAFETY: the caller's contract.
    let piece =
        unsafe { Piece::<E>::new(x, lengths, Cut { row_stride, n, pieces, piece_elements }) };
    let table = RowTable { rows, seeds: core::ptr::null(), positions: core::ptr::null() };
    // SAFETY: the caller's contract on `rows`.
    let row = unsafe { table.get(piece.number) };
    if row.sorted_k() > 0 && source != ScoreSource::RawBeforeChanges {
        return;
    }
    // SAFETY: the caller's contract on `list`; nobody writes it here.
    let list = unsafe { GlobalArrayMut::new(list) };
    let mut at = 0;
    while at < width {
        let place = piece.number as u64 * width as u64 + at as u64;
        let token = list.get(place);
        if token < piece.n {
            let (_, own) = piece.item(token);
            let mut better = 0;
            piece.each(|index, bits| better += (item_of::<E>(index, bits).1 > own) as u32);
            better = warp_reduce_add(FULL_MASK, better);
            if lane_id() == 0 && better > 0 {
                let rank = ranks.wrapping_add(place as usize);
                // SAFETY: the caller's contract on `ranks`.
                unsafe { atomic_add_relaxed_u32_device(rank, better) };
            }
        }
        at += 1;
    }
}
