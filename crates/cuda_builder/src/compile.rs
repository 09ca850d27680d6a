//! Calls rustc: `core` once for each compiler, then libraries and kernels for each GPU generation.
//!
//! Libraries are compiled to metadata that holds the MIR of every function, and no code. The kernel
//! crate instantiates all it uses of them, so one codegen unit is the whole program and nothing is
//! left to link. Neither cargo nor a registry takes part.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::sync::{Mutex, PoisonError};
use std::{fs, thread};

use crate::sources::{CrateSource, Fnv, RULES};
use crate::toolchain::{TARGET, Toolchain};
use crate::{Arch, BuildError};

/// Flags of every crate.
const COMMON: &[&str] = &[
    "--edition=2024",
    "--crate-type=lib",
    "-Copt-level=3",
    "-Ccodegen-units=1",
    "-Cpanic=abort",
    // Up to 1.96 this pass copies barriers into divergent branches (rust-lang/rust#137086); later
    // compilers leave it out for GPUs by themselves, and do not mind being told.
    "-Zmir-enable-passes=-JumpThreading",
];

/// Flags of a crate whose functions are instantiated elsewhere.
const LIBRARY: &[&str] =
    &["-Zalways-encode-mir", "-Zcross-crate-inline-threshold=always", "--emit=metadata"];

/// Flags of the crate that becomes PTX. Loops over arrays that are to live in registers must be
/// unrolled in full, or the arrays end in local memory: hence the threshold.
const KERNELS: &[&str] = &["--emit=asm", "-Cllvm-args=-unroll-threshold=1000"];

/// Later compilers count the target CPU as part of the ABI and refuse to mix `core`, compiled for
/// none in particular, with kernels; 1.96 does not know the flag that allows it. Metadata holds no
/// code that could mismatch.
const MIX: &str = "-Cunsafe-allow-abi-mismatch=target-cpu";

/// Every crate refers to this one; kernels call nothing in it.
const COMPILER_BUILTINS: &str =
    "#![feature(compiler_builtins)]\n#![compiler_builtins]\n#![no_std]\n";

/// Held while this process compiles `core`: threads wait for the first rather than do it again.
static MAKING_CORE: Mutex<()> = Mutex::new(());

/// One compiler at work on one set of crates.
pub(crate) struct Compilation<'a> {
    pub(crate) toolchain: &'a Toolchain,
    pub(crate) device_libraries: &'a [CrateSource],
    pub(crate) kernels: &'a CrateSource,
    /// Folder of the compiled `core`s, one for each compiler.
    pub(crate) core_cache: &'a Path,
    /// Folder of everything else that is made on the way.
    pub(crate) work_dir: &'a Path,
}

/// What the compiler made of the kernels for one generation.
pub(crate) struct Asm {
    pub(crate) arch: Arch,
    pub(crate) path: PathBuf,
    pub(crate) text: String,
    pub(crate) warnings: String,
}

