//! Few candidates, which one warp weighs and draws from by itself.
//!
//! # Idea
//! Each lane weighs a run of neighbouring candidates, two or four, all at once; one sum over the
//! lanes gives the running mass through every candidate. Where the draw weighs as top-p does, what
//! top-p and min-p keep weighs what runs through its last candidate, and every share of that is
//! reached no later: so one list of running masses serves all, without a barrier.
use cuda_std::unroll;
use cuda_std::warp::{FULL_MASK, WARP_SIZE, lane_id, warp_vote_ballot};

use crate::params::SMALL_K_MAX;
use crate::prim::mass::{warp_prefix_sum_u64, warp_shuffle_idx_u64};

/// The most candidates a lane.
const RUN: usize = 4;
/// Candidates a lane where so many do: weighing is most of what the warp does, and a lane without a
/// candidate takes as long.
const SHORT_RUN: u32 = 2;

/// The most candidates.
pub const FEW_MAX: u32 = RUN as u32 * WARP_SIZE;
const _: () = assert!(FEW_MAX >= SMALL_K_MAX);

/// The running masses through this lane's candidates; where there are fewer than [`RUN`], the last
/// one's again.
pub struct Few {
    through: [u64; RUN],
    /// The same through the last of the lane's candidates that is near the greatest; 0 without one.
    near: u64,
    /// The lane's first candidate.
    first: u32,
}

impl Few {
    /// Of `count` candidates, at most [`FEW_MAX`], best first. `weight` says what one weighs, the
    /// first one more than nothing, and whether it is near the greatest; those behind them weigh
    /// nothing. For the lanes of a warp together, as are the other methods.
    #[inline(always)]
    pub fn new(count: u32, weight: impl Fn(u32) -> (u64, bool)) -> Few {
        // The same in all lanes.
        let is_short = count <= SHORT_RUN * WARP_SIZE;
        let first = lane_id() * if is_short { SHORT_RUN } else { RUN as u32 };
        let mut weights = [weight(first), weight(first + 1), (0, false), (0, false)];
        if !is_short {
            (weights[2], weights[3]) = (weight(first + 2), weight(first + 3));
        }
        let mut through = [0; RUN];
        unroll!(i in RUN => { through[i] = weights[i].0; });
        unroll!(i in RUN - 1 => { through[i + 1] += through[i]; });
        let before = warp_prefix_sum_u64(through[RUN - 1]) - through[RUN - 1];
        let mut near = 0;
        unroll!(i in RUN => {
            through[i] += before;
            if weights[i].1 {
                near = through[i];
            }
        });
        Few { through, near, first }
    }

    /// What all weigh; the same in all lanes.
    #[inline(always)]
    pub fn total(&self) -> u64 {
        warp_shuffle_idx_u64(self.through[RUN - 1], WARP_SIZE - 1)
    }

    /// What those near the greatest weigh; the same in all lanes.
    #[inline(always)]
    pub fn mass_near(&self) -> u64 {
        let lanes = warp_vote_ballot(FULL_MASK, self.near > 0);
        warp_shuffle_idx_u64(self.near, (WARP_SIZE - 1) - lanes.leading_zeros())
    }

    /// The mass through the first candidate at which the running mass reaches `target`; through the
    /// last one where none does. The same in all lanes.
    #[inline(always)]
    pub fn mass_at(&self, target: u64) -> u64 {
        let mut mass = self.through[RUN - 1];
        unroll!(i in RUN - 1 => {
            let earlier = self.through[RUN - 2 - i];
            if earlier >= target {
                mass = earlier;
            }
        });
        warp_shuffle_idx_u64(mass, self.lane_at(target))
    }

    /// The first candidate at which the running mass reaches `target`, in the lane that has it;
    /// something else, in the last lane, where none does.
    #[inline(always)]
    pub fn reach(&self, target: u64) -> Option<u32> {
        let mut at = self.first;
        unroll!(i in RUN - 1 => { at += (self.through[i] < target) as u32; });
        if lane_id() == self.lane_at(target) { Some(at) } else { None }
    }

    /// The first lane in which the running mass reaches `target`; the last one where none does.
    #[inline(always)]
    fn lane_at(&self, target: u64) -> u32 {
        let reached = warp_vote_ballot(FULL_MASK, self.through[RUN - 1] >= target);
        reached.trailing_zeros().min(WARP_SIZE - 1)
    }
}
