//! The kernel `select`: each block reduces one piece of a row to candidates; where the launch says
//! so, the last block of a row merges them to the answer.
//!
//! Three backends launch it: `stream` as its stage 1, `singlepass`, and `streaming`, whose rows are
//! one piece each. The kernel `sample` is the same with another end: it draws tokens from the best
//! k (`sample::finish`).
//!
//! # Idea
//!
//! ```text
//! let the piece's units flow through the block's running top-k        (prim::queue)
//! if the row is one piece: crop to k, order, write the answer
//! else: write the candidates; take a ticket
//!     if the launch joins, and it was the row's last ticket:
//!         let all pieces' candidates flow through a running top-k
//!         crop to k, order, write the answer
//! ```
//!
//! What the real code does differently: the elements before the row's first 16-byte boundary and
//! behind its last are put into the first piece's queue at once, whatever they are.
//!
//! # Shapes
//! Input `[rows, n]`, rows `row_stride` elements apart, f32, f16 or bf16. Lengths `[rows]` of
//! `u32`, or null where every row has `n`. Candidates
//! `[rows, pieces, slots]` of `u64` with `counts [rows, pieces]`, unsorted (prim::lists). Tickets
//! `[rows]`. Values `[rows, k]` in the input's type, indices `[rows, k]` of `u32` or `i64`.
//!
//! # Work split
//! `rows * pieces` blocks; block `b` has piece `b % pieces` of row `b / pieces`: `piece_vectors`
//! vectors of 16 bytes. Each warp walks a stretch of the piece, `U` vectors a lane at a time.
//!
//! # Shared memory
//! [`crate::params::QueueLayout`], used for the piece and then for the merge.
//!
//! # Invariants
//! - I1: a row's best k are among the pieces' candidates, since each piece gives its best k or all
//!   it has (checked: differential tests).
//! - I2: tickets are 0 before and after every launch: the counter wraps at the last piece, so
//!   nothing has to clear it and a captured graph can be replayed.
//!
//! # Synchronisation
//! The queue's own. A barrier separates a block's candidates from its ticket, and the ticket, which
//! acquires and releases, the candidates of all pieces from the last block's reads. Nobody waits
//! for another block: the last to come does the work.
//!
//! # Launch contract
//! Whole warps, at most the threads in `variants`; capacity as `QueueLayout::new` gives; no
//! assumption on forward progress.
//!
//! # Cost
//! Reads every element once. An element that does not reach the bound costs one comparison. A crop
//! costs about four barriers and three reads of the queue; with slack `s` there are at most
//! `piece elements / s + 1` of them, and for data in random order one or two. A piece writes up to
//! `8 * slots` bytes.
//!
//! # Ties, NaN, tail
//! By the composite ([`crate::order`]); elements past the row's end are never read. A row of fewer
//! than k elements gets `-inf` (`+inf` for the smallest) and no index in the places left.
//!
//! # Source
//! The two-stage shape is that of the Python/Triton system this product continues; the running
//! threshold is GridSelect's (Zhang et al., SC'23); the last block to arrive merges as in the
//! CUDA samples' threadFenceReduction.
use cuda_std::atomic::{
    atomic_add_relaxed_u32_device, atomic_fetch_inc_acq_rel_u32_device,
    atomic_load_acquire_u32_device, atomic_store_release_u32_device,
};
use cuda_std::thread::{block_dim_x, block_idx_x, sync_threads, sync_threads_or, thread_idx_x};

use crate::order::{NAN_KEY, key_of};
use crate::params::{Flip, Join, QueueLayout, SelectParams};
use crate::prim::answer::{Answer, AnswerShape, Finish};
use crate::prim::element::Element;
use crate::prim::lists::Lists;
use crate::prim::masking::Masking;
use crate::prim::queue::Queue;
use crate::prim::rows::{Row, RowPart, row_length};
use crate::sample::finish::{Outputs, Sampling};
use crate::sample::rows::RowTable;
use crate::sampling::launch::SampleParams;
use crate::sampling::params::RowParams;

