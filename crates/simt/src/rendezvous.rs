//! Waiting at collectives, and completing them.
//!
//! Arrivals are counted, so that all but the last thread post what they bring and leave without a
//! look at the others. The last one computes the results and wakes everybody, itself included.
use std::fmt;

use crate::cluster::Part;
use crate::collective::Reduce;
use crate::fault::{FaultKind, Site};
use crate::memory::{WARP, lanes};
use crate::world::{Block, Thread, World};

/// What a block-wide barrier computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BlockOp {
    Sync,
    Count,
    Or,
    And,
}

/// What a warp collective computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WarpOp {
    Sync,
    Shuffle,
    Ballot,
    MatchAny,
    Reduce(Reduce),
}

impl fmt::Display for BlockOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BlockOp::Sync => "block_sync",
            BlockOp::Count => "block_count",
            BlockOp::Or => "block_or",
            BlockOp::And => "block_and",
        })
    }
}

impl fmt::Display for WarpOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WarpOp::Sync => f.write_str("warp_sync"),
            WarpOp::Shuffle => f.write_str("warp_shuffle"),
            WarpOp::Ballot => f.write_str("warp_ballot"),
            WarpOp::MatchAny => f.write_str("warp_match_any"),
            WarpOp::Reduce(reduce) => write!(f, "warp_reduce({reduce:?})"),
        }
    }
}

/// What a lane brings to a warp collective.
#[derive(Clone, Copy)]
pub(crate) struct Contribution {
    pub(crate) value: u64,
    /// The lane that a shuffle reads.
    pub(crate) source: u32,
}

/// The threads that wait at a block's barrier.
#[derive(Default)]
pub(crate) struct Barrier {
    /// What the first to arrive called, from where, and its slot.
    pub(crate) first: Option<(BlockOp, Site, u32)>,
    pub(crate) arrived: u32,
    /// How many of them passed true.
    votes: u32,
    /// The votes of the last complete barrier. Every thread takes it before the next is complete.
    result: u32,
}

/// One warp's lanes and their meetings.
pub(crate) struct Warp {
    /// The lanes that the warp was made with: fewer than 32 in the last warp of an odd block.
    present: u32,
    ended: u32,
    /// The incomplete collectives, at most one a mask.
    pub(crate) groups: Vec<Group>,
}

/// The lanes that wait in one warp collective.
#[derive(Clone, Copy)]
pub(crate) struct Group {
    pub(crate) op: WarpOp,
    pub(crate) site: Site,
    pub(crate) mask: u32,
    pub(crate) arrived: u32,
}

/// The warps of a block of `block_dim` threads.
pub(crate) fn warps(block_dim: u32) -> Vec<Warp> {
    (0..block_dim.div_ceil(WARP))
        .map(|warp| Warp {
            present: u32::MAX >> (WARP - (block_dim - warp * WARP).min(WARP)),
            ended: 0,
            groups: Vec::new(),
        })
        .collect()
}

impl World {
    /// The running thread waits at a barrier of its block; returns how many passed true.
    pub(crate) fn block_wait(&self, op: BlockOp, predicate: bool, site: Site) -> u32 {
        let (slot, block) = (self.my_slot(), self.my_block());
        let complete = {
            let mut barrier = block.barrier.borrow_mut();
            let (first_op, first_site, first) = *barrier.first.get_or_insert((op, site, slot));
            if first_op != op || !same(first_site, site) {
                drop(barrier);
                self.diverge(
                    format!("{} is in {op} at {site}", self.name(slot)),
                    format!("{} is in {first_op} at {first_site}", self.name(first)),
                    "the block's barrier needs all threads in one place",
                );
            }
            barrier.arrived += 1;
            barrier.votes += u32::from(predicate);
            barrier.arrived == self.block_dim
        };
        if complete {
            self.complete_barrier(block, slot - self.me().index);
        }
        self.suspend();
        block.barrier.borrow().result
    }

