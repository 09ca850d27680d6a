//! The candidates of a row in global memory: a list a piece, with its length beside it.
//!
//! Shapes: `candidates [rows, pieces, slots]` of composites, of which the first `counts [rows,
//! pieces]` count; unsorted.
use cuda_std::global::GlobalArrayMut;
use cuda_std::thread::{block_dim_x, thread_idx_x};
use cuda_std::unroll;
use cuda_std::warp::{WARP_SIZE, lane_id};

use super::queue::{Batch, Group, Queue, Source};
use crate::order::{empty, is_empty};

/// The lists of one row.
#[derive(Clone, Copy)]
pub struct Lists {
    candidates: GlobalArrayMut<u64>,
    counts: GlobalArrayMut<u32>,
    /// Number of the row's first list.
    first: u64,
    pieces: u32,
    slots: u32,
}

impl Lists {
    /// The lists of row number `row`.
    ///
    /// # Safety
    /// - *in bounds*: `candidates` and `counts` have the shapes above, aligned for their types;
    /// - *no concurrent writer*: a list is written by one block, and read only behind it (a later
    ///   launch, or an acquire of what that block released).
    #[inline(always)]
    pub unsafe fn new(
        candidates: *mut u64,
        counts: *mut u32,
        row: u32,
        pieces: u32,
        slots: u32,
    ) -> Self {
        // SAFETY: the caller vouches for both.
        let candidates = unsafe { GlobalArrayMut::new(candidates) };
        // SAFETY: as above.
        let counts = unsafe { GlobalArrayMut::new(counts) };
        Lists { candidates, counts, first: row as u64 * pieces as u64, pieces, slots }
    }

    /// Writes a block's queue, of at most `slots` items, as the list of a piece. For all threads of
    /// the block together; without a barrier at its end.
    #[inline(always)]
    pub fn publish(&self, queue: &Queue, piece: u32) {
        let count = queue.count();
        let list = self.first + piece as u64;
        let mut at = thread_idx_x();
        while at < count {
            self.candidates.set(list * self.slots as u64 + at as u64, queue.items.get(at));
            at += block_dim_x();
        }
        if thread_idx_x() == 0 {
            self.counts.set(list, count);
        }
    }

    /// Candidate `at` of a list, or an empty one behind its end.
    #[inline(always)]
    fn candidate(&self, piece: u32, at: u32, count: u32) -> u64 {
        if at < count {
            let list = self.first + piece as u64;
            self.candidates.get(list * self.slots as u64 + at as u64)
        } else {
            empty(piece * self.slots + at)
        }
    }

    /// Puts every slot of every list into the queue's items, empty ones included. For all threads
    /// of the block together.
    #[inline(always)]
    pub fn copy_all(&self, queue: &mut Queue) {
        let mut piece = thread_idx_x() / WARP_SIZE;
        while piece < self.pieces {
            let count = self.counts.get(self.first + piece as u64);
            let mut at = lane_id();
            while at < self.slots {
                queue.items.set(piece * self.slots + at, self.candidate(piece, at, count));
                at += WARP_SIZE;
            }
            piece += block_dim_x() / WARP_SIZE;
        }
        queue.adopt(self.pieces * self.slots);
    }

    /// The lists as batches for the block's warps: each warp takes every so many-th list.
    #[inline(always)]
    pub fn batches(self) -> ListBatches {
        let piece = thread_idx_x() / WARP_SIZE;
        let mut batches = ListBatches { lists: self, piece, at: 0, count: 0 };
        batches.enter();
        batches
    }
}

/// Candidates that a lane holds at once.
const PARTS: usize = 4;

/// What a warp still has to take of a row's lists.
pub struct ListBatches {
    lists: Lists,
    piece: u32,
    /// The next candidate of the list.
    at: u32,
    /// Candidates in the list.
    count: u32,
}

impl ListBatches {
    /// Reads the length of the list that was come to.
    #[inline(always)]
    fn enter(&mut self) {
        self.at = 0;
        self.count = 0;
        if self.piece < self.lists.pieces {
            self.count = self.lists.counts.get(self.lists.first + self.piece as u64);
        }
    }
}

impl Source for ListBatches {
    type Batch = ListBatch;

    #[inline(always)]
    fn has_next(&self) -> bool {
        self.piece < self.lists.pieces
    }

    #[inline(always)]
    fn next(&mut self) -> ListBatch {
        let mut items = [0; PARTS];
        unroll!(i in PARTS => {
            let at = self.at + i as u32 * WARP_SIZE + lane_id();
            items[i] = self.lists.candidate(self.piece, at, self.count);
        });
        self.at += PARTS as u32 * WARP_SIZE;
        if self.at >= self.count {
            self.piece += block_dim_x() / WARP_SIZE;
            self.enter();
        }
        ListBatch { items }
    }
}

/// One lane's candidates of a batch, in registers.
pub struct ListBatch {
    items: [u64; PARTS],
}

impl Batch for ListBatch {
    const GROUPS: usize = 1;
    const PARTS: usize = PARTS;
    type Group = ListGroup;

    #[inline(always)]
    fn sieve(&self, bound: u64) -> u32 {
        let mut any = false;
        unroll!(i in PARTS => { any |= self.items[i] >= bound; });
        any as u32
    }

    #[inline(always)]
    fn group(&self, _number: u32, bound: u64) -> ListGroup {
        ListGroup { items: self.items, bound }
    }

    /// The best candidate itself.
    #[inline(always)]
    fn delegates(&self) -> [u64; 8] {
        let mut best = self.items[0];
        unroll!(i in PARTS => { best = best.max(self.items[i]); });
        [best, 0, 0, 0, 0, 0, 0, 0]
    }
}

/// A lane's candidates, against a bound.
pub struct ListGroup {
    items: [u64; PARTS],
    bound: u64,
}

impl Group for ListGroup {
    #[inline(always)]
    fn admits(&self, part: usize) -> bool {
        self.items[part] >= self.bound && !is_empty(self.items[part])
    }

    #[inline(always)]
    fn item(&self, part: usize) -> u64 {
        self.items[part]
    }
}
