//! What a token weighs in a draw from a whole row, and what a segment of the row does.
//!
//! A row is cut into segments of [`SEGMENT`] elements, by index. A token weighs
//! `2^((x - reference) * log2(e) / T)`, the reference being the greatest logit of its segment (or
//! of the row, where the row is filtered), as an integer of [`WEIGHT_BITS`] fractional bits; a
//! segment weighs the sum of its tokens, times its share, which is what its reference weighs
//! against the row's greatest. So a segment is weighed in one look at it, and the row's greatest is
//! needed only for one multiplication a segment.
//!
//! # Cost
//! 16 instructions an element, the search for the greatest and the sum among them: the exponential
//! ends in two additions to constants that leave the weight's upper and lower bits in the lower
//! bits of two floats, where integer additions sum them.
use cuda_std::fused::{fma, with_fma};

use super::math::{fixed, multiply_high};

/// Elements in a segment.
pub const SEGMENT: u32 = 1024;

/// Fractional bits of a token's weight: the reference weighs `2^44`.
pub const WEIGHT_BITS: u32 = LOW_BITS + HIGH_BITS;
const HIGH_BITS: u32 = 22;
const LOW_BITS: u32 = 22;

/// 1.5 * 2^23 + 127: adding it leaves a number rounded to a whole one, with the bias of an
/// exponent, in the low bits.
const ROUND: f32 = 12_583_039.0;
/// Added to a number of 0 to 1, it leaves it rounded in the low bits, of which the lowest is
/// `2^-22`.
const HIGH: f32 = 2.0;
/// The same for what that rounding took or gave, and `2^-44`.
const LOW: f32 = 3.0 / (1 << 22) as f32;
/// Where the exponent of a weight ends: below it a weight is 0.
const EXPONENT_LEAST: f32 = -60.0;

/// A temperature above which distances are measured in greater units: `2^100`, about.
const FACTOR_LEAST: f32 = 1.0 / (1u128 << 100) as f32;
const SHRINK: f32 = 1.0 / (1u64 << 60) as f32;

/// How logits weigh, at one temperature and against one reference.
#[derive(Clone, Copy, Debug)]
pub struct Weigher {
    reference: f32,
    /// What a distance is multiplied with: `log2(e) / T`.
    factor: f32,
    /// The distance at which weights end.
    least: f32,
    /// What logits are multiplied with first.
    shrink: f32,
    /// Whether only `+inf` weighs anything.
    is_infinite: bool,
}

impl Weigher {
    /// At a temperature above 0, against 0.
    #[inline(always)]
    pub fn new(temperature: f32) -> Weigher {
        let mut factor = core::f32::consts::LOG2_E / temperature;
        let mut shrink = 1.0;
        // Such factors would have the distance of `-inf` end above the least.
        if factor < FACTOR_LEAST {
            (factor, shrink) = (factor / SHRINK, SHRINK);
        }
        let least = EXPONENT_LEAST / factor;
        Weigher { reference: 0.0, factor, least, shrink, is_infinite: false }
    }

    /// The same against a logit that no weighed one exceeds, above `-inf`.
    #[inline(always)]
    pub fn against(self, reference: f32) -> Weigher {
        let is_infinite = reference == f32::INFINITY;
        let reference = if is_infinite { 0.0 } else { reference * self.shrink };
        Weigher { reference, is_infinite, ..self }
    }

    /// Whether logits must go through [`Weigher::plain`] first.
    #[inline(always)]
    pub fn is_odd(&self) -> bool {
        self.is_infinite || self.shrink != 1.0
    }

    /// A logit as it is weighed.
    #[inline(always)]
    pub fn plain(&self, logit: f32) -> f32 {
        match (self.is_infinite, logit == f32::INFINITY) {
            (true, true) => 0.0,
            (true, false) => f32::NEG_INFINITY,
            _ => logit * self.shrink,
        }
    }

