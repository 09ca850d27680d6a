//! The commands, one file each.
mod bench;
mod compare;
mod measuring;
mod recommend;
mod sample;
mod select;
mod tune;

use clap::Subcommand;

use crate::error::Error;

/// What a command found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is done, and nothing is wrong.
    Done,
    /// An answer differs from the reference.
    Differs,
    /// A time is longer than its baseline.
    Slower,
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
    /// Time the list of workloads as `auto` does them, and check the answers
    Bench(bench::BenchArgs),
    /// Search for the fastest backend and knobs, and write the table that `auto` reads
    Tune(tune::TuneArgs),
    /// Say which backend and knobs `auto` takes for a batch, and why
    Recommend(recommend::RecommendArgs),
}

impl Command {
    /// Does it.
    pub fn run(&self) -> Result<Outcome, Error> {
        match self {
            Command::Select(args) => select::run(args),
            Command::Sample(args) => sample::run(args),
            Command::Compare(args) => compare::run(args),
            Command::Bench(args) => bench::run(args),
            Command::Tune(args) => tune::run(args),
            Command::Recommend(args) => recommend::run(args),
        }
    }
}
