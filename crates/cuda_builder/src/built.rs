//! [`Built`]: the PTX files, and where they come from.

use std::fmt::{self, Write as _};
use std::fs;
use std::path::{Path, PathBuf};

use crate::{Arch, BuildError, SourceHash};

/// The result of a build.
#[derive(Debug)]
pub struct Built {
    /// The PTX file of each generation, in the order of the `arch` calls.
    pub ptx: Vec<(Arch, PathBuf)>,
    /// Where the PTX comes from.
    pub source: Source,
    /// The sources it was made from.
    pub source_hash: SourceHash,
    /// The compiler's warnings about the last generation, as it wrote them.
    pub warnings: String,
}

/// Where PTX comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Compiled now.
    Compiled {
        /// The compiler's release and commit, and its LLVM.
        compiler: String,
        /// The compiler's file.
        rustc: PathBuf,
    },
    /// Made elsewhere.
    Prebuilt {
        /// The compiler that made it.
        compiler: String,
    },
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Compiled { compiler, .. } => write!(f, "compiled by {compiler}"),
            Self::Prebuilt { compiler } => write!(f, "prebuilt by {compiler}"),
        }
    }
}

impl Built {
    /// Writes Rust code to `include!`: `PTX`, the compute capability and the text of each file,
    /// lowest capability first; and `PTX_SOURCE`, where they come from.
    ///
    /// # Errors
    ///
    /// [`BuildError::Io`] where `path` cannot be written.
    pub fn write_rust(&self, path: &Path) -> Result<(), BuildError> {
        let mut files: Vec<_> = self.ptx.iter().collect();
        files.sort();
        let mut code = String::from(
            "/// The compute capability and the text of each PTX module, lowest first.\n\
             pub(crate) const PTX: &[(u32, &str)] = &[\n",
        );
        for (arch, file) in files {
            let file = file.to_string_lossy();
            let _ = writeln!(code, "    ({}, include_str!({file:?})),", arch.number());
        }
        let _ = write!(
            code,
            "];\n\n/// Where the PTX comes from.\npub(crate) const PTX_SOURCE: &str = {:?};\n",
            self.source.to_string()
        );
        fs::write(path, code).map_err(BuildError::io("write", path))
    }
}
