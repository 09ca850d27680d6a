//! What a token weighs in a draw from a whole row, and what a segment of the row does.
//!
//! A row is cut into segments of [`SEGMENT`] elements, by index. A token weighs
//! `2^(x * log2(e) / T - level)` as an integer of [`WEIGHT_BITS`] fractional bits. The level is
//! that of the greatest logit of its segment (or of the row, where the row is filtered), rounded up
//! to a whole number: so the greatest weighs between a half and 1, and the product is rounded with
//! the level already taken off. A segment weighs the sum of its tokens, times its share, which is 2
//! to the difference of its level and the row's. So a segment is weighed in one look at it, and the
//! row's greatest is needed only for one multiplication a segment.
//!
//! # Cost
//! 14 instructions an element, the sum among them, and the search for the greatest: what is further
//! below the level than weights reach is clamped by the multiplication itself, and the exponential
//! ends in two additions to constants that leave the weight's upper and lower bits in the lower
//! bits of two floats, where integer additions sum them.
use cuda_std::fused::{fma, fma_clamped, with_fma};

use super::math::{fixed, multiply_high};

/// Elements in a segment.
pub const SEGMENT: u32 = 1024;

/// Fractional bits of a token's weight: the reference weighs `2^44`.
pub const WEIGHT_BITS: u32 = LOW_BITS + HIGH_BITS;
const HIGH_BITS: u32 = 22;
const LOW_BITS: u32 = 22;

/// Octaves in a unit of distance: what is so far below the level weighs nothing.
const UNIT: f32 = 64.0;
/// 1.5 * 2^17: adding it leaves a distance rounded to whole octaves.
const WHOLE: f32 = 196_608.0;
/// The same, with the bias of an exponent in the low bits.
const BIASED: f32 = WHOLE + 127.0 / UNIT;
/// The greatest level: those above it are not told apart from their neighbours well enough.
const LEVEL_MAX: f32 = 65_536.0;

/// Added to a number of 0 to 1, it leaves it rounded in the low bits, of which the lowest is
/// `2^-22`.
const HIGH: f32 = 2.0;
/// The same for what that rounding took or gave, and `2^-44`.
const LOW: f32 = 3.0 / (1 << 22) as f32;
/// A temperature above which distances are measured in greater units: `2^100`, about.
const FACTOR_LEAST: f32 = 1.0 / (1u128 << 100) as f32;
const SHRINK: f32 = 1.0 / (1u64 << 60) as f32;

