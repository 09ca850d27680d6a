//! Where a thread stands in its block and grid, the block's barriers, and fences.
//!
//! A grid is `grid_dim_x` blocks of `block_dim_x` threads. Barriers are for the whole block: every
//! thread of the block must reach the same one ("uniform"), also those with nothing to do.
use crate::backend;

/// This thread's number in its block.
#[inline(always)]
pub fn thread_idx_x() -> u32 {
    backend::thread_index()
}

/// This block's number in the grid.
#[inline(always)]
pub fn block_idx_x() -> u32 {
    backend::block_index()
}

/// Threads in a block.
#[inline(always)]
pub fn block_dim_x() -> u32 {
    backend::block_dim()
}

/// Blocks in the grid.
#[inline(always)]
pub fn grid_dim_x() -> u32 {
    backend::grid_dim()
}

/// Waits for every thread of the block; shared and global memory written before it is visible to
/// the block after it. Uniform.
#[inline(always)]
#[track_caller]
pub fn sync_threads() {
    backend::block_sync();
}

/// [`sync_threads`], and the number of threads whose predicate held. Uniform.
#[inline(always)]
#[track_caller]
pub fn sync_threads_count(predicate: bool) -> u32 {
    backend::block_count(predicate)
}

/// [`sync_threads`], and whether any thread's predicate held. Uniform.
#[inline(always)]
#[track_caller]
pub fn sync_threads_or(predicate: bool) -> bool {
    backend::block_or(predicate)
}

/// [`sync_threads`], and whether every thread's predicate held. Uniform.
#[inline(always)]
#[track_caller]
pub fn sync_threads_and(predicate: bool) -> bool {
    backend::block_and(predicate)
}

/// Orders this thread's memory accesses before and after it, as seen by the whole GPU
/// (`fence.acq_rel.gpu`).
#[inline(always)]
pub fn device_fence() {
    backend::device_fence();
}
