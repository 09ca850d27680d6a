//! The commands, one file each.
mod compare;
mod sample;
mod select;

use clap::Subcommand;

use crate::error::Error;

/// What a command found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is done, and nothing is wrong.
    Done,
    /// An answer differs from the reference.
    Differs,
}

/// What `topk` can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Select the best k of every row of a file, or of random rows
    Select(select::SelectArgs),
    /// Draw tokens from rows of logits
    Sample(sample::SampleArgs),
    /// Time every backend that can run here, and check its answers
    Compare(compare::CompareArgs),
}

impl Command {
    /// Does it.
    pub fn run(&self) -> Result<Outcome, Error> {
        match self {
            Command::Select(args) => select::run(args),
            Command::Sample(args) => sample::run(args),
            Command::Compare(args) => compare::run(args),
        }
    }
}
