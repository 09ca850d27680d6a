//! A row as 16-byte vectors, wherever it starts.
//!
//! Rows of odd lengths start at any element, but 16-byte loads must be aligned. So a row is the
//! vectors that lie wholly inside it, counted from the first 16-byte boundary, and the elements
//! before and behind them, up to 7 on each side ("stray"), which are read one by one. Nothing
//! outside the row is ever touched.
use core::marker::PhantomData;

use cuda_std::global::GlobalArray;
use cuda_std::thread::{block_dim_x, thread_idx_x};
use cuda_std::unroll;
use cuda_std::warp::{WARP_SIZE, lane_id};

use super::element::{Element, value_of_key};
use super::queue::{Batch, Group, Source};
use crate::order::{composite, empty, index_of};
use crate::params::Flip;

/// The length of row number `number`: `n`, or what `lengths` says unless that is more.
///
/// # Safety
/// - *in bounds*: `lengths` is null or points to a length for every row;
/// - *no concurrent writer*: nothing writes them while the grid runs.
#[inline(always)]
pub unsafe fn row_length(lengths: *const u32, number: u32, n: u32) -> u32 {
    if lengths.is_null() {
        return n;
    }
    // SAFETY: the caller vouches for the lengths.
    let lengths = unsafe { GlobalArray::new(lengths) };
    lengths.get(number as u64).min(n)
}

/// One row of the input.
pub struct Row<E: Element> {
    elements: GlobalArray<E::Raw>,
    vectors: GlobalArray<u32>,
    /// Elements before the first vector.
    head: u32,
    n: u32,
}

impl<E: Element> Row<E> {
    /// # Safety
    /// - *in bounds*: `start` points to `n` elements, aligned for their type;
    /// - *no concurrent writer*: nothing writes them while the grid runs;
    /// - `n` is below 2^31.
    #[inline(always)]
    pub unsafe fn new(start: *const E::Raw, n: u32) -> Self {
        let head = ((start.addr().wrapping_neg() & 15) / size_of::<E::Raw>()) as u32;
        // SAFETY: the caller vouches for the elements.
        let elements = unsafe { GlobalArray::new(start) };
        // SAFETY: only vectors that lie wholly inside the row are read through this one.
        let vectors = unsafe { GlobalArray::new(start.wrapping_add(head as usize).cast()) };
        Row { elements, vectors, head: head.min(n), n }
    }

    /// Element `index` of the row, in the upper end of a word.
    #[inline(always)]
    pub fn element(&self, index: u32) -> u32 {
        E::raise(self.elements.get(index as u64))
    }

    /// Vectors that lie wholly inside the row.
    #[inline(always)]
    pub fn vector_count(&self) -> u32 {
        (self.n - self.head) / E::PER_VECTOR as u32
    }

    /// Elements that are in no vector: fewer than two vectors' worth.
    #[inline(always)]
    pub fn stray_count(&self) -> u32 {
        self.n - self.vector_count() * E::PER_VECTOR as u32
    }

    /// Stray element `number`, as an item.
    #[inline(always)]
    pub fn stray(&self, number: u32, flip: Flip) -> u64 {
        let inner = self.vector_count() * E::PER_VECTOR as u32;
        let index = if number < self.head { number } else { number + inner };
        composite(E::key(self.element(index)), index, flip)
    }

    /// This lane's `U` vectors of the unit that starts at vector `first`; what is at or behind
    /// vector `end` is absent. For the lanes of a warp together.
    #[inline(always)]
    pub fn unit<const U: usize>(&self, first: u32, end: u32, flip: Flip) -> Unit<E, U> {
        let mine = first + lane_id();
        let mut unit = Unit {
            words: [[E::worst(flip); 4]; U],
            present: end.saturating_sub(mine).div_ceil(WARP_SIZE),
            index: self.head + mine * E::PER_VECTOR as u32,
            first_index: self.head + first * E::PER_VECTOR as u32,
            flip,
            element: PhantomData,
        };
        // The same for the whole warp, so that the loads of whole units are in flight together.
        let whole = first + U as u32 * WARP_SIZE <= end;
        unroll!(u in U => {
            let vector = mine + u as u32 * WARP_SIZE;
            if whole || vector < end {
                unit.words[u] = self.vectors.get_vec4_streaming(vector as u64 * 4);
            }
        });
        unit
    }
}

/// One lane's `U` vectors of a unit, in registers.
pub struct Unit<E: Element, const U: usize> {
    words: [[u32; 4]; U],
    /// The lane's vectors that are there: the first so many, if it has so many.
    present: u32,
    /// Index in the row of the lane's first element.
    index: u32,
    /// Index in the row of the whole unit's first element.
    first_index: u32,
    flip: Flip,
    element: PhantomData<E>,
}

/// The value of an element, negated where the smallest are wanted: greater is better.
#[inline(always)]
fn goodness<E: Element>(words: &[u32; 4], part: usize, flip: Flip) -> f32 {
    flip_sign(E::value(E::part(words, part)), flip)
}

#[inline(always)]
fn flip_sign(value: f32, flip: Flip) -> f32 {
    f32::from_bits(value.to_bits() ^ (flip.mask() & 0x8000_0000))
}

