//! Sums of 64-bit masses over a warp, and the place at which a running sum reaches a target.
use cuda_std::shared::SharedArray;
use cuda_std::unroll;
use cuda_std::warp::{
    FULL_MASK, WARP_SIZE, lane_id, warp_shuffle_idx, warp_shuffle_up, warp_shuffle_xor_u64,
    warp_vote_ballot,
};

/// The `value` of lane `source`. For the lanes of a warp together.
#[inline(always)]
pub fn warp_shuffle_idx_u64(value: u64, source: u32) -> u64 {
    let low = warp_shuffle_idx(FULL_MASK, value as u32, source);
    let high = warp_shuffle_idx(FULL_MASK, (value >> 32) as u32, source);
    (high as u64) << 32 | low as u64
}

/// The sum over a warp's lanes, in all of them. For the lanes of a warp together.
#[inline(always)]
pub fn warp_sum_u64(value: u64) -> u64 {
    let mut sum = value;
    unroll!(step in 5 => { sum += warp_shuffle_xor_u64(FULL_MASK, sum, 1 << step); });
    sum
}

/// The sum over this lane and those below it. For the lanes of a warp together.
#[inline(always)]
pub fn warp_prefix_sum_u64(value: u64) -> u64 {
    let mut sum = value;
    unroll!(step in 5 => {
        let distance = 1 << step;
        let low = warp_shuffle_up(FULL_MASK, sum as u32, distance);
        let high = warp_shuffle_up(FULL_MASK, (sum >> 32) as u32, distance);
        if lane_id() >= distance {
            sum += (high as u64) << 32 | low as u64;
        }
    });
    sum
}

/// A place in a list of masses.
#[derive(Clone, Copy)]
pub struct Place {
    /// The place's number.
    pub at: u32,
    /// What all before it weigh together.
    pub before: u64,
}

/// The first lane at which the running sum of the lanes' masses reaches `target`, which is at least
/// 1; lane 31 where none does. For the lanes of a warp together; the same in all of them.
#[inline(always)]
pub fn warp_reach(mass: u64, target: u64) -> Place {
    let through = warp_prefix_sum_u64(mass);
    let lane = warp_vote_ballot(FULL_MASK, through >= target).trailing_zeros().min(WARP_SIZE - 1);
    Place { at: lane, before: warp_shuffle_idx_u64(through - mass, lane) }
}

/// The first of `count` masses, at least 1, at which their running sum reaches `target`, which is
/// at least 1; the last where none does. For the lanes of a warp together; the same in all of them.
#[inline(always)]
pub fn warp_reach_of(count: u32, target: u64, mass: impl Fn(u32) -> u64) -> Place {
    let (mut first, mut before) = (0, 0);
    loop {
        let at = first + lane_id();
        let own = if at < count { mass(at) } else { 0 };
        let sum = warp_sum_u64(own);
        if before + sum >= target || first + WARP_SIZE >= count {
            let place = warp_reach(own, target - before.min(target));
            return Place { at: (first + place.at).min(count - 1), before: before + place.before };
        }
        before += sum;
        first += WARP_SIZE;
    }
}

/// The sum of a mass a thread over the block, in all threads. For all threads of the block
/// together; `totals` has a mass a warp.
#[inline(always)]
pub fn block_sum_u64(totals: SharedArray<u64>, value: u64) -> u64 {
    use cuda_std::thread::{block_dim_x, sync_threads, thread_idx_x};

    let sum = warp_sum_u64(value);
    // Separates the last use of the totals from their new values.
    sync_threads();
    if lane_id() == 0 {
        totals.set(thread_idx_x() / WARP_SIZE, sum);
    }
    // Separates the totals from their use.
    sync_threads();
    let warps = block_dim_x() / WARP_SIZE;
    warp_sum_u64(if lane_id() < warps { totals.get(lane_id()) } else { 0 })
}
