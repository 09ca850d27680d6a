//! The kernels `short`, `short_sample` and `short_pair`: the best k of short rows, a warp a row or
//! two.
//!
//! # Idea
//!
//! ```text
//! load the row into the registers of a warp, or of half a warp
//! bound = the k-th best of the lanes' best keys
//! put together what reaches it; rank or sort, write
//! where too much reaches it: bound = the k-th best key, found by a warp
//! short_sample: put what was put together in order, and draw tokens from it
//! ```
//!
//! What the real code does differently: where few lanes have a vector, each gives two keys. The
//! elements before the row's first 16-byte boundary and behind its last, fewer than half a warp's
//! lanes, are one more element of the first lanes. With the exact bound, of the elements equal to
//! it only the first that are needed are put together.
//!
//! # Shapes
//! Input `[rows, n]`, rows `row_stride` elements apart, f32, f16 or bf16. Lengths `[rows]` of
//! `u32`, or null where every row has `n`. Values `[rows, k]` in the input's type, indices
//! `[rows, k]` of `u32` or `i64`; of `short_sample` what `sample::outputs` says.
//!
//! # Work split
//! `short` and `short_sample`: a warp a row; a lane has `U` vectors of 16 bytes, 32 vectors apart.
//! `short_pair`: half a warp a row, and vectors 16 apart; a row that its half cannot do so quickly
//! the whole warp does, as in `short`, with half as many vectors a lane (`V`).
//!
//! # Shared memory
//! For each warp [`crate::params::short_items`] composites; of `short_pair` each half has half.
//!
//! # Invariants
//! I1: at most as many elements are put together as there is room for: where the quick bound lets
//! more through, the exact one is found, and it lets `k` through or, in a shorter row, all.
//!
//! # Synchronisation
//! The warp's. Warps know nothing of each other.
//!
//! # Launch contract
//! Whole warps, at most the threads in `variants`; `n` is at most [`crate::params::short_max`] for
//! `U`, of `short_pair` half of that; `k` is at most [`crate::params::SMALL_K_MAX`], of
//! `short_pair` [`crate::params::PAIR_K_MAX`]. `short_sample` draws once a row, or with replacement
//! up to 32 times, of the greatest, and not in the order `LlamaCpp`.
//!
//! # Cost
//! Reads every element once. With the quick bound somewhat more than `k` elements are sorted, at
//! most twice as many (at least 64, of `short_pair` 32); finding the exact one takes 32 counts of
//! the row in registers. Both are bound by the issue of instructions: `short_pair` needs fewer a
//! row, since what a warp does once it does for two.
//!
//! # Ties, NaN, tail
//! By key, then index. A row of fewer than k elements gets `-inf` (`+inf` for the smallest) and no
//! index in the places left. To [`short_sample`] a NaN is `-inf`.
//!
//! # Source
//! Bisection on the value in a warp: RTop-K (Xie et al., 2024). The quick bound is that of
//! prim::survey.
use cuda_std::shared::SharedArray;
use cuda_std::thread::thread_idx_x;
use cuda_std::unroll;
use cuda_std::warp::{FULL_MASK, WARP_SIZE, lane_id, sync_warp, warp_vote_ballot};

use crate::params::{Flip, Order, PAIR_ITEMS, SHORT_LANE_ITEMS, ShortParams, short_items};
use crate::prim::answer::{Answer, AnswerShape};
use crate::prim::element::Element;
use crate::prim::lane_row::LaneRow;
use crate::prim::rows::{Row, row_length, warp_number};
use crate::sample::by_warp::{WarpSampling, put_in_order};
use crate::sample::outputs::Outputs;
use crate::sample::rows::RowTable;
use crate::sampling::launch::WarpSampleParams;
use crate::sampling::params::RowParams;

/// # Safety
/// - *in bounds*: `x` points to the input; `lengths`, unless null, to the rows' lengths; `values`
///   and `indices` to the outputs; all aligned for their types;
/// - *no concurrent writer*: nothing else touches the outputs, nothing writes the inputs;
/// - `params` and the launch keep the launch contract above.
#[inline(always)]
pub unsafe fn short<E: Element, const U: usize>(
    x: *const E::Raw,
    lengths: *const u32,
    values: *mut E::Raw,
    indices: *mut u32,
    params: ShortParams,
) {
    let number = warp_number();
    if number < params.rows {
        let rows = Rows::<E> { x, lengths, values, indices, params };
        // SAFETY: the caller's contract; the row is this warp's.
        unsafe { rows.answer_by_warp::<U>(number) };
    }
}

