//! Counting, marking or summing for which of several numbers stand above another, in two
//! instructions each.
//!
//! A *tally* counts elements that lie in words, in their own arithmetic: so two 16-bit elements are
//! compared and counted at once, each half of the words for itself. It starts at a number of which
//! the last bit is worth 1, so that the count is read off its bits; of `bf16` each half may count
//! up to 127.
use crate::backend;

/// `count`, and one more where `a >= b`.
#[inline(always)]
pub fn count_at_least(count: u32, a: u32, b: u32) -> u32 {
    backend::count_at_least(count, a, b)
}

/// `count`, and one more where `a > b`.
#[inline(always)]
pub fn count_above(count: u32, a: u64, b: u64) -> u32 {
    backend::count_above(count, a, b)
}

/// `mask`, and `bit` too where `a > b` or one of them is a NaN.
#[inline(always)]
pub fn mark_above_or_nan(mask: u32, bit: u32, a: f32, b: f32) -> u32 {
    backend::mark_above_or_nan(mask, bit, a, b)
}

/// `mask`, and `bit` too where `a <= b`.
#[inline(always)]
pub fn mark_at_most(mask: u32, bit: u32, a: f32, b: f32) -> u32 {
    backend::mark_at_most(mask, bit, a, b)
}

/// `mask`, and `bit` too unless `a < b`: where one of them is a NaN, too.
#[inline(always)]
pub fn mark_not_below(mask: u32, bit: u32, a: f32, b: f32) -> u32 {
    backend::mark_not_below(mask, bit, a, b)
}

/// `mask`, and `bit` too unless `a > b`: where one of them is a NaN, too.
#[inline(always)]
pub fn mark_not_above(mask: u32, bit: u32, a: f32, b: f32) -> u32 {
    backend::mark_not_above(mask, bit, a, b)
}

/// `sum`, and `word` too unless `a < b`: where one of them is a NaN, too. The sum wraps.
#[inline(always)]
pub fn add_not_below(sum: u32, word: u32, a: f32, b: f32) -> u32 {
    backend::add_not_below(sum, word, a, b)
}

/// One type's tally.
macro_rules! tally {
    ($($element:literal: $start:ident = $bits:literal, $above:ident, $at_most:ident;)*) => { $(
        #[doc = concat!("A tally of ", $element, " that has counted nothing.")]
        pub const $start: u32 = $bits;

        #[doc = concat!("`tally`, and one more for each ", $element, " in `a` that is greater than \
                         the one in `b`, or where one of them is a NaN.")]
        #[inline(always)]
        pub fn $above(tally: u32, a: u32, b: u32) -> u32 {
            backend::$above(tally, a, b)
        }

        #[doc = concat!("`tally`, and one more for each ", $element, " in `a` that is at most the \
                         one in `b`.")]
        #[inline(always)]
        pub fn $at_most(tally: u32, a: u32, b: u32) -> u32 {
            backend::$at_most(tally, a, b)
        }
    )* };
}
tally! {
    "`f32`": F32_TALLY = 0x4b00_0000, tally_f32_above_or_nan, tally_f32_at_most;
    "`f16`": F16_TALLY = 0x6400_6400, tally_f16_above_or_nan, tally_f16_at_most;
    "`bf16`": BF16_TALLY = 0x4300_4300, tally_bf16_above_or_nan, tally_bf16_at_most;
}

/// How many a tally of 16-bit elements has counted, in both halves, since it was `start`.
#[inline(always)]
pub fn tallied_halves(tally: u32, start: u32) -> u32 {
    let counts = tally - start;
    (counts & 0xffff) + (counts >> 16)
}

/// The same word, of which the compiler knows nothing: what is worked out of it is worked out
/// again rather than kept in a register.
#[inline(always)]
pub fn opaque(word: u32) -> u32 {
    backend::opaque(word)
}

/// The tallies of 16-bit elements where no instruction compares two at once: a number in each half.
#[cfg(not(all(target_arch = "nvptx64", sm90)))]
pub(crate) mod halves {
    #[inline(always)]
    fn tally(tally: u32, a: u32, b: u32, counts: impl Fn(u16, u16) -> bool) -> u32 {
        let half =
            |shift: u32| u32::from(counts((a >> shift) as u16, (b >> shift) as u16)) << shift;
        tally + half(0) + half(16)
    }

    #[inline(always)]
    pub fn above_or_nan(total: u32, a: u32, b: u32, value: impl Fn(u16) -> f32) -> u32 {
        tally(total, a, b, |a, b| {
            let (a, b) = (value(a), value(b));
            a > b || a.is_nan() || b.is_nan()
        })
    }

    #[inline(always)]
    pub fn at_most(total: u32, a: u32, b: u32, value: impl Fn(u16) -> f32) -> u32 {
        tally(total, a, b, |a, b| value(a) <= value(b))
    }
}

#[cfg(all(test, not(target_arch = "nvptx64")))]
mod tests {
    use super::*;

    /// Of both halves; a NaN is above everything, and nothing is at most it.
    #[test]
    fn tallies_count_both_halves() {
        const NAN: u32 = 0x7fc0;
        const ONE: u32 = 0x3f80;
        const TWO: u32 = 0x4000;
        let edge = ONE | ONE << 16;
        let words = [TWO | ONE << 16, ONE | NAN << 16, NAN | TWO << 16, ONE | ONE << 16];
        let (mut above, mut at_most) = (BF16_TALLY, BF16_TALLY);
        for word in words {
            above = tally_bf16_above_or_nan(above, word, edge);
            at_most = tally_bf16_at_most(at_most, word, edge);
        }
        let counts = [above, at_most].map(|tally| tallied_halves(tally, BF16_TALLY));
        assert_eq!(counts, [4, 4]);
    }
}
