//! The kernels `medium` and `medium_sample`: the best k of rows of a few thousand elements, a warp
//! a row.
//!
//! # Idea
//!
//! ```text
//! load the row into the warp's registers
//! bound = a key that k of the row's 256 groups reach by their best elements, and few more
//! list the elements that reach it; where they are too many, find a higher bound by bisection
//! read these elements again; sort, write them
//! medium_sample: or draw tokens from the best of them
//! ```
//!
//! What the real code does differently: a bound is a step, the upper half of a key where elements
//! have 16 bits. What reaches it is found by one comparison of floats an element. Where more equals
//! of the bound remain than there is room for, those behind the first that are needed are dropped.
//! The elements before the row's first 16-byte boundary and behind its last, fewer than there are
//! lanes, are one more element of the first lanes.
//!
//! # Shapes
//! Input `[rows, n]`, rows `row_stride` elements apart, f32, f16 or bf16. Lengths `[rows]` of
//! `u32`, or null where every row has `n`. Values `[rows, k]` in the input's type, indices
//! `[rows, k]` of `u32` or `i64`; of `medium_sample` what `sample::outputs` says.
//!
//! # Work split
//! A warp a row; a lane has `8 * B` vectors of 16 bytes, 32 vectors apart.
//!
//! # Shared memory
//! For each warp [`crate::params::short_items`] composites.
//!
//! # Invariants
//! - I1: at least `k` elements reach every bound that is taken, or the row has fewer: groups are
//!   disjoint, and the best of a group is an element (checked: differential tests).
//! - I2: at most as many elements are listed as there is room for: equals beyond `k` are dropped.
//!
//! # Synchronisation
//! The warp's. Warps know nothing of each other.
//!
//! # Launch contract
//! Whole warps, at most the threads in `variants`; `n` is at most [`crate::params::short_max`] for
//! `8 * B` vectors, `k` at most [`crate::params::SMALL_K_MAX`]. `medium_sample` draws once a row,
//! or with replacement up to 32 times, of the greatest, and not in the order `LlamaCpp`.
//!
//! # Cost
//! Reads every element once, and what is listed again: about `k` elements, at most twice as many.
//! A bound takes some ten counts of eight keys a lane; rows of which few groups hold the best, as
//! in rows in order, as many of all elements.
//!
//! # Ties, NaN, tail
//! By key, then index. A row of fewer than k elements gets `-inf` (`+inf` for the smallest) and no
//! index in the places left. To [`medium_sample`] a NaN is `-inf` (prim::masking).
//!
//! # Source
//! Bisection on the value in a warp: RTop-K (Xie et al., 2024). Groups: Dr. Top-k (Gaihre et al.,
//! SC'21).
use cuda_std::count::count_at_least;
use cuda_std::shared::SharedArray;
use cuda_std::thread::thread_idx_x;
use cuda_std::unroll;
use cuda_std::warp::{
    FULL_MASK, WARP_SIZE, lane_id, warp_reduce_add, warp_reduce_max, warp_reduce_min,
    warp_vote_ballot,
};

use crate::order::composite;
use crate::params::{Dtype, Flip, Order, SHORT_LANE_ITEMS, ShortParams, short_items};
use crate::prim::answer::{Answer, AnswerShape};
use crate::prim::element::Element;
use crate::prim::held::{GROUPS, HeldRow, Places, step_of};
use crate::prim::masking::Masking;
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
pub unsafe fn medium<E: Element, const B: usize>(
    x: *const E::Raw,
    lengths: *const u32,
    values: *mut E::Raw,
    indices: *mut u32,
    params: ShortParams,
) {
    let ShortParams { rows, k, flip, index, .. } = params;
    let number = warp_number();
    if number >= rows {
        return;
    }
    // SAFETY: the caller's contract on input and shared memory.
    let (row, items) = unsafe { row_of::<E>(x, lengths, number, &params) };
    let held = HeldRow::<E, B>::load(&row, flip);
    let chosen = choose(&held, k, short_items(k));
    let count = held.list(&chosen, items);
    let shape = AnswerShape { k, flip, index, order: Order::Best };
    // SAFETY: the caller's contract on the outputs.
    let answer = unsafe { Answer::new(&row, values, indices, number, shape) };
    // As few an item a lane as will do.
    match count {
        0..=32 => answer.write_of_warp(fetch::<E, 1>(&row, flip, items, count), count),
        33..=64 => answer.write_of_warp(fetch::<E, 2>(&row, flip, items, count), count),
        65..=128 => answer.write_of_warp(fetch::<E, 4>(&row, flip, items, count), count),
        _ => {
            let items = fetch::<E, SHORT_LANE_ITEMS>(&row, flip, items, count);
            answer.write_of_warp(items, count);
        }
    }
}

