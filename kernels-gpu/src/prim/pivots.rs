//! A bound of a row that a block holds: a step that at least `k` elements reach, and few more,
//! found by counting all elements at each of a few steps.
//!
//! Which steps are tried a sample says. Its elements are sorted: so a sample's rank stands for the
//! row's, and between two steps that were tried the next lies where their counts say. What the
//! values are like makes no difference, and equals of the bound are found at once, since a sample
//! has them. Only a row whose sample misleads needs bisection.
use cuda_std::shared::SharedArray;
use cuda_std::thread::{block_dim_x, sync_threads, thread_idx_x};
use cuda_std::unroll;
use cuda_std::warp::{FULL_MASK, WARP_SIZE, lane_id, sync_warp, warp_reduce_add};

use super::compact::Compact;
use super::held::{HeldRow, step_of};
use super::warp_sort::warp_sort_descending;
use crate::params::{Flip, PIVOTS};

/// Vectors of a lane, each with an element that may be in the sample.
const VECTORS: usize = 8;
/// With so few warps half a sample serves better: the first warp sorts it twice as fast.
const FEW_WARPS: u32 = 2;
const _: () = assert!(PIVOTS == WARP_SIZE * VECTORS as u32);

/// Some of a row's steps, sorted, the best first.
pub trait Steps {
    /// How many.
    fn count(&self) -> u32;
    /// The step of this number: 1 is the best.
    fn get(&self, number: u32) -> u32;
}

/// A row that the threads of a block hold, or read, together.
pub trait Reaching {
    /// How many of this thread's elements reach a step, which is the same in all threads.
    fn own_reaching(&self, step: u32) -> u32;
}

/// A sample of a row, the best first: steps in shared memory.
#[derive(Clone, Copy)]
pub struct Pivots {
    steps: SharedArray<u32>,
    count: u32,
}

impl Pivots {
    /// Takes one element of every so many vectors that the block has room for, also where it has
    /// none. For all threads of the block together; ends with a barrier.
    #[inline(always)]
    pub fn new<E: Compact>(held: &HeldRow<'_, E, 1>, steps: SharedArray<u32>) -> Self {
        let (warp, warps) = (thread_idx_x() / WARP_SIZE, block_dim_x() / WARP_SIZE);
        let is_half = warps <= FEW_WARPS;
        let stride = if is_half { 2 * warps } else { warps };
        let bits = stride.trailing_zeros();
        unroll!(vector in VECTORS => {
            // Of each vector's lanes others, so that the whole row is sampled.
            if (vector as u32 + lane_id()) & (stride - 1) == 0 {
                let place = (warp * VECTORS as u32 + vector as u32) * WARP_SIZE + lane_id();
                steps.set(place >> bits, held.leader(vector));
            }
        });
        // Separates the sample from its order.
        sync_threads();
        if warp == 0 {
            if is_half {
                order::<E, { VECTORS / 2 }>(steps, held.flip);
            } else {
                order::<E, VECTORS>(steps, held.flip);
            }
        }
        // Separates the order from its use.
        sync_threads();
        Pivots { steps, count: if is_half { PIVOTS / 2 } else { PIVOTS } }
    }
}

impl Steps for Pivots {
    #[inline(always)]
    fn count(&self) -> u32 {
        self.count
    }

    #[inline(always)]
    fn get(&self, number: u32) -> u32 {
        self.steps.get(number - 1)
    }
}

/// Turns a sample's elements, `R` a lane, into steps, the best first. For the lanes of a warp
/// together.
#[inline(always)]
fn order<E: Compact, const R: usize>(steps: SharedArray<u32>, flip: Flip) {
    let mut own = [0; R];
    unroll!(i in R => {
        let bits = steps.get(i as u32 * WARP_SIZE + lane_id());
        own[i] = step_of::<E>(E::key(bits) ^ flip.mask());
    });
    warp_sort_descending(&mut own);
    // Separates the reads from the lanes' writes to others' places.
    sync_warp(FULL_MASK);
    unroll!(i in R => { steps.set(lane_id() * R as u32 + i as u32, own[i]); });
}

