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
use core::marker::PhantomData;

use cuda_std::global::GlobalArrayMut;
use cuda_std::shared::SharedArray;
use cuda_std::thread::{block_dim_x, sync_threads, thread_idx_x};
use cuda_std::warp::{FULL_MASK, WARP_SIZE, lane_id, sync_warp};

use super::few::{FEW_MAX, Few};
use super::rows::RowTable;
use crate::order::{bits_of_key, empty, index_of, is_empty, key_of};
use crate::params::{Flip, RANKED_MAX};
use crate::prim::answer::Finish;
use crate::prim::bins::{Ordering, block_order};
use crate::prim::element::{Element, place_on_line};
use crate::prim::mass::{warp_reach, warp_shuffle_idx_u64, warp_sum_u64};
use crate::prim::queue::Queue;
use crate::prim::rows::Row;
use crate::prim::sort::block_rank;
use crate::sampling::filter::{RowFilter, log_total};
use crate::sampling::launch::SampleParams;
use crate::sampling::math::multiply_high;
use crate::sampling::params::{RowParams, RowStatus};
use crate::sampling::philox::draw_word;

/// Where a call's tokens go; what is null is not wanted.
#[derive(Clone, Copy)]
pub struct Outputs {
    /// `[rows, num_samples]`.
    pub tokens: *mut u32,
    /// `[rows]`.
    pub status: *mut u32,
    /// Logarithms of the drawn tokens' probabilities, `[rows, num_samples]`.
    pub logprobs: *mut u32,
    /// The drawn tokens' places among the candidates, `[rows, num_samples]`.
    pub ranks: *mut u32,
    /// The best tokens, `[rows, top]`.
    pub top_tokens: *mut u32,
    /// Logarithms of their probabilities, `[rows, top]`.
    pub top_logprobs: *mut u32,
}

/// The end of a row's sampling. The row's parameters are read when they are needed, so that they
/// take no registers while the row is read.
pub struct Sampling<const LARGE: bool> {
    table: RowTable,
    number: u32,
    n: u32,
    params: SampleParams,
    outputs: Outputs,
    /// Masses of chunks of candidates.
    masses: SharedArray<u64>,
}

impl<const LARGE: bool> Sampling<LARGE> {
    /// The end of row number `number`, which has `n` elements.
    ///
    /// # Safety
    /// - *in bounds*: the table and the outputs have the shapes above, aligned for their types; the
    ///   launch has `SAMPLE_SCRATCH_BYTES` bytes of shared memory from `params.scratch` on, behind
    ///   the queue's;
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
        Sampling { table, number, n, params, outputs, masses }
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

    /// Writes one word of an output, where it is wanted.
    #[inline(always)]
    fn put(&self, output: *mut u32, width: u32, at: u32, word: u32) {
        if !output.is_null() {
            // SAFETY: `new`'s caller vouches for the outputs; a place is written by one thread.
            let output = unsafe { GlobalArrayMut::new(output) };
            output.set(self.number as u64 * width as u64 + at as u64, word);
        }
    }

    /// Writes that nothing can be drawn. For all threads of the block together.
    #[inline(always)]
    fn put_none(&self) {
        let width = self.params.num_samples;
        let mut at = thread_idx_x();
        while at < width {
            self.put_no_token(at);
            at += block_dim_x();
        }
    }

    /// Writes that a sample is no token.
    #[inline(always)]
    fn put_no_token(&self, sample: u32) {
        let width = self.params.num_samples;
        self.put(self.outputs.tokens, width, sample, u32::MAX);
        self.put(self.outputs.logprobs, width, sample, f32::NEG_INFINITY.to_bits());
        self.put(self.outputs.ranks, width, sample, 0);
    }
}

/// A row's candidates, best first, against the row's filters.
struct Candidates<E: Element> {
    element: PhantomData<E>,
    items: SharedArray<u64>,
    masses: SharedArray<u64>,
    filter: RowFilter,
}

impl<E: Element> Candidates<E> {
    /// The logit of a candidate.
    #[inline(always)]
    fn logit(&self, item: u64) -> f32 {
        E::value(bits_of_key(key_of(item, Flip::LARGEST)))
    }

    /// What candidate `at` of `count` weighs, a drawn one nothing.
    #[inline(always)]
    fn weight(&self, at: u32, count: u32, is_draw: bool) -> u64 {
        if at >= count {
            return 0;
        }
        let item = self.items.get(at);
        if is_empty(item) {
            0
        } else if is_draw {
            self.filter.draw_weight(self.logit(item))
        } else {
            self.filter.filter_weight(self.logit(item))
        }
    }

    /// What candidate `at` of `count` weighs in the draw if min-p keeps it, and whether that does.
    /// Without a branch.
    #[inline(always)]
    fn weight_straight(&self, at: u32, count: u32) -> (u64, bool) {
        let item = if at < count { self.items.get(at) } else { empty(0) };
        let logit = if is_empty(item) { f32::NEG_INFINITY } else { self.logit(item) };
        self.filter.draw_weight_straight(logit)
    }

