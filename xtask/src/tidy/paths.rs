//! Rules about what files name: machines' paths, registries, documents.

use super::text::numbered;
use super::{Faults, Tree};

/// First parts of paths that exist on one machine only.
const MACHINE_FOLDERS: &[&str] = &["work", "root", "home"];
/// The one registry that a lock file may name.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// No file names a place of somebody's machine.
pub fn machine_paths(tree: &Tree, faults: &mut Faults) {
    let paths: Vec<_> = MACHINE_FOLDERS.iter().map(|folder| format!("/{folder}/")).collect();
    for file in &tree.files {
        for (number, line) in numbered(&file.lines) {
            for path in paths.iter().filter(|path| begins_in(line, path)) {
                let fault = format!("a path below `{path}`");
                faults.push((file.path.clone(), number, fault));
            }
        }
    }
}

/// Whether a path in this line begins so, rather than has this in its middle.
fn begins_in(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line[..at].chars().last();
        !before.is_some_and(|char| char.is_alphanumeric() || "._-}*)".contains(char))
    })
}

/// No file names a registry other than crates.io.
pub fn registries(tree: &Tree, faults: &mut Faults) {
    for file in &tree.files {
        let (is_lock, is_toml) = (file.path.ends_with(".lock"), file.path.ends_with(".toml"));
        for (number, line) in numbered(&file.lines).filter(|_| is_lock || is_toml) {
            let line = line.trim();
            let source = line.strip_prefix("source = \"").map(|rest| rest.trim_end_matches('"'));
            let foreign = is_lock && source.is_some_and(|source| source != REGISTRY);
            let settings = ["[source.", "[registries", "[registry", "replace-with"];
            let set = settings.iter().any(|start| line.starts_with(start));
            let setting = is_toml && (set || line.contains("registry-index"));
            if foreign || setting {
                let fault = "a source of crates other than crates.io".to_string();
                faults.push((file.path.clone(), number, fault));
            }
        }
    }
}

/// What documents link to, and the documents that comments name, exist.
pub fn links(tree: &Tree, faults: &mut Faults) {
    for file in &tree.files {
        let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let is_document = file.path.ends_with(".md");
        let lines = if is_document { &file.lines } else { &file.comments };
        let mut in_code = false;
        for (number, line) in numbered(lines) {
            in_code ^= is_document && line.trim_start().starts_with("```");
            let mut missing: Vec<&str> = documents(line)
                .filter(|path| !tree.has(path) && !tree.has(&join(folder, path)))
                .collect();
            if is_document && !in_code {
                missing.extend(targets(line).filter(|path| !tree.has(&join(folder, path))));
            }
            missing.dedup();
            for path in missing {
                faults.push((file.path.clone(), number, format!("there is no {path}")));
            }
        }
    }
}

/// The relative targets of a line's links, without their anchors.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    let inline = line.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let reference = line.split_once("]: ").filter(|_| line.starts_with('['));
    inline
        .chain(reference.map(|(_, target)| target))
        .filter_map(|target| target.split_whitespace().next())
        .filter(|target| !target.contains("://") && !target.starts_with("mailto:"))
        .filter_map(|target| target.split('#').next())
        .filter(|target| !target.is_empty())
}

/// The documents that a line names between backticks.
fn documents(line: &str) -> impl Iterator<Item = &str> {
    let quoted = line.split('`').skip(1).step_by(2);
    let is_path = |word: &&str| word.chars().all(|c| c.is_alphanumeric() || "/._-".contains(c));
    quoted.filter(is_path).filter(|word| word.ends_with(".md") || word.starts_with("docs/"))
}

/// A path as seen from a folder, without `.` and `..`.
fn join(folder: &str, path: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').collect();
    for part in path.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." | "" => {}
            _ => parts.push(part),
        }
    }
    parts.retain(|part| !part.is_empty());
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::super::tests::found;

    #[test]
    fn paths_of_machines_are_found() {
        let script = |path: &str| format!("cd {path}\n");
        for folder in super::MACHINE_FOLDERS {
            let text = script(&format!("/{folder}/me"));
            assert_eq!(found(&[(".ci/run", &text)]), ["machine-path:1"]);
            let relative = script(&format!("a/{folder}/me"));
            assert!(found(&[(".ci/run", &relative)]).is_empty());
        }
    }

    #[test]
    fn foreign_registries_are_found() {
        let lock = |source: &str| format!("[[package]]\nsource = \"{source}\"\n");
        let foreign = lock("registry+https://mirror.example/index");
        assert_eq!(found(&[("Cargo.lock", &foreign)]), ["registry:2"]);
        assert!(found(&[("Cargo.lock", &lock(super::REGISTRY))]).is_empty());
        let config = "[source.crates-io]\nreplace-with = \"mirror\"\n";
        let both = ["registry:1", "registry:2"];
        assert_eq!(found(&[(".cargo/config.toml", config)]), both);
    }

    #[test]
    fn broken_links_are_found() {
        let there = ("docs/a.md", "# A\n");
        let found_in = |path: &'static str, text: &str| found(&[there, (path, text)]);
        assert_eq!(found_in("README.md", "See [b](docs/b.md#c).\n"), ["broken-link:1"]);
        assert_eq!(found_in("README.md", "[b]: docs/b.md\n"), ["broken-link:1"]);
        assert_eq!(found_in("README.md", "See `docs/b.md`.\n"), ["broken-link:1"]);
        assert_eq!(found_in("docs/c.md", "[a](docs/a.md)\n"), ["broken-link:1"]);
        assert_eq!(found_in("a.rs", "//! See `docs/b.md`.\n"), ["broken-link:1"]);
        let fine = "[a](docs/a.md), [d](docs), [u](https://a.b/c), [h](#h), `docs/a.md`\n\
                    ```\n[x](y)\n```\n";
        assert!(found_in("README.md", fine).is_empty());
        assert!(found_in("docs/c.md", "[a](a.md), [r](../docs/a.md), `docs/a.md`\n").is_empty());
    }
}