/// # Safety
/// As for [`short`].
#[inline(always)]
pub unsafe fn short_pair<E: Element, const U: usize, const V: usize>(
    x: *const E::Raw,
    lengths: *const u32,
    values: *mut E::Raw,
    indices: *mut u32,
    params: ShortParams,
) {
    const { assert!(2 * V >= U) };
    let first = 2 * warp_number();
    if first >= params.rows {
        return;
    }
    let rows = Rows::<E> { x, lengths, values, indices, params };
    // SAFETY: the caller's contract; both rows are this warp's.
    let undone = unsafe { rows.answer_by_halves::<U>(first) };
    unroll!(half in 2 => {
        if undone >> (16 * half) & 1 != 0 {
            // Separates the other half's reads of the shared memory from what is written there.
            sync_warp(FULL_MASK);
            // SAFETY: as above; the row is there.
            unsafe { rows.answer_by_warp::<V>(first + half as u32) };
        }
    });
}

/// As [`short`], and draws tokens from the best k.
///
/// # Safety
/// As for [`short`], but for values and indices; and
/// - *in bounds*: what table and outputs name has the shapes of `sample::rows` and
///   `sample::outputs`; a call draws once a row, or at most 32 times with replacement;
/// - *no concurrent writer*: nothing writes the table, nothing else touches the outputs.
#[inline(always)]
#[allow(clippy::too_many_arguments)] // a kernel's buffers are arguments of their own
pub unsafe fn short_sample<E: Element, const U: usize>(
    x: *const E::Raw,
    lengths: *const u32,
    rows: *const RowParams,
    seeds: *const u64,
    positions: *const u64,
    tokens: *mut u32,
    status: *mut u32,
    logprobs: *mut u32,
    ranks: *mut u32,
    params: WarpSampleParams,
) {
    let number = warp_number();
    if number >= params.short.rows {
        return;
    }
    let table = RowTable { rows, seeds, positions };
    let outputs = Outputs { tokens, status, logprobs, ranks, ..Outputs::NONE };
    let sampling = WarpSampling { table, outputs, params };
    let (values, indices) = (core::ptr::null_mut(), core::ptr::null_mut());
    let input = Rows::<E> { x, lengths, values, indices, params: params.short };
    // SAFETY: the caller's contract; the row is this warp's.
    unsafe { input.draw_by_warp::<U>(number, &sampling) };
}

/// As many items of two words are ranked by counting sooner than sorted.
const RANKED_MAX: u32 = 24;

/// What a launch is about.
struct Rows<E: Element> {
    x: *const E::Raw,
    lengths: *const u32,
    values: *mut E::Raw,
    indices: *mut u32,
    params: ShortParams,
}

impl<E: Element> Rows<E> {
    /// # Safety
    /// The contract of [`short`], of `x` and `lengths`, and there is a row of this number.
    #[inline(always)]
    unsafe fn row(&self, number: u32) -> Row<E> {
        let start = self.x.wrapping_add(number as usize * self.params.row_stride as usize);
        // SAFETY: the caller's contract on `lengths`.
        let n = unsafe { row_length(self.lengths, number, self.params.n) };
        // SAFETY: the caller's contract on `x`.
        unsafe { Row::new(start, n) }
    }

