//! The PTX of host/ptx, as text: whether it is that of the sources, and whether the compiler made
//! of the kernels what they rely on. Needs neither a GPU nor a compiler for one.
//!
//! Barriers are counted and compared with `golden/barriers.txt`, because an optimiser that copies
//! one into two branches makes threads wait for different ones. After a change that is meant,
//! `AIKF_BLESS=1` writes the file anew.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::{env, fs};

use cuda_builder::{Arch, Policy};
use kernels_gpu::variants::KERNELS;

/// The host's build script says what is built from what.
#[path = "../build.rs"]
#[allow(dead_code, reason = "its `main` is for cargo")]
mod host_build;

const REMEDY: &str = "run `cargo xtask ptx` and commit host/ptx";
const VECTOR_LOAD: &str = "ld.global.nc.L1::no_allocate.v4.b32";

/// The PTX of one GPU generation.
struct Module {
    arch: Arch,
    text: String,
}

/// A kernel as the PTX has it.
struct Entry<'a> {
    name: &'a str,
    /// Its lines from `.entry` to the opening brace.
    head: Vec<&'a str>,
    /// Its statements, with their predicates.
    body: Vec<&'a str>,
}

/// A parameter as the PTX declares it.
#[derive(Debug, PartialEq)]
enum Parameter {
    Pointer,
    /// Passed by value, with this many bytes.
    Struct(usize),
}

fn host() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The committed modules, oldest generation first.
fn modules() -> Vec<Module> {
    let read = |arch: Arch| {
        let text = fs::read_to_string(host().join(format!("ptx/{arch}.ptx"))).ok()?;
        Some(Module { arch, text })
    };
    let modules: Vec<_> = Arch::ALL.into_iter().filter_map(read).collect();
    assert!(!modules.is_empty(), "host/ptx holds no PTX; {REMEDY}");
    modules
}

impl Module {
    fn entries(&self) -> Vec<Entry<'_>> {
        let mut entries = Vec::new();
        let mut lines = self.text.lines().map(without_comment);
        while let Some(line) = lines.next() {
            let Some((_, name)) = line.split_once(".entry ") else {
                continue;
            };
            let head = lines.by_ref().take_while(|line| *line != "{").collect();
            let body = lines.by_ref().take_while(|line| *line != "}");
            entries.push(Entry {
                name: name.trim_end_matches('('),
                head,
                // One kernel's text has braces inside only around statements of one line.
                body: body.flat_map(statements).collect(),
            });
        }
        entries
    }
}

impl Entry<'_> {
    /// Its parameters in order; an error names a declaration of another kind.
    fn parameters(&self) -> Result<Vec<Parameter>, String> {
        let declarations = self.head.iter().filter(|line| line.starts_with(".param"));
        let parameter = |line: &&str| {
            let bytes = line.split_once('[').and_then(|(_, rest)| {
                let bytes = rest.trim_end_matches(',').strip_suffix(']')?;
                bytes.parse().ok()
            });
            match bytes {
                Some(bytes) if line.starts_with(".param .align 8 .b8 ") => {
                    Ok(Parameter::Struct(bytes))
                }
                None if line.starts_with(".param .u64 .ptr ") => Ok(Parameter::Pointer),
                _ => Err(line.to_string()),
            }
        };
        declarations.map(parameter).collect()
    }

    /// The value of a directive between the parameters and the body.
    fn directive(&self, name: &str) -> Option<&str> {
        let mut values = self.head.iter().filter_map(|line| line.strip_prefix(name));
        values.next().map(str::trim)
    }

    /// How many statements begin with this, predicates left out.
    fn count(&self, operation: &str) -> usize {
        let operations = self.body.iter().map(|line| without_predicate(line));
        operations.filter(|line| line.starts_with(operation)).count()
    }

    /// The barriers of a block or a cluster, not those of a warp.
    fn barriers(&self) -> usize {
        self.count("bar.") + self.count("barrier.") - self.count("bar.warp.")
    }
}

fn without_comment(line: &str) -> &str {
    line.split("//").next().unwrap_or(line).trim()
}

