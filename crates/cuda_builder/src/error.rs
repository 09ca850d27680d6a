//! What can go wrong, and what to do about it.
//!
//! Every message names the thing at fault, what was expected and the next step.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{fmt, io};

use crate::{Arch, Finding, SourceHash};

/// What provides a fit compiler. Part of every message that says that there is none.
const REMEDY: &str = "\
to compile the GPU kernels takes rustc 1.96 or later with the sources of `core`; any of:
  rustup component add rust-src                  (for the toolchain that builds this crate)
  rustup toolchain install nightly -c rust-src   (a toolchain beside it)
  apt-get install rustc-web rust-web-src         (Debian)
  AIKF_RUSTC=/path/to/rustc                      (a compiler with the sources in its sysroot)";

/// Why there is no PTX.
#[derive(Debug)]
#[non_exhaustive]
pub enum BuildError {
    /// No compiler is fit, and no prebuilt PTX can stand in.
    NoCompiler {
        /// Whether `AIKF_RUSTC` named the only compiler to try.
        explicit: bool,
        /// The compilers that were tried, in that order.
        refused: Vec<Refusal>,
        /// Why prebuilt PTX was not used; `None` where it was not an option.
        prebuilt: Option<PrebuiltFault>,
    },
    /// Prebuilt PTX was asked for, or is all there can be, and it is unusable.
    Prebuilt(PrebuiltFault),
    /// A crate does not compile for the GPU.
    Compile {
        /// The crate and, where it matters, the GPU generation.
        what: String,
        /// What the compiler said.
        diagnostics: String,
    },
    /// The PTX would be slow or would not load.
    Refused {
        /// The generation it was made for.
        arch: Arch,
        /// The compiler's output, which the findings' line numbers count in.
        asm: PathBuf,
        /// Every place at fault.
        findings: Vec<Finding>,
    },
    /// A crate's `src/lib.rs` is not there.
    NoSources {
        /// The file that was looked for.
        root: PathBuf,
    },
    /// An environment variable has a value without meaning.
    Environment {
        /// The variable.
        name: &'static str,
        /// Its value.
        value: String,
        /// The values with a meaning.
        allowed: &'static str,
    },
    /// The builder was not told something that it must know.
    Incomplete {
        /// The missing call, and what it gives.
        missing: &'static str,
    },
    /// A file could not be read or written.
    Io {
        /// What was being done, as a verb: "read".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

impl BuildError {
    /// Wraps the system's reason for what could not be done to `path`; made for `map_err`.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, path: path.to_path_buf(), source }
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCompiler { explicit, refused, prebuilt } => {
                no_compiler(f, *explicit, refused, prebuilt.as_ref())
            }
            Self::Prebuilt(fault) => write!(f, "{fault}\n{REMEDY}"),
            Self::Compile { what, diagnostics } => {
                write!(f, "{what} does not compile for the GPU:\n{}", diagnostics.trim_end())
            }
            Self::Refused { arch, asm, findings } => {
                write!(f, "the {arch} PTX is refused (lines of {}):", asm.display())?;
                findings.iter().try_for_each(|finding| write!(f, "\n  {finding}"))
            }
            Self::NoSources { root } => {
                write!(f, "no kernel sources: {} is missing", root.display())
            }
            Self::Environment { name, value, allowed } => {
                write!(f, "{name}={value} has no meaning; {name} may be {allowed}")
            }
            Self::Incomplete { missing } => write!(f, "CudaBuilder lacks {missing}"),
            Self::Io { action, path, source } => {
                write!(f, "cannot {action} {}: {source}", path.display())
            }
        }
    }
}

impl Error for BuildError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

fn no_compiler(
    f: &mut fmt::Formatter<'_>,
    explicit: bool,
    refused: &[Refusal],
    prebuilt: Option<&PrebuiltFault>,
) -> fmt::Result {
    if explicit {
        writeln!(f, "AIKF_RUSTC names a compiler that cannot compile the GPU kernels")?;
    } else {
        writeln!(f, "no compiler for the GPU kernels")?;
    }
    for refusal in refused {
        writeln!(f, "  tried {refusal}")?;
    }
    if let Some(fault) = prebuilt {
        writeln!(f, "{fault}")?;
    }
    f.write_str(REMEDY)
}

/// A compiler that was tried, and why it is unfit.
#[derive(Debug)]
pub struct Refusal {
    /// The compiler, as it was called.
    pub rustc: PathBuf,
    /// Why it is unfit.
    pub reason: RefusalReason,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rustc.display(), self.reason)
    }
}

/// Why a compiler is unfit.
#[derive(Debug)]
#[non_exhaustive]
pub enum RefusalReason {
    /// It does not start.
    NotRunnable(io::Error),
    /// It starts, but does not answer as rustc does; its first line of complaint.
    NotRustc(String),
    /// It miscompiles or lacks what the kernels use; its release.
    TooOld(String),
    /// Its sysroot has no sources of `core`; the file that was looked for.
    NoCoreSources(PathBuf),
    /// Its LLVM has no back end for NVIDIA GPUs.
    NoGpuBackEnd,
}

impl fmt::Display for RefusalReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRunnable(error) => write!(f, "does not start: {error}"),
            Self::NotRustc(complaint) => write!(f, "does not answer as rustc does: {complaint}"),
            Self::TooOld(release) => write!(f, "release {release} is older than 1.96"),
            Self::NoCoreSources(path) => write!(f, "no sources of `core` ({})", path.display()),
            Self::NoGpuBackEnd => f.write_str("built without LLVM's NVPTX back end"),
        }
    }
}

/// Why prebuilt PTX is unusable.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PrebuiltFault {
    /// The builder was given no folder of prebuilt PTX.
    NoFolder,
    /// A file is not there.
    Missing(PathBuf),
    /// A file does not begin with a provenance header for its generation.
    NoHeader(PathBuf),
    /// A file was made from other sources than those present.
    Stale {
        /// The file.
        path: PathBuf,
        /// The hash of the sources it was made from.
        made_from: SourceHash,
        /// The hash of the sources present.
        present: SourceHash,
    },
}

impl fmt::Display for PrebuiltFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFolder => f.write_str("there is no prebuilt PTX to use instead"),
            Self::Missing(path) => write!(f, "prebuilt PTX is missing: {}", path.display()),
            Self::NoHeader(path) => {
                let path = path.display();
                write!(f, "prebuilt PTX without a fitting provenance header: {path}")
            }
            Self::Stale { path, made_from, present } => write!(
                f,
                "prebuilt PTX is stale: {} was made from sources {made_from}, those present are \
                 {present}\nrun `cargo xtask ptx` where a compiler as below is installed, or \
                 install one here",
                path.display()
            ),
        }
    }
}
