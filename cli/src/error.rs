//! Everything that can go wrong. A message is one sentence that says what was given, what is
//! allowed, and what to do next.
use std::io;
use std::path::PathBuf;

use aikf_topk::{Dtype, Knob, Origin};

use crate::args::flag;

/// The exit codes.
pub mod exit {
    /// Done, and nothing is wrong.
    pub const OK: u8 = 0;
    /// An answer differs from the reference, or a time is above its baseline.
    pub const MISMATCH: u8 = 1;
    /// Wrong usage or wrong input.
    pub const USAGE: u8 = 2;
    /// A demanded device or driver is missing.
    pub const NO_DEVICE: u8 = 3;
    /// The driver, or writing the output, failed.
    pub const FAILED: u8 = 4;

    /// What each means, as the help and docs/cli.md list them.
    pub const MEANINGS: [(u8, &str); 5] = [
        (OK, "done, and nothing is wrong"),
        (MISMATCH, "an answer differs from the reference, or a time is above its baseline"),
        (USAGE, "wrong usage, input or setting"),
        (NO_DEVICE, "a demanded device or driver is missing"),
        (FAILED, "the driver, or writing the output, failed"),
    ];
}

/// Why a command could not be done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The library refused, or the driver below it.
    #[error(transparent)]
    Library(aikf_topk::Error),
    /// A knob's flag has a value that it cannot have.
    #[error("--{} {value:?} is not legal: {legal}", flag(knob.spec()))]
    Knob {
        /// The knob.
        knob: Knob,
        /// What it was set to.
        value: String,
        /// What it may be.
        legal: String,
    },
    /// Random rows have no shape of their own.
    #[error("{input} has no shape of its own: add {missing}")]
    NoShape {
        /// The input, as it was named.
        input: String,
        /// The flags that are needed.
        missing: &'static str,
    },
    /// More elements than there can be memory for.
    #[error("{rows} rows of {n} {dtype} elements do not fit into memory: lower --batch or --vocab")]
    TooLarge {
        /// Rows.
        rows: usize,
        /// Elements a row.
        n: usize,
        /// Their type.
        dtype: &'static str,
    },
    /// Not as many lengths as rows.
    #[error("--lengths has {given} numbers for {rows} rows: give one for each row")]
    Lengths {
        /// Numbers that were given.
        given: usize,
        /// Rows of the input.
        rows: usize,
    },
    /// More tokens than are kept until they are printed.
    #[error(
        "{steps} steps of {rows} rows with {each} tokens each are more than {most} tokens: lower \
         --steps, --num-samples or --top-logprobs, and go on with --position"
    )]
    Tokens {
        /// Steps.
        steps: usize,
        /// Rows of the input.
        rows: usize,
        /// Samples and best tokens of a row at a step.
        each: usize,
        /// The most tokens in all.
        most: usize,
    },
    /// A token that no row has.
    #[error("{flag} has the token {token}, and a row has {n} tokens: name tokens below {n}")]
    Token {
        /// The flag.
        flag: &'static str,
        /// The token.
        token: u32,
        /// Tokens in a row.
        n: usize,
    },
    /// A flag and the file disagree on the shape.
    #[error("{flag} {given} does not agree with {input}, which has {actual}: leave {flag} out")]
    ShapeDiffers {
        /// The flag.
        flag: &'static str,
        /// Its value.
        given: usize,
        /// The input, as it was named.
        input: String,
        /// What the file has.
        actual: String,
    },
    /// `--dtype` and the file disagree.
    #[error("--dtype {} does not agree with {input}, which has {actual}: {advice}", given.name())]
    DtypeDiffers {
        /// The flag's value.
        given: Dtype,
        /// The input, as it was named.
        input: String,
        /// The file's type.
        actual: String,
        /// The next step.
        advice: &'static str,
    },
    /// The file's elements are of no type that can be selected from.
    #[error("{input} has elements of type {actual}, and f32, f16 or bf16 is needed: {advice}")]
    Dtype {
        /// The input, as it was named.
        input: String,
        /// The file's type.
        actual: String,
        /// The next step.
        advice: &'static str,
    },
    /// The array is neither a row nor rows.
    #[error(
        "{input} has {} dimensions, {shape:?}, and [n] or [rows, n] is needed: reshape it",
        shape.len()
    )]
    Dimensions {
        /// The input, as it was named.
        input: String,
        /// The array's shape.
        shape: Vec<u64>,
    },
    /// Rows are not contiguous.
    #[error("{input} is in column-major (Fortran) order: save numpy.ascontiguousarray of it")]
    ColumnMajor {
        /// The input, as it was named.
        input: String,
    },
    /// The system would not open or read a file.
    #[error("cannot read {}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's words.
        reason: io::Error,
    },
    /// There is nothing in the file.
    #[error("{} is empty: 0 bytes", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The file ends before its data do.
    #[error(
        "{input} is truncated: its header promises {needed} bytes of data, and {actual} are there"
    )]
    Truncated {
        /// The input, as it was named.
        input: String,
        /// Bytes that the header promises.
        needed: u64,
        /// Bytes that are there.
        actual: u64,
    },
    /// The file is not what its name says.
    #[error("{} is not a right {kind} file: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The format.
        kind: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// There is no such tensor, or it is not clear which one is meant.
    #[error("{} {problem}; it has {}", path.display(), list(names))]
    Tensor {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
        /// The tensors that are there.
        names: Vec<String>,
    },
    /// There is no such command.
    #[error("there is no command {name:?}; there are {}", names.join(", "))]
    Command {
        /// What was asked for.
        name: String,
        /// The commands that are there.
        names: Vec<String>,
    },
    /// Measurements that differ in more than a picture shows, or none that are wanted.
    #[error("{} {}: {}", path.display(), of_choice(flag, given), there.join(", "))]
    Choice {
        /// The file.
        path: PathBuf,
        /// The flag that chooses.
        flag: &'static str,
        /// What it says, where it says something.
        given: Option<String>,
        /// What the file has.
        there: Vec<String>,
    },
    /// A picture could not be written.
    #[error("cannot write {}: {reason}", path.display())]
    Picture {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The answer could not be written.
    #[error("cannot write the output: {0}")]
    Output(#[from] io::Error),
    /// Measuring or tuning could not be done.
    #[error(transparent)]
    Bench(topk_bench::Error),
    /// There is no place for a table that has no name.
    #[error("the system names no cache folder for the table: add --out FILE")]
    NoTableFile,
}

impl From<aikf_topk::Error> for Error {
    fn from(error: aikf_topk::Error) -> Error {
        match error {
            // The program's own calls are the flags of its command line.
            aikf_topk::Error::Setting {
                knob: Some(knob),
                origin: Origin::Builder,
                value,
                legal,
                ..
            } => Error::Knob { knob, value, legal },
            other => Error::Library(other),
        }
    }
}

impl From<topk_bench::Error> for Error {
    fn from(error: topk_bench::Error) -> Error {
        match error {
            topk_bench::Error::Library(error) => error.into(),
            other => Error::Bench(other),
        }
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Error {
        Error::Output(error.into())
    }
}

impl Error {
    /// Whether the reader of the output went away.
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Error::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// The code that the process ends with.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Library(error) if error.is_missing_device() => exit::NO_DEVICE,
            Error::Library(aikf_topk::Error::Driver(_) | aikf_topk::Error::Torch(_))
            | Error::Bench(topk_bench::Error::File { verb: "write", .. })
            | Error::Picture { .. }
            | Error::Output(_) => exit::FAILED,
            Error::Bench(topk_bench::Error::Wrong { .. }) => exit::MISMATCH,
            _ => exit::USAGE,
        }
    }
}

