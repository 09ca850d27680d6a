//! A GPU's constants: what a launch, a join of blocks, a barrier, an atomic, an operation of a warp
//! and a read cost. Which algorithm is fastest follows from them, so they are measured first.
//!
//! # How
//!
//! Kernels do a thing many times, and not at all; the difference is the thing's. All of it runs in
//! CUDA graphs, so that the host's part is left out, and every kernel's result is checked, because
//! a time of work that was not done is worth nothing.
//!
//! # Reading order
//!
//! 1. `constants_kernels`: what is done.
//! 2. [`gpu`]: launches in a graph, and their time.
//! 3. [`mod@bench`]: the memory they work on, and what a kernel must have written.
//! 4. [`groups`]: what is measured, a function a group.
//! 5. [`report`]: the table, and JSON.
//!
//! What needs instructions that the device library lacks is left out: pushing to the shared memory
//! of a cluster's other blocks, and kernels that let the next one start early.
pub mod bench;
pub mod gpu;
pub mod groups;
pub mod report;

pub use bench::{Bench, Effort};
pub use gpu::Gpu;
pub use report::{Constant, Report};
