//! A short row in the registers of a warp, or of half a warp, and how its best few are found there.
//!
//! Each lane has some of the row's vectors, as many apart as the row has lanes. The elements before
//! the row's first 16-byte boundary and behind its last, fewer than half a warp's lanes, are one
//! more element of the first lanes ("stray").
use core::marker::PhantomData;

use cuda_std::count::opaque;
use cuda_std::shared::SharedArray;
use cuda_std::unroll;
use cuda_std::warp::{
    FULL_MASK, WARP_SIZE, lane_id, warp_reduce_add, warp_shuffle_idx, warp_vote_ballot,
};

use super::element::Element;
use super::rows::Row;
use super::scan::{group_prefix_sum, warp_prefix_sum};
use super::tops::{group_best_keys, group_sort_keys_descending};
use crate::params::Flip;

/// A row in the registers of a group of `2^STEPS` lanes: keys, greater is better. A warp's groups
/// hold a row each; what is done for the lanes of a warp together, each group does for its own.
pub struct LaneRow<E: Element, const U: usize, const STEPS: usize> {
    /// Of each vector, as many as there are; of those that are not there the worst.
    keys: [[u32; 8]; 8],
    /// Of the element that is in no vector.
    stray: u32,
    /// Index of the first element of the lane's first vector, and of its stray element.
    index: u32,
    stray_index: u32,
    /// What of it is there.
    there: Places,
    /// Elements before the first vector: the strays of the first so many lanes.
    head: u32,
    /// Lanes that have a vector.
    keyed_lanes: u32,
    element: PhantomData<E>,
}

/// Some of a lane's elements: a bit for each of its vectors', and its stray one.
#[derive(Clone, Copy)]
pub struct Places {
    vectors: u32,
    stray: bool,
}

impl Places {
    #[inline(always)]
    fn of_lane(self) -> u32 {
        self.vectors.count_ones() + self.stray as u32
    }

    /// How many a warp has. For the lanes of a warp together.
    #[inline(always)]
    pub fn of_warp(self) -> u32 {
        warp_reduce_add(FULL_MASK, self.of_lane())
    }
}

/// Elements of a row, and where they go in a list of them.
pub struct Chosen {
    places: Places,
    /// Place of the lane's first.
    slot: u32,
    /// How many the row's lanes have.
    pub count: u32,
}

impl<E: Element, const U: usize, const STEPS: usize> LaneRow<E, U, STEPS> {
    /// Lanes of a row.
    const LANES: u32 = 1 << STEPS;

    /// This lane's place among its row's.
    #[inline(always)]
    fn lane() -> u32 {
        lane_id() % Self::LANES
    }

    /// Reads the row of this lane's group.
    #[inline(always)]
    pub fn load(row: &Row<E>, flip: Flip) -> Self {
        Self::load_masking(row, flip, false).0
    }

    /// The same, where `masks` with `-inf` in place of NaNs; and whether the lane had one.
    #[inline(always)]
    pub fn load_masking(row: &Row<E>, flip: Flip, masks: bool) -> (Self, bool) {
        const { assert!(U * E::PER_VECTOR <= 32 && STEPS >= 4) };
        let lane = Self::lane();
        let mut unit = row.unit_of_lane::<U>(lane, Self::LANES, flip);
        let is_stray = lane < row.stray_count();
        let stray_index = row.stray_index(lane);
        let (mut stray, mut has_nan) = (0, false);
        if is_stray {
            stray = row.element(stray_index);
        }
        if masks {
            has_nan = unit.mask_nans() | E::holds_nan(stray);
            stray = E::without_nans(stray);
        }
        let there = places_below(unit.present() * E::PER_VECTOR as u32);
        let mut held = LaneRow {
            keys: [[0; 8]; 8],
            stray: if is_stray { E::key(stray) ^ flip.mask() } else { 0 },
            index: row.index_of_vector(lane),
            stray_index,
            there: Places { vectors: there, stray: is_stray },
            head: row.head(),
            keyed_lanes: row.vector_count().min(Self::LANES),
            element: PhantomData,
        };
        // What is not there has the worst key. Opaque, or else both ends' keys would be kept.
        unroll!(u in U => {
            unroll!(part in E::PER_VECTOR => {
                held.keys[u][part] = opaque(E::key(unit.part(u, part)) ^ flip.mask());
            });
        });
        (held, has_nan)
    }

    /// The bits of a vector's elements.
    #[inline(always)]
    fn vector_mask(vector: usize) -> u32 {
        (0xff >> (8 - E::PER_VECTOR)) << (vector * E::PER_VECTOR)
    }

    /// The elements that are there and whose key is as wanted.
    #[inline(always)]
    fn places_where(&self, is_wanted: impl Fn(u32) -> bool) -> Places {
        let mut vectors = 0;
        unroll!(u in U => {
            unroll!(part in E::PER_VECTOR => {
                if is_wanted(self.keys[u][part]) {
                    vectors |= 1 << (u * E::PER_VECTOR + part);
                }
            });
        });
        let stray = is_wanted(self.stray) && self.there.stray;
        Places { vectors: vectors & self.there.vectors, stray }
    }

