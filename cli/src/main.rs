//! `topk`: top-k selection from the command line.
//!
//! # Reading order
//!
//! 1. [`commands`]: one file a command; each reads as a summary of what the command does.
//! 2. [`input`]: where rows come from: `.npy`, `.safetensors`, or a seed.
//! 3. [`check`]: answers against the sorted reference.
//! 4. [`output`]: tables, JSON and CSV, behind one buffer. What is measured, and how, is in the
//!    library `topk_bench`.
//! 5. [`error`]: everything that can go wrong, in one sentence each, with the exit code.
//!
//! # A new command
//!
//! Write `commands/<name>.rs` with its arguments and `run`, and add a line to `Command`.
#![deny(unsafe_code)] // allowed by name in the file that maps files

mod args;
mod check;
mod commands;
mod error;
mod input;
mod output;
mod terminal;

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;
use commands::{Command, Outcome};
use error::exit;

/// Top-k selection on NVIDIA GPUs, on a GPU emulator, or on the CPU: always the same answer.
#[derive(Debug, Parser)]
#[command(name = "topk", version, after_help = AFTER_HELP)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
Exit codes: 0 done; 1 an answer differs from the reference, or a time is above its baseline; 2 wrong
usage or input; 3 a demanded device or driver is missing; 4 the driver, or writing the output,
failed.

A flag comes before its environment variable (AIKF_...), and that before the planner's choice.
`topk <command> --help` has examples.";

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return not_parsed(&error),
    };
    warn_of_unknown_variables();
    match cli.command.run() {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Differs | Outcome::Slower) => ExitCode::from(exit::MISMATCH),
        // Whoever reads has enough, as with `| head`.
        Err(error) if error.is_broken_pipe() => ExitCode::SUCCESS,
        Err(error) => {
            terminal::error(&error.to_string());
            ExitCode::from(error.exit_code())
        }
    }
}

/// Help and version as clap prints them; a wrong command line in one sentence, as all errors here.
fn not_parsed(error: &clap::Error) -> ExitCode {
    match error.kind() {
        ErrorKind::DisplayHelp
        | ErrorKind::DisplayVersion
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            // Nothing can be done where even the help cannot be written.
            let _ = error.print();
        }
        _ => terminal::error(&error::usage_sentence(&error.to_string())),
    }
    match error.use_stderr() {
        true => ExitCode::from(exit::USAGE),
        false => ExitCode::SUCCESS,
    }
}

fn warn_of_unknown_variables() {
    let mut unknown = aikf_topk::unknown_variables();
    unknown.sort();
    for (name, nearest) in unknown {
        terminal::warning(&format!(
            "the environment variable {name} means nothing here; did you mean {nearest}?"
        ));
    }
}