    fn complete_barrier(&self, block: &Block, first_slot: u32) {
        let mut barrier = block.barrier.borrow_mut();
        *barrier = Barrier { result: barrier.votes, ..Barrier::default() };
        block.memory.borrow_mut().order.block_barrier();
        self.progress();
        let mut scheduler = self.scheduler.borrow_mut();
        for slot in (first_slot..first_slot + self.block_dim).rev() {
            scheduler.wake(slot);
        }
    }

    /// The running thread waits in a collective of the lanes in `mask`; returns its result.
    pub(crate) fn warp_wait(
        &self,
        op: WarpOp,
        mask: u32,
        contribution: Contribution,
        site: Site,
    ) -> u32 {
        let (me, block) = (self.me(), self.my_block());
        let lane = me.index % WARP;
        me.value.set(contribution.value);
        me.source.set(contribution.source);
        let complete = {
            let mut warps = block.warps.borrow_mut();
            let warp = &mut warps[(me.index / WARP) as usize];
            let problem = warp.refuse(op, mask, lane, contribution.source);
            let outcome = match problem {
                Some(problem) => Err((FaultKind::BadMask, problem)),
                None => warp.arrive(op, mask, lane, site),
            };
            outcome.unwrap_or_else(|(kind, problem)| {
                drop(warps);
                let me = self.name(self.my_slot());
                self.fail(
                    kind,
                    format!("{me} is in {op} with mask {mask:#010x} at {site}; {problem}"),
                )
            })
        };
        if complete {
            self.complete_group(op, mask, self.my_slot() - lane);
        }
        self.suspend();
        me.result.get()
    }

    /// All lanes of `mask` are here: gives them their results and wakes them.
    fn complete_group(&self, op: WarpOp, mask: u32, lane_zero: u32) {
        let end = (lane_zero + WARP).min(self.threads.len() as u32);
        let threads = &self.threads[lane_zero as usize..end as usize];
        let everybody =
            |result: u32| lanes(mask).for_each(|at| at_lane(threads, at).result.set(result));
        match op {
            WarpOp::Sync => self.order_lanes(mask),
            WarpOp::Shuffle => shuffle(threads, mask),
            WarpOp::Ballot => everybody(equal(threads, mask, 1)),
            WarpOp::MatchAny => match_any(threads, mask),
            WarpOp::Reduce(reduce) => everybody(
                lanes(mask)
                    .map(|lane| at_lane(threads, lane).value.get() as u32)
                    .reduce(|a, b| reduce.apply(a, b))
                    .unwrap_or(0),
            ),
        }
        self.progress();
        let mut scheduler = self.scheduler.borrow_mut();
        let mut left = mask;
        while left != 0 {
            let lane = left.ilog2();
            left ^= 1 << lane;
            scheduler.wake(lane_zero + lane);
        }
    }

    fn order_lanes(&self, mask: u32) {
        let (warp, block) = (self.me().index / WARP, self.my_block());
        let present = block.warps.borrow()[warp as usize].present;
        block.memory.borrow_mut().order.warp_barrier(warp, mask, present);
    }

    /// A thread has returned from the kernel; says whether its block has ended.
    pub(crate) fn thread_ended(&self, slot: u32) -> bool {
        self.progress();
        let index = self.threads[slot as usize].index;
        let block = &self.blocks[self.block_of(slot) as usize];
        let mut warps = block.warps.borrow_mut();
        let warp = &mut warps[(index / WARP) as usize];
        warp.ended |= 1 << (index % WARP);
        let stranded = warp.groups.iter().find(|group| group.mask & warp.ended != 0);
        if let Some(group) = stranded {
            let waiting = slot - index % WARP + group.arrived.trailing_zeros();
            self.record(
                FaultKind::BadMask,
                format!(
                    "{} is in {} with mask {:#010x} at {}; {} has ended",
                    self.name(waiting),
                    group.op,
                    group.mask,
                    group.site,
                    self.name(slot)
                ),
            );
        }
        block.ended.set(block.ended.get() + 1);
        block.ended.get() == self.block_dim
    }

    /// Whether all blocks of a cluster have ended.
    pub(crate) fn cluster_ended(&self, cluster: u32) -> bool {
        let (first, dim) = (cluster * self.cluster_dim, self.cluster_dim as usize);
        let mut blocks = self.blocks[first as usize..][..dim].iter();
        blocks.all(|block| block.ended.get() == self.block_dim)
    }

