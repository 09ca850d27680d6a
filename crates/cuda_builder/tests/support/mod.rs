//! What the tests share: fixtures, scratch folders, and what to do without a compiler.
#![allow(dead_code, reason = "each test file uses a part")]

use std::fs;
use std::path::{Path, PathBuf};

use cuda_builder::{Arch, Built, CudaBuilder, Policy};

/// A fresh folder for one test.
pub fn scratch(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("scratch").join(test);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("the target folder is writable");
    folder
}

pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// A builder for the kernels in `root`/`name`, which leaves everything in `scratch`. All tests
/// share one compiled `core`, and keep it between runs.
pub fn builder(root: &Path, name: &str, scratch: &Path) -> CudaBuilder {
    CudaBuilder::new(root.join(name))
        .device_library("tiny_std", root.join("tiny_std"))
        .copy_to(scratch.join("ptx"))
        .work_dir(scratch.join("work"))
        .core_cache(Path::new(env!("CARGO_TARGET_TMPDIR")).join("core"))
        .policy(Policy::Build)
}

/// The text of one generation's PTX.
pub fn text(built: &Built, arch: Arch) -> String {
    let (_, path) = built.ptx.iter().find(|file| file.0 == arch).expect("it was asked for");
    fs::read_to_string(path).expect("the builder wrote it")
}

/// Copies a folder of folders and files.
pub fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("writable");
    for entry in fs::read_dir(from).expect("readable").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("writable");
        }
    }
}