/// The statements of a line, without labels and braces around them.
fn statements(line: &str) -> impl Iterator<Item = &str> {
    let parts = line.split(';').map(|part| part.trim_matches([' ', '\t', '{', '}']));
    parts.filter(|part| !part.is_empty())
}

fn without_predicate(statement: &str) -> &str {
    match statement.strip_prefix('@') {
        Some(guarded) => {
            guarded.split_once(char::is_whitespace).map_or("", |(_, rest)| rest.trim())
        }
        None => statement,
    }
}

/// Checks every kernel of every module; all faults in one message.
fn every_entry(check: impl Fn(&Module, &Entry) -> Result<(), String>) {
    let mut faults = Vec::new();
    for module in modules() {
        for entry in module.entries() {
            if let Err(fault) = check(&module, &entry) {
                faults.push(format!("{}, {}: {fault}", module.arch, entry.name));
            }
        }
    }
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

fn demand(holds: bool, fault: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(fault()) }
}

#[test]
fn the_committed_ptx_is_that_of_the_sources() {
    // Compares the header of every generation's file with the hash of the sources present.
    let built = host_build::kernels(host())
        .policy(Policy::Prebuilt)
        .copy_to(Path::new(env!("CARGO_TARGET_TMPDIR")).join("golden_ptx"))
        .build();
    let built = built.unwrap_or_else(|error| panic!("{error}\n{REMEDY}"));
    let (expected, there): (Vec<_>, Vec<_>) = (
        built.ptx.iter().map(|(arch, _)| *arch).collect(),
        modules().iter().map(|module| module.arch).collect(),
    );
    assert_eq!(there, expected, "host/ptx has files that are not built; {REMEDY}");
}

#[test]
fn every_module_has_the_kernels_of_the_table() {
    for module in modules() {
        let has = KERNELS.iter().filter(|kernel| kernel.since <= module.arch.number());
        let table: BTreeSet<_> = has.map(|kernel| kernel.name).collect();
        let entries: BTreeSet<_> = module.entries().iter().map(|entry| entry.name).collect();
        assert_eq!(entries, table, "{}; {REMEDY}", module.arch);
    }
}

#[test]
fn every_module_is_for_its_generation() {
    for module in modules() {
        let target = format!("\n.target {}\n", module.arch);
        let text = module.text.replace("\r\n", "\n");
        assert!(text.contains(&target), "{} lacks{target}", module.arch);
    }
}

#[test]
fn parameters_are_those_of_the_table() {
    every_entry(|_, entry| {
        let kernel = KERNELS.iter().find(|kernel| kernel.name == entry.name);
        let bytes = kernel.ok_or("not in the table")?.parameter_bytes;
        let parameters = entry.parameters()?;
        let size = |parameter: &Parameter| match parameter {
            Parameter::Pointer => 8,
            Parameter::Struct(bytes) => *bytes,
        };
        let sizes: Vec<_> = parameters.iter().map(size).collect();
        demand(sizes == bytes, || format!("{parameters:?}, not {bytes:?} bytes"))?;
        let before_last = &parameters[..parameters.len().saturating_sub(1)];
        demand(before_last.iter().all(|parameter| *parameter == Parameter::Pointer), || {
            format!("{parameters:?}: pointers come first, one struct last")
        })
    });
}

#[test]
fn launch_bounds_are_those_of_the_table() {
    every_entry(|_, entry| {
        let kernel = KERNELS.iter().find(|kernel| kernel.name == entry.name);
        let threads = kernel.ok_or("not in the table")?.max_threads;
        let bounds = (entry.directive(".maxntid"), entry.directive(".minnctapersm"));
        let blocks = bounds.1.and_then(|blocks| blocks.parse::<u32>().ok());
        demand(
            bounds.0 == Some(&format!("{threads}, 1, 1"))
                && blocks.is_some_and(|blocks| blocks >= 1),
            || format!("{bounds:?}, not {threads} threads and at least 1 block"),
        )
    });
}

#[test]
fn there_are_no_calls_and_no_local_memory() {
    every_entry(|_, entry| {
        for forbidden in [".local", "ld.local", "st.local", "call"] {
            let count = entry.count(forbidden);
            demand(count == 0, || format!("{forbidden}: {count} times"))?;
        }
        Ok(())
    });
}