/// The value that an element must at least have to reach `bound`, as goodness, where all elements
/// in question have at least the index `first`.
///
/// Equals of the bound's element that come behind it are worse than the bound: where all in
/// question do, only what is greater may be admitted. That keeps rows of few distinct values from
/// looking at every element. A NaN admits everything.
#[inline(always)]
fn least_goodness<E: Element>(bound: u64, first: u32, flip: Flip) -> f32 {
    let behind = first > index_of(bound);
    // Above the greatest key there is none: then everything is looked at.
    let key = ((bound >> 32) as u32).saturating_add(behind as u32);
    flip_sign(value_of_key::<E>(key ^ flip.mask()), flip)
}

/// One float comparison. "Not less" also holds for NaN, which is never turned away here; neither is
/// anything where `least` is a NaN.
#[inline(always)]
#[allow(clippy::neg_cmp_op_on_partial_ord)]
fn admits(goodness: f32, least: f32) -> bool {
    !(goodness < least)
}

impl<E: Element, const U: usize> Batch for Unit<E, U> {
    const GROUPS: usize = U;
    const PARTS: usize = E::PER_VECTOR;
    type Group = Vector<E>;

    #[inline(always)]
    fn sieve(&self, bound: u64) -> u32 {
        let least = least_goodness::<E>(bound, self.first_index, self.flip);
        let mut sieved = 0;
        unroll!(u in U => {
            let mut any = false;
            unroll!(part in E::PER_VECTOR => {
                any |= admits(goodness::<E>(&self.words[u], part, self.flip), least);
            });
            sieved |= (any as u32) << u;
        });
        sieved
    }

    #[inline(always)]
    fn group(&self, number: u32, bound: u64) -> Vector<E> {
        let mut words = self.words[0];
        unroll!(u in U => {
            if number == u as u32 {
                words = self.words[u];
            }
        });
        let step = number * WARP_SIZE * E::PER_VECTOR as u32;
        let first = self.first_index + step;
        Vector {
            words,
            present: number < self.present,
            index: self.index + step,
            least: least_goodness::<E>(bound, first, self.flip),
            flip: self.flip,
            element: PhantomData,
        }
    }

    /// The greatest value of each vector, NaNs left out (they would only be better), and absent
    /// elements counted as the worst there are.
    #[inline(always)]
    fn delegates(&self) -> [u64; 8] {
        let mut delegates = [0; 8];
        unroll!(u in U => {
            let mut best = goodness::<E>(&self.words[u], 0, self.flip);
            unroll!(part in E::PER_VECTOR => {
                best = best.max(goodness::<E>(&self.words[u], part, self.flip));
            });
            let key = E::key(E::bits_of(flip_sign(best, self.flip)));
            let id = thread_idx_x() * U as u32 + u as u32;
            delegates[u] = ((key ^ self.flip.mask()) as u64) << 32 | empty(id);
        });
        delegates
    }
}

/// One vector of a unit, against a bound.
pub struct Vector<E: Element> {
    words: [u32; 4],
    /// Whether the lane has one.
    present: bool,
    /// Index in the row of the first element.
    index: u32,
    /// What an element must be at least.
    least: f32,
    flip: Flip,
    element: PhantomData<E>,
}

impl<E: Element> Group for Vector<E> {
    #[inline(always)]
    fn admits(&self, part: usize) -> bool {
        self.present && admits(goodness::<E>(&self.words, part, self.flip), self.least)
    }

    #[inline(always)]
    fn item(&self, part: usize) -> u64 {
        let key = E::key(E::part(&self.words, part));
        composite(key, self.index + part as u32, self.flip)
    }
}

/// The part of a row that one block reads, as units for its warps: each warp walks a stretch of its
/// own, so that the warps' first units are a sample of the whole part.
pub struct RowPart<'a, E: Element, const U: usize> {
    row: &'a Row<E>,
    next: u32,
    end: u32,
    flip: Flip,
}

impl<'a, E: Element, const U: usize> RowPart<'a, E, U> {
    /// Vectors `first..end` of the row, spread over the block's warps.
    #[inline(always)]
    pub fn new(row: &'a Row<E>, first: u32, end: u32, flip: Flip) -> Self {
        let (unit, warps) = (U as u32 * WARP_SIZE, block_dim_x() / WARP_SIZE);
        // SAFETY: a block has at least a warp; it spares the division's check.
        unsafe { core::hint::assert_unchecked(warps != 0) };
        let stretch = end.saturating_sub(first).div_ceil(unit).div_ceil(warps) * unit;
        let next = first + thread_idx_x() / WARP_SIZE * stretch;
        RowPart { row, next: next.min(end), end: end.min(next + stretch), flip }
    }
}

impl<E: Element, const U: usize> Source for RowPart<'_, E, U> {
    type Batch = Unit<E, U>;

    #[inline(always)]
    fn has_next(&self) -> bool {
        self.next < self.end
    }

    #[inline(always)]
    fn next(&mut self) -> Unit<E, U> {
        let unit = self.row.unit(self.next, self.end, self.flip);
        self.next += U as u32 * WARP_SIZE;
        unit
    }
}
