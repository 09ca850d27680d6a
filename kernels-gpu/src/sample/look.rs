//! What a block of `full_mass` knows of its row, and how it weighs segments.
use cuda_std::global::GlobalArrayMut;
use cuda_std::shared::SharedArray;
use cuda_std::thread::{block_dim_x, sync_threads, sync_threads_or, thread_idx_x};
use cuda_std::warp::{FULL_MASK, WARP_SIZE, lane_id, warp_reduce_max, warp_vote_ballot};

use super::piece::Piece;
use super::segment::{Held, SegmentedRow};
use super::sieve::Sieve;
use crate::order::{bits_of_key, key};
use crate::prim::element::Element;
use crate::prim::mass::warp_sum_u64;
use crate::sampling::filter::{RowFilter, least_within};
use crate::sampling::launch::{FullParams, MASS_THREADS};
use crate::sampling::params::{FilterOrder, RowParams};
use crate::sampling::segment::{WHOLE_SHARE, Weigher, row_mass, segments};

/// So many of a lane's elements are read again one by one rather than with all others.
const FEW: u32 = 4;

/// In a segment's sum: whether it has a NaN.
const HAS_NAN: u64 = 1 << 63;

/// The greatest logits of a row's segments.
#[derive(Clone, Copy)]
pub struct Tops {
    words: GlobalArrayMut<u32>,
    /// The row's first segment among all.
    first: u64,
}

impl Tops {
    /// Those of row number `number`; a row has room for the segments of `n` elements.
    ///
    /// # Safety
    /// - *in bounds*: `words` points to as many for each row, aligned;
    /// - *no concurrent writer*: a place is written by one warp, and read behind a barrier.
    #[inline(always)]
    pub unsafe fn new(words: *mut u32, number: u32, n: u32) -> Self {
        // SAFETY: the caller vouches for them.
        let words = unsafe { GlobalArrayMut::new(words) };
        Tops { words, first: number as u64 * segments(n) as u64 }
    }

    /// The greatest logit of a segment that is no NaN.
    #[inline(always)]
    pub fn top(&self, segment: u32) -> f32 {
        f32::from_bits(self.words.get(self.first + segment as u64))
    }
}

/// Which elements of a row's segments min-p may keep, as the first look finds them: a word a lane,
/// a bit for each element that is near enough to the segment's greatest.
#[derive(Clone, Copy)]
pub struct Near {
    /// Null where nobody is to know.
    words: *mut u32,
    /// The row's first segment among all.
    first: u64,
}

impl Near {
    /// Those of row number `number`; a row has room for the segments of `n` elements.
    ///
    /// # Safety
    /// - *in bounds*: `words` is null, or points to a word a lane for each segment, aligned;
    /// - *no concurrent writer*: a place is written by one lane in one launch, and read in another.
    #[inline(always)]
    pub unsafe fn new(words: *mut u32, number: u32, n: u32) -> Self {
        Near { words, first: number as u64 * segments(n) as u64 }
    }

    /// The same where the row has a min-p, else nothing.
    #[inline(always)]
    fn of(self, row: &RowParams) -> Self {
        let words = if row.has_min_p() { self.words } else { core::ptr::null_mut() };
        Near { words, ..self }
    }

    /// Whether it is there.
    #[inline(always)]
    fn is_known(&self) -> bool {
        !self.words.is_null()
    }

    /// This lane's word of a segment, and where it stands.
    #[inline(always)]
    fn place(&self, segment: u32) -> (GlobalArrayMut<u32>, u64) {
        // SAFETY: `new`'s caller vouches for the words, where they are known.
        let words = unsafe { GlobalArrayMut::new(self.words) };
        (words, (self.first + segment as u64) * WARP_SIZE as u64 + lane_id() as u64)
    }
}

/// What is known of the segments of a row.
#[derive(Clone, Copy)]
pub struct Segments {
    tops: Tops,
    sums: GlobalArrayMut<u64>,
    /// Segments of the row.
    pub count: u32,
}

