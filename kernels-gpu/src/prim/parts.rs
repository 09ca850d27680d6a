//! The parts of units that may hold something of the best, listed and then read again by the whole
//! block.
//!
//! A lane has a part of each unit: `U` vectors. Which lanes have parts to look into is up to the
//! data, and one lane may have many. So each puts its own on a list, and the block's threads share
//! the list's vectors evenly: first their items are offered to the queue as if there were room for
//! all; where there was not, the same again with crops between.
use core::marker::PhantomData;

use cuda_std::count::{mark_not_above, mark_not_below};
use cuda_std::shared::SharedArray;
use cuda_std::thread::{block_dim_x, sync_threads, thread_idx_x};
use cuda_std::unroll;
use cuda_std::warp::{WARP_SIZE, lane_id};

use super::element::{Element, value_of_key};
use super::queue::{Batch, Queue, Source};
use super::rows::{Row, least_key};
use super::scan::warp_reserve;
use crate::order::composite;
use crate::params::Flip;

/// A list of parts, as batches for the block's warps, which take turns.
#[derive(Clone, Copy)]
pub struct Parts<'r, E: Element, const U: usize> {
    row: &'r Row<E>,
    /// The first vector of each part.
    list: SharedArray<u32>,
    shape: PartShape,
    /// Parts.
    count: u32,
    /// The number of this thread's next vector among those of all parts.
    at: u32,
}

/// Where a lane's parts lie.
#[derive(Clone, Copy)]
pub struct PartShape {
    /// The first vector of the lane's first part.
    pub first: u32,
    /// From one vector of a part to the next.
    pub step: u32,
    /// Vectors of a part, at most `U`.
    pub depth: u32,
    /// The first vector behind the block's piece.
    pub end: u32,
    /// Which end is wanted.
    pub flip: Flip,
}

impl<'r, E: Element, const U: usize> Parts<'r, E, U> {
    /// Lists the lane's parts: bit `i` of `chosen` stands for the one `i` units behind the first of
    /// its shape. The list lies where nobody reads any more behind the first of two barriers; it
    /// has room for all parts. For all threads of the block together, once between two calls of
    /// [`Queue::forget_parts`].
    #[inline(always)]
    pub fn list(
        row: &'r Row<E>,
        shape: PartShape,
        chosen: u32,
        list: SharedArray<u32>,
        queue: &Queue,
    ) -> Self {
        // Separates the last reads of what was there from the list.
        sync_threads();
        let mut chosen = chosen;
        let mut slot = warp_reserve(queue.parts(), chosen.count_ones());
        while chosen != 0 {
            list.set(slot, shape.first + chosen.trailing_zeros() * U as u32 * WARP_SIZE);
            chosen &= chosen - 1;
            slot += 1;
        }
        // Separates the list from its use.
        sync_threads();
        let count = queue.parts().get(0);
        Parts { row, list, shape, count, at: thread_idx_x() }
    }
}

impl<E: Element, const U: usize> Parts<'_, E, U> {
    /// Offers the queue what reaches its bound. For the lanes of a warp together.
    #[inline(always)]
    pub fn offer(&self, queue: &Queue) {
        let mut left = *self;
        while left.has_next() {
            queue.offer(&left.next());
        }
    }
}

impl<E: Element, const U: usize> Source for Parts<'_, E, U> {
    type Batch = Vectors<E>;

    #[inline(always)]
    fn has_next(&self) -> bool {
        self.at - lane_id() < self.count * U as u32
    }

    #[inline(always)]
    fn next(&mut self) -> Vectors<E> {
        let mut batch = Vectors { flip: self.shape.flip, ..Vectors::default() };
        unroll!(i in BATCH => {
            if self.at < self.count * U as u32 {
                let (part, number) = (self.at / U as u32, self.at % U as u32);
                let vector = self.list.get(part) + number * self.shape.step;
                if number < self.shape.depth && vector < self.shape.end {
                    batch.words[i] = self.row.vector(vector);
                    batch.first[i] = self.row.index_of_vector(vector);
                    batch.present |= 1 << i;
                }
            }
            self.at += block_dim_x();
        });
        batch
    }
}

/// Vectors of a batch.
const BATCH: usize = 2;

/// One lane's vectors of a batch, in registers.
#[derive(Clone, Copy)]
pub struct Vectors<E: Element> {
    words: [[u32; 4]; BATCH],
    /// Index in the row of each one's first element.
    first: [u32; BATCH],
    /// A bit for each that is there.
    present: u32,
    flip: Flip,
    element: PhantomData<E>,
}

impl<E: Element> Default for Vectors<E> {
    /// None.
    #[inline(always)]
    fn default() -> Self {
        let (words, first) = ([[0; 4]; BATCH], [0; BATCH]);
        Vectors { words, first, present: 0, flip: Flip::LARGEST, element: PhantomData }
    }
}

impl<E: Element> Vectors<E> {
    /// A bit for each element that `mark` marks where it is held against its vector's bound.
    #[inline(always)]
    fn marked(&self, least: [f32; BATCH], mark: impl Fn(u32, u32, f32, f32) -> u32) -> u32 {
        let mut bits = 0;
        unroll!(i in BATCH => {
            let mut parts = 0;
            unroll!(part in E::PER_VECTOR => {
                let bit = 1 << (i * E::PER_VECTOR + part);
                parts = mark(parts, bit, E::value(E::part(&self.words[i], part)), least[i]);
            });
            if self.present >> i & 1 != 0 {
                bits |= parts;
            }
        });
        bits
    }

    #[inline(always)]
    fn item_of(&self, vector: usize, part: usize) -> u64 {
        let key = E::key(E::part(&self.words[vector], part));
        composite(key, self.first[vector] + part as u32, self.flip)
    }
}

impl<E: Element> Batch for Vectors<E> {
    /// One float comparison an element. "Not less" also holds for NaN, which is never turned away
    /// here; nor is anything where the bound is a NaN.
    #[inline(always)]
    fn admitted(&self, bound: u64) -> u32 {
        const { assert!(BATCH * E::PER_VECTOR <= 32) };
        let mut least = [0.0; BATCH];
        unroll!(i in BATCH => {
            let key = least_key(bound, self.first[i]) ^ self.flip.mask();
            least[i] = value_of_key::<E>(key);
        });
        match self.flip {
            Flip::LARGEST => self.marked(least, mark_not_below),
            _ => self.marked(least, mark_not_above),
        }
    }

    const ITEMS: u32 = (BATCH * E::PER_VECTOR) as u32;

    #[inline(always)]
    fn each(&self, mut f: impl FnMut(u32, u64)) {
        unroll!(i in BATCH => {
            unroll!(part in E::PER_VECTOR => {
                f((i * E::PER_VECTOR + part) as u32, self.item_of(i, part));
            });
        });
    }

    #[inline(always)]
    fn item(&self, number: u32) -> u64 {
        let (vector, part) = (number / E::PER_VECTOR as u32, number % E::PER_VECTOR as u32);
        let (mut words, mut first) = (self.words[0], self.first[0]);
        unroll!(i in BATCH => {
            if vector == i as u32 {
                (words, first) = (self.words[i], self.first[i]);
            }
        });
        let mut bits = 0;
        unroll!(i in E::PER_VECTOR => {
            if part == i as u32 {
                bits = E::part(&words, i);
            }
        });
        composite(E::key(bits), first + part, self.flip)
    }
}
