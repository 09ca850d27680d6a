//! A bound of a row that a block holds, or the blocks of a cluster: a step that at least `k`
//! elements reach, and few more, found by counting all elements at each of a few steps.
//!
//! Which steps are tried a sample says. Its elements are sorted: so a sample's rank stands for the
//! row's, and between two steps that were tried the next lies where their counts say. What the
//! values are like makes no difference, and equals of the bound are found at once, since a sample
//! has them. Only a row whose sample misleads needs bisection.
//!
//! Of a cluster's row the sample is larger, since `k` is a smaller part of it; but only the best of
//! it are sorted together, as many as a block sorts: where the bound lies.
use cuda_std::cluster::{RemoteArray, sync_cluster};
use cuda_std::count::opaque;
use cuda_std::shared::SharedArray;
use cuda_std::thread::{block_dim_x, sync_threads, thread_idx_x};
use cuda_std::unroll;
use cuda_std::warp::{FULL_MASK, WARP_SIZE, lane_id, sync_warp, warp_shuffle_xor};

use super::census::Census;
use super::compact::Compact;
use super::held::{HeldRow, step_of};
use super::warp_sort::warp_sort_descending;
use crate::params::{Flip, HALF_SAMPLE, PIVOTS, WIDE_WARPS_MAX};

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
        take(held, steps, stride, |bits| bits);
        // Separates the sample from its order.
        sync_threads();
        if warp == 0 {
            if is_half {
                order::<{ VECTORS / 2 }>(steps, step_of_leader::<E>(held.flip));
            } else {
                order::<VECTORS>(steps, step_of_leader::<E>(held.flip));
            }
        }
        // Separates the order from its use.
        sync_threads();
        Pivots { steps, count: if is_half { HALF_SAMPLE } else { PIVOTS } }
    }

    /// As [`Pivots::new`], of a row that the blocks of a cluster hold, of which this one has this
    /// `rank`: each takes half a sample of its part, and gives as many of its best to all. So one
    /// stands for as many elements as if a block had taken half a sample. `given` has room for
    /// what comes, `steps` for half a sample. For all threads of the cluster together, of
    /// [`WIDE_WARPS_MAX`] warps a block; ends with a barrier of the block.
    #[inline(always)]
    pub fn of_cluster<E: Compact>(
        held: &HeldRow<'_, E, 1>,
        (steps, given): (SharedArray<u32>, SharedArray<u32>),
        (rank, blocks): (u32, u32),
    ) -> Self {
        let step = step_of_leader::<E>(held.flip);
        // The elements that reach the greatest step are those that reach the one before.
        let read = |bits| step(bits).min(u32::MAX - 1);
        take(held, steps, WIDE_WARPS_MAX * PIVOTS / HALF_SAMPLE, read);
        // Separates the sample from its order.
        sync_threads();
        let (place, own) = place_of_quad(steps);
        let share = HALF_SAMPLE >> blocks.trailing_zeros();
        let mut block = thread_idx_x() % QUAD;
        while block < blocks && place < share {
            // SAFETY: there is a block of this rank; each has places of its own there.
            let remote = unsafe { RemoteArray::new(given, block) };
            remote.set(rank * share + place, own);
            block += QUAD;
        }
        sync_cluster();
        let (place, own) = place_of_quad(given);
        if thread_idx_x().is_multiple_of(QUAD) {
            steps.set(place, own);
        }
        // Separates the order from its use.
        sync_threads();
        Pivots { steps, count: HALF_SAMPLE }
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

/// Takes what becomes of one element of every `stride` vectors that the block has room for. For all
/// threads of the block together.
#[inline(always)]
fn take<E: Compact>(
    held: &HeldRow<'_, E, 1>,
    sample: SharedArray<u32>,
    stride: u32,
    read: impl Fn(u32) -> u32,
) {
    let warp = thread_idx_x() / WARP_SIZE;
    unroll!(vector in VECTORS => {
        // Of each vector's lanes others, so that the whole row is sampled.
        if (vector as u32 + lane_id()) & (stride - 1) == 0 {
            let place = (warp * VECTORS as u32 + vector as u32) * WARP_SIZE + lane_id();
            sample.set(place >> stride.trailing_zeros(), read(held.leader(vector)));
        }
    });
}

/// The step of an element that was taken.
#[inline(always)]
fn step_of_leader<E: Compact>(flip: Flip) -> impl Fn(u32) -> u32 {
    move |bits| step_of::<E>(E::key(bits) ^ flip.mask())
}

/// Threads that find the place of one step of half a sample together.
const QUAD: u32 = 4;
const _: () = assert!(WIDE_WARPS_MAX * WARP_SIZE == QUAD * HALF_SAMPLE);

/// The place of a step among half a sample, the best first, and the step: the same for each four
/// neighbouring threads. All of a block count, since there are no registers for a warp to sort with
/// several steps in flight while the row is held. No step is the greatest there is. For all
/// threads of a block of [`WIDE_WARPS_MAX`] warps together.
#[inline(always)]
fn place_of_quad(steps: SharedArray<u32>) -> (u32, u32) {
    // Opaque, since else what one call works out of it is kept for the other.
    let thread = opaque(thread_idx_x());
    let (number, part) = (thread / QUAD, thread % QUAD);
    let own = steps.get(number);
    let mut before = 0;
    unroll!(i in 8 => {
        let first = (16 * i) as u32 + 4 * part;
        let others = steps.get_vec4(first);
        // Those before this one come first if they are as good, those behind if they are better.
        let bar = own + (first > number) as u32;
        unroll!(j in 4 => { before += (others[j] >= bar) as u32; });
    });
    before += warp_shuffle_xor(FULL_MASK, before, 1);
    before += warp_shuffle_xor(FULL_MASK, before, 2);
    // It is as good as itself, and so may be up to three behind it.
    let neighbours = steps.get_vec4(number & !3);
    unroll!(j in 4 => {
        before -= (neighbours[j] == own && j as u32 >= number % 4) as u32;
    });
    (before, own)
}

/// Sorts what becomes of a sample's words, `R` a lane, the greatest first. For the lanes of a warp
/// together.
#[inline(always)]
fn order<const R: usize>(steps: SharedArray<u32>, read: impl Fn(u32) -> u32) {
    let mut own = [0; R];
    unroll!(i in R => { own[i] = read(steps.get(i as u32 * WARP_SIZE + lane_id())); });
    warp_sort_descending(&mut own);
    // Separates the reads from the lanes' writes to others' places.
    sync_warp(FULL_MASK);
    unroll!(i in R => { steps.set(lane_id() * R as u32 + i as u32, own[i]); });
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

impl Bound {
    /// A step above this one, at most `most`, that `wanted` elements are to be expected to reach,
    /// if they are spread evenly.
    #[inline(always)]
    fn toward(&self, most: u32, wanted: u32) -> u32 {
        let share = (self.count - wanted) as f32 / (self.count - self.better) as f32;
        let span = most - self.step;
        self.step + 1 + ((share * span as f32) as u32).min(span - 1)
    }
}

/// So many steps of the sample are tried before bisection.
const TRIES: u32 = 6;

/// Looks for a step that at least `k` of a row's elements reach and at most `room`, where there is
/// such a one; else the best that `k` reach. The row has more than `room` elements; `held_max` are
/// for how many all of the sample stands. For all who hold the row together.
#[inline(always)]
pub fn find_bound<E: Compact, C: Census>(
    held: &impl Reaching,
    flip: Flip,
    pivots: &impl Steps,
    census: &mut C,
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
        } else if C::IS_SLOW && (tries < TRIES || tries.is_multiple_of(2)) {
            tried = bound.toward(most, wanted);
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
