//! The driver's functions as typed Rust.
//!
//! One function here is one call of the driver: nothing is cached, checked twice or freed behind
//! the caller's back. Each returns a [`DriverError`](crate::DriverError) that names the call.
//!
//! A function is `unsafe` where the driver would follow a handle or an address that the caller
//! made up. A *live* handle is one that the driver gave out and that has not been destroyed,
//! in a context that still exists.
//!
//! | file | calls |
//! |---|---|
//! | [`device`] | the driver, GPUs, contexts |
//! | [`module`] | PTX, kernels and their attributes |
//! | [`launch`] | kernel launches |
//! | [`memory`] | device memory, copies, fills |
//! | [`stream`] | streams and events |
//! | [`graph`] | stream capture and graphs |

pub mod device;
pub mod graph;
pub mod launch;
pub mod memory;
pub mod module;
mod raw;
pub mod stream;

pub use device::*;
pub use graph::*;
pub use launch::{LaunchConfig, LaunchExtras, launch_kernel, launch_kernel_ex};
pub use memory::*;
pub use module::*;
pub use stream::*;