impl Compilation<'_> {
    /// Compiles the kernels for every generation, at the same time.
    pub(crate) fn run(&self, archs: &[Arch]) -> Result<Vec<Asm>, BuildError> {
        let core = self.core()?;
        thread::scope(|scope| {
            let start = |&arch| {
                scope.spawn({
                    let core = &core;
                    move || self.variant(arch, core)
                })
            };
            let jobs: Vec<_> = archs.iter().map(start).collect();
            let finish = |job: thread::ScopedJoinHandle<'_, _>| match job.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            };
            jobs.into_iter().map(finish).collect()
        })
    }

    /// The folder with the metadata of `core`, which is made unless it is there.
    fn core(&self) -> Result<PathBuf, BuildError> {
        let folder = self.core_cache.join(format!("core-{:016x}", self.core_key()));
        if folder.is_dir() {
            return Ok(folder);
        }
        let _one_at_a_time = MAKING_CORE.lock().unwrap_or_else(PoisonError::into_inner);
        if folder.is_dir() {
            return Ok(folder);
        }
        // Made aside and then renamed, so that a folder of that name is always whole, whatever
        // other processes do.
        let aside = self.core_cache.join(format!("making-core-{}", process::id()));
        create_empty_dir(&aside)?;
        self.compile_core(&aside)?;
        if let Err(error) = fs::rename(&aside, &folder) {
            let _ = fs::remove_dir_all(&aside);
            if !folder.is_dir() {
                return Err(BuildError::io("write", &folder)(error));
            } // else another build has just made the same
        }
        Ok(folder)
    }

    fn core_key(&self) -> u64 {
        let mut key = Fnv::new();
        key.field(&RULES.to_le_bytes());
        key.field(self.toolchain.version().as_bytes());
        key.field(self.toolchain.library().as_os_str().as_encoded_bytes());
        COMMON.iter().chain(LIBRARY).for_each(|flag| key.field(flag.as_bytes()));
        key.0
    }

    fn compile_core(&self, folder: &Path) -> Result<(), BuildError> {
        let mut rustc = self.rustc("core", &self.toolchain.library(), "library");
        rustc.args(LIBRARY).arg("--cap-lints=allow").arg("-o").arg(folder.join(rmeta("core")));
        run(rustc.arg(self.toolchain.core_root()), || "core".into())?;

        let stub = folder.join("compiler_builtins.rs");
        fs::write(&stub, COMPILER_BUILTINS).map_err(BuildError::io("write", &stub))?;
        let mut rustc = self.rustc("compiler_builtins", folder, "compiler_builtins");
        rustc.args(LIBRARY).args(extern_crate("core", folder));
        rustc.arg("-o").arg(folder.join(rmeta("compiler_builtins")));
        run(rustc.arg(stub), || "the stub of compiler_builtins".into())?;
        Ok(())
    }

    fn variant(&self, arch: Arch, core: &Path) -> Result<Asm, BuildError> {
        // A folder each: temporary files bear the crate's name, which all the variants share.
        let folder = self.work_dir.join(arch.to_string());
        create_empty_dir(&folder)?;
        for (done, library) in self.device_libraries.iter().enumerate() {
            let mut rustc = self.gpu_crate(library, arch, core, &self.device_libraries[..done]);
            rustc.args(LIBRARY).arg("-o").arg(folder.join(rmeta(&library.name)));
            compile(rustc, library, arch)?;
        }
        let mut rustc = self.gpu_crate(self.kernels, arch, core, self.device_libraries);
        rustc.args(KERNELS).arg("--out-dir").arg(&folder);
        let warnings = compile(rustc, self.kernels, arch)?;
        let path = folder.join(format!("{}.s", self.kernels.name));
        let text = fs::read_to_string(&path).map_err(BuildError::io("read", &path))?;
        Ok(Asm { arch, path, text, warnings })
    }

    /// The compiler with all a GPU crate needs but for its kind of output and its source.
    fn gpu_crate(
        &self,
        source: &CrateSource,
        arch: Arch,
        core: &Path,
        libraries: &[CrateSource],
    ) -> Command {
        let mut rustc = self.rustc(&source.name, &source.dir, &source.name);
        rustc.arg(format!("-Ctarget-cpu={arch}"));
        rustc.arg(format!("-Ctarget-feature=+{}", arch.ptx_feature()));
        rustc.arg("-Aunexpected_cfgs");
        arch.cfgs().for_each(|cfg| {
            rustc.args(["--cfg", cfg]);
        });
        rustc.arg("-L").arg(core);
        rustc.args(extern_crate("core", core)).args(extern_crate("compiler_builtins", core));
        let folder = self.work_dir.join(arch.to_string());
        rustc.arg("-L").arg(&folder);
        libraries.iter().for_each(|library| {
            rustc.args(extern_crate(&library.name, &folder));
        });
        rustc
    }

    /// The compiler with the common flags. Paths below `dir` are recorded as below `name`: PTX must
    /// not depend on where the sources lie.
    fn rustc(&self, crate_name: &str, dir: &Path, name: &str) -> Command {
        let mut remap = OsString::from("--remap-path-prefix=");
        remap.push(dir);
        remap.push("=");
        remap.push(name);
        let mut rustc = self.toolchain.command();
        rustc.args(COMMON).arg(format!("--target={TARGET}"));
        rustc.arg("--crate-name").arg(crate_name).arg(remap);
        rustc
    }
}

/// Compiles a GPU crate and returns the compiler's warnings.
fn compile(mut rustc: Command, source: &CrateSource, arch: Arch) -> Result<String, BuildError> {
    let what = || format!("{} for {arch}", source.name);
    rustc.arg(source.root());
    let said = match run(&mut rustc, what) {
        Err(BuildError::Compile { diagnostics, .. }) if diagnostics.contains(MIX) => {
            run(rustc.arg(MIX), what)
        }
        result => result,
    };
    Ok(without_noise(&said?))
}

/// What the compiler said, without what it says about the builder's own flags and the total.
fn without_noise(said: &str) -> String {
    let noise = |paragraph: &str| {
        let line = paragraph.trim().lines().next().unwrap_or("");
        line.starts_with("warning: unstable feature specified") || line.ends_with(" emitted")
    };
    let kept: Vec<_> = said.split("\n\n").filter(|part| !noise(part)).collect();
    kept.join("\n\n").trim().to_string()
}

fn run(rustc: &mut Command, what: impl Fn() -> String) -> Result<String, BuildError> {
    let program = PathBuf::from(rustc.get_program());
    let output = rustc.output().map_err(BuildError::io("run", &program))?;
    let diagnostics = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() {
        Ok(diagnostics)
    } else {
        Err(BuildError::Compile { what: what(), diagnostics })
    }
}

fn rmeta(crate_name: &str) -> String {
    format!("lib{crate_name}.rmeta")
}

fn extern_crate(name: &str, folder: &Path) -> [OsString; 2] {
    let mut value = OsString::from(format!("{name}="));
    value.push(folder.join(rmeta(name)));
    ["--extern".into(), value]
}

/// Creates a folder, empty even if it was there: what an earlier build left must not be found.
fn create_empty_dir(folder: &Path) -> Result<(), BuildError> {
    if folder.is_dir() {
        fs::remove_dir_all(folder).map_err(BuildError::io("empty", folder))?;
    }
    fs::create_dir_all(folder).map_err(BuildError::io("create", folder))
}
