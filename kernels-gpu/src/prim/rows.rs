//! A row as 16-byte vectors, wherever it starts.
//!
//! Rows of odd lengths start at any element, but 16-byte loads must be aligned. So a row is the
//! vectors that lie wholly inside it, counted from the first 16-byte boundary, and the elements
//! before and behind them, up to 7 on each side ("stray"), which are read one by one. Nothing
//! outside the row is ever touched.
use core::marker::PhantomData;

use cuda_std::count::{mark_not_above, mark_not_below, opaque};
use cuda_std::global::GlobalArray;
use cuda_std::thread::{block_dim_x, block_idx_x, thread_idx_x};
use cuda_std::unroll;
use cuda_std::warp::{FULL_MASK, WARP_SIZE, lane_id, warp_shuffle_xor};

use super::element::{Element, value_of_key};
use super::masking::Masking;
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

/// This warp's number in the grid: its row's, where each warp has one.
#[inline(always)]
pub fn warp_number() -> u32 {
    block_idx_x() * (block_dim_x() / WARP_SIZE) + thread_idx_x() / WARP_SIZE
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

    /// A vector of the row.
    #[inline(always)]
    pub fn vector(&self, number: u32) -> [u32; 4] {
        self.vectors.get_vec4_streaming(number as u64 * 4)
    }

    /// This lane's `U` vectors of the unit that starts at vector `first`, the same for the lanes of
    /// a warp and a warp's width apart; what is at or behind vector `end` is absent.
    #[inline(always)]
    pub fn unit<const U: usize>(&self, first: u32, end: u32, flip: Flip) -> Unit<E, U> {
        let whole = first + U as u32 * WARP_SIZE <= end;
        self.vectors_from(first + lane_id(), WARP_SIZE, end, whole, flip)
    }

    /// Of lane number `lane` of so many that share the row the `U` vectors, as far as there are
    /// such: its own first one, and others as many apart as there are lanes.
    #[inline(always)]
    pub fn unit_of_lane<const U: usize>(&self, lane: u32, lanes: u32, flip: Flip) -> Unit<E, U> {
        let end = self.vector_count();
        self.vectors_from(lane, lanes, end, U as u32 * lanes <= end, flip)
    }

    /// The vectors from `first` on, `step` apart, that are before `end`; all are where `whole`.
    #[inline(always)]
    fn vectors_from<const U: usize>(
        &self,
        first: u32,
        step: u32,
        end: u32,
        whole: bool,
        flip: Flip,
    ) -> Unit<E, U> {
        let mut unit = Unit {
            words: [[E::worst(flip); 4]; U],
            present: 0,
            index: self.index_of_vector(first),
            flip,
            element: PhantomData,
        };
        // The loads of whole units are in flight together.
        unroll!(u in U => {
            let vector = first + u as u32 * step;
            if whole || vector < end {
                unit.words[u] = self.vector(vector);
                unit.present = u as u32 + 1;
            }
        });
        unit
    }
}

impl<E: Element> Row<E> {
    /// The same row, but that a NaN counts as `-inf`.
    #[inline(always)]
    pub fn masking(self) -> Row<Masking<E>> {
        let Row { elements, vectors, head, n } = self;
        Row { elements, vectors, head, n }
    }

    /// The vectors of these numbers, which the row has, as a unit whose elements have no index.
    #[inline(always)]
    pub fn unit_at<const U: usize>(&self, flip: Flip, number: impl Fn(usize) -> u32) -> Unit<E, U> {
        let mut words = [[0; 4]; U];
        unroll!(u in U => { words[u] = self.vector(number(u)); });
        Unit { words, present: U as u32, index: 0, flip, element: PhantomData }
    }
}

/// So many of a lane's vectors are looked into one by one.
const FEW: u32 = 2;

/// One lane's `U` vectors of a unit, in registers.
#[derive(Clone, Copy)]
pub struct Unit<E: Element, const U: usize> {
    words: [[u32; 4]; U],
    /// The lane's vectors that are there: the first so many.
    present: u32,
    /// Index in the row of the lane's first element.
    index: u32,
    flip: Flip,
    element: PhantomData<E>,
}

