//! The one error type. Every message says what was given, what is allowed, and what to do next.
use std::fmt;

use cuda_loader::DriverError;

use crate::knobs::{Knob, Origin};

/// Why a call could not be done. Nothing was launched or allocated when validation fails.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The problem itself is not one: every broken rule is listed.
    #[error("{}", join(.0))]
    Problem(Vec<Violation>),
    /// A parameter of sampling has a value that it cannot have.
    #[error("{name} = {value}: {legal}")]
    Parameter {
        /// The parameter.
        name: &'static str,
        /// Its value.
        value: String,
        /// What it may be.
        legal: &'static str,
    },
    /// A setting has a value that it cannot have.
    #[error("{name}={value} ({}) is not legal: {legal}", origin.name())]
    Setting {
        /// The setting as whoever set it knows it: the variable, or the knob's key for a call.
        name: &'static str,
        /// The knob, where it is one.
        knob: Option<Knob>,
        /// What it was set to.
        value: String,
        /// Where that came from.
        origin: Origin,
        /// What it may be.
        legal: String,
    },
    /// A right problem that this backend cannot do on this device.
    #[error(
        "backend {backend} cannot do this: {what} is {actual}, the limit on {device} is {limit}; \
         {advice}"
    )]
    Unsupported {
        /// The backend that was asked for.
        backend: &'static str,
        /// The quantity over its limit.
        what: &'static str,
        /// Its value.
        actual: u64,
        /// The most there may be.
        limit: u64,
        /// The device whose limit it is.
        device: String,
        /// The next step.
        advice: &'static str,
    },
    /// A backend that is not in this build, or a call that it does not take.
    #[error("backend {backend} {reason}")]
    Refused {
        /// The backend that was asked for.
        backend: &'static str,
        /// What it is not or does not, and the next step.
        reason: &'static str,
    },
    /// A buffer is too small, or two do not fit together.
    #[error("{what} has room for {actual} elements, and {needed} are needed")]
    Buffer {
        /// Which buffer.
        what: &'static str,
        /// Elements it has.
        actual: usize,
        /// Elements it must have.
        needed: usize,
    },
    /// A device was asked for that is not there.
    #[error("device {requested} is not available: {reason}")]
    NoDevice {
        /// What was asked for.
        requested: String,
        /// Why it is not there, and what would help.
        reason: String,
    },
    /// What was asked for needs a GPU, and the runtime has none, or the plan uses none.
    #[error("no GPU for {purpose}: {reason}")]
    NoGpu {
        /// What needs one.
        purpose: String,
        /// Why there is none, and what would help.
        reason: String,
    },
    /// LibTorch failed: its own words.
    #[error("LibTorch failed: {0}")]
    Torch(String),
    /// The CUDA driver refused a call.
    #[error(transparent)]
    Driver(#[from] DriverError),
}

impl Error {
    /// Whether the reason is that a demanded device or driver is missing.
    pub fn is_missing_device(&self) -> bool {
        match self {
            Error::NoDevice { .. } | Error::NoGpu { .. } => true,
            Error::Driver(error) => error.is_no_driver() || error.is_no_device(),
            _ => false,
        }
    }
}

/// One broken rule of a problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The quantity.
    pub field: &'static str,
    /// Its value.
    pub value: u64,
    /// The rule, with the limit in numbers.
    pub rule: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}: {}", self.field, self.value, self.rule)
    }
}

fn join(violations: &[Violation]) -> String {
    violations.iter().map(Violation::to_string).collect::<Vec<_>>().join("; ")
}
