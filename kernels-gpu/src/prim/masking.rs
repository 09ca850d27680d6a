//! Elements of which a NaN counts as `-inf`: what sampling selects from. Only the greatest are ever
//! wanted of them.
use core::marker::PhantomData;

use super::element::Element;
use crate::params::{Dtype, Flip};
use crate::sampling::filter::masking_key;

/// The element type `E`, but that a NaN counts as `-inf`.
#[derive(Clone, Copy)]
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
    fn greatest(a: u32, b: u32) -> u32 {
        E::greatest(a, b)
    }
    #[inline(always)]
    fn least(a: u32, b: u32) -> u32 {
        E::least(a, b)
    }
    const MASKS_NAN: bool = true;
    #[inline(always)]
    fn value_or_nan(bits: u32) -> f32 {
        E::value(bits)
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