/// As [`medium`], and draws tokens from the best k.
///
/// # Safety
/// As for [`medium`], but for values and indices; and
/// - *in bounds*: what table and outputs name has the shapes of `sample::rows` and
///   `sample::outputs`; a call draws once a row, or at most 32 times with replacement;
/// - *no concurrent writer*: nothing writes the table, nothing else touches the outputs.
#[inline(always)]
#[allow(clippy::too_many_arguments)] // a kernel's buffers are arguments of their own
pub unsafe fn medium_sample<E: Element, const B: usize>(
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
    let short = params.short;
    let number = warp_number();
    if number >= short.rows {
        return;
    }
    // SAFETY: the caller's contract on input and shared memory.
    let (row, items) = unsafe { row_of::<E>(x, lengths, number, &short) };
    // Of f16, where it is known, the compiler keeps more than there are registers; of others not.
    let flip = if E::DTYPE == Dtype::F16 { short.flip } else { Flip::LARGEST };
    let mut held = HeldRow::<E, B>::load(&row, flip);
    let table = RowTable { rows, seeds, positions };
    let outputs = Outputs { tokens, status, logprobs, ranks, ..Outputs::NONE };
    let sampling = WarpSampling { table, outputs, params };
    // The row's loads are on their way while this is found out.
    // SAFETY: the caller's contract on the table.
    if !unsafe { sampling.is_wanted(number) } {
        return;
    }
    let has_nan = warp_vote_ballot(FULL_MASK, held.mask_nans()) != 0;
    let chosen = choose(&held, short.k, short_items(short.k));
    let count = held.list(&chosen, items);
    let row = row.masking();
    let order = || match count {
        0..=32 => order_listed::<_, 1>(&row, items, count),
        33..=64 => order_listed::<_, 2>(&row, items, count),
        65..=128 => order_listed::<_, 4>(&row, items, count),
        _ => order_listed::<_, SHORT_LANE_ITEMS>(&row, items, count),
    };
    // SAFETY: the caller's contract on table and outputs; the row is this warp's.
    unsafe { sampling.draw::<Masking<E>>((number, row.len()), items, count, has_nan, order) };
}

/// Row `number`, and this warp's shared memory.
///
/// # Safety
/// The contract of [`medium`], of `x`, `lengths` and the launch; there is such a row.
#[inline(always)]
unsafe fn row_of<E: Element>(
    x: *const E::Raw,
    lengths: *const u32,
    number: u32,
    params: &ShortParams,
) -> (Row<E>, SharedArray<u64>) {
    let start = x.wrapping_add(number as usize * params.row_stride as usize);
    // SAFETY: the caller's contract on `lengths`.
    let n = unsafe { row_length(lengths, number, params.n) };
    // SAFETY: the caller's contract on `x`.
    let row = unsafe { Row::<E>::new(start, n) };
    let warp = thread_idx_x() / WARP_SIZE;
    // SAFETY: the launch contract grants the shared memory, a part for each warp.
    let items = unsafe { SharedArray::new(8 * warp * short_items(params.k)) };
    (row, items)
}

/// Puts `count` listed elements in the list's place, in order. For the lanes of a warp together.
#[inline(always)]
fn order_listed<E: Element, const R: usize>(row: &Row<E>, list: SharedArray<u64>, count: u32) {
    put_in_order::<E, R>(fetch(row, Flip::LARGEST, list, count), list, count);
}

/// More elements than this are fewer with a better bound, if there is one: what lanes sort as
/// quickly as somewhat more than `k`, and have `room` for.
#[inline(always)]
fn goal(k: u32, room: u32) -> u32 {
    (k + k / 4 + 8).next_power_of_two().min(room)
}

