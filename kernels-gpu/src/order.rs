//! The total order: how an element becomes a key, and key and index a composite. Pure arithmetic,
//! used by the kernels and by the CPU path alike.
//!
//! Floats are sign and magnitude; flipping the sign bit of the positive and every bit of the
//! negative makes them sort as unsigned integers. Two corrections make the contract's order: every
//! NaN gets the greatest key, and `-0.0` the key of `+0.0`. A 16-bit element is handled in the
//! upper half of a word, where the same arithmetic holds.
//!
//! A composite is `key << 32 | !index`: greater key first, and among equals the lower index. No two
//! composites of a row are equal, so "the best k" is one set, whoever looks for it and in which
//! order: that is why every backend gives the same answer bit for bit.
//!
//! # Source
//! The key is the usual radix-sort transform of IEEE 754 floats (M. Herf, "Radix tricks", 2001).
use crate::params::Flip;

/// The key of every NaN, greater than that of `+inf`.
pub const NAN_KEY: u32 = u32::MAX;
/// The key of both zeros.
pub const ZERO_KEY: u32 = 0x8000_0000;

/// The key of an element: sorts as the contract says, greatest last. `bits` and `infinity` (the
/// type's `+inf`) stand in the upper end of a word.
#[inline(always)]
pub const fn key(bits: u32, infinity: u32) -> u32 {
    if bits & 0x7fff_ffff > infinity {
        return NAN_KEY;
    }
    // Makes one of the two zeros, and leaves every other number as it is, of 16 bits too: read as
    // `f32`, none of them is a NaN.
    let bits = (f32::from_bits(bits) + 0.0).to_bits();
    bits ^ ((bits.cast_signed() >> 31).cast_unsigned() | 0x8000_0000)
}

/// The inverse of [`key`], but for zeros and NaNs, of which it gives one.
#[inline(always)]
pub const fn bits_of_key(key: u32) -> u32 {
    key ^ (!(key.cast_signed() >> 31).cast_unsigned() | 0x8000_0000)
}

/// The element that has this key, where only one has: neither a zero nor a NaN.
#[inline(always)]
pub const fn unique_bits(key: u32) -> Option<u32> {
    match key {
        NAN_KEY | ZERO_KEY => None,
        _ => Some(bits_of_key(key)),
    }
}

/// Key and index of an element in one word: larger is better.
#[inline(always)]
pub const fn composite(key: u32, index: u32, flip: Flip) -> u64 {
    ((key ^ flip.mask()) as u64) << 32 | !index as u64
}

/// The key in a composite.
#[inline(always)]
pub const fn key_of(composite: u64, flip: Flip) -> u32 {
    (composite >> 32) as u32 ^ flip.mask()
}

/// The index in a composite.
#[inline(always)]
pub const fn index_of(composite: u64) -> u32 {
    !(composite as u32)
}

/// A place without an element, worse than every element. Indices are below 2^31, so an element's
/// composite has bit 31 set and these have not; each `slot` gives another one, so that composites
/// stay distinct.
#[inline(always)]
pub const fn empty(slot: u32) -> u64 {
    slot as u64
}

/// Whether a composite stands for no element: its index would be 2^31 or more.
#[inline(always)]
pub const fn is_empty(composite: u64) -> bool {
    composite & 0x8000_0000 == 0
}
