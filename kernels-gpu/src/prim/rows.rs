//! A row as 16-byte vectors, wherever it starts.
//!
//! Rows of odd lengths start at any element, but 16-byte loads must be aligned. So vectors are
//! counted from the 16-byte boundary at or before the row's start: vector 0 may begin with up to 7
//! elements that are not the row's (`lead`), and the last may end with some. Such edge vectors are
//! read element by element: nothing outside the row is ever touched.
use core::marker::PhantomData;

use cuda_std::global::GlobalArray;
use cuda_std::thread::{block_dim_x, thread_idx_x};
use cuda_std::unroll;

use super::element::{Element, value_of_key};
use super::queue::Batch;
use crate::order::{composite, empty, key_of};
use crate::params::Flip;

/// One row of the input.
pub struct Row<E: Element> {
    elements: GlobalArray<E::Raw>,
    vectors: GlobalArray<u32>,
    /// Elements of vector 0 that lie before the row.
    lead: u32,
    n: u32,
}

impl<E: Element> Row<E> {
    /// # Safety
    /// - *in bounds*: `start` points to `n` elements, aligned for their type;
    /// - *no concurrent writer*: nothing writes them while the grid runs;
    /// - `n` is below 2^31.
    #[inline(always)]
    pub unsafe fn new(start: *const E::Raw, n: u32) -> Self {
        let misaligned = start.addr() & 15;
        // SAFETY: the caller vouches for the elements.
        let elements = unsafe { GlobalArray::new(start) };
        // SAFETY: only vectors that lie wholly inside the row are read through this one.
        let vectors = unsafe { GlobalArray::new(start.wrapping_byte_sub(misaligned).cast()) };
        Row {
            elements,
            vectors,
            lead: (misaligned / size_of::<E::Raw>()) as u32,
            n,
        }
    }

    /// Element `index` of the row, in the upper end of a word.
    #[inline(always)]
    pub fn element(&self, index: u32) -> u32 {
        E::raise(self.elements.get(index as u64))
    }

    /// Vectors that the row touches.
    #[inline(always)]
    pub fn vector_count(&self) -> u32 {
        (self.lead + self.n).div_ceil(E::PER_VECTOR as u32)
    }

    /// This thread's share of the tile of `U` vectors a thread that starts at vector `first`; what
    /// is at or behind vector `end`, or outside the row, is absent. Called by any threads.
    #[inline(always)]
    pub fn tile<const U: usize>(&self, first: u32, end: u32, flip: Flip) -> Tile<E, U> {
        let (per, step) = (E::PER_VECTOR as u32, block_dim_x());
        let mine = first + thread_idx_x();
        let whole = first * per >= self.lead
            && first + U as u32 * step <= end
            && (first + U as u32 * step) * per <= self.lead + self.n;
        let mut tile = Tile {
            words: [[0; 4]; U],
            present: !0,
            // Wraps where vector 0 starts before the row; adding a part's number wraps back.
            index: (mine * per).wrapping_sub(self.lead),
            step: step * per,
            flip,
            element: PhantomData,
        };
        // The same for the whole block, so that the loads of inner tiles are in flight together.
        if whole {
            unroll!(u in U => {
                tile.words[u] = self.vectors.get_vec4_streaming((mine + u as u32 * step) as u64 * 4);
            });
        } else {
            tile.present = 0;
            unroll!(u in U => {
                let vector = mine + u as u32 * step;
                let (words, present) = if vector < end { self.edge_vector(vector) } else { ([0; 4], 0) };
                tile.words[u] = words;
                tile.present |= (present as u64) << (u * E::PER_VECTOR);
            });
        }
        tile
    }

    /// A vector that may reach over the row's ends, and a bit for each of its elements that is in
    /// the row.
    #[inline(always)]
    fn edge_vector(&self, vector: u32) -> ([u32; 4], u32) {
        let (per, start) = (E::PER_VECTOR as u32, vector * E::PER_VECTOR as u32);
        if start >= self.lead && start + per <= self.lead + self.n {
            return (
                self.vectors.get_vec4_streaming(vector as u64 * 4),
                (1 << per) - 1,
            );
        }
        let (mut words, mut present) = ([0; 4], 0);
        unroll!(part in E::PER_VECTOR => {
            let at = start + part as u32;
            if at >= self.lead && at < self.lead + self.n {
                let bits = self.element(at - self.lead);
                let half = E::PER_VECTOR == 8;
                words[if half { part / 2 } else { part }] |=
                    if half && part % 2 == 0 { bits >> 16 } else { bits };
                present |= 1 << part;
            }
        });
        (words, present)
    }
}

/// One thread's `U` vectors of a tile, in registers.
pub struct Tile<E: Element, const U: usize> {
    words: [[u32; 4]; U],
    /// A bit for each element that is in the row, the front vector's lowest.
    present: u64,
    /// Index in the row of the first vector's first element.
    index: u32,
    /// Elements from one of the thread's vectors to its next.
    step: u32,
    flip: Flip,
    element: PhantomData<E>,
}

impl<E: Element, const U: usize> Batch for Tile<E, U> {
    const GROUPS: u32 = U as u32;
    const PARTS: usize = E::PER_VECTOR;

    /// One float comparison an element. "Not less" also holds for NaN, which is never turned away
    /// here; neither is anything where the bound is a NaN.
    #[inline(always)]
    #[allow(clippy::neg_cmp_op_on_partial_ord)]
    fn may_admit(&self, bound: u64) -> bool {
        let sign = self.flip.mask() & 0x8000_0000;
        let flipped = |value: f32| f32::from_bits(value.to_bits() ^ sign);
        let least = flipped(value_of_key::<E>(key_of(bound, self.flip)));
        let mut any = false;
        unroll!(u in U => {
            unroll!(part in E::PER_VECTOR => {
                any |= !(flipped(E::value(E::part(&self.words[u], part))) < least);
            });
        });
        any
    }

    #[inline(always)]
    fn front(&self, group: u32, part: usize) -> u64 {
        let key = E::key(E::part(&self.words[0], part));
        let index = self.index.wrapping_add(group * self.step + part as u32);
        let item = composite(key, index, self.flip);
        if self.present >> part & 1 != 0 {
            item
        } else {
            empty(0)
        }
    }

    #[inline(always)]
    fn rotate(&mut self) {
        let front = self.words[0];
        unroll!(u in U - 1 => { self.words[u] = self.words[u + 1]; });
        self.words[U - 1] = front;
        let bits = (U * E::PER_VECTOR) as u32;
        let low = self.present & ((1 << E::PER_VECTOR) - 1);
        self.present = self.present >> E::PER_VECTOR | low << (bits - E::PER_VECTOR as u32);
    }
}
