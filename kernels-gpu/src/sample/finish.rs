//! From a row's candidates to its tokens: order, filter, draw. The end of the kernel `sample`.
//!
//! # Idea
//!
//! ```text
//! order the candidates, best first
//! top-p: weigh them; find the first at which the running mass reaches the target; keep up to it
//! weigh what is kept for the draw (min-p turns away by weight 0)
//! for each sample: find the first at which the running mass exceeds the drawn share of the whole
//! ```
//!
//! A running mass is looked for in two steps: the masses of chunks of 32 candidates lie in shared
//! memory, and a warp looks first among the chunks, then in one. All warps weigh; for top-p all of
//! them look, which spares a broadcast; the draws are the first warp's.
//!
//! Where there are few candidates and nothing more is wanted than draws, the first warp does all of
//! this alone ([`super::few`]).
use cuda_std::shared::SharedArray;
use cuda_std::thread::{block_dim_x, sync_threads, thread_idx_x};
use cuda_std::warp::{FULL_MASK, WARP_SIZE, lane_id, sync_warp};

use super::candidates::{Candidates, Found};
use super::few::FEW_MAX;
use super::outputs::{Drawn, Outputs, RowOutputs};
use super::rows::RowTable;
use crate::order::{empty, index_of, key_of};
use crate::params::{Flip, RANKED_MAX};
use crate::prim::answer::Finish;
use crate::prim::bins::{Ordering, block_order};
use crate::prim::element::{Element, place_on_line};
use crate::prim::mass::{warp_reach, warp_sum_u64};
use crate::prim::queue::Queue;
use crate::prim::rows::Row;
use crate::prim::sort::block_rank;
use crate::sampling::filter::RowFilter;
use crate::sampling::launch::SampleParams;
use crate::sampling::math::multiply_high;
use crate::sampling::params::RowParams;
use crate::sampling::philox::draw_word;

/// The end of a row's sampling. The row's parameters are read when they are needed, so that they
/// take no registers while the row is read.
pub struct Sampling<const LARGE: bool> {
    table: RowTable,
    number: u32,
    n: u32,
    params: SampleParams,
    out: RowOutputs,
    /// Masses of chunks of candidates.
    masses: SharedArray<u64>,
}

impl<const LARGE: bool> Sampling<LARGE> {
    /// The end of row number `number`, which has `n` elements.
    ///
    /// # Safety
    /// - *in bounds*: the table and the outputs have the shapes of [`super::rows`] and
    ///   [`super::outputs`], aligned for their types; the launch has `SAMPLE_SCRATCH_BYTES` bytes
    ///   of shared memory from `params.scratch` on, behind the queue's;
    /// - *no concurrent writer*: nothing writes the table, nothing else touches the row's outputs.
    #[inline(always)]
    pub unsafe fn new(
        table: RowTable,
        outputs: Outputs,
        number: u32,
        n: u32,
        params: SampleParams,
    ) -> Self {
        // SAFETY: the caller grants the memory.
        let masses = unsafe { SharedArray::new(params.scratch) };
        // SAFETY: the caller vouches for the outputs.
        let out = unsafe { RowOutputs::new(outputs, number, params.num_samples) };
        Sampling { table, number, n, params, out, masses }
    }

    /// The row's parameters.
    #[inline(always)]
    fn row(&self) -> RowParams {
        // SAFETY: `new`'s caller vouches for the table.
        unsafe { self.table.get(self.number) }
    }

    /// The candidates, best first, behind a barrier. For all threads of the block together.
    #[inline(always)]
    fn ordered<E: Element>(&self, queue: &mut Queue, found: u32) -> SharedArray<u64> {
        if !LARGE || found <= RANKED_MAX {
            // Behind what the ranking pads.
            let ordered = queue.spare(found.next_multiple_of(4));
            block_rank(queue.items, found, |rank, item| ordered.set(rank, item));
            // Separates the ordered candidates from their use.
            sync_threads();
            return ordered;
        }
        // Separates the count's read from the sort, which may write where nobody has read yet.
        sync_threads();
        let line = |item: u64| place_on_line::<E>(key_of(item, Flip::LARGEST));
        let (k, halves) = (self.params.select.k, E::PER_VECTOR == 8);
        block_order(queue, Ordering { count: found, k, halves }, line)
    }

    /// Weighs the first `count` candidates, chunk by chunk. For all threads of the block together,
    /// behind a barrier; ends with a barrier. The sum, in all threads.
    #[inline(always)]
    fn weigh<E: Element>(&self, candidates: &Candidates<E>, count: u32, is_draw: bool) -> u64 {
        let mut chunk = thread_idx_x() / WARP_SIZE;
        while chunk < WARP_SIZE {
            let mut sum = 0;
            // The same in all lanes.
            if chunk * WARP_SIZE < count {
                let at = chunk * WARP_SIZE + lane_id();
                sum = warp_sum_u64(candidates.weight(at, count, is_draw));
            }
            if lane_id() == 0 {
                self.masses.set(chunk, sum);
            }
            chunk += block_dim_x() / WARP_SIZE;
        }
        // Separates the chunks' masses from their use.
        sync_threads();
        warp_sum_u64(self.masses.get(lane_id()))
    }

    /// The first of `count` candidates at which the running mass reaches `target`. For the lanes of
    /// a warp together; the same in all of them.
    #[inline(always)]
    fn reach<E: Element>(
        &self,
        candidates: &Candidates<E>,
        target: u64,
        count: u32,
        is_draw: bool,
    ) -> u32 {
        let chunk = warp_reach(self.masses.get(lane_id()), target);
        let first = chunk.at * WARP_SIZE;
        let own = candidates.weight(first + lane_id(), count, is_draw);
        first + warp_reach(own, target - chunk.before).at
    }
}