impl Segments {
    /// Those of the row of `piece`; a row has room for the segments of `n` elements.
    ///
    /// # Safety
    /// - *in bounds*: `tops` and `sums` point to as many for each row, aligned;
    /// - *no concurrent writer*: a place is written by one warp, and read behind a barrier.
    #[inline(always)]
    pub unsafe fn new<E: Element>(
        piece: &Piece<E>,
        tops: *mut u32,
        sums: *mut u64,
        n: u32,
    ) -> Self {
        Segments {
            // SAFETY: the caller's contract.
            tops: unsafe { Tops::new(tops, piece.number, n) },
            // SAFETY: the caller's contract.
            sums: unsafe { GlobalArrayMut::new(sums) },
            count: segments(piece.n),
        }
    }

    /// The sum of a segment's weights, where they were wanted.
    #[inline(always)]
    pub fn sum(&self, segment: u32) -> u64 {
        self.words(segment) & !HAS_NAN
    }

    /// Sets what [`Segments::sum`] gets.
    #[inline(always)]
    pub fn set_sum(&self, segment: u32, sum: u64) {
        self.sums.set(self.tops.first + segment as u64, sum);
    }

    /// Sets what [`Segments::top`] gets.
    #[inline(always)]
    fn set_top(&self, segment: u32, top: f32) {
        self.tops.words.set(self.tops.first + segment as u64, top.to_bits());
    }

    /// Whether the first look found a NaN in a segment.
    #[inline(always)]
    pub fn has_nan(&self, segment: u32) -> bool {
        self.words(segment) & HAS_NAN != 0
    }

    /// A segment's sum, and whether it has a NaN.
    #[inline(always)]
    fn words(&self, segment: u32) -> u64 {
        self.sums.get(self.tops.first + segment as u64)
    }

    /// The greatest logit of a segment that is no NaN.
    #[inline(always)]
    pub fn top(&self, segment: u32) -> f32 {
        self.tops.top(segment)
    }
}

/// What a block knows of its row.
#[derive(Clone, Copy)]
pub struct Look<E: Element> {
    /// The row.
    pub row: SegmentedRow<E>,
    /// Its segments.
    pub segments: Segments,
    /// How it weighs.
    pub weigher: Weigher,
    /// Whether its elements go through the sieve, and weigh against the row's greatest logit.
    pub is_filtered: bool,
    /// The row's greatest logit, once it is known.
    pub greatest: f32,
    /// What is kept of a filtered row.
    pub sieve: Sieve,
    /// What min-p may keep of the row.
    near: Near,
    /// The least distance from the greatest that min-p keeps.
    reach: f32,
}

impl<E: Element> Look<E> {
    /// At the row of `piece`, of which nothing is known.
    ///
    /// # Safety
    /// - *in bounds*: `piece` is of the input, `tops` and `sums` point to a place for each of all
    ///   rows' segments, aligned for their types;
    /// - *no concurrent writer*: nothing else touches the row's places.
    #[inline(always)]
    pub unsafe fn new(
        piece: &Piece<E>,
        tops: *mut u32,
        sums: *mut u64,
        near: Near,
        row: &RowParams,
        params: &FullParams,
    ) -> Self {
        Look {
            // SAFETY: the caller's contract on the input.
            row: unsafe { SegmentedRow::new(piece.start, piece.n) },
            // SAFETY: the caller's contract.
            segments: unsafe { Segments::new(piece, tops, sums, params.n) },
            weigher: Weigher::new(row.draw_temperature()),
            is_filtered: false,
            greatest: f32::NEG_INFINITY,
            sieve: Sieve::all(),
            near: near.of(row),
            reach: row.min_p_bound,
        }
    }

    /// From now on at what the row's filters keep, the greatest logit being known, and the least
    /// composite that top-k and top-p keep.
    #[inline(always)]
    pub fn filter(&mut self, row: &RowParams, order: FilterOrder, greatest: f32, cut: u64) {
        let filter = RowFilter::new(row, order, greatest, self.row.len());
        self.is_filtered = true;
        self.greatest = greatest;
        self.sieve = Sieve::new::<E>(&filter, cut);
    }

