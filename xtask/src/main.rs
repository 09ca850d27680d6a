//! Chores of this repository: `cargo xtask <command>`.
//!
//! A command is a file with `Args` and `run`; adding one takes a line in `Command` and one in
//! `main`.

mod header;
mod ptx;
mod repository;
mod tidy;

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
    /// Make the PTX that is committed in host/ptx, or check it
    Ptx(ptx::Args),
    /// Check what compilers do not: layers, sizes, headings, links
    Tidy(tidy::Args),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Header(args) => header::run(&args),
        Command::Ptx(args) => ptx::run(&args),
        Command::Tidy(args) => tidy::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
