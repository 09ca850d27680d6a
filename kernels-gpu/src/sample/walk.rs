//! Walking a row in index order until a running mass reaches a target.
use cuda_std::global::GlobalArrayMut;
use cuda_std::shared::SharedArray;
use cuda_std::thread::{block_dim_x, sync_threads, thread_idx_x};
use cuda_std::warp::{WARP_SIZE, lane_id};

use super::piece::Piece;
use crate::prim::element::Element;
use crate::prim::mass::{warp_reach, warp_reach_of, warp_sum_u64};

/// Place in the scratch memory behind the warps' masses: what was found.
const FOUND: u32 = 32;

/// A row whose pieces' masses are known, walked by one block.
pub struct Walk<'a, E: Element> {
    /// The block's own piece, for the row.
    pub piece: &'a Piece<E>,
    /// The masses of the pieces, `[rows, pieces]`.
    pub partial: GlobalArrayMut<u64>,
    /// A mass a warp, and one more.
    pub scratch: SharedArray<u64>,
    /// Pieces of the row.
    pub pieces: u32,
}

impl<E: Element> Walk<'_, E> {
    /// Index of the first element at which the running sum of `mass` reaches `target`, which is at
    /// least 1 and at most the sum of all; the pieces' masses are the sums of the same. For all
    /// threads of the block together; the same in all of them; ends with a barrier.
    #[inline(always)]
    pub fn reach(&self, target: u64, mass: impl Fn(u32) -> u64) -> u32 {
        let first_list = self.piece.first_list();
        let piece =
            warp_reach_of(self.pieces, target, |at| self.partial.get(first_list + at as u64));
        let (mut base, end) = self.piece.bounds(piece.at);
        let mut before = piece.before;
        let (lane, warp) = (lane_id(), thread_idx_x() / WARP_SIZE);
        // The same in all threads of the block.
        loop {
            let index = base + thread_idx_x();
            let own = if index < end { mass(index) } else { 0 };
            let sum = warp_sum_u64(own);
            // Separates the last use of the masses from their new values.
            sync_threads();
            if lane == 0 {
                self.scratch.set(warp, sum);
            }
            // Separates the masses from their use.
            sync_threads();
            let warps = block_dim_x() / WARP_SIZE;
            let of_warp = if lane < warps { self.scratch.get(lane) } else { 0 };
            let here = warp_sum_u64(of_warp);
            if before + here >= target || base + block_dim_x() >= end {
                let reached = warp_reach(of_warp, target - before);
                // The same in all lanes.
                if warp == reached.at {
                    let found = warp_reach(own, target - before - reached.before);
                    if lane == found.at {
                        self.scratch.set(FOUND, index as u64);
                    }
                }
                // Separates what was found from its use.
                sync_threads();
                return self.scratch.get(FOUND) as u32;
            }
            before += here;
            base += block_dim_x();
        }
    }
}
