//! The kernel `merge`, stage 2 of the backend `stream`: one block merges a row's candidates to the
//! sorted best k.
//!
//! # Idea
//!
//! ```text
//! bound = what k of the lists' best keys reach                  (prim::lists)
//! let the candidates flow through the block's running top-k     (prim::queue)
//! crop to k, order, write values and indices
//! ```
//!
//! # Shapes
//! Candidates and best keys as `select` leaves them (prim::lists); input as for `select`, for the
//! values of zeros and NaNs; values `[rows, k]` in the input's type, indices `[rows, k]` of `u32`
//! or `i64`.
//!
//! # Work split
//! A block a row.
//!
//! # Shared memory
//! [`crate::params::QueueLayout`]; with room for every slot of every list there is one crop at
//! most.
//!
//! # Invariants
//! I1: a row's best k, or all it has, are among its candidates (`select`).
//!
//! # Synchronisation
//! The queue's and the sort's. `select` has ended when this kernel starts (stream order).
//!
//! # Launch contract
//! Whole warps, at most the threads in `variants`; capacity as `QueueLayout::new` gives.
//!
//! # Cost
//! Reads up to `8 * pieces * slots` bytes a row; one crop or a few, then the ordering.
//!
//! # Ties, NaN, tail
//! By the composite; empty candidates are passed over.
//!
//! # Source
//! As for `select`.
use cuda_std::thread::block_idx_x;

use crate::params::{MergeParams, QueueLayout};
use crate::prim::answer::{Answer, AnswerShape};
use crate::prim::element::Element;
use crate::prim::lists::{ListShape, Lists};
use crate::prim::queue::Queue;
use crate::prim::rows::Row;

/// # Safety
/// - *in bounds*: `x`, `candidates`, `list_tops`, `values` and `indices` point to arrays of the
///   shapes
///   above, each aligned for its type;
/// - *no concurrent writer*: nothing else touches the outputs, nothing writes the inputs;
/// - `params` and the launch keep the launch contract above.
#[inline(always)]
pub unsafe fn merge<E: Element>(
    x: *const E::Raw,
    candidates: *mut u64,
    list_tops: *mut u32,
    values: *mut E::Raw,
    indices: *mut u32,
    params: MergeParams,
) {
    let MergeParams { pieces, slots, k, capacity, flip, index, order, tops, .. } = params;
    let shape = ListShape { pieces, slots, tops };
    let number = block_idx_x();
    let start = x.wrapping_add(number as usize * params.row_stride as usize);
    // SAFETY: the caller's contract on `x`; only elements that candidates name are read.
    let row = unsafe { Row::<E>::new(start, 0) };
    // SAFETY: the caller's contract on `candidates` and `list_tops`.
    let lists = unsafe { Lists::new(candidates, list_tops, number, shape) };
    // SAFETY: the launch contract grants the shared memory.
    let mut queue = unsafe { Queue::new(QueueLayout { capacity, survey_keys: 0 }, k, 0, |_| 0) };
    let answer_shape = AnswerShape { k, flip, index, order };
    let batches = lists.batches((0, 0));
    lists.raise_bound(&mut queue, k);
    queue.absorb(batches, answer_shape.keep(capacity));
    // SAFETY: the caller's contract on the outputs.
    let answer = unsafe { Answer::new(&row, values, indices, number, answer_shape) };
    answer.write(&mut queue);
}