    /// Another cluster of the grid takes the place of one that has ended.
    pub(crate) fn clear_cluster(&self, cluster: u32) {
        self.clusters[cluster as usize].clear();
    }

    /// Block `id` of the grid takes the place of one that has ended.
    pub(crate) fn start_block(&self, place: u32, id: u32) {
        let block = &self.blocks[place as usize];
        block.id.set(id);
        block.ended.set(0);
        for warp in block.warps.borrow_mut().iter_mut() {
            warp.ended = 0;
        }
        block.memory.borrow_mut().reset();
        self.waiting_blocks.set(self.waiting_blocks.get() - 1);
        let first = place * self.block_dim;
        let mut scheduler = self.scheduler.borrow_mut();
        for slot in first..first + self.block_dim {
            self.threads[slot as usize].part.set(Part::default());
            scheduler.queue(slot);
        }
    }

    #[cold]
    fn diverge(&self, here: String, there: String, rule: &str) -> ! {
        self.fail(FaultKind::Divergence, format!("{here}, {there}; {rule}"))
    }
}

impl Warp {
    /// Why this lane may not call this collective.
    fn refuse(&self, op: WarpOp, mask: u32, lane: u32, source: u32) -> Option<String> {
        let in_mask = |lane: u32| lane < WARP && mask >> lane & 1 == 1;
        let absent = mask & (self.ended | !self.present);
        if !in_mask(lane) {
            Some(format!("the mask lacks the calling lane {lane}"))
        } else if absent & !self.present != 0 {
            let lane = (absent & !self.present).trailing_zeros();
            Some(format!("the warp has no lane {lane}"))
        } else if absent != 0 {
            Some(format!("lane {} has ended", absent.trailing_zeros()))
        } else if op == WarpOp::Shuffle && !in_mask(source) {
            Some(format!("it reads lane {source}, which is not in the mask"))
        } else {
            None
        }
    }

    /// Adds a lane to its group; says whether the group is complete, and if so removes it.
    fn arrive(
        &mut self,
        op: WarpOp,
        mask: u32,
        lane: u32,
        site: Site,
    ) -> Result<bool, (FaultKind, String)> {
        let bit = 1 << lane;
        let place = match self.groups.iter().position(|group| group.mask == mask) {
            Some(place) => place,
            None => {
                self.groups.push(Group { op, site, mask, arrived: 0 });
                self.groups.len() - 1
            }
        };
        let group = &mut self.groups[place];
        if group.op != op || !same(group.site, site) {
            let other = group.arrived.trailing_zeros();
            let problem = format!("lane {other} is in {} at {}", group.op, group.site);
            return Err((FaultKind::Divergence, problem));
        }
        group.arrived |= bit;
        let complete = group.arrived == mask;
        if complete {
            self.groups.swap_remove(place);
        }
        Ok(complete)
    }
}

/// The same source line. Inlining may give one line several addresses.
#[inline]
fn same(a: Site, b: Site) -> bool {
    std::ptr::eq(a, b) || a == b
}

#[inline]
fn at_lane(threads: &[Thread], lane: u32) -> &Thread {
    &threads[lane as usize]
}

fn shuffle(threads: &[Thread], mask: u32) {
    for lane in lanes(mask) {
        let thread = at_lane(threads, lane);
        let value = at_lane(threads, thread.source.get()).value.get();
        thread.result.set(value as u32);
    }
}

/// The lanes of `mask` that brought `value`.
fn equal(threads: &[Thread], mask: u32, value: u64) -> u32 {
    lanes(mask)
        .filter(|lane| at_lane(threads, *lane).value.get() == value)
        .fold(0, |found, lane| found | 1 << lane)
}

fn match_any(threads: &[Thread], mask: u32) {
    let mut left = mask;
    while left != 0 {
        let leader = at_lane(threads, left.trailing_zeros());
        let found = equal(threads, left, leader.value.get());
        lanes(found).for_each(|lane| at_lane(threads, lane).result.set(found));
        left &= !found;
    }
}