fn of_choice(flag: &str, given: &Option<String>) -> String {
    match given {
        Some(given) => format!("has nothing with {flag} {given}; it has"),
        None => format!("has several; choose one with {flag}"),
    }
}

/// The names, or as many as one can read.
fn list(names: &[String]) -> String {
    const SHOWN_MAX: usize = 20;
    if names.is_empty() {
        return "no tensors at all".to_string();
    }
    let shown = names[..names.len().min(SHOWN_MAX)].join(", ");
    match names.len().saturating_sub(SHOWN_MAX) {
        0 => shown,
        more => format!("{shown}, and {more} more"),
    }
}

/// One sentence of clap's paragraphs: without the usage, which the help has.
pub fn usage_sentence(paragraphs: &str) -> String {
    let mut sentence = String::new();
    for line in paragraphs.lines().map(str::trim) {
        if line.is_empty() || line.starts_with("Usage:") || line.starts_with("For more") {
            continue;
        }
        let joint = match line.starts_with("tip:") {
            _ if sentence.is_empty() => "",
            true => "; ",
            false => " ",
        };
        sentence += joint;
        sentence += line;
    }
    let sentence = sentence.strip_prefix("error: ").unwrap_or(&sentence);
    format!("{sentence} (see --help)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_become_a_sentence() {
        let text = "error: a value is required for '--top-k <K>'\n\n  tip: give one\n\n\
                    Usage: topk select\n\nFor more information, try '--help'.\n";
        assert_eq!(
            usage_sentence(text),
            "a value is required for '--top-k <K>'; tip: give one (see --help)"
        );
    }

    #[test]
    fn a_long_list_is_cut() {
        let names: Vec<String> = (0..23).map(|i| format!("t{i}")).collect();
        assert!(list(&names).ends_with("t19, and 3 more"));
        assert_eq!(list(&[]), "no tensors at all");
        assert_eq!(list(&names[..2]), "t0, t1");
    }
}
