//! Elements as a block counts and orders them that holds a row in its registers: two of 16 bits an
//! instruction, and one of them with its index in a word of 32 bits.
use cuda_std::Word;
use cuda_std::count::{
    BF16_TALLY, F16_TALLY, F32_TALLY, tallied_halves, tally_bf16_above_or_nan, tally_bf16_at_most,
    tally_f16_above_or_nan, tally_f16_at_most, tally_f32_above_or_nan, tally_f32_at_most,
};
use cuda_std::shared::SharedArray;

use super::answer::unhalved;
use super::element::{Bf16, Element, F16, F32, place_on_line};
use super::warp_sort::Item;
use crate::order::composite;
use crate::params::{Flip, Order};

/// Elements of rows, or of a block's part of one, of about 2^15 at most: an index, counted from the
/// part's start, has 16 bits, of which the complement is not 0.
pub trait Compact: Element {
    /// An element and its index.
    type Packed: Item + Word + Default;

    /// Puts an element, which lies in the upper end of a word, and its index' complement into the
    /// first place of an array.
    fn put(place: SharedArray<Self::Packed>, bits: u32, complement: u32);
    /// What is packed, such that greater comes first; never 0.
    fn ordered(packed: Self::Packed, flip: Flip, order: Order) -> Self::Packed;
    /// The place on a line of what is ordered best first, of a row of at most `n` elements: no
    /// greater item has less.
    fn line(ordered: Self::Packed, n: u32) -> u32;
    /// The value that such a place stands for, or minus that where the least are wanted: a finite
    /// number.
    #[inline(always)]
    fn value_of_line(line: u32, flip: Flip) -> f32 {
        // The index makes no value of one that has none.
        let line = if Self::PER_VECTOR == 8 { line & 0xffff_0000 } else { line };
        let value = place_on_line::<Self>(line ^ flip.mask());
        if flip == Flip::LARGEST { value } else { -value }
    }
    /// What is ordered best first, ordered by index.
    fn by_index(ordered: Self::Packed) -> Self::Packed;
    /// What is worse than elements equal to that of a best first `ordered`, whatever their index,
    /// and better than all that are worse.
    fn behind_equals(ordered: Self::Packed) -> Self::Packed;
    /// What is not worse than elements equal to that of a best first `ordered`, whatever their
    /// index, and worse than all that are better.
    fn before_equals(ordered: Self::Packed) -> Self::Packed;
    /// The composite of what [`Compact::ordered`] gave.
    fn composite_of(ordered: Self::Packed, flip: Flip, order: Order) -> u64;

    /// An element, which lies in the upper end of a word, as words of elements are compared with.
    fn edge(bits: u32) -> u32;
    /// A tally that has counted nothing.
    const TALLY: u32;
    /// Tallies a word's elements that are above the edge, or NaN.
    fn tally_above_or_nan(tally: u32, word: u32, edge: u32) -> u32;
    /// Tallies a word's elements that are at most the edge.
    fn tally_at_most(tally: u32, word: u32, edge: u32) -> u32;
    /// How many were tallied.
    fn tallied(tally: u32) -> u32;
}

impl Compact for F32 {
    type Packed = u64;
    const TALLY: u32 = F32_TALLY;

    #[inline(always)]
    fn put(place: SharedArray<u64>, bits: u32, complement: u32) {
        place.set_words(0, [complement, bits]);
    }
    #[inline(always)]
    fn ordered(packed: u64, flip: Flip, order: Order) -> u64 {
        let item = composite(Self::key((packed >> 32) as u32), !(packed as u32), flip);
        match order {
            Order::Best => item,
            Order::Index => Self::by_index(item),
        }
    }
    #[inline(always)]
    fn line(ordered: u64, _n: u32) -> u32 {
        (ordered >> 32) as u32
    }
    #[inline(always)]
    fn by_index(ordered: u64) -> u64 {
        ordered.rotate_left(32)
    }
    #[inline(always)]
    fn behind_equals(ordered: u64) -> u64 {
        ordered & !0xffff_ffff
    }
    #[inline(always)]
    fn before_equals(ordered: u64) -> u64 {
        ordered | 0xffff_ffff
    }
    #[inline(always)]
    fn composite_of(ordered: u64, _flip: Flip, order: Order) -> u64 {
        match order {
            Order::Best => ordered,
            Order::Index => ordered.rotate_left(32),
        }
    }
    #[inline(always)]
    fn edge(bits: u32) -> u32 {
        bits
    }
    #[inline(always)]
    fn tally_above_or_nan(tally: u32, word: u32, edge: u32) -> u32 {
        tally_f32_above_or_nan(tally, word, edge)
    }
    #[inline(always)]
    fn tally_at_most(tally: u32, word: u32, edge: u32) -> u32 {
        tally_f32_at_most(tally, word, edge)
    }
    #[inline(always)]
    fn tallied(tally: u32) -> u32 {
        tally - F32_TALLY
    }
}

/// The 16-bit types differ in their tallies.
macro_rules! compact_half {
    ($($type:ty, $start:ident, $above:ident, $at_most:ident;)*) => { $(
        impl Compact for $type {
            type Packed = u32;
            const TALLY: u32 = $start;

            #[inline(always)]
            fn put(place: SharedArray<u32>, bits: u32, complement: u32) {
                place.set(0, bits & 0xffff_0000 | complement & 0xffff);
            }
            #[inline(always)]
            fn ordered(packed: u32, flip: Flip, order: Order) -> u32 {
                let key = Self::key(packed & 0xffff_0000) ^ flip.mask();
                let half = key & 0xffff_0000 | packed & 0xffff;
                match order {
                    Order::Best => half,
                    Order::Index => Self::by_index(half),
                }
            }
            #[inline(always)]
            fn line(ordered: u32, n: u32) -> u32 {
                // Many are equal: their places behind the row's end take all of the lower half.
                let rest = ordered.wrapping_add(n) & 0xffff;
                ordered & 0xffff_0000 | rest << (n.leading_zeros() - 16)
            }
            #[inline(always)]
            fn by_index(ordered: u32) -> u32 {
                ordered.rotate_left(16)
            }
            #[inline(always)]
            fn behind_equals(ordered: u32) -> u32 {
                ordered & 0xffff_0000
            }
            #[inline(always)]
            fn before_equals(ordered: u32) -> u32 {
                ordered | 0xffff
            }
            #[inline(always)]
            fn composite_of(ordered: u32, flip: Flip, order: Order) -> u64 {
                match order {
                    Order::Best => unhalved(ordered, flip),
                    Order::Index => unhalved(ordered.rotate_left(16), flip),
                }
            }
            #[inline(always)]
            fn edge(bits: u32) -> u32 {
                bits & 0xffff_0000 | bits >> 16
            }
            #[inline(always)]
            fn tally_above_or_nan(tally: u32, word: u32, edge: u32) -> u32 {
                $above(tally, word, edge)
            }
            #[inline(always)]
            fn tally_at_most(tally: u32, word: u32, edge: u32) -> u32 {
                $at_most(tally, word, edge)
            }
            #[inline(always)]
            fn tallied(tally: u32) -> u32 {
                tallied_halves(tally, $start)
            }
        }
    )* };
}
compact_half! {
    F16, F16_TALLY, tally_f16_above_or_nan, tally_f16_at_most;
    Bf16, BF16_TALLY, tally_bf16_above_or_nan, tally_bf16_at_most;
}