    /// What the weights of a segment are against.
    #[inline(always)]
    pub fn weigher_of(&self, segment: u32) -> Weigher {
        let own = if self.is_filtered { self.greatest } else { self.segments.top(segment) };
        self.weigher.against(own)
    }

    /// What the weights of a segment count for in the row.
    #[inline(always)]
    pub fn share_of(&self, segment: u32) -> u64 {
        if self.is_filtered {
            return WHOLE_SHARE;
        }
        self.weigher.against(self.greatest).share(&self.weigher_of(segment))
    }

    /// What an element weighs in its segment.
    #[inline(always)]
    pub fn weight(&self, weigher: &Weigher, index: u32, bits: u32) -> u64 {
        let value = E::value(bits);
        let is_out = self.is_filtered && !self.sieve.keeps(value, index);
        if is_out { 0 } else { weigher.weight(value) }
    }

    /// The sum of a segment's weights where they are wanted, and whether there is a NaN; it writes
    /// down the greatest logit. For the lanes of a warp together.
    #[inline(always)]
    fn first_sum(&self, segment: u32, is_weighed: bool) -> u64 {
        let held = self.row.held(segment);
        let (top, has_nan) = held.greatest();
        if lane_id() == 0 {
            self.segments.set_top(segment, top);
        }
        if self.near.is_known() {
            let (words, place) = self.near.place(segment);
            words.set(place, held.at_least(least_within(top, self.reach)));
        }
        let nan = if has_nan { HAS_NAN } else { 0 };
        if !is_weighed || top == f32::NEG_INFINITY {
            return nan;
        }
        nan | self.held_sum(segment, &held, top, has_nan)
    }

    /// The sum of the weights of what the sieve keeps of a segment, of which it may keep something.
    /// For the lanes of a warp together.
    #[inline(always)]
    fn filtered_sum(&self, segment: u32) -> u64 {
        if self.near.is_known() {
            let (words, place) = self.near.place(segment);
            let near = words.get(place);
            if warp_reduce_max(FULL_MASK, near.count_ones()) <= FEW {
                return self.sum_of(segment, near);
            }
        }
        let mut held = self.row.held(segment);
        held.filter(&self.sieve);
        self.held_sum(segment, &held, self.greatest, false)
    }

    /// The sum of the weights of a few of a segment's elements, by the lanes' words, and of its
    /// stray ones. For the lanes of a warp together.
    #[inline(always)]
    fn sum_of(&self, segment: u32, near: u32) -> u64 {
        let weigher = self.weigher_of(segment);
        let weight = |index| self.weight(&weigher, index, self.row.element(index));
        let (mut sum, mut left) = (self.row.stray(segment).map_or(0, weight), near);
        while left != 0 {
            sum += weight(self.row.index(segment, left.trailing_zeros()));
            left &= left - 1;
        }
        warp_sum_u64(sum)
    }

    /// The sum of a segment's weights against a logit. For the lanes of a warp together.
    #[inline(always)]
    fn held_sum(&self, segment: u32, held: &Held<E>, reference: f32, has_nan: bool) -> u64 {
        let weigher = self.weigher.against(reference);
        match weigher.is_odd() || has_nan {
            true => self.odd_sum(segment, &weigher),
            false => held.weigh(&weigher),
        }
    }

    /// The sum of a segment's weights, element by element. For the lanes of a warp together.
    #[inline(always)]
    fn odd_sum(&self, segment: u32, weigher: &Weigher) -> u64 {
        let (first, end) = self.row.bounds(segment);
        let (mut sum, mut index) = (0, first + lane_id());
        while index < end {
            sum += self.weight(weigher, index, self.row.element(index));
            index += WARP_SIZE;
        }
        warp_sum_u64(sum)
    }

    /// Looks at the segments from `first` on, and writes down a sum for each. For all threads of
    /// the block together.
    #[inline(always)]
    pub fn sums(&self, first: u32, end: u32, is_weighed: bool) {
        match self.is_filtered {
            true => self.filtered_sums(first, end),
            false => self.first_sums(first, end, is_weighed),
        }
    }

