//! Which thread am I? The positions of the running thread in its block and in the grid.
//!
//! Grids and blocks have one dimension. All functions panic outside a launch.
use crate::memory::WARP;
use crate::world::World;

/// The thread's index in its block (`threadIdx.x`).
#[track_caller]
pub fn thread_index() -> u32 {
    World::current().me().index
}

/// The block's index in the grid (`blockIdx.x`).
#[track_caller]
pub fn block_index() -> u32 {
    World::current().my_block().id.get()
}

/// How many threads a block has (`blockDim.x`).
#[track_caller]
pub fn block_dim() -> u32 {
    World::current().block_dim
}

/// How many blocks the grid has (`gridDim.x`).
#[track_caller]
pub fn grid_dim() -> u32 {
    World::current().grid_dim
}

/// The thread's lane in its warp of 32.
#[track_caller]
pub fn lane() -> u32 {
    thread_index() % WARP
}
