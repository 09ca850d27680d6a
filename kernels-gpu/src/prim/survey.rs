//! Surveying a piece of a row: reading it once for the best key of every lane's unit, from which a
//! bound follows; then only the units that reach the bound are looked into.
//!
//! # Idea
//!
//! ```text
//! for each chunk of the piece, so many units a warp:
//!     read its units; keep the best key of each lane's part of each, and the lane's best
//!     the first chunk: bound = the k-th best of the lanes' keys (prim::tops); the k-th best of all
//!         parts' keys where k is large, or where that one lets many more through
//!     the units whose key reaches the bound: look into them again, and queue what reaches it
//! ```
//!
//! The parts that reach the bound are listed, and the block looks into them together
//! (prim::parts), so that it does not matter which lanes have them. Blocks of a cluster ([`Peers`])
//! rank the lanes' keys of all of them for the first chunk's bound.
//!
//! A lane's part of a unit stands for its best element: if `k` parts reach a bound, `k` elements
//! do. So nothing that does not reach the bound is among the best `k`, and it is only in parts that
//! reach it. For data in random order about `k` elements do.
//!
//! # Ties
//!
//! Where many parts have the bound for their best, as in rows of few distinct values, only the
//! first of them in the row's order are looked into: as soon as `k` of them lie in earlier units,
//! so do `k` elements equal to the bound, and of equals the lowest indices win. The bound then
//! rises above what is left out.
//!
//! # Cost
//!
//! One read of the piece, without a branch that depends on the data; then at most `2 k + 32` parts
//! of units a chunk, whatever the data.
//!
//! # Source
//! Delegates: Dr. Top-k (Gaihre et al., SC'21).
use cuda_std::shared::SharedArray;
use cuda_std::thread::{block_dim_x, sync_threads, sync_threads_count, thread_idx_x};
use cuda_std::unroll;
use cuda_std::warp::{FULL_MASK, WARP_SIZE, lane_id, warp_vote_ballot};

use super::element::Element;
use super::parts::{PartShape, Parts};
use super::queue::{Keys, Queue};
use super::rows::{Row, Unit, least_key, part_of_lane};
use super::team::Team;
use super::tops::{Gathering, Ranking};
use crate::order::index_of;
use crate::params::{Flip, SMALL_K_MAX, bound_spare};

/// The part of a row that one block surveys: each warp walks a stretch of its own. Where `LARGE` is
/// not set, a bound is always looked for.
pub struct Survey<'a, E: Element, const U: usize, const LARGE: bool> {
    row: &'a Row<E>,
    /// The first vector of the warp's stretch.
    first: u32,
    /// The first vector behind what the warp reads.
    end: u32,
    /// The first vector behind the piece.
    piece_end: u32,
    /// Vectors of a unit that a lane reads: `U`, or where a warp has one unit its share.
    depth: u32,
    /// Units of the longest stretch: the same in all threads of the block.
    units: u32,
    /// Warps that have a stretch: the first ones.
    warps: u32,
    flip: Flip,
    keys: SharedArray<u32>,
    /// What is wanted of the block.
    wanted: Wanted,
}

/// Units of at most so many vectors are read ahead, as far as registers go.
const DOUBLED_MAX: usize = 2;

/// The unit that is on its way to a thread, and whether it has seen a NaN that is masked.
pub struct Ahead<E: Element, const U: usize> {
    unit: Unit<E, U>,
    has_nan: bool,
}

/// What is wanted of a piece.
#[derive(Clone, Copy)]
pub struct Wanted {
    /// So many elements.
    pub k: u32,
    /// So many where they are at hand anyway, at least `k`.
    pub gives: u32,
    /// And so many of the best keys, at most [`LIST_TOPS_MAX`](crate::params::LIST_TOPS_MAX).
    pub tops: u32,
    /// Units that a warp surveys at once.
    pub chunk_units: u32,
    /// Whether a bound is looked for.
    pub bounded: bool,
}

