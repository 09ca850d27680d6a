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

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches, Parser};
use commands::{Command, Outcome};
use error::exit;
use terminal::Color;

/// Top-k selection on NVIDIA GPUs, on a GPU emulator, or on the CPU: always the same answer.
#[derive(Debug, Parser)]
#[command(name = "topk", version, after_help = after_help())]
struct Cli {
    /// Whether there are colours: auto (on a terminal, unless NO_COLOR is set), always or never
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "WHEN",
        default_value_t = Color::Auto,
        hide_possible_values = true
    )]
    color: Color,
    #[command(subcommand)]
    command: Command,
}

fn after_help() -> String {
    let codes = exit::MEANINGS.map(|(code, meaning)| format!("  {code}  {meaning}"));
    format!(
        "Exit codes:\n{}\n\nA flag comes before its environment variable (AIKF_...), the variable \
         before a tuned table,\nand the table before the planner's choice. `topk <command> --help` \
         has examples;\n`topk doctor` says what works here.",
        codes.join("\n")
    )
}

/// The command line as clap has it: for parsing, completions and man pages.
fn command_line() -> clap::Command {
    Cli::command()
}

fn main() -> ExitCode {
    let color = wanted_color(std::env::args_os());
    terminal::set_color(color);
    let parsed = command_line().color(color.into()).try_get_matches();
    let cli = match parsed.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) => return not_parsed(&error),
    };
    if !cli.command.speaks_of_variables() {
        warn_of_unknown_variables();
    }
    match cli.command.run() {
        Ok(Outcome::Done) => ExitCode::from(exit::OK),
        Ok(Outcome::Differs | Outcome::Slower) => ExitCode::from(exit::MISMATCH),
        Ok(Outcome::Unwell(code)) => ExitCode::from(code),
        // Whoever reads has enough, as with `| head`.
        Err(error) if error.is_broken_pipe() => ExitCode::from(exit::OK),
        Err(error) => {
            terminal::error(&error.to_string());
            ExitCode::from(error.exit_code())
        }
    }
}

/// `--color`, read before all else: help and the errors of parsing have colours too.
fn wanted_color(args: impl Iterator<Item = OsString>) -> Color {
    let args: Vec<String> = args.map(|arg| arg.to_string_lossy().into_owned()).collect();
    let given = args.iter().enumerate().find_map(|(at, arg)| match arg.as_str() {
        "--color" => args.get(at + 1).map(String::as_str),
        _ => arg.strip_prefix("--color="),
    });
    given.and_then(|word| clap::ValueEnum::from_str(word, false).ok()).unwrap_or(Color::Auto)
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