    /// The elements that reach a key that `k` groups of elements reach: `k` of them or more, among
    /// these the best `k`; all of a row that has not so many groups. For the lanes of a warp
    /// together.
    #[inline(always)]
    pub fn quickly(&self, k: u32) -> Places {
        let mut bound = 0;
        if k <= Self::LANES {
            let [first, second] = self.best_of_halves();
            // Twice as many keys take twice the time, and let less through. The warp's groups do
            // the same.
            let sorted = match warp_vote_ballot(FULL_MASK, 2 * k > self.keyed_lanes) {
                0 => group_sort_keys_descending::<STEPS>(first.max(second)),
                _ => group_best_keys::<STEPS>(first, second),
            };
            bound = warp_shuffle_idx(FULL_MASK, sorted, lane_id() - Self::lane() + k - 1);
        }
        self.places_where(|key| key >= bound)
    }

    /// The best keys of this lane's elements: of the first halves of its vectors, with the stray
    /// one, and of the second.
    #[inline(always)]
    fn best_of_halves(&self) -> [u32; 2] {
        let mut best = [self.stray, 0];
        unroll!(u in U => {
            unroll!(part in E::PER_VECTOR => {
                let half = 2 * part / E::PER_VECTOR;
                best[half] = best[half].max(self.keys[u][part]);
            });
        });
        best
    }

    /// Numbers elements. For the lanes of a warp together.
    #[inline(always)]
    pub fn listed(&self, places: Places) -> Chosen {
        // Opaque, or else what is asked of lanes below is kept from the start.
        let lane = opaque(lane_id()) % Self::LANES;
        let through = group_prefix_sum::<STEPS>(lane, places.of_lane());
        let count = warp_shuffle_idx(FULL_MASK, through, lane_id() | (Self::LANES - 1));
        Chosen { places, slot: through - places.of_lane(), count }
    }

    /// Writes the chosen elements as items one behind the other. For the lanes of a warp together.
    #[inline(always)]
    pub fn put_together(&self, chosen: &Chosen, items: SharedArray<u64>) {
        let (places, mut slot) = (chosen.places, chosen.slot);
        let mut put = |key: u32, index: u32| {
            // In the words of `order::composite`: one of 64 bits would be kept for each element.
            items.set_words(slot, [!index, key]);
            slot += 1;
        };
        if places.stray {
            put(self.stray, self.stray_index);
        }
        unroll!(u in U => {
            unroll!(part in E::PER_VECTOR => {
                if places.vectors >> (u * E::PER_VECTOR + part) & 1 != 0 {
                    let step = (u as u32 * Self::LANES) * E::PER_VECTOR as u32 + part as u32;
                    put(self.keys[u][part], self.index + step);
                }
            });
        });
    }
}

/// The first so many of a lane's elements, at most 32.
#[inline(always)]
fn places_below(count: u32) -> u32 {
    !u32::MAX.checked_shl(count).unwrap_or(0)
}

/// A row that a whole warp holds.
impl<E: Element, const U: usize> LaneRow<E, U, 5> {
    /// The best `k`; all where the row has no more. For the lanes of a warp together.
    #[inline(always)]
    pub fn exactly(&self, k: u32) -> Places {
        let bound = self.bound(k);
        let better = self.places_where(|key| key > bound);
        let mut equal = self.places_where(|key| key == bound);
        let needed = k.saturating_sub(better.of_warp());
        if equal.of_warp() > needed {
            equal = self.first_of(equal, needed);
        }
        let vectors = better.vectors | equal.vectors;
        Places { vectors, stray: better.stray || equal.stray }
    }

    /// The greatest key that `k` elements reach, or 0. For the lanes of a warp together.
    #[inline(always)]
    fn bound(&self, k: u32) -> u32 {
        let (mut bound, mut bit) = (0, 1u32 << 31);
        while bit != 0 {
            let tried = bound | bit;
            if self.places_where(|key| key >= tried).of_warp() >= k {
                bound = tried;
            }
            bit >>= 1;
        }
        bound
    }

    /// The first `needed` of some elements, in the order of their indices. For the lanes of a warp
    /// together.
    #[inline(always)]
    fn first_of(&self, places: Places, needed: u32) -> Places {
        let below = (1 << lane_id()) - 1;
        let is_head = lane_id() < self.head;
        let mut first = Places { vectors: 0, stray: false };
        let votes = warp_vote_ballot(FULL_MASK, places.stray && is_head);
        first.stray = places.stray && is_head && (votes & below).count_ones() < needed;
        let mut before = votes.count_ones();
        unroll!(u in U => {
            let mut mine = places.vectors & Self::vector_mask(u);
            let through = warp_prefix_sum(mine.count_ones());
            let room = needed.saturating_sub(before + through - mine.count_ones());
            while mine.count_ones() > room {
                // The last of the lane's.
                mine ^= 1 << (31 - mine.leading_zeros());
            }
            first.vectors |= mine;
            before += warp_shuffle_idx(FULL_MASK, through, WARP_SIZE - 1);
        });
        let votes = warp_vote_ballot(FULL_MASK, places.stray && !is_head);
        if places.stray && !is_head {
            first.stray = before + (votes & below).count_ones() < needed;
        }
        first
    }
}