impl<'a, E: Element, const U: usize, const LARGE: bool> Survey<'a, E, U, LARGE> {
    /// Vectors `first..end` of the row, spread over the block's warps; `keys` has room for a word
    /// a thread and unit of a chunk.
    #[inline(always)]
    pub fn new(
        row: &'a Row<E>,
        (first, end): (u32, u32),
        flip: Flip,
        keys: SharedArray<u32>,
        wanted: Wanted,
    ) -> Self {
        let (unit, warps) = (U as u32 * WARP_SIZE, block_dim_x() / WARP_SIZE);
        // SAFETY: a block has at least a warp; it spares the division's check.
        unsafe { core::hint::assert_unchecked(warps != 0) };
        let vectors = end.saturating_sub(first);
        let units = vectors.div_ceil(unit).div_ceil(warps);
        // One unit a warp is as many vectors for each: an idle warp would have no key.
        let depth = if units == 1 { vectors.div_ceil(WARP_SIZE).div_ceil(warps) } else { U as u32 };
        let stretch = units * depth * WARP_SIZE;
        let start = (first + thread_idx_x() / WARP_SIZE * stretch).min(end);
        let own_end = if units == 1 { (start + stretch).min(end) } else { end };
        let warps = if stretch == 0 { 0 } else { vectors.div_ceil(stretch) };
        Survey {
            row,
            first: start,
            end: own_end,
            piece_end: end,
            depth,
            units,
            warps,
            flip,
            keys,
            wanted,
        }
    }

    /// Takes the piece into the queue, of which at most `keep` items are left. For all threads of
    /// the block together; ends with a barrier.
    #[inline(always)]
    pub fn run(&self, ahead: Ahead<E, U>, queue: &mut Queue, keep: u32) {
        self.run_among(&Alone, ahead, queue, keep);
    }

    /// Starts to read the warp's first unit, which [`Survey::run`] takes over: what comes between
    /// waits with it. `has_nan` says whether the thread has seen a NaN that is masked.
    #[inline(always)]
    pub fn ahead(&self, has_nan: bool) -> Ahead<E, U> {
        Ahead { unit: self.row.unit(self.vector(0), self.end, self.flip), has_nan }
    }

    /// As [`Survey::run`], for blocks that survey a row together. Every thread of all of them.
    #[inline(always)]
    pub fn run_among(&self, peers: &impl Peers, ahead: Ahead<E, U>, queue: &mut Queue, keep: u32) {
        let mut ahead = ahead;
        let mut start = 0;
        // Once at least: the queue may hold more stray elements than are to be kept.
        loop {
            let units = (self.units - start).min(self.wanted.chunk_units);
            let (lane_best, last) = self.read(start, units, &mut ahead);
            let is_last = start + units >= self.units;
            let mut crowd = Crowd::OfEquals;
            if start == 0 {
                crowd = peers.raise_bound(self, queue, lane_best, units);
            }
            if ahead.has_nan {
                // Behind the barrier that separates it from the queue's start.
                queue.note();
            }
            let keep = if is_last { keep } else { queue.capacity() };
            let kept = (self.wanted.gives, keep);
            let before = if start == 0 { queue.first } else { queue.count() };
            let is_at_hand = self.units == 1 && matches!(crowd, Crowd::None);
            if !is_at_hand || !self.take(&last, lane_best, queue, before, kept) {
                let chosen = self.choose(queue, start, units, crowd);
                let shape = PartShape {
                    first: self.part(start),
                    step: self.step(),
                    depth: self.depth,
                    end: self.piece_end,
                    flip: self.flip,
                };
                let parts = Parts::<E, U>::list(self.row, shape, chosen, self.keys, queue);
                parts.offer(queue);
                if !queue.settle(before, kept) {
                    queue.absorb(parts, keep);
                }
                queue.forget_parts();
            }
            if is_last {
                return;
            }
            start += units;
            ahead.unit = self.row.unit(self.vector(start), self.end, self.flip);
        }
    }

    /// Takes in what reaches the bound of the units that are at hand, and settles the queue;
    /// `false`, and just the `before` items that there were, where some lane has many or
    /// there was no room. Ends with a barrier.
    #[inline(always)]
    fn take(
        &self,
        unit: &Unit<E, U>,
        lane_best: u32,
        queue: &mut Queue,
        before: u32,
        kept: (u32, u32),
    ) -> bool {
        if lane_best >= (queue.bound() >> 32) as u32 {
            // Where a lane has many, the block shares the work.
            if !unit.each_reaching(queue.bound(), |item| queue.offer_one(item)) {
                queue.refuse();
            }
        }
        queue.settle(before, kept)
    }

