//! Gives `-lcuda` something harmless to find.
//!
//! The crate cust tells the linker to link the library `cuda`. With the feature `cust` this crate
//! defines every function that cust calls, so the linker needs nothing from that library, yet it
//! refuses to go on without a file of that name. An archive with no members satisfies it and adds
//! neither code nor a run-time dependency on a driver.

use std::path::Path;
use std::{env, fs};

/// What every `ar` archive starts with, and all that an empty one holds.
const EMPTY_ARCHIVE: &str = "!<arch>\n";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if env::var_os("CARGO_FEATURE_CUST").is_none() {
        return;
    }
    let out = env::var("OUT_DIR").expect("cargo sets OUT_DIR for build scripts");
    // The Microsoft linker asks for cuda.lib, every other one for libcuda.a.
    for name in ["libcuda.a", "cuda.lib"] {
        let path = Path::new(&out).join(name);
        fs::write(&path, EMPTY_ARCHIVE)
            .unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
    }
    println!("cargo::rustc-link-search=native={out}");
}
