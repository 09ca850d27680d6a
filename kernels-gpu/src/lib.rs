//! The top-k kernels. This crate is compiled twice: to PTX, and as an ordinary library that gives
//! the host the same parameter structs, layouts and kernel tables.
//!
//! # Reading order
//!
//! 1. [`params`]: what a launch passes to a kernel, and how shared memory is laid out.
//! 2. [`order`]: how a float becomes an integer that sorts as the contract says.
//! 3. `prim::survey`: how a row is read; `prim::queue`: the running top-k of a block.
//! 4. `select`, then `merge`: the kernels for k that fit into shared memory; `short`, `medium`,
//!    `wide` and `wide_cluster` for rows that fit into registers, `sift` for longer ones.
//! 5. `radix`, then `runs`: the kernels for any k.
//! 6. [`sampling`]: the arithmetic of drawing tokens; `sample` has its kernels.
//! 7. [`variants`]: the list of instances, one line a kernel symbol.
//!
//! # Layers
//!
//! ```text
//! variants -> select, cluster, short, medium, wide, wide_cluster, sift, merge, radix, runs, sample
//!          -> prim -> cuda_std   \-> sampling -> order, params (also the host's)
//! ```
//!
//! A layer imports only to its right. Device code reaches memory and collectives through
//! `cuda_std` alone, so that the emulator sees every access.
//!
//! # Glossary
//!
//! | word | meaning |
//! |---|---|
//! | row | one problem: `n` elements, of which the best `k` are wanted |
//! | piece | the part of a row that one block reads |
//! | vector | 16 bytes of a row at a 16-byte boundary: 4 or 8 elements |
//! | unit | the vectors that a warp reads at once |
//! | key | an element as a `u32` that sorts as the contract's order |
//! | composite | key and index in one `u64`: larger is better, no two of a row are equal |
//! | candidate | a composite that may still be among the best `k` |
//! | bound | a composite that at least `k` candidates reach: what is below it is out |
#![cfg_attr(target_arch = "nvptx64", no_std)]
#![cfg_attr(target_arch = "nvptx64", feature(abi_ptx, asm_experimental_arch))]

pub mod order;
pub mod params;
pub mod sampling;
pub mod variants;

#[cfg(any(target_arch = "nvptx64", feature = "emulator"))]
mod cluster;
#[cfg(any(target_arch = "nvptx64", feature = "emulator"))]
mod medium;
#[cfg(any(target_arch = "nvptx64", feature = "emulator"))]
mod merge;
#[cfg(any(target_arch = "nvptx64", feature = "emulator"))]
mod prim;
#[cfg(any(target_arch = "nvptx64", feature = "emulator"))]
mod radix;
#[cfg(any(target_arch = "nvptx64", feature = "emulator"))]
mod runs;
#[cfg(any(target_arch = "nvptx64", feature = "emulator"))]
mod sample;
#[cfg(any(target_arch = "nvptx64", feature = "emulator"))]
mod select;
#[cfg(any(target_arch = "nvptx64", feature = "emulator"))]
mod short;
#[cfg(any(target_arch = "nvptx64", feature = "emulator"))]
mod sift;
#[cfg(any(target_arch = "nvptx64", feature = "emulator"))]
mod wide;
#[cfg(any(target_arch = "nvptx64", feature = "emulator"))]
mod wide_cluster;

#[cfg(all(not(target_arch = "nvptx64"), feature = "testkit"))]
pub mod testkit;

cuda_std::device_crate!();