    /// Reads units `start..start + units` of the warp's stretch, the first of which is at hand, and
    /// leaves the best key of this lane's part of each; the best of these, and the last unit.
    #[inline(always)]
    fn read(&self, start: u32, units: u32, ahead: &mut Ahead<E, U>) -> (u32, Unit<E, U>) {
        let (mut best, mut unit, mut number) = (0, ahead.unit, 0);
        let next = |number: u32| self.row.unit(self.vector(start + number), self.end, self.flip);
        while number < units {
            let mut following = unit;
            if U <= DOUBLED_MAX && number + 1 < units {
                following = next(number + 1);
            }
            let (key, has_nan) =
                if self.has_neighbours() { unit.best_key_of_part() } else { unit.best_key() };
            ahead.has_nan |= has_nan;
            self.keys.set(self.place(number), key);
            best = best.max(key);
            number += 1;
            if U > DOUBLED_MAX && number < units {
                following = next(number);
            }
            unit = following;
        }
        while number % 4 != 0 {
            self.keys.set(self.place(number), 0);
            number += 1;
        }
        (best, unit)
    }

    /// How crowded a bound is that was found among the lanes' best keys: a lane may let much more
    /// through, as in rows in ascending order.
    #[inline(always)]
    fn crowd(&self, queue: &Queue, bound: u32, lane_best: u32, units: u32) -> Crowd {
        let (mut counts, k) = (reaching(lane_best, bound), self.wanted.k);
        if self.units > 1 {
            counts = 0;
            SurveyKeys { survey: self, units }.each(|key| counts += reaching(key, bound));
        } else if !is_crowded(sync_threads_count(lane_best >= bound), k) {
            return Crowd::None;
        }
        let counts = queue.sum(0, counts);
        match (counts & 0xffff, counts >> 16) {
            (parts, _) if !is_crowded(parts, k) => Crowd::None,
            (_, above) if above < k => Crowd::OfEquals,
            _ => Crowd::OfMany,
        }
    }

    /// Raises the bound to one that is found among the parts' best keys.
    #[inline(always)]
    fn raise_bound_by_parts(&self, queue: &mut Queue, lane_best: u32, units: u32) -> Crowd {
        let (k, parts) = (self.wanted.k, units * self.warps * WARP_SIZE);
        let (wanted, there) = (4 * k, 3 * parts);
        if wanted > there {
            return Crowd::Unknown;
        }
        // SAFETY: k is at least 1, and far below 2^30; it spares the division's check.
        unsafe { core::hint::assert_unchecked(wanted != 0) };
        // Of groups of so many units there are a third more than k, and each group's best part
        // reaches the least of these.
        let group = (there / wanted).min(units);
        let (mut least, mut groups) = (u32::MAX, 0);
        self.each_group(units, group, |best| {
            if best > E::worst_key(self.flip) {
                (least, groups) = (least.min(best), groups + 1);
            }
        });
        if queue.sum(1, groups) < k {
            // Too few have anything: now the least of all parts.
            self.each_group(units, 1, |key| least = least.min(key));
        }
        let (least, span) = queue.range_of((0, least), (0, lane_best));
        let keys = SurveyKeys { survey: self, units };
        match queue.raise_to_kth_key(&keys, (least as u32, span as u32)) {
            parts if is_crowded(parts, k) => Crowd::OfEquals,
            _ => Crowd::Unknown,
        }
    }

    /// Calls `f` with the best key of each whole group of this lane's units.
    #[inline(always)]
    fn each_group(&self, units: u32, group: u32, mut f: impl FnMut(u32)) {
        let (mut best, mut left, mut number) = (0, group, 0);
        while number < units {
            best = best.max(self.keys.get(self.place(number)));
            (left, number) = (left - 1, number + 1);
            if left == 0 {
                f(best);
                (best, left) = (0, group);
            }
        }
    }

