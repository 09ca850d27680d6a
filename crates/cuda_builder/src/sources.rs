//! The crates that are compiled, and a hash that changes when any of their sources does.

use std::path::{Path, PathBuf};
use std::{fmt, fs};

use crate::{Arch, BuildError};

/// Part of every source hash: raise it when the builder's own flags or passes change the PTX.
pub(crate) const RULES: u32 = 1;

/// A crate as a folder with `src/lib.rs`; its manifest is not read.
#[derive(Clone, Debug)]
pub(crate) struct CrateSource {
    pub(crate) name: String,
    pub(crate) dir: PathBuf,
}

impl CrateSource {
    pub(crate) fn root(&self) -> PathBuf {
        self.src().join("lib.rs")
    }

    pub(crate) fn src(&self) -> PathBuf {
        self.dir.join("src")
    }

    /// The `.rs` files as (name that is the same on every machine, path), sorted by name.
    fn files(&self) -> Result<Vec<(String, PathBuf)>, BuildError> {
        let mut files = Vec::new();
        collect(&self.src(), &self.name, &mut files)?;
        files.sort();
        Ok(files)
    }
}

fn collect(dir: &Path, prefix: &str, files: &mut Vec<(String, PathBuf)>) -> Result<(), BuildError> {
    for entry in fs::read_dir(dir).map_err(BuildError::io("list", dir))? {
        let path = entry.map_err(BuildError::io("list", dir))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = format!("{prefix}/{name}");
        if path.is_dir() {
            collect(&path, &name, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push((name, path));
        }
    }
    Ok(())
}

/// Identifies the sources, the GPU generations and the builder's rules that PTX was made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SourceHash(pub(crate) u64);

impl SourceHash {
    /// Reads what `Display` writes.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        u64::from_str_radix(text, 16).ok().map(Self)
    }

    pub(crate) fn of(crates: &[&CrateSource], archs: &[Arch]) -> Result<Self, BuildError> {
        let mut hasher = Fnv::new();
        hasher.field(&RULES.to_le_bytes());
        for arch in archs {
            hasher.field(arch.to_string().as_bytes());
        }
        for source in crates {
            for (name, path) in source.files()? {
                let text = fs::read(&path).map_err(BuildError::io("read", &path))?;
                hasher.field(name.as_bytes());
                // A checkout may have turned line ends into CR LF; they are the same sources.
                hasher.field(&without_carriage_returns(&text));
            }
        }
        Ok(Self(hasher.0))
    }
}

impl fmt::Display for SourceHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

fn without_carriage_returns(text: &[u8]) -> Vec<u8> {
    text.iter().copied().filter(|&byte| byte != b'\r').collect()
}

/// The FNV-1a hash: unlike the standard library's, the same in every release and on every machine.
pub(crate) struct Fnv(pub(crate) u64);

impl Fnv {
    pub(crate) fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    /// Adds a field and its length, so that moving bytes between fields changes the hash.
    pub(crate) fn field(&mut self, bytes: &[u8]) {
        let length = (bytes.len() as u64).to_le_bytes();
        for byte in length.iter().chain(bytes) {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
