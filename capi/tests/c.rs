//! Programs in C and Python on the library, on the host's cores and the emulator: one of the tests'
//! own, and the examples of `docs/c-abi.md`.
//!
//! The programs in C are linked with nothing but the library, so they also show that it needs no
//! libcuda; cargo makes it with the package's examples. Without a C compiler (`CC`, or `cc`),
//! `python3`, or its modules torch and transformers, what needs them is ignored, and the output
//! says so.
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::{env, fs};

use libtest_mimic::{Arguments, Failed, Trial};

fn main() -> ExitCode {
    let compiler = env::var("CC").unwrap_or_else(|_| "cc".to_string());
    let torch = ["-c", "import torch, transformers"];
    let trials = vec![
        trial("smoke", &compiler, &["--version"], smoke),
        trial("the_example_in_c", &compiler, &["--version"], the_example_in_c),
        trial("the_header_is_c_plus_plus_too", &compiler, &["--version"], is_c_plus_plus_too),
        trial("the_example_in_python", "python3", &["--version"], the_example_in_python),
        trial("the_report_of_compare_torch", "python3", &["--version"], report_of_compare_torch),
        trial("the_filters_of_others", "python3", &torch, the_filters_of_others),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// A test that needs a tool, ignored where the tool cannot do this.
fn trial(name: &str, tool: &str, probe: &[&str], run: fn(&str) -> Result<(), Failed>) -> Trial {
    let missing = output(Command::new(tool).args(probe)).err();
    if missing.is_some() {
        eprintln!("{name} is skipped: `{tool} {}` fails", probe.join(" "));
    }
    let tool = tool.to_string();
    Trial::test(name, move || run(&tool)).with_ignored_flag(missing.is_some())
}

fn smoke(compiler: &str) -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let program = build(compiler, &root().join("tests/smoke.c"), folder.path())?;
    for (device, way) in [("cpu", "host"), ("cpu", "prepared"), ("emulator", "host")] {
        let said = output(Command::new(&program).args([device, way]))?;
        assert_eq!(said, format!("{device}, {way}: 0 faults\n"));
    }
    Ok(())
}

fn the_example_in_c(compiler: &str) -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let source = folder.path().join("example.c");
    fs::write(&source, example("c")?)?;
    let said = output(&mut Command::new(build(compiler, &source, folder.path())?))?;
    assert!(said.ends_with("\nbest: 7 6 5\n"), "{said}");
    Ok(())
}

fn is_c_plus_plus_too(compiler: &str) -> Result<(), Failed> {
    let header = root().join("include/aikf_topk.h");
    let flags = ["-x", "c++", "-std=c++11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only"];
    output(Command::new(compiler).args(flags).arg(header)).map(drop)
}

fn the_example_in_python(python: &str) -> Result<(), Failed> {
    let mut command = on_library(python)?;
    command.arg("-c").arg(example("python")?).env("PYTHONPATH", root().join("python"));
    assert_eq!(output(&mut command)?, "best: [5, 1, 3]\n");
    Ok(())
}

/// Times that are made up, of `bench/compare_torch.py` without PyTorch.
const COMPARE_TORCH: &str = "
import types, compare_torch
from compare_torch import Bench, aikf_topk, ran_of, written
topk = aikf_topk.Library().open('emulator').topk(rows=8, n=1000, k=50, dtype='bf16',
                                                 backend='streaming')
bench = Bench.__new__(Bench)
bench.args, bench.rows, bench.wrong = types.SimpleNamespace(sample=False), [], []
bench.copy_gbs, bench.about = 4000.0, dict(device='GPU', date='2026-01-02', torch='2', library='0',
                                           command=[])
shape = types.SimpleNamespace(rows=8, n=1000, k=50, dtype='bf16', bytes=16000, answer_bytes=2400)
torch = types.SimpleNamespace(shape=shape, name='torch', ran='torch')
auto = types.SimpleNamespace(shape=shape, name='auto', ran=ran_of(topk.explain()))
bench.add(torch, 'graph-cold', [9.0, 8.0, 7.0])
bench.add(auto, 'graph-cold', [2.0, 1.0, 3.0])
bench.add(auto, 'graph-warm', [1.5])
print(written(bench, 'json'), end='')
";

/// What it writes is what the tests of those who read it have.
fn report_of_compare_torch(python: &str) -> Result<(), Failed> {
    let bench = root().join("../bench");
    let mut command = on_library(python)?;
    let said = output(command.args(["-c", COMPARE_TORCH]).env("PYTHONPATH", &bench))?;
    let known = fs::read_to_string(bench.join("fixtures/compare_torch.json"))?;
    assert_eq!(said, known, "bench/fixtures/compare_torch.json is not what the script writes");
    Ok(())
}

/// What the filters of sampling keep, compared with HuggingFace's and vLLM's.
fn the_filters_of_others(python: &str) -> Result<(), Failed> {
    for (device, cases) in [("cpu", "320"), ("emulator", "32")] {
        let mut command = on_library(python)?;
        command.arg(root().join("../bench/compare_samplers.py"));
        let said = output(command.args(["--device", device, "--cases", cases]))?;
        assert_eq!(said.matches(&format!("{cases} cases, 0 mismatches")).count(), 6, "{said}");
    }
    Ok(())
}

/// Python, that it may find the library.
fn on_library(python: &str) -> Result<Command, Failed> {
    let mut command = Command::new(python);
    command.env("LIBAIKF_TOPK", library_folder()?.join(library_name()));
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    Ok(command)
}

/// The first example of the docs in this language.
fn example(language: &str) -> Result<String, Failed> {
    let docs = fs::read_to_string(root().join("../docs/c-abi.md"))?;
    let rest = docs.split_once(&format!("```{language}\n")).map(|(_, rest)| rest);
    let example = rest.and_then(|rest| rest.split("```").next());
    Ok(example.ok_or("docs/c-abi.md has no such example")?.to_string())
}

/// Compiles a file against header and library; the program.
fn build(compiler: &str, source: &Path, folder: &Path) -> Result<PathBuf, Failed> {
    let (program, library) = (folder.join("program"), library_folder()?);
    let mut command = Command::new(compiler);
    command.args(["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-I"]);
    command.arg(root().join("include")).arg(source).arg("-L").arg(&library);
    command.arg("-laikf_topk").arg(format!("-Wl,-rpath,{}", library.display()));
    output(command.arg("-o").arg(&program))?;
    Ok(program)
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn library_name() -> String {
    format!("{}aikf_topk{}", env::consts::DLL_PREFIX, env::consts::DLL_SUFFIX)
}

/// Where the library is: with the examples, beside this test's folder.
fn library_folder() -> Result<PathBuf, Failed> {
    let test = env::current_exe()?;
    let profile = test.ancestors().nth(2).ok_or("this test lies nowhere")?;
    let folder = profile.join("examples");
    match folder.join(library_name()).exists() {
        true => Ok(folder),
        false => Err(format!(
            "there is no {} in {}: `cargo test -p {} --examples --test c` makes it",
            library_name(),
            folder.display(),
            env!("CARGO_PKG_NAME")
        )
        .into()),
    }
}

/// What a command prints; an error where it fails.
fn output(command: &mut Command) -> Result<String, Failed> {
    let output = command.output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    match output.status.success() {
        true => Ok(said),
        false => Err(format!("{said}{}", String::from_utf8_lossy(&output.stderr)).into()),
    }
}
