//! Which elements of a row its filters keep: comparisons of floats, of which no NaN is kept.
use crate::order::{bits_of_key, index_of};
use crate::prim::element::Element;
use crate::sampling::filter::RowFilter;
use crate::sampling::nucleus::Nucleus;

/// The filters of a row, as bounds.
#[derive(Clone, Copy)]
pub struct Sieve {
    /// The row's greatest logit.
    greatest: f32,
    /// The least distance from it that min-p keeps.
    bound: f32,
    /// The least value that earlier filters keep.
    least: f32,
    /// The last index of that value that they keep.
    last: u32,
}

impl Sieve {
    /// That keeps everything.
    #[inline(always)]
    pub fn all() -> Sieve {
        const LEAST: f32 = f32::NEG_INFINITY;
        Sieve { greatest: f32::INFINITY, bound: LEAST, least: LEAST, last: u32::MAX }
    }

    /// Of `filter`'s min-p, and of earlier ones that keep what is at least the composite `cut`.
    #[inline(always)]
    pub fn new<E: Element>(filter: &RowFilter, cut: u64) -> Sieve {
        let (greatest, bound) = filter.min_p_bound();
        if cut == 0 {
            return Sieve { greatest, bound, ..Sieve::all() };
        }
        let least = E::value(bits_of_key((cut >> 32) as u32));
        Sieve { greatest, bound, least, last: index_of(cut) }
    }

    /// Of what weighs nothing for top-p: NaNs, and where min-p comes first what it turns away.
    #[inline(always)]
    pub fn before_top_p<E: Element>(nucleus: &Nucleus) -> Sieve {
        if nucleus.is_filtered() { Sieve::new::<E>(nucleus.filter(), 0) } else { Sieve::all() }
    }

    /// Whether an element with this value stays. Without branches: most of a row goes through it.
    #[inline(always)]
    pub fn keeps(&self, value: f32, index: u32) -> bool {
        let is_above = (value > self.least) | ((value == self.least) & (index <= self.last));
        is_above & self.is_near(value)
    }

    /// Whether any element may stay of which none is above `value`.
    #[inline(always)]
    pub fn may_keep(&self, value: f32) -> bool {
        value >= self.least && self.is_near(value)
    }

    /// Whether min-p keeps this value. What is infinitely great is equal to the greatest.
    #[inline(always)]
    fn is_near(&self, value: f32) -> bool {
        (value == self.greatest) | (value - self.greatest >= self.bound)
    }
}