/// As many groups more than wanted as may reach a bound that is found quickly.
const SPARE_GROUPS: u32 = 8;

/// Elements among which are the best `k`, at most `room`; all where the row has no more than `k`.
/// For the lanes of a warp together.
#[inline(always)]
fn choose<E: Element, const B: usize>(held: &HeldRow<'_, E, B>, k: u32, room: u32) -> Places<B> {
    let (mut bound, best) = bound_of_groups(held, k);
    let mut places = held.places_reaching(bound);
    let mut count = places.count();
    if count > goal(k, room) && bound < best {
        // Groups with several of the best, or equals of the bound, are the reason.
        let mut tried = step_of_groups(held, k - k / 4, bound, best).max(bound + 1);
        let mut most = best;
        while count > goal(k, room) && bound < most {
            let better = held.places_reaching(tried);
            let reaching = better.count();
            if reaching >= k {
                (bound, places, count) = (tried, better, reaching);
            } else {
                most = tried - 1;
            }
            tried = middle(bound, most);
        }
    }
    if count <= room {
        return places;
    }
    let mut better = Places::NONE;
    if bound < best {
        better = held.places_reaching(bound + 1);
    }
    let needed = k - better.count();
    better.with(&held.first_of(&places.without(&better), needed))
}

/// A step that at least `k` groups reach, and few more where there is such a one; or that every
/// element reaches. And the best step. For the lanes of a warp together.
#[inline(always)]
fn bound_of_groups<E: Element, const B: usize>(held: &HeldRow<'_, E, B>, k: u32) -> (u32, u32) {
    let steps = held.group_steps();
    let worst = step_of::<E>(E::worst_key(held.flip));
    // Groups of nothing but the worst, absent ones among them, tell little.
    let (mut least, mut most, mut groups) = (u32::MAX, 0, 0);
    unroll!(i in GROUPS => {
        let is_some = steps[i] > worst;
        least = least.min(if is_some { steps[i] } else { u32::MAX });
        most = most.max(steps[i]);
        groups += is_some as u32;
    });
    let best = warp_reduce_max(FULL_MASK, most);
    if warp_reduce_add(FULL_MASK, groups) < k {
        return (worst, best);
    }
    (step_of_groups(held, k, warp_reduce_min(FULL_MASK, least), best), best)
}

/// A step from `bound`, which at least `wanted` groups reach, to `best`: one that few more groups
/// than wanted reach where there is such a one. For the lanes of a warp together.
#[inline(always)]
fn step_of_groups<E: Element, const B: usize>(
    held: &HeldRow<'_, E, B>,
    wanted: u32,
    bound: u32,
    best: u32,
) -> u32 {
    let steps = held.group_steps();
    let (mut bound, mut most) = (bound, best);
    while bound < most {
        let middle = middle(bound, most);
        let mut reaching = 0;
        unroll!(i in GROUPS => { reaching = count_at_least(reaching, steps[i], middle); });
        reaching = warp_reduce_add(FULL_MASK, reaching);
        if reaching < wanted {
            most = middle - 1;
            continue;
        }
        bound = middle;
        if reaching <= wanted + SPARE_GROUPS {
            break;
        }
    }
    bound
}

/// The middle of two steps, the first less than the second, and above the first.
#[inline(always)]
fn middle(low: u32, high: u32) -> u32 {
    low + (high - low).div_ceil(2)
}

/// This lane's of `count` listed elements, read again; 0 for each that it lacks.
#[inline(always)]
fn fetch<E: Element, const R: usize>(
    row: &Row<E>,
    flip: Flip,
    list: SharedArray<u64>,
    count: u32,
) -> [u64; R] {
    let (mut items, mut bits) = ([0; R], [0; R]);
    // All of them are in flight together.
    unroll!(i in R => {
        let at = i as u32 * WARP_SIZE + lane_id();
        if at < count {
            items[i] = list.get(at);
            bits[i] = row.element(items[i] as u32);
        }
    });
    unroll!(i in R => {
        let at = i as u32 * WARP_SIZE + lane_id();
        if at < count {
            items[i] = composite(E::key(bits[i]), items[i] as u32, flip);
        }
    });
    items
}
