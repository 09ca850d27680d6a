//! The kernel `short`: the best k of short rows, a warp a row.
//!
//! # Idea
//!
//! ```text
//! load the row into the warp's registers
//! bound = the k-th best of the lanes' best keys; the k-th best key where that lets too many
//! through
//! of the elements equal to the bound, drop those behind the first that are needed
//! put the chosen elements together; sort, write them
//! ```
//!
//! What the real code does differently: the elements before the row's first 16-byte boundary and
//! behind its last, fewer than there are lanes, are one more element of the first lanes.
//!
//! # Shapes
//! Input `[rows, n]`, rows `row_stride` elements apart, f32, f16 or bf16. Lengths `[rows]` of
//! `u32`, or null where every row has `n`. Values `[rows, k]` in the input's type, indices
//! `[rows, k]` of `u32` or `i64`.
//!
//! # Work split
//! A warp a row; a lane has `U` vectors of 16 bytes, 32 vectors apart.
//!
//! # Shared memory
//! For each warp [`crate::params::short_items`] composites.
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
//! `U`, `k` at most [`crate::params::SMALL_K_MAX`].
//!
//! # Cost
//! Reads every element once. With the quick bound about `k` elements are sorted, at most twice as
//! many (at least 64); finding the exact one takes 32 counts of the row in registers.
//!
//! # Ties, NaN, tail
//! By key, then index. A row of fewer than k elements gets `-inf` (`+inf` for the smallest) and no
//! index in the places left.
//!
//! # Source
//! Bisection on the value in a warp: RTop-K (Xie et al., 2024). The quick bound is that of
//! prim::survey.
use cuda_std::shared::SharedArray;
use cuda_std::thread::{block_dim_x, block_idx_x, thread_idx_x};
use cuda_std::unroll;
use cuda_std::warp::{
    FULL_MASK, WARP_SIZE, lane_id, sync_warp, warp_reduce_add, warp_shuffle_idx, warp_vote_ballot,
};

use crate::order::composite;
use crate::params::{Order, SHORT_LANE_ITEMS, ShortParams, short_items};
use crate::prim::answer::{Answer, AnswerShape};
use crate::prim::element::Element;
use crate::prim::rows::{Row, row_length};
use crate::prim::scan::warp_prefix_sum;
use crate::prim::tops::warp_sort_keys_descending;

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
    let ShortParams { rows, k, flip, index, .. } = params;
    let warp = thread_idx_x() / WARP_SIZE;
    let number = block_idx_x() * (block_dim_x() / WARP_SIZE) + warp;
    if number >= rows {
        return;
    }
    let start = x.wrapping_add(number as usize * params.row_stride as usize);
    // SAFETY: the caller's contract on `lengths`.
    let n = unsafe { row_length(lengths, number, params.n) };
    // SAFETY: the caller's contract on `x`.
    let row = unsafe { Row::<E>::new(start, n) };
    // SAFETY: the launch contract grants the shared memory, a part for each warp.
    let items = unsafe { SharedArray::<u64>::new(8 * warp * short_items(k)) };
    let held = Held::<E, U>::load(&row, params);
    let chosen = held.choose(k, short_items(k));
    let count = held.put_together(chosen, items);
    // SAFETY: the caller's contract on the outputs.
    let answer = unsafe {
        Answer::new(
            &row,
            values,
            indices,
            number,
            AnswerShape { k, flip, index, order: Order::Best },
        )
    };
    // As few an item a lane as will do.
    match count {
        0..=RANKED_MAX if E::PER_VECTOR == 4 => answer.write_few_of_warp(items, count),
        0..=32 => answer.write_of_warp(of_lane::<1>(items, count), count),
        33..=64 => answer.write_of_warp(of_lane::<2>(items, count), count),
        65..=128 => answer.write_of_warp(of_lane::<4>(items, count), count),
        _ => answer.write_of_warp(of_lane::<SHORT_LANE_ITEMS>(items, count), count),
    }
}

/// As many items of two words are ranked by counting sooner than sorted.
const RANKED_MAX: u32 = 24;

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

/// A row in a warp's registers: keys, greater is better.
struct Held<E: Element, const U: usize> {
    /// Of each vector, as many as there are.
    keys: [[u32; 8]; 8],
    /// Of the element that is in no vector.
    stray: u32,
    /// Index of the first element of the lane's first vector, and of its stray element.
    index: u32,
    stray_index: u32,
    /// What of it is there.
    there: Places,
    /// Elements before the first vector: the strays of the first so many lanes.
    head: u32,
    params: ShortParams,
    element: core::marker::PhantomData<E>,
}

/// Some of a lane's elements: a bit for each of its vectors', and its stray one.
#[derive(Clone, Copy)]
struct Places {
    vectors: u32,
    stray: bool,
}

impl Places {
    /// How many a warp has. For the lanes of a warp together.
    #[inline(always)]
    fn count(self) -> u32 {
        warp_reduce_add(FULL_MASK, self.vectors.count_ones() + self.stray as u32)
    }
}

impl<E: Element, const U: usize> Held<E, U> {
    #[inline(always)]
    fn load(row: &Row<E>, params: ShortParams) -> Self {
        const { assert!(U <= 4 && U * E::PER_VECTOR <= 32) };
        let (flip, lane) = (params.flip, lane_id());
        let unit = row.unit::<U>(0, row.vector_count(), flip);
        let is_stray = lane < row.stray_count();
        let stray_index = row.stray_index(lane);
        let mut held = Held {
            keys: [[0; 8]; 8],
            stray: if is_stray { E::key(row.element(stray_index)) ^ flip.mask() } else { 0 },
            index: row.index_of_vector(lane),
            stray_index,
            there: Places { vectors: 0, stray: is_stray },
            head: row.head(),
            params,
            element: core::marker::PhantomData,
        };
        unroll!(u in U => {
            if lane + u as u32 * WARP_SIZE < row.vector_count() {
                held.there.vectors |= Self::vector_mask(u);
                unroll!(part in E::PER_VECTOR => {
                    held.keys[u][part] = E::key(unit.part(u, part)) ^ flip.mask();
                });
            }
        });
        held
    }

