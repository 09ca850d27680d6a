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
//! if the row is one piece: order, write the best k
//! else: write the candidates; take a ticket
//!     if the launch joins, and it was the row's last ticket:
//!         let all pieces' candidates flow through a running top-k
//!         if pieces left out elements that may belong to the answer: survey these once more
//!         order, write the best k
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
//! `rows * pieces` blocks; block `b` has piece `b % pieces` of row `b / pieces`: `piece_vectors`
//! vectors of 16 bytes. Each warp walks a stretch of the piece, `U` vectors a lane at a time.
//! `LARGE` instances take any `k`; the others one of at most [`crate::params::SMALL_K_MAX`], with
//! half the code and fewer registers.
//!
//! # Shared memory
//! [`crate::params::QueueLayout`], used for the piece and then for the merge.
//!
//! # Invariants
//! - I1: a row's best k are among the pieces' candidates, since each piece gives its best k or all
//!   it has; or else its best `piece_k` and a composite that what it left out is below, and then
//!   the k-th best candidate is not below any of these (checked: differential tests).
//! - I2: tickets are 0 before and after every launch: the counter wraps at the last piece, so
//!   nothing has to clear it and a captured graph can be replayed. So are the counts of NaNs, which
//!   the last block of [`sample`] clears.
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
//! Reads every element once, and again the parts of units that reach the bound: about `k` of them
//! for data in random order, at most `2 k + 32` a chunk. A crop costs about four barriers and three
//! reads of the queue; with slack `s` there are at most `piece elements / s + 1` of them. A piece
//! writes at most `8 * slots` bytes. Where pieces give less than `k` and that does not suffice, one
//! block reads once more those that left out too much, and what lies between them.
//!
//! # Ties, NaN, tail
//! By the composite ([`crate::order`]); elements past the row's end are never read. A row of fewer
//! than k elements gets `-inf` (`+inf` for the smallest) and no index in the places left. To
//! [`sample`] a NaN is `-inf` (prim::masking), when pieces are surveyed once more too.
//!
//! # Source
//! The two-stage shape is that of the Python/Triton system this product continues; the survey's
//! delegates are Dr. Top-k's (Gaihre et al., SC'21), the running threshold GridSelect's (Zhang et
//! al., SC'23); the last block to arrive merges as in the CUDA samples' threadFenceReduction.
use cuda_std::atomic::{
    atomic_add_relaxed_u32_device, atomic_fetch_inc_acq_rel_u32_device,
    atomic_load_acquire_u32_device, atomic_store_release_u32_device,
};
use cuda_std::thread::{sync_threads, sync_threads_or, thread_idx_x};

use crate::params::{Join, SelectParams};
use crate::prim::answer::{Finish, Writing};
use crate::prim::element::Element;
use crate::prim::lists::{ListShape, Lists};
use crate::prim::masking::Masking;
use crate::prim::part::Part;
use crate::prim::queue::Queue;
use crate::prim::survey::Wanted;
use crate::sample::finish::Sampling;
use crate::sample::outputs::Outputs;
use crate::sample::rows::RowTable;
use crate::sampling::launch::SampleParams;
use crate::sampling::params::RowParams;

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
    // SAFETY: the caller's contract on `x` and `lengths`.
    let part = unsafe { Part::<E>::new(x, lengths, params) };
    let buffers = Buffers { candidates, list_tops, tickets, nans: core::ptr::null_mut() };
    // SAFETY: the caller's contract on the outputs.
    let writing = unsafe { Writing::<E, LARGE>::new(values, indices, part.number, &params) };
    // SAFETY: the caller's contract.
    unsafe { reduce::<E, U, LARGE, _>(&part, &buffers, &writing) };
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
pub unsafe fn sample<E: Element, const U: usize, const LARGE: bool>(
    x: *const E::Raw,
    lengths: *const u32,
    candidates: *mut u64,
    list_tops: *mut u32,
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
    let part = unsafe { Part::<Masking<E>>::new(x, lengths, params.select) };
    let table = RowTable { rows, seeds, positions };
    let outputs = Outputs { tokens, status, logprobs, ranks, top_tokens, top_logprobs };
    // SAFETY: the caller's contract on table, outputs and shared memory.
    let sampling =
        unsafe { Sampling::<LARGE>::new(table, outputs, part.number, part.row.len(), params) };
    let buffers = Buffers { candidates, list_tops, tickets, nans };
    // SAFETY: the caller's contract.
    unsafe { reduce::<Masking<E>, U, LARGE, _>(&part, &buffers, &sampling) };
}

/// What blocks of a row pass to each other.
struct Buffers {
    candidates: *mut u64,
    list_tops: *mut u32,
    tickets: *mut u32,
    /// How many blocks of a row saw a NaN; used where these are masked.
    nans: *mut u32,
}

