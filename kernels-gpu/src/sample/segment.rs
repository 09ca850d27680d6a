//! A segment of a row in the registers of a warp: its greatest logit, and what it weighs.
use core::marker::PhantomData;

use cuda_std::count::{add_not_below, mark_not_below};
use cuda_std::float::f32_max_nan;
use cuda_std::global::GlobalArray;
use cuda_std::thread::thread_idx_x;
use cuda_std::unroll;
use cuda_std::warp::{FULL_MASK, WARP_SIZE, lane_id, warp_reduce_add, warp_reduce_max};

use super::sieve::Sieve;
use crate::order::{NAN_KEY, bits_of_key, key};
use crate::params::Flip;
use crate::prim::element::Element;
use crate::sampling::segment::{SEGMENT, Weigher, sum_of_words};

/// The most vectors of a segment that a lane has.
const VECTORS: usize = 8;

/// Parts of a segment of which a lane weighs one after the other, where it looks for a window too.
const PARTS: usize = 2;

/// Vectors that a lane keeps in flight where elements come one by one.
const DEPTH: usize = 4;

/// Where a segment lies, for one lane.
struct Span {
    /// The lane's first vector.
    vector: u32,
    /// What is behind the segment's last vector, of those that lie wholly inside it.
    end_vector: u32,
    /// The lane's element of those that are in no such vector, up to 7 at each end.
    stray: u32,
    /// It has one if that is below this.
    stray_end: u32,
    /// Whether any lane has one.
    has_strays: bool,
}

/// A row, read segment by segment, wherever it starts.
#[derive(Clone, Copy)]
pub struct SegmentedRow<E: Element> {
    elements: GlobalArray<E::Raw>,
    vectors: GlobalArray<u32>,
    /// Elements of the row before its first 16-byte boundary.
    head: u32,
    n: u32,
}