    /// The bits of a vector's elements.
    #[inline(always)]
    fn vector_mask(vector: usize) -> u32 {
        (0xff >> (8 - E::PER_VECTOR)) << (vector * E::PER_VECTOR)
    }

    /// The elements that are there and whose key is as wanted.
    #[inline(always)]
    fn places_where(&self, is_wanted: impl Fn(u32) -> bool) -> Places {
        let mut vectors = 0;
        unroll!(u in U => {
            unroll!(part in E::PER_VECTOR => {
                if is_wanted(self.keys[u][part]) {
                    vectors |= 1 << (u * E::PER_VECTOR + part);
                }
            });
        });
        let stray = is_wanted(self.stray) && self.there.stray;
        Places { vectors: vectors & self.there.vectors, stray }
    }

    /// Elements among which are the best `k`, at most `room`; all where the row has no more than
    /// `k`. For the lanes of a warp together.
    #[inline(always)]
    fn choose(&self, k: u32, room: u32) -> Places {
        let mut bound = self.quick_bound(k);
        let mut better = self.places_where(|key| key > bound);
        let mut count = better.count();
        if count > room || bound == 0 {
            bound = self.exact_bound(k);
            better = self.places_where(|key| key > bound);
            count = better.count();
        }
        let mut equal = self.places_where(|key| key == bound);
        let needed = k.saturating_sub(count);
        if equal.count() > needed {
            equal = self.first_of(equal, needed);
        }
        Places { vectors: better.vectors | equal.vectors, stray: better.stray || equal.stray }
    }

    /// A key that `k` lanes reach, or 0. For the lanes of a warp together.
    #[inline(always)]
    fn quick_bound(&self, k: u32) -> u32 {
        if k > QUICK_K_MAX {
            return 0;
        }
        let mut best = self.stray;
        unroll!(u in U => {
            unroll!(part in E::PER_VECTOR => { best = best.max(self.keys[u][part]); });
        });
        warp_shuffle_idx(FULL_MASK, warp_sort_keys_descending(best), k - 1)
    }

    /// The greatest key that `k` elements reach, or 0. For the lanes of a warp together.
    #[inline(always)]
    fn exact_bound(&self, k: u32) -> u32 {
        let (mut bound, mut bit) = (0, 1u32 << 31);
        while bit != 0 {
            let tried = bound | bit;
            if self.places_where(|key| key >= tried).count() >= k {
                bound = tried;
            }
            bit >>= 1;
        }
        bound
    }

    /// The first `needed` of some elements, in the order of their indices. For the lanes of a warp
    /// together.
    #[inline(always)]
    fn first_of(&self, places: Places, needed: u32) -> Places {
        let below = (1 << lane_id()) - 1;
        let is_head = lane_id() < self.head;
        let mut first = Places { vectors: 0, stray: false };
        let votes = warp_vote_ballot(FULL_MASK, places.stray && is_head);
        first.stray = places.stray && is_head && (votes & below).count_ones() < needed;
        let mut before = votes.count_ones();
        unroll!(u in U => {
            let mut mine = places.vectors & Self::vector_mask(u);
            let through = warp_prefix_sum(mine.count_ones());
            let room = needed.saturating_sub(before + through - mine.count_ones());
            while mine.count_ones() > room {
                // The last of the lane's.
                mine ^= 1 << (31 - mine.leading_zeros());
            }
            first.vectors |= mine;
            before += warp_shuffle_idx(FULL_MASK, through, WARP_SIZE - 1);
        });
        let votes = warp_vote_ballot(FULL_MASK, places.stray && !is_head);
        if places.stray && !is_head {
            first.stray = before + (votes & below).count_ones() < needed;
        }
        first
    }

    /// Writes the chosen elements as items one behind the other; how many there are. For the lanes
    /// of a warp together.
    #[inline(always)]
    #[allow(unused_assignments)] // the last part written out moves `slot` for nobody
    fn put_together(&self, chosen: Places, items: SharedArray<u64>) -> u32 {
        let flip = self.params.flip;
        let mine = chosen.vectors.count_ones() + chosen.stray as u32;
        let through = warp_prefix_sum(mine);
        let count = warp_shuffle_idx(FULL_MASK, through, WARP_SIZE - 1);
        let mut slot = through - mine;
        let item = |key: u32, index| composite(key ^ flip.mask(), index, flip);
        if chosen.stray {
            items.set(slot, item(self.stray, self.stray_index));
            slot += 1;
        }
        unroll!(u in U => {
            unroll!(part in E::PER_VECTOR => {
                if chosen.vectors >> (u * E::PER_VECTOR + part) & 1 != 0 {
                    let step = (u as u32 * WARP_SIZE) * E::PER_VECTOR as u32 + part as u32;
                    items.set(slot, item(self.keys[u][part], self.index + step));
                    slot += 1;
                }
            });
        });
        sync_warp(FULL_MASK);
        count
    }
}

/// The greatest `k` for which the lanes' best keys give a bound: a few lanes more than that.
const QUICK_K_MAX: u32 = 24;
