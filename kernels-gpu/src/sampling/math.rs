//! Exponential, logarithm and fixed point. Only `+`, `-`, `*`, `/` and bits: no intrinsic, no
//! approximation, nothing that two machines do in two ways.
//!
//! # Accuracy
//! [`exp`] is within 2 units in the last place, [`ln`] within 1e-15 relative
//! (`host/tests/sampling_math.rs` measures both against the host's own).

/// `log2(e)`.
const LOG2_E: f32 = core::f32::consts::LOG2_E;
/// 1.5 * 2^23: adding it leaves a number rounded to a whole one in the low bits.
const ROUND: f32 = 12_582_912.0;
/// `ln(2)` in two parts, the first with so few bits that a product with a small whole number is
/// exact.
const LN_2_HIGH: f32 = 0.693_359_4;
const LN_2_LOW: f32 = -2.121_944_4e-4;
const _: () = assert!(LN_2_HIGH.to_bits() == 0x3f31_8000);

/// Below this a weight is 0: `e^-45 < 2^-64`.
const EXP_LEAST: f32 = -45.0;

/// `e^x` for `x <= 0`; 0 below -45. `e^0` is exactly 1.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    if x < EXP_LEAST || x.is_nan() {
        return 0.0;
    }
    exp_near(x)
}

/// [`exp`] as a fixed-point number, `fixed(exp(x), scale)`, without a branch: a lane that works out
/// several has them side by side.
#[inline(always)]
pub fn fixed_exp(x: f32, scale: u32) -> u64 {
    // What is below, and a NaN, weighs as little as the least: nothing.
    let bits = exp_near(if x >= EXP_LEAST { x } else { EXP_LEAST }).to_bits();
    let mantissa = (bits & 0x007f_ffff | 0x0080_0000) as u64;
    // As in `fixed`; of the two shifts one is by 0.
    let shift = (bits >> 23) as i32 - 150 + scale as i32;
    let (left, right) = (shift.max(0) as u32, (-shift).clamp(0, 32) as u32);
    ((mantissa << left << 1 >> right) + 1) >> 1
}

/// `e^x` for `-45 <= x <= 0`.
///
/// # Source
/// Range reduction after Cody and Waite, "Software Manual for the Elementary Functions", 1980; the
/// polynomial is Taylor's, whose rest is below 6e-9 where it is used.
#[inline(always)]
fn exp_near(x: f32) -> f32 {
    let rounded = x * LOG2_E + ROUND;
    let whole = rounded - ROUND;
    let rest = (x - whole * LN_2_HIGH) - whole * LN_2_LOW;
    let mut sum = 1.0 / 5040.0;
    sum = sum * rest + 1.0 / 720.0;
    sum = sum * rest + 1.0 / 120.0;
    sum = sum * rest + 1.0 / 24.0;
    sum = sum * rest + 1.0 / 6.0;
    sum = sum * rest + 0.5;
    let mantissa = 1.0 + (rest + (rest * rest) * sum);
    // The whole number stands in the low bits of `rounded`; a power of two is added to an exponent.
    f32::from_bits(mantissa.to_bits().wrapping_add(rounded.to_bits() << 23))
}

/// `ln(x)` for a positive, normal, finite `x`.
///
/// # Source
/// `ln(m) = 2 * atanh((m - 1) / (m + 1))`, whose series is short around 1.
#[inline(always)]
pub fn ln(x: f64) -> f64 {
    const MANTISSA: u64 = (1 << 52) - 1;
    const ONE: u64 = 1023 << 52;
    let bits = x.to_bits();
    let mut exponent = (bits >> 52) as i32 - 1023;
    let mut mantissa = f64::from_bits(bits & MANTISSA | ONE);
    if mantissa > core::f64::consts::SQRT_2 {
        mantissa *= 0.5;
        exponent += 1;
    }
    let part = (mantissa - 1.0) / (mantissa + 1.0);
    let square = part * part;
    let mut sum = 1.0 / 23.0;
    // Written out: a loop over a table would be a table in memory.
    sum = sum * square + 1.0 / 21.0;
    sum = sum * square + 1.0 / 19.0;
    sum = sum * square + 1.0 / 17.0;
    sum = sum * square + 1.0 / 15.0;
    sum = sum * square + 1.0 / 13.0;
    sum = sum * square + 1.0 / 11.0;
    sum = sum * square + 1.0 / 9.0;
    sum = sum * square + 1.0 / 7.0;
    sum = sum * square + 1.0 / 5.0;
    sum = sum * square + 1.0 / 3.0;
    sum = sum * square + 1.0;
    2.0 * (part * sum) + exponent as f64 * core::f64::consts::LN_2
}

