//! What can go wrong in a measurement.
use std::io;
use std::path::PathBuf;

use cuda_loader::DriverError;

/// Why something was not measured.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The library refused, or the driver below it.
    #[error(transparent)]
    Library(#[from] aikf_topk::Error),
    /// The system would not read or write a file.
    #[error("cannot {verb} {}: {reason}", path.display())]
    File {
        /// `read` or `write`.
        verb: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's words.
        reason: io::Error,
    },
    /// A file is not what it must be.
    #[error("{name} is not right: {reason}")]
    Malformed {
        /// The file, for people.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// Nothing is left to measure.
    #[error("no workload of {name} is left: {reason}")]
    NoWorkload {
        /// The list, for people.
        name: String,
        /// What it was reduced to, and what would help.
        reason: String,
    },
    /// An answer is wrong, so that its time means nothing.
    #[error("{call}: {difference}")]
    Wrong {
        /// Workload, backend and knobs.
        call: String,
        /// Where the answer differs from the reference.
        difference: String,
    },
    /// What was asked for cannot be done on this device.
    #[error("{0}")]
    Refused(String),
}

impl From<DriverError> for Error {
    fn from(error: DriverError) -> Error {
        Error::Library(error.into())
    }
}

/// How a program ends that measured: 0 where every answer was right, 1 where one was not, and 2,
/// with a line that says why, where the command line, the device or the driver was at fault.
pub fn exit_code(outcome: Result<bool, impl std::fmt::Display>) -> std::process::ExitCode {
    match outcome {
        Ok(true) => std::process::ExitCode::SUCCESS,
        Ok(false) => std::process::ExitCode::from(1),
        Err(error) => {
            eprintln!("error: {error}");
            std::process::ExitCode::from(2)
        }
    }
}
