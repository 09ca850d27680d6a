//! The kernel `cluster`: the blocks of a cluster survey a row together, and the first of them
//! writes its answer.
//!
//! The backend `singlepass` launches it where there are multiprocessors for several blocks a row, a
//! small `k`, and clusters.
//!
//! # Idea
//!
//! ```text
//! read the piece; each group of lanes has a best key
//! give these keys to every block of the cluster                       (prim::team)
//! bound = the k-th best of all of them: each block finds the same
//! queue what reaches the bound; give the queue to the first block
//! the first block: the other blocks' items flow in; order, write the answer
//! ```
//!
//! What the real code does differently: what a warp reads at once stays in registers where a piece
//! is no longer than that; else the parts that reach the bound are read again, as in `select`. The
//! first unit is on its way before the queue is set up.
//!
//! # Shapes
//! Input `[rows, n]`, rows `row_stride` elements apart, f32, f16 or bf16. Lengths `[rows]` of
//! `u32`, or null where every row has `n`. Values `[rows, k]` in the input's type, indices `[rows,
//! k]` of `u32` or `i64`.
//!
//! # Work split
//! A cluster a row, of `pieces` blocks, a power of two; a row's pieces are of one size, whatever
//! its length. Each warp walks a stretch of its piece, `U` vectors a lane at a time.
//!
//! # Shared memory
//! [`crate::params::QueueLayout`], and behind it [`crate::params::team_words`] of `u64`: the other
//! blocks' items, in the first block, and a word each.
//!
//! # Invariants
//! - I1: the bound is a key that `k` groups of lanes reach, so `k` elements do, and nothing below
//!   it is among the best `k` (checked: differential tests).
//! - I2: a block gives its best `k` or all it has: queues are cropped to `slots >= k`.
//!
//! # Synchronisation
//! The queue's own, and the cluster's barrier: before the first remote write, since the other block
//! may not have started; between the keys and their ranking; between the items and their use. No
//! block touches another's memory behind the last. No ticket, no fence, no workspace.
//!
//! # Launch contract
//! Whole warps, at most the threads in `variants`, clusters of `pieces` blocks; capacity as
//! `QueueLayout::new` gives; `pieces * warps * tops` at most `RANKED_KEYS_MAX`.
//!
//! # Cost
//! Reads every element once, and again the parts of units that reach the bound; three barriers of
//! the cluster. On an H200 one row of 128 256 takes 6.5 us where tickets in global memory take 8.4.
//!
//! # Ties, NaN, tail
//! As for `select`.
//!
//! # Source
//! Delegates: Dr. Top-k (Gaihre et al., SC'21); clusters that pass candidates through distributed
//! shared memory: the batched top-k of NVIDIA's CUB.
use cuda_std::shared::SharedArray;

use crate::params::SelectParams;
use crate::prim::answer::{Finish, Writing};
use crate::prim::element::Element;
use crate::prim::masking::Masking;
use crate::prim::part::Part;
use crate::prim::team::Team;
use crate::sample::finish::Sampling;
use crate::sample::outputs::Outputs;
use crate::sample::rows::RowTable;
use crate::sampling::launch::SampleParams;
use crate::sampling::params::RowParams;

/// # Safety
/// - *in bounds*: `x` points to the input, `lengths`, unless null, to the rows' lengths, `values`
///   and `indices` to the outputs, all aligned for their types;
/// - *no concurrent writer*: nothing else touches the outputs, nothing writes `x`;
/// - `params` and the launch keep the launch contract above.
#[inline(always)]
pub unsafe fn cluster<E: Element, const U: usize>(
    x: *const E::Raw,
    lengths: *const u32,
    values: *mut E::Raw,
    indices: *mut u32,
    params: SelectParams,
) {
    // SAFETY: the caller's contract on `x` and `lengths`.
    let part = unsafe { Part::<E>::new(x, lengths, params) };
    // SAFETY: the caller's contract on the outputs.
    let writing = unsafe { Writing::<E, false>::new(values, indices, part.number, &params) };
    // SAFETY: the caller's contract.
    unsafe { reduce::<E, U, _>(&part, &writing) };
}

/// As [`cluster`], and draws tokens from the best k.
///
/// # Safety
/// As for [`cluster`], but for values and indices; and
/// - *in bounds*: what `table` and `outputs` name has their shapes; the launch has the shared
///   memory of `sample::finish`;
/// - *no concurrent writer*: nothing writes the table, nothing else touches the outputs.
#[inline(always)]
#[allow(clippy::too_many_arguments)] // a kernel's buffers are arguments of their own
pub unsafe fn cluster_sample<E: Element, const U: usize>(
    x: *const E::Raw,
    lengths: *const u32,
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
        unsafe { Sampling::<false>::new(table, outputs, part.number, part.row.len(), params) };
    // SAFETY: the caller's contract.
    unsafe { reduce::<Masking<E>, U, _>(&part, &sampling) };
}

/// The kernel, up to what becomes of the row's best.
///
/// # Safety
/// As for [`cluster`], of the launch.
#[inline(always)]
unsafe fn reduce<E: Element, const U: usize, F: Finish<E>>(part: &Part<E>, finish: &F) {
    let SelectParams { k, pieces, slots, tops, .. } = part.params;
    let team = Team::new(pieces, tops, slots);
    // SAFETY: the launch contract grants the shared memory.
    let survey = unsafe { part.survey::<U, false>(part.even_range(), part.wanted()) };
    let ahead = survey.ahead(part.masks_stray());
    // The row's first loads are on their way while this is found out.
    if !finish.is_wanted() {
        team.leave();
        return;
    }
    // SAFETY: as above.
    let mut queue = unsafe { part.queue(k, part.piece == 0) };
    survey.run_among(&team, ahead, &mut queue, slots);
    // SAFETY: as above, behind the layout; the team alone uses it.
    let lists = unsafe { SharedArray::new(part.layout().bytes()) };
    team.give(&queue, lists);
    if team.is_first() {
        let has_nan = E::MASKS_NAN && (queue.is_noted() || team.is_noted(lists));
        queue.absorb(team.given(lists), finish.keep());
        finish.finish(&part.row, &mut queue, has_nan);
    }
}
