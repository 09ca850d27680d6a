//! `cargo xtask tidy`: what this repository demands of its files beyond what compilers check.
//!
//! A rule is an entry of [`RULES`]: a name, a remedy, and a function that looks at the tree line by
//! line. Nothing is parsed: a rule needs no more than a line's code, its comments and its number
//! ([`source::File`]). The command runs as a test as well: `cargo test` finds what it finds.

mod functions;
mod layers;
mod paths;
mod source;
mod text;

use std::fmt;
use std::path::Path;

use anyhow::{Result, bail};

use crate::repository;
use source::File;

/// The arguments of `cargo xtask tidy`.
#[derive(clap::Args)]
pub struct Args {}

/// Runs the command.
pub fn run(_: &Args) -> Result<()> {
    let findings = check(repository::root());
    if findings.is_empty() {
        println!("{} rules hold", RULES.len());
        return Ok(());
    }
    for finding in &findings {
        eprintln!("{finding}");
    }
    bail!("{} findings", findings.len())
}

/// What is demanded.
struct Rule {
    name: &'static str,
    /// What to do about a finding.
    remedy: &'static str,
    check: fn(&Tree, &mut Faults),
}

/// Every rule.
const RULES: &[Rule] = &[
    Rule {
        name: "file-length",
        remedy: "move a part with a name of its own to another file",
        check: text::file_length,
    },
    Rule {
        name: "function-length",
        remedy: "give its phases names and make them functions",
        check: functions::length,
    },
    Rule {
        name: "line-length",
        remedy: "break the comment, the string or the macro's line",
        check: text::line_length,
    },
    Rule {
        name: "module-docs",
        remedy: "begin the file with `//!` and what it is for",
        check: text::module_docs,
    },
    Rule {
        name: "leftover",
        remedy: "do it now, or write an issue and delete it here",
        check: text::leftovers,
    },
    Rule {
        name: "ignored-test",
        remedy: "run the test, or report it as skipped with its reason (libtest-mimic)",
        check: text::ignored_tests,
    },
    Rule {
        name: "safety",
        remedy: "write `// SAFETY:` before it, one fact for each duty of the callee",
        check: text::safety,
    },
    Rule {
        name: "assembly",
        remedy: "call cuda_std, or add the instruction to crates/cuda_std/src/nvptx.rs",
        check: layers::assembly,
    },
    Rule {
        name: "target-arch",
        remedy: "let cuda_std tell the machines apart",
        check: layers::target_arch,
    },
    Rule {
        name: "imports",
        remedy: "move what both need to a layer below both (kernels-gpu/src/lib.rs, Layers)",
        check: layers::imports,
    },
    Rule {
        name: "environment",
        remedy: "pass the value from the one file of the crate that reads variables",
        check: layers::environment,
    },
    Rule {
        name: "kernel-headings",
        remedy: "write all ten headings in order: xtask/src/tidy/layers.rs lists them",
        check: layers::kernel_headings,
    },
    Rule {
        name: "machine-path",
        remedy: "make it relative to the repository, or take it from the environment",
        check: paths::machine_paths,
    },
    Rule {
        name: "registry",
        remedy: "leave the choice of a registry to the machine's own cargo configuration",
        check: paths::registries,
    },
    Rule {
        name: "dependency-reason",
        remedy: "end the line with `# ` and what the dependency is for",
        check: text::dependency_reasons,
    },
    Rule {
        name: "broken-link",
        remedy: "write the document, or correct the link",
        check: paths::links,
    },
];

/// Kernel crates that the builder's tests compile: faults on purpose, and nothing else.
const FIXTURES: &str = "/tests/fixtures/";

/// The files that are checked.
pub struct Tree {
    files: Vec<File>,
}

impl Tree {
    fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.is_rust())
    }

    fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    /// Whether this file or folder is in the tree.
    fn has(&self, path: &str) -> bool {
        self.files.iter().any(|file| file.is_in(path))
    }

    /// The Rust files but for [`FIXTURES`].
    fn rust_but_fixtures(&self) -> impl Iterator<Item = &File> {
        self.rust().filter(|file| !file.path.contains(FIXTURES))
    }
}

/// What a rule's function found: path, line from 1 on, what is wrong.
pub type Faults = Vec<(String, usize, String)>;

/// A rule that is broken somewhere.
#[derive(Debug)]
pub struct Finding {
    path: String,
    line: usize,
    rule: &'static str,
    fault: String,
    remedy: &'static str,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Finding { path, line, rule, fault, remedy } = self;
        write!(f, "{path}:{line}: {rule}: {fault}; {remedy}")
    }
}

/// Every finding in the files below `root`.
pub fn check(root: &Path) -> Vec<Finding> {
    let files = source::files(root);
    check_tree(&Tree { files })
}

fn check_tree(tree: &Tree) -> Vec<Finding> {
    let of_rule = |rule: &'static Rule| {
        let mut faults = Faults::new();
        (rule.check)(tree, &mut faults);
        let finding = |(path, line, fault)| Finding {
            path,
            line,
            rule: rule.name,
            fault,
            remedy: rule.remedy,
        };
        faults.into_iter().map(finding)
    };
    RULES.iter().flat_map(of_rule).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The repository itself.
    #[test]
    fn the_repository_is_tidy() {
        let findings = check(repository::root());
        let lines: Vec<_> = findings.iter().map(Finding::to_string).collect();
        assert!(lines.is_empty(), "\n{}\n", lines.join("\n"));
    }

    /// `rule:line` of each finding in a tree of these files.
    pub(super) fn found(files: &[(&str, &str)]) -> Vec<String> {
        let files = files.iter().map(|(path, text)| File::new(path, text));
        let tree = Tree { files: files.collect() };
        let findings = check_tree(&tree);
        let place = |finding: &Finding| format!("{}:{}", finding.rule, finding.line);
        findings.iter().map(place).collect()
    }

    #[test]
    fn a_finding_names_file_line_rule_and_remedy() {
        let files = vec![File::new("src/a.rs", "fn f() {}\n")];
        let findings = check_tree(&Tree { files });
        assert_eq!(
            findings[0].to_string(),
            "src/a.rs:1: module-docs: it does not say what it is for; \
             begin the file with `//!` and what it is for"
        );
    }

    #[test]
    fn names_are_unique() {
        for (at, rule) in RULES.iter().enumerate() {
            assert!(RULES[..at].iter().all(|other| other.name != rule.name));
        }
    }
}
