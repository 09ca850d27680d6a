//! `cargo xtask ptx`: makes the committed PTX, which serves machines without a GPU compiler: that
//! of the product in host/ptx, and that of the kernels that measure in bench/constants/ptx.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use cuda_builder::{Built, CudaBuilder, Policy, Provenance};

use crate::repository;

/// The host's build script says what is built from what.
#[path = "../../host/build.rs"]
#[allow(dead_code, reason = "its `main` is for cargo")]
mod host_build;

/// So does that of the program that measures.
#[path = "../../bench/constants/build.rs"]
#[allow(dead_code, reason = "its `main` is for cargo")]
mod constants_build;

/// A package that has PTX in its folder `ptx`, and what makes it there.
type Package = (&'static str, fn(&Path) -> CudaBuilder);

/// Every package with committed PTX.
const COMMITTED: [Package; 2] =
    [("host", host_build::kernels), ("bench/constants", constants_build::kernels)];

/// How many differing lines of a file are shown.
const LINES_SHOWN: usize = 5;

/// The arguments of `cargo xtask ptx`.
#[derive(clap::Args)]
pub struct Args {
    /// Change nothing; fail if committed PTX differs from what the sources give
    #[arg(long)]
    check: bool,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<()> {
    COMMITTED.iter().try_for_each(|(package, kernels)| {
        let folder = format!("{package}/ptx");
        let builder = kernels(&repository::root().join(package));
        let scratch = repository::scratch("ptx").join(package.replace('/', "-"));
        let committed = repository::root().join(&folder);
        if args.check {
            let built = build(builder, &scratch, &scratch.join("check"))?;
            check(&folder, &committed, &built)
        } else {
            let built = build(builder, &scratch, &committed)?;
            println!("{}: {}", committed.display(), built.source);
            Ok(())
        }
    })
}

/// Compiles the kernels; never takes prebuilt PTX, which is what this command makes.
fn build(builder: CudaBuilder, scratch: &Path, copy_to: &Path) -> Result<Built> {
    let built = builder
        .policy(Policy::Build)
        .work_dir(scratch)
        .core_cache(repository::scratch("ptx"))
        .copy_to(copy_to)
        .build()?;
    if !built.warnings.is_empty() {
        eprintln!("{}\n", built.warnings);
    }
    Ok(built)
}

fn check(folder: &str, committed: &Path, built: &Built) -> Result<()> {
    let mut faults = Vec::new();
    for (arch, fresh) in &built.ptx {
        let name = format!("{folder}/{arch}.ptx");
        let fresh = fs::read_to_string(fresh).with_context(|| format!("the new {name}"))?;
        match fs::read_to_string(committed.join(format!("{arch}.ptx"))) {
            Ok(old) => faults.extend(difference(&name, &old, &fresh)),
            Err(error) => faults.push(format!("{name}: {error}")),
        }
    }
    faults.extend(strays(folder, committed, built)?);
    if faults.is_empty() {
        println!("{folder} is what the sources give, {}", built.source);
        return Ok(());
    }
    bail!("{}\nrun `cargo xtask ptx` and commit the result", faults.join("\n"))
}

/// Files beside those that the build makes: left over from a generation no longer built.
fn strays(folder: &str, committed: &Path, built: &Built) -> Result<Vec<String>> {
    let made = |name: &str| built.ptx.iter().any(|(arch, _)| name == format!("{arch}.ptx"));
    let entries = fs::read_dir(committed).with_context(|| committed.display().to_string())?;
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let strays = names.filter(|name| name.ends_with(".ptx") && !made(name));
    Ok(strays.map(|name| format!("{folder}/{name}: made by nothing")).collect())
}

/// How a committed file differs from the fresh one, for people to read; `None` if it does not.
fn difference(name: &str, old: &str, fresh: &str) -> Option<String> {
    let (old_lines, fresh_lines): (Vec<_>, Vec<_>) =
        (old.lines().collect(), fresh.lines().collect());
    if old_lines == fresh_lines {
        return None;
    }
    let mut report = format!("{name} differs");
    match (Provenance::parse(old), Provenance::parse(fresh)) {
        (Some(old), Some(fresh)) => report += &causes(&old, &fresh),
        _ => report += "\n  it has no provenance header",
    }
    let last = old_lines.len().max(fresh_lines.len());
    let differing = (0..last).filter(|&at| old_lines.get(at) != fresh_lines.get(at));
    for at in differing.take(LINES_SHOWN) {
        let line = |lines: &[&str]| lines.get(at).map_or("(end)", |line| line.trim()).to_string();
        let (old, fresh) = (line(&old_lines), line(&fresh_lines));
        report += &format!("\n  line {}\n    committed: {old}\n    built:     {fresh}", at + 1);
    }
    Some(report)
}

/// What the headers say about why two files differ.
fn causes(old: &Provenance, fresh: &Provenance) -> String {
    let mut causes = String::new();
    if old.compiler != fresh.compiler {
        causes += &format!(
            "\n  another compiler made it ({}; this one is {}), so that a difference need not be a \
             fault: compare with the same compiler, named by AIKF_RUSTC",
            old.compiler, fresh.compiler
        );
    }
    if old.sources != fresh.sources {
        causes +=
            &format!("\n  it was made from other sources ({}, not {})", old.sources, fresh.sources);
    }
    causes
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "// Made by aikf-cuda-builder\n// compiler: rustc 1.96.0\n\
                       // target: sm_80, PTX ISA 7.4\n// sources: 0000000000000001\nret;\n";

    #[test]
    fn equal_files_do_not_differ_whatever_their_line_ends() {
        assert_eq!(difference("a", OLD, &OLD.replace('\n', "\r\n")), None);
    }

    #[test]
    fn a_report_shows_the_first_differing_lines() {
        let report = difference("a", OLD, &OLD.replace("ret", "exit")).expect("they differ");
        assert_eq!(report, "a differs\n  line 5\n    committed: ret;\n    built:     exit;");
        let report = difference("a", OLD, &OLD.replace("ret;\n", "")).expect("they differ");
        assert!(report.ends_with("built:     (end)"), "{report}");
    }

    #[test]
    fn a_report_names_its_causes() {
        let report = difference("a", OLD, &OLD.replace("1.96", "1.97")).expect("they differ");
        assert!(report.contains("another compiler made it (rustc 1.96.0; "), "{report}");
        let report = difference("a", OLD, &OLD.replace("01\n", "02\n")).expect("they differ");
        assert!(report.contains("made from other sources (0000000000000001, not"), "{report}");
        let report = difference("a", "ret;\n", OLD).expect("they differ");
        assert!(report.contains("no provenance header"), "{report}");
    }
}
