//! A whole row in a warp's registers, as it lies in memory: which of its elements reach a bound.
//!
//! A bound is a *step*: a key's significant bits. What a step means for floats is worked out once
//! ([`Floor`]); then it is one comparison an element, without a key.
use cuda_std::count::{mark_above_or_nan, mark_at_most};
use cuda_std::shared::SharedArray;
use cuda_std::unroll;
use cuda_std::warp::{
    FULL_MASK, WARP_SIZE, lane_id, sync_warp, warp_reduce_add, warp_shuffle_idx, warp_vote_ballot,
};

use super::element::{Element, value_of_key};
use super::rows::{Row, Unit};
use super::scan::warp_prefix_sum;
use crate::order::key;
use crate::params::Flip;

/// Vectors of a unit, of which a lane holds `B`.
const UNIT: usize = 8;
/// Groups of a lane's neighbouring vectors, of which the best elements are known.
pub const GROUPS: usize = 8;

/// Bits of a key that tell two elements apart are above these.
const fn insignificant<E: Element>() -> u32 {
    if E::PER_VECTOR == 8 { 16 } else { 0 }
}

/// The significant bits of a key, greater is better.
#[inline(always)]
pub fn step_of<E: Element>(key: u32) -> u32 {
    key >> insignificant::<E>()
}

/// Some of a lane's elements: bits of each unit's vectors, 32 to a word, and its stray one.
#[derive(Clone, Copy)]
pub struct Places<const B: usize> {
    words: [[u32; 2]; B],
    stray: bool,
}

impl<const B: usize> Places<B> {
    /// No element.
    pub const NONE: Self = Places { words: [[0; 2]; B], stray: false };

    /// How many this lane has.
    #[inline(always)]
    fn own_count(&self) -> u32 {
        let mut count = self.stray as u32;
        unroll!(b in B => {
            count += self.words[b][0].count_ones() + self.words[b][1].count_ones();
        });
        count
    }

    /// How many a warp has. For the lanes of a warp together.
    #[inline(always)]
    pub fn count(&self) -> u32 {
        warp_reduce_add(FULL_MASK, self.own_count())
    }

    /// These and others.
    #[inline(always)]
    pub fn with(&self, others: &Self) -> Self {
        let mut all = Places { stray: self.stray || others.stray, ..*self };
        unroll!(b in B => {
            unroll!(i in 2 => { all.words[b][i] |= others.words[b][i]; });
        });
        all
    }

    /// These, but for others.
    #[inline(always)]
    pub fn without(&self, others: &Self) -> Self {
        let mut rest = Places { stray: self.stray && !others.stray, ..*self };
        unroll!(b in B => {
            unroll!(i in 2 => { rest.words[b][i] &= !others.words[b][i]; });
        });
        rest
    }
}

/// A step as floats are compared with it.
#[derive(Clone, Copy)]
struct Floor {
    /// Where the greatest are wanted, what is not at most this reaches the step; else, what is at
    /// most this.
    edge: f32,
    /// Whether every element reaches it.
    is_all: bool,
}

impl Floor {
    #[inline(always)]
    fn new<E: Element>(step: u32, flip: Flip) -> Self {
        let infinity_key = key(E::DTYPE.infinity(), E::DTYPE.infinity());
        let own = step << insignificant::<E>() ^ flip.mask();
        // The low bits of negative elements' keys are ones.
        let is_negative = own >> 31 == 0;
        let low = (1 << insignificant::<E>()) - 1;
        let own = if is_negative { own | low } else { own & !low };
        let value = value_of_key::<E>(own);
        let edge = match flip {
            Flip::LARGEST if own > infinity_key => f32::INFINITY,
            Flip::LARGEST => value.next_down(),
            _ if own > infinity_key => f32::INFINITY,
            _ => value,
        };
        Floor { edge, is_all: step <= step_of::<E>(E::worst_key(flip)) }
    }
}

/// A row in a warp's registers: of each lane `B` units, and a stray element. Absent elements are
/// the worst there are.
pub struct HeldRow<'r, E: Element, const B: usize> {
    row: &'r Row<E>,
    units: [Unit<E, UNIT>; B],
    /// In the upper end of a word.
    stray: u32,
    is_stray: bool,
    /// Which end is wanted.
    pub flip: Flip,
}

impl<'r, E: Element, const B: usize> HeldRow<'r, E, B> {
    /// Reads a row of at most `B` units. For the lanes of a warp together.
    #[inline(always)]
    pub fn load(row: &'r Row<E>, flip: Flip) -> Self {
        const { assert!(B <= 4) };
        let end = row.vector_count();
        let mut units = [row.unit::<UNIT>(0, end, flip); B];
        unroll!(b in B => {
            if b > 0 {
                units[b] = row.unit(Self::first_vector(b), end, flip);
            }
        });
        let is_stray = lane_id() < row.stray_count();
        let mut stray = E::worst(flip) & 0xffff_0000;
        if is_stray {
            stray = row.element(row.stray_index(lane_id()));
        }
        HeldRow { row, units, stray, is_stray, flip }
    }

