//! The names of the kernels in PTX text.
//!
//! The text is not compiled: the kernels' code comes from a registry. What counts is that host
//! code finds exactly the kernels that it would find on a GPU.

use std::collections::BTreeSet;

use cuda_loader::error::code;

/// The names of all `.entry` points.
///
/// # Errors
///
/// A code, and a line as the driver's compiler would log it. The real driver takes text without
/// a `.version` for a damaged binary (200), other text for PTX that does not assemble (218).
pub(crate) fn entry_names(text: &str) -> Result<BTreeSet<String>, (u32, String)> {
    let lines: String = text.lines().map(without_comment).collect::<Vec<_>>().join("\n");
    let needed = [(".version", code::INVALID_IMAGE), (".target", code::INVALID_PTX)];
    for (directive, refusal) in needed {
        if !lines.contains(directive) {
            return Err((refusal, format!("aikf emulator: missing {directive} directive")));
        }
    }
    let mut names = BTreeSet::new();
    let mut words = lines.split(|c: char| c.is_whitespace() || "(),".contains(c));
    while words.by_ref().any(|word| word == ".entry") {
        let name = words.find(|word| !word.is_empty());
        let unnamed = || (code::INVALID_PTX, "aikf emulator: .entry without a name".to_owned());
        names.insert(name.ok_or_else(unnamed)?.to_owned());
    }
    Ok(names)
}

/// A line without the comment at its end.
fn without_comment(line: &str) -> &str {
    line.split_once("//").map_or(line, |(code, _)| code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_found_and_comments_are_not() {
        let text = "//\n.version 8.0 // .entry no\n.target sm_90\n.address_size 64\n\
                    .visible .entry one(\n.param .u64 one_param_0\n)\n{ ret; }\n\
                    .visible .entry two\n(){}\n.visible .func three(){}";
        let names = entry_names(text).expect("it is PTX");
        assert_eq!(names.into_iter().collect::<Vec<_>>(), ["one", "two"]);
    }

    #[test]
    fn text_without_the_directives_is_refused() {
        let (code, log) = entry_names("hello").unwrap_err();
        assert!(code == 200 && log.contains("missing .version"), "{code} {log}");
        let (code, log) = entry_names(".version 8.0\n").unwrap_err();
        assert!(code == 218 && log.contains("missing .target"), "{code} {log}");
    }
}
