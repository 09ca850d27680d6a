//! What a build script prints for cargo.

use std::path::Path;
use std::process;

use crate::builder::POLICY_VARIABLE;
use crate::toolchain::RUSTC_VARIABLE;
use crate::{BuildError, Built, CudaBuilder, Source};

/// The whole of a build script: builds, writes `rust_file` (see [`Built::write_rust`]) and tells
/// cargo when to do it again. An error becomes cargo's, and ends the process.
pub fn build_script(builder: &CudaBuilder, rust_file: &Path) -> Built {
    print_rerun_conditions(builder);
    let built = builder.build().and_then(|built| built.write_rust(rust_file).map(|()| built));
    match built {
        Ok(built) => {
            print_compiler(&built);
            built
        }
        Err(error) => fail(&error),
    }
}

/// Tells cargo to run the build script again when the sources, the prebuilt PTX or the variables
/// that steer the build change. Only what exists is named: cargo takes a file that does not exist
/// for one that has changed, every time.
pub fn print_rerun_conditions(builder: &CudaBuilder) {
    for path in builder.inputs() {
        println!("cargo::rerun-if-changed={}", path.display());
    }
    for variable in [RUSTC_VARIABLE, POLICY_VARIABLE, "DOCS_RS"] {
        println!("cargo::rerun-if-env-changed={variable}");
    }
}

/// A compiler that is updated in place makes other PTX.
fn print_compiler(built: &Built) {
    if let Source::Compiled { rustc, .. } = &built.source
        && rustc.is_file()
    {
        println!("cargo::rerun-if-changed={}", rustc.display());
    }
}

fn fail(error: &BuildError) -> ! {
    for line in error.to_string().lines() {
        println!("cargo::error={line}");
    }
    process::exit(1)
}
