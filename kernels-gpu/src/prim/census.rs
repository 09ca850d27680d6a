//! Numbers that the threads of a block, or of a cluster's blocks, add up, one round behind the
//! other; and where each warp's places are among those of all.
use cuda_std::cluster::{RemoteArray, sync_cluster};
use cuda_std::shared::SharedArray;
use cuda_std::thread::{block_dim_x, sync_threads, thread_idx_x};
use cuda_std::unroll;
use cuda_std::warp::{FULL_MASK, WARP_SIZE, lane_id, warp_reduce_add, warp_shuffle_idx};

use super::scan::{warp_prefix_sum, warp_reserve};
use crate::params::{CLUSTER_BLOCKS_MAX, WIDE_WARPS_MAX, WideLayout};

/// How those who hold a row together count. They call each function together.
pub trait Census {
    /// Whether a round takes so long that it is worth some arithmetic to spare one.
    const IS_SLOW: bool;

    /// The sum of the threads' numbers; with a barrier unless they are one warp.
    fn sum(&mut self, own: u32) -> u32;

    /// The sum of the numbers of the warps that hold what is before this warp's elements, of one
    /// number a warp. With a barrier.
    fn before(&mut self, of_warp: u32) -> u32;

    /// The first of `own` slots of this thread among its block's, where these numbers were summed
    /// last. Once.
    fn slot(&mut self, own: u32) -> u32;

    /// As [`Census::slot`], where they were not. With a barrier.
    fn slot_of_new(&mut self, own: u32) -> u32;
}

/// The census of a block.
pub struct BlockCensus {
    /// [`WideLayout`] says what for. Three sums take turns: one is added to, one may still be read,
    /// one is cleared.
    control: SharedArray<u32>,
    turn: u32,
}

impl BlockCensus {
    /// Of words that are 0 behind the next barrier, which comes before [`Census::sum`].
    #[inline(always)]
    pub fn new(control: SharedArray<u32>) -> Self {
        BlockCensus { control, turn: 0 }
    }
}

impl Census for BlockCensus {
    const IS_SLOW: bool = false;

    #[inline(always)]
    fn sum(&mut self, own: u32) -> u32 {
        let sum = warp_reduce_add(FULL_MASK, own);
        if block_dim_x() == WARP_SIZE {
            return sum;
        }
        let (turn, sums) = (self.turn, self.control.at(WideLayout::SUMS));
        if lane_id() == 0 {
            sums.add(turn, sum);
        }
        // Separates the addition from the read, and the last round's reads from their clearing.
        sync_threads();
        if thread_idx_x() == 0 {
            sums.set(if turn == 0 { 2 } else { turn - 1 }, 0);
        }
        self.turn = if turn == 2 { 0 } else { turn + 1 };
        sums.get(turn)
    }

    #[inline(always)]
    fn before(&mut self, of_warp: u32) -> u32 {
        let warp = thread_idx_x() / WARP_SIZE;
        let numbers = self.control.at(WideLayout::EQUALS);
        if lane_id() == 0 {
            numbers.set(warp, of_warp);
        }
        // Separates the warps' numbers from their sums.
        sync_threads();
        let is_before = lane_id() < warp.min(WIDE_WARPS_MAX);
        warp_reduce_add(FULL_MASK, if is_before { numbers.get(lane_id()) } else { 0 })
    }

    #[inline(always)]
    fn slot(&mut self, own: u32) -> u32 {
        warp_reserve(self.control.at(WideLayout::COUNTER), own)
    }

    #[inline(always)]
    fn slot_of_new(&mut self, own: u32) -> u32 {
        // Separates the cleared words from their use.
        sync_threads();
        self.slot(own)
    }
}

/// Numbers that a lane reads at once.
const LANE_NUMBERS: u32 = 4;
/// Lanes that have a block's numbers.
const BLOCK_LANES: u32 = WIDE_WARPS_MAX / LANE_NUMBERS;
const _: () = assert!(CLUSTER_BLOCKS_MAX * BLOCK_LANES <= WARP_SIZE);

/// Where the numbers of `L` blocks start and end.
pub struct Ranges<const L: usize> {
    /// The first of each.
    pub starts: [u32; L],
    /// The one behind the last of each.
    pub ends: [u32; L],
}

/// The census of a cluster's blocks, of [`WIDE_WARPS_MAX`] warps each: every warp writes its number
/// to all of them.
pub struct ClusterCensus {
    /// A number of each warp of the cluster, twice: those of the last round may still be read while
    /// those of the next one come.
    numbers: SharedArray<u32>,
    /// This block, of how many.
    rank: u32,
    blocks: u32,
    /// Which of the two halves has the last round's numbers.
    half: u32,
}

