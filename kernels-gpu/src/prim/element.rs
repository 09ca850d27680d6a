//! The element types, as kernels handle them: raised to the upper end of a word, where one
//! arithmetic serves all ([`crate::order`]).
use cuda_std::Word;
use cuda_std::float::{
    bf16_to_f32, bf16x2_max_nan, bf16x2_min, f16_to_f32, f16x2_max_nan, f16x2_min, f32_max_nan,
};

use crate::order::{bits_of_key, key};
use crate::params::{Dtype, Flip};

/// An element type of the input.
pub trait Element: Copy {
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
    /// Whether a NaN counts as `-inf`, so that a unit's best is among its numbers.
    const MASKS_NAN: bool = false;
    /// The value as `f32`; of a NaN a NaN, whatever it counts as.
    #[inline(always)]
    fn value_or_nan(bits: u32) -> f32 {
        Self::value(bits)
    }

    /// The greatest of each place of two words of elements; NaN is greatest.
    fn greatest(a: u32, b: u32) -> u32;
    /// The least of each place of two words of elements; NaN is greatest.
    fn least(a: u32, b: u32) -> u32;

    /// Whether one of a word's elements is a NaN.
    #[inline(always)]
    fn holds_nan(word: u32) -> bool {
        let is_nan = |bits| Self::value_or_nan(bits).is_nan();
        let (first, second) = (Self::part(&[word; 4], 0), Self::part(&[word; 4], 1));
        is_nan(first) || Self::PER_VECTOR == 8 && is_nan(second)
    }

    /// A word of elements, `-inf` in place of its NaNs.
    #[inline(always)]
    fn without_nans(word: u32) -> u32 {
        let infinity = Self::DTYPE.infinity();
        let is_nan = |bits: u32| bits & 0x7fff_ffff > infinity;
        let masked = |bits| if is_nan(bits) { infinity | 0x8000_0000 } else { bits };
        if Self::PER_VECTOR == 8 {
            masked(word & 0xffff_0000) | masked(word << 16) >> 16
        } else {
            masked(word)
        }
    }

    /// The best key of a word's elements; greater is better.
    #[inline(always)]
    fn best_key(word: u32, flip: Flip) -> u32 {
        let key = |word: u32| Self::key(word) ^ flip.mask();
        if Self::PER_VECTOR == 8 { key(word & 0xffff_0000).max(key(word << 16)) } else { key(word) }
    }

    /// A word of elements than which none is worse: `-inf`, or NaN where the smallest are wanted.
    #[inline(always)]
    fn worst(flip: Flip) -> u32 {
        let half = Self::DTYPE.infinity() | 0x8000_0000 | (flip.mask() & 0x0040_0000);
        if Self::PER_VECTOR == 8 { half | half >> 16 } else { half }
    }

    /// The best key of such a word.
    #[inline(always)]
    fn worst_key(flip: Flip) -> u32 {
        Self::best_key(Self::worst(flip), flip)
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

/// Where a key stands on the line from the least to the greatest value: a finite number that no
/// greater key has less of.
#[inline(always)]
#[allow(clippy::manual_clamp)] // `clamp` may panic, as far as the compiler knows
pub fn place_on_line<E: Element>(key: u32) -> f32 {
    const END: f32 = f32::MAX / 4.0;
    let value = value_of_key::<E>(key);
    if value.is_nan() { END } else { value.max(-END).min(END) }
}

/// `f32` elements.
#[derive(Clone, Copy)]
pub struct F32;
/// `f16` elements.
#[derive(Clone, Copy)]
pub struct F16;
/// `bf16` elements.
#[derive(Clone, Copy)]
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
    fn greatest(a: u32, b: u32) -> u32 {
        f32_max_nan(f32::from_bits(a), f32::from_bits(b)).to_bits()
    }
    #[inline(always)]
    fn least(a: u32, b: u32) -> u32 {
        f32::from_bits(a).min(f32::from_bits(b)).to_bits()
    }
}

/// The 16-bit types differ in how they become an `f32`.
macro_rules! half_element {
    ($($type:ty, $dtype:expr, $value:ident, $greatest:ident, $least:ident;)*) => { $(
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
            fn greatest(a: u32, b: u32) -> u32 {
                $greatest(a, b)
            }
            #[inline(always)]
            fn least(a: u32, b: u32) -> u32 {
                $least(a, b)
            }
        }
    )* };
}
half_element! {
    F16, Dtype::F16, f16_to_f32, f16x2_max_nan, f16x2_min;
    Bf16, Dtype::Bf16, bf16_to_f32, bf16x2_max_nan, bf16x2_min;
}
