//! Elements of which a NaN counts as `-inf`: what sampling selects from.
use core::marker::PhantomData;

use super::element::Element;
use crate::params::{Dtype, Flip};
use crate::sampling::filter::masking_key;

/// The element type `E`, but that a NaN counts as `-inf`.
pub struct Masking<E>(PhantomData<E>);

impl<E: Element> Element for Masking<E> {
    type Raw = E::Raw;
    const DTYPE: Dtype = E::DTYPE;

    #[inline(always)]
    fn part(words: &[u32; 4], part: usize) -> u32 {
        E::part(words, part)
    }
    #[inline(always)]
    fn raise(raw: E::Raw) -> u32 {
        E::raise(raw)
    }
    #[inline(always)]
    fn lower(bits: u32) -> E::Raw {
        E::lower(bits)
    }
    #[inline(always)]
    fn value(bits: u32) -> f32 {
        // The greater of two, of which a NaN is never one.
        E::value(bits).max(f32::NEG_INFINITY)
    }
    #[inline(always)]
    fn bits_of(value: f32) -> u32 {
        E::bits_of(value)
    }
    #[inline(always)]
    fn worst(flip: Flip) -> u32 {
        E::worst(flip)
    }
    #[inline(always)]
    fn key(bits: u32) -> u32 {
        masking_key(bits, Self::DTYPE.infinity())
    }
}
