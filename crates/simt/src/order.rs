//! Which accesses do the barriers order?
//!
//! Every barrier draws a number from its block's counter. A thread's *clock* is the number of the
//! last barrier it passed; an access carries the clock it was done at. So "A's access came before
//! B's present, by a chain of barriers" becomes comparisons of numbers:
//!
//! - a barrier of the block or of its cluster raises the block's *floor*: accesses at clocks below
//!   it are in the past of everybody;
//! - a `warp_sync` of a whole warp raises the warp's floor, in the same way for its lanes;
//! - a `warp_sync` of some lanes needs more: each lane remembers, for each other lane, up to which
//!   clock it has *seen* it (a vector clock). Few kernels do this, so it is made on first use.
use crate::memory::{WARP, lanes};

/// What the barriers of one block have ordered so far.
pub(crate) struct Order {
    /// The number of the last barrier. Starts at 1, so that an access at clock 0 is none.
    last: u32,
    floor: u32,
    warps: Vec<WarpOrder>,
}

#[derive(Default)]
struct WarpOrder {
    floor: u32,
    partial: Option<Box<Partial>>,
}

#[derive(Default)]
struct Partial {
    clock: [u32; WARP as usize],
    /// `seen[b][a]`: lane b has seen the accesses of lane a at clocks below this.
    seen: [[u32; WARP as usize]; WARP as usize],
}

impl Order {
    pub(crate) fn new(block_dim: u32) -> Order {
        let warps = block_dim.div_ceil(WARP);
        Order { last: 1, floor: 1, warps: (0..warps).map(|_| WarpOrder::default()).collect() }
    }

    /// The clock below which everything is in everybody's past.
    #[inline]
    pub(crate) fn floor(&self) -> u32 {
        self.floor
    }

    /// The clock at which `thread` does its accesses now.
    #[inline]
    pub(crate) fn clock(&self, thread: u32) -> u32 {
        let Some(warp) = self.warps.get((thread / WARP) as usize) else {
            // A thread of another block of the cluster: only the cluster's barriers order it.
            return self.floor;
        };
        let clock = self.floor.max(warp.floor);
        match &warp.partial {
            None => clock,
            Some(partial) => clock.max(partial.clock[(thread % WARP) as usize]),
        }
    }

    /// Whether an access by `earlier` at `clock`, not below the floor, is ordered before `now`.
    pub(crate) fn ordered(&self, earlier: u32, clock: u32, now: u32) -> bool {
        if earlier == now {
            return true;
        }
        if earlier / WARP != now / WARP {
            return false;
        }
        let Some(warp) = self.warps.get((now / WARP) as usize) else {
            return false;
        };
        clock < warp.floor
            || warp.partial.as_ref().is_some_and(|partial| {
                clock < partial.seen[(now % WARP) as usize][(earlier % WARP) as usize]
            })
    }

    /// All threads of the block have met.
    pub(crate) fn block_barrier(&mut self) {
        self.last += 1;
        self.floor = self.last;
    }

    /// The lanes of `mask` have met; `present` are all lanes that the warp has.
    pub(crate) fn warp_barrier(&mut self, warp: u32, mask: u32, present: u32) {
        self.last += 1;
        let warp = &mut self.warps[warp as usize];
        if mask == present {
            warp.floor = self.last;
        } else {
            warp.partial.get_or_insert_default().meet(mask, self.last);
        }
    }
}

impl Partial {
    /// Every lane of `mask` learns what any of them knew, and has seen all of them.
    fn meet(&mut self, mask: u32, number: u32) {
        let mut known = [0; WARP as usize];
        for lane in lanes(mask) {
            for (known, seen) in known.iter_mut().zip(&self.seen[lane as usize]) {
                *known = (*known).max(*seen);
            }
        }
        for lane in lanes(mask) {
            known[lane as usize] = number;
            self.clock[lane as usize] = number;
        }
        for lane in lanes(mask) {
            self.seen[lane as usize] = known;
        }
    }
}