impl Buffers {
    /// The lists of the row of `part`.
    ///
    /// # Safety
    /// As for [`select`], of `candidates` and `list_tops`.
    #[inline(always)]
    unsafe fn lists<E: Element>(&self, part: &Part<E>) -> Lists {
        let SelectParams { pieces, slots, tops, .. } = part.params;
        let shape = ListShape { pieces, slots, tops };
        // SAFETY: the caller's contract.
        unsafe { Lists::new(self.candidates, self.list_tops, part.number, shape) }
    }

    /// Announces the block's candidates, and whether it saw a NaN; whether it is the block that
    /// merges the row's. Then `has_nan` says in thread 0 whether some block saw one. For all
    /// threads of the block together.
    ///
    /// # Safety
    /// As for [`select`] and [`sample`], of `tickets` and `nans`.
    #[inline(always)]
    unsafe fn is_last<E: Element>(&self, part: &Part<E>, has_nan: &mut bool) -> bool {
        let SelectParams { pieces, join, .. } = part.params;
        let nans = self.nans.wrapping_add(part.number as usize);
        if E::MASKS_NAN && *has_nan && thread_idx_x() == 0 {
            // SAFETY: the caller's contract; the ticket below releases it.
            unsafe { atomic_add_relaxed_u32_device(nans, 1) };
        }
        let ticket = self.tickets.wrapping_add(part.number as usize);
        // SAFETY: the caller's contract.
        let is_last = join == Join::LastBlock && unsafe { is_last_block(ticket, pieces) };
        if E::MASKS_NAN && is_last && thread_idx_x() == 0 {
            // SAFETY: the caller's contract.
            *has_nan = unsafe { atomic_load_acquire_u32_device(nans) } > 0;
            // SAFETY: as above; the row's other blocks are done with it.
            unsafe { atomic_store_release_u32_device(nans, 0) };
        }
        is_last
    }
}

/// The kernel, up to what becomes of the row's best.
///
/// # Safety
/// As for [`select`], of the buffers and the launch.
#[inline(always)]
unsafe fn reduce<E: Element, const U: usize, const LARGE: bool, F: Finish<E>>(
    part: &Part<E>,
    buffers: &Buffers,
    finish: &F,
) {
    let SelectParams { k, pieces, piece_k, slots, piece_vectors, .. } = part.params;
    let is_whole = pieces == 1;
    let gives_all = !LARGE || piece_k == k;
    let (mut range, mut wanted) = (part.range(), part.wanted());
    let mut keep = if is_whole { finish.keep() } else { slots };
    let (mut has_strays, mut has_nan) = (part.piece == 0, false);
    // Pieces that are surveyed once more.
    let mut again = (0, 0);
    let mut queue;
    loop {
        // SAFETY: the launch contract grants the shared memory.
        let survey = unsafe { part.survey::<U, LARGE>(range, wanted) };
        let ahead = survey.ahead(part.masks_stray());
        // The row's first loads are on their way while this is found out.
        if !finish.is_wanted() {
            return;
        }
        // SAFETY: as above; a queue made before is not used any more, behind a barrier.
        queue = unsafe { part.queue(wanted.k, has_strays) };
        survey.run(ahead, &mut queue, keep);
        if E::MASKS_NAN {
            has_nan |= queue.is_noted();
        }
        if is_whole {
            break;
        }
        // SAFETY: the caller's contract on `candidates` and `list_tops`.
        let lists = unsafe { buffers.lists(part) };
        if LARGE && again.1 > 0 {
            // Separates the survey's last reads from more items.
            sync_threads();
            queue.absorb(lists.batches(again), keep);
            break;
        }
        lists.publish(&queue, part.piece);
        // SAFETY: the caller's contract on the buffers.
        if !unsafe { buffers.is_last(part, &mut has_nan) } {
            return;
        }
        // SAFETY: as above; the piece's own queue is not used any more.
        queue = unsafe { part.queue(k, false) };
        let batches = lists.batches(again);
        lists.raise_bound(&mut queue, k);
        keep = finish.keep();
        queue.absorb(batches, keep);
        if gives_all || lists.suffice(&queue, k) {
            break;
        }
        again = pieces_short_of(&lists, &mut queue, k);
        // Separates the last use of the old queue from the new one's start.
        sync_threads();
        let end = part.row.vector_count().min(again.1 * piece_vectors);
        (range, has_strays) = ((again.0 * piece_vectors, end), again.0 == 0);
        wanted = Wanted { k, gives: k, tops: 0, ..wanted };
    }
    finish.finish(&part.row, &mut queue, has_nan);
}

/// The pieces that had more of the best `k` than they gave, from their lists and from all that the
/// lists have, in the queue: now they are this block's. For all threads of the block together.
#[inline(always)]
fn pieces_short_of(lists: &Lists, queue: &mut Queue, k: u32) -> (u32, u32) {
    let (count, mut bound) = (queue.count(), 0);
    if count >= k {
        queue.crop(count, (k, k));
        bound = queue.bound();
    }
    lists.short_of(bound)
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
