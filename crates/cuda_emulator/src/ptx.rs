//! The names of the kernels in PTX text.
//!
//! The text is not compiled: the kernels' code comes from a registry. What counts is that host
//! code finds exactly the kernels that it would find on a GPU.

use std::collections::BTreeSet;

/// The names of all `.entry` points.
///
/// # Errors
///
/// For text that is no PTX, a line as the driver's compiler would log it.
pub(crate) fn entry_names(text: &str) -> Result<BTreeSet<String>, String> {
    let code: String = text
        .lines()
        .map(without_comment)
        .collect::<Vec<_>>()
        .join("\n");
    for directive in [".version", ".target"] {
        if !code.contains(directive) {
            return Err(format!(
                "aikf emulator: fatal: missing {directive} directive"
            ));
        }
    }
    let mut names = BTreeSet::new();
    let mut words = code.split(|c: char| c.is_whitespace() || "(),".contains(c));
    while words.by_ref().any(|word| word == ".entry") {
        let name = words.find(|word| !word.is_empty());
        names.insert(
            name.ok_or("aikf emulator: fatal: .entry without a name")?
                .to_owned(),
        );
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
        assert!(
            entry_names("hello")
                .unwrap_err()
                .contains("missing .version")
        );
        assert!(
            entry_names(".version 8.0\n")
                .unwrap_err()
                .contains("missing .target")
        );
    }
}