    /// Weighs the first `count` candidates, chunk by chunk. For all threads of the block together,
    /// behind a barrier; ends with a barrier. The sum, in all threads.
    #[inline(always)]
    fn weigh(&self, count: u32, is_draw: bool) -> u64 {
        let mut chunk = thread_idx_x() / WARP_SIZE;
        while chunk < WARP_SIZE {
            let mut sum = 0;
            // The same in all lanes.
            if chunk * WARP_SIZE < count {
                sum = warp_sum_u64(self.weight(chunk * WARP_SIZE + lane_id(), count, is_draw));
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
    fn reach(&self, target: u64, count: u32, is_draw: bool) -> u32 {
        let chunk = warp_reach(self.masses.get(lane_id()), target);
        let first = chunk.at * WARP_SIZE;
        let own = self.weight(first + lane_id(), count, is_draw);
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
        let best = if found > 0 { items.get(0) } else { empty(0) };
        let mut max = f32::NEG_INFINITY;
        if !is_empty(best) {
            max = E::value(bits_of_key(key_of(best, Flip::LARGEST)));
        }
        let status = RowStatus::of(max, has_nan);
        // Only the first thread knows of NaNs; whether all is masked, every thread knows.
        if row.sorted_k() > 0 && thread_idx_x() == 0 {
            self.put(self.outputs.status, 1, 0, status as u32);
        }
        // The host sees to it that no row wants more than `k`; beyond it the order is not known.
        let wanted = row.sorted_k().min(self.params.select.k);
        let count = if status == RowStatus::AllMasked { 0 } else { found.min(wanted) };
        let is_short = count > 0 && self.is_short(&row, count);
        if is_short && thread_idx_x() >= WARP_SIZE {
            return;
        }
        let filter = RowFilter::new(&row, self.params.order, max, self.n);
        let candidates =
            Candidates::<E> { element: PhantomData, items, masses: self.masses, filter };
        if is_short {
            self.draw_few(&row, &candidates, count);
        } else if count > 0 {
            self.sample(&row, &candidates, found, count);
        } else {
            if wanted > 0 {
                self.put_none();
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

    /// Filters and draws from the first `count` candidates. For the lanes of the first warp
    /// together.
    #[inline(always)]
    fn draw_few<E: Element>(&self, row: &RowParams, candidates: &Candidates<E>, count: u32) {
        // Each lane's is a sample's. They need no mass, and are worked out beside the weights.
        let words = draw_word(row.seed, row.position, lane_id());
        let few = Few::new(count, |at| candidates.weight_straight(at, count));
        let total = self.mass_kept(&few, &candidates.filter);
        let log_total = self.log_total(candidates, total);
        let targets = multiply_high(words, total) + 1;
        let mut sample = 0;
        while sample < self.params.num_samples {
            if let Some(at) = few.reach(warp_shuffle_idx_u64(targets, sample)) {
                if total > 0 {
                    self.put_drawn(candidates, sample, at, log_total);
                } else {
                    self.put_no_token(sample);
                }
            }
            sample += 1;
        }
    }

    /// What top-p and min-p keep of a few candidates. Each keeps a prefix: both together the
    /// shorter one.
    #[inline(always)]
    fn mass_kept(&self, few: &Few, filter: &RowFilter) -> u64 {
        let all = few.total();
        let near = if filter.has_min_p() { few.mass_near() } else { all };
        if !filter.has_top_p() {
            return near;
        }
        let whole = if filter.is_min_p_first() { near } else { all };
        few.mass_at(filter.top_p_target(whole)).min(near)
    }

    /// The logarithm of what is drawn from, where it is wanted: it takes as long as a draw.
    #[inline(always)]
    fn log_total<E: Element>(&self, candidates: &Candidates<E>, total: u64) -> f64 {
        let is_wanted = !self.outputs.logprobs.is_null();
        if is_wanted { log_total(total, candidates.filter.scale()) } else { 0.0 }
    }

    /// Writes that a sample is candidate `at` of those whose total has this logarithm.
    #[inline(always)]
    fn put_drawn<E: Element>(
        &self,
        candidates: &Candidates<E>,
        sample: u32,
        at: u32,
        log_total: f64,
    ) {
        let (outputs, width) = (&self.outputs, self.params.num_samples);
        let item = candidates.items.get(at);
        self.put(outputs.tokens, width, sample, index_of(item));
        self.put(outputs.ranks, width, sample, at + 1);
        let logprob = candidates.filter.log_ratio(candidates.logit(item), log_total);
        self.put(outputs.logprobs, width, sample, logprob.to_bits());
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
            let total = candidates.weigh(count, false);
            let target = candidates.filter.top_p_target(total);
            count = candidates.reach(target, count, false) + 1;
            // Separates the masses' reads from their new values.
            sync_threads();
        }
        let total = candidates.weigh(count, true);
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
                if !self.outputs.top_logprobs.is_null() && candidates.weight(at, count, true) > 0 {
                    logprob = candidates.filter.log_probability(candidates.logit(item), total);
                }
            }
            self.put(self.outputs.top_tokens, width, at, token);
            self.put(self.outputs.top_logprobs, width, at, logprob.to_bits());
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
        let log_total = self.log_total(candidates, total);
        let (mut left, mut sample) = (total, 0);
        while sample < width {
            if left > 0 {
                let word = draw_word(row.seed, row.position, sample);
                let at = candidates.reach(multiply_high(word, left) + 1, count, true);
                let weight = candidates.weight(at, count, true);
                if lane_id() == 0 {
                    self.put_drawn(candidates, sample, at, log_total);
                }
                if self.params.replacement == 0 {
                    left -= weight;
                    self.remove(candidates, at, weight);
                }
            } else if lane_id() == 0 {
                self.put_no_token(sample);
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
            candidates.masses.set(chunk, candidates.masses.get(chunk) - weight);
            candidates.items.set(at, empty(at));
        }
        // Separates the changes from the next draw's reads.
        sync_warp(FULL_MASK);
    }
}
