//! Prints a GPU's constants: `constants [--device N] [--group NAME] [--json FILE]`.
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use clap::builder::PossibleValuesParser;
use constants::{Bench, Effort, Gpu, Report, gpu, groups};
use cuda_loader::{DriverError, api};

/// What a launch, a join of blocks, a barrier, an atomic, a warp's operation and a read cost.
#[derive(Debug, Parser)]
#[command(version, after_help = "Exit codes: 0 done; 1 failed; 2 wrong usage; 3 no GPU.")]
struct Args {
    /// The GPU's number
    #[arg(long, default_value_t = 0)]
    device: u32,
    /// Measure these groups alone
    #[arg(
        long,
        value_delimiter = ',',
        value_parser = PossibleValuesParser::new(groups::ALL.map(|group| group.0))
    )]
    group: Vec<String>,
    /// Write the constants as JSON too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            let driver = error.downcast_ref::<DriverError>();
            let missing = driver.is_some_and(|e| e.is_no_driver() || e.is_no_device());
            ExitCode::from(if missing { 3 } else { 1 })
        }
    }
}

fn run(args: &Args) -> Result<()> {
    let gpu = Gpu::open(args.device)?;
    let mut report = Report {
        schema: 1,
        device: gpu.name()?,
        cuda_version: api::cuda_version(api::driver_version()?),
        kernels: gpu::kernel_provenance(),
        constants: vec![],
    };
    let bench = Bench::new(gpu, Effort::FULL)?;
    let wanted = |name: &str| args.group.is_empty() || args.group.iter().any(|group| group == name);
    for (name, measure) in groups::ALL.into_iter().filter(|(name, _)| wanted(name)) {
        let constants = measure(&bench).with_context(|| format!("group {name}"))?;
        report.constants.extend(constants);
    }
    print!("{report}");
    if let Some(path) = &args.json {
        let text = serde_json::to_string_pretty(&report)? + "\n";
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}
