//! Makes the PTX that the library holds, and `ptx.rs`, the table of it, in `OUT_DIR`.

use std::env;
use std::path::{Path, PathBuf};

use cuda_builder::{Arch, CudaBuilder};

fn main() {
    let host = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    cuda_builder::build_script(&kernels(&host), &out.join("ptx.rs"));
}

/// What is built from what: the one place that says so (`xtask` has this file as a module).
pub fn kernels(host: &Path) -> CudaBuilder {
    CudaBuilder::new(host.join("../kernels-gpu"))
        .device_library("cuda_std", host.join("../crates/cuda_std"))
        .arch(Arch::Sm75)
        .arch(Arch::Sm80)
        .arch(Arch::Sm90)
        .prebuilt(host.join("ptx"))
}