    /// The units of a chunk, a bit each, of which this lane's part has to be looked into. For all
    /// threads of the block together.
    #[inline(always)]
    fn choose(&self, queue: &mut Queue, start: u32, units: u32, crowd: Crowd) -> u32 {
        let first = self.row.index_of_vector(self.vector(start));
        let least = least_key(queue.bound(), first);
        let mut chosen = self.units_where(units, |key| key >= least);
        if matches!(crowd, Crowd::OfEquals) {
            // Parts that lie behind the end have the worst key, as elements may too.
            let ties = self.units_where(units, |key| key == least) & self.there(start, units);
            let above = first > index_of(queue.bound());
            let kept = self.first_ties(queue, ties, units, above);
            if kept < units && lane_id() == 0 {
                let behind = self.row.index_of_vector(self.vector(start + kept));
                queue.leave_out(behind, above);
            }
            chosen &= !ties | low_bits(kept);
            queue.raise_above_left_out();
        }
        chosen
    }

    /// The units of a chunk, a bit each, whose key is as wanted.
    #[inline(always)]
    fn units_where(&self, units: u32, is_wanted: impl Fn(u32) -> bool) -> u32 {
        let (mut bits, mut number) = (0, 0);
        while number < units {
            // Four at a time, which are read at once.
            let mut keys = [0; 4];
            unroll!(i in 4 => { keys[i] = self.keys.get(self.place(number + i as u32)); });
            let mut four = 0;
            unroll!(i in 4 => {
                if is_wanted(keys[i]) {
                    four |= 1 << i;
                }
            });
            bits |= four << number;
            number += 4;
        }
        bits & low_bits(units)
    }

    /// The units of a chunk, a bit each, of which this lane's part has something.
    #[inline(always)]
    fn there(&self, start: u32, units: u32) -> u32 {
        let (mut bits, mut number) = (0, 0);
        while number < units {
            bits |= ((self.part(start + number) < self.end) as u32) << number;
            number += 1;
        }
        bits
    }

    /// The number of the warp's first units before which the block has fewer than `k` parts with
    /// `ties`: the first units of the row's order. Ties are of one key in warps that are `above`,
    /// and of a lower one in the others. For all threads of the block together.
    #[inline(always)]
    fn first_ties(&self, queue: &Queue, ties: u32, units: u32, above: bool) -> u32 {
        let lanes = |number: u32| warp_vote_ballot(FULL_MASK, ties >> number & 1 != 0).count_ones();
        let (mut mine, mut number) = (0, 0);
        while number < units {
            mine += lanes(number);
            number += 1;
        }
        // Both sums in one word: a block has fewer parts than half a word's greatest number.
        let half = if above { 16 } else { 0 };
        let mut before = queue.sum_of_earlier_warps(mine << half) >> half & 0xffff;
        number = 0;
        while number < units && before < self.wanted.k {
            before += lanes(number);
            number += 1;
        }
        number
    }

    /// The first vector of a unit of the warp's stretch.
    #[inline(always)]
    fn vector(&self, unit: u32) -> u32 {
        self.first + unit * U as u32 * WARP_SIZE
    }

    /// Whether a part is `U` neighbouring vectors, which cost one access to memory or two to read
    /// again, not `U`; else it is what the lane has read of the unit. The former where many are
    /// wanted, unless all that was read is still at hand.
    #[inline(always)]
    fn has_neighbours(&self) -> bool {
        LARGE && self.units > 1
    }

    /// The first vector of this lane's part of a unit of the warp's stretch.
    #[inline(always)]
    fn part(&self, unit: u32) -> u32 {
        let first = self.vector(unit);
        if self.has_neighbours() { part_of_lane::<U>(first) } else { first + lane_id() }
    }

    /// From one vector of a part to the next.
    #[inline(always)]
    fn step(&self) -> u32 {
        if self.has_neighbours() { 1 } else { WARP_SIZE }
    }

    /// Where this thread keeps the key of a unit of the chunk.
    #[inline(always)]
    fn place(&self, number: u32) -> u32 {
        number * block_dim_x() + thread_idx_x()
    }
}

/// Who surveys a row together.
pub trait Peers {
    /// Raises the queue's bound to a key that `k` elements of the row reach; which parts of this
    /// block's first chunk reach it. `lane_best` is the best key of the lane, and
    /// the chunk has so many units. For all threads of the block together, with a barrier.
    fn raise_bound<E: Element, const U: usize, const LARGE: bool>(
        &self,
        survey: &Survey<'_, E, U, LARGE>,
        queue: &mut Queue,
        lane_best: u32,
        units: u32,
    ) -> Crowd;
}

