//! What tokens of a whole row weigh for top-p: as in its draw, against the row's greatest logit, at
//! the filters' temperature.
use super::filter::RowFilter;
use super::math::{fixed, multiply_high};
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

    /// What a token weighs, if top-k keeps it.
    #[inline(always)]
    pub fn mass(&self, logit: f32) -> u64 {
        if self.min_p_first && !self.filter.can_draw(logit) {
            return 0;
        }
        self.weigher.weight(logit) >> self.shift()
    }

    /// Whether segments of which every token is negligible count as what their weights in the draw
    /// say: where those are of the same temperature and of all tokens. Then they are not read
    /// again. Not in rows so long that a bit is left off, which would let their roundings count.
    #[inline(always)]
    pub fn takes_segments(row: &RowParams, order: FilterOrder, n: u32) -> bool {
        let is_whole = row.top_k == 0 && row.top_p < 1.0 && n <= 1 << LENGTH_BITS;
        let is_same = match order {
            FilterOrder::HuggingFace => true,
            FilterOrder::Vllm => row.min_p == 0.0,
            FilterOrder::LlamaCpp => row.draw_temperature() == 1.0,
        };
        is_whole && is_same
    }

    /// What a segment counts as of which the greatest logit is `top`, and the sum of the weights
    /// against it `sum`.
    #[inline(always)]
    pub fn segment_mass(&self, top: f32, sum: u64) -> u64 {
        // A share has 63 fractional bits.
        multiply_high(sum << 8, self.weigher.share(&self.weigher.against(top))) >> 7
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