impl<E: Element> SegmentedRow<E> {
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
        SegmentedRow { elements, vectors, head, n }
    }

    /// Elements of the row.
    #[inline(always)]
    pub fn len(&self) -> u32 {
        self.n
    }

    /// First element of a segment, and what is behind its last.
    #[inline(always)]
    pub fn bounds(&self, segment: u32) -> (u32, u32) {
        let first = segment * SEGMENT;
        (first, (first + SEGMENT).min(self.n))
    }

    /// An element of the row, in the upper end of a word.
    #[inline(always)]
    pub fn element(&self, index: u32) -> u32 {
        E::raise(self.elements.get(index as u64))
    }

    /// Has a segment brought to L2. For the lanes of a warp together.
    #[inline(always)]
    pub fn prefetch(&self, segment: u32) {
        const LINE_BYTES: u32 = 128;
        let line = LINE_BYTES / size_of::<E::Raw>() as u32;
        let (first, end) = self.bounds(segment);
        // As many lines as there are lanes, at most.
        let index = first + lane_id() * line;
        if index < end {
            self.elements.prefetch(index as u64);
        }
    }

    /// The same of the warp's first one of those from `first` on, if it has one.
    #[inline(always)]
    pub fn prefetch_first(&self, (first, end): (u32, u32)) {
        let segment = first + thread_idx_x() / WARP_SIZE;
        if segment < end {
            self.prefetch(segment);
        }
    }

    /// Where a segment lies.
    #[inline(always)]
    fn span(&self, segment: u32) -> Span {
        let (first, end) = self.bounds(segment);
        let (head, width) = (self.head, E::PER_VECTOR as u32);
        let first_vector = first.saturating_sub(head).div_ceil(width);
        let end_vector = (end.saturating_sub(head) / width).max(first_vector);
        let before = (head + first_vector * width).min(end);
        let behind = (head + end_vector * width).min(end);
        let half = lane_id() % (WARP_SIZE / 2);
        let (from, to) = if lane_id() == half { (first, before) } else { (behind, end) };
        Span {
            vector: first_vector + lane_id(),
            end_vector,
            stray: from + half,
            stray_end: to,
            has_strays: first < before || behind < end,
        }
    }

    /// Index of this lane's element of a segment that has this number in [`Held::at_least`].
    #[inline(always)]
    pub fn index(&self, segment: u32, number: u32) -> u32 {
        let width = E::PER_VECTOR as u32;
        let vector = self.span(segment).vector + number / width * WARP_SIZE;
        self.head + vector * width + number % width
    }

    /// Index of this lane's element of a segment that is in no vector, if it has one.
    #[inline(always)]
    pub fn stray(&self, segment: u32) -> Option<u32> {
        let Span { stray, stray_end, .. } = self.span(segment);
        if stray < stray_end { Some(stray) } else { None }
    }

    /// A segment of the row. For the lanes of a warp together.
    #[inline(always)]
    pub fn held(&self, segment: u32) -> Held<E> {
        let (first, width) = (segment * SEGMENT, E::PER_VECTOR as u32);
        let none = E::worst(Flip::LARGEST) & 0xffff_0000;
        // Most segments are whole vectors, of which each lane has as many.
        if self.head == 0 && first + SEGMENT <= self.n {
            let vector = first / width + lane_id();
            return Held {
                words: self.words(vector, None),
                index: vector * width,
                stray: none,
                stray_index: 0,
                has_strays: false,
                element: PhantomData,
            };
        }
        let span = self.span(segment);
        let mut stray = none;
        if span.stray < span.stray_end {
            stray = self.element(span.stray);
        }
        Held {
            words: self.words(span.vector, Some(span.end_vector)),
            index: self.head + span.vector * width,
            stray,
            stray_index: span.stray,
            has_strays: span.has_strays,
            element: PhantomData,
        }
    }

    /// Calls `f` with index and bits of this lane's elements of a segment, in no order; [`DEPTH`]
    /// vectors are in flight.
    #[inline(always)]
    pub fn each(&self, segment: u32, mut f: impl FnMut(u32, u32)) {
        let span = self.span(segment);
        if span.stray < span.stray_end {
            f(span.stray, self.element(span.stray));
        }
        let mut vector = span.vector;
        while vector < span.end_vector {
            let mut words = [[0; 4]; DEPTH];
            unroll!(u in DEPTH => {
                let at = vector + u as u32 * WARP_SIZE;
                if at < span.end_vector {
                    words[u] = self.vectors.get_vec4_streaming(at as u64 * 4);
                }
            });
            let mut number = 0;
            // Not written out: what is done with an element may be long.
            while number < DEPTH as u32 && vector < span.end_vector {
                let own = words[0];
                // The next ones move up.
                unroll!(u in DEPTH - 1 => { words[u] = words[u + 1]; });
                let index = self.head + vector * E::PER_VECTOR as u32;
                unroll!(part in E::PER_VECTOR => {
                    f(index + part as u32, E::part(&own, part));
                });
                vector += WARP_SIZE;
                number += 1;
            }
        }
    }
}

impl<E: Element> SegmentedRow<E> {
    /// The lane's vectors of a segment from `vector` on; those at or behind `end` are absent.
    #[inline(always)]
    fn words(&self, vector: u32, end: Option<u32>) -> [[u32; 4]; VECTORS] {
        let mut words = [[E::worst(Flip::LARGEST); 4]; VECTORS];
        unroll!(u in VECTORS => {
            if u < Held::<E>::VECTORS {
                let at = vector + u as u32 * WARP_SIZE;
                if end.is_none_or(|end| at < end) {
                    words[u] = self.vectors.get_vec4_streaming(at as u64 * 4);
                }
            }
        });
        words
    }
}

/// What a segment weighs, and one lane's part of what is in a window.
pub struct About {
    /// The mass of all; the same in all lanes.
    pub all: u64,
    /// The mass of what is above the window; the same in all lanes.
    pub above: u64,
    /// A bit for each of the lane's elements in the window, but for a stray one.
    pub within: u32,
    /// The index of the lane's stray element, where that is in the window.
    pub stray: Option<u32>,
}

