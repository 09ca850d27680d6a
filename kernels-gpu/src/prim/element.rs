//! The element types, as kernels handle them: raised to the upper end of a word, where one
//! arithmetic serves all ([`crate::order`]).
use cuda_std::Word;
use cuda_std::float::{bf16_to_f32, f16_to_f32, f32_to_f16};

use crate::order::{bits_of_key, key};
use crate::params::{Dtype, Flip};

/// An element type of the input.
pub trait Element {
    /// The element as it lies in memory.
    type Raw: Word;
    /// The type's name in the tables.
    const DTYPE: Dtype;
    /// Elements in 16 bytes.
    const PER_VECTOR: usize = Self::DTYPE.per_vector() as usize;

    /// Element `part` of a vector's words, in the upper end of a word.
    fn part(words: &[u32; 4], part: usize) -> u32;
    /// An element from memory, in the upper end of a word.
    fn raise(raw: Self::Raw) -> u32;
    /// The inverse of [`Element::raise`].
    fn lower(bits: u32) -> Self::Raw;
    /// The value as `f32`, exactly.
    fn value(bits: u32) -> f32;

    /// The element of this value, raised; exact for values that elements have.
    fn bits_of(value: f32) -> u32;

    /// A word of elements than which none is worse: `-inf`, or NaN where the smallest are wanted.
    #[inline(always)]
    fn worst(flip: Flip) -> u32 {
        let half = Self::DTYPE.infinity() | 0x8000_0000 | (flip.mask() & 0x0040_0000);
        if Self::PER_VECTOR == 8 { half | half >> 16 } else { half }
    }

    /// The value of places for which a row has no element: `-inf`, or `+inf` where the smallest are
    /// wanted.
    #[inline(always)]
    fn filler(flip: Flip) -> u32 {
        Self::DTYPE.infinity() | (!flip.mask() & 0x8000_0000)
    }

    /// The element's key.
    #[inline(always)]
    fn key(bits: u32) -> u32 {
        key(bits, Self::DTYPE.infinity())
    }
}

/// A value that every element with a key of at least `key` reaches or that is a NaN: what a quick
/// look compares with before the exact one. A NaN stands for "look at every element".
#[inline(always)]
pub fn value_of_key<E: Element>(key: u32) -> f32 {
    E::value(bits_of_key(key))
}

/// `f32` elements.
pub struct F32;
/// `f16` elements.
pub struct F16;
/// `bf16` elements.
pub struct Bf16;

impl Element for F32 {
    type Raw = u32;
    const DTYPE: Dtype = Dtype::F32;

    #[inline(always)]
    fn part(words: &[u32; 4], part: usize) -> u32 {
        words[part]
    }
    #[inline(always)]
    fn raise(raw: u32) -> u32 {
        raw
    }
    #[inline(always)]
    fn lower(bits: u32) -> u32 {
        bits
    }
    #[inline(always)]
    fn value(bits: u32) -> f32 {
        f32::from_bits(bits)
    }
    #[inline(always)]
    fn bits_of(value: f32) -> u32 {
        value.to_bits()
    }
}

/// The 16-bit types differ in how they become an `f32`.
macro_rules! half_element {
    ($($type:ty, $dtype:expr, $value:ident, $bits:expr;)*) => { $(
        impl Element for $type {
            type Raw = u16;
            const DTYPE: Dtype = $dtype;

            #[inline(always)]
            fn part(words: &[u32; 4], part: usize) -> u32 {
                // Little-endian: the even elements are the lower halves.
                let word = words[part / 2];
                if part % 2 == 0 { word << 16 } else { word & 0xffff_0000 }
            }
            #[inline(always)]
            fn raise(raw: u16) -> u32 {
                (raw as u32) << 16
            }
            #[inline(always)]
            fn lower(bits: u32) -> u16 {
                (bits >> 16) as u16
            }
            #[inline(always)]
            fn value(bits: u32) -> f32 {
                $value((bits >> 16) as u16)
            }
            #[inline(always)]
            fn bits_of(value: f32) -> u32 {
                ($bits)(value)
            }
        }
    )* };
}
half_element! {
    F16, Dtype::F16, f16_to_f32, |value| (f32_to_f16(value) as u32) << 16;
    Bf16, Dtype::Bf16, bf16_to_f32, |value: f32| value.to_bits() & 0xffff_0000;
}
