//! The commands, one file each.
mod bench;
mod compare;
mod completions;
mod doctor;
mod man;
mod measuring;
mod plot;
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
    /// Something does not work, and this exit code says what.
    Unwell(u8),
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
    /// Say what is here, what is set, and whether it works
    Doctor(doctor::DoctorArgs),
    /// Draw measurements as SVG
    Plot(plot::PlotArgs),
    /// Print a script that lets a shell complete commands and flags
    Completions(completions::CompletionsArgs),
    /// Print a page of the manual
    Man(man::ManArgs),
}

impl Command {
    /// Whether it says itself what the environment's variables mean.
    pub fn speaks_of_variables(&self) -> bool {
        matches!(self, Command::Doctor(_))
    }

    /// Does it.
    pub fn run(&self) -> Result<Outcome, Error> {
        match self {
            Command::Select(args) => select::run(args),
            Command::Sample(args) => sample::run(args),
            Command::Compare(args) => compare::run(args),
            Command::Bench(args) => bench::run(args),
            Command::Tune(args) => tune::run(args),
            Command::Recommend(args) => recommend::run(args),
            Command::Doctor(args) => doctor::run(args),
            Command::Plot(args) => plot::run(args),
            Command::Completions(args) => completions::run(args),
            Command::Man(args) => man::run(args),
        }
    }
}
