//! The 16-bit float formats, their pairs, and the greatest of several.
use crate::backend;

/// The `f32` of the same value as the `f16` whose bits these are. Exact; NaN stays NaN.
#[inline(always)]
pub fn f16_to_f32(bits: u16) -> f32 {
    backend::f16_to_f32(bits)
}

/// The `f32` of the same value as the `bf16` whose bits these are. Exact; NaN stays NaN.
#[inline(always)]
pub fn bf16_to_f32(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

/// The greater of two values; NaN where either is one.
#[inline(always)]
pub fn f32_max_nan(a: f32, b: f32) -> f32 {
    backend::f32_max_nan(a, b)
}

/// Of each half the greater `f16`; NaN where either is one. Which zero it is of two unlike ones is
/// left open.
#[inline(always)]
pub fn f16x2_max_nan(a: u32, b: u32) -> u32 {
    backend::f16x2_max_nan(a, b)
}

/// Of each half the lesser `f16`; NaN only where both are. Zeros as in [`f16x2_max_nan`].
#[inline(always)]
pub fn f16x2_min(a: u32, b: u32) -> u32 {
    backend::f16x2_min(a, b)
}

/// [`f16x2_max_nan`] for `bf16`.
#[inline(always)]
pub fn bf16x2_max_nan(a: u32, b: u32) -> u32 {
    backend::bf16x2_max_nan(a, b)
}

/// [`f16x2_min`] for `bf16`.
#[inline(always)]
pub fn bf16x2_min(a: u32, b: u32) -> u32 {
    backend::bf16x2_min(a, b)
}

/// The pair operations where no instruction does them: half by half, exactly.
#[cfg(not(all(target_arch = "nvptx64", sm80)))]
pub(crate) mod pairs {
    /// Of each half the one that `first` names when it is shown both values.
    #[inline(always)]
    fn each(a: u32, b: u32, value: impl Fn(u16) -> f32, first: impl Fn(f32, f32) -> bool) -> u32 {
        let half = |shift: u32| {
            let (x, y) = ((a >> shift) as u16, (b >> shift) as u16);
            u32::from(if first(value(x), value(y)) { x } else { y }) << shift
        };
        half(0) | half(16)
    }

    #[inline(always)]
    pub fn max_nan(a: u32, b: u32, value: impl Fn(u16) -> f32) -> u32 {
        each(a, b, value, |x, y| x.is_nan() || x > y)
    }

    #[inline(always)]
    pub fn min(a: u32, b: u32, value: impl Fn(u16) -> f32) -> u32 {
        each(a, b, value, |x, y| y.is_nan() || x < y)
    }
}

#[cfg(all(test, not(target_arch = "nvptx64")))]
mod tests {
    use super::*;

    /// Every pair of a few values, in both halves: NaN wins the maximum and loses the minimum.
    #[test]
    fn pairs_pick_by_value_and_place() {
        let values = [f32::NEG_INFINITY, -2.0, -0.5, 0.25, 3.0, f32::INFINITY, f32::NAN];
        let bf16 = |v: f32| v.to_bits() >> 16;
        let is_nan = |bits: u32| bf16_to_f32(bits as u16).is_nan();
        for a in values {
            for b in values {
                let pair = |low, high| bf16(low) | bf16(high) << 16;
                let (x, y) = (pair(a, 1.0), pair(b, -1.0));
                let (most, least) = (bf16x2_max_nan(x, y), bf16x2_min(x, y));
                assert_eq!((most >> 16, least >> 16), (bf16(1.0), bf16(-1.0)), "{a} {b}");
                if a.is_nan() || b.is_nan() {
                    assert!(is_nan(most), "{a} {b}");
                } else {
                    assert_eq!(most & 0xffff, bf16(a.max(b)), "{a} {b}");
                }
                if a.is_nan() && b.is_nan() {
                    assert!(is_nan(least));
                } else {
                    assert_eq!(least & 0xffff, bf16(a.min(b)), "{a} {b}");
                }
                let most = f32_max_nan(a, b);
                assert_eq!(most.is_nan(), a.is_nan() || b.is_nan(), "{a} {b}");
            }
        }
        // 1.5 and -2.0 as f16, and a NaN.
        assert_eq!(f16x2_max_nan(0x3e00_c000, 0xc000_3e00), 0x3e00_3e00);
        assert_eq!(f16x2_min(0x7e00_c000, 0xc000_3e00), 0xc000_c000);
    }
}
