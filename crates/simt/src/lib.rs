//! Runs GPU kernels on the CPU, one coroutine a thread, and finds their races, divergence and
//! deadlocks.
//!
//! A kernel is a closure that every thread of a grid calls. Inside it, the functions of [`index`],
//! [`collective`], [`shared`], [`global`] and [`cluster`] stand for what the hardware offers; each
//! one knows the source line that called it, checks what the hardware leaves undefined, and may let
//! another thread run.
//!
//! ```
//! use simt::{Launch, collective::block_sync, index::thread_index, shared};
//!
//! // One block of 64 threads, 256 bytes of shared memory, a random but repeatable schedule.
//! let launch = Launch::new(1, 64, 256).seeded(7);
//! let reverse = || {
//!     let thread = thread_index();
//!     shared::write(4 * thread, thread);
//!     block_sync(); // without this line: a race, named with both source lines
//!     assert_eq!(shared::read::<u32>(4 * (63 - thread)), 63 - thread);
//! };
//! simt::launch(&launch, reverse).unwrap();
//! ```
//!
//! # How it works
//!
//! Every thread is a coroutine with a small stack of its own (`exec`); one operating system
//! thread runs them, one at a time. A thread runs until it waits in a collective, ends, or has
//! used up the slice that the [`Schedule`] gave it. Nothing is left to chance: a schedule is a
//! short text such as `random:42`, every [`Fault`] prints it, and the environment variable
//! `SIMT_REPLAY` runs it again.
//!
//! The threads of a warp do not run in lockstep, as on every GPU since Volta: only
//! [`collective::warp_sync`] orders the memory accesses of two lanes, and only the block-wide
//! barriers order those of two warps.
//!
//! # What it finds
//!
//! Each [`FaultKind`] says what it stands for. Shared memory is checked access by access: bounds,
//! alignment, initialisation and races. Global memory is checked for alignment and, where the
//! launch lists its allocations, for bounds.
//!
//! # What it cannot find
//!
//! - A schedule it did not run. In-order runs and a few dozen seeds find most races, because a race
//!   is found from the missing barrier, not from a wrong result; but it is no proof.
//! - Races on global memory, other than by the results that they spoil. Accesses to global memory
//!   take effect at once and in program order.
//! - What bypasses its functions: a plain dereference of a pointer is invisible to it.
//! - A third reader: of the reads (and of the atomics) of a word it remembers two, from different
//!   warps if it can. With partial `warp_sync` masks an older lane's read may be forgotten.
//! - An endless loop that calls no function of this crate.
//!
//! # Map
//!
//! | module | what it holds |
//! |---|---|
//! | `launch` | what a launch is; the entry point |
//! | `sched` | who runs next, and for how long: the only place with a policy |
//! | `exec` | the engine: coroutines, stacks, the loop |
//! | `world` | the state of a running launch, and how a thread stops or fails |
//! | `rendezvous`, `stuck` | waiting at collectives; explaining who waits for whom |
//! | `access`, `memory` | accesses and their checks |
//! | `race`, `order` | the race detector; what barriers order |
//! | `index`, `collective`, `shared`, `global`, `cluster` | the device functions |
//! | `fault` | what can go wrong, in words |
mod access;
pub mod cluster;
pub mod collective;
mod exec;
mod fault;
pub mod global;
pub mod index;
mod launch;
mod memory;
mod order;
mod race;
mod rendezvous;
mod sched;
pub mod shared;
mod stuck;
mod world;

pub use fault::{Fault, FaultKind};
pub use launch::{Kernel, Launch, Stats, launch};
pub use sched::{ParseScheduleError, Schedule};

/// Lets the other threads run: one round of a loop that waits for one of them.
///
/// # Panics
/// Outside a launch.
#[track_caller]
pub fn yield_now() {
    world::World::current().spin(std::panic::Location::caller());
}
