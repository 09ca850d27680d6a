//! The CUDA driver, resolved at run time.
//!
//! A program that links `libcuda` neither builds without a CUDA toolkit nor starts without a
//! driver. This crate opens the driver on its first use instead, so the same program builds
//! anywhere, starts anywhere, and says in plain words what is missing where there is no GPU.
//!
//! # Reading order
//!
//! | module | answers |
//! |---|---|
//! | [`provider`] | where do the driver's functions come from: `libcuda`, or one [`install`]ed? |
//! | [`error`] | what does a failed call tell the user? |
//! | [`handle`] | what do the driver's opaque pointers look like in Rust? |
//! | [`api`] | which driver calls are there, as typed functions? |
//! | `cust` (feature) | how does the crate cust reach the same driver? |
//!
//! # Example
//!
//! ```
//! use cuda_loader::api;
//!
//! match api::init().and_then(|()| api::device_count()) {
//!     Ok(count) => println!("{count} devices, driven by {}", cuda_loader::driver_name()),
//!     Err(error) if error.is_no_driver() => println!("running on the CPU: {error}"),
//!     Err(error) => println!("{error}"),
//! }
//! ```

pub mod api;
#[cfg(feature = "cust")]
mod cust;
pub mod error;
pub mod handle;
pub mod provider;

pub use error::DriverError;
pub use handle::{Context, Device, DevicePtr, Event, Function, Graph, GraphExec, Module, Stream};
pub use provider::{InstallError, Lookup, driver_name, install, is_installed, library};
