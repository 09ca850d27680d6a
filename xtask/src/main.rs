//! Chores of this repository: `cargo xtask <command>`.
//!
//! A command is a file with `Args` and `run`; adding one takes a line in `Command` and one in
//! `main`.

mod header;
mod ptx;
mod record;
mod repository;
mod tidy;
mod tune;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Chores of this repository")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make the C header that is committed in capi/include, or check it
    Header(header::Args),
    /// Make the committed PTX (host/ptx, bench/constants/ptx), or check it
    Ptx(ptx::Args),
    /// Check what compilers do not: layers, sizes, headings, links
    Tidy(tidy::Args),
    /// Build `topk` and search for the fastest backend and knobs on this machine's GPU
    Tune(tune::Args),
    /// Write a report of `topk bench` into the README's table of times
    Record(record::Args),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Header(args) => header::run(&args),
        Command::Ptx(args) => ptx::run(&args),
        Command::Tidy(args) => tidy::run(&args),
        Command::Tune(args) => tune::run(&args),
        Command::Record(args) => record::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
