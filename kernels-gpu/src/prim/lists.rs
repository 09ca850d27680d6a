//! The candidates of a row in global memory: a list a piece, with its best keys beside it.
//!
//! Shapes: `candidates [rows, pieces, slots]` of composites, unsorted, empty ones behind each
//! list's; `tops [rows, pieces * (tops + 2)]` of words: first `[pieces, tops]` of keys, for each of
//! which that is not 0 an element of the piece has it or a greater one; then `[pieces, 2]`, upper
//! word first, a composite that every element of the piece which is not in its list is below.
use cuda_std::global::GlobalArrayMut;
use cuda_std::thread::{block_dim_x, sync_threads, thread_idx_x};
use cuda_std::unroll;
use cuda_std::warp::{FULL_MASK, WARP_SIZE, lane_id, warp_reduce_max, warp_reduce_min};

use super::queue::{Batch, Queue, Source};
use super::tops::Ranking;
use crate::order::{empty, is_empty};
use crate::params::CUT_WORDS;

/// The lists of one row.
#[derive(Clone, Copy)]
pub struct Lists {
    candidates: GlobalArrayMut<u64>,
    tops: GlobalArrayMut<u32>,
    /// Number of the row's first list.
    first: u64,
    pieces: u32,
    slots: u32,
    /// Keys that each piece leaves.
    top_count: u32,
}

/// How many of what a row's lists have.
#[derive(Clone, Copy)]
pub struct ListShape {
    /// Lists a row.
    pub pieces: u32,
    /// Room that a list has.
    pub slots: u32,
    /// Keys that each piece leaves.
    pub tops: u32,
}

impl Lists {
    /// The lists of row number `row`.
    ///
    /// # Safety
    /// - *in bounds*: `candidates` and `tops` have the shapes above, aligned for their types;
    /// - *no concurrent writer*: a list is written by one block, and read only behind it (a later
    ///   launch, or an acquire of what that block released).
    #[inline(always)]
    pub unsafe fn new(candidates: *mut u64, tops: *mut u32, row: u32, shape: ListShape) -> Self {
        // SAFETY: the caller vouches for both.
        let candidates = unsafe { GlobalArrayMut::new(candidates) };
        // SAFETY: as above.
        let tops = unsafe { GlobalArrayMut::new(tops) };
        let ListShape { pieces, slots, tops: top_count } = shape;
        Lists { candidates, tops, first: row as u64 * pieces as u64, pieces, slots, top_count }
    }

    /// Writes a block's queue, of at most `slots` items, as the list of a piece. For all threads of
    /// the block together; without a barrier at its end.
    #[inline(always)]
    pub fn publish(&self, queue: &Queue, piece: u32) {
        let count = queue.count();
        let list = self.first + piece as u64;
        let mut at = thread_idx_x();
        while at < self.slots {
            let item =
                if at < count { queue.items.get(at) } else { empty(piece * self.slots + at) };
            self.candidates.set(list * self.slots as u64 + at as u64, item);
            at += block_dim_x();
        }
        if thread_idx_x() < self.top_count {
            let at = piece * self.top_count + thread_idx_x();
            self.tops.set(self.header() + at as u64, queue.best_tops().get(thread_idx_x()));
        }
        if thread_idx_x() == 0 {
            self.tops.set(self.cut(piece), (queue.bound() >> 32) as u32);
            self.tops.set(self.cut(piece) + 1, queue.bound() as u32);
        }
    }

    /// Where the words of the row's lists start.
    #[inline(always)]
    fn header(&self) -> u64 {
        self.first * (self.top_count + CUT_WORDS) as u64
    }

    /// Where the cut of a list is.
    #[inline(always)]
    fn cut(&self, piece: u32) -> u64 {
        self.header() + (self.pieces * self.top_count + piece * CUT_WORDS) as u64
    }

    /// Whether the best `k` of a queue that took in all lists are the row's, although pieces may
    /// have left out some of theirs. For all threads of the block together, behind a barrier; ends
    /// with one.
    #[inline(always)]
    pub fn suffice(&self, queue: &Queue, k: u32) -> bool {
        let (mut high, mut low) = (0, 0);
        let mut piece = lane_id();
        while piece < self.pieces {
            let at = self.cut(piece);
            let cut = (self.tops.get(at), self.tops.get(at + 1));
            (high, low) = (high, low).max(cut);
            piece += WARP_SIZE;
        }
        let most = warp_reduce_max(FULL_MASK, high);
        let low = warp_reduce_max(FULL_MASK, if high == most { low } else { 0 });
        // What a piece left out is below its cut; a cut of 0 says that it left out nothing.
        let cut = (most as u64) << 32 | low as u64;
        cut == 0 || queue.count_reaching(cut) >= k
    }

