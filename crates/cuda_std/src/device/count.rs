//! Counting how many of several numbers stand above another, in two instructions each.
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
