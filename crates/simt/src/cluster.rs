//! Clusters: consecutive blocks of the grid that are live together, meet at a barrier of their own,
//! and write to each other's shared memory.
//!
//! The barrier has two halves. [`arrive`] tells that a thread has come; [`wait`] waits until all
//! threads of the cluster have. What was written before the one is there behind the other. The race
//! detector takes both for one point: it does not see a race between an access in between and one
//! behind the barrier.
//!
//! All functions panic outside a launch.
use std::cell::{Cell, RefCell};
use std::panic::Location;

use crate::fault::{FaultKind, Site};
use crate::memory::Request;
use crate::race::Access;
use crate::world::World;

/// The meetings of one cluster's threads.
#[derive(Default)]
pub(crate) struct Cluster {
    /// Threads that have arrived at the present barrier.
    pub(crate) arrived: Cell<u32>,
    /// Complete barriers.
    complete: Cell<u32>,
    /// The threads that wait, by slot, and where.
    pub(crate) waiting: RefCell<Vec<(u32, Site)>>,
}

impl Cluster {
    /// As before its first barrier.
    pub(crate) fn clear(&self) {
        self.arrived.set(0);
        self.complete.set(0);
        self.waiting.borrow_mut().clear();
    }
}

/// A thread's part in its cluster's barriers: how often it arrived, and how often it waited.
#[derive(Clone, Copy, Default)]
pub(crate) struct Part {
    arrivals: u32,
    waits: u32,
}

/// This block's number in its cluster.
#[track_caller]
pub fn rank() -> u32 {
    let world = World::current();
    world.my_block().id.get() % world.cluster_dim
}

/// Blocks of the cluster.
#[track_caller]
pub fn size() -> u32 {
    World::current().cluster_dim
}

/// The first half of a barrier of the cluster (`barrier.cluster.arrive`).
#[track_caller]
pub fn arrive() {
    World::current().arrive_at_cluster(Location::caller());
}

/// The second half (`barrier.cluster.wait`).
#[track_caller]
pub fn wait() {
    World::current().wait_for_cluster(Location::caller());
}

/// Stores `value` at `address` of the shared memory of the cluster's block `rank`.
#[track_caller]
pub fn write<T: Copy>(rank: u32, address: u32, value: T) {
    const {
        let bytes = size_of::<T>();
        assert!(bytes.is_power_of_two() && bytes <= 16, "an access moves 1, 2, 4, 8 or 16 bytes");
    }
    let world = World::current();
    let place = world.remote_place(rank, address, size_of::<T>() as u32, Location::caller());
    // SAFETY: `remote_place` vouches for bounds and alignment.
    unsafe { place.cast::<T>().write(value) }
}

impl World {
    fn arrive_at_cluster(&self, site: Site) {
        let (me, cluster) = (self.me(), self.my_cluster());
        let part = me.part.get();
        if part.arrivals != part.waits {
            self.misuse("arrives at the cluster's barrier twice, without a wait", site);
        }
        me.part.set(Part { arrivals: part.arrivals + 1, ..part });
        self.progress();
        cluster.arrived.set(cluster.arrived.get() + 1);
        if cluster.arrived.get() == self.cluster_dim * self.block_dim {
            self.complete_cluster(cluster);
        }
    }

    fn complete_cluster(&self, cluster: &Cluster) {
        cluster.arrived.set(0);
        cluster.complete.set(cluster.complete.get() + 1);
        for block in self.blocks_of_my_cluster() {
            block.memory.borrow_mut().order.block_barrier();
        }
        let mut waiting = cluster.waiting.take();
        waiting.sort_unstable_by_key(|&(slot, _)| std::cmp::Reverse(slot));
        let mut scheduler = self.scheduler.borrow_mut();
        waiting.iter().for_each(|&(slot, _)| scheduler.wake(slot));
    }

    fn wait_for_cluster(&self, site: Site) {
        let (me, cluster) = (self.me(), self.my_cluster());
        let part = me.part.get();
        if part.arrivals == part.waits {
            self.misuse("waits at the cluster's barrier, at which it has not arrived", site);
        }
        me.part.set(Part { waits: part.waits + 1, ..part });
        if cluster.complete.get() <= part.waits {
            cluster.waiting.borrow_mut().push((self.my_slot(), site));
            self.suspend();
        }
    }

    /// Checks a write to the memory of a block of this thread's cluster; returns the place.
    fn remote_place(&self, rank: u32, address: u32, bytes: u32, site: Site) -> *mut u8 {
        self.step(site);
        self.progress();
        if rank >= self.cluster_dim {
            self.misuse(&format!("writes to block {rank} of {}", self.cluster_dim), site);
        }
        if self.my_cluster().complete.get() == 0 {
            self.misuse("writes to a block that may not have started: no barrier before it", site);
        }
        let Some(block) = self.blocks_of_my_cluster().get(rank as usize) else {
            self.misuse("writes to a block that is not there", site);
        };
        if block.ended.get() > 0 {
            self.misuse("writes to a block that is ending, and its memory with it", site);
        }
        // A number that no thread of the other block has.
        let rank_here = self.my_block().id.get() % self.cluster_dim;
        let here = self.block_dim.next_multiple_of(32) * (1 + rank_here);
        let thread = if rank == rank_here { self.me().index } else { here + self.me().index };
        let request = Request { address, bytes, access: Access::Write, thread, site };
        let outcome = block.memory.borrow_mut().request(&request);
        match outcome {
            Ok(place) => place,
            Err(refusal) => self.refuse(&request, refusal),
        }
    }

    #[cold]
    fn misuse(&self, what: &str, site: Site) -> ! {
        let me = self.name(self.my_slot());
        self.fail(FaultKind::Cluster, format!("{me} {what}, at {site}"))
    }
}
