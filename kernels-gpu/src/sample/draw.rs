//! Drawing from a row of which the segments' masses are known. The end of the kernel `full_mass`.
use cuda_std::global::GlobalArrayMut;
use cuda_std::shared::SharedArray;
use cuda_std::thread::{sync_threads, thread_idx_x};
use cuda_std::unroll;
use cuda_std::warp::{WARP_SIZE, lane_id};

use super::look::Look;
use crate::prim::element::Element;
use crate::prim::mass::{warp_reach, warp_reach_of, warp_sum_u64};
use crate::sampling::launch::{FullParams, MASS_THREADS};
use crate::sampling::math::multiply_high;
use crate::sampling::params::RowParams;
use crate::sampling::philox::draw_words;
use crate::sampling::segment::{SEGMENT, row_mass};

/// Elements of a segment that a thread weighs: neighbours.
const PER_THREAD: usize = (SEGMENT / MASS_THREADS) as usize;
/// Places in the scratch memory behind the warps' masses: what was found, and what it weighs.
const FOUND: u32 = 32;

/// The draws of a row, by one block.
pub struct Drawing<'a, E: Element> {
    /// The row; its segments' masses are known.
    pub look: &'a Look<E>,
    /// The row's parameters.
    pub row: &'a RowParams,
    /// Where tokens go.
    pub tokens: GlobalArrayMut<u32>,
    /// The row's first place there.
    pub base: u64,
    /// A mass a warp, and two more.
    pub scratch: SharedArray<u64>,
}

/// An element of a segment that was drawn.
#[derive(Clone, Copy)]
struct Drawn {
    index: u32,
    weight: u64,
    /// What its segment weighs.
    sum: u64,
}

impl<E: Element> Drawing<'_, E> {
    /// Draws every sample, from a row that weighs `total`. For all threads of the block together,
    /// behind a barrier.
    #[inline(always)]
    pub fn draw(&self, total: u64, params: &FullParams) {
        let segments = &self.look.segments;
        let (mut left, mut sample) = (total, 0);
        while sample < params.num_samples {
            let (mut token, mut segment, mut mass) = (u32::MAX, 0, 0);
            if left > 0 {
                let [word, second] = draw_words(self.row.seed, self.row.position, sample);
                let target = multiply_high(word, left) + 1;
                segment = warp_reach_of(segments.count, target, |at| segments.mass(at)).at;
                let before = segments.mass(segment);
                let earlier = if params.replacement == 0 { sample } else { 0 };
                let drawn = self.draw_in(segment, second, earlier);
                token = drawn.index;
                mass = before;
                if params.replacement == 0 {
                    let (sum, share) = (drawn.sum - drawn.weight, self.look.share_of(segment));
                    mass = row_mass(sum, share, segments.count);
                    left = left - before + mass;
                }
            }
            if thread_idx_x() == 0 {
                self.tokens.set(self.base + sample as u64, token);
                if token != u32::MAX {
                    segments.set_mass(segment, mass);
                }
            }
            // Separates the token's and the mass's writes from the next draw's reads.
            sync_threads();
            sample += 1;
        }
    }

    /// Draws from a segment by a random word, what the row's first `earlier` draws took left out.
    /// For all threads of the block together; the same in all of them.
    #[inline(always)]
    fn draw_in(&self, segment: u32, word: u64, earlier: u32) -> Drawn {
        let (first, end) = self.look.row.bounds(segment);
        let weigher = self.look.weigher_of(segment);
        let first = first + thread_idx_x() * PER_THREAD as u32;
        let mut bits = [0; PER_THREAD];
        unroll!(part in PER_THREAD => {
            if first + (part as u32) < end {
                bits[part] = self.look.row.element(first + part as u32);
            }
        });
        // Each element's weight, and that with those before it.
        let (mut weights, mut upto, mut own) = ([0; PER_THREAD], [0; PER_THREAD], 0);
        unroll!(part in PER_THREAD => {
            let index = first + part as u32;
            if index < end && !self.is_drawn(index, earlier) {
                weights[part] = self.look.weight(&weigher, index, bits[part]);
            }
            own += weights[part];
            upto[part] = own;
        });
        let (lane, warp) = (lane_id(), thread_idx_x() / WARP_SIZE);
        let of_this = warp_sum_u64(own);
        // Separates the last use of the masses from their new values.
        sync_threads();
        if lane == 0 {
            self.scratch.set(warp, of_this);
        }
        // Separates the masses from their use.
        sync_threads();
        let of_warp = if lane < MASS_THREADS / WARP_SIZE { self.scratch.get(lane) } else { 0 };
        let sum = warp_sum_u64(of_warp);
        let target = multiply_high(word, sum) + 1;
        let reached = warp_reach(of_warp, target);
        // The same in all lanes.
        if warp == reached.at {
            let found = warp_reach(own, target - reached.before);
            if lane == found.at {
                let before = reached.before + found.before;
                let (mut at, mut weight) = (0, 0);
                unroll!(part in PER_THREAD => {
                    if part as u32 == at {
                        weight = weights[part];
                    }
                    at += (before + upto[part] < target) as u32;
                });
                self.scratch.set(FOUND, (first + at) as u64);
                self.scratch.set(FOUND + 1, weight);
            }
        }
        // Separates what was found from its use.
        sync_threads();
        Drawn { index: self.scratch.get(FOUND) as u32, weight: self.scratch.get(FOUND + 1), sum }
    }

    /// Whether an element is among the row's first `count` draws.
    #[inline(always)]
    fn is_drawn(&self, index: u32, count: u32) -> bool {
        let mut at = 0;
        while at < count && self.tokens.get(self.base + at as u64) != index {
            at += 1;
        }
        at < count
    }
}
