//! Who may do what: the layers of the kernels, of the device library and of the host.

use std::collections::BTreeSet;

use super::source::File;
use super::text::numbered;
use super::{Faults, Tree};

const KERNELS: &str = "kernels-gpu/src";
const VARIANTS: &str = "kernels-gpu/src/variants.rs";

const ASSEMBLY_FILES: &[&str] = &[
    "crates/cuda_std/src/nvptx.rs",
    "crates/cuda_std/src/kernel.rs",
    // One directive to the host's assembler, `.hidden`, which Rust has no attribute for: the
    // functions made for cust must not answer other shared objects in place of the driver's.
    "crates/cuda_loader/src/cust/forward.rs",
];

const TARGET_ARCH_PLACES: &[&str] = &[
    "crates/cuda_std/src",
    "kernels-gpu/src/lib.rs",
    "kernels-gpu/src/params.rs",
    "kernels-gpu/src/variants.rs",
    "bench/constants/kernels/src/lib.rs",
];

/// The library's crates, each with the one file of it that may read variables.
const ENVIRONMENT_FILES: &[(&str, &str)] = &[
    ("host/src", "host/src/settings.rs"),
    ("capi/src", ""),
    ("crates/simt/src", "crates/simt/src/launch.rs"),
    ("crates/cuda_emulator/src", "crates/cuda_emulator/src/lib.rs"),
    ("crates/cuda_loader/src", ""),
    ("crates/cuda_std/src", ""),
    ("kernels-gpu/src", ""),
];

/// What the table of instances names beside kernels.
const BELOW_KERNELS: &[&str] = &["prim", "params", "order", "sampling"];

/// What a kernel's file tells, in this order.
const HEADINGS: &[&str] = &[
    "# Idea",
    "# Shapes",
    "# Work split",
    "# Shared memory",
    "# Invariants",
    "# Synchronisation",
    "# Launch contract",
    "# Cost",
    "# Ties, NaN, tail",
    "# Source",
];

/// Assembly stands in the device library alone, but for a directive of the host's assembler.
pub fn assembly(tree: &Tree, faults: &mut Faults) {
    let allowed = |file: &&File| ASSEMBLY_FILES.contains(&&*file.path);
    for file in tree.rust_but_fixtures().filter(|file| !allowed(file)) {
        for (number, line) in numbered(&file.code) {
            if line.contains("asm!") {
                faults.push((file.path.clone(), number, "assembly here".to_string()));
            }
        }
    }
}

/// The GPU is told from the host in few places.
pub fn target_arch(tree: &Tree, faults: &mut Faults) {
    let allowed = |file: &&File| TARGET_ARCH_PLACES.iter().any(|place| file.is_in(place));
    for file in tree.rust().filter(|file| !allowed(file)) {
        for (number, line) in numbered(&file.code) {
            if line.contains("target_arch =") {
                let fault = "it tells the GPU from the host".to_string();
                faults.push((file.path.clone(), number, fault));
            }
        }
    }
}

/// Variables are read in one file of a crate, so that their effects can be told from it.
pub fn environment(tree: &Tree, faults: &mut Faults) {
    for file in tree.rust() {
        let of_crate = ENVIRONMENT_FILES.iter().find(|(folder, _)| file.is_in(folder));
        if of_crate.is_none_or(|(_, reader)| file.path == *reader) {
            continue;
        }
        for (number, line) in numbered(&file.code) {
            if line.contains("std::env") || line.contains("env::var") {
                let fault = "it reads the environment".to_string();
                faults.push((file.path.clone(), number, fault));
            }
        }
    }
}

/// Kernels know what is below them: no other kernel, and not the table of instances. What is below
/// knows no kernel, and the testkit nothing that it checks.
pub fn imports(tree: &Tree, faults: &mut Faults) {
    let kernels = kernel_modules(tree);
    for file in tree.rust().filter(|file| file.is_in(KERNELS)) {
        let own = module_of(&file.path);
        if own.is_empty() || own == ["variants"] {
            continue;
        }
        for (line, path) in crate_paths(file, &own) {
            let is_in = |module: &[String]| path.starts_with(module);
            let testkit = own[0] == "testkit";
            let above = is_in(&["variants".to_string()])
                || kernels.iter().any(|kernel| is_in(kernel) && !own.starts_with(kernel))
                || testkit && is_in(&["prim".to_string()])
                || own[0] == "sampling"
                    && !["sampling", "order", "params"].iter().any(|part| path[0] == *part)
                || own == ["params"] && !is_in(&own)
                || own == ["order"] && !is_in(&own) && !is_in(&["params".to_string()]);
            if above {
                let fault = format!("`{}` imports `{}`", own.join("::"), path.join("::"));
                faults.push((file.path.clone(), line, fault));
            }
        }
    }
}

