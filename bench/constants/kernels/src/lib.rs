//! Kernels that do one thing a number of times, so that the time of the thing can be told from the
//! difference between many times and none. They are no part of the product and of its PTX.
//!
//! | file | what is done |
//! |---|---|
//! | `blocks` | nothing; a join of blocks; barriers; shared atomics |
//! | `warps` | shuffles, reductions, votes, each waiting for the one before |
//! | `reads` | 16-byte loads |
//!
//! `rounds` of a kernel are [`PER_ROUND`] things each, written out, so that the loop counts little.
#![cfg_attr(target_arch = "nvptx64", no_std)]
#![cfg_attr(target_arch = "nvptx64", feature(abi_ptx, asm_experimental_arch))]

#[cfg(any(target_arch = "nvptx64", feature = "emulator"))]
mod blocks;
#[cfg(any(target_arch = "nvptx64", feature = "emulator"))]
mod reads;
#[cfg(any(target_arch = "nvptx64", feature = "emulator"))]
mod warps;

#[cfg(any(target_arch = "nvptx64", feature = "emulator"))]
use crate::warps::{Ballot, MatchAny, ReduceMax, Shuffle};

/// Things that a kernel does in a round.
pub const PER_ROUND: u32 = 8;

/// Words of shared memory that the kernels of shared atomics spread over.
pub const BINS: u32 = 1024;

/// What word `index` of the pool is, times its number.
pub const FILL_FACTOR: u32 = 0x9e37_79b1;

cuda_std::kernels! {
    empty[threads 1024, blocks 1](out: *mut u32) = blocks::empty;
    join[threads 1024, blocks 1](parts: *mut u32, tickets: *mut u32, out: *mut u32, joined: u32)
        = blocks::join;
    barrier[threads 1024, blocks 1](out: *mut u32, rounds: u32) = blocks::barrier;
    barrier_count[threads 1024, blocks 1](out: *mut u32, rounds: u32) = blocks::barrier_count;
    shared_add[threads 1024, blocks 1](out: *mut u32, rounds: u32, spread: u32)
        = blocks::shared_add;
    shared_fetch_add[threads 1024, blocks 1](out: *mut u32, rounds: u32, spread: u32)
        = blocks::shared_fetch_add;
    shuffle[threads 1024, blocks 1](out: *mut u32, rounds: u32) = warps::warp_chain::<Shuffle>;
    reduce_max[threads 1024, blocks 1](out: *mut u32, rounds: u32) = warps::warp_chain::<ReduceMax>;
    ballot[threads 1024, blocks 1](out: *mut u32, rounds: u32) = warps::warp_chain::<Ballot>;
    match_any[threads 1024, blocks 1](out: *mut u32, rounds: u32) = warps::warp_chain::<MatchAny>;
    fill[threads 1024, blocks 1](x: *mut u32, words: u64) = reads::fill;
    read_u4[threads 1024, blocks 1](x: *const u32, out: *mut u32, vectors: u64) = reads::read::<4>;
    read_u8[threads 512, blocks 2](x: *const u32, out: *mut u32, vectors: u64) = reads::read::<8>;
}

cuda_std::device_crate!();
