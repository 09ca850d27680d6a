//! How the crate cust reaches the driver (feature `cust`).
//!
//! cust declares the driver's functions as `extern "C"` and leaves it to the linker to find them
//! in `libcuda`. This module defines functions of the same names, which forward to the driver
//! that [`crate::provider`] chooses at run time. So a program that uses cust
//!
//! - builds without a CUDA toolkit (the crate's build script supplies an empty `libcuda.a`),
//! - starts without a driver, and gets `CudaError::NoDevice` with a text that says why,
//! - runs on an emulator if one was installed.
//!
//! # How to use it
//!
//! 1. Switch the feature `cust` on, and name this crate in the library or program that uses cust:
//!    `use cuda_loader as _;`. A crate that nobody names is not linked.
//! 2. cust's build script refuses to run without a folder that looks like CUDA's. Set the
//!    environment variable `CUDA_LIBRARY_PATH` to a folder that holds an empty folder `lib64`; in
//!    a workspace that is one line of `.cargo/config.toml`.
//!
//! # What keeps the linker honest
//!
//! `forward.rs` lists each function in a `#[used]` table, so that all of them are in the
//! program whatever the order of the libraries on the linker's command line. Each symbol is
//! hidden, on systems that know the notion: a shared library made from a program with cust does
//! not offer `cuInit` to others, who would take it for the driver's.

mod error;
mod forward;

use std::ffi::c_void;

/// An argument that is passed on as it is: a handle, or an address in host memory.
type Pointer = *mut c_void;
