//! The blocks of a cluster that survey one row together: how they come to one bound, and how their
//! items come to the first of them.
use cuda_std::cluster::{
    RemoteArray, arrive_at_cluster, cluster_block_rank, sync_cluster, wait_for_cluster,
};
use cuda_std::shared::SharedArray;
use cuda_std::thread::{block_dim_x, thread_idx_x};
use cuda_std::unroll;
use cuda_std::warp::{
    FULL_MASK, WARP_SIZE, lane_id, warp_reduce_max, warp_shuffle_idx, warp_shuffle_xor,
    warp_vote_any,
};

use super::queue::{Batch, Queue, Source};
use crate::order::{empty, is_empty};

/// A cluster of blocks.
#[derive(Clone, Copy)]
pub struct Team {
    /// This block's number.
    rank: u32,
    /// Blocks: a power of two.
    count: u32,
    /// Groups of lanes of a warp that bring a key each: a power of two.
    groups: u32,
    /// Items that a block may give.
    slots: u32,
}

impl Team {
    /// The block's cluster, of `count` blocks. Every thread of the cluster, once; the next call of
    /// the team's must be [`Team::share`] or [`Team::leave`].
    #[inline(always)]
    pub fn new(count: u32, groups: u32, slots: u32) -> Self {
        arrive_at_cluster();
        Team { rank: cluster_block_rank(), count, groups, slots }
    }

    /// Whether this is the block that the others give their items to.
    #[inline(always)]
    pub fn is_first(&self) -> bool {
        self.rank == 0
    }

    /// Puts the best key of each group of lanes into `keys` of every block; how many there are.
    /// Every thread of the cluster; ends with a barrier of the cluster.
    #[inline(always)]
    pub fn share(&self, keys: SharedArray<u32>, key: u32) -> u32 {
        let size = WARP_SIZE >> self.groups.trailing_zeros();
        let mut best = key;
        if self.groups == 1 {
            best = warp_reduce_max(FULL_MASK, key);
        } else {
            let mut distance = size / 2;
            while distance > 0 {
                best = best.max(warp_shuffle_xor(FULL_MASK, best, distance));
                distance /= 2;
            }
        }
        // The others have started.
        wait_for_cluster();
        let warps = block_dim_x() / WARP_SIZE;
        let base = (self.rank * warps + thread_idx_x() / WARP_SIZE) * self.groups;
        let (shift, total) = (self.groups.trailing_zeros(), self.groups * self.count);
        let mut first = 0;
        while first < total {
            let at = first + lane_id();
            let group = at & (self.groups - 1);
            let value = warp_shuffle_idx(FULL_MASK, best, group * size);
            if at < total {
                // SAFETY: `at >> shift` is below `count`; a place is written by one lane.
                let remote = unsafe { RemoteArray::new(keys, at >> shift) };
                remote.set(base + group, value);
            }
            first += WARP_SIZE;
        }
        sync_cluster();
        self.count * warps * self.groups
    }

    /// Gives the items of a queue, at most `slots`, to the first block's `lists`, if this is
    /// another one. Every thread of the cluster; ends with a barrier of the cluster.
    #[inline(always)]
    pub fn give(&self, queue: &Queue, lists: SharedArray<u64>) {
        if self.rank > 0 {
            // SAFETY: there is a block 0; every block has a list of its own there.
            let list = unsafe { RemoteArray::new(lists, 0) };
            let (count, base) = (queue.count(), (self.rank - 1) * self.slots);
            let mut at = thread_idx_x();
            while at < self.slots {
                let item = if at < count { queue.items.get(at) } else { empty(at) };
                list.set(base + at, item);
                at += block_dim_x();
            }
            if thread_idx_x() == 0 {
                list.set(self.note() + self.rank - 1, queue.is_noted() as u64);
            }
        }
        sync_cluster();
    }

    /// Where the other blocks' notes stand, behind the lists.
    #[inline(always)]
    fn note(&self) -> u32 {
        (self.count - 1) * self.slots
    }

    /// Whether another block's queue was noted, where the items were given. For the lanes of a warp
    /// together.
    #[inline(always)]
    pub fn is_noted(&self, lists: SharedArray<u64>) -> bool {
        let other = lane_id();
        let noted = other + 1 < self.count && lists.get(self.note() + other) > 0;
        warp_vote_any(FULL_MASK, noted)
    }

    /// Ends the block's part without having shared anything. Every thread of the cluster.
    #[inline(always)]
    pub fn leave(&self) {
        wait_for_cluster();
    }

    /// What the other blocks gave.
    #[inline(always)]
    pub fn given(&self, lists: SharedArray<u64>) -> Given {
        let count = self.note();
        Given { lists, at: thread_idx_x() / WARP_SIZE * BATCH, count }
    }
}

/// Items that a lane holds at once.
const PARTS: usize = 2;
/// Items of a batch.
const BATCH: u32 = PARTS as u32 * WARP_SIZE;

/// What a warp still has to take of the other blocks' lists.
pub struct Given {
    lists: SharedArray<u64>,
    /// The next place, and the first behind the last.
    at: u32,
    count: u32,
}

impl Source for Given {
    type Batch = GivenBatch;

    #[inline(always)]
    fn has_next(&self) -> bool {
        self.at < self.count
    }

    #[inline(always)]
    fn next(&mut self) -> GivenBatch {
        let mut items = [empty(0); PARTS];
        unroll!(i in PARTS => {
            let at = self.at + i as u32 * WARP_SIZE + lane_id();
            if at < self.count {
                items[i] = self.lists.get(at);
            }
        });
        self.at += block_dim_x() / WARP_SIZE * BATCH;
        GivenBatch { items }
    }
}

/// One lane's items of a batch, in registers.
#[derive(Clone, Copy, Default)]
pub struct GivenBatch {
    items: [u64; PARTS],
}

impl Batch for GivenBatch {
    const ITEMS: u32 = PARTS as u32;

    #[inline(always)]
    fn admitted(&self, bound: u64) -> u32 {
        let mut bits = 0;
        unroll!(i in PARTS => {
            let reaches = self.items[i] >= bound && !is_empty(self.items[i]);
            bits |= (reaches as u32) << i;
        });
        bits
    }

    #[inline(always)]
    fn item(&self, number: u32) -> u64 {
        if number == 0 { self.items[0] } else { self.items[1] }
    }

    #[inline(always)]
    fn each(&self, mut f: impl FnMut(u32, u64)) {
        unroll!(i in PARTS => { f(i as u32, self.items[i]); });
    }
}
