//! Stage 1 of the backend `stream`: each block reduces one piece of a row to its best k.
//!
//! # Idea
//!
//! ```text
//! for each tile of the piece:
//!     load the tile into registers
//!     offer it to the block's running top-k
//! write the best k, or all there are, as composites; fill up with empty ones
//! ```
//!
//! What the real code does differently: inner tiles and tiles at the row's ends are loaded by
//! different code (see `prim::rows`), because a load under a condition cannot be in flight with
//! others.
//!
//! # Shapes
//! Input `[rows, n]`, rows `row_stride` elements apart, f32, f16 or bf16. Candidates
//! `[rows, pieces, k]` of `u64`, unsorted.
//!
//! # Work split
//! `rows * pieces` blocks; block `b` has piece `b % pieces` of row `b / pieces`: `piece_vectors`
//! vectors of 16 bytes. A tile is `U` vectors a thread.
//!
//! # Shared memory
//! [`crate::params::QueueLayout`].
//!
//! # Invariants
//! I1: a row's best k are among the pieces' best k each, since a better element of the same piece
//! is a better element of the row (checked: differential tests). The queue's own: `prim::queue`.
//!
//! # Synchronisation
//! The queue's. Blocks do not talk to each other.
//!
//! # Launch contract
//! Whole warps, at most the threads in `variants`; capacity as `QueueLayout::new` gives; no
//! assumption on forward progress.
//!
//! # Cost
//! Reads every element once, writes `8 k` bytes a piece. An element that does not reach the bound
//! costs one comparison. A crop costs about four barriers and three reads of the queue; with slack
//! `s` there are at most `piece elements / s` of them: about that many for ascending data, about
//! `1 + (k / s) ln(piece elements / s)` for data in random order.
//!
//! # Ties, NaN, tail
//! By the composite ([`crate::order`]); elements past the row's end are never read.
//!
//! # Source
//! The two-stage shape is that of the Python/Triton system this product continues; the running
//! threshold is GridSelect's (Zhang et al., SC'23).
use cuda_std::global::GlobalArrayMut;
use cuda_std::thread::{block_dim_x, block_idx_x, thread_idx_x};

use crate::order::empty;
use crate::params::{QueueLayout, Stage1Params};
use crate::prim::element::Element;
use crate::prim::queue::Queue;
use crate::prim::rows::Row;

/// # Safety
/// - *in bounds*: `x` points to the input, `candidates` to room for the output, in the shapes above;
///   both aligned for their type;
/// - *no concurrent writer*: nothing else touches `candidates`, nothing writes `x`;
/// - `params` and the launch keep the launch contract above, and `params.pieces` is not 0.
#[inline(always)]
pub unsafe fn stage1<E: Element, const U: usize>(
    x: *const E::Raw,
    candidates: *mut u64,
    params: Stage1Params,
) {
    let Stage1Params {
        row_stride,
        n,
        k,
        pieces,
        piece_vectors,
        capacity,
        flip,
    } = params;
    // SAFETY: the caller's contract; it spares the division's check.
    unsafe { core::hint::assert_unchecked(pieces != 0) };
    let (row_number, piece) = (block_idx_x() / pieces, block_idx_x() % pieces);
    let start = x.wrapping_add(row_number as usize * row_stride as usize);
    // SAFETY: the caller's contract on `x`.
    let row = unsafe { Row::<E>::new(start, n) };
    // SAFETY: the launch contract grants the shared memory.
    let mut queue = unsafe { Queue::new(QueueLayout { capacity, k }) };

    let mut first = piece * piece_vectors;
    let end = row.vector_count().min(first + piece_vectors);
    while first < end {
        queue.offer(row.tile::<U>(first, end, flip));
        first += U as u32 * block_dim_x();
    }
    let found = queue.finish();

    // SAFETY: the caller's contract on `candidates`; a place is written by one thread.
    let out = unsafe { GlobalArrayMut::new(candidates) };
    let base = block_idx_x() as u64 * k as u64;
    let mut slot = thread_idx_x();
    while slot < k {
        let item = if slot < found {
            queue.items.get(slot)
        } else {
            empty(piece * k + slot)
        };
        out.set(base + slot as u64, item);
        slot += block_dim_x();
    }
}
