//! Where a prefix of a row ends, found by one block: exactly, whatever the row holds.
//!
//! # Idea
//!
//! ```text
//! the least and the greatest key
//! for each digit of the items, which are key and index in one number, from the top:
//!     sum the masses by digit of the items that have the digits decided so far
//!     find the digit at which the mass reaches what is wanted
//! ```
use cuda_std::shared::SharedArray;
use cuda_std::thread::{sync_threads, thread_idx_x};
use cuda_std::warp::{FULL_MASK, WARP_SIZE, lane_id, warp_reduce_max, warp_reduce_min};

use super::draw::Running;
use super::piece::item_of;
use crate::order::{composite, index_of};
use crate::params::Flip;
use crate::prim::element::Element;
use crate::sampling::launch::{MASS_THREADS, WINDOW_BINS, WINDOW_INDEX_BITS};
use crate::sampling::nucleus::Nucleus;

/// Every bit of an index.
const INDEX_MASK: u32 = (1 << WINDOW_INDEX_BITS) - 1;

const _: () = assert!(WINDOW_BINS == MASS_THREADS, "a bin a thread");

/// Masses by bin: what comes first in the row's order is in bin 0.
#[derive(Clone, Copy)]
pub struct Bins {
    /// The lower halves, then the upper.
    pub words: SharedArray<u32>,
    /// As many masses as [`Running`] wants, and two more.
    pub scratch: SharedArray<u64>,
}

/// What lies at the place where the running mass of bins reaches what is wanted.
#[derive(Clone, Copy)]
pub struct Reached {
    /// The bin.
    pub bin: u32,
    /// What those before it weigh.
    pub before: u64,
}

impl Bins {
    /// Clears them. For all threads of the block together, behind a barrier; ends with one.
    #[inline(always)]
    pub fn clear(&self) {
        self.words.set(thread_idx_x(), 0);
        self.words.set(WINDOW_BINS + thread_idx_x(), 0);
        // Separates the cleared bins from the sums.
        sync_threads();
    }

    /// Adds to a bin.
    #[inline(always)]
    pub fn add(&self, bin: u32, mass: u64) {
        let before = self.words.fetch_add(bin, mass as u32);
        let carry = before.overflowing_add(mass as u32).1 as u32;
        let high = (mass >> 32) as u32 + carry;
        if high > 0 {
            self.words.add(bin + WINDOW_BINS, high);
        }
    }

    /// What a bin weighs.
    #[inline(always)]
    pub fn mass(&self, bin: u32) -> u64 {
        let (low, high) = (self.words.get(bin), self.words.get(WINDOW_BINS + bin));
        (high as u64) << 32 | low as u64
    }

    /// The bin at which the running mass reaches what is wanted of all; none where all weigh less.
    /// For all threads of the block together; the same in all of them.
    #[inline(always)]
    pub fn find(&self, wanted: u64) -> Option<Reached> {
        let bin = thread_idx_x();
        // Separates the sums from their reads, and earlier uses of the scratch memory from this.
        sync_threads();
        let running = Running::new(self.scratch, 0, self.mass(bin));
        let found = self.scratch.at(MASS_THREADS / WARP_SIZE);
        if running.reaches(wanted) {
            found.set(0, bin as u64);
            found.set(1, running.before());
        }
        // Separates what was found from its use.
        sync_threads();
        if wanted > running.total {
            return None;
        }
        Some(Reached { bin: found.get(0) as u32, before: found.get(1) })
    }
}

/// Some of a row's elements.
pub trait Elements {
    /// Calls `f` with index and bits of each of this thread's.
    fn each(&self, f: impl FnMut(u32, u32));
}

