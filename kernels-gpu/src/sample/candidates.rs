//! A row's candidates, best first, against its filters; and how one warp draws from few of them.
use core::marker::PhantomData;

use cuda_std::shared::SharedArray;
use cuda_std::warp::lane_id;

use super::few::Few;
use super::outputs::{Drawn, RowOutputs};
use crate::order::{bits_of_key, empty, index_of, is_empty, key_of};
use crate::params::Flip;
use crate::prim::element::Element;
use crate::prim::mass::warp_shuffle_idx_u64;
use crate::sampling::filter::{RowFilter, log_total};
use crate::sampling::math::multiply_high;
use crate::sampling::params::{RowParams, RowStatus};
use crate::sampling::philox::draw_word;

/// The logit of a candidate.
#[inline(always)]
fn logit_of<E: Element>(item: u64) -> f32 {
    E::value(bits_of_key(key_of(item, Flip::LARGEST)))
}

/// What ordered candidates say of their row.
#[derive(Clone, Copy)]
pub struct Found {
    /// The greatest logit; `-inf` where there is none.
    pub max: f32,
    /// What becomes of the row.
    pub status: RowStatus,
    /// How many of the candidates may be drawn from, as far as top-k goes.
    pub count: u32,
}

impl Found {
    /// Of `found` candidates of a row that wants the best `wanted`.
    #[inline(always)]
    pub fn new<E: Element>(
        items: SharedArray<u64>,
        found: u32,
        wanted: u32,
        has_nan: bool,
    ) -> Found {
        let best = if found > 0 { items.get(0) } else { empty(0) };
        let max = if is_empty(best) { f32::NEG_INFINITY } else { logit_of::<E>(best) };
        let status = RowStatus::of(max, has_nan);
        let count = if status == RowStatus::AllMasked { 0 } else { found.min(wanted) };
        Found { max, status, count }
    }
}

/// A row's candidates, best first, against the row's filters.
pub struct Candidates<E: Element> {
    /// The candidates; one that was drawn for good is empty.
    pub items: SharedArray<u64>,
    /// The filters.
    pub filter: RowFilter,
    element: PhantomData<E>,
}

impl<E: Element> Candidates<E> {
    /// These, against these filters.
    #[inline(always)]
    pub fn new(items: SharedArray<u64>, filter: RowFilter) -> Self {
        Candidates { items, filter, element: PhantomData }
    }

    /// The logit of a candidate.
    #[inline(always)]
    pub fn logit(&self, item: u64) -> f32 {
        logit_of::<E>(item)
    }

    /// What candidate `at` of `count` weighs, a drawn one nothing.
    #[inline(always)]
    pub fn weight(&self, at: u32, count: u32, is_draw: bool) -> u64 {
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

    /// Candidate `at`, drawn from those whose total has this logarithm.
    #[inline(always)]
    pub fn drawn(&self, at: u32, log_total: f64) -> Drawn {
        let item = self.items.get(at);
        let logprob = self.filter.log_ratio(self.logit(item), log_total);
        Drawn { token: index_of(item), rank: at + 1, logprob }
    }

    /// The logarithm of what is drawn from, where it is wanted: it takes as long as a draw.
    #[inline(always)]
    pub fn log_total(&self, out: &RowOutputs, total: u64) -> f64 {
        if out.wants_logprobs() { log_total(total, self.filter.scale()) } else { 0.0 }
    }

    /// Filters and draws from the first `count` candidates, at most [`super::few::FEW_MAX`]: at
    /// most as many samples as a warp has lanes, with replacement, of a row that weighs alike for
    /// top-p and for the draw. For the lanes of a warp together.
    #[inline(always)]
    pub fn draw_few(&self, row: &RowParams, count: u32, out: &RowOutputs) {
        // Each lane's is a sample's. They need no mass, and are worked out beside the weights.
        let words = draw_word(row.seed, row.position, lane_id());
        let few = Few::new(count, |at| self.weight_straight(at, count));
        let total = self.mass_kept(&few);
        let log_total = self.log_total(out, total);
        let targets = multiply_high(words, total) + 1;
        let mut sample = 0;
        while sample < out.num_samples() {
            if let Some(at) = few.reach(warp_shuffle_idx_u64(targets, sample)) {
                let drawn = if total > 0 { self.drawn(at, log_total) } else { Drawn::NONE };
                out.put_drawn(sample, drawn);
            }
            sample += 1;
        }
    }

    /// What top-p and min-p keep of a few candidates. Each keeps a prefix: both together the
    /// shorter one.
    #[inline(always)]
    fn mass_kept(&self, few: &Few) -> u64 {
        let all = few.total();
        let near = if self.filter.has_min_p() { few.mass_near() } else { all };
        if !self.filter.has_top_p() {
            return near;
        }
        let whole = if self.filter.is_min_p_first() { near } else { all };
        few.mass_at(self.filter.top_p_target(whole)).min(near)
    }
}