impl ClusterCensus {
    /// Of room for two numbers a warp.
    #[inline(always)]
    pub fn new(numbers: SharedArray<u32>, rank: u32, blocks: u32) -> Self {
        ClusterCensus { numbers, rank, blocks, half: 0 }
    }

    /// This warp's number in the cluster.
    #[inline(always)]
    fn warp(&self) -> u32 {
        self.rank * WIDE_WARPS_MAX + thread_idx_x() / WARP_SIZE
    }

    /// Words of a half.
    #[inline(always)]
    fn words(&self) -> u32 {
        self.blocks * WIDE_WARPS_MAX
    }

    /// The last round's numbers of four warps; those of all lanes are all.
    #[inline(always)]
    fn of_lane(&self) -> [u32; LANE_NUMBERS as usize] {
        let first = LANE_NUMBERS * lane_id();
        if first >= self.words() {
            return [0; LANE_NUMBERS as usize];
        }
        self.numbers.get_vec4(self.half * self.words() + first)
    }

    /// The sum of the last round's numbers of the warps from one on up to another. For the lanes of
    /// a warp together.
    #[inline(always)]
    fn between(&self, from: u32, to: u32) -> u32 {
        let (numbers, mut sum) = (self.of_lane(), 0);
        unroll!(i in 4 => {
            let warp = LANE_NUMBERS * lane_id() + i as u32;
            sum += if from <= warp && warp < to { numbers[i] } else { 0 };
        });
        warp_reduce_add(FULL_MASK, sum)
    }

    /// The last round's sum of this block.
    #[inline(always)]
    pub fn of_block(&self) -> u32 {
        let first = self.rank * WIDE_WARPS_MAX;
        self.between(first, first + WIDE_WARPS_MAX)
    }

    /// The last round's sum of the blocks before this one.
    #[inline(always)]
    pub fn before_block(&self) -> u32 {
        self.between(0, self.rank * WIDE_WARPS_MAX)
    }

    /// Where the last round's numbers of `L` blocks from one on start and end, if those of all
    /// blocks lie one behind the other. For the lanes of a warp together, each from a block of its
    /// own choice.
    #[inline(always)]
    pub fn ranges<const L: usize>(&self, first: u32) -> Ranges<L> {
        let numbers = self.of_lane();
        let through = warp_prefix_sum(numbers[0] + numbers[1] + numbers[2] + numbers[3]);
        let before = warp_shuffle_idx(FULL_MASK, through, (first * BLOCK_LANES).max(1) - 1);
        let start = if first == 0 { 0 } else { before };
        let mut ranges = Ranges { starts: [start; L], ends: [0; L] };
        unroll!(i in L => {
            let last = (first + i as u32 + 1) * BLOCK_LANES - 1;
            ranges.ends[i] = warp_shuffle_idx(FULL_MASK, through, last);
            if i > 0 {
                ranges.starts[i] = ranges.ends[i - 1];
            }
        });
        ranges
    }

    /// Writes a number a warp to all blocks. Ends with a barrier of the cluster.
    #[inline(always)]
    fn share(&mut self, of_warp: u32) {
        self.half ^= 1;
        if lane_id() < self.blocks {
            let half = self.numbers.at(self.half * self.words());
            // SAFETY: there is a block of this rank; each warp has a word of its own. The half's
            // last reads were before the last round's barrier.
            let remote = unsafe { RemoteArray::new(half, lane_id()) };
            remote.set(self.warp(), of_warp);
        }
        sync_cluster();
    }
}

impl Census for ClusterCensus {
    const IS_SLOW: bool = true;

    #[inline(always)]
    fn sum(&mut self, own: u32) -> u32 {
        self.share(warp_reduce_add(FULL_MASK, own));
        let numbers = self.of_lane();
        warp_reduce_add(FULL_MASK, numbers[0] + numbers[1] + numbers[2] + numbers[3])
    }

    #[inline(always)]
    fn before(&mut self, of_warp: u32) -> u32 {
        self.share(of_warp);
        self.between(0, self.warp())
    }

    #[inline(always)]
    fn slot(&mut self, own: u32) -> u32 {
        let before = self.between(self.rank * WIDE_WARPS_MAX, self.warp());
        before + warp_prefix_sum(own) - own
    }

    #[inline(always)]
    fn slot_of_new(&mut self, own: u32) -> u32 {
        self.share(warp_reduce_add(FULL_MASK, own));
        self.slot(own)
    }
}
