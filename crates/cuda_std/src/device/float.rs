//! Conversions between the 16-bit float formats and `f32`.
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

/// The `f16` nearest to a value, ties to even, as bits. Exact for what came from an `f16`.
#[inline(always)]
pub fn f32_to_f16(value: f32) -> u16 {
    backend::f32_to_f16(value)
}
