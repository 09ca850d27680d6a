//! Builds that compile: what the PTX holds, that it is reproducible, and what is refused.
//!
//! Without a compiler for GPU kernels every test is reported as ignored, and why;
//! `AIKF_REQUIRE_PTX=1` makes that a failure, so that a machine that should have one cannot pass by
//! skipping.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use cuda_builder::{Arch, BuildError, Provenance, Rule, Source};
use libtest_mimic::{Arguments, Trial};
use support::{builder, copy_tree, fixtures, scratch, text};

fn main() {
    let probe = builder(&fixtures(), "good", &scratch("probe")).arch(Arch::Sm80).build();
    let required = std::env::var_os("AIKF_REQUIRE_PTX").is_some_and(|value| value == "1");
    let skip = match &probe {
        Err(error @ BuildError::NoCompiler { .. }) if !required => {
            eprintln!("the tests of builds are skipped: {error}");
            true
        }
        _ => false,
    };
    let trial = |name: &str, test: fn()| {
        let run = move || {
            test();
            Ok(())
        };
        Trial::test(name, run).with_ignored_flag(skip)
    };
    let trials = vec![
        trial("every_generation_is_built", every_generation_is_built),
        trial(
            "the_same_sources_give_the_same_bytes_anywhere",
            the_same_sources_give_the_same_bytes_anywhere,
        ),
        trial("generic_accesses_are_refused", generic_accesses_are_refused),
        trial("panics_are_refused", panics_are_refused),
        trial("local_memory_is_refused", local_memory_is_refused),
        trial("undefined_functions_are_refused", undefined_functions_are_refused),
        trial("markers_without_kernels_are_refused", markers_without_kernels_are_refused),
        trial("compile_errors_are_passed_on", compile_errors_are_passed_on),
        #[cfg(unix)]
        trial(
            "compilers_that_refuse_to_mix_cpus_are_told_to",
            compilers_that_refuse_to_mix_cpus_are_told_to,
        ),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

fn every_generation_is_built() {
    let scratch = scratch("every_generation");
    let mut builder = builder(&fixtures(), "good", &scratch);
    for arch in Arch::ALL {
        builder = builder.arch(arch);
    }
    let built = builder.build();
    let built = built.expect("the kernels are good");
    let Source::Compiled { compiler, .. } = &built.source else { panic!("{:?}", built.source) };

    assert_eq!(built.ptx.len(), Arch::ALL.len());
    for arch in Arch::ALL {
        let ptx = text(&built, arch);
        let header = Provenance::parse(&ptx).expect("a header");
        assert_eq!((&header.compiler, header.sources), (compiler, built.source_hash));
        let (major, minor) = arch.ptx_isa();
        assert!(ptx.contains(&format!("\n.version {major}.{minor}\n.target {arch}\n")), "{ptx}");
        assert!(ptx.contains("\n)\n.maxntid 512, 1, 1\n.minnctapersm 2\n{\n"), "{ptx}");
        assert!(ptx.contains("\n.extern .shared .align 16 .b8 dynamic[];\n"), "{ptx}");
        assert!(!ptx.contains("@launch"), "{ptx}");
        // The generation reached the device library as a cfg, and was doubled.
        let doubled = 2 * arch.number().min(90);
        assert!(ptx.contains(&format!(", {doubled};")), "{ptx}");
        // rust-lang/rust#137086 makes two barriers of one.
        let barriers = ptx.matches("bar.sync").count() + ptx.matches("barrier.sync").count();
        assert_eq!(barriers, 1, "{ptx}");
    }
}

fn the_same_sources_give_the_same_bytes_anywhere() {
    let scratch = scratch("reproducible");
    let mut results = Vec::new();
    for place in ["first", "second/and/deeper", "first"] {
        let root = scratch.join(place);
        copy_tree(&fixtures(), &root);
        let builder = builder(&root, "good", &root).arch(Arch::Sm75).arch(Arch::Sm90);
        // Where `core` was compiled must not matter either.
        let builder = if place == "first" { builder } else { builder.core_cache(core_elsewhere()) };
        let built = builder.build();
        let built = built.expect("the kernels are good");
        let ptx = text(&built, Arch::Sm75) + &text(&built, Arch::Sm90);
        assert!(!ptx.contains(&*scratch.to_string_lossy()), "an absolute path in {ptx}");
        results.push((built.source_hash, ptx));
    }
    assert_eq!(results[0], results[1]);
    assert_eq!(results[0], results[2]);
}

/// A second place for compiled `core`s, which also outlives the test.
fn core_elsewhere() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("core_elsewhere")
}

/// Builds a fixture that must be refused, and checks where and why.
#[track_caller]
fn assert_refused(fixture: &str, kernel: &str, rule: Rule) {
    let scratch = scratch(fixture);
    let builder = builder(&fixtures(), fixture, &scratch).arch(Arch::Sm80);
    let result = builder.build();
    let error = result.expect_err("a lint fires");
    let BuildError::Refused { arch: Arch::Sm80, asm, findings } = &error else { panic!("{error}") };
    let finding = findings.iter().find(|finding| finding.rule == rule);
    let finding = finding.unwrap_or_else(|| panic!("{error}"));
    assert_eq!(finding.function, kernel, "{error}");
    let asm = fs::read_to_string(asm).expect("the compiler's output is kept");
    let line = asm.lines().nth(finding.line - 1).expect("the line exists");
    let first_word = finding.text.split(' ').next().expect("some text");
    assert!(line.contains(first_word), "{finding} is not about {line}");
    assert!(!scratch.join("ptx/sm_80.ptx").exists(), "refused PTX must not be left for use");
}

fn generic_accesses_are_refused() {
    assert_refused("generic_access", "chases", Rule::GenericAccess);
}

fn panics_are_refused() {
    assert_refused("call", "panics", Rule::Call);
}

fn local_memory_is_refused() {
    assert_refused("local_memory", "spills", Rule::LocalMemory);
}

fn undefined_functions_are_refused() {
    assert_refused("undefined", "nowhere", Rule::Undefined);
}

fn markers_without_kernels_are_refused() {
    assert_refused("stray_marker", "old_name", Rule::MarkerWithoutKernel);
}

fn compile_errors_are_passed_on() {
    let builder = builder(&fixtures(), "broken", &scratch("broken")).arch(Arch::Sm80);
    let result = builder.build();
    let message = result.expect_err("a type error").to_string();
    assert!(message.starts_with("broken for sm_80 does not compile for the GPU:\n"), "{message}");
    assert!(message.contains("broken/src/lib.rs"), "{message}");
}

/// Later compilers than the least refuse to mix target CPUs until told otherwise; a script in
/// front of the compiler that is here plays one of them.
#[cfg(unix)]
fn compilers_that_refuse_to_mix_cpus_are_told_to() {
    use std::os::unix::fs::symlink;

    let scratch = scratch("mixed_cpus");
    let builder = builder(&fixtures(), "good", &scratch).arch(Arch::Sm90);
    let built = builder.build();
    let built = built.expect("the kernels are good");
    let Source::Compiled { rustc, .. } = &built.source else { panic!("{:?}", built.source) };
    // Links, not a script written here: a file that a test has just written may still be open in
    // a process that another test is starting, and cannot be run then.
    let strict = scratch.join("strict-rustc");
    symlink(fixtures().join("strict-rustc.sh"), &strict).expect("writable");
    symlink(rustc, scratch.join("real-rustc")).expect("writable");
    let retried = builder
        .copy_to(scratch.join("retried"))
        .compilers([strict])
        .build()
        .expect("it is told on the second try");
    assert_eq!(text(&built, Arch::Sm90), text(&retried, Arch::Sm90));
}
