//! The comment lines that open each PTX file and tell where it comes from.

use std::fmt;

use crate::sources::RULES;
use crate::{Arch, SourceHash};

const GENERATOR: &str = "// Made by aikf-cuda-builder";
const COMPILER: &str = "// compiler: ";
const TARGET: &str = "// target: ";
const SOURCES: &str = "// sources: ";

/// Where a PTX file comes from. `Display` writes the header, [`Provenance::parse`] reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provenance {
    /// The compiler's release and commit, and its LLVM.
    pub compiler: String,
    /// The GPU generation and the PTX ISA.
    pub target: String,
    /// The sources it was made from.
    pub sources: SourceHash,
}

impl Provenance {
    pub(crate) fn new(compiler: &str, arch: Arch, sources: SourceHash) -> Self {
        let (major, minor) = arch.ptx_isa();
        let target = format!("{arch}, PTX ISA {major}.{minor}");
        Self { compiler: compiler.to_string(), target, sources }
    }

    /// Reads the header of a PTX file; `None` where there is none, or not a whole one.
    pub fn parse(ptx: &str) -> Option<Self> {
        let mut lines = ptx.lines();
        lines.next()?.strip_prefix(GENERATOR)?;
        let mut field = |prefix| Some(lines.next()?.strip_prefix(prefix)?.to_string());
        Some(Self {
            compiler: field(COMPILER)?,
            target: field(TARGET)?,
            sources: SourceHash::parse(&field(SOURCES)?)?,
        })
    }
}

impl fmt::Display for Provenance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{GENERATOR} (rules {RULES}) by `cargo xtask ptx` or a build; not to be edited."
        )?;
        writeln!(f, "{COMPILER}{}", self.compiler)?;
        writeln!(f, "{TARGET}{}", self.target)?;
        writeln!(f, "{SOURCES}{}", self.sources)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_reads_back() {
        let written = Provenance::new("rustc 1.96.0 (abc), LLVM 22.1.8", Arch::Sm90, SourceHash(7));
        let ptx = format!("{written}//\n.version 8.0\n");
        assert_eq!(Provenance::parse(&ptx), Some(written.clone()));
        assert_eq!(Provenance::parse(&ptx.replace('\n', "\r\n")), Some(written));
    }

    #[test]
    fn other_text_is_no_header() {
        assert_eq!(Provenance::parse(""), None);
        assert_eq!(Provenance::parse(".version 8.0\n"), None);
        assert_eq!(Provenance::parse("// Made by aikf-cuda-builder\n// compiler: x\n"), None);
    }
}