/// The composite at which the running mass of the elements, best first, reaches what is `wanted`,
/// at least 1; none where all have less. For all threads of the block together; the same in all of
/// them.
#[inline(always)]
pub fn block_descend<E: Element>(
    elements: &impl Elements,
    range: Range,
    bins: &Bins,
    nucleus: &Nucleus,
    wanted: u64,
) -> Option<u64> {
    let Range { mut base, mut top } = range;
    let mut left = wanted;
    while top > 0 {
        let shift = top.saturating_sub(WINDOW_BINS.trailing_zeros());
        // Separates the last use of the bins from their new values.
        sync_threads();
        bins.clear();
        // Equals follow one another: they are weighed once, and their sum is added at once.
        let (mut bin, mut sum) = (0, 0);
        let (mut weighed, mut mass) = (0, nucleus.mass(E::value(0)));
        elements.each(|index, bits| {
            let at = number::<E>(index, bits).wrapping_sub(base);
            if at >> top == 0 {
                let own = WINDOW_BINS - 1 - (at >> shift) as u32;
                if own != bin && sum > 0 {
                    bins.add(bin, sum);
                    sum = 0;
                }
                if bits != weighed {
                    (weighed, mass) = (bits, nucleus.mass(E::value(bits)));
                }
                bin = own;
                sum += mass;
            }
        });
        if sum > 0 {
            bins.add(bin, sum);
        }
        let Reached { bin, before } = bins.find(left)?;
        left -= before;
        base += ((WINDOW_BINS - 1 - bin) as u64) << shift;
        top = shift;
    }
    Some(composite_of::<E>(base))
}

/// The numbers of some elements' items.
#[derive(Clone, Copy)]
pub struct Range {
    /// At most the least.
    base: u64,
    /// The bits in which others are above it.
    top: u32,
}

impl Range {
    /// Of these elements. For all threads of the block together; the same in all of them.
    #[inline(always)]
    pub fn of<E: Element>(elements: &impl Elements, scratch: SharedArray<u64>) -> Range {
        let (mut least, mut most) = (u32::MAX, 0);
        elements.each(|index, bits| {
            let key = (number::<E>(index, bits) >> WINDOW_INDEX_BITS) as u32;
            if E::value(bits) > f32::NEG_INFINITY {
                (least, most) = (least.min(key), most.max(key));
            }
        });
        (least, most) = (warp_reduce_min(FULL_MASK, least), warp_reduce_max(FULL_MASK, most));
        // Separates the last use of the scratch memory from its new values.
        sync_threads();
        if lane_id() == 0 {
            scratch.set(thread_idx_x() / WARP_SIZE, (least as u64) << 32 | most as u64);
        }
        // Separates the warps' ranges from their use.
        sync_threads();
        let mut warp = 0;
        while warp < MASS_THREADS / WARP_SIZE {
            let range = scratch.get(warp);
            (least, most) = (least.min((range >> 32) as u32), most.max(range as u32));
            warp += 1;
        }
        let last = (most.saturating_sub(least) as u64) << WINDOW_INDEX_BITS | INDEX_MASK as u64;
        Range { base: (least as u64) << WINDOW_INDEX_BITS, top: 64 - last.leading_zeros() }
    }

    /// The bits of all elements, if they are equal.
    #[inline(always)]
    pub fn only<E: Element>(&self) -> Option<u32> {
        let is_one = self.top <= WINDOW_INDEX_BITS;
        is_one.then(|| element_of(composite_of::<E>(self.base)).1)
    }
}

/// From here on the keys of a type differ.
const fn key_shift<E: Element>() -> u32 {
    if E::PER_VECTOR == 8 { 16 } else { 0 }
}

/// An item as a number of few bits: greater is better.
#[inline(always)]
fn number<E: Element>(index: u32, bits: u32) -> u64 {
    let (_, item) = item_of::<E>(index, bits);
    item >> (32 + key_shift::<E>()) << WINDOW_INDEX_BITS | (INDEX_MASK - index) as u64
}

/// The composite of such a number.
#[inline(always)]
fn composite_of<E: Element>(number: u64) -> u64 {
    let shift = key_shift::<E>();
    let key = (number >> WINDOW_INDEX_BITS) as u32;
    // What is below a key of 16 bits is 0 in those of positive elements, and ones in the others.
    let below = if key >> (31 - shift) == 0 { (1 << shift) - 1 } else { 0 };
    composite(key << shift | below, INDEX_MASK - (number as u32 & INDEX_MASK), Flip::LARGEST)
}

/// The bits of a composite's element, and its index.
#[inline(always)]
pub fn element_of(item: u64) -> (u32, u32) {
    (index_of(item), crate::order::bits_of_key((item >> 32) as u32))
}
