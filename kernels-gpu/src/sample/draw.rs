//! Drawing from a row of which the segments' masses are known. The end of the kernel `full_mass`.
use cuda_std::count::opaque;
use cuda_std::global::GlobalArrayMut;
use cuda_std::shared::SharedArray;
use cuda_std::thread::{sync_threads, thread_idx_x};
use cuda_std::unroll;
use cuda_std::warp::{WARP_SIZE, lane_id};

use super::look::Look;
use crate::prim::element::Element;
use crate::prim::mass::warp_prefix_sum_u64;
use crate::sampling::launch::{FullParams, MASS_THREADS};
use crate::sampling::math::multiply_high;
use crate::sampling::params::RowParams;
use crate::sampling::philox::draw_words;
use crate::sampling::segment::SEGMENT;

/// Elements of a segment that a thread weighs: neighbours.
const PER_THREAD: usize = 4;
const _: () = assert!(PER_THREAD as u32 * MASS_THREADS == SEGMENT);
/// Warps of the block.
const WARPS: usize = (MASS_THREADS / WARP_SIZE) as usize;

/// Place of the warps' masses of segments in the scratch memory.
pub const OF_SEGMENTS: u32 = 0;
/// That of elements.
const OF_ELEMENTS: u32 = WARPS as u32;
/// What was found: a segment, an element, and what that weighs.
const SEGMENT_FOUND: u32 = 2 * WARPS as u32;
const FOUND: u32 = SEGMENT_FOUND + 1;

/// Masses of a block's threads, summed up to each.
#[derive(Clone, Copy)]
pub struct Running {
    own: u64,
    before: u64,
    /// What all weigh.
    pub total: u64,
}

impl Running {
    /// Of a mass a thread. For all threads of the block together, which read these places of the
    /// scratch memory for the last time before a barrier; has a barrier.
    #[inline(always)]
    pub fn new(scratch: SharedArray<u64>, place: u32, own: u64) -> Running {
        let warp = thread_idx_x() / WARP_SIZE;
        let through = warp_prefix_sum_u64(own);
        if lane_id() == WARP_SIZE - 1 {
            scratch.set(place + warp, through);
        }
        // Separates the warps' masses from their use.
        sync_threads();
        let (mut before, mut total) = (through - own, 0);
        unroll!(other in WARPS => {
            let mass = scratch.get(place + other as u32);
            total += mass;
            if (other as u32) < warp {
                before += mass;
            }
        });
        Running { own, before, total }
    }

    /// What all before this thread's weigh.
    #[inline(always)]
    pub fn before(&self) -> u64 {
        self.before
    }

    /// The masses of a row's segments, each thread's together. For all threads of the block
    /// together, behind a barrier.
    #[inline(always)]
    pub fn of_segments<E: Element>(look: &Look<E>, scratch: SharedArray<u64>) -> Running {
        Running::new(scratch, OF_SEGMENTS, look.own_mass())
    }

    /// Whether the running mass reaches `target`, from 1 to that of all, with this thread's.
    #[inline(always)]
    pub fn reaches(&self, target: u64) -> bool {
        self.before < target && target <= self.before + self.own
    }
}

/// The draws of a row, by one block.
pub struct Drawing<'a, E: Element> {
    /// The row; its segments' sums are known.
    pub look: &'a Look<E>,
    /// The row's parameters.
    pub row: &'a RowParams,
    /// Where tokens go.
    pub tokens: GlobalArrayMut<u32>,
    /// The row's first place there.
    pub base: u64,
    /// Two masses a warp, and three more.
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
    /// Draws every sample, from a row whose segments weigh so much. For all threads of the block
    /// together.
    #[inline(always)]
    pub fn draw(&self, segments: Running, params: &FullParams) {
        let (mut running, mut sample) = (segments, 0);
        while sample < params.num_samples {
            let mut token = u32::MAX;
            if running.total > 0 {
                let [word, second] = draw_words(self.row.seed, self.row.position, sample);
                let segment = self.segment(&running, multiply_high(word, running.total) + 1);
                let earlier = if params.replacement == 0 { sample } else { 0 };
                let drawn = self.draw_in(segment, second, earlier);
                token = drawn.index;
                if params.replacement == 0 && thread_idx_x() == 0 {
                    self.look.segments.set_sum(segment, drawn.sum - drawn.weight);
                }
            }
            if thread_idx_x() == 0 {
                self.tokens.set(self.base + sample as u64, token);
            }
            // Separates the token's and the sum's writes from the next draw's reads.
            sync_threads();
            sample += 1;
            if params.replacement == 0 && sample < params.num_samples {
                running = Running::of_segments(self.look, self.scratch);
            }
        }
    }

    /// The first segment at which the running mass reaches `target`. For all threads of the block
    /// together; the same in all of them.
    #[inline(always)]
    fn segment(&self, running: &Running, target: u64) -> u32 {
        if running.reaches(target) {
            let (mut segment, end) = self.look.own_segments();
            let mut through = running.before;
            while segment + 1 < end {
                through += self.look.mass(segment);
                if through >= target {
                    break;
                }
                segment += 1;
            }
            self.scratch.set(SEGMENT_FOUND, segment as u64);
        }
        // Separates what was found from its use.
        sync_threads();
        self.scratch.get(SEGMENT_FOUND) as u32
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
        // What each element weighs with the thread's before it. The compiler is not to write the
        // steps out: instructions that come once are waited for longer than they take.
        let (mut upto, mut own) = ([0; PER_THREAD], 0);
        let (mut index, steps) = (first, first + opaque(PER_THREAD as u32));
        while index < steps {
            let mut weight = 0;
            if index < end && !self.is_drawn(index, earlier) {
                weight = self.look.weight(&weigher, index, bits[0]);
            }
            own += weight;
            // The first ones make way.
            bits = [bits[1], bits[2], bits[3], 0];
            upto = [upto[1], upto[2], upto[3], own];
            index += 1;
        }
        let running = Running::new(self.scratch, OF_ELEMENTS, own);
        let target = multiply_high(word, running.total) + 1;
        if running.reaches(target) {
            let (mut at, mut weight) = (0, 0);
            unroll!(part in PER_THREAD => {
                if part as u32 == at {
                    let below = if part > 0 { upto[part.max(1) - 1] } else { 0 };
                    weight = upto[part] - below;
                }
                at += (running.before + upto[part] < target) as u32;
            });
            self.scratch.set(FOUND, (first + at) as u64);
            self.scratch.set(FOUND + 1, weight);
        }
        // Separates what was found from its use.
        sync_threads();
        let (index, weight) = (self.scratch.get(FOUND) as u32, self.scratch.get(FOUND + 1));
        Drawn { index, weight, sum: running.total }
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