/// The kernel `..._u4` is to have 4 vectors of 16 bytes in flight a thread.
#[test]
fn kernels_load_as_many_vectors_as_their_names_say() {
    let mut checked = 0;
    for module in modules() {
        for entry in module.entries() {
            let depth = entry.name.rsplit_once("_u").map(|(_, depth)| depth.parse());
            let Some(Ok(depth)) = depth else {
                continue;
            };
            let loads = entry.count(VECTOR_LOAD);
            assert!(loads >= depth, "{}, {}: {loads} loads", module.arch, entry.name);
            checked += 1;
        }
    }
    assert!(checked > 0, "no kernel is named .._u1, .._u2, ..");
}

#[test]
fn no_barrier_is_guarded() {
    every_entry(|_, entry| {
        let guarded =
            |line: &&&str| line.starts_with('@') && without_predicate(line).starts_with("bar");
        match entry.body.iter().find(guarded) {
            Some(line) => Err(format!("a barrier under a predicate: {line}")),
            None => Ok(()),
        }
    });
}

#[test]
fn barriers_are_as_many_as_agreed() {
    let modules = modules();
    let mut counts = BTreeMap::<&str, Vec<usize>>::new();
    for module in &modules {
        for entry in module.entries() {
            counts.entry(entry.name).or_default().push(entry.barriers());
        }
    }
    let mut table = String::from("# Barriers of a block, by kernel (golden_ptx.rs). Generations:");
    for module in &modules {
        table += &format!(" {}", module.arch);
    }
    for (kernel, counts) in counts {
        let counts: Vec<_> = counts.iter().map(usize::to_string).collect();
        table += &format!("\n{kernel} {}", counts.join(" "));
    }
    compare_or_bless(&host().join("tests/golden/barriers.txt"), &(table + "\n"));
}

/// Compares with a golden file line by line, or writes it where `AIKF_BLESS=1` says so.
fn compare_or_bless(path: &PathBuf, fresh: &str) {
    if env::var("AIKF_BLESS").is_ok_and(|value| value == "1") {
        fs::create_dir_all(path.parent().expect("it is in a folder")).expect("a folder");
        fs::write(path, fresh).expect("the golden file can be written");
        return;
    }
    let golden = fs::read_to_string(path).unwrap_or_default();
    let (golden, fresh): (Vec<_>, Vec<_>) = (golden.lines().collect(), fresh.lines().collect());
    let only = |sign: &'static str, these: &[&str], those: &[&str]| {
        let differing = these.iter().filter(|line| !those.contains(line));
        differing.map(|line| format!("{sign} {line}\n")).collect::<String>()
    };
    assert!(
        golden == fresh,
        "{} differs (- agreed, + now):\n{}{}if it is meant, set AIKF_BLESS=1 and commit the file",
        path.display(),
        only("-", &golden, &fresh),
        only("+", &fresh, &golden),
    );
}

#[test]
fn the_reader_of_ptx_finds_what_it_looks_for() {
    let text = "\t// .globl k\n.visible .entry k(\n\t.param .u64 .ptr .align 1 k_param_0,\n\
                \t.param .align 8 .b8 k_param_1[32]\n)\n.maxntid 512, 1, 1\n.minnctapersm 2\n{\n\
                \t.local .b8 a[4];\n\tbar.sync \t0;\n\t@!%p1 bar.red.or.pred %p2, 0, %p1;\n\
                \t{ bar.warp.sync -1; call f; } // call\n$L1:\n\tret;\n}\n";
    let (arch, text) = (Arch::Sm90, text.to_string());
    let module = Module { arch, text };
    let entries = module.entries();
    let entry = &entries[0];
    assert_eq!((entries.len(), entry.name), (1, "k"));
    let expected = vec![Parameter::Pointer, Parameter::Struct(32)];
    assert_eq!(entry.parameters(), Ok(expected));
    assert_eq!(entry.directive(".minnctapersm"), Some("2"));
    assert_eq!((entry.barriers(), entry.count("call")), (2, 1));
    assert_eq!((entry.count(".local"), entry.count("bar.warp.")), (1, 1));
    assert_eq!(without_predicate(entry.body[2]), "bar.red.or.pred %p2, 0, %p1");
}