/// Which parts of a block's first chunk reach a bound.
#[derive(Clone, Copy)]
pub enum Crowd {
    /// Not many more than wanted, of lanes that are spread over the row.
    None,
    /// Many more, but fewer than wanted are above it: among the parts' keys there is no better one.
    OfEquals,
    /// Many more.
    OfMany,
    /// As many as are wanted, or nobody knows.
    Unknown,
}

/// Whether so many parts are many more than `k`.
#[inline(always)]
fn is_crowded(parts: u32, k: u32) -> bool {
    parts > k + bound_spare(k)
}

/// For sums of both, each of fewer than `2^16`: whether a key reaches a bound, and, in the upper
/// half, whether it is above it.
#[inline(always)]
fn reaching(key: u32, bound: u32) -> u32 {
    (key >= bound) as u32 | ((key > bound) as u32) << 16
}

/// A block by itself.
pub struct Alone;

impl Peers for Alone {
    #[inline(always)]
    fn raise_bound<E: Element, const U: usize, const LARGE: bool>(
        &self,
        survey: &Survey<'_, E, U, LARGE>,
        queue: &mut Queue,
        lane_best: u32,
        units: u32,
    ) -> Crowd {
        let Wanted { k, tops, bounded, .. } = survey.wanted;
        if LARGE && !bounded {
            // Separates the queue's start from its use.
            sync_threads();
            return Crowd::Unknown;
        }
        // Measured on an H200: the parts' keys tell more wanted elements apart sooner.
        let few = !LARGE || k <= SMALL_K_MAX;
        let for_bound = if few { Gathering::new(k, survey.warps) } else { None };
        let gathering =
            if tops == 0 { for_bound } else { Gathering::new(k.max(tops), survey.warps) };
        let gathering =
            gathering.or(if tops == 0 { None } else { Gathering::new(tops, survey.warps) });
        if let Some(gathering) = gathering {
            let k = if for_bound.is_some() { k } else { 0 };
            let count = gathering.gather(queue.tops(), lane_best);
            let bound = queue.rank_tops(count, Ranking { k, best: tops });
            if k > 0 {
                let crowd = survey.crowd(queue, bound, lane_best, units);
                if !matches!(crowd, Crowd::OfMany) {
                    return crowd;
                }
            }
        } else {
            // Separates the queue's start from its use.
            sync_threads();
        }
        survey.raise_bound_by_parts(queue, lane_best, units)
    }
}

impl Peers for Team {
    #[inline(always)]
    fn raise_bound<E: Element, const U: usize, const LARGE: bool>(
        &self,
        survey: &Survey<'_, E, U, LARGE>,
        queue: &mut Queue,
        lane_best: u32,
        units: u32,
    ) -> Crowd {
        let count = self.share(queue.tops(), lane_best);
        let bound = queue.rank_tops(count, Ranking { k: survey.wanted.k, best: 0 });
        match survey.crowd(queue, bound, lane_best, units) {
            Crowd::OfMany => survey.raise_bound_by_parts(queue, lane_best, units),
            crowd => crowd,
        }
    }
}

/// The keys of a chunk.
struct SurveyKeys<'a, 'r, E: Element, const U: usize, const LARGE: bool> {
    survey: &'a Survey<'r, E, U, LARGE>,
    units: u32,
}

impl<E: Element, const U: usize, const LARGE: bool> Keys for SurveyKeys<'_, '_, E, U, LARGE> {
    #[inline(always)]
    fn each(&self, mut f: impl FnMut(u32)) {
        let mut number = 0;
        while number < self.units {
            // Four at a time, which are read at once; those behind the last unit are 0.
            let mut keys = [0; 4];
            unroll!(i in 4 => {
                keys[i] = self.survey.keys.get(self.survey.place(number + i as u32));
            });
            unroll!(i in 4 => { f(keys[i]); });
            number += 4;
        }
    }
}

/// A word with the `count` lowest bits set, `count <= 32`.
#[inline(always)]
fn low_bits(count: u32) -> u32 {
    if count >= 32 { !0 } else { (1 << count) - 1 }
}
