//! What threads do together: barriers of a block, and the exchanges of a warp.
//!
//! A collective is complete when every thread of its scope has called it from the same source
//! line: all threads of the block, or all lanes that the mask names. Disjoint groups of lanes may
//! be in the same line at once, each with its own mask.
//!
//! The block-wide functions and [`warp_sync`] order shared memory among their threads. The other
//! warp functions exchange registers and order nothing.
//!
//! All functions panic outside a launch.
use std::panic::Location;

use crate::rendezvous::{BlockOp, Contribution, WarpOp};
use crate::world::World;

/// How [`warp_reduce`] combines two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reduce {
    /// The sum, wrapping.
    Add,
    /// The larger, unsigned.
    Max,
    /// The smaller, unsigned.
    Min,
    /// Bitwise or.
    Or,
    /// Bitwise and.
    And,
    /// Bitwise exclusive or.
    Xor,
}

impl Reduce {
    pub(crate) fn apply(self, a: u32, b: u32) -> u32 {
        match self {
            Reduce::Add => a.wrapping_add(b),
            Reduce::Max => a.max(b),
            Reduce::Min => a.min(b),
            Reduce::Or => a | b,
            Reduce::And => a & b,
            Reduce::Xor => a ^ b,
        }
    }
}

/// A barrier of the block (`__syncthreads`).
#[track_caller]
pub fn block_sync() {
    World::current().block_wait(BlockOp::Sync, false, Location::caller());
}

/// A barrier of the block; returns how many threads passed true (`__syncthreads_count`).
#[track_caller]
pub fn block_count(predicate: bool) -> u32 {
    World::current().block_wait(BlockOp::Count, predicate, Location::caller())
}

/// A barrier of the block; returns whether any thread passed true (`__syncthreads_or`).
#[track_caller]
pub fn block_or(predicate: bool) -> bool {
    World::current().block_wait(BlockOp::Or, predicate, Location::caller()) > 0
}

/// A barrier of the block; returns whether all threads passed true (`__syncthreads_and`).
#[track_caller]
pub fn block_and(predicate: bool) -> bool {
    let world = World::current();
    world.block_wait(BlockOp::And, predicate, Location::caller()) == world.block_dim
}

/// A barrier of the lanes in `mask` (`__syncwarp`).
#[track_caller]
pub fn warp_sync(mask: u32) {
    warp(WarpOp::Sync, mask, 0);
}

/// Returns the `value` of lane `source_lane`, which must be in `mask` (`__shfl_sync`).
#[track_caller]
pub fn warp_shuffle(mask: u32, value: u32, source_lane: u32) -> u32 {
    let contribution = Contribution { value: u64::from(value), source: source_lane };
    World::current().warp_wait(WarpOp::Shuffle, mask, contribution, Location::caller())
}

/// Returns the mask of the lanes that passed true (`__ballot_sync`).
#[track_caller]
pub fn warp_ballot(mask: u32, predicate: bool) -> u32 {
    warp(WarpOp::Ballot, mask, u64::from(predicate))
}

/// Returns the mask of the lanes that passed the same value (`__match_any_sync`).
#[track_caller]
pub fn warp_match_any(mask: u32, value: u32) -> u32 {
    warp(WarpOp::MatchAny, mask, u64::from(value))
}

/// [`warp_match_any`] of 64-bit values.
#[track_caller]
pub fn warp_match_any_u64(mask: u32, value: u64) -> u32 {
    warp(WarpOp::MatchAny, mask, value)
}

/// Returns all values combined by `operation`, in every lane (`__reduce_add_sync` and so on).
#[track_caller]
pub fn warp_reduce(mask: u32, value: u32, operation: Reduce) -> u32 {
    warp(WarpOp::Reduce(operation), mask, u64::from(value))
}

#[track_caller]
fn warp(op: WarpOp, mask: u32, value: u64) -> u32 {
    let contribution = Contribution { value, source: 0 };
    World::current().warp_wait(op, mask, contribution, Location::caller())
}
