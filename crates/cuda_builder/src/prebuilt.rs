//! PTX that was made elsewhere and stands in where there is no compiler.

use std::fs;
use std::path::{Path, PathBuf};

use crate::{Arch, PrebuiltFault, Provenance, SourceHash};

/// The files of a folder of prebuilt PTX, checked to be what the builder would make.
pub(crate) struct Prebuilt {
    pub(crate) ptx: Vec<(Arch, String)>,
    pub(crate) compiler: String,
    pub(crate) sources: SourceHash,
}

impl Prebuilt {
    /// Reads the files for `archs`; with `present`, only those made from these very sources.
    pub(crate) fn read(
        folder: Option<&Path>,
        archs: &[Arch],
        present: Option<SourceHash>,
    ) -> Result<Self, PrebuiltFault> {
        let folder = folder.ok_or(PrebuiltFault::NoFolder)?;
        let mut ptx = Vec::new();
        let mut first = None;
        for &arch in archs {
            let path = file(folder, arch);
            let text = fs::read_to_string(&path);
            let text = text.map_err(|_| PrebuiltFault::Missing(path.clone()))?;
            let provenance = header(&path, &text, arch, present)?;
            first.get_or_insert(provenance);
            // A checkout may have turned line ends into CR LF.
            ptx.push((arch, text.replace("\r\n", "\n")));
        }
        let Provenance { compiler, sources, .. } = first.ok_or(PrebuiltFault::NoFolder)?;
        Ok(Self { ptx, compiler, sources })
    }
}

/// The name of a generation's PTX file.
pub(crate) fn file(folder: &Path, arch: Arch) -> PathBuf {
    folder.join(format!("{arch}.ptx"))
}

fn header(
    path: &Path,
    text: &str,
    arch: Arch,
    present: Option<SourceHash>,
) -> Result<Provenance, PrebuiltFault> {
    let fits = |header: &Provenance| header.target.starts_with(&format!("{arch},"));
    let header = Provenance::parse(text).filter(fits);
    let header = header.ok_or_else(|| PrebuiltFault::NoHeader(path.to_path_buf()))?;
    match present {
        Some(present) if header.sources != present => Err(PrebuiltFault::Stale {
            path: path.to_path_buf(),
            made_from: header.sources,
            present,
        }),
        _ => Ok(header),
    }
}
