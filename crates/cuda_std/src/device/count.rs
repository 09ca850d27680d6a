//! Counting, marking or summing for which of several numbers stand above another, in two instructions
//! each.
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

/// The same word, of which the compiler knows nothing: what is worked out of it is worked out
/// again rather than kept in a register.
#[inline(always)]
pub fn opaque(word: u32) -> u32 {
    backend::opaque(word)
}