/// # Safety
/// - *in bounds*: `x` points to the input; `lengths`, unless null, to the rows' lengths; with
///   several pieces a row, `candidates` and `counts` to
///   room in the shapes above; where rows are one piece or the launch joins, `values` and `indices`
///   to the outputs; where it joins, `tickets` to zeros; all aligned for their types;
/// - *no concurrent writer*: nothing else touches them, nothing writes `x`;
/// - `params` and the launch keep the launch contract above.
#[inline(always)]
#[allow(clippy::too_many_arguments)] // a kernel's buffers are arguments of their own
pub unsafe fn select<E: Element, const U: usize>(
    x: *const E::Raw,
    lengths: *const u32,
    candidates: *mut u64,
    counts: *mut u32,
    tickets: *mut u32,
    values: *mut E::Raw,
    indices: *mut u32,
    params: SelectParams,
) {
    let SelectParams { k, flip, index, .. } = params;
    // SAFETY: the caller's contract on `x` and `lengths`.
    let piece = unsafe { Piece::<E>::new(x, lengths, &params) };
    let shape = AnswerShape { k, flip, index };
    // SAFETY: the caller's contract on the outputs.
    let answer = unsafe { Answer::new(&piece.row, values, indices, piece.number, shape) };
    let buffers = Buffers { candidates, counts, tickets, nans: core::ptr::null_mut() };
    // SAFETY: the caller's contract.
    unsafe { reduce::<E, U, _>(&piece, &buffers, &params, &answer) };
}

/// As [`select`], and draws tokens from the best k.
///
/// # Safety
/// As for [`select`], but for values and indices; and
/// - *in bounds*: what `table` and `outputs` name has their shapes; where a launch joins, `nans`
///   points to zeros `[rows]`; the launch has the shared memory of `sample::finish`;
/// - *no concurrent writer*: nothing writes the table, nothing else touches the outputs and `nans`.
#[inline(always)]
#[allow(clippy::too_many_arguments)] // a kernel's buffers are arguments of their own
pub unsafe fn sample<E: Element, const U: usize>(
    x: *const E::Raw,
    lengths: *const u32,
    candidates: *mut u64,
    counts: *mut u32,
    tickets: *mut u32,
    nans: *mut u32,
    rows: *const RowParams,
    seeds: *const u64,
    positions: *const u64,
    tokens: *mut u32,
    status: *mut u32,
    logprobs: *mut u32,
    ranks: *mut u32,
    top_tokens: *mut u32,
    top_logprobs: *mut u32,
    params: SampleParams,
) {
    // SAFETY: the caller's contract on `x` and `lengths`.
    let piece = unsafe { Piece::<E>::new(x, lengths, &params.select) };
    let table = RowTable { rows, seeds, positions };
    let outputs = Outputs { tokens, status, logprobs, ranks, top_tokens, top_logprobs };
    // SAFETY: the caller's contract on table, outputs and shared memory.
    let sampling = unsafe { Sampling::new(table, outputs, piece.number, piece.n, params) };
    if !sampling.is_wanted() {
        return;
    }
    let buffers = Buffers { candidates, counts, tickets, nans };
    // SAFETY: the caller's contract.
    unsafe { reduce::<E, U, _>(&piece, &buffers, &params.select, &sampling) };
}

/// What blocks of a row pass to each other.
struct Buffers {
    candidates: *mut u64,
    counts: *mut u32,
    tickets: *mut u32,
    /// How many blocks of a row saw a NaN; used by ends that mask them.
    nans: *mut u32,
}

/// The block's part of a row.
struct Piece<E: Element> {
    row: Row<E>,
    start: *const E::Raw,
    number: u32,
    n: u32,
    /// Number of the piece in its row.
    piece: u32,
}

impl<E: Element> Piece<E> {
    /// # Safety
    /// As for [`select`], of `x` and `lengths`.
    #[inline(always)]
    unsafe fn new(x: *const E::Raw, lengths: *const u32, params: &SelectParams) -> Self {
        // SAFETY: the launch contract; it spares the division's check.
        unsafe { core::hint::assert_unchecked(params.pieces != 0) };
        let (number, piece) = (block_idx_x() / params.pieces, block_idx_x() % params.pieces);
        let start = x.wrapping_add(number as usize * params.row_stride as usize);
        // SAFETY: the caller's contract on `lengths`.
        let n = unsafe { row_length(lengths, number, params.n) };
        // SAFETY: the caller's contract on `x`.
        let row = unsafe { Row::<E>::new(start, n) };
        Piece { row, start, number, n, piece }
    }

