//! Makes the PTX of the kernels that measure, and `ptx.rs`, the table of it, in `OUT_DIR`.

use std::env;
use std::path::{Path, PathBuf};

use cuda_builder::{Arch, CudaBuilder};

fn main() {
    let constants = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    cuda_builder::build_script(&kernels(&constants), &out.join("ptx.rs"));
}

/// What is built from what: the one place that says so (`xtask` has this file as a module).
pub fn kernels(constants: &Path) -> CudaBuilder {
    CudaBuilder::new(constants.join("kernels"))
        .device_library("cuda_std", constants.join("../../crates/cuda_std"))
        .arch(Arch::Sm80)
        .arch(Arch::Sm90)
        .prebuilt(constants.join("ptx"))
}
