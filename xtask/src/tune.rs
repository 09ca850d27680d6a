//! `cargo xtask tune`: builds `topk` for speed and runs `topk tune` with the same arguments.

use std::env;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::repository;

/// The arguments of `cargo xtask tune`.
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub struct Args {
    /// What `topk tune` takes; `cargo xtask tune --help` shows it
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<()> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    // In the folder that this was called from, so that relative files are what they seem.
    command.args(["run", "--quiet", "--release", "--package", "aikf-topk-cli", "--manifest-path"]);
    command.arg(repository::root().join("Cargo.toml")).args(["--", "tune"]);
    let status = command.args(&args.arguments).status().context("cargo does not start")?;
    if !status.success() {
        bail!("topk tune ended with {status}");
    }
    Ok(())
}
