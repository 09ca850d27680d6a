//! Which tokens stay, and what a token weighs.
//!
//! Every filter keeps a best-first prefix of the row's order ([`crate::order`]): top-k by number,
//! top-p by mass, min-p by distance from the greatest logit. So what stays is the shortest of three
//! prefixes, and the orders differ in what the mass of top-p is a share of, and at which
//! temperature:
//!
//! | order | top-p's mass is of | filters' temperature | draw's |
//! |---|---|---|---|
//! | HuggingFace | what top-k left | the row's | the row's |
//! | Vllm | what min-p and top-k left | the row's | the row's |
//! | LlamaCpp | what top-k left | 1 | the row's |
use super::math::{exp, fixed, fixed_exp, ln, scale, share_of};
use super::params::{FilterOrder, RowParams};
use crate::order::key;

/// The key of an element, as [`crate::order::key`], but a NaN counts as `-inf`.
#[inline(always)]
pub const fn masking_key(bits: u32, infinity: u32) -> u32 {
    let magnitude = bits & 0x7fff_ffff;
    key(if magnitude > infinity { infinity | 0x8000_0000 } else { bits }, infinity)
}

/// The least distance from the greatest logit that a min-p keeps, where the draw has such a
/// temperature; `-inf` for a min-p of 0.
pub fn min_p_bound(min_p: f32, temperature: f32, order: FilterOrder) -> f32 {
    let filter_temperature = match order {
        FilterOrder::LlamaCpp => 1.0,
        _ => temperature,
    };
    // p_i / p_max >= min_p is the same as x_i - max >= T * ln(min_p), which needs no exponential
    // and is monotone in x_i.
    if min_p > 0.0 {
        (ln(min_p as f64) * filter_temperature as f64) as f32
    } else {
        f32::NEG_INFINITY
    }
}

/// A logit that none is below of which the distance from `greatest`, or from anything above it, is
/// at least `reach`: a NaN or `-inf` where there is no telling.
#[inline(always)]
pub fn least_within(greatest: f32, reach: f32) -> f32 {
    const ROUNDING: f32 = 1.0 / (1 << 20) as f32;
    greatest + reach - (greatest.abs() + reach.abs()) * ROUNDING
}

/// The filters of one row whose greatest logit is known.
#[derive(Clone, Copy, Debug)]
pub struct RowFilter {
    max: f32,
    /// What a distance is multiplied with to weigh it for top-p.
    filter_factor: f32,
    /// What a distance is multiplied with to weigh it for the draw.
    draw_factor: f32,
    /// The least distance that min-p keeps.
    bound: f32,
    scale: u32,
    top_p: f32,
    min_p_first: bool,
}

impl RowFilter {
    /// The filters of a row of `n` elements, the greatest of which is `max`, above `-inf`.
    #[inline(always)]
    pub fn new(row: &RowParams, order: FilterOrder, max: f32, n: u32) -> RowFilter {
        let draw_factor = 1.0 / row.draw_temperature();
        let filter_factor = match order {
            FilterOrder::LlamaCpp => 1.0,
            _ => draw_factor,
        };
        RowFilter {
            max,
            filter_factor,
            draw_factor,
            bound: row.min_p_bound,
            scale: scale(n),
            top_p: row.top_p,
            min_p_first: matches!(order, FilterOrder::Vllm),
        }
    }

    /// Whether a row's tokens weigh for top-p what they weigh in the draw, if min-p keeps them: at
    /// the same temperature.
    #[inline(always)]
    pub fn weighs_alike(row: &RowParams, order: FilterOrder) -> bool {
        !matches!(order, FilterOrder::LlamaCpp) || row.draw_temperature() == 1.0
    }

    /// How far a logit lies below the greatest: at most 0. Where the greatest is `+inf`, others are
    /// infinitely far. A NaN counts as `-inf`.
    #[inline(always)]
    fn distance(&self, logit: f32) -> f32 {
        if logit == self.max {
            0.0
        } else if logit < self.max {
            logit - self.max
        } else {
            f32::NEG_INFINITY
        }
    }

    /// What a token weighs for top-p, if top-k keeps it.
    #[inline(always)]
    pub fn filter_weight(&self, logit: f32) -> u64 {
        let distance = self.distance(logit);
        if self.min_p_first && distance < self.bound {
            return 0;
        }
        fixed(exp(distance * self.filter_factor), self.scale)
    }

    /// The greatest logit, and the least distance from it that min-p keeps.
    #[inline(always)]
    pub fn min_p_bound(&self) -> (f32, f32) {
        (self.max, self.bound)
    }

    /// Whether a token with this logit can be drawn at all, and min-p keeps it.
    #[inline(always)]
    pub fn can_draw(&self, logit: f32) -> bool {
        let distance = self.distance(logit);
        logit > f32::NEG_INFINITY && distance >= self.bound && distance > f32::NEG_INFINITY
    }

    /// What a token weighs in the draw of the best few, if top-k and top-p keep it.
    #[inline(always)]
    pub fn draw_weight(&self, logit: f32) -> u64 {
        let distance = self.distance(logit);
        if distance < self.bound {
            return 0;
        }
        fixed(exp(distance * self.draw_factor), self.scale)
    }

    /// What a token weighs in the draw if min-p keeps it, and whether that does. Without a branch.
    #[inline(always)]
    pub fn draw_weight_straight(&self, logit: f32) -> (u64, bool) {
        let below = if logit < self.max { logit - self.max } else { f32::NEG_INFINITY };
        let distance = if logit == self.max { 0.0 } else { below };
        (fixed_exp(distance * self.draw_factor, self.scale), distance >= self.bound)
    }

    /// Whether top-p's mass is a share of what min-p keeps.
    #[inline(always)]
    pub fn is_min_p_first(&self) -> bool {
        self.min_p_first
    }

    /// Whether min-p keeps anything back.
    #[inline(always)]
    pub fn has_min_p(&self) -> bool {
        self.bound > f32::NEG_INFINITY
    }

    /// Fractional bits of a token's weights.
    #[inline(always)]
    pub fn scale(&self) -> u32 {
        self.scale
    }

    /// Whether top-p keeps anything back.
    #[inline(always)]
    pub fn has_top_p(&self) -> bool {
        self.top_p < 1.0
    }

    /// The mass at which top-p's prefix ends, of this `total`.
    #[inline(always)]
    pub fn top_p_target(&self, total: u64) -> u64 {
        share_of(self.top_p, total)
    }

    /// The natural logarithm of a kept token's probability, where all that are kept weigh `total`,
    /// as [`RowFilter::draw_weight`] says.
    #[inline(always)]
    pub fn log_probability(&self, logit: f32, total: u64) -> f32 {
        self.log_ratio(logit, log_total(total, self.scale))
    }

    /// The same for a total of which `log_total` is the logarithm, in units of what the greatest
    /// weighs.
    #[inline(always)]
    pub fn log_ratio(&self, logit: f32, log_total: f64) -> f32 {
        let distance = self.distance(logit) as f64 * self.draw_factor as f64;
        (distance - log_total) as f32
    }
}

/// The natural logarithm of a total in which the greatest weighs `2^scale`: of at least 1, so that
/// nothing cancels in [`RowFilter::log_ratio`], where all of the sum has one sign.
#[inline(always)]
pub fn log_total(total: u64, scale: u32) -> f64 {
    let unit = f64::from_bits((1023 - scale as u64) << 52);
    ln(total as f64 * unit)
}