/// How logits weigh, at one temperature and against one reference. Distances are in units of 64
/// octaves.
#[derive(Clone, Copy, Debug)]
pub struct Weigher {
    /// What a logit is multiplied with for its distance: `-log2(e) / T`.
    slope: f32,
    /// Where distances start: at least the reference's product, and less than an octave above it.
    level: f32,
    /// What is taken off logits first, where the level would be too great.
    base: f32,
    /// What logits are multiplied with before that.
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
        // Such factors are hardly numbers any more.
        if factor < FACTOR_LEAST {
            (factor, shrink) = (factor / SHRINK, SHRINK);
        }
        Weigher { slope: factor * (-1.0 / UNIT), level: 0.0, base: 0.0, shrink, is_infinite: false }
    }

    /// The same against a logit that no weighed one exceeds, above `-inf`.
    #[inline(always)]
    pub fn against(self, reference: f32) -> Weigher {
        let is_infinite = reference == f32::INFINITY;
        let reference = if is_infinite { 0.0 } else { reference * self.shrink };
        let product = reference * -self.slope;
        let mut level = (product + WHOLE) - WHOLE;
        // Rounding took something off.
        if fma(reference, self.slope, level) < 0.0 {
            level += 1.0 / UNIT;
        }
        let is_near = product.abs() < LEVEL_MAX;
        let (level, base) = if is_near { (level, 0.0) } else { (0.0, reference) };
        Weigher { level, base, is_infinite, ..self }
    }

    /// Whether logits must go through [`Weigher::plain`] first.
    #[inline(always)]
    pub fn is_odd(&self) -> bool {
        self.is_infinite || self.shrink != 1.0 || self.base != 0.0
    }

    /// A logit as it is weighed; of a NaN `-inf`.
    #[inline(always)]
    pub fn plain(&self, logit: f32) -> f32 {
        match (self.is_infinite, logit == f32::INFINITY) {
            (true, true) => 0.0,
            (true, false) => f32::NEG_INFINITY,
            _ => logit.max(f32::NEG_INFINITY) * self.shrink - self.base,
        }
    }

    /// Two factors of what is so far below the level, the second a power of two.
    ///
    /// # Source
    /// Range reduction as in [`super::math::exp`]; the polynomial has the least greatest relative
    /// error, 1.1e-7, of those that begin with `1 + ln(2) x`.
    #[inline(always)]
    fn factors(distance: f32) -> (f32, f32) {
        // Of each power of the rest, which is in units.
        const POWERS: [f32; 5] = {
            let (one, two) = (-UNIT, UNIT * UNIT);
            [one, two, one * two, two * two, one * two * two]
        };
        let rounded = BIASED - distance;
        // Exact.
        let rest = distance + (rounded - BIASED);
        let mut sum = 0.001_330_062_2 * POWERS[4];
        sum = fma(sum, rest, 0.009_669_696 * POWERS[3]);
        sum = fma(sum, rest, 0.055_505_585 * POWERS[2]);
        sum = fma(sum, rest, 0.240_222_83 * POWERS[1]);
        sum = fma(sum, rest, core::f32::consts::LN_2 * POWERS[0]);
        sum = fma(sum, rest, 1.0);
        (sum, f32::from_bits(rounded.to_bits() << 23))
    }

    /// The weight of a plain logit that is no NaN in two words, of which sums may be taken;
    /// [`sum_of_words`] takes it out of them.
    #[inline(always)]
    pub fn words(&self, plain: f32) -> [u32; 2] {
        let (factor, power) = Self::factors(fma_clamped(plain, self.slope, self.level));
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
        with_fma(|| match self.is_odd() {
            true => logits.iter().map(|&logit| self.weight(logit)).sum(),
            false => logits.chunks(MOST_WORDS).map(|part| self.sum_few(part)).sum(),
        })
    }

    /// The same for at most [`MOST_WORDS`] logits, where they are plain but for NaNs.
    #[inline(always)]
    fn sum_few(&self, logits: &[f32]) -> u64 {
        let (mut high, mut low) = (0u32, 0u32);
        for &logit in logits {
            let words = self.words(logit.max(f32::NEG_INFINITY));
            (high, low) = (high.wrapping_add(words[0]), low.wrapping_add(words[1]));
        }
        sum_of_words(logits.len() as u32, high, low)
    }

    /// What a segment's weights count for where this is how the row's greatest logit is weighed: 63
    /// fractional bits.
    #[inline(always)]
    pub fn share(&self, segment: &Weigher) -> u64 {
        let distance =
            fma_clamped(segment.base - self.base, self.slope, self.level - segment.level);
        let (factor, power) = Self::factors(distance);
        let is_there = distance < 1.0 && self.is_infinite == segment.is_infinite;
        if is_there { fixed(factor * power, 62) << 1 } else { 0 }
    }
}

/// The share of a segment that is weighed as the row's greatest logit is.
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

/// What a row of so many segments weighs in units of its greatest logit's token, which weighs
/// `greatest`: at least 1, so that nothing cancels in what a logarithm of it is taken off.
#[inline(always)]
pub fn in_units_of(greatest: u64, total: u64, segments: u32) -> f64 {
    let exponent = 1023 + WEIGHT_BITS - row_bits(segments);
    let ratio = total as f64 / greatest as f64 * f64::from_bits((exponent as u64) << 52);
    // A long row's mass may have lost a bit.
    ratio.max(1.0)
}