impl<E: Element, const U: usize> Unit<E, U> {
    /// The best key of the lane's elements, that of the worst element where it has none; and
    /// whether one of them is a NaN that is masked.
    #[inline(always)]
    pub fn best_key(&self) -> (u32, bool) {
        let (best, has_nan) = match self.flip {
            Flip::LARGEST => self.best_of_lane(E::greatest),
            _ => self.best_of_lane(E::least),
        };
        (E::best_key(best, self.flip), has_nan)
    }

    /// As [`Unit::best_key`], of the `U` neighbouring vectors that [`part_of_lane`] names instead
    /// of the lane's own. For the lanes of a warp together, of a unit whose vectors are a warp's
    /// width apart.
    #[inline(always)]
    pub fn best_key_of_part(&self) -> (u32, bool) {
        let (best, has_nan) = match self.flip {
            Flip::LARGEST => self.best_of_part(E::greatest),
            _ => self.best_of_part(E::least),
        };
        (E::best_key(best, self.flip), has_nan)
    }

    /// The best keys of so many groups of as many of the lane's vectors, a power of two; those of
    /// the worst element where it has none.
    #[inline(always)]
    pub fn best_keys(&self, groups: usize) -> [u32; 8] {
        match self.flip {
            Flip::LARGEST => self.best_keys_by(groups, E::greatest),
            _ => self.best_keys_by(groups, E::least),
        }
    }

    #[inline(always)]
    fn best_keys_by(&self, groups: usize, pick: impl Fn(u32, u32) -> u32) -> [u32; 8] {
        let (bests, _) = self.bests(&pick);
        let (mut keys, size) = ([0; 8], U / groups);
        unroll!(u in U => {
            let mut best = bests[u];
            unroll!(i in U => {
                if 0 < i && i < size {
                    best = pick(best, bests[(u + i) % U]);
                }
            });
            if u.is_multiple_of(size) {
                keys[u / size] = E::best_key(best, self.flip);
            }
        });
        keys
    }

    /// Makes `-inf` of the lane's NaNs; whether there are any.
    #[inline(always)]
    pub fn mask_nans(&mut self) -> bool {
        let mut bests = [0; U];
        unroll!(u in U => { bests[u] = best_of(&self.words[u], &E::greatest); });
        // A NaN is greatest.
        let has_nan = E::holds_nan(best_of(&bests, &E::greatest));
        if has_nan {
            unroll!(u in U => {
                unroll!(i in 4 => { self.words[u][i] = E::without_nans(self.words[u][i]); });
            });
        }
        has_nan
    }

    /// How many of the lane's vectors are there: the first ones.
    #[inline(always)]
    pub fn present(&self) -> u32 {
        self.present
    }

    #[inline(always)]
    fn best_of_lane(&self, pick: impl Fn(u32, u32) -> u32) -> (u32, bool) {
        let (bests, has_nan) = self.bests(&pick);
        (best_of(&bests, &pick), has_nan)
    }

    #[inline(always)]
    fn best_of_part(&self, pick: impl Fn(u32, u32) -> u32) -> (u32, bool) {
        let (mut bests, has_nan) = self.bests(&pick);
        let lane = lane_id();
        // Of each pair of lanes one keeps the lower half of the vectors, the other the upper.
        unroll!(i in 3 => {
            let half = U >> (i + 1);
            let keeps_upper = lane & half as u32 != 0;
            unroll!(u in U => {
                if u < half {
                    let (low, high) = (bests[u], bests[(u + half) % U]);
                    let (keep, give) = if keeps_upper { (high, low) } else { (low, high) };
                    bests[u] = pick(keep, warp_shuffle_xor(FULL_MASK, give, half as u32));
                }
            });
        });
        (bests[0], has_nan)
    }

