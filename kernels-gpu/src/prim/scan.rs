//! Finding ranks: prefix sums of a warp, and the bin of a histogram in which a rank lies.
use cuda_std::shared::SharedArray;
use cuda_std::unroll;
use cuda_std::warp::{
    FULL_MASK, WARP_SIZE, lane_id, warp_shuffle_idx, warp_shuffle_up, warp_vote_ballot,
};

/// The sum of `value` over this lane and those below it. For the lanes of a warp together.
#[inline(always)]
pub fn warp_prefix_sum(value: u32) -> u32 {
    group_prefix_sum::<5>(lane_id(), value)
}

/// As [`warp_prefix_sum`], of each group of `2^STEPS` lanes for itself, in which this one is number
/// `lane`.
#[inline(always)]
pub fn group_prefix_sum<const STEPS: usize>(lane: u32, value: u32) -> u32 {
    let mut sum = value;
    unroll!(step in STEPS => {
        let distance = 1 << step;
        let below = warp_shuffle_up(FULL_MASK, sum, distance);
        if lane >= distance {
            sum += below;
        }
    });
    sum
}

/// The first of `wanted` slots of this lane, of those that `counter` has handed out to nobody: a
/// warp's are neighbours. For the lanes of a warp together.
#[inline(always)]
pub fn warp_reserve(counter: SharedArray<u32>, wanted: u32) -> u32 {
    let through = warp_prefix_sum(wanted);
    let mut base = 0;
    if lane_id() == WARP_SIZE - 1 && through > 0 {
        base = counter.fetch_add(0, through);
    }
    warp_shuffle_idx(FULL_MASK, base, WARP_SIZE - 1) + through - wanted
}

/// A bin of a histogram, as it lies in the order from the top bin down.
pub struct Bin {
    /// The bin's number.
    pub digit: u32,
    /// Items in the bins above it.
    pub above: u32,
    /// Items in it.
    pub count: u32,
}

/// Bins that one call of [`warp_find_bin`] looks at.
pub const WARP_BINS: u32 = 8 * WARP_SIZE;

/// The bin among the [`WARP_BINS`] from the array's start that holds the item of this `rank` (1 is
/// the greatest; there are as many items). For the lanes of a warp together; valid in every lane.
#[inline(always)]
pub fn warp_find_bin(histogram: SharedArray<u32>, rank: u32) -> Bin {
    const PER_LANE: u32 = WARP_BINS / WARP_SIZE;
    // Lane 0 has the top bins.
    let first = WARP_BINS - PER_LANE * (lane_id() + 1);
    let (low, high) = (histogram.get_vec4(first), histogram.get_vec4(first + 4));
    let counts = [high[3], high[2], high[1], high[0], low[3], low[2], low[1], low[0]];
    let mut mine = 0;
    unroll!(i in 8 => { mine += counts[i]; });
    let through = warp_prefix_sum(mine);
    let source = warp_vote_ballot(FULL_MASK, through >= rank).trailing_zeros();
    // Every lane walks its own bins; only the source lane's result is used.
    let mut bin = Bin { digit: first + PER_LANE - 1, above: through - mine, count: counts[0] };
    unroll!(i in 7 => {
        if bin.above + bin.count < rank {
            bin = Bin { digit: bin.digit - 1, above: bin.above + bin.count, count: counts[i + 1] };
        }
    });
    Bin {
        digit: warp_shuffle_idx(FULL_MASK, bin.digit, source),
        above: warp_shuffle_idx(FULL_MASK, bin.above, source),
        count: warp_shuffle_idx(FULL_MASK, bin.count, source),
    }
}

/// The bin among `bins` (a multiple of the warp's lanes) that holds the item of this `rank`; a rank
/// of 0 gives the top bin. For the lanes of a warp together; valid in every lane.
#[inline(always)]
pub fn warp_find_bin_of(histogram: SharedArray<u32>, bins: u32, rank: u32) -> Bin {
    // A lane a stretch, the top bins first.
    let mut found = Bin { digit: bins - 1, above: 0, count: 0 };
    if rank > 0 {
        let stretch = bins / WARP_SIZE;
        let first = bins - stretch * (lane_id() + 1);
        let (mut mine, mut at) = (0, 0);
        while at < stretch {
            mine += histogram.get(first + at);
            at += 1;
        }
        let through = warp_prefix_sum(mine);
        let source = warp_vote_ballot(FULL_MASK, through >= rank).trailing_zeros();
        let mut above = through - mine;
        let mut digit = first + stretch - 1;
        while digit > first && above + histogram.get(digit) < rank {
            above += histogram.get(digit);
            digit -= 1;
        }
        found = Bin {
            digit: warp_shuffle_idx(FULL_MASK, digit, source),
            above: warp_shuffle_idx(FULL_MASK, above, source),
            count: 0,
        };
    }
    found
}
