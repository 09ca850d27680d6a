//! What tokens of a whole row weigh for top-p: as in its draw, against the row's greatest logit, at
//! the filters' temperature.
use super::filter::RowFilter;
use super::math::fixed;
use super::params::{FilterOrder, RowParams};
use super::segment::{WEIGHT_BITS, Weigher};

/// Rows of at most `2^18` elements have the weights of the draw; in longer ones a bit is left off
/// for each doubling, so that no sum overflows 62 bits.
const LENGTH_BITS: u32 = 62 - WEIGHT_BITS;

/// The weights of one row for its top-p.
#[derive(Clone, Copy, Debug)]
pub struct Nucleus {
    weigher: Weigher,
    filter: RowFilter,
    temperature: f32,
    top_p: f32,
    /// Bits of the row's length.
    length_bits: u32,
    min_p_first: bool,
}

impl Nucleus {
    /// Of a row of `n` elements, the greatest of which is `max`, above `-inf`.
    #[inline(always)]
    pub fn new(row: &RowParams, order: FilterOrder, max: f32, n: u32) -> Nucleus {
        let temperature = match order {
            FilterOrder::LlamaCpp => 1.0,
            _ => row.draw_temperature(),
        };
        Nucleus {
            weigher: Weigher::new(temperature).against(max),
            filter: RowFilter::new(row, order, max, n),
            temperature,
            top_p: row.top_p,
            length_bits: 32 - n.saturating_sub(1).leading_zeros(),
            min_p_first: matches!(order, FilterOrder::Vllm),
        }
    }

    /// Bits that are left off a weight.
    #[inline(always)]
    fn shift(&self) -> u32 {
        self.length_bits.saturating_sub(LENGTH_BITS)
    }

    /// How tokens weigh, where weights are whole and logits need not be changed first.
    #[inline(always)]
    pub fn plain(&self) -> Option<Weigher> {
        if self.weigher.is_odd() || self.shift() > 0 { None } else { Some(self.weigher) }
    }

    /// Whether what min-p turns away weighs nothing.
    #[inline(always)]
    pub fn is_filtered(&self) -> bool {
        self.min_p_first && self.filter.min_p_bound().1 > f32::NEG_INFINITY
    }

    /// Its filters.
    #[inline(always)]
    pub fn filter(&self) -> &RowFilter {
        &self.filter
    }

    /// Logits from one power of 2 in weight to the next.
    #[inline(always)]
    pub fn octave(&self) -> f32 {
        core::f32::consts::LN_2 * self.temperature
    }

    /// What a token weighs, if top-k keeps it.
    #[inline(always)]
    pub fn mass(&self, logit: f32) -> u64 {
        if self.min_p_first && !self.filter.can_draw(logit) {
            return 0;
        }
        self.weigher.weight(logit) >> self.shift()
    }

    /// The mass at which the prefix ends, of this `total`.
    #[inline(always)]
    pub fn target(&self, total: u64) -> u64 {
        self.filter.top_p_target(total)
    }

    /// A mass so small that all tokens below it together weigh less than what is left out: half of
    /// `1 - top_p` of the greatest token's, which is at least a half, over the row's length. Where
    /// the prefix ends does not depend on which of them has how much of their sum.
    #[inline(always)]
    pub fn negligible(&self) -> u64 {
        fixed(1.0 - self.top_p, WEIGHT_BITS - 2 - self.shift()) >> self.length_bits
    }
}