impl<E: Element, const LARGE: bool> Finish<E> for Sampling<LARGE> {
    /// Whether the row is this kernel's: it has candidates to draw from, or its best are wanted.
    #[inline(always)]
    fn is_wanted(&self) -> bool {
        self.params.top > 0 || self.row().sorted_k() > 0
    }

    #[inline(always)]
    fn keep(&self) -> u32 {
        // More than k, where that spares a crop, as long as they fit twice.
        let room = self.params.select.capacity / 2 - 4;
        self.params.select.k.max(RANKED_MAX.min(room))
    }

    #[inline(always)]
    fn finish(&self, _row: &Row<E>, queue: &mut Queue, has_nan: bool) {
        // On its way while the candidates are ordered.
        let row = self.row();
        let found = queue.count();
        let items = self.ordered::<E>(queue, found);
        // The host sees to it that no row wants more than `k`; beyond it the order is not known.
        let wanted = row.sorted_k().min(self.params.select.k);
        let Found { max, status, count } = Found::new::<E>(items, found, wanted, has_nan);
        // Only the first thread knows of NaNs; whether all is masked, every thread knows.
        if wanted > 0 && thread_idx_x() == 0 {
            self.out.put_status(status);
        }
        let is_short = count > 0 && self.is_short(&row, count);
        if is_short && thread_idx_x() >= WARP_SIZE {
            return;
        }
        let filter = RowFilter::new(&row, self.params.order, max, self.n);
        let candidates = Candidates::<E>::new(items, filter);
        if is_short {
            candidates.draw_few(&row, count, &self.out);
        } else if count > 0 {
            self.sample(&row, &candidates, found, count);
        } else {
            if wanted > 0 {
                self.out.put_none(thread_idx_x(), block_dim_x());
            }
            self.put_top(&candidates, found, 0, 0);
        }
    }
}

impl<const LARGE: bool> Sampling<LARGE> {
    /// Whether a row with so many candidates is the first warp's alone: they are few, their running
    /// masses need to be known once, and a lane each has a word for the draws.
    #[inline(always)]
    fn is_short(&self, row: &RowParams, count: u32) -> bool {
        let SampleParams { order, num_samples, replacement, top, .. } = self.params;
        let weighs_once = row.top_p >= 1.0 || RowFilter::weighs_alike(row, order);
        let draws_alike = num_samples == 1 || replacement != 0 && num_samples <= WARP_SIZE;
        count <= FEW_MAX && top == 0 && weighs_once && draws_alike
    }

    /// Filters and draws from the first `count` of `found` candidates. For all threads of the block
    /// together.
    #[inline(always)]
    fn sample<E: Element>(
        &self,
        row: &RowParams,
        candidates: &Candidates<E>,
        found: u32,
        mut count: u32,
    ) {
        if candidates.filter.has_top_p() {
            let total = self.weigh(candidates, count, false);
            let target = candidates.filter.top_p_target(total);
            count = self.reach(candidates, target, count, false) + 1;
            // Separates the masses' reads from their new values.
            sync_threads();
        }
        let total = self.weigh(candidates, count, true);
        self.put_top(candidates, found, count, total);
        // Separates the candidates' reads from drawn ones' removal.
        sync_threads();
        if thread_idx_x() < WARP_SIZE {
            self.draw(row, candidates, count, total);
        }
    }

    /// Writes the row's best tokens, and the logarithms of those among the first `count`, which
    /// weigh `total`.
    #[inline(always)]
    fn put_top<E: Element>(&self, candidates: &Candidates<E>, found: u32, count: u32, total: u64) {
        let width = self.params.top;
        let mut at = thread_idx_x();
        while at < width {
            let (mut token, mut logprob) = (u32::MAX, f32::NEG_INFINITY);
            if at < found {
                let item = candidates.items.get(at);
                token = index_of(item);
                if self.out.wants_top_logprobs() && candidates.weight(at, count, true) > 0 {
                    logprob = candidates.filter.log_probability(candidates.logit(item), total);
                }
            }
            self.out.put_top(width, at, token, logprob);
            at += block_dim_x();
        }
    }

    /// Draws every sample from the first `count` candidates, which weigh `total`. For the lanes of
    /// the first warp together.
    #[inline(always)]
    fn draw<E: Element>(
        &self,
        row: &RowParams,
        candidates: &Candidates<E>,
        count: u32,
        total: u64,
    ) {
        let width = self.params.num_samples;
        let log_total = candidates.log_total(&self.out, total);
        let (mut left, mut sample) = (total, 0);
        while sample < width {
            if left > 0 {
                let word = draw_word(row.seed, row.position, sample);
                let at = self.reach(candidates, multiply_high(word, left) + 1, count, true);
                let weight = candidates.weight(at, count, true);
                if lane_id() == 0 {
                    self.out.put_drawn(sample, candidates.drawn(at, log_total));
                }
                if self.params.replacement == 0 {
                    left -= weight;
                    self.remove(candidates, at, weight);
                }
            } else if lane_id() == 0 {
                self.out.put_drawn(sample, Drawn::NONE);
            }
            sample += 1;
        }
    }

    /// Takes a drawn candidate out. For the lanes of a warp together.
    #[inline(always)]
    fn remove<E: Element>(&self, candidates: &Candidates<E>, at: u32, weight: u64) {
        // Separates the lanes' reads from the changes.
        sync_warp(FULL_MASK);
        if lane_id() == 0 {
            let chunk = at / WARP_SIZE;
            self.masses.set(chunk, self.masses.get(chunk) - weight);
            candidates.items.set(at, empty(at));
        }
        // Separates the changes from the next draw's reads.
        sync_warp(FULL_MASK);
    }
}