    /// A warp looks at one segment at a time.
    #[inline(always)]
    fn first_sums(&self, first: u32, end: u32, is_weighed: bool) {
        let mut segment = first + thread_idx_x() / WARP_SIZE;
        while segment < end {
            let next = segment + MASS_THREADS / WARP_SIZE;
            if next < end {
                self.row.prefetch(next);
            }
            let sum = self.first_sum(segment, is_weighed);
            if lane_id() == 0 {
                self.segments.set_sum(segment, sum);
            }
            segment = next;
        }
    }

    /// A lane looks at a segment's greatest; what the sieve may keep something of, a warp looks at.
    #[inline(always)]
    pub fn filtered_sums(&self, first: u32, end: u32) {
        const WARPS: u32 = MASS_THREADS / WARP_SIZE;
        let mut lanes_first = first + thread_idx_x() / WARP_SIZE;
        while lanes_first < end {
            let own = lanes_first + lane_id() * WARPS;
            let may_keep = own < end && self.sieve.may_keep(self.segments.top(own));
            if own < end && !may_keep {
                self.segments.set_sum(own, 0);
            }
            let mut left = warp_vote_ballot(FULL_MASK, may_keep);
            while left != 0 {
                let segment = lanes_first + left.trailing_zeros() * WARPS;
                let sum = self.filtered_sum(segment);
                if lane_id() == 0 {
                    self.segments.set_sum(segment, sum);
                }
                left &= left - 1;
            }
            lanes_first += WARP_SIZE * WARPS;
        }
    }

    /// The row's greatest logit, `-inf` where there is none, and whether there is a NaN, in all
    /// threads. For all threads of the block together; `totals` has a word a warp.
    #[inline(always)]
    pub fn most(&self, totals: SharedArray<u32>) -> (f32, bool) {
        const INFINITY: u32 = f32::INFINITY.to_bits();
        let (mut most, mut has_nan) = (key(f32::NEG_INFINITY.to_bits(), INFINITY), false);
        let (mut segment, end) = self.own_segments();
        while segment < end {
            most = most.max(key(self.segments.top(segment).to_bits(), INFINITY));
            has_nan |= self.segments.words(segment) & HAS_NAN != 0;
            segment += 1;
        }
        most = block_max(totals, most);
        (f32::from_bits(bits_of_key(most)), sync_threads_or(has_nan))
    }

    /// What a segment weighs in the row.
    #[inline(always)]
    pub fn mass(&self, segment: u32) -> u64 {
        row_mass(self.segments.sum(segment), self.share_of(segment), self.segments.count)
    }

    /// What a segment with such a sum weighs in a filtered row.
    #[inline(always)]
    pub fn filtered_mass(&self, sum: u64) -> u64 {
        row_mass(sum, WHOLE_SHARE, self.segments.count)
    }

    /// First of this thread's segments, which are neighbours, and what is behind the last.
    #[inline(always)]
    pub fn own_segments(&self) -> (u32, u32) {
        let (each, count) = (self.segments.count.div_ceil(MASS_THREADS), self.segments.count);
        let first = (thread_idx_x() * each).min(count);
        (first, (first + each).min(count))
    }

    /// What this thread's segments weigh in the row.
    #[inline(always)]
    pub fn own_mass(&self) -> u64 {
        let (mut segment, end) = self.own_segments();
        let mut mass = 0;
        while segment < end {
            mass += self.mass(segment);
            segment += 1;
        }
        mass
    }
}

/// The greatest word of the block, in all threads. For all threads of the block together; `totals`
/// has a word a warp.
#[inline(always)]
fn block_max(totals: SharedArray<u32>, value: u32) -> u32 {
    let most = warp_reduce_max(FULL_MASK, value);
    // Separates the last use of the totals from their new values.
    sync_threads();
    if lane_id() == 0 {
        totals.set(thread_idx_x() / WARP_SIZE, most);
    }
    // Separates the totals from their use.
    sync_threads();
    let warps = block_dim_x() / WARP_SIZE;
    warp_reduce_max(FULL_MASK, if lane_id() < warps { totals.get(lane_id()) } else { 0 })
}