/// Fractional bits of the weights of a row of `n` elements: so many that `n` weights of at most 1
/// cannot overflow.
#[inline(always)]
pub const fn scale(n: u32) -> u32 {
    let bits = 32 - n.saturating_sub(1).leading_zeros();
    62 - bits
}

/// A number of `0..=1` as a fixed-point one with `scale <= 62` fractional bits, rounded to the
/// nearest, ties up.
#[inline(always)]
pub const fn fixed(value: f32, scale: u32) -> u64 {
    let bits = value.to_bits();
    let mantissa = (bits & 0x007f_ffff | 0x0080_0000) as u64;
    // The value is `mantissa * 2^(exponent - 150)`; subnormals count as 0.
    let shift = (bits >> 23) as i32 - 150 + scale as i32;
    if shift >= 0 {
        mantissa << shift
    } else if shift > -32 && bits >> 23 != 0 {
        (mantissa + (1 << (-shift - 1))) >> -shift
    } else {
        0
    }
}

/// The upper half of a product.
#[inline(always)]
pub const fn multiply_high(a: u64, b: u64) -> u64 {
    ((a as u128 * b as u128) >> 64) as u64
}

/// The least mass that is at least the share `p`, `0 < p < 1`, of `total`; at least 1.
#[inline(always)]
pub const fn share_of(p: f32, total: u64) -> u64 {
    // With 64 fractional bits; a share below 2^-64 counts as nothing, and gives 1 in the end.
    let share = fixed(p, 62) << 2;
    let whole = multiply_high(share, total);
    let rest = share.wrapping_mul(total) != 0;
    let target = whole + rest as u64;
    if target == 0 { 1 } else { target }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_where_it_must_be() {
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
        assert_eq!(exp(f32::NAN), 0.0);
        assert_eq!(ln(1.0), 0.0);
        assert_eq!((scale(1), scale(2), scale(3), scale(1 << 31)), (62, 61, 60, 31));
        assert_eq!(scale(128_256), 45);
        assert_eq!(fixed(1.0, 45), 1 << 45);
        assert_eq!(fixed(0.5, 62), 1 << 61);
        assert_eq!(fixed(0.0, 62), 0);
        assert_eq!((fixed(0.75, 0), fixed(0.49, 0), fixed(0.5, 0)), (1, 0, 1));
        assert_eq!(fixed(f32::from_bits(1), 62), 0);
    }

    #[test]
    fn a_share_is_never_too_small() {
        for p in [1e-30f32, 1e-9, 0.1, 0.25, 0.5, 0.9, 0.95, 0.999_999_94] {
            for total in [1u64, 2, 3, 1000, (1 << 45) + 12_345, (1 << 62) - 1, 1 << 62] {
                let target = share_of(p, total);
                assert!(target >= 1 && target <= total, "{p} of {total}: {target}");
                assert!(target as f64 >= f64::from(p) * total as f64 * (1.0 - 1e-9));
                assert!(target as f64 <= f64::from(p) * total as f64 * (1.0 + 1e-9) + 1.0);
            }
        }
        assert_eq!(share_of(0.5, 10), 5);
        assert_eq!(share_of(0.5, 11), 6);
        assert_eq!(share_of(0.25, 4), 1);
    }
}
