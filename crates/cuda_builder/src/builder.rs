//! [`CudaBuilder`]: what to build, and the decision between compiling and prebuilt PTX.

use std::path::{Path, PathBuf};
use std::{env, fs};

use crate::compile::{Asm, Compilation};
use crate::error::Refusal;
use crate::prebuilt::{self, Prebuilt};
use crate::sources::CrateSource;
use crate::toolchain::{self, Toolchain};
use crate::{Arch, BuildError, Built, Provenance, Source, SourceHash, launch, lint};

/// The variable that forces one way.
pub(crate) const POLICY_VARIABLE: &str = "AIKF_PTX";

/// Where PTX may come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Compiled where a compiler is found, else prebuilt if it was made from the same sources.
    Auto,
    /// Compiled, or an error. `AIKF_PTX=build`.
    Build,
    /// Prebuilt, or an error. `AIKF_PTX=prebuilt`.
    Prebuilt,
}

/// Compiles a kernel crate to PTX for several GPU generations.
///
/// What a method sets comes before what the environment says, and that before the default.
#[derive(Clone, Debug)]
pub struct CudaBuilder {
    kernels: CrateSource,
    device_libraries: Vec<CrateSource>,
    archs: Vec<Arch>,
    copy_to: Option<PathBuf>,
    prebuilt: Option<PathBuf>,
    policy: Option<Policy>,
    compilers: Option<Vec<PathBuf>>,
    work_dir: Option<PathBuf>,
    core_cache: Option<PathBuf>,
}

impl CudaBuilder {
    /// A builder for the kernel crate in `folder`, which counts from the package being built
    /// (`CARGO_MANIFEST_DIR`). The crate is named as the folder, with `_` for `-`.
    pub fn new(folder: impl AsRef<Path>) -> Self {
        let dir = from_manifest(folder.as_ref());
        let name = dir.file_name().unwrap_or_default().to_string_lossy().replace('-', "_");
        Self {
            kernels: CrateSource { name, dir },
            device_libraries: Vec::new(),
            archs: Vec::new(),
            copy_to: None,
            prebuilt: None,
            policy: None,
            compilers: None,
            work_dir: None,
            core_cache: None,
        }
    }

    /// Adds a crate that the kernels use, under the name they use it by. It may use the device
    /// libraries added before it, and `core`.
    pub fn device_library(mut self, name: &str, folder: impl AsRef<Path>) -> Self {
        let dir = from_manifest(folder.as_ref());
        self.device_libraries.push(CrateSource { name: name.to_string(), dir });
        self
    }

    /// Adds a GPU generation to make PTX for.
    pub fn arch(mut self, arch: Arch) -> Self {
        self.archs.push(arch);
        self
    }

    /// The folder for the results, named as `sm_75.ptx`. Default: `OUT_DIR`.
    pub fn copy_to(mut self, folder: impl Into<PathBuf>) -> Self {
        self.copy_to = Some(folder.into());
        self
    }

    /// The folder of prebuilt PTX, which counts from the package being built. Default: none.
    pub fn prebuilt(mut self, folder: impl AsRef<Path>) -> Self {
        self.prebuilt = Some(from_manifest(folder.as_ref()));
        self
    }