    /// The first vector of a unit.
    #[inline(always)]
    fn first_vector(unit: usize) -> u32 {
        (unit * UNIT) as u32 * WARP_SIZE
    }

    /// The best step of each group; that of the worst element where a group has none.
    #[inline(always)]
    pub fn group_steps(&self) -> [u32; GROUPS] {
        let mut steps = [0; GROUPS];
        unroll!(b in B => {
            let keys = self.units[b].best_keys(GROUPS / B);
            unroll!(i in GROUPS => {
                if i < GROUPS / B {
                    steps[b * (GROUPS / B) + i] = step_of::<E>(keys[i]);
                }
            });
        });
        if self.is_stray {
            steps[0] = steps[0].max(step_of::<E>(E::key(self.stray) ^ self.flip.mask()));
        }
        steps
    }

    /// The elements that reach a step, which is the same in all lanes.
    #[inline(always)]
    pub fn places_reaching(&self, step: u32) -> Places<B> {
        let Floor { edge, is_all } = Floor::new::<E>(step, self.flip);
        if is_all {
            return self.places();
        }
        match self.flip {
            Flip::LARGEST => {
                self.places_where(|mask, bit, x| mark_above_or_nan(mask, bit, x, edge))
            }
            _ => self.places_where(|mask, bit, x| mark_at_most(mask, bit, x, edge)),
        }
    }

    #[inline(always)]
    fn places_where(&self, mark: impl Fn(u32, u32, f32) -> u32) -> Places<B> {
        let mut words = [[0; 2]; B];
        unroll!(b in B => {
            unroll!(u in UNIT => {
                unroll!(part in E::PER_VECTOR => {
                    let place = u * E::PER_VECTOR + part;
                    let (word, bit) = (words[b][place / 32], 1 << (place % 32));
                    words[b][place / 32] = mark(word, bit, self.units[b].value(u, part));
                });
            });
        });
        Places { words, stray: self.is_stray && mark(0, 1, E::value(self.stray)) != 0 }
    }

    /// All elements.
    #[inline(always)]
    fn places(&self) -> Places<B> {
        let mut words = [[0; 2]; B];
        unroll!(b in B => {
            let bits = self.units[b].present() * E::PER_VECTOR as u32;
            let mask = if bits >= 64 { !0 } else { (1u64 << bits) - 1 };
            words[b] = [mask as u32, (mask >> 32) as u32];
        });
        Places { words, stray: self.is_stray }
    }

    /// The first `needed` of some elements, in the order of their indices. For the lanes of a warp
    /// together.
    #[inline(always)]
    pub fn first_of(&self, places: &Places<B>, needed: u32) -> Places<B> {
        let below = (1 << lane_id()) - 1;
        let is_head = lane_id() < self.row.head();
        let mut first = Places::NONE;
        let votes = warp_vote_ballot(FULL_MASK, places.stray && is_head);
        first.stray = places.stray && is_head && (votes & below).count_ones() < needed;
        let mut before = votes.count_ones();
        unroll!(b in B => {
            unroll!(u in UNIT => {
                let place = u * E::PER_VECTOR;
                let vector = (0xff >> (8 - E::PER_VECTOR)) << (place % 32);
                let mut mine = places.words[b][place / 32] & vector;
                let own = mine.count_ones();
                let through = warp_prefix_sum(own);
                let room = needed.saturating_sub(before + through - own);
                while mine.count_ones() > room {
                    // The last of the lane's.
                    mine ^= 1 << (31 - mine.leading_zeros());
                }
                first.words[b][place / 32] |= mine;
                before += warp_shuffle_idx(FULL_MASK, through, WARP_SIZE - 1);
            });
        });
        let votes = warp_vote_ballot(FULL_MASK, places.stray && !is_head);
        if places.stray && !is_head {
            first.stray = before + (votes & below).count_ones() < needed;
        }
        first
    }

    /// Lists the indices of elements one behind the other; how many there are. For the lanes of a
    /// warp together.
    #[inline(always)]
    pub fn list(&self, places: &Places<B>, list: SharedArray<u64>) -> u32 {
        let own = places.own_count();
        let through = warp_prefix_sum(own);
        let mut slot = through - own;
        if places.stray {
            list.set(slot, self.row.stray_index(lane_id()) as u64);
            slot += 1;
        }
        let width = E::PER_VECTOR as u32;
        unroll!(b in B => {
            unroll!(i in 2 => {
                let vector = Self::first_vector(b) + (i * 32) as u32 / width * WARP_SIZE;
                let index = self.row.index_of_vector(vector + lane_id());
                let mut left = places.words[b][i];
                while left != 0 {
                    let place = left.trailing_zeros();
                    let step = place / width * WARP_SIZE * width + place % width;
                    list.set(slot, (index + step) as u64);
                    left &= left - 1;
                    slot += 1;
                }
            });
        });
        // Separates the list from its reads by other lanes.
        sync_warp(FULL_MASK);
        warp_shuffle_idx(FULL_MASK, through, WARP_SIZE - 1)
    }
}
