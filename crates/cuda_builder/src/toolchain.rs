//! Finds a rustc that can compile kernels: recent enough, and with the sources of `core`.
//!
//! The installed toolchain that builds the host is often not fit, while another on the machine is;
//! so several are tried, and the reasons of the refusals are kept for the error message.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use crate::error::{Refusal, RefusalReason};

/// The variable that names the one compiler to use.
pub(crate) const RUSTC_VARIABLE: &str = "AIKF_RUSTC";

/// The target triple of NVIDIA GPUs.
pub(crate) const TARGET: &str = "nvptx64-nvidia-cuda";

/// From 1.96 on every Rust function counts as convergent, without which LLVM may move a barrier
/// under a condition (rust-lang/rust#153995).
const RELEASE_MIN: (u32, u32) = (1, 96);

/// A compiler that can compile kernels.
#[derive(Debug)]
pub(crate) struct Toolchain {
    rustc: PathBuf,
    pub(crate) sysroot: PathBuf,
    version: Version,
}

impl Toolchain {
    /// The first fit compiler of `candidates`, or why each of them is unfit.
    pub(crate) fn find(candidates: Vec<PathBuf>) -> Result<Self, Vec<Refusal>> {
        let mut refused = Vec::new();
        let mut seen = HashSet::new();
        for rustc in candidates {
            match Self::probe(&rustc, &mut seen) {
                Ok(Some(toolchain)) => return Ok(toolchain),
                Ok(None) => {}
                Err(reason) => refused.push(Refusal { rustc, reason }),
            }
        }
        Err(refused)
    }

    /// `None` when it is a compiler that was seen already, under another name.
    fn probe(rustc: &Path, seen: &mut HashSet<PathBuf>) -> Result<Option<Self>, RefusalReason> {
        let sysroot = PathBuf::from(ask(rustc, &["--print", "sysroot"])?.trim());
        if !seen.insert(sysroot.clone()) {
            return Ok(None);
        }
        let version = Version::parse(&ask(rustc, &["-vV"])?);
        if version.number() < RELEASE_MIN {
            return Err(RefusalReason::TooOld(version.release));
        }
        let toolchain = Self { rustc: rustc.to_path_buf(), sysroot, version };
        let core = toolchain.core_root();
        if !core.is_file() {
            return Err(RefusalReason::NoCoreSources(core));
        }
        ask(rustc, &["--print", "target-cpus", "--target", TARGET])
            .map_err(|_| RefusalReason::NoGpuBackEnd)?;
        Ok(Some(toolchain))
    }

    /// The folder of the standard library's sources.
    pub(crate) fn library(&self) -> PathBuf {
        self.sysroot.join("lib/rustlib/src/rust/library")
    }

    /// The root file of `core`.
    pub(crate) fn core_root(&self) -> PathBuf {
        self.library().join("core/src/lib.rs")
    }

    /// The compiler, its unstable flags allowed.
    pub(crate) fn command(&self) -> Command {
        command(&self.rustc)
    }

    /// The compiler's file, where it can be told.
    pub(crate) fn executable(&self) -> PathBuf {
        let name = format!("rustc{}", env::consts::EXE_SUFFIX);
        let inside = self.sysroot.join("bin").join(name);
        if inside.is_file() { inside } else { self.rustc.clone() }
    }

    /// The compiler in one line: release, commit and LLVM.
    pub(crate) fn version(&self) -> String {
        let Version { release, commit, llvm } = &self.version;
        format!("rustc {release} ({commit}), LLVM {llvm}")
    }
}

/// What `rustc -vV` tells.
#[derive(Debug)]
struct Version {
    release: String,
    commit: String,
    llvm: String,
}

impl Version {
    fn parse(text: &str) -> Self {
        let field = |prefix: &str| {
            let value = text.lines().find_map(|line| line.strip_prefix(prefix));
            value.unwrap_or("unknown").trim().to_string()
        };
        Self {
            release: field("release: "),
            commit: field("commit-hash: "),
            llvm: field("LLVM version: "),
        }
    }

