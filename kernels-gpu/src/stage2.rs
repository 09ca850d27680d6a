//! Stage 2 of the backend `stream`: one block merges a row's candidates to the sorted best k.
//!
//! # Idea
//!
//! ```text
//! default:  put all candidates into the queue
//! tiles:    offer the candidates to the block's running top-k, a tile at a time
//! crop to k, sort, write values and indices
//! ```
//!
//! What the real code does differently: an output value comes from the key where that is unique;
//! zeros and NaNs, whose keys many bit patterns share, are read again from the row.
//!
//! # Shapes
//! Candidates `[rows, candidates]` of `u64`; input as for stage 1; values `[rows, k]` in the input's
//! type, indices `[rows, k]` of `u32`.
//!
//! # Work split
//! A block a row. In `tiles` a thread holds up to `STAGE2_VECTORS` candidates of a tile.
//!
//! # Shared memory
//! [`crate::params::QueueLayout`]; for `default` with room for all candidates.
//!
//! # Invariants
//! I1: at least k candidates are not empty (`k <= n`, stage 1).
//!
//! # Synchronisation
//! The queue's and the sort's. Stage 1 has ended when this kernel starts (stream order).
//!
//! # Launch contract
//! Whole warps, at most the threads in `variants`; capacity as `QueueLayout::new` gives, and for
//! `default` at least `candidates`; `tile <= STAGE2_VECTORS * threads`.
//!
//! # Cost
//! Reads `8 * candidates` bytes a row; one crop, and a sort of `log2(k)^2 / 2` barriers.
//!
//! # Ties, NaN, tail
//! By the composite; the tail of the last tile is absent.
//!
//! # Source
//! As for stage 1.
use cuda_std::global::{GlobalArray, GlobalArrayMut};
use cuda_std::thread::{block_dim_x, block_idx_x, sync_threads, thread_idx_x};
use cuda_std::unroll;

use crate::order::{empty, index_of, key_of, unique_bits};
use crate::params::{Flip, QueueLayout, STAGE2_VECTORS, Stage2Params};
use crate::prim::element::Element;
use crate::prim::queue::{Batch, Queue};
use crate::prim::rows::Row;
use crate::prim::sort::block_sort_descending;

/// The variant `default`: all candidates at once.
///
/// # Safety
/// - *in bounds*: `x`, `candidates`, `values` and `indices` point to arrays of the shapes above,
///   each aligned for its type;
/// - *no concurrent writer*: nothing else touches the outputs, nothing writes the inputs;
/// - `params` and the launch keep the launch contract above.
#[inline(always)]
pub unsafe fn stage2_default<E: Element>(
    x: *const E::Raw,
    candidates: *const u64,
    values: *mut E::Raw,
    indices: *mut u32,
    params: Stage2Params,
) {
    // SAFETY: the caller's contract on `candidates`.
    let candidates = unsafe { GlobalArray::new(candidates) };
    // SAFETY: the launch contract grants the shared memory.
    let mut queue = unsafe { Queue::new(layout(&params)) };
    let base = block_idx_x() as u64 * params.candidates as u64;
    let mut at = thread_idx_x();
    while at < params.candidates {
        queue.items.set(at, candidates.get(base + at as u64));
        at += block_dim_x();
    }
    queue.adopt(params.candidates);
    // SAFETY: the caller's contract on `x` and the outputs.
    unsafe { finish_row::<E>(queue, x, values, indices, &params) };
}

/// The variant `tiles`: a tile of candidates at a time, for any number of them.
///
/// # Safety
/// As for [`stage2_default`].
#[inline(always)]
pub unsafe fn stage2_tiles<E: Element>(
    x: *const E::Raw,
    candidates: *const u64,
    values: *mut E::Raw,
    indices: *mut u32,
    params: Stage2Params,
) {
    // SAFETY: the caller's contract on `candidates`.
    let candidates = unsafe { GlobalArray::new(candidates) };
    // SAFETY: the launch contract grants the shared memory.
    let mut queue = unsafe { Queue::new(layout(&params)) };
    let base = block_idx_x() as u64 * params.candidates as u64;
    let mut first = 0;
    while first < params.candidates {
        let end = params.candidates.min(first + params.tile);
        queue.offer(MergeTile::load(candidates, base, first, end));
        first += params.tile;
    }
    // SAFETY: the caller's contract on `x` and the outputs.
    unsafe { finish_row::<E>(queue, x, values, indices, &params) };
}

#[inline(always)]
fn layout(params: &Stage2Params) -> QueueLayout {
    QueueLayout {
        capacity: params.capacity,
        k: params.k,
    }
}

/// One thread's candidates of a tile, in registers.
struct MergeTile {
    items: [u64; STAGE2_VECTORS as usize],
}

impl MergeTile {
    /// Candidates `first..end` of the row that starts at `base`, spread over the block.
    #[inline(always)]
    fn load(candidates: GlobalArray<u64>, base: u64, first: u32, end: u32) -> Self {
        let mut items = [empty(0); STAGE2_VECTORS as usize];
        unroll!(i in STAGE2_VECTORS as usize => {
            let at = first + i as u32 * block_dim_x() + thread_idx_x();
            if at < end {
                items[i] = candidates.get(base + at as u64);
            }
        });
        MergeTile { items }
    }
}

impl Batch for MergeTile {
    const GROUPS: u32 = 1;
    const PARTS: usize = STAGE2_VECTORS as usize;

    #[inline(always)]
    fn may_admit(&self, bound: u64) -> bool {
        let mut any = false;
        unroll!(i in STAGE2_VECTORS as usize => { any |= self.items[i] >= bound; });
        any
    }

    #[inline(always)]
    fn front(&self, _group: u32, part: usize) -> u64 {
        self.items[part]
    }

    #[inline(always)]
    fn rotate(&mut self) {}
}

/// Crops and sorts the queue, and writes the row's answer. For all threads of the block together.
///
/// # Safety
/// As for [`stage2_default`], but for `candidates`.
#[inline(always)]
unsafe fn finish_row<E: Element>(
    mut queue: Queue,
    x: *const E::Raw,
    values: *mut E::Raw,
    indices: *mut u32,
    params: &Stage2Params,
) {
    let row_number = block_idx_x();
    let start = x.wrapping_add(row_number as usize * params.row_stride as usize);
    // SAFETY: the caller's contract on `x`; indices of candidates are inside the row.
    let elements = unsafe { Row::<E>::new(start, 0) };
    // SAFETY: the caller's contract on the outputs; a place is written by one thread.
    let values = unsafe { GlobalArrayMut::new(values) };
    // SAFETY: as above.
    let indices = unsafe { GlobalArrayMut::new(indices) };

    let found = queue.finish();
    // Separates the count's read from the sort, which may write where nobody has read yet.
    sync_threads();
    block_sort_descending(queue.items, found);
    let base = row_number as u64 * params.k as u64;
    let mut rank = thread_idx_x();
    while rank < found {
        let item = queue.items.get(rank);
        values.set(
            base + rank as u64,
            E::lower(chosen_element(&elements, item, params.flip)),
        );
        indices.set(base + rank as u64, index_of(item));
        rank += block_dim_x();
    }
}

/// The bits of the element that a composite stands for.
#[inline(always)]
fn chosen_element<E: Element>(row: &Row<E>, item: u64, flip: Flip) -> u32 {
    match unique_bits(key_of(item, flip)) {
        Some(bits) => bits,
        None => row.element(index_of(item)),
    }
}
