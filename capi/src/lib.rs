//! The C interface of aikf-topk: what `capi/include/aikf_topk.h` declares.
//!
//! A thin layer: it turns pointers into the library's types, errors into numbers, and stops panics.
//! The header is made from these files by `cargo xtask header`, comments included, so names are as
//! C has them. How to use it: `docs/c-abi.md`.
//!
//! # Rules
//!
//! - No panic crosses the border, and no Rust `enum` or `bool` comes in by value: C may pass any
//!   number.
//! - In a struct of options zero is the default, so that fields can be added at its end.
//! - There is no state but the handles and each thread's last error.
#![allow(non_camel_case_types, reason = "the names are those of the C header")]

// In groups, because the header's order is this one.
mod arguments;
mod status;

mod runtime;

mod calls;
mod host;
mod topk;
mod topk_options;

mod draws;
mod history;
mod sample_call;
mod sampler;
mod sampler_options;

#[cfg(test)]
mod tests;

use std::ffi::c_char;

/// The version of this interface. It changes where a program made for an older one would break.
pub const AIKF_ABI_VERSION: u32 = 1;

const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");

/// The version of this interface that the library has: compare it with `AIKF_ABI_VERSION`, which is
/// the header's.
#[unsafe(no_mangle)]
pub extern "C" fn aikf_abi_version() -> u32 {
    AIKF_ABI_VERSION
}

/// The library's version, such as "0.1.0". It lives as long as the program.
#[unsafe(no_mangle)]
pub extern "C" fn aikf_version() -> *const c_char {
    VERSION.as_ptr().cast()
}