    /// # Safety
    /// The contract of [`short`]; `row` is that of this number, and nobody else writes its answer.
    #[inline(always)]
    unsafe fn answer<'a>(&self, row: &'a Row<E>, number: u32) -> Answer<'a, E> {
        let ShortParams { k, flip, index, .. } = self.params;
        let shape = AnswerShape { k, flip, index, order: Order::Best };
        // SAFETY: the caller's contract on the outputs.
        unsafe { Answer::new(row, self.values, self.indices, number, shape) }
    }

    /// This warp's shared memory.
    ///
    /// # Safety
    /// The launch contract.
    #[inline(always)]
    unsafe fn items(&self, skipped: u32) -> SharedArray<u64> {
        let warp = thread_idx_x() / WARP_SIZE;
        // SAFETY: the launch contract grants the shared memory, a part for each warp.
        unsafe { SharedArray::new(8 * (warp * short_items(self.params.k) + skipped)) }
    }

    /// Puts the elements among which are the row's best together; how many there are. For the lanes
    /// of a warp together.
    #[inline(always)]
    fn gather<const U: usize>(&self, held: &LaneRow<E, U, 5>, items: SharedArray<u64>) -> u32 {
        let k = self.params.k;
        let mut places = held.quickly(k);
        if places.of_warp() > short_items(k) {
            places = held.exactly(k);
        }
        let chosen = held.listed(places);
        held.put_together(&chosen, items);
        // Separates the items from their use.
        sync_warp(FULL_MASK);
        chosen.count
    }

    /// Draws the tokens of row `number`. For the lanes of a warp together.
    ///
    /// # Safety
    /// The contract of [`short_sample`]; there is such a row, and no other warp has it.
    #[inline(always)]
    unsafe fn draw_by_warp<const U: usize>(&self, number: u32, sampling: &WarpSampling) {
        // SAFETY: the caller's contract.
        let row = unsafe { self.row(number) };
        // SAFETY: as above.
        let items = unsafe { self.items(0) };
        let (held, has_nan) = LaneRow::<E, U, 5>::load_masking(&row, Flip::LARGEST, true);
        // The row's loads are on their way while this is found out.
        // SAFETY: the caller's contract.
        if !unsafe { sampling.is_wanted(number) } {
            return;
        }
        let has_nan = warp_vote_ballot(FULL_MASK, has_nan) != 0;
        let count = self.gather(&held, items);
        // As few an item a lane as will do.
        let order = || match count {
            0..=32 => put_in_order::<E, 1>(of_lane(items, count), items, count),
            33..=64 => put_in_order::<E, 2>(of_lane(items, count), items, count),
            65..=128 => put_in_order::<E, 4>(of_lane(items, count), items, count),
            _ => put_in_order::<E, SHORT_LANE_ITEMS>(of_lane(items, count), items, count),
        };
        // SAFETY: the caller's contract.
        unsafe { sampling.draw::<E>((number, row.len()), items, count, has_nan, order) };
    }

    /// Writes the answer of row `number`. For the lanes of a warp together.
    ///
    /// # Safety
    /// The contract of [`short`]; there is such a row, and no other warp has it.
    #[inline(always)]
    unsafe fn answer_by_warp<const U: usize>(&self, number: u32) {
        // SAFETY: the caller's contract.
        let row = unsafe { self.row(number) };
        // SAFETY: as above.
        let items = unsafe { self.items(0) };
        let held = LaneRow::<E, U, 5>::load(&row, self.params.flip);
        let count = self.gather(&held, items);
        // SAFETY: the caller's contract.
        let answer = unsafe { self.answer(&row, number) };
        // As few an item a lane as will do.
        match count {
            0..=RANKED_MAX if E::PER_VECTOR == 4 => answer.write_few_of_warp(items, count),
            0..=32 => answer.write_of_warp(of_lane::<1>(items, count), count),
            33..=64 => answer.write_of_warp(of_lane::<2>(items, count), count),
            65..=128 => answer.write_of_warp(of_lane::<4>(items, count), count),
            _ => answer.write_of_warp(of_lane::<SHORT_LANE_ITEMS>(items, count), count),
        }
    }

    /// Writes the answers of row `first` and the next, if there is one, each by half the warp. For
    /// the lanes of a warp together; the lanes of rows that were not answered.
    ///
    /// # Safety
    /// The contract of [`short`]; there is a row `first`, and no other warp has one of the two.
    #[inline(always)]
    unsafe fn answer_by_halves<const U: usize>(&self, first: u32) -> u32 {
        let ShortParams { rows, k, flip, .. } = self.params;
        let half = lane_id() / 16;
        let is_there = first + half < rows;
        // The first again where there is no second.
        let number = if is_there { first + half } else { first };
        // SAFETY: the caller's contract.
        let row = unsafe { self.row(number) };
        // SAFETY: as above.
        let items = unsafe { self.items(half * PAIR_ITEMS) };
        let held = LaneRow::<E, U, 4>::load(&row, flip);
        let chosen = held.listed(held.quickly(k));
        // A shorter row has places to fill up.
        let is_done = is_there && k <= chosen.count && chosen.count <= PAIR_ITEMS;
        if is_done {
            held.put_together(&chosen, items);
        }
        // SAFETY: the caller's contract.
        let answer = unsafe { self.answer(&row, number) };
        answer.write_few_of_group(items, if is_done { chosen.count } else { 0 }, 16);
        warp_vote_ballot(FULL_MASK, is_there && !is_done)
    }
}

/// This lane's of a warp's `count` items; 0 for each that it lacks.
#[inline(always)]
fn of_lane<const R: usize>(items: SharedArray<u64>, count: u32) -> [u64; R] {
    let mut own = [0; R];
    unroll!(i in R => {
        let at = i as u32 * WARP_SIZE + lane_id();
        if at < count {
            own[i] = items.get(at);
        }
    });
    own
}
