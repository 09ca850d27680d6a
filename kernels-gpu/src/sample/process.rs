//! The kernel `process`: logits after penalties, biases and masks, as `f32`, for the kernels that
//! draw.
//!
//! # Idea
//!
//! ```text
//! for each element of the piece: write it, penalised, or -inf where the mask turns it away
//! for each bias in the piece: write its element anew, with the bias
//! ```
//!
//! What the real code does differently: biases come as a list a row, and are looked up by nobody;
//! an element that has one is written twice.
//!
//! # Shapes
//! Input `[rows, n]`, rows `row_stride` elements apart; lengths `[rows]` or null. Histories
//! `[rows, n]` of words, or null. Biases: the row `r` has the places `bias_starts[r]` up to
//! `bias_starts[r + 1]` of `bias_tokens` and `bias_values`; starts `[rows + 1]`, or null. Mask
//! `[rows, ceil(n / 32)]` of words, or null. Output `[rows, n]` of `f32`.
//!
//! # Work split
//! `rows * pieces` blocks; block `b` has the elements from `b % pieces * piece_elements` on of row
//! `b / pieces`, a thread an element at a time.
//!
//! # Shared memory
//! None.
//!
//! # Invariants
//! I1: a row's list has a token at most once, so that an element is written by one thread behind
//! the barrier.
//!
//! # Synchronisation
//! A barrier separates the elements from those that are written anew.
//!
//! # Launch contract
//! Whole warps, at most the threads in `variants`.
//!
//! # Cost
//! Reads every element once and writes it as four bytes; reads a history of four bytes an element
//! where there is one.
//!
//! # Ties, NaN, tail
//! A NaN stays one, unless the mask turns it away. Behind a row's length nothing is written.
//!
//! # Source
//! The penalties are those of CTRL (Keskar et al., 2019) and of OpenAI's API, as in vLLM.
use cuda_std::global::{GlobalArray, GlobalArrayMut};
use cuda_std::thread::{block_dim_x, sync_threads, thread_idx_x};

use super::piece::{Cut, Piece};
use super::rows::RowTable;
use crate::prim::element::Element;
use crate::sampling::adjust::adjusted;
use crate::sampling::launch::ProcessParams;
use crate::sampling::params::RowParams;

/// # Safety
/// - *in bounds*: the pointers are to arrays of the shapes above, aligned for their types, those
///   that may be null excepted; the tokens of biases are below `n`, each at most once a row;
/// - *no concurrent writer*: nothing else touches the output, nothing writes what is read;
/// - `params` and the launch keep the launch contract above.
#[inline(always)]
#[allow(clippy::too_many_arguments)] // a kernel's buffers are arguments of their own
pub unsafe fn process<E: Element>(
    x: *const E::Raw,
    lengths: *const u32,
    rows: *const RowParams,
    histories: *const u32,
    bias_starts: *const u32,
    bias_tokens: *const u32,
    bias_values: *const u32,
    allowed: *const u32,
    output: *mut u32,
    params: ProcessParams,
) {
    let ProcessParams { row_stride, n, order, pieces, piece_elements } = params;
    // SAFETY: the caller's contract.
    let piece =
        unsafe { Piece::<E>::new(x, lengths, Cut { row_stride, n, pieces, piece_elements }) };
    let number = piece.number as u64;
    let table = RowTable { rows, seeds: core::ptr::null(), positions: core::ptr::null() };
    // SAFETY: the caller's contract on `rows`.
    let row = unsafe { table.get(piece.number) };
    // SAFETY: the caller's contract on `output`; between two barriers a place is one thread's.
    let output = unsafe { GlobalArrayMut::new(output) };
    // SAFETY: the caller's contract on `histories`; read only where there are some.
    let words = unsafe { GlobalArray::<u32>::new(histories) };
    // SAFETY: the caller's contract on `allowed`; as above.
    let mask = unsafe { GlobalArray::<u32>::new(allowed) };
    let write = |index: u32, bits: u32, bias: f32| {
        let at = number * n as u64 + index as u64;
        let word = number * n.div_ceil(32) as u64 + (index / 32) as u64;
        let is_allowed = allowed.is_null() || mask.get(word) >> (index % 32) & 1 != 0;
        let mut logit = f32::NEG_INFINITY;
        if is_allowed {
            let history = if histories.is_null() { 0 } else { words.get(at) };
            logit = adjusted(E::value(bits), history, bias, &row, order);
        }
        output.set(at, logit.to_bits());
    };
    piece.each(|index, bits| write(index, bits, 0.0));
    if bias_starts.is_null() {
        return;
    }
    // Separates the elements from those that are written anew.
    sync_threads();
    // SAFETY: the caller's contract on the biases.
    let starts = unsafe { GlobalArray::<u32>::new(bias_starts) };
    // SAFETY: as above.
    let tokens = unsafe { GlobalArray::<u32>::new(bias_tokens) };
    // SAFETY: as above.
    let values = unsafe { GlobalArray::<u32>::new(bias_values) };
    let mut at = starts.get(number) + thread_idx_x();
    while at < starts.get(number + 1) {
        let token = tokens.get(at as u64);
        if token >= piece.first && token < piece.end {
            let bias = f32::from_bits(values.get(at as u64));
            write(token, piece.element(token), bias);
        }
        at += block_dim_x();
    }
}