/// Numbers that the threads of a block add up, one round behind the other.
pub struct Census {
    /// Three sums that take turns: one is added to, one may still be read, one is cleared.
    sums: SharedArray<u32>,
    turn: u32,
}

impl Census {
    /// Of words that are 0 behind the next barrier, which comes before [`Census::sum`].
    #[inline(always)]
    pub fn new(sums: SharedArray<u32>) -> Self {
        Census { sums, turn: 0 }
    }

    /// The sum of the threads' numbers. For all threads of the block together; with a barrier
    /// unless they are one warp.
    #[inline(always)]
    pub fn sum(&mut self, own: u32) -> u32 {
        let sum = warp_reduce_add(FULL_MASK, own);
        if block_dim_x() == WARP_SIZE {
            return sum;
        }
        let turn = self.turn;
        if lane_id() == 0 {
            self.sums.add(turn, sum);
        }
        // Separates the addition from the read, and the last round's reads from their clearing.
        sync_threads();
        if thread_idx_x() == 0 {
            self.sums.set(if turn == 0 { 2 } else { turn - 1 }, 0);
        }
        self.turn = if turn == 2 { 0 } else { turn + 1 };
        self.sums.get(turn)
    }
}

impl<E: Compact> Reaching for HeldRow<'_, E, 1> {
    #[inline(always)]
    fn own_reaching(&self, step: u32) -> u32 {
        HeldRow::own_reaching(self, step)
    }
}

/// A step, and how many elements are on either side.
#[derive(Clone, Copy)]
pub struct Bound {
    /// The step.
    pub step: u32,
    /// Elements that reach it.
    pub count: u32,
    /// Those of them that this thread has.
    pub own: u32,
    /// Elements that are better, where more reach the bound than were to.
    pub better: u32,
}

/// So many steps of the sample are tried before bisection.
const TRIES: u32 = 6;

/// Looks for a step that at least `k` of a row's elements reach and at most `room`, where there is
/// such a one; else the best that `k` reach. The row has more than `room` elements; `held_max` are
/// for how many all of the sample stands. For all threads of the block together.
#[inline(always)]
pub fn find_bound<E: Compact>(
    held: &impl Reaching,
    flip: Flip,
    pivots: &impl Steps,
    census: &mut Census,
    (k, room): (u32, u32),
    (n, held_max): (u32, u32),
) -> Bound {
    let worst = step_of::<E>(E::worst_key(flip));
    let mut bound = Bound { step: worst, count: n, own: held.own_reaching(worst), better: 0 };
    let mut most = step_of::<E>(u32::MAX);
    // The sample's numbers between which the bound lies, and the elements that reach their steps.
    let (mut above, mut below) = ((0, 0), (pivots.count() + 1, held_max));
    let wanted = (k + room) / 2;
    let mut tries = 0;
    while bound.count > room && bound.step < most {
        let mut number = 0;
        let mut tried = bound.step + (most - bound.step).div_ceil(2);
        if tries < TRIES && below.0 - above.0 > 1 {
            // A step that has several places in the sample has many equals. Whether they are what
            // is too much, the next one tells.
            let has_equals = below.0 <= pivots.count() && pivots.get(below.0 - 1) == bound.step;
            number = if has_equals { below.0 - 1 } else { between(above, below, wanted) };
            tried = pivots.get(number).max(bound.step + 1).min(most);
        }
        let own = held.own_reaching(tried);
        let count = census.sum(own);
        if count < k {
            most = tried - 1;
            bound.better = count;
            above = if number > 0 { (number, count) } else { above };
        } else {
            bound = Bound { step: tried, count, own, ..bound };
            below = if number > 0 { (number, count) } else { below };
        }
        tries += 1;
    }
    bound
}

/// The number between two others, not neighbours, at which `wanted` elements are to be expected,
/// where so many were counted at these.
#[inline(always)]
fn between(above: (u32, u32), below: (u32, u32), wanted: u32) -> u32 {
    let share = (wanted - above.1) as f32 / (below.1 - above.1) as f32;
    let number = above.0 + (share * (below.0 - above.0) as f32 + 0.5) as u32;
    number.max(above.0 + 1).min(below.0 - 1)
}
