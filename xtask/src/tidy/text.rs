//! Rules about what stands in one file.

use super::source::File;
use super::{Faults, Tree};

const FILE_LINES_MAX: usize = 800;
const COLUMNS_MAX: usize = 100;
/// A table whose lines are not to be broken.
const WIDE_TABLE: &str = "kernels-gpu/src/variants.rs";
/// How many lines may stand between a block and its SAFETY comment: those of its statement.
const SAFETY_LINES: usize = 3;

/// No Rust file is longer than [`FILE_LINES_MAX`] lines.
pub fn file_length(tree: &Tree, faults: &mut Faults) {
    for file in tree.rust() {
        let lines = file.lines.len();
        if lines > FILE_LINES_MAX {
            let fault = format!("it has {lines} lines of at most {FILE_LINES_MAX}");
            faults.push((file.path.clone(), FILE_LINES_MAX + 1, fault));
        }
    }
}

/// No line of Rust is wider than [`COLUMNS_MAX`] columns.
pub fn line_length(tree: &Tree, faults: &mut Faults) {
    for file in tree.rust().filter(|file| file.path != WIDE_TABLE) {
        for (number, line) in numbered(&file.lines) {
            let columns = line.chars().count();
            if columns > COLUMNS_MAX {
                let fault = format!("{columns} columns of at most {COLUMNS_MAX}");
                faults.push((file.path.clone(), number, fault));
            }
        }
    }
}

/// A Rust file begins with what it is for.
pub fn module_docs(tree: &Tree, faults: &mut Faults) {
    for file in tree.rust() {
        if !file.lines.first().is_some_and(|line| line.starts_with("//! ")) {
            let fault = "it does not say what it is for".to_string();
            faults.push((file.path.clone(), 1, fault));
        }
    }
}

/// Nothing is left for later.
pub fn leftovers(tree: &Tree, faults: &mut Faults) {
    for file in tree.rust() {
        in_lines(file, &file.code, &["todo!(", "unimplemented!(", "dbg!("], faults);
        in_lines(file, &file.comments, &["FIXME", "XXX", "TODO"], faults);
    }
}

/// No test is switched off without a word in the results.
pub fn ignored_tests(tree: &Tree, faults: &mut Faults) {
    for file in tree.rust() {
        in_lines(file, &file.code, &["#[ignore"], faults);
    }
}

fn in_lines(file: &File, lines: &[String], forbidden: &[&str], faults: &mut Faults) {
    for (number, line) in numbered(lines) {
        let found = forbidden.iter().filter(|word| line.contains(*word));
        for word in found {
            faults.push((file.path.clone(), number, format!("`{word}`")));
        }
    }
}

/// Each unsafe block has a SAFETY comment. Clippy says so too, but for the GPU's part, which it
/// never sees.
pub fn safety(tree: &Tree, faults: &mut Faults) {
    for file in tree.rust_but_fixtures() {
        for (number, line) in numbered(&file.code) {
            if line.contains("unsafe {") && !has_safety(file, number - 1) {
                let fault = "an unsafe block without a SAFETY comment".to_string();
                faults.push((file.path.clone(), number, fault));
            }
        }
    }
}

/// Whether a comment on the line at this place or shortly before says SAFETY. Lines of comment
/// alone are not counted: the comment may be a long one.
fn has_safety(file: &File, at: usize) -> bool {
    let mut lines_left = SAFETY_LINES;
    for line in (0..=at).rev() {
        if file.comments[line].contains("SAFETY:") {
            return true;
        }
        let counts = line != at && !file.code[line].trim().is_empty();
        if counts && lines_left == 0 {
            return false;
        }
        lines_left -= usize::from(counts);
    }
    false
}

/// Each dependency of the workspace says what it is for.
pub fn dependency_reasons(tree: &Tree, faults: &mut Faults) {
    let Some(manifest) = tree.file("Cargo.toml") else {
        return;
    };
    let mut in_dependencies = false;
    for (number, line) in numbered(&manifest.lines) {
        if line.starts_with('[') {
            in_dependencies = line.trim() == "[workspace.dependencies]";
        }
        let (entry, reason) = line.split_once('#').unwrap_or((line, ""));
        if let Some((name, _)) = entry.split_once('=').filter(|_| in_dependencies)
            && reason.trim().is_empty()
        {
            let fault = format!("`{}` without a reason", name.trim());
            faults.push((manifest.path.clone(), number, fault));
        }
    }
}

/// Lines with their numbers, from 1 on.
pub fn numbered(lines: &[String]) -> impl Iterator<Item = (usize, &str)> {
    (1..).zip(lines.iter().map(String::as_str))
}

#[cfg(test)]
mod tests {
    use super::super::tests::found;

    /// What is found in a file that has these lines after its docs.
    fn found_in(lines: &str) -> Vec<String> {
        found(&[("a.rs", &format!("//! A.\n{lines}\n"))])
    }

    #[test]
    fn long_files_and_wide_lines_are_found() {
        assert_eq!(found_in(&"a();\n".repeat(799)), ["file-length:801"]);
        assert!(found_in(&"a();\n".repeat(798)).is_empty());
        assert_eq!(found_in(&format!("// {}", "é".repeat(98))), ["line-length:2"]);
        assert!(found_in(&format!("// {}", "é".repeat(97))).is_empty());
    }

    #[test]
    fn files_without_docs_are_found() {
        assert_eq!(found(&[("a.rs", "")]), ["module-docs:1"]);
        assert_eq!(found(&[("a.rs", "use a;\n//! Late.\n")]), ["module-docs:1"]);
        assert_eq!(found(&[("a.rs", "//!\n")]), ["module-docs:1"]);
    }

    #[test]
    fn leftovers_are_found() {
        for line in ["todo!()", "unimplemented!(\"a\")", "dbg!(a)", "a(); // FIXME", "/* XXX */"] {
            assert_eq!(found_in(line), ["leftover:2"], "{line}");
        }
        assert!(found_in("let a = \"todo!() FIXME\"; // never dbg!() this").is_empty());
    }

    #[test]
    fn ignored_tests_are_found() {
        assert_eq!(found_in("#[ignore = \"slow\"]\nfn a() {}"), ["ignored-test:2"]);
    }

    #[test]
    fn unsafe_blocks_need_safety() {
        assert_eq!(found_in("let a = unsafe { b() };"), ["safety:2"]);
        assert_eq!(found_in("// SAFETY: c.\na;\nb;\nc;\nd;\nunsafe { b() }"), ["safety:7"]);
        let long = "// SAFETY: a\n// b\n// c\n// d\nlet e =\n    f(unsafe { b() });";
        assert!(found_in(long).is_empty());
        assert!(found_in("unsafe fn b() {} // an `unsafe {` in words").is_empty());
    }

    #[test]
    fn dependencies_need_reasons() {
        let manifest = "[workspace]\nmembers = []\n[workspace.dependencies]\na = \"1\" # for b\n\
                        c = { version = \"2\" }\n\n# d\n[profile.dev]\nopt-level = 1\n";
        assert_eq!(found(&[("Cargo.toml", manifest)]), ["dependency-reason:5"]);
        assert!(found(&[("host/Cargo.toml", manifest)]).is_empty());
    }
}
