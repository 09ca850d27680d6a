//! The kernel `wide`: the best k of rows of some thousand elements, for a k of hundreds, a block a
//! row.
//!
//! # Idea
//!
//! ```text
//! load the row into the block's registers
//! sort a sample of it
//! until k elements reach a step, and few more: count those that reach the next one to try
//! put together what reaches it; sort, write it
//! ```
//!
//! What the real code does differently: where more equals of the best step that `k` elements reach
//! remain than there is room for, those behind the first that are needed are dropped. A row of
//! which there is room for all is sorted as it is. An answer in the order of indices has no room
//! for more than `k`, and is sorted by index.
//!
//! # Shapes
//! Input `[rows, n]`, rows `row_stride` elements apart, f32, f16 or bf16. Lengths `[rows]` of
//! `u32`, or null where every row has `n`. Values `[rows, k]` in the input's type, indices
//! `[rows, k]` of `u32` or `i64`.
//!
//! # Work split
//! A block a row. Each warp has the next 256 vectors of 16 bytes; a lane has 8 of them, 32 vectors
//! apart. The first warp has the elements before the row's first 16-byte boundary too, the last
//! warp those behind its last.
//!
//! # Shared memory
//! [`crate::params::WideLayout`].
//!
//! # Invariants
//! - I1: at least `k` elements reach every bound that is taken, or the row has fewer: all elements
//!   are counted (checked: differential tests).
//! - I2: at most as many elements are put together as there is room for: equals beyond `k` are
//!   dropped.
//!
//! # Synchronisation
//! The block's: three barriers before the counts, one a count, two for each doubling of a sorted
//! run, or eight for bins.
//!
//! # Launch contract
//! [`crate::params::wide_warps`] warps; `k` is at most [`crate::params::WIDE_K_MAX`]. `LARGE` where
//! [`WideLayout::has_bins`].
//!
//! # Cost
//! Reads every element once. Rows in random order are counted once or twice, whatever their values
//! are like; a count takes 2 instructions an element of 32 bits, 1 of 16. Rows whose sample
//! misleads are counted once for each bit of a key, at most.
//!
//! # Ties, NaN, tail
//! By key, then index. A row of fewer than k elements gets `-inf` (`+inf` for the smallest) and no
//! index in the places left.
//!
//! # Source
//! Pivots from a sample: "Randomized selection" (Floyd and Rivest, 1975). Counting in registers:
//! RTop-K (Xie et al., 2024).
use cuda_std::shared::SharedArray;
use cuda_std::thread::{block_dim_x, block_idx_x, thread_idx_x};
use cuda_std::warp::WARP_SIZE;

use crate::params::{Order, ShortParams, WideLayout, wide_items, wide_max};
use crate::prim::answer::{Answer, AnswerShape};
use crate::prim::bin_sort::block_sort;
use crate::prim::census::BlockCensus;
use crate::prim::compact::Compact;
use crate::prim::held::{HeldPart, HeldRow};
use crate::prim::merge_path::block_sort_merged;
use crate::prim::pivots::Pivots;
use crate::prim::reaching::put_together;
use crate::prim::rows::{Row, row_length};
use crate::prim::warp_sort::Item;

/// # Safety
/// - *in bounds*: `x` points to the input; `lengths`, unless null, to the rows' lengths; `values`
///   and `indices` to the outputs; all aligned for their types;
/// - *no concurrent writer*: nothing else touches the outputs, nothing writes the inputs;
/// - `params` and the launch keep the launch contract above.
#[inline(always)]
pub unsafe fn wide<E: Compact, const LARGE: bool>(
    x: *const E::Raw,
    lengths: *const u32,
    values: *mut E::Raw,
    indices: *mut u32,
    params: ShortParams,
) {
    let ShortParams { k, flip, index, order, .. } = params;
    let number = block_idx_x();
    let start = x.wrapping_add(number as usize * params.row_stride as usize);
    // SAFETY: the caller's contract on `lengths`.
    let n = unsafe { row_length(lengths, number, params.n) };
    // SAFETY: the caller's contract on `x`.
    let row = unsafe { Row::<E>::new(start, n) };
    // SAFETY: the launch contract grants the shared memory.
    let shared = unsafe { Shared::<E>::new(params.n, k) };
    let held = HeldRow::<E, 1>::load_part(&row, part_of_warp(), flip);
    let room = if order == Order::Best { wide_items(k) } else { k };
    let mut census = BlockCensus::new(shared.control);
    let sample = || Pivots::new(&held, shared.sample);
    let held_max = wide_max(E::DTYPE, block_dim_x() / WARP_SIZE);
    let items = shared.items;
    let count = put_together(&held, &mut census, sample, items, (k, room), (n, held_max));
    let read = |item| E::ordered(item, flip, order);
    let items = if LARGE {
        let line = |item: E::Packed| match order {
            Order::Best => E::line(item, n),
            Order::Index => item.line(),
        };
        let value = |line| match order {
            Order::Best => E::value_of_line(line, flip),
            Order::Index => line as f32,
        };
        block_sort::<_, 2>(items, count, shared.bins, read, (line, value))
    } else {
        block_sort_merged::<_, 1>(items, count, read)
    };
    let shape = AnswerShape { k, flip, index, order };
    // SAFETY: the caller's contract on the outputs.
    let answer = unsafe { Answer::new(&row, values, indices, number, shape) };
    answer.write_sorted(items, count);
}

/// The part of the row that this warp holds.
#[inline(always)]
fn part_of_warp() -> HeldPart {
    let (warp, warps) = (thread_idx_x() / WARP_SIZE, block_dim_x() / WARP_SIZE);
    HeldPart {
        first: warp * WARP_SIZE * 8,
        has_head: warp == 0,
        has_tail: warp == warps - 1,
        ..HeldPart::WHOLE
    }
}

/// The block's shared memory.
#[derive(Clone, Copy)]
struct Shared<E: Compact> {
    sample: SharedArray<u32>,
    control: SharedArray<u32>,
    items: SharedArray<E::Packed>,
    bins: SharedArray<u32>,
}

impl<E: Compact> Shared<E> {
    /// For rows of at most `n` elements. Clears the control words, for use behind the next barrier.
    /// For all threads of the block together.
    ///
    /// # Safety
    /// - *in bounds*: the launch has [`WideLayout::bytes`] of shared memory;
    /// - *no concurrent writer*: nothing else uses it.
    #[inline(always)]
    unsafe fn new(n: u32, k: u32) -> Self {
        // SAFETY: the caller grants the memory, and the layout's parts do not overlap.
        let sample = unsafe { SharedArray::new(0) };
        // SAFETY: as above.
        let control = unsafe { SharedArray::new(WideLayout::CONTROL) };
        // SAFETY: as above.
        let items = unsafe { SharedArray::new(WideLayout::ITEMS) };
        // SAFETY: as above.
        let bins = unsafe { SharedArray::new(WideLayout::bins(E::DTYPE, n, k)) };
        if thread_idx_x() < WideLayout::CONTROL_WORDS {
            control.set(thread_idx_x(), 0);
        }
        Shared { sample, control, items, bins }
    }
}
