//! The state of a running launch, and how a thread reaches it, stops, or fails.
//!
//! Everything is behind `Cell` and `RefCell`: one operating system thread runs a launch, and a
//! borrow never lasts across a switch. A device function finds its world by a thread-local pointer.
use std::cell::{Cell, RefCell};
use std::ptr;

use corosensei::Yielder;

use crate::cluster::{Cluster, Part};
use crate::fault::{Fault, FaultKind, Site};
use crate::memory::{Allocations, SharedMemory};
use crate::rendezvous::{Barrier, Warp};
use crate::sched::{Schedule, Scheduler};
use crate::{Launch, rendezvous, stuck};

thread_local! {
    static WORLD: Cell<*const World> = const { Cell::new(ptr::null()) };
}

/// Accesses that count as one round of a spinning thread.
const ACCESSES_PER_ROUND: u32 = 64;
/// Rounds without progress, all threads together, that are taken for a livelock: this many, and
/// this many more for each live thread.
const ROUNDS: u64 = 1_000_000;
const ROUNDS_PER_THREAD: u64 = 1_000;

/// One emulated thread. Its *slot* is its place in [`World::threads`].
pub(crate) struct Thread {
    pub(crate) index: u32,
    /// The place of its block in [`World::blocks`].
    block: u32,
    yielder: Cell<*const Yielder<(), ()>>,
    /// What it brings to a warp collective, and what it takes away.
    pub(crate) value: Cell<u64>,
    pub(crate) source: Cell<u32>,
    pub(crate) result: Cell<u32>,
    /// Its part in its cluster's barriers.
    pub(crate) part: Cell<Part>,
}

/// One resident block. When its threads have ended, the next block of the grid takes its place.
pub(crate) struct Block {
    pub(crate) id: Cell<u32>,
    pub(crate) ended: Cell<u32>,
    pub(crate) barrier: RefCell<Barrier>,
    pub(crate) warps: RefCell<Vec<Warp>>,
    pub(crate) memory: RefCell<SharedMemory>,
}

/// A running launch.
pub(crate) struct World {
    pub(crate) grid_dim: u32,
    pub(crate) block_dim: u32,
    pub(crate) cluster_dim: u32,
    pub(crate) threads: Vec<Thread>,
    pub(crate) blocks: Vec<Block>,
    /// Of so many consecutive ones of these.
    pub(crate) clusters: Vec<Cluster>,
    pub(crate) scheduler: RefCell<Scheduler>,
    /// Blocks of the grid that have not started.
    pub(crate) waiting_blocks: Cell<u32>,
    schedule: Schedule,
    pub(crate) allocations: Option<Allocations>,
    /// The slot of the running thread; it stays when the thread gives way to the engine.
    current: Cell<u32>,
    /// Whether a thread runs now, rather than the engine.
    running: Cell<bool>,
    /// The running thread's slice, and what is left of it, in accesses.
    slice: Cell<u32>,
    fuel: Cell<u32>,
    accesses: Cell<u64>,
    /// Rounds since something last moved.
    idle_rounds: Cell<u64>,
    fault: RefCell<Option<Fault>>,
    /// A fault has stopped the launch: no thread runs any more, except to unwind.
    stopped: Cell<bool>,
}

impl World {
    pub(crate) fn new(launch: &Launch, schedule: Schedule) -> World {
        let dim = launch.block;
        let clusters = launch.resident_blocks.min(launch.grid).div_ceil(launch.cluster);
        let resident = clusters * launch.cluster;
        let thread = |slot: u32| Thread {
            index: slot % dim,
            block: slot / dim,
            yielder: Cell::new(ptr::null()),
            value: Cell::new(0),
            source: Cell::new(0),
            result: Cell::new(0),
            part: Cell::default(),
        };
        let block = |_| Block {
            id: Cell::new(0),
            ended: Cell::new(0),
            barrier: RefCell::default(),
            warps: RefCell::new(rendezvous::warps(dim)),
            memory: RefCell::new(SharedMemory::new(launch.shared_bytes, dim, launch.check_races)),
        };
        let threads: Vec<Thread> = (0..resident * dim).map(thread).collect();
        World {
            grid_dim: launch.grid,
            block_dim: dim,
            cluster_dim: launch.cluster,
            scheduler: RefCell::new(Scheduler::new(schedule, threads.len())),
            threads,
            blocks: (0..resident).map(block).collect(),
            clusters: (0..clusters).map(|_| Cluster::default()).collect(),
            waiting_blocks: Cell::new(launch.grid),
            schedule,
            allocations: launch.allocations.as_deref().map(Allocations::new),
            current: Cell::new(0),
            running: Cell::new(false),
            slice: Cell::new(1),
            fuel: Cell::new(1),
            accesses: Cell::new(0),
            idle_rounds: Cell::new(0),
            fault: RefCell::new(None),
            stopped: Cell::new(false),
        }
    }

    /// The world of the running thread.
    ///
    /// # Panics
    /// Outside a launch.
    #[inline]
    #[track_caller]
    pub(crate) fn current<'a>() -> &'a World {
        let world = WORLD.get();
        assert!(!world.is_null(), "a device function was called outside simt::launch");
        // SAFETY: `Entered` keeps the pointer valid while it is set, and a kernel, who calls this,
        // cannot outlive the launch that set it.
        unsafe { &*world }
    }