    /// The first piece that left out something above `bound`, and the first behind the last such
    /// piece. For the lanes of a warp together; the same in all of them.
    #[inline(always)]
    pub fn short_of(&self, bound: u64) -> (u32, u32) {
        let (mut first, mut end) = (u32::MAX, 0);
        let mut piece = lane_id();
        while piece < self.pieces {
            let at = self.cut(piece);
            if (self.tops.get(at), self.tops.get(at + 1)) > ((bound >> 32) as u32, bound as u32) {
                (first, end) = (first.min(piece), piece + 1);
            }
            piece += WARP_SIZE;
        }
        (warp_reduce_min(FULL_MASK, first), warp_reduce_max(FULL_MASK, end))
    }

    /// Raises the queue's bound to something that `k` of the row's elements reach, as far as the
    /// lists' best keys tell. For all threads of the block together; with a barrier.
    #[inline(always)]
    pub fn raise_bound(&self, queue: &mut Queue, k: u32) {
        let count = self.pieces * self.top_count;
        let mut at = thread_idx_x();
        while at < count {
            queue.tops().set(at, self.tops.get(self.header() + at as u64));
            at += block_dim_x();
        }
        if count == 0 {
            // Separates the queue's start from its use.
            sync_threads();
        } else {
            queue.rank_tops(count, Ranking { k, best: 0 });
        }
    }

    /// The lists' places as batches for the block's warps, which take turns; but for those of lists
    /// `without.0..without.1`. Starts to read the first.
    #[inline(always)]
    pub fn batches(self, without: (u32, u32)) -> ListBatches {
        let at = thread_idx_x() / WARP_SIZE * BATCH;
        let without = (without.0 * self.slots, without.1 * self.slots);
        let mut batches = ListBatches { lists: self, without, at, ahead: ListBatch::default() };
        batches.advance();
        batches
    }
}

/// Candidates that a lane holds at once.
const PARTS: usize = 4;
/// Candidates of a batch.
const BATCH: u32 = PARTS as u32 * WARP_SIZE;

/// What a warp still has to take of a row's lists.
pub struct ListBatches {
    lists: Lists,
    /// The first place that is left out, and the first behind it that is not.
    without: (u32, u32),
    /// The next place.
    at: u32,
    /// The batch before it.
    ahead: ListBatch,
}

impl ListBatches {
    /// Reads one more batch; gives the one before.
    #[inline(always)]
    fn advance(&mut self) -> ListBatch {
        let Lists { first, pieces, slots, candidates, .. } = self.lists;
        let mut items = [0; PARTS];
        unroll!(i in PARTS => {
            let at = self.at + i as u32 * WARP_SIZE + lane_id();
            let is_out = self.without.0 <= at && at < self.without.1;
            if at < pieces * slots && !is_out {
                items[i] = candidates.get(first * slots as u64 + at as u64);
            }
        });
        self.at += block_dim_x() / WARP_SIZE * BATCH;
        core::mem::replace(&mut self.ahead, ListBatch { items })
    }
}

impl Source for ListBatches {
    type Batch = ListBatch;

    #[inline(always)]
    fn has_next(&self) -> bool {
        // One is read ahead.
        self.at < self.lists.pieces * self.lists.slots + block_dim_x() / WARP_SIZE * BATCH
    }

    #[inline(always)]
    fn next(&mut self) -> ListBatch {
        self.advance()
    }
}

/// One lane's candidates of a batch, in registers.
#[derive(Clone, Copy, Default)]
pub struct ListBatch {
    items: [u64; PARTS],
}

impl Batch for ListBatch {
    #[inline(always)]
    fn admitted(&self, bound: u64) -> u32 {
        let mut bits = 0;
        unroll!(i in PARTS => {
            let reaches = self.items[i] >= bound && !is_empty(self.items[i]);
            bits |= (reaches as u32) << i;
        });
        bits
    }

    const ITEMS: u32 = PARTS as u32;

    #[inline(always)]
    fn each(&self, mut f: impl FnMut(u32, u64)) {
        unroll!(i in PARTS => { f(i as u32, self.items[i]); });
    }

    #[inline(always)]
    fn item(&self, number: u32) -> u64 {
        let mut item = self.items[0];
        unroll!(i in PARTS => {
            if number == i as u32 {
                item = self.items[i];
            }
        });
        item
    }
}
