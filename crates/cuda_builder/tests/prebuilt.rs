//! Builds that do not compile: prebuilt PTX, the compilers that are refused, and the variables.
//!
//! None of these tests needs a compiler: the prebuilt PTX is written by hand.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cuda_builder::{Arch, BuildError, CudaBuilder, Policy, PrebuiltFault, Source, SourceHash};
use support::{builder, copy_tree, fixtures, scratch};

/// A checkout in `scratch` with prebuilt PTX made from its sources, and its builder.
fn checkout(scratch: &Path) -> CudaBuilder {
    copy_tree(&fixtures(), scratch);
    let builder = builder(scratch, "good", scratch)
        .arch(Arch::Sm75)
        .arch(Arch::Sm90)
        .prebuilt(scratch.join("prebuilt"))
        .policy(Policy::Auto)
        .compilers([]);
    write_prebuilt(scratch, builder.source_hash().expect("the sources are there"));
    builder
}

fn write_prebuilt(scratch: &Path, hash: SourceHash) {
    let folder = scratch.join("prebuilt");
    fs::create_dir_all(&folder).expect("writable");
    for arch in [Arch::Sm75, Arch::Sm90] {
        let header = format!(
            "// Made by aikf-cuda-builder (rules 1) by hand\n// compiler: rustc 1.96.0 (abc)\n\
             // target: {arch}, PTX ISA 8.0\n// sources: {hash}\n"
        );
        fs::write(folder.join(format!("{arch}.ptx")), header + ".version 8.0\n").expect("writable");
    }
}

fn append(path: PathBuf, text: &str) {
    let old = fs::read_to_string(&path).expect("readable");
    fs::write(path, old + text).expect("writable");
}

#[test]
fn fresh_prebuilt_ptx_stands_in() {
    let scratch = scratch("fresh");
    let built = checkout(&scratch).build().expect("the prebuilt PTX is fresh");
    let compiler = "rustc 1.96.0 (abc)".to_string();
    assert_eq!(built.source, Source::Prebuilt { compiler });
    assert_eq!(built.ptx[1], (Arch::Sm90, scratch.join("ptx/sm_90.ptx")));
    let copied = fs::read_to_string(&built.ptx[1].1).expect("it was copied");
    assert!(copied.ends_with(".version 8.0\n"));
}

#[test]
fn line_ends_do_not_make_ptx_stale() {
    let scratch = scratch("line_ends");
    let builder = checkout(&scratch);
    for file in ["good/src/lib.rs", "tiny_std/src/lib.rs", "prebuilt/sm_75.ptx"] {
        let path = scratch.join(file);
        let text = fs::read_to_string(&path).expect("readable");
        fs::write(path, text.replace('\n', "\r\n")).expect("writable");
    }
    let built = builder.build().expect("the sources are the same");
    let copied = fs::read_to_string(&built.ptx[0].1).expect("it was copied");
    assert!(!copied.contains('\r'));
}

#[test]
fn stale_prebuilt_ptx_is_an_error_with_a_remedy() {
    let scratch = scratch("stale");
    let builder = checkout(&scratch);
    append(scratch.join("good/src/inner.rs"), "// a change\n");
    let error = builder.build().expect_err("the sources have changed");
    let BuildError::NoCompiler { prebuilt: Some(PrebuiltFault::Stale { .. }), .. } = &error else {
        panic!("{error}")
    };
    let message = error.to_string();
    for remedy in ["stale", "cargo xtask ptx", "rust-src", "rustc-web", "AIKF_RUSTC"] {
        assert!(message.contains(remedy), "{remedy} is not in: {message}");
    }
    let forced = builder.policy(Policy::Prebuilt).build();
    assert!(matches!(forced, Err(BuildError::Prebuilt(PrebuiltFault::Stale { .. }))));
}

#[test]
fn the_hash_covers_names_generations_and_libraries() {
    let scratch = scratch("hash");
    let builder = checkout(&scratch);
    let mut hashes = vec![builder.source_hash().expect("the sources are there")];
    append(scratch.join("tiny_std/src/lib.rs"), "// a change\n");
    hashes.push(builder.source_hash().expect("the sources are there"));
    fs::write(scratch.join("good/src/new.rs"), "").expect("writable");
    hashes.push(builder.source_hash().expect("the sources are there"));
    fs::rename(scratch.join("good/src/new.rs"), scratch.join("good/src/newer.rs")).expect("moved");
    hashes.push(builder.source_hash().expect("the sources are there"));
    hashes.push(builder.clone().arch(Arch::Sm100).source_hash().expect("the sources are there"));
    fs::write(scratch.join("good/src/notes.txt"), "no source").expect("writable");
    assert_eq!(builder.source_hash().expect("the sources are there"), hashes[3]);
    for (index, hash) in hashes.iter().enumerate() {
        assert!(!hashes[..index].contains(hash), "change {index} went unnoticed");
    }
}

#[test]
fn a_package_without_sources_uses_prebuilt_ptx_as_it_is() {
    let scratch = scratch("packaged");
    let builder = checkout(&scratch);
    let hash = builder.source_hash().expect("the sources are there");
    fs::remove_dir_all(scratch.join("good")).expect("removed");
    let error = builder.build().expect_err("half of the sources are missing");
    assert!(matches!(error, BuildError::NoSources { .. }), "{error}");
    fs::remove_dir_all(scratch.join("tiny_std")).expect("removed");
    assert_eq!(builder.build().expect("prebuilt").source_hash, hash);
}