    /// The best of each of the lane's vectors, a word of elements each, and whether there is a NaN
    /// that is masked.
    #[inline(always)]
    fn bests(&self, pick: &impl Fn(u32, u32) -> u32) -> ([u32; U], bool) {
        let mut bests = [0; U];
        unroll!(u in U => { bests[u] = best_of(&self.words[u], pick); });
        let has_nan = E::MASKS_NAN && E::holds_nan(best_of(&bests, pick));
        if has_nan {
            // `pick` would put a NaN above numbers.
            unroll!(u in U => {
                let mut words = self.words[u];
                unroll!(i in 4 => { words[i] = E::without_nans(words[i]); });
                bests[u] = best_of(&words, pick);
            });
        }
        (bests, has_nan)
    }

    /// A word of one of the lane's vectors.
    #[inline(always)]
    pub fn word(&self, vector: usize, number: usize) -> u32 {
        self.words[vector][number]
    }

    /// An element of one of the lane's vectors, in the upper end of a word.
    #[inline(always)]
    pub fn part(&self, vector: usize, part: usize) -> u32 {
        E::part(&self.words[vector], part)
    }

    /// The value of an element of one of the lane's vectors, worked out anew: of 16-bit elements
    /// there are twice as many values as registers.
    #[inline(always)]
    pub fn value(&self, vector: usize, part: usize) -> f32 {
        let at = part * 4 / E::PER_VECTOR;
        let mut words = self.words[vector];
        if E::PER_VECTOR == 8 {
            words[at] = opaque(words[at]);
        }
        E::value(E::part(&words, part))
    }

    /// Calls `put` with each of the lane's items that reaches the bound; or never, and gives
    /// `false`, where more than [`FEW`] of its vectors have such.
    #[inline(always)]
    pub fn each_reaching(&self, bound: u64, put: impl Fn(u64)) -> bool {
        let least = value_of_key::<E>((bound >> 32) as u32 ^ self.flip.mask());
        // Turned round, so that a NaN is never turned away, nor anything by one.
        match self.flip {
            Flip::LARGEST => self.each_marked(E::greatest, mark_not_below, least, bound, put),
            _ => self.each_marked(E::least, mark_not_above, least, bound, put),
        }
    }

    #[inline(always)]
    fn each_marked(
        &self,
        pick: impl Fn(u32, u32) -> u32,
        mark: impl Fn(u32, u32, f32, f32) -> u32,
        least: f32,
        bound: u64,
        put: impl Fn(u64),
    ) -> bool {
        let mut vectors = 0u32;
        unroll!(u in U => {
            let best = [best_of(&self.words[u], &pick); 4];
            vectors = mark(vectors, 1 << u, E::value_or_nan(E::part(&best, 0)), least);
            if E::PER_VECTOR == 8 {
                vectors = mark(vectors, 1 << u, E::value_or_nan(E::part(&best, 1)), least);
            }
        });
        vectors &= (1 << self.present) - 1;
        if vectors.count_ones() > FEW {
            return false;
        }
        while vectors != 0 {
            let vector = vectors.trailing_zeros();
            let words = self.vector(vector);
            let mut parts = 0u32;
            unroll!(part in E::PER_VECTOR => {
                parts = mark(parts, 1 << part, E::value(E::part(&words, part)), least);
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
        true
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
}

/// The best of some words of elements, place by place.
#[inline(always)]
fn best_of<const N: usize>(words: &[u32; N], pick: &impl Fn(u32, u32) -> u32) -> u32 {
    let mut best = words[0];
    unroll!(i in N => {
        if i > 0 {
            best = pick(best, words[i]);
        }
    });
    best
}

/// The first of the `U` neighbouring vectors that are a lane's part of the unit that starts at
/// vector `first`.
#[inline(always)]
pub fn part_of_lane<const U: usize>(first: u32) -> u32 {
    let (number, group) = (lane_id() % U as u32, lane_id() / U as u32);
    first + number * WARP_SIZE + group * U as u32
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