    /// Two factors of what a plain logit weighs, the second a power of two. A NaN weighs as `-inf`.
    ///
    /// # Source
    /// Range reduction as in [`super::math::exp`]; the polynomial has the least greatest relative
    /// error, 1.1e-7, of those that begin with `1 + ln(2) x`.
    #[inline(always)]
    fn factors(&self, plain: f32) -> (f32, f32) {
        let distance = (plain - self.reference).max(self.least);
        let rounded = fma(distance, self.factor, ROUND);
        let rest = fma(distance, self.factor, ROUND - rounded);
        let mut sum = 0.001_330_062_2;
        sum = fma(sum, rest, 0.009_669_696);
        sum = fma(sum, rest, 0.055_505_585);
        sum = fma(sum, rest, 0.240_222_83);
        sum = fma(sum, rest, core::f32::consts::LN_2);
        sum = fma(sum, rest, 1.0);
        (sum, f32::from_bits(rounded.to_bits() << 23))
    }

    /// The weight of a plain logit in two words, of which sums may be taken; [`sum_of_words`] takes
    /// it out of them.
    #[inline(always)]
    pub fn words(&self, plain: f32) -> [u32; 2] {
        let (factor, power) = self.factors(plain);
        let high = fma(factor, power, HIGH);
        // Exact: both are multiples of 2^-22, and the difference is at most 1.
        let low = fma(factor, power, (HIGH + LOW) - high);
        [high.to_bits(), low.to_bits()]
    }

    /// What a logit weighs.
    #[inline(always)]
    pub fn weight(&self, logit: f32) -> u64 {
        let [high, low] = self.words(self.plain(logit));
        sum_of_words(1, high, low)
    }

    /// What logits weigh together, on a host.
    pub fn sum(&self, logits: &[f32]) -> u64 {
        if self.is_odd() {
            return logits.iter().map(|&logit| self.weight(logit)).sum();
        }
        with_fma(|| logits.chunks(MOST_WORDS).map(|part| self.sum_few(part)).sum())
    }

    /// The same for at most [`MOST_WORDS`] plain logits.
    #[inline(always)]
    fn sum_few(&self, logits: &[f32]) -> u64 {
        let (mut high, mut low) = (0u32, 0u32);
        for &logit in logits {
            let words = self.words(logit);
            (high, low) = (high.wrapping_add(words[0]), low.wrapping_add(words[1]));
        }
        sum_of_words(logits.len() as u32, high, low)
    }

    /// What a segment's reference weighs, of which this one's is the row's greatest: 63 fractional
    /// bits.
    #[inline(always)]
    pub fn share(&self, reference: f32) -> u64 {
        let plain = self.plain(reference);
        if plain - self.reference > self.least {
            let (factor, power) = self.factors(plain);
            fixed(factor * power, 62) << 1
        } else {
            0
        }
    }
}

/// The share of a segment whose reference is the row's greatest logit.
pub const WHOLE_SHARE: u64 = 1 << 63;

/// As many weights as may be summed by their words.
const MOST_WORDS: usize = 64;

/// The sum of `count` weights, of at most 64, from the sums of their words.
#[inline(always)]
pub const fn sum_of_words(count: u32, high: u32, low: u32) -> u64 {
    let high = high.wrapping_sub(count.wrapping_mul(HIGH.to_bits()));
    let low = low.wrapping_sub(count.wrapping_mul(LOW.to_bits())).cast_signed();
    ((high as u64) << LOW_BITS).wrapping_add_signed(low as i64)
}

/// Segments of a row of `n` elements.
#[inline(always)]
pub const fn segments(n: u32) -> u32 {
    n.div_ceil(SEGMENT)
}

/// What a segment with this sum of weights weighs in a row of so many segments: an integer with
/// [`row_bits`] fractional bits, so that the row's sum cannot overflow.
#[inline(always)]
pub const fn row_mass(sum: u64, share: u64, segments: u32) -> u64 {
    // A sum is at most `2^54`: the product's upper half is at most `2^61`.
    multiply_high(sum << 8, share) >> (51 - row_bits(segments))
}

/// Fractional bits of masses in a row of so many segments.
#[inline(always)]
pub const fn row_bits(segments: u32) -> u32 {
    51 - (32 - segments.saturating_sub(1).leading_zeros())
}
