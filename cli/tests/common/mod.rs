//! What the tests of the command share: running it, and writing files for it to read.
#![allow(dead_code)] // each test file uses its part

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use kernels_gpu::params::Dtype;
use kernels_gpu::testkit::{Expected, expected};

/// What a run left behind.
#[derive(Debug)]
pub struct Run {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// The command, in an environment without our variables, and without tuned tables of this machine.
pub fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_topk"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AIKF_") {
            command.env_remove(name);
        }
    }
    command.args(args).env("AIKF_TUNED", "off").stdin(Stdio::null());
    command
}

/// Runs to the end.
pub fn run(mut command: Command) -> Run {
    let output = command.output().expect("the command starts");
    Run {
        code: output.status.code().expect("no signal ended it"),
        stdout: String::from_utf8(output.stdout).expect("UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

/// Runs `topk` with arguments that are separated by spaces.
pub fn topk(args: &str) -> Run {
    run(command(&args.split_whitespace().collect::<Vec<_>>()))
}

/// Runs `topk select` on a file.
pub fn select(input: &str, args: &str) -> Run {
    let mut all = vec!["select", "--input", input];
    all.extend(args.split_whitespace());
    run(command(&all))
}

impl Run {
    /// The run went well; what it printed.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, 0, "{}", self.stderr);
        self.stdout
    }

    /// The run failed with this code, and one line on standard error that has all these words.
    #[track_caller]
    pub fn fails(self, code: i32, words: &[&str]) {
        assert_eq!(self.code, code, "{self:?}");
        assert_eq!(self.stdout, "");
        assert!(self.stderr.starts_with("error: "), "{}", self.stderr);
        assert_eq!(self.stderr.lines().count(), 1, "{}", self.stderr);
        for word in words {
            assert!(self.stderr.contains(word), "no {word:?} in: {}", self.stderr);
        }
    }

    /// The rows that `--format json` printed: indices and values.
    #[track_caller]
    pub fn rows(self) -> Vec<(Vec<u32>, Vec<serde_json::Value>)> {
        let lines = self.ok();
        let rows = lines.lines().enumerate().map(|(row, line)| {
            let record: serde_json::Value = serde_json::from_str(line).expect("a JSON object");
            assert_eq!(record["row"], row);
            (
                serde_json::from_value(record["indices"].clone()).expect("numbers"),
                record["values"].as_array().expect("an array").clone(),
            )
        });
        rows.collect()
    }
}

/// A folder for a test's files, which goes with the test.
pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn new() -> Folder {
        Folder(tempfile::tempdir().expect("a temporary folder"))
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file; its path.
    pub fn write(&self, name: &str, bytes: &[u8]) -> String {
        let path: PathBuf = self.0.path().join(name);
        let mut file = std::fs::File::create(&path).expect("a new file");
        file.write_all(bytes).expect("room for the file");
        path.to_str().expect("UTF-8").to_string()
    }
}

/// An `.npy` file, version 1.0. `shape` is as Python prints it.
pub fn npy(descr: &str, fortran: bool, shape: &str, data: &[u8]) -> Vec<u8> {
    let order = if fortran { "True" } else { "False" };
    let mut header =
        format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}");
    while !(10 + header.len() + 1).is_multiple_of(64) {
        header.push(' ');
    }
    header.push('\n');
    let length = (header.len() as u16).to_le_bytes();
    [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), data].concat()
}

/// The bytes of elements whose bit patterns these are.
pub fn bytes(elements: &[u32], dtype: Dtype) -> Vec<u8> {
    let bytes = elements.iter().flat_map(|e| e.to_le_bytes().into_iter().take(dtype.bytes()));
    bytes.collect()
}

/// The reference's answer, row after row.
pub fn reference(
    elements: &[u32],
    dtype: Dtype,
    n: usize,
    k: usize,
    largest: bool,
) -> Vec<Expected> {
    elements.chunks(n).map(|row| expected(row, dtype, k, largest)).collect()
}