    /// Major and minor; (0, 0) when the release is not of that form.
    fn number(&self) -> (u32, u32) {
        let mut parts = self.release.split('.').map_while(|part| part.parse().ok());
        (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
    }
}

/// The one compiler that the environment asks for.
pub(crate) fn from_environment() -> Option<PathBuf> {
    env::var_os(RUSTC_VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// The compilers worth trying, best first.
pub(crate) fn usual_places() -> Vec<PathBuf> {
    let active = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut places = vec![PathBuf::from(active)];
    places.extend(rustup_toolchains());
    places.push("/usr/bin/rustc".into());
    places
}

/// The compilers in rustup's folder: stable first, then nightly, then the rest by name. They are
/// called directly, because rustup's own `rustc` may install what a toolchain file asks for.
fn rustup_toolchains() -> Vec<PathBuf> {
    let home = env::var_os("RUSTUP_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(env::home_dir()?.join(".rustup")));
    let entries = home.and_then(|home| fs::read_dir(home.join("toolchains")).ok());
    let mut toolchains: Vec<_> = entries.into_iter().flatten().flatten().collect();
    toolchains.sort_by_key(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        (!name.starts_with("stable"), !name.starts_with("nightly"), name)
    });
    let rustc = format!("bin/rustc{}", env::consts::EXE_SUFFIX);
    toolchains.iter().map(|entry| entry.path().join(&rustc)).collect()
}

/// A call of `rustc` that does not see what the outer cargo and the user set for host builds.
fn command(rustc: &Path) -> Command {
    let mut command = Command::new(rustc);
    for (name, _) in env::vars_os() {
        if is_of_outer_build(&name) {
            command.env_remove(name);
        }
    }
    command.env("RUSTC_BOOTSTRAP", "1").env("RUSTUP_AUTO_INSTALL", "0");
    command
}

/// Whether a variable could make rustc compile differently, or load another compiler's libraries.
fn is_of_outer_build(name: &OsStr) -> bool {
    let Some(name) = name.to_str() else {
        return false;
    };
    let of_cargo = name.starts_with("CARGO") && name != "CARGO_HOME";
    // RUSTUP_TOOLCHAIN and RUSTUP_HOME stay: they say which compiler rustup's `rustc` is.
    let of_rustc = name.starts_with("RUST") && !name.starts_with("RUSTUP_");
    let of_loader = ["LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH"];
    of_cargo || of_rustc || name == "MAKEFLAGS" || of_loader.contains(&name)
}

fn ask(rustc: &Path, args: &[&str]) -> Result<String, RefusalReason> {
    let output = command(rustc).args(args).output().map_err(RefusalReason::NotRunnable)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    let first = complaint.lines().next().map_or_else(|| output.status.to_string(), str::to_string);
    Err(RefusalReason::NotRustc(first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        let text = "rustc 1.97.0-nightly (abc 2026-05-01)\nbinary: rustc\ncommit-hash: abcdef\n\
                    release: 1.97.0-nightly\nLLVM version: 22.1.4\n";
        let version = Version::parse(text);
        assert_eq!(version.number(), (1, 97));
        assert_eq!(version.commit, "abcdef");
        assert_eq!(Version::parse("something else").number(), (0, 0));
    }

    #[test]
    fn variables_of_the_outer_build_are_hidden() {
        let hidden = ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "RUSTC_WRAPPER", "LD_LIBRARY_PATH"];
        assert!(hidden.iter().all(|name| is_of_outer_build(name.as_ref())));
        let kept = ["PATH", "HOME", "CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN", "TMPDIR"];
        assert!(!kept.iter().any(|name| is_of_outer_build(name.as_ref())));
    }

    #[test]
    fn a_missing_compiler_is_refused_with_its_reason() {
        let refused = Toolchain::find(vec!["no/such/rustc".into()]).expect_err("no such file");
        assert!(matches!(refused[0].reason, RefusalReason::NotRunnable(_)));
    }
}