/// One lane's part of a segment. Places without an element hold `-inf`.
pub struct Held<E: Element> {
    words: [[u32; 4]; VECTORS],
    /// Index in the row of the first vector's first element.
    index: u32,
    stray: u32,
    stray_index: u32,
    /// Whether any lane has a stray one.
    has_strays: bool,
    element: PhantomData<E>,
}

impl<E: Element> Held<E> {
    /// Vectors that a lane has of a segment.
    const VECTORS: usize = (SEGMENT / WARP_SIZE) as usize / E::PER_VECTOR;
    /// Elements of those.
    const ELEMENTS: u32 = SEGMENT / WARP_SIZE;

    /// Folds the values of the lane's elements.
    #[inline(always)]
    fn fold<A>(&self, start: A, mut f: impl FnMut(A, f32) -> A) -> A {
        let mut sum = start;
        unroll!(u in VECTORS => {
            if u < Self::VECTORS {
                unroll!(part in E::PER_VECTOR => {
                    sum = f(sum, E::value(E::part(&self.words[u], part)));
                });
            }
        });
        sum
    }

    /// Calls `f` with the values of the lane's elements, and with `-inf` for each that it lacks.
    #[inline(always)]
    pub fn each_value(&self, mut f: impl FnMut(f32)) {
        self.fold((), |(), value| f(value));
        // The same in all lanes.
        if self.has_strays {
            f(E::value(self.stray));
        }
    }

    /// The greatest logit that is no NaN, `-inf` where there is none, and whether there is a NaN.
    /// For the lanes of a warp together; the same in all of them.
    #[inline(always)]
    pub fn greatest(&self) -> (f32, bool) {
        let mut best = self.words[0];
        unroll!(u in VECTORS => {
            if 0 < u && u < Self::VECTORS {
                unroll!(word in 4 => {
                    best[word] = E::greatest(best[word], self.words[u][word]);
                });
            }
        });
        let best = E::greatest(E::greatest(best[0], best[1]), E::greatest(best[2], best[3]));
        let mut most = E::value(E::part(&[best; 4], 0));
        if E::PER_VECTOR == 8 {
            most = f32_max_nan(most, E::value(E::part(&[best; 4], 1)));
        }
        let (most, has_nan) = warp_greatest(f32_max_nan(most, E::value(self.stray)));
        // The same in all lanes, and rare.
        if has_nan {
            let most = self.fold(f32::NEG_INFINITY, f32::max).max(E::value(self.stray));
            return (warp_greatest(most).0, true);
        }
        (most, false)
    }

    /// A bit for each of the lane's elements that is not below `least`, but for a stray one.
    #[inline(always)]
    pub fn at_least(&self, least: f32) -> u32 {
        let (mask, _) = self.fold((0u32, 1u32), |(mask, bit), value| {
            let is_below = value < least;
            (if is_below { mask } else { mask | bit }, bit.wrapping_shl(1))
        });
        mask
    }

    /// Turns away what the sieve does.
    #[inline(always)]
    pub fn filter(&mut self, sieve: &Sieve) {
        const HALF: u32 = 0xffff;
        let none = E::worst(Flip::LARGEST);
        unroll!(u in VECTORS => {
            if u < Self::VECTORS {
                unroll!(part in E::PER_VECTOR => {
                    let step = (u as u32 * WARP_SIZE) * E::PER_VECTOR as u32 + part as u32;
                    let value = E::value(E::part(&self.words[u], part));
                    let word = self.words[u][part * 4 / E::PER_VECTOR];
                    let places = match (E::PER_VECTOR, part % 2) {
                        (4, _) => u32::MAX,
                        (_, 0) => HALF,
                        _ => !HALF,
                    };
                    let without = word & !places | none & places;
                    let stays = sieve.keeps(value, self.index + step);
                    self.words[u][part * 4 / E::PER_VECTOR] = if stays { word } else { without };
                });
            }
        });
        if !sieve.keeps(E::value(self.stray), self.stray_index) {
            self.stray = none & !HALF;
        }
    }

