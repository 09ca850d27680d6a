//! A row as 16-byte vectors, wherever it starts.
//!
//! Rows of odd lengths start at any element, but 16-byte loads must be aligned. So a row is the
//! vectors that lie wholly inside it, counted from the first 16-byte boundary, and the elements
//! before and behind them, up to 7 on each side ("stray"), which are read one by one. Nothing
//! outside the row is ever touched.
use core::marker::PhantomData;

use cuda_std::global::GlobalArray;
use cuda_std::unroll;
use cuda_std::warp::{WARP_SIZE, lane_id};

use super::element::{Element, value_of_key};
use super::queue::Batch;
use crate::order::{composite, index_of};
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

    /// Index of stray element `number`.
    #[inline(always)]
    pub fn stray_index(&self, number: u32) -> u32 {
        let inner = self.vector_count() * E::PER_VECTOR as u32;
        if number < self.head { number } else { number + inner }
    }

    /// Elements of the row.
    #[inline(always)]
    pub fn len(&self) -> u32 {
        self.n
    }

    /// Elements before the first vector.
    #[inline(always)]
    pub fn head(&self) -> u32 {
        self.head
    }

    /// Stray element `number`, as an item.
    #[inline(always)]
    pub fn stray(&self, number: u32, flip: Flip) -> u64 {
        let index = self.stray_index(number);
        composite(E::key(self.element(index)), index, flip)
    }

    /// Whether stray element `number` is a NaN that is masked.
    #[inline(always)]
    pub fn masks_stray(&self, number: u32) -> bool {
        E::MASKS_NAN && E::holds_nan(self.element(self.stray_index(number)))
    }

    /// Index of the first element of a vector.
    #[inline(always)]
    pub fn index_of_vector(&self, vector: u32) -> u32 {
        self.head + vector * E::PER_VECTOR as u32
    }

    /// This lane's `U` vectors of the unit that starts at vector `first`, the same for the lanes of
    /// a warp; what is at or behind vector `end` is absent.
    #[inline(always)]
    pub fn unit<const U: usize>(&self, first: u32, end: u32, flip: Flip) -> Unit<E, U> {
        // The loads of whole units are in flight together.
        self.load(first, end, flip, first + U as u32 * WARP_SIZE <= end)
    }

    /// As [`Row::unit`], for a unit of each lane's own.
    #[inline(always)]
    pub fn unit_of_lane<const U: usize>(&self, first: u32, end: u32, flip: Flip) -> Unit<E, U> {
        self.load(first, end, flip, false)
    }

    #[inline(always)]
    fn load<const U: usize>(&self, first: u32, end: u32, flip: Flip, whole: bool) -> Unit<E, U> {
        let mine = first + lane_id();
        let mut unit = Unit {
            words: [[E::worst(flip); 4]; U],
            present: end.saturating_sub(mine).div_ceil(WARP_SIZE),
            index: self.index_of_vector(mine),
            first_index: self.index_of_vector(first),
            flip,
            element: PhantomData,
        };
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
#[derive(Clone, Copy)]
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

impl<E: Element, const U: usize> Unit<E, U> {
    /// The best key of the lane's elements, that of the worst element where it has none; and
    /// whether one of them is a NaN that is masked.
    #[inline(always)]
    pub fn best_key(&self) -> (u32, bool) {
        let mut best = match self.flip {
            Flip::LARGEST => self.fold(E::greatest),
            _ => self.fold(E::least),
        };
        let has_nan = E::MASKS_NAN && E::holds_nan(best);
        if has_nan {
            best = self.fold(E::greatest_counted);
        }
        (E::best_key(best, self.flip), has_nan)
    }

    /// An element of one of the lane's vectors, in the upper end of a word.
    #[inline(always)]
    pub fn part(&self, vector: usize, part: usize) -> u32 {
        E::part(&self.words[vector], part)
    }

    /// A bit for each element of which `is_wanted` says so.
    #[inline(always)]
    fn each_value(&self, is_wanted: impl Fn(f32) -> bool) -> u32 {
        let mut bits = 0;
        unroll!(u in U => {
            unroll!(part in E::PER_VECTOR => {
                let wanted = is_wanted(E::value(E::part(&self.words[u], part)));
                bits |= (wanted as u32) << (u * E::PER_VECTOR + part);
            });
        });
        bits
    }

    /// Calls `put` with each of the lane's items that reaches the bound.
    #[inline(always)]
    #[allow(clippy::neg_cmp_op_on_partial_ord)]
    pub fn each_reaching(&self, bound: u64, put: impl Fn(u64)) {
        let least = value_of_key::<E>((bound >> 32) as u32 ^ self.flip.mask());
        // Turned round, so that a NaN is never turned away, nor anything by one.
        match self.flip {
            Flip::LARGEST => self.each_where(E::greatest, |value| !(value < least), bound, put),
            _ => self.each_where(E::least, |value| !(value > least), bound, put),
        }
    }

    #[inline(always)]
    fn each_where(
        &self,
        pick: impl Fn(u32, u32) -> u32,
        reaches: impl Fn(f32) -> bool,
        bound: u64,
        put: impl Fn(u64),
    ) {
        let mut vectors = 0u32;
        unroll!(u in U => {
            let words = &self.words[u];
            let best = [pick(pick(words[0], words[1]), pick(words[2], words[3])); 4];
            let mut any = reaches(E::value_or_nan(E::part(&best, 0)));
            if E::PER_VECTOR == 8 {
                any |= reaches(E::value_or_nan(E::part(&best, 1)));
            }
            vectors |= (any as u32) << u;
        });
        vectors &= (1 << self.present.min(U as u32)) - 1;
        while vectors != 0 {
            let vector = vectors.trailing_zeros();
            let words = self.vector(vector);
            let mut parts = 0u32;
            unroll!(part in E::PER_VECTOR => {
                parts |= (reaches(E::value(E::part(&words, part))) as u32) << part;
            });
            while parts != 0 {
                let item = self.item_of(&words, vector, parts.trailing_zeros());
                if item >= bound {
                    put(item);
                }
                parts &= parts - 1;
            }
            vectors &= vectors - 1;
        }
    }

    /// One of the lane's vectors, of which the number is not known when the kernel is compiled.
    #[inline(always)]
    fn vector(&self, number: u32) -> [u32; 4] {
        let mut words = self.words[0];
        unroll!(u in U => {
            if number == u as u32 {
                words = self.words[u];
            }
        });
        words
    }

    /// The item of an element of the lane's vector `vector`, whose words are at hand.
    #[inline(always)]
    fn item_of(&self, words: &[u32; 4], vector: u32, part: u32) -> u64 {
        let mut bits = 0;
        unroll!(i in E::PER_VECTOR => {
            if part == i as u32 {
                bits = E::part(words, i);
            }
        });
        let index = self.index + vector * WARP_SIZE * E::PER_VECTOR as u32 + part;
        composite(E::key(bits), index, self.flip)
    }

    /// The item of an element of one of the lane's vectors.
    #[inline(always)]
    fn item_at(&self, u: usize, part: usize) -> u64 {
        let step = u as u32 * WARP_SIZE * E::PER_VECTOR as u32 + part as u32;
        composite(E::key(self.part(u, part)), self.index + step, self.flip)
    }

    #[inline(always)]
    fn fold(&self, pick: impl Fn(u32, u32) -> u32) -> u32 {
        let mut best = self.words[0];
        unroll!(u in U => {
            unroll!(word in 4 => { best[word] = pick(best[word], self.words[u][word]); });
        });
        pick(pick(best[0], best[1]), pick(best[2], best[3]))
    }
}

/// The key that an element must at least have to reach `bound`, where all in question have at least
/// the index `first`. Above the greatest key there is none: then everything is looked at.
///
/// Equals of the bound's element that come behind it are worse than the bound: where all in
/// question do, only what is greater may be admitted. That keeps rows of few distinct values from
/// looking at every element.
#[inline(always)]
pub fn least_key(bound: u64, first: u32) -> u32 {
    let behind = first > index_of(bound);
    ((bound >> 32) as u32).saturating_add(behind as u32)
}

impl<E: Element, const U: usize> Default for Unit<E, U> {
    /// A unit of which this lane has nothing.
    #[inline(always)]
    fn default() -> Self {
        let (words, flip) = ([[0; 4]; U], Flip::LARGEST);
        Unit { words, present: 0, index: 0, first_index: 0, flip, element: PhantomData }
    }
}

impl<E: Element, const U: usize> Batch for Unit<E, U> {
    /// One float comparison an element. "Not less" also holds for NaN, which is never turned away
    /// here; nor is anything where the bound is a NaN.
    #[inline(always)]
    #[allow(clippy::neg_cmp_op_on_partial_ord)]
    fn admitted(&self, bound: u64) -> u32 {
        const { assert!(U * E::PER_VECTOR <= 32) };
        let key = least_key(bound, self.first_index) ^ self.flip.mask();
        let least = value_of_key::<E>(key);
        let bits = match self.flip {
            Flip::LARGEST => self.each_value(|value| !(value < least)),
            _ => self.each_value(|value| !(value > least)),
        };
        let there = self.present * E::PER_VECTOR as u32;
        if there < 32 { bits & ((1 << there) - 1) } else { bits }
    }

    const ITEMS: u32 = (U * E::PER_VECTOR) as u32;

    #[inline(always)]
    fn each(&self, mut f: impl FnMut(u32, u64)) {
        unroll!(u in U => {
            unroll!(part in E::PER_VECTOR => {
                f((u * E::PER_VECTOR + part) as u32, self.item_at(u, part));
            });
        });
    }

    #[inline(always)]
    fn item(&self, number: u32) -> u64 {
        let (vector, part) = (number / E::PER_VECTOR as u32, number % E::PER_VECTOR as u32);
        self.item_of(&self.vector(vector), vector, part)
    }
}