    /// Where PTX may come from. Default: as `AIKF_PTX` says, else [`Policy::Auto`].
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = Some(policy);
        self
    }

    /// The compilers to try, best first. Default: the one `AIKF_RUSTC` names, else the active
    /// toolchain, rustup's toolchains and `/usr/bin/rustc`.
    pub fn compilers(mut self, compilers: impl IntoIterator<Item = PathBuf>) -> Self {
        self.compilers = Some(compilers.into_iter().collect());
        self
    }

    /// The folder for what is made on the way; builds at the same time need one each.
    /// Default: `cuda_builder` in `OUT_DIR`.
    pub fn work_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.work_dir = Some(folder.into());
        self
    }

    /// The folder where compiled `core`s are kept; any number of builds may share it.
    /// Default: the work folder.
    pub fn core_cache(mut self, folder: impl Into<PathBuf>) -> Self {
        self.core_cache = Some(folder.into());
        self
    }

    /// Makes the PTX files.
    ///
    /// # Errors
    ///
    /// Any [`BuildError`]; no file in the folder of results is changed then, but for a failure to
    /// write there.
    pub fn build(&self) -> Result<Built, BuildError> {
        if self.archs.is_empty() {
            return Err(BuildError::Incomplete { missing: "a GPU generation: call `arch`" });
        }
        let policy = self.chosen_policy()?;
        if policy == Policy::Auto && on_docs_rs() {
            // Documentation only has to compile: it must not fail for PTX that is a commit old.
            return self.use_prebuilt(None).or_else(|_| self.no_ptx_for_docs());
        }
        match (policy, self.packaged()) {
            (Policy::Prebuilt, false) => self.use_prebuilt(Some(self.source_hash()?)),
            (Policy::Prebuilt | Policy::Auto, true) => self.use_prebuilt(None),
            (Policy::Build, _) => match self.toolchain() {
                Ok(toolchain) => self.compile(&toolchain),
                Err(refused) => Err(self.no_compiler(refused, None)),
            },
            (Policy::Auto, false) => match self.toolchain() {
                Ok(toolchain) => self.compile(&toolchain),
                Err(refused) => self.stand_in(refused),
            },
        }
    }

    /// The hash of the sources present.
    ///
    /// # Errors
    ///
    /// [`BuildError::NoSources`] and [`BuildError::Io`].
    pub fn source_hash(&self) -> Result<SourceHash, BuildError> {
        let crates: Vec<_> = self.crates().collect();
        let missing = crates.iter().map(|source| source.root()).find(|root| !root.is_file());
        match missing {
            Some(root) => Err(BuildError::NoSources { root }),
            None => SourceHash::of(&crates, &self.archs),
        }
    }

    /// The folders whose contents decide the result, where they exist.
    pub(crate) fn inputs(&self) -> impl Iterator<Item = PathBuf> {
        let sources = self.crates().map(CrateSource::src);
        sources.chain(self.prebuilt.clone()).filter(|path| path.exists())
    }

    fn crates(&self) -> impl Iterator<Item = &CrateSource> {
        self.device_libraries.iter().chain([&self.kernels])
    }

    /// Whether this is a package from a registry, which has no other crate's sources beside it.
    fn packaged(&self) -> bool {
        self.crates().all(|source| !source.root().is_file())
    }

    fn chosen_policy(&self) -> Result<Policy, BuildError> {
        let Some(value) = env::var_os(POLICY_VARIABLE).filter(|_| self.policy.is_none()) else {
            return Ok(self.policy.unwrap_or(Policy::Auto));
        };
        match value.to_str() {
            Some("") => Ok(Policy::Auto),
            Some("build") => Ok(Policy::Build),
            Some("prebuilt") => Ok(Policy::Prebuilt),
            _ => Err(BuildError::Environment {
                name: POLICY_VARIABLE,
                value: value.to_string_lossy().into_owned(),
                allowed: "`build` or `prebuilt`",
            }),
        }
    }

    fn toolchain(&self) -> Result<Toolchain, Vec<Refusal>> {
        let named = || toolchain::from_environment().map(|rustc| vec![rustc]);
        let candidates = self.compilers.clone().or_else(named);
        Toolchain::find(candidates.unwrap_or_else(toolchain::usual_places))
    }

    fn no_compiler(
        &self,
        refused: Vec<Refusal>,
        prebuilt: Option<crate::PrebuiltFault>,
    ) -> BuildError {
        let explicit = self.compilers.is_none() && toolchain::from_environment().is_some();
        BuildError::NoCompiler { explicit, refused, prebuilt }
    }

    /// Prebuilt PTX in place of the compiler that was not found. Who named a compiler wants that
    /// one, and is told when it is unfit.
    fn stand_in(&self, refused: Vec<Refusal>) -> Result<Built, BuildError> {
        let hash = self.source_hash()?;
        match self.no_compiler(refused, None) {
            BuildError::NoCompiler { explicit: false, refused, .. } => {
                self.use_prebuilt(Some(hash)).map_err(|error| match error {
                    BuildError::Prebuilt(fault) => self.no_compiler(refused, Some(fault)),
                    other => other,
                })
            }
            explicit => Err(explicit),
        }
    }

    fn use_prebuilt(&self, present: Option<SourceHash>) -> Result<Built, BuildError> {
        let found = Prebuilt::read(self.prebuilt.as_deref(), &self.archs, present);
        let Prebuilt { ptx, compiler, sources } = found.map_err(BuildError::Prebuilt)?;
        Ok(Built {
            ptx: self.write(&ptx)?,
            source: Source::Prebuilt { compiler },
            source_hash: sources,
            warnings: String::new(),
        })
    }

    /// An empty module for each generation: enough for documentation, which loads none.
    fn no_ptx_for_docs(&self) -> Result<Built, BuildError> {
        let empty: Vec<_> = self.archs.iter().map(|&arch| (arch, String::new())).collect();
        Ok(Built {
            ptx: self.write(&empty)?,
            source: Source::Prebuilt { compiler: "no compiler (documentation only)".to_string() },
            source_hash: SourceHash(0),
            warnings: String::new(),
        })
    }

    fn compile(&self, toolchain: &Toolchain) -> Result<Built, BuildError> {
        let hash = self.source_hash()?;
        let missing = "a folder to work in: call `work_dir`";
        let work_dir = or_in_out_dir(self.work_dir.as_ref(), "cuda_builder", missing)?;
        let compilation = Compilation {
            toolchain,
            device_libraries: &self.device_libraries,
            kernels: &self.kernels,
            core_cache: self.core_cache.as_ref().unwrap_or(&work_dir),
            work_dir: &work_dir,
        };
        let compiler = toolchain.version();
        let mut ptx = Vec::new();
        let mut warnings = String::new();
        for asm in compilation.run(&self.archs)? {
            let text = finish(&asm)?;
            ptx.push((asm.arch, format!("{}{text}", Provenance::new(&compiler, asm.arch, hash))));
            warnings = asm.warnings;
        }
        Ok(Built {
            ptx: self.write(&ptx)?,
            source: Source::Compiled { compiler, rustc: toolchain.executable() },
            source_hash: hash,
            warnings,
        })
    }

    fn write(&self, ptx: &[(Arch, String)]) -> Result<Vec<(Arch, PathBuf)>, BuildError> {
        let missing = "a folder for the results: call `copy_to`";
        let folder = or_in_out_dir(self.copy_to.as_ref(), "", missing)?;
        fs::create_dir_all(&folder).map_err(BuildError::io("create", &folder))?;
        let mut written = Vec::new();
        for (arch, text) in ptx {
            let path = prebuilt::file(&folder, *arch);
            fs::write(&path, text).map_err(BuildError::io("write", &path))?;
            written.push((*arch, path));
        }
        Ok(written)
    }
}

/// The compiler's output as it is to be loaded, or every reason not to.
fn finish(asm: &Asm) -> Result<String, BuildError> {
    let mut findings = lint::check(&asm.text, asm.arch);
    let text = launch::place_directives(&asm.text);
    let text = text.unwrap_or_else(|more| {
        findings.extend(more);
        String::new()
    });
    if findings.is_empty() {
        return Ok(text);
    }
    Err(BuildError::Refused { arch: asm.arch, asm: asm.path.clone(), findings })
}

fn from_manifest(path: &Path) -> PathBuf {
    env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).unwrap_or_default().join(path)
}

fn or_in_out_dir(
    chosen: Option<&PathBuf>,
    name: &str,
    missing: &'static str,
) -> Result<PathBuf, BuildError> {
    let default = || env::var_os("OUT_DIR").map(|out| PathBuf::from(out).join(name));
    chosen.cloned().or_else(default).ok_or(BuildError::Incomplete { missing })
}

fn on_docs_rs() -> bool {
    env::var_os("DOCS_RS").is_some()
}
