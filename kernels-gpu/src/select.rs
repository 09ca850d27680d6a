//! The kernel `select`: each block reduces one piece of a row to candidates; where the launch says
//! so, the last block of a row merges them to the answer.
//!
//! Three backends launch it: `stream` as its stage 1, `singlepass`, and `streaming`, whose rows are
//! one piece each.
//!
//! # Idea
//!
//! ```text
//! survey the piece: its best, or a few more, are in the queue    (prim::survey, prim::queue)
//! if the row is one piece: crop to k, order, write the answer
//! else: write the candidates; take a ticket
//!     if the launch joins, and it was the row's last ticket:
//!         let all pieces' candidates flow through a running top-k
//!         if a piece left out elements that may belong to the answer: survey the whole row
//!         crop to k, order, write the answer
//! ```
//!
//! What the real code does differently: the elements before the row's first 16-byte boundary and
//! behind its last are put into the first piece's queue at once, whatever they are.
//!
//! # Shapes
//! Input `[rows, n]`, rows `row_stride` elements apart, f32, f16 or bf16. Lengths `[rows]` of
//! `u32`, or null where every row has `n`. Candidates
//! `[rows, pieces, slots]` of `u64` and `list_tops [rows, pieces, tops]` (prim::lists). Tickets
//! `[rows]`. Values `[rows, k]` in the input's type, indices `[rows, k]` of `u32` or `i64`.
//!
//! # Work split
//! `LARGE` instances take any `k`, the others one of at most [`crate::params::SMALL_K_MAX`], with
//! half the code.
//! `rows * pieces` blocks; block `b` has piece `b % pieces` of row `b / pieces`: `piece_vectors`
//! vectors of 16 bytes. Each warp walks a stretch of the piece, `U` vectors a lane at a time.
//!
//! # Shared memory
//! [`crate::params::QueueLayout`], used for the piece and then for the merge.
//!
//! # Invariants
//! - I1: a row's best k are among the pieces' candidates, since each piece gives its best k or all
//!   it has; or else its best `piece_k` and a composite that what it left out is below, and then
//!   the k-th best candidate is not below any of these (checked: differential tests).
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
use cuda_std::atomic::atomic_fetch_inc_acq_rel_u32_device;
use cuda_std::shared::SharedArray;
use cuda_std::thread::{block_dim_x, block_idx_x, sync_threads, sync_threads_or, thread_idx_x};

use crate::params::{Join, QueueLayout, SelectParams, survey_keys};
use crate::prim::answer::{Answer, AnswerShape};
use crate::prim::element::Element;
use crate::prim::lists::{ListShape, Lists};
use crate::prim::queue::Queue;
use crate::prim::rows::{Row, row_length};
use crate::prim::survey::{Survey, Wanted};

/// # Safety
/// - *in bounds*: `x` points to the input; `lengths`, unless null, to the rows' lengths; with
///   several pieces a row, `candidates` and `list_tops` to
///   room in the shapes above; where rows are one piece or the launch joins, `values` and `indices`
///   to the outputs; where it joins, `tickets` to zeros; all aligned for their types;
/// - *no concurrent writer*: nothing else touches them, nothing writes `x`;
/// - `params` and the launch keep the launch contract above.
#[inline(always)]
#[allow(clippy::too_many_arguments)] // a kernel's buffers are arguments of their own
pub unsafe fn select<E: Element, const U: usize, const LARGE: bool>(
    x: *const E::Raw,
    lengths: *const u32,
    candidates: *mut u64,
    list_tops: *mut u32,
    tickets: *mut u32,
    values: *mut E::Raw,
    indices: *mut u32,
    params: SelectParams,
) {
    let SelectParams { k, pieces, piece_vectors, flip, index, order, .. } = params;
    // SAFETY: the launch contract; it spares the division's check.
    unsafe { core::hint::assert_unchecked(pieces != 0) };
    let (number, piece) = (block_idx_x() / pieces, block_idx_x() % pieces);
    let start = x.wrapping_add(number as usize * params.row_stride as usize);
    // SAFETY: the caller's contract on `lengths`.
    let n = unsafe { row_length(lengths, number, params.n) };
    // SAFETY: the caller's contract on `x`.
    let row = unsafe { Row::<E>::new(start, n) };
    let survey_keys = survey_keys(params.chunk_units, block_dim_x());
    let layout = QueueLayout { capacity: params.capacity, k, survey_keys };
    // SAFETY: the launch contract grants the shared memory; nothing else uses that part of it.
    let keys = unsafe { SharedArray::new(layout.keys()) };
    let new_queue = |k: u32, strays: u32| {
        // SAFETY: the launch contract grants the shared memory; a queue is not used any more when
        // the next one is made.
        unsafe { Queue::new(layout, k, strays, |number| row.stray(number, flip)) }
    };
    let answer_shape = AnswerShape { k, flip, index, order };
    let is_whole = pieces == 1;
    let first = piece * piece_vectors;
    let mut range = (first, row.vector_count().min(first + piece_vectors));
    let (chunk_units, bounded) = (params.chunk_units, params.bounded != 0);
    let mut wanted = Wanted { k: params.piece_k, tops: params.tops, chunk_units, bounded };
    let mut queue = new_queue(wanted.k, if piece == 0 { row.stray_count() } else { 0 });
    let keep_whole =
        if LARGE { answer_shape.keep(params.capacity) } else { answer_shape.keep_few() };
    let mut keep = if is_whole { keep_whole } else { params.slots };
    let mut turns_back = false;
    loop {
        Survey::<E, U, LARGE>::new(&row, range, flip, keys, wanted).run(&mut queue, keep);
        if is_whole || LARGE && turns_back {
            break;
        }
        let shape = ListShape { pieces, slots: params.slots, tops: params.tops };
        // SAFETY: the caller's contract on `candidates` and `list_tops`.
        let lists = unsafe { Lists::new(candidates, list_tops, number, shape) };
        lists.publish(&queue, piece);
        // SAFETY: the caller's contract on `tickets`.
        let is_last = params.join == Join::LastBlock
            && unsafe { is_last_block(tickets.wrapping_add(number as usize), pieces) };
        if !is_last {
            return;
        }
        queue = new_queue(k, 0);
        let batches = lists.batches();
        lists.raise_bound(&mut queue, k);
        let gives_all = !LARGE || params.piece_k == k;
        // Whether the lists suffice shows in the bound of a crop.
        queue.absorb(batches, if gives_all { keep_whole } else { k });
        if gives_all || lists.suffice(&queue) {
            break;
        }
        // Some piece had more of the best than it gave: now the whole row, by this block alone.
        // Separates the last use of the old queue from the new one's start.
        sync_threads();
        (turns_back, range, keep) = (true, (0, row.vector_count()), keep_whole);
        wanted = Wanted { k, tops: 0, chunk_units, bounded };
        queue = new_queue(k, row.stray_count());
    }
    // SAFETY: the caller's contract on the outputs.
    let answer = unsafe { Answer::new(&row, values, indices, number, answer_shape) };
    if LARGE {
        answer.write(&mut queue);
    } else {
        answer.write_few(&queue);
    }
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