#[test]
fn incomplete_prebuilt_ptx_is_told() {
    let scratch = scratch("incomplete");
    let builder = checkout(&scratch).policy(Policy::Prebuilt);
    fs::write(scratch.join("prebuilt/sm_90.ptx"), ".version 8.0\n").expect("writable");
    let fault = |result| match result {
        Err(BuildError::Prebuilt(fault)) => fault,
        other => panic!("{other:?}"),
    };
    let path = scratch.join("prebuilt/sm_90.ptx");
    assert_eq!(fault(builder.build()), PrebuiltFault::NoHeader(path.clone()));
    fs::copy(scratch.join("prebuilt/sm_75.ptx"), &path).expect("copied");
    assert_eq!(fault(builder.build()), PrebuiltFault::NoHeader(path.clone()));
    fs::remove_file(&path).expect("removed");
    assert_eq!(fault(builder.build()), PrebuiltFault::Missing(path));
}

#[test]
fn the_rust_file_names_every_module() {
    let scratch = scratch("rust_file");
    let built = checkout(&scratch).build().expect("the prebuilt PTX is fresh");
    let path = scratch.join("ptx.rs");
    built.write_rust(&path).expect("writable");
    let code = fs::read_to_string(path).expect("readable");
    let line = |arch: u32| {
        format!("    ({arch}, include_str!({:?})),\n", scratch.join(format!("ptx/sm_{arch}.ptx")))
    };
    assert!(
        code.contains(&format!("PTX: &[(u32, &str)] = &[\n{}{}];", line(75), line(90))),
        "{code}"
    );
    assert!(code.contains("PTX_SOURCE: &str = \"prebuilt by rustc 1.96.0 (abc)\";"), "{code}");
}

#[test]
fn a_builder_without_generations_says_so() {
    let scratch = scratch("incomplete_builder");
    let error = builder(&fixtures(), "good", &scratch).build().expect_err("no generation");
    assert_eq!(error.to_string(), "CudaBuilder lacks a GPU generation: call `arch`");
}

/// Set in the child processes of [`with_environment`]: the name of the scratch folder.
const CHILD: &str = "CUDA_BUILDER_TEST_CHILD";

/// Runs `test` in a process of its own with `variables`, and returns what it printed. There it
/// begins with [`is_child`].
fn with_environment(test: &str, case: &str, variables: &[(&str, &str)]) -> String {
    let this_file = std::env::current_exe().expect("a test runs from a file");
    let mut command = Command::new(this_file);
    command.args([test, "--exact", "--nocapture"]).env(CHILD, case);
    for name in ["AIKF_RUSTC", "AIKF_PTX", "DOCS_RS"] {
        command.env_remove(name);
    }
    let output = command.envs(variables.iter().copied()).output().expect("it ran before");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Whether this is the process that [`with_environment`] started. If so, it has built with stale
/// prebuilt PTX, as its variables say, and printed what came of it: there is nothing left to do.
fn is_child() -> bool {
    let Ok(case) = std::env::var(CHILD) else {
        return false;
    };
    let scratch = scratch(&case);
    let _ = checkout(&scratch);
    append(scratch.join("good/src/lib.rs"), "// so the prebuilt PTX is stale\n");
    let builder = CudaBuilder::new(scratch.join("good"))
        .device_library("tiny_std", scratch.join("tiny_std"))
        .arch(Arch::Sm75)
        .prebuilt(scratch.join("prebuilt"))
        .copy_to(scratch.join("ptx"));
    match builder.build() {
        Ok(built) => println!("built: {}", built.source),
        Err(error) => println!("{error}"),
    }
    true
}

#[test]
fn a_named_compiler_that_is_unfit_is_listed() {
    if is_child() {
        return;
    }
    let test = "a_named_compiler_that_is_unfit_is_listed";
    let printed = with_environment(test, "unfit", &[("AIKF_RUSTC", "no/such/rustc")]);
    let lines = [
        "AIKF_RUSTC names a compiler that cannot compile the GPU kernels",
        "  tried no/such/rustc: does not start: ",
        "  rustup component add rust-src ",
        "  apt-get install rustc-web rust-web-src ",
    ];
    for line in lines {
        assert!(printed.contains(line), "{line:?} is not in: {printed}");
    }
    assert!(!printed.contains("stale"), "prebuilt PTX is no option then: {printed}");
}

#[test]
fn the_policy_variable_has_two_values() {
    if is_child() {
        return;
    }
    let test = "the_policy_variable_has_two_values";
    let printed = with_environment(test, "prebuilt_policy", &[("AIKF_PTX", "prebuilt")]);
    assert!(printed.contains("prebuilt PTX is stale"), "{printed}");
    let unfit = [("AIKF_PTX", "build"), ("AIKF_RUSTC", "no/such/rustc")];
    let printed = with_environment(test, "build_policy", &unfit);
    assert!(printed.contains("AIKF_RUSTC names"), "{printed}");
    let printed = with_environment(test, "unknown_policy", &[("AIKF_PTX", "maybe")]);
    let expected = "AIKF_PTX=maybe has no meaning; AIKF_PTX may be `build` or `prebuilt`";
    assert!(printed.contains(expected), "{printed}");
}

#[test]
fn documentation_takes_what_there_is() {
    if is_child() {
        return;
    }
    let test = "documentation_takes_what_there_is";
    let printed = with_environment(test, "docs", &[("DOCS_RS", "1")]);
    assert!(printed.contains("built: prebuilt by rustc 1.96.0 (abc)"), "{printed}");
}
