//! Where things lie in this repository.

use std::env;
use std::path::{Path, PathBuf};

/// The repository's root folder.
pub fn root() -> &'static Path {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().expect("this package is a folder of the root")
}

/// A folder for what a command makes on the way; it is kept, so that the next run is quick.
pub fn scratch(command: &str) -> PathBuf {
    let target =
        env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    target.join("xtask").join(command)
}
