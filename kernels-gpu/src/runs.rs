//! The kernels that order long lists of items: sorted runs, merged two by two, then written as the
//! answer.
//!
//! # Idea
//!
//! ```text
//! sort_runs:   each block sorts a run of the list in shared memory
//! merge_runs:  each item finds its place in the merge of its run and the neighbour:
//!              its place in its own run plus the number of better items in the other
//! write_items: each item becomes a value and an index
//! ```
//!
//! What the real code does differently: nothing. The number of better items is found by a binary
//! search in the other run, which lies in the L2 cache for all but the longest lists.
//!
//! # Shapes
//! Items `[rows, k]` of composites, from and to; input and outputs as for `select`.
//!
//! # Work split
//! `rows * tiles` blocks; block `b` has the items from `b % tiles * tile` on of row `b / tiles`.
//!
//! # Shared memory
//! `sort_runs`: the run twice, [`crate::params::RUN_BYTES`]. The others: none.
//!
//! # Invariants
//! I1: no two items of a row are equal, so places are distinct (`order::composite`,
//! `order::empty`).
//!
//! # Synchronisation
//! The sort's barriers, and one before it. Launches follow each other in the stream.
//!
//! # Launch contract
//! Whole warps, at most the threads in `variants`; the shared memory above.
//!
//! # Cost
//! `sort_runs` and each of the `log2(k / tile)` merges read and write 8 bytes an item.
//!
//! # Ties, NaN, tail
//! By the composite; the last run of a row may be short, and may have no neighbour.
//!
//! # Source
//! Merging by rank: "Designing efficient sorting algorithms for manycore GPUs" (Satish et al.,
//! 2009).
use cuda_std::global::GlobalArrayMut;
use cuda_std::shared::SharedArray;
use cuda_std::thread::{block_dim_x, block_idx_x, sync_threads, thread_idx_x};

use crate::params::{Order, RunParams};
use crate::prim::answer::{Answer, AnswerShape};
use crate::prim::element::Element;
use crate::prim::rows::Row;
use crate::prim::sort::{block_sort_descending, merged_place};

/// The block's row, and the range of its items.
#[inline(always)]
fn tile(params: &RunParams) -> (u32, u32, u32) {
    // SAFETY: the launch contract; it spares the division's check.
    unsafe { core::hint::assert_unchecked(params.tiles != 0) };
    let (row, tile) = (block_idx_x() / params.tiles, block_idx_x() % params.tiles);
    let first = tile * params.tile;
    (row, first, params.k.min(first + params.tile))
}

/// Calls `f` with this thread's items of a range.
#[inline(always)]
fn each(first: u32, end: u32, mut f: impl FnMut(u32)) {
    let mut at = first + thread_idx_x();
    while at < end {
        f(at);
        at += block_dim_x();
    }
}

/// Sorts a run in place, best first.
///
/// # Safety
/// - *in bounds*: `items` is of the shape above, aligned;
/// - *no concurrent writer*: nothing else touches it;
/// - `params` and the launch keep the launch contract above.
#[inline(always)]
pub unsafe fn sort_run(items: *mut u64, params: RunParams) {
    let (row, first, end) = tile(&params);
    // SAFETY: the caller's contract; the block's run is its own.
    let items = unsafe { GlobalArrayMut::new(items) };
    // SAFETY: the launch contract grants the memory.
    let run = unsafe { SharedArray::new(0) };
    let base = row as u64 * params.k as u64;
    each(first, end, |at| run.set(at - first, items.get(base + at as u64)));
    // Separates the copies from their use.
    sync_threads();
    let run = block_sort_descending(run, run.at(params.tile), end - first);
    each(first, end, |at| items.set(base + at as u64, run.get(at - first)));
}

/// Merges runs two by two.
///
/// # Safety
/// As for [`sort_run`], of `from` and `to`, which do not overlap.
#[inline(always)]
pub unsafe fn merge_run(from: *mut u64, to: *mut u64, params: RunParams) {
    let (row, first, end) = tile(&params);
    // SAFETY: the caller's contract; nobody writes it here.
    let from = unsafe { GlobalArrayMut::new(from) };
    // SAFETY: the caller's contract; places are distinct.
    let to = unsafe { GlobalArrayMut::new(to) };
    let base = row as u64 * params.k as u64;
    each(first, end, |at| {
        let item = from.get(base + at as u64);
        let get = |other: u32| from.get(base + other as u64);
        let place = merged_place(get, at, item, params.run, params.k);
        to.set(base + place as u64, item);
    });
}

/// Writes sorted items as the answer.
///
/// # Safety
/// As for [`sort_run`]; `x`, `values` and `indices` as for `select`.
#[inline(always)]
pub unsafe fn write_items<E: Element>(
    x: *const E::Raw,
    items: *mut u64,
    values: *mut E::Raw,
    indices: *mut u32,
    params: RunParams,
) {
    let (number, first, end) = tile(&params);
    let start = x.wrapping_add(number as usize * params.row_stride as usize);
    // SAFETY: the caller's contract on `x`; only elements that items name are read.
    let row = unsafe { Row::<E>::new(start, 0) };
    let shape =
        AnswerShape { k: params.k, flip: params.flip, index: params.index, order: Order::Best };
    // SAFETY: the caller's contract on the outputs.
    let answer = unsafe { Answer::new(&row, values, indices, number, shape) };
    // SAFETY: the caller's contract; nobody writes it here.
    let items = unsafe { GlobalArrayMut::new(items) };
    let base = number as u64 * params.k as u64;
    each(first, end, |at| answer.put(at, items.get(base + at as u64)));
}