/// A kernel's file explains it under every heading.
pub fn kernel_headings(tree: &Tree, faults: &mut Faults) {
    for module in kernel_modules(tree) {
        let Some(file) = module_file(tree, &module) else {
            continue;
        };
        let docs = numbered(&file.lines).filter_map(|(number, line)| {
            let heading = line.strip_prefix("//! ")?.trim_end();
            HEADINGS.contains(&heading).then_some((number, heading))
        });
        let mut headings = docs.peekable();
        for expected in HEADINGS {
            if headings.next_if(|(_, heading)| heading == expected).is_none() {
                let line = headings.peek().map_or(1, |(number, _)| *number);
                let fault = format!("`{expected}` is missing, or not in its place");
                faults.push((file.path.clone(), line, fault));
                break;
            }
        }
    }
}

/// The modules with the bodies that the table of instances names.
fn kernel_modules(tree: &Tree) -> BTreeSet<Vec<String>> {
    let Some(variants) = tree.file(VARIANTS) else {
        return BTreeSet::new();
    };
    let named = crate_paths(variants, &["variants".to_string()]);
    let module = named.into_iter().filter_map(|(_, path)| {
        let below = BELOW_KERNELS.contains(&path[0].as_str());
        let lengths = (1..=path.len()).rev();
        let mut modules = lengths.map(|length| path[..length].to_vec());
        modules.find(|module| !below && module_file(tree, module).is_some())
    });
    module.collect()
}

fn module_file<'a>(tree: &'a Tree, module: &[String]) -> Option<&'a File> {
    let path = format!("{KERNELS}/{}", module.join("/"));
    let file = tree.file(&format!("{path}.rs"));
    file.or_else(|| tree.file(&format!("{path}/mod.rs")))
}

/// The module in a file of the kernel crate; nothing for the root.
fn module_of(path: &str) -> Vec<String> {
    let inner = path.trim_start_matches(KERNELS).trim_start_matches('/');
    let inner = inner.trim_end_matches(".rs").trim_end_matches("/mod");
    let parts = inner.split('/').filter(|part| *part != "lib");
    parts.map(str::to_string).collect()
}

/// Each path of this crate that the file of module `own` names, from the root on, with its line.
fn crate_paths(file: &File, own: &[String]) -> Vec<(usize, Vec<String>)> {
    let mut found = Vec::new();
    for at in 0..file.code.len() {
        let line = &file.code[at];
        for (start, word) in words(line) {
            let before = line[..start].trim_end();
            let root = match word {
                "crate" => Vec::new(),
                // One in the middle of a path or a use tree is found with the whole.
                "super" if !before.ends_with([':', '{', ',']) => {
                    own[..own.len().saturating_sub(1)].to_vec()
                }
                _ => continue,
            };
            let rest = &line[start + word.len()..];
            let text = format!("{rest}\n{}", file.code[at + 1..].join("\n"));
            let mut leaves = Vec::new();
            if let Some(tree) = text.strip_prefix("::") {
                use_tree(tree, root, &mut leaves);
            }
            let leaves = leaves.into_iter().filter(|leaf| !leaf.is_empty());
            found.extend(leaves.map(|leaf| (at + 1, leaf)));
        }
    }
    found
}

/// The identifiers of a line, with their places.
fn words(line: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_word = |char: char| char.is_alphanumeric() || char == '_';
    line.split(move |char| !is_word(char))
        .filter(|word| !word.is_empty())
        .map(move |word| (word.as_ptr() as usize - line.as_ptr() as usize, word))
}

