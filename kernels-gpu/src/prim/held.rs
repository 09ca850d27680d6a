//! A row in a warp's registers, or a warp's part of it, as it lies in memory: which of its elements
//! reach a bound.
//!
//! A bound is a *step*: a key's significant bits. What a step means for floats is worked out once
//! ([`Floor`]); then it is one comparison an element, without a key.
use cuda_std::Word;
use cuda_std::count::{mark_above_or_nan, mark_at_most};
use cuda_std::shared::SharedArray;
use cuda_std::unroll;
use cuda_std::warp::{
    FULL_MASK, WARP_SIZE, lane_id, sync_warp, warp_reduce_add, warp_shuffle_idx, warp_vote_ballot,
};

use super::compact::Compact;
use super::element::Element;
use super::rows::{Row, Unit};
use super::scan::warp_prefix_sum;
use crate::order::{ZERO_KEY, bits_of_key, key};
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
    pub fn own_count(&self) -> u32 {
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

    /// Whether an element of the units, by its place among the lane's, is one.
    #[inline(always)]
    fn has(&self, place: usize) -> bool {
        let (unit, place) = (place / (8 * UNIT), place % (8 * UNIT));
        self.words[unit][place / 32] >> (place % 32) & 1 != 0
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

/// A step as elements are compared with it.
#[derive(Clone, Copy)]
struct Floor {
    /// An element, in the upper end of a word. Where the greatest are wanted, what is not at most
    /// this reaches the step; else, what is at most this.
    edge: u32,
    /// Whether every element reaches it.
    is_all: bool,
}

impl Floor {
    #[inline(always)]
    fn new<E: Element>(step: u32, flip: Flip) -> Self {
        let infinity = step_of::<E>(key(E::DTYPE.infinity(), E::DTYPE.infinity()));
        let zero = step_of::<E>(ZERO_KEY);
        let own = step ^ step_of::<E>(flip.mask());
        let mut last = if flip == Flip::LARGEST { own.wrapping_sub(1) } else { own };
        if last == zero - 1 {
            // No element has this key: it would be that of the negative zero.
            last -= 1;
        }
        let edge = bits_of_key(last.min(infinity) << insignificant::<E>());
        Floor { edge, is_all: step <= step_of::<E>(E::worst_key(flip)) }
    }
}

/// Which part of a row a warp holds.
#[derive(Clone, Copy)]
pub struct HeldPart {
    /// Its first vector.
    pub first: u32,
    /// The first vector behind it; the row may end before.
    pub end: u32,
    /// The element from which on a block counts indices.
    pub start: u32,
    /// Whether it has the elements before the row's first vector.
    pub has_head: bool,
    /// Whether it has the elements behind the row's last vector.
    pub has_tail: bool,
}

impl HeldPart {
    /// All of it.
    pub const WHOLE: Self =
        HeldPart { first: 0, end: u32::MAX, start: 0, has_head: true, has_tail: true };
}

/// A row, or a part of it, in a warp's registers: of each lane `B` units, and a stray element.
/// Absent elements are the worst there are.
pub struct HeldRow<'r, E: Element, const B: usize> {
    row: &'r Row<E>,
    /// The first vector, and the first behind the last.
    first: u32,
    end: u32,
    /// What indices are counted from where a block puts its elements together.
    start: u32,
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
        Self::load_part(row, HeldPart::WHOLE, flip)
    }

    /// Reads the `B` units that start at a part's first vector, as far as it and the row go. For
    /// the lanes of a warp together.
    #[inline(always)]
    pub fn load_part(row: &'r Row<E>, part: HeldPart, flip: Flip) -> Self {
        const { assert!(B <= 4) };
        let (first, end) = (part.first, row.vector_count().min(part.end));
        let mut units = [row.unit::<UNIT>(first, end, flip); B];
        unroll!(b in B => {
            if b > 0 {
                units[b] = row.unit(first + Self::vectors_before(b), end, flip);
            }
        });
        let is_head = lane_id() < row.head();
        let has_its = if is_head { part.has_head } else { part.has_tail };
        let is_stray = has_its && lane_id() < row.stray_count();
        let mut stray = E::worst(flip) & 0xffff_0000;
        if is_stray {
            stray = row.element(row.stray_index(lane_id()));
        }
        HeldRow { row, first, end, start: part.start, units, stray, is_stray, flip }
    }

    /// Reads one vector a place of one unit, those of these numbers, which the row has: elements
    /// that have no index.
    #[inline(always)]
    pub fn load_at(row: &'r Row<E>, flip: Flip, number: impl Fn(usize) -> u32) -> Self {
        let units = [row.unit_at::<UNIT>(flip, number); B];
        let (stray, is_stray, end) = (E::worst(flip), false, row.vector_count());
        HeldRow { row, first: 0, end, start: 0, units, stray, is_stray, flip }
    }

    /// The best keys of so many groups of as many of the first unit's vectors, a power of two.
    #[inline(always)]
    pub fn best_keys(&self, groups: usize) -> [u32; GROUPS] {
        self.units[0].best_keys(groups)
    }

    /// Makes `-inf` of the lane's NaNs; whether there are any.
    #[inline(always)]
    pub fn mask_nans(&mut self) -> bool {
        let mut has_nan = E::holds_nan(self.stray);
        self.stray = E::without_nans(self.stray);
        unroll!(b in B => { has_nan |= self.units[b].mask_nans(); });
        has_nan
    }

    /// Vectors of the units before this one.
    #[inline(always)]
    fn vectors_before(unit: usize) -> u32 {
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
        let edge = E::value(edge);
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
                let before = Self::vectors_before(b) + (i * 32) as u32 / width * WARP_SIZE;
                let index = self.row.index_of_vector(self.first + before + lane_id());
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

/// What a block does that holds a row.
impl<E: Compact, const B: usize> HeldRow<'_, E, B> {
    /// How many of the lane's elements reach a step, which is the same in all lanes.
    #[inline(always)]
    pub fn own_reaching(&self, step: u32) -> u32 {
        let Floor { edge, is_all } = Floor::new::<E>(step, self.flip);
        if is_all {
            return self.places().own_count();
        }
        let mut count = (self.is_stray && self.is_beyond(E::value(self.stray), edge)) as u32;
        if self.first < self.end {
            count += match self.flip {
                Flip::LARGEST => self.tallied(edge, E::tally_above_or_nan),
                _ => self.tallied(edge, E::tally_at_most),
            };
        }
        count
    }

    #[inline(always)]
    fn tallied(&self, edge: u32, tally: impl Fn(u32, u32, u32) -> u32) -> u32 {
        let edge = E::edge(edge);
        // Two of them, so that one need not wait for itself.
        let mut tallies = [E::TALLY; 2];
        unroll!(b in B => {
            unroll!(u in UNIT => {
                unroll!(i in 4 => {
                    tallies[i % 2] = tally(tallies[i % 2], self.units[b].word(u, i), edge);
                });
            });
        });
        E::tallied(tallies[0]) + E::tallied(tallies[1])
    }

    /// Whether an element is on the wanted side of a [`Floor`]'s edge.
    #[inline(always)]
    fn is_beyond(&self, value: f32, edge: u32) -> bool {
        is_at_most(value, E::value(edge)) != (self.flip == Flip::LARGEST)
    }

    /// Puts the lane's elements that reach a step from `slot` on.
    #[inline(always)]
    pub fn put_reaching(&self, step: u32, slot: u32, list: SharedArray<E::Packed>) {
        let Floor { edge, is_all } = Floor::new::<E>(step, self.flip);
        if is_all {
            return self.put(&self.places(), slot, list);
        }
        let is_stray = self.is_stray && self.is_beyond(E::value(self.stray), edge);
        // One loop for both ends: of two, what is common would be worked out before either, and
        // take more registers than there are.
        self.put_where(slot, is_stray, list, E::put, |_, value| self.is_beyond(value, edge));
    }

    /// As [`HeldRow::put_reaching`], of rows of any length: words that [`put_long`] makes.
    #[inline(always)]
    pub fn put_long_reaching(&self, step: u32, slot: u32, list: SharedArray<u64>) {
        let Floor { edge, is_all } = Floor::new::<E>(step, self.flip);
        if is_all {
            return self.put_long(&self.places(), slot, list);
        }
        let is_stray = self.is_stray && self.is_beyond(E::value(self.stray), edge);
        let edge = E::value(edge);
        // Turned round where a NaN is wanted.
        match self.flip {
            Flip::LARGEST => {
                self.put_where(slot, is_stray, list, put_long::<E>, |_, x| !is_at_most(x, edge));
            }
            _ => self.put_where(slot, is_stray, list, put_long::<E>, |_, x| is_at_most(x, edge)),
        }
    }

    /// Puts so many of the lane's elements from `slot` on.
    #[inline(always)]
    pub fn put(&self, places: &Places<B>, slot: u32, list: SharedArray<E::Packed>) {
        self.put_where(slot, places.stray, list, E::put, |place, _| places.has(place));
    }

    /// The same, of rows of any length: words that [`put_long`] makes.
    #[inline(always)]
    pub fn put_long(&self, places: &Places<B>, slot: u32, list: SharedArray<u64>) {
        self.put_where(slot, places.stray, list, put_long::<E>, |place, _| places.has(place));
    }

    /// Puts the elements for which `is_chosen`, by place and value, and perhaps the stray one.
    #[inline(always)]
    fn put_where<T: Word>(
        &self,
        slot: u32,
        is_stray: bool,
        list: SharedArray<T>,
        put: impl Fn(SharedArray<T>, u32, u32),
        is_chosen: impl Fn(usize, f32) -> bool,
    ) {
        let mut next = list.at(slot);
        // An index' complement grows less as the index grows.
        let first = !(self.row.index_of_vector(self.first + lane_id()) - self.start);
        unroll!(b in B => {
            unroll!(u in UNIT => {
                let vector = Self::vectors_before(b) + u as u32 * WARP_SIZE;
                let complement = first - vector * E::PER_VECTOR as u32;
                unroll!(part in E::PER_VECTOR => {
                    let place = b * 8 * UNIT + u * E::PER_VECTOR + part;
                    if is_chosen(place, self.units[b].value(u, part)) {
                        let bits = self.units[b].part(u, part);
                        put(next, bits, complement - part as u32);
                        next = next.at(1);
                    }
                });
            });
        });
        if is_stray {
            let index = self.row.stray_index(lane_id()) - self.start;
            put(next, self.stray, !index);
        }
    }

    /// The first element of one of the lane's vectors, in the upper end of a word.
    #[inline(always)]
    pub fn leader(&self, vector: usize) -> u32 {
        self.units[vector / UNIT].part(vector % UNIT, 0)
    }
}

/// Puts an element, which lies in the upper end of a word, and its index' complement into an
/// array's first place, as halves of a word.
#[inline(always)]
pub fn put_long<E: Element>(place: SharedArray<u64>, bits: u32, complement: u32) {
    let bits = if E::PER_VECTOR == 8 { bits & 0xffff_0000 } else { bits };
    place.set_words(0, [complement, bits]);
}

/// Whether a number is at most another; a NaN never is.
#[inline(always)]
fn is_at_most(value: f32, edge: f32) -> bool {
    value <= edge
}