    /// What the segment, which has no NaN, weighs, and what of it is about a window. For the lanes
    /// of a warp together.
    #[inline(always)]
    pub fn weigh_about(&self, weigher: &Weigher, low: f32, high: f32) -> About {
        const PART: usize = VECTORS / PARTS;
        let (mut own, mut above) = ([0u32; 2], [0u32; 2]);
        let (mut not_below, mut not_within) = (0u32, 0u32);
        let (mut words, mut part) = (self.words, 0);
        // Not written out: it would take too many registers at once.
        while part < PARTS as u32 {
            let mut marks = (0u32, 0u32);
            unroll!(u in PART => {
                if u < Self::VECTORS / PARTS {
                    unroll!(at in E::PER_VECTOR => {
                        let value = E::value(E::part(&words[u], at));
                        let bit = 1 << (u * E::PER_VECTOR + at);
                        let [high_word, low_word] = weigher.words(value);
                        own[0] = own[0].wrapping_add(high_word);
                        own[1] = own[1].wrapping_add(low_word);
                        above[0] = add_not_below(above[0], high_word, value, high);
                        above[1] = add_not_below(above[1], low_word, value, high);
                        marks.0 = mark_not_below(marks.0, bit, value, low);
                        marks.1 = mark_not_below(marks.1, bit, value, high);
                    });
                }
            });
            let first = part * (Self::ELEMENTS / PARTS as u32);
            not_below |= marks.0 << first;
            not_within |= marks.1 << first;
            // The next ones move up.
            unroll!(u in VECTORS - PART => {
                if u + Self::VECTORS / PARTS < VECTORS {
                    words[u] = words[u + Self::VECTORS / PARTS];
                }
            });
            part += 1;
        }
        let mut all = sum_of_words(Self::ELEMENTS, own[0], own[1]);
        let mut above = sum_of_words(not_within.count_ones(), above[0], above[1]);
        let within = not_below & !not_within;
        let mut stray = None;
        // The same in all lanes.
        if self.has_strays {
            let value = E::value(self.stray);
            let [high_word, low_word] = weigher.words(value);
            let weight = sum_of_words(1, high_word, low_word);
            all += weight;
            if value >= high {
                above += weight;
            } else if value >= low {
                stray = Some(self.stray_index);
            }
        }
        let (all, above) = (warp_sum_below_2_50(all), warp_sum_below_2_50(above));
        About { all, above, within, stray }
    }

    /// The sum of the weights of the segment, which has no NaN. For the lanes of a warp together;
    /// the same in all of them.
    #[inline(always)]
    pub fn weigh(&self, weigher: &Weigher) -> u64 {
        let (high, low) = self.fold((0u32, 0u32), |(high, low), value| {
            let words = weigher.words(value);
            (high.wrapping_add(words[0]), low.wrapping_add(words[1]))
        });
        let mut sum = sum_of_words(Self::ELEMENTS, high, low);
        // The same in all lanes.
        if self.has_strays {
            let [high, low] = weigher.words(E::value(self.stray));
            sum += sum_of_words(1, high, low);
        }
        warp_sum_below_2_50(sum)
    }
}

/// The greatest value of a warp's lanes, and whether one is a NaN, which counts as the greatest.
/// For the lanes of a warp together; the same in all of them.
#[inline(always)]
fn warp_greatest(value: f32) -> (f32, bool) {
    let key = warp_reduce_max(FULL_MASK, key(value.to_bits(), f32::INFINITY.to_bits()));
    (f32::from_bits(bits_of_key(key)), key == NAN_KEY)
}

/// The sum over a warp's lanes of numbers below `2^50`, in all of them. For the lanes of a warp
/// together.
#[inline(always)]
fn warp_sum_below_2_50(value: u64) -> u64 {
    const BITS: u32 = 25;
    let low = warp_reduce_add(FULL_MASK, value as u32 & ((1 << BITS) - 1));
    let high = warp_reduce_add(FULL_MASK, (value >> BITS) as u32);
    ((high as u64) << BITS) + low as u64
}