/// Adds the paths of the use tree that `text` begins with, below `prefix`; what follows the tree.
fn use_tree<'a>(text: &'a str, prefix: Vec<String>, leaves: &mut Vec<Vec<String>>) -> &'a str {
    let text = text.trim_start();
    if let Some(mut rest) = text.strip_prefix('{') {
        loop {
            rest = rest.trim_start().trim_start_matches(',').trim_start();
            if let Some(after) = rest.strip_prefix('}') {
                return after;
            }
            let after = use_tree(rest, prefix.clone(), leaves);
            // An alias, or text that is no use tree after all.
            let skip = after.find([',', '}']).unwrap_or(after.len());
            rest = &after[skip..];
            if rest.is_empty() {
                return rest;
            }
        }
    }
    let Some((0, word)) = words(text).next() else {
        leaves.push(prefix);
        return text;
    };
    let mut path = prefix;
    match word {
        "self" => {}
        "super" => drop(path.pop()),
        _ => path.push(word.to_string()),
    }
    let rest = &text[word.len()..];
    match rest.strip_prefix("::") {
        Some(below) => use_tree(below, path, leaves),
        None => {
            leaves.push(path);
            rest
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::found;
    use super::*;

    const TABLE: &str = "//! Table.\nuse crate::params::P;\nuse crate::{\n    \
                         prim::element::F32,\n    one::{a, b as c},\n};\n\
                         kernels! { k() = crate::two::d::<F32>; }\n";

    fn kernel(lines: &str) -> String {
        format!("//! A kernel.\n//! {}\n{lines}\n", HEADINGS.join("\n//! "))
    }

    /// What is found in a kernel crate with the table above and this file.
    fn found_with(path: &str, lines: &str) -> Vec<String> {
        let (one, two) = (kernel(""), kernel(""));
        let mut files = vec![(VARIANTS, TABLE), (path, lines)];
        let rest = [("kernels-gpu/src/one.rs", &*one), ("kernels-gpu/src/two/mod.rs", &*two)];
        files.extend(rest.into_iter().filter(|(other, _)| *other != path));
        found(&files)
    }

    #[test]
    fn use_trees_are_taken_apart() {
        let file = File::new(
            "kernels-gpu/src/prim/a.rs",
            "//! A.\nuse crate::{\n    b::{self, c::*},\n    \
                              d as e,\n};\nuse super::{f, super::g};\nlet h: crate::i::J<K> = 0;\n",
        );
        let paths = crate_paths(&file, &module_of(&file.path));
        let paths: Vec<_> = paths.iter().map(|(_, path)| path.join("::")).collect();
        assert_eq!(paths, ["b", "b::c", "d", "prim::f", "g", "i::J"]);
    }

    #[test]
    fn imports_upwards_are_found() {
        let upwards = |path, line: &str| found_with(path, &kernel(line));
        let one = "kernels-gpu/src/one.rs";
        assert_eq!(upwards(one, "use crate::two::d;"), ["imports:12"]);
        assert_eq!(upwards(one, "use super::two;"), ["imports:12"]);
        assert_eq!(upwards(one, "use crate::variants::KERNELS;"), ["imports:12"]);
        assert!(upwards(one, "use crate::prim::queue;\nuse crate::one::own;").is_empty());
        let prim = "kernels-gpu/src/prim/queue.rs";
        assert_eq!(upwards(prim, "use crate::{order, one::a};"), ["imports:12"]);
        assert_eq!(upwards(prim, "use super::super::two;"), ["imports:12"]);
        assert!(upwards(prim, "use super::element;").is_empty());
        assert_eq!(upwards("kernels-gpu/src/params.rs", "use crate::order;"), ["imports:12"]);
        assert_eq!(upwards("kernels-gpu/src/order.rs", "use crate::prim;"), ["imports:12"]);
        assert!(upwards("kernels-gpu/src/order.rs", "use crate::params::A;").is_empty());
        let sampling = "kernels-gpu/src/sampling/math.rs";
        assert_eq!(upwards(sampling, "use crate::prim::scan;"), ["imports:12"]);
        assert!(upwards(sampling, "use crate::{order::key, sampling::params};").is_empty());
        assert_eq!(upwards("kernels-gpu/src/testkit/a.rs", "use crate::prim;"), ["imports:12"]);
        assert!(upwards("kernels-gpu/src/lib.rs", "use crate::one;").is_empty());
    }

    #[test]
    fn missing_and_misplaced_headings_are_found() {
        let path = "kernels-gpu/src/two/mod.rs";
        let missing = kernel("").replace("//! # Cost\n", "");
        assert_eq!(found_with(path, &missing), ["kernel-headings:9"]);
        let misplaced =
            kernel("").replace("Idea", "?").replace("Cost", "Idea").replace('?', "Cost");
        assert_eq!(found_with(path, &misplaced), ["kernel-headings:2"]);
        assert_eq!(found_with(path, "//! No heading.\n"), ["kernel-headings:1"]);
    }

    #[test]
    fn assembly_and_target_arch_are_found() {
        let assembly = "//! A.\ncore::arch::global_asm!(\"\");\n";
        assert_eq!(found(&[("host/src/a.rs", assembly)]), ["assembly:2"]);
        assert!(found(&[("crates/cuda_std/src/nvptx.rs", assembly)]).is_empty());
        assert!(found(&[("crates/x/tests/fixtures/a.rs", assembly)]).is_empty());
        let arch = "//! A.\n#[cfg(all(a, not(target_arch = \"nvptx64\")))]\nfn a() {}\n";
        assert_eq!(found(&[("kernels-gpu/src/prim/a.rs", arch)]), ["target-arch:2"]);
        assert!(found(&[("kernels-gpu/src/lib.rs", arch)]).is_empty());
    }

    #[test]
    fn readers_of_the_environment_are_found() {
        let reader = "//! A.\nuse std::env;\n";
        assert_eq!(found(&[("host/src/plan.rs", reader)]), ["environment:2"]);
        assert_eq!(found(&[("crates/simt/src/a.rs", reader)]), ["environment:2"]);
        assert!(found(&[("host/src/settings.rs", reader)]).is_empty());
        assert!(found(&[("host/tests/gpu.rs", reader)]).is_empty());
    }
}