    /// Whether an emulated thread runs now, rather than the engine or other code.
    pub(crate) fn is_running() -> bool {
        !WORLD.get().is_null() && World::current().running.get()
    }

    pub(crate) fn set_running(&self, running: bool) {
        self.running.set(running);
    }

    /// Makes this the world of the kernels that run here, until the guard goes.
    pub(crate) fn enter(&self) -> Entered<'_> {
        Entered { outer: WORLD.replace(self), _world: self }
    }

    #[inline]
    pub(crate) fn me(&self) -> &Thread {
        &self.threads[self.current.get() as usize]
    }

    #[inline]
    pub(crate) fn my_block(&self) -> &Block {
        &self.blocks[self.me().block as usize]
    }

    /// The place among the resident blocks of the running thread's cluster's first.
    fn my_cluster_place(&self) -> u32 {
        self.me().block / self.cluster_dim * self.cluster_dim
    }

    pub(crate) fn my_cluster(&self) -> &Cluster {
        &self.clusters[(self.my_cluster_place() / self.cluster_dim) as usize]
    }

    pub(crate) fn blocks_of_my_cluster(&self) -> &[Block] {
        &self.blocks[self.my_cluster_place() as usize..][..self.cluster_dim as usize]
    }

    /// The slot of the running thread.
    #[inline]
    pub(crate) fn my_slot(&self) -> u32 {
        self.current.get()
    }

    /// The place among the resident blocks of the block that a slot belongs to.
    pub(crate) fn block_of(&self, slot: u32) -> u32 {
        self.threads[slot as usize].block
    }

    pub(crate) fn accesses(&self) -> u64 {
        self.accesses.get()
    }

    /// Takes the next thread and makes it the running one.
    #[inline]
    pub(crate) fn pick(&self) -> Option<u32> {
        let mut scheduler = self.scheduler.borrow_mut();
        let slot = scheduler.pick()?;
        let slice = scheduler.slice();
        self.current.set(slot);
        self.slice.set(slice);
        self.fuel.set(slice);
        Some(slot)
    }

    /// The running thread's way back to the engine.
    pub(crate) fn set_yielder(&self, yielder: &Yielder<(), ()>) {
        self.me().yielder.set(yielder);
    }

    /// Gives way to the engine; returns when the scheduler picks this thread again.
    #[inline]
    pub(crate) fn suspend(&self) {
        if self.stopped.get() {
            // A destructor that runs while the launch is torn down: nobody is left to wait for.
            self.fuel.set(u32::MAX);
            return;
        }
        // SAFETY: set at the coroutine's start, and valid while it lives; it is the running one.
        let yielder = unsafe { &*self.me().yielder.get() };
        yielder.suspend(());
    }

    /// Something has moved: whoever spins may hope.
    #[inline]
    pub(crate) fn progress(&self) {
        self.idle_rounds.set(0);
    }

    /// One round of a spinning thread: all others go first.
    pub(crate) fn spin(&self, site: Site) {
        self.give_way(1, site);
    }

    fn give_way(&self, rounds: u64, site: Site) {
        let idle = self.idle_rounds.get() + rounds;
        self.idle_rounds.set(idle);
        let limit = ROUNDS + ROUNDS_PER_THREAD * self.threads.len() as u64;
        if idle > limit && !self.stopped.get() {
            let message = format!(
                "{} spins at {site}, and nothing else has moved for {limit} rounds{}",
                self.name(self.my_slot()),
                stuck::who_waits(self)
            );
            self.fail(FaultKind::Livelock, message);
        }
        self.scheduler.borrow_mut().queue(self.my_slot());
        self.suspend();
    }

    /// Counts an access; at the end of the slice, lets another thread run before it.
    #[inline]
    pub(crate) fn step(&self, site: Site) {
        self.accesses.set(self.accesses.get() + 1);
        let fuel = self.fuel.get() - 1;
        self.fuel.set(fuel);
        if fuel == 0 {
            self.end_slice(site);
        }
    }

    #[cold]
    fn end_slice(&self, site: Site) {
        let rounds = self.slice.get().div_ceil(ACCESSES_PER_ROUND);
        self.give_way(u64::from(rounds), site);
    }

    /// A slot in words.
    pub(crate) fn name(&self, slot: u32) -> String {
        let thread = &self.threads[slot as usize];
        let block = self.blocks[thread.block as usize].id.get();
        format!("thread {} of block {block}", thread.index)
    }

    /// Records a fault; the engine stops at the next switch. The first one counts.
    pub(crate) fn record(&self, kind: FaultKind, message: String) {
        self.fault.borrow_mut().get_or_insert_with(|| Fault::new(kind, message, self.schedule));
    }

    /// Records a fault of the running thread, which never runs again.
    #[cold]
    pub(crate) fn fail(&self, kind: FaultKind, message: String) -> ! {
        self.record(kind, message);
        self.suspend();
        panic!("a destructor called a device function after the launch had stopped");
    }

    /// The fault that ends the launch, if one was recorded.
    #[inline]
    pub(crate) fn take_fault(&self) -> Option<Fault> {
        self.fault.borrow_mut().take()
    }

    /// No thread runs any more, except to unwind.
    pub(crate) fn stop(&self) {
        self.stopped.set(true);
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.get()
    }
}

/// While it lives, [`World::current`] is this world.
pub(crate) struct Entered<'a> {
    outer: *const World,
    _world: &'a World,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        WORLD.set(self.outer);
    }
}