    /// The piece's best `keep` or fewer, the best k among them, in the queue. For all threads of
    /// the block together.
    #[inline(always)]
    fn absorb<const U: usize>(&self, queue: &mut Queue, params: &SelectParams, keep: u32) {
        let flip = params.flip;
        if self.piece == 0 {
            queue.seed(self.row.stray_count(), |number| self.row.stray(number, flip));
        }
        let first = self.piece * params.piece_vectors;
        let end = self.row.vector_count().min(first + params.piece_vectors);
        queue.absorb(RowPart::<E, U>::new(&self.row, first, end, flip), keep);
    }
}

/// The kernel, up to what becomes of the row's best.
///
/// # Safety
/// As for [`select`], of the buffers and the launch.
#[inline(always)]
unsafe fn reduce<E: Element, const U: usize, F: Finish<E>>(
    part: &Piece<E>,
    buffers: &Buffers,
    params: &SelectParams,
    finish: &F,
) {
    let SelectParams { k, pieces, .. } = *params;
    let layout = QueueLayout { capacity: params.capacity, k };
    // SAFETY: the launch contract grants the shared memory.
    let mut queue = unsafe { Queue::new(layout) };
    let keep = if pieces > 1 { params.slots } else { finish.keep() };
    part.absorb::<U>(&mut queue, params, keep);
    let mut has_nan = false;
    if F::MASKS_NAN {
        has_nan = holds_nan(&queue);
        if has_nan {
            // SAFETY: the same row, read as another type of the same bits.
            let row = unsafe { Row::<Masking<E>>::new(part.start, part.n) };
            let Piece { start, number, n, piece, .. } = *part;
            let masking = Piece { row, start, number, n, piece };
            // SAFETY: as above; the first queue is not used any more.
            queue = unsafe { Queue::new(layout) };
            masking.absorb::<1>(&mut queue, params, keep);
        }
    }

    if pieces > 1 {
        let Buffers { candidates, counts, tickets, nans } = *buffers;
        let number = part.number;
        // SAFETY: the caller's contract on `candidates` and `counts`.
        let lists = unsafe { Lists::new(candidates, counts, number, pieces, params.slots) };
        lists.publish(&queue, part.piece);
        let nans = nans.wrapping_add(number as usize);
        if F::MASKS_NAN && has_nan && thread_idx_x() == 0 {
            // SAFETY: the caller's contract on `nans`; the ticket below releases it.
            unsafe { atomic_add_relaxed_u32_device(nans, 1) };
        }
        // SAFETY: the caller's contract on `tickets`.
        let is_last = params.join == Join::LastBlock
            && unsafe { is_last_block(tickets.wrapping_add(number as usize), pieces) };
        if !is_last {
            return;
        }
        if F::MASKS_NAN && thread_idx_x() == 0 {
            // SAFETY: the caller's contract on `nans`.
            has_nan = unsafe { atomic_load_acquire_u32_device(nans) } > 0;
            // SAFETY: as above; the row's other blocks are done with it.
            unsafe { atomic_store_release_u32_device(nans, 0) };
        }
        // SAFETY: as above; the piece's own queue is not used any more.
        queue = unsafe { Queue::new(layout) };
        queue.absorb(lists.batches(), finish.keep());
    }
    finish.finish(&part.row, &queue, has_nan);
}

/// Whether the queue holds a NaN, in every thread: where the row's part has one, it is among the
/// best. For all threads of the block together.
#[inline(always)]
fn holds_nan(queue: &Queue) -> bool {
    let (count, mut at, mut found) = (queue.count(), thread_idx_x(), false);
    while at < count {
        found |= key_of(queue.items.get(at), Flip::LARGEST) == NAN_KEY;
        at += block_dim_x();
    }
    // Separates the items' reads from what is done with the queue next.
    sync_threads_or(found)
}

/// Takes a ticket for the block; whether it was the last of `pieces`. In every thread. For all
/// threads of the block together.
///
/// # Safety
/// `ticket` is *in bounds*, aligned, and used by the row's blocks alone, in this way.
#[inline(always)]
unsafe fn is_last_block(ticket: *mut u32, pieces: u32) -> bool {
    // Separates the block's candidates from the ticket that announces them.
    sync_threads();
    let mut is_last = false;
    if thread_idx_x() == 0 {
        // SAFETY: the caller's contract.
        let earlier = unsafe { atomic_fetch_inc_acq_rel_u32_device(ticket, pieces - 1) };
        is_last = earlier == pieces - 1;
    }
    // Separates the ticket, and what it acquired, from the other threads' reads.
    sync_threads_or(is_last)
}
