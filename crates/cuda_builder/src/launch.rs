//! Launch bounds: comments that kernels leave become PTX directives.
//!
//! rustc has no attribute for them, and inline assembly cannot reach the place between a kernel's
//! parameters and its body. So a kernel crate says, at module level,
//!
//! ```text
//! global_asm!("// @launch NAME .maxntid 512, 1, 1 .minnctapersm 2");
//! ```
//!
//! and this pass writes the directives where PTX wants them.

use std::collections::BTreeMap;

use crate::lint::{Finding, Rule, entered_kernel};

/// What a launch marker begins with.
const MARKER: &str = "// @launch ";

/// The compiler's output with each kernel's directives in place, and without markers, blank lines
/// and the comments around inline assembly.
pub(crate) fn place_directives(asm: &str) -> Result<String, Vec<Finding>> {
    let mut markers = markers(asm)?;
    let mut text = String::with_capacity(asm.len());
    let mut pending = None;
    for line in asm.lines().filter(|line| !is_noise(line)) {
        if let Some(kernel) = entered_kernel(line) {
            pending = markers.remove(kernel);
        }
        if line == "{" {
            pending.take().into_iter().for_each(|marker| write_directives(&mut text, &marker));
        }
        text.push_str(line);
        text.push('\n');
    }
    let without_kernel = |(name, marker): (&str, Marker<'_>)| Finding {
        function: name.to_string(),
        line: marker.line,
        rule: Rule::MarkerWithoutKernel,
        text: marker.directives.to_string(),
    };
    let findings: Vec<_> = markers.into_iter().map(without_kernel).collect();
    if findings.is_empty() { Ok(text) } else { Err(findings) }
}

/// What one marker says.
struct Marker<'a> {
    line: usize,
    directives: &'a str,
}

/// Every marker, by its kernel.
fn markers(asm: &str) -> Result<BTreeMap<&str, Marker<'_>>, Vec<Finding>> {
    let mut markers = BTreeMap::new();
    let mut findings = Vec::new();
    for (index, line) in asm.lines().enumerate() {
        let Some(marker) = line.trim().strip_prefix(MARKER) else {
            continue;
        };
        let (name, directives) = marker.split_once(' ').unwrap_or((marker, ""));
        let marker = Marker { line: index + 1, directives: directives.trim() };
        let fit = marker.directives.starts_with('.');
        if !fit || markers.insert(name, marker).is_some() {
            findings.push(Finding {
                function: name.to_string(),
                line: index + 1,
                rule: Rule::BadMarker,
                text: line.trim().to_string(),
            });
        }
    }
    if findings.is_empty() { Ok(markers) } else { Err(findings) }
}

/// One directive a line. Each begins with a dot, and none has a dot inside.
fn write_directives(text: &mut String, marker: &Marker<'_>) {
    for directive in marker.directives.split('.').skip(1) {
        text.push('.');
        text.push_str(directive.trim());
        text.push('\n');
    }
}

fn is_noise(line: &str) -> bool {
    let line = line.trim();
    let comments = [MARKER, "// begin inline asm", "// end inline asm"];
    line.is_empty() || comments.iter().any(|comment| line.starts_with(comment))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KERNEL: &str = ".visible .entry k(\n\t.param .u64 a\n)\n{\n\tret;\n}\n";

    #[test]
    fn directives_stand_between_parameters_and_body() {
        let asm = format!("\t// @launch k .maxntid 512, 1, 1 .minnctapersm 2\n\n{KERNEL}");
        let expected = KERNEL.replace("\n{", "\n.maxntid 512, 1, 1\n.minnctapersm 2\n{");
        assert_eq!(place_directives(&asm), Ok(expected));
    }

    #[test]
    fn a_kernel_may_do_without() {
        assert_eq!(place_directives(KERNEL), Ok(KERNEL.to_string()));
    }

    #[test]
    fn a_marker_needs_its_kernel() {
        let findings = place_directives(&format!("// @launch other .maxntid 32\n{KERNEL}"));
        let findings = findings.expect_err("there is no kernel `other`");
        assert_eq!(findings[0].rule, Rule::MarkerWithoutKernel);
        assert_eq!((findings[0].function.as_str(), findings[0].line), ("other", 1));
    }

    #[test]
    fn malformed_and_repeated_markers_are_refused() {
        for markers in
            ["// @launch k\n", "// @launch k 512\n", "// @launch k .a 1\n// @launch k .b 1\n"]
        {
            let findings = place_directives(&format!("{markers}{KERNEL}")).expect_err(markers);
            assert_eq!(findings[0].rule, Rule::BadMarker, "{markers}");
        }
    }
}
