//! The device library: what a GPU kernel written in Rust calls.
//!
//! Names follow Rust-CUDA's `cuda_std` where it has them. The same source serves two machines:
//!
//! | back end | when | how |
//! |---|---|---|
//! | `nvptx` | `target_arch = "nvptx64"` | LLVM intrinsics and inline PTX, one instruction a call |
//! | `cpu` | elsewhere, feature `emulator` | the SIMT emulator, which also checks every access |
//!
//! Without the feature, a host program sees only the tables that [`kernels!`] makes.
//!
//! # Rules the `nvptx` back end keeps
//!
//! - A collective is always an LLVM intrinsic, never inline assembly: LLVM knows intrinsics to be
//!   convergent and does not copy them into divergent branches.
//! - Assembly that reads memory is `pure, readonly`; assembly that writes or orders memory keeps
//!   the default memory clobber.
//! - Shuffles, votes, matches and reductions order no memory: use [`warp::sync_warp`] between two
//!   lanes' accesses to the same place.
#![cfg_attr(target_arch = "nvptx64", no_std)]
#![cfg_attr(
    target_arch = "nvptx64",
    feature(link_llvm_intrinsics, asm_experimental_arch),
    allow(internal_features)
)]

pub mod fused;
mod kernel;
pub use kernel::KernelInfo;

#[cfg(target_arch = "nvptx64")]
mod nvptx;
#[cfg(target_arch = "nvptx64")]
use nvptx as backend;

#[cfg(all(not(target_arch = "nvptx64"), feature = "emulator"))]
mod cpu;
#[cfg(all(not(target_arch = "nvptx64"), feature = "emulator"))]
use cpu as backend;

#[cfg(any(target_arch = "nvptx64", feature = "emulator"))]
mod device {
    pub mod atomic;
    pub mod cluster;
    pub mod count;
    pub mod float;
    pub mod global;
    pub mod shared;
    pub mod thread;
    pub mod warp;
}
#[cfg(any(target_arch = "nvptx64", feature = "emulator"))]
pub use backend::Word;
#[cfg(any(target_arch = "nvptx64", feature = "emulator"))]
pub use device::*;

/// What the macros of this crate refer to; not for direct use.
#[doc(hidden)]
pub mod macros {
    pub use crate::kernel::generation;
    #[cfg(all(not(target_arch = "nvptx64"), feature = "emulator"))]
    pub use simt::Kernel;
}
