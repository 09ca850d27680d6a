//! `topk doctor`: what is here, what is set, and whether it works.
mod driver;
mod selftest;
mod settings;
mod tuned;

use aikf_topk::{DeviceChoice, Runtime, kernel_provenance};
use clap::Args;

use super::Outcome;
use crate::args::DeviceArg;
use crate::error::Error;
use crate::output::findings::{self, Finding};

/// The arguments of `topk doctor`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct DoctorArgs {
    #[command(flatten)]
    device: DeviceArg,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  What is here, and whether it works:
    topk doctor
  One GPU, for a program:
    topk doctor --device cuda:1 --json
  The GPU's code path without a GPU:
    topk doctor --device emulator

Every line has a mark: ok, warning or failure; what is not ok has its remedy under it. Without
--device (or AIKF_DEVICE) all GPUs are looked at, and a machine without one is well: the CPU does
the work. The process ends with the exit code of the first failure, else with 0.";

/// Looks, tries, and prints.
pub fn run(args: &DoctorArgs) -> Result<Outcome, Error> {
    let (set, of_settings) = settings::examine(args.device.choice());
    let mut all = vec![
        Finding::ok("Program", format!("topk {}", env!("CARGO_PKG_VERSION"))),
        Finding::ok("Program", format!("its GPU kernels were {}", kernel_provenance()))
            .fact("kernels", kernel_provenance()),
        libtorch(),
    ];
    // The first to use a driver chooses it for the process, and this has to be the emulator then.
    let opened = set == DeviceChoice::Emulator && Runtime::open(set).is_ok();
    let mut devices = vec![set];
    if set != DeviceChoice::Cpu && (set != DeviceChoice::Emulator || opened) {
        let seen = driver::examine(set);
        all.extend(seen.findings);
        devices = seen.devices;
    }
    let open = |&device: &DeviceChoice| (device, Runtime::open(device));
    let runtimes: Vec<_> = devices.iter().map(open).collect();
    let usable = runtimes.iter().filter_map(|(_, runtime)| runtime.as_ref().ok());
    all.extend(usable.flat_map(tuned::examine));
    all.extend(of_settings);
    let test = |(device, runtime)| selftest::examine(device, runtime, set);
    match findings::exit_code(&all) {
        0 => all.extend(runtimes.into_iter().map(test)),
        _ => all.push(selftest::left_out()),
    }
    match args.json {
        true => findings::print_json(&all)?,
        false => findings::print(&all)?,
    }
    Ok(match findings::exit_code(&all) {
        0 => Outcome::Done,
        code => Outcome::Unwell(code),
    })
}

fn libtorch() -> Finding {
    let built = cfg!(feature = "torch");
    let text = match built {
        true => "backend torch is in this build",
        false => {
            "backend torch, which is only to compare with, is not in this build (docs/torch.md)"
        }
    };
    Finding::ok("Program", text).fact("torch", built)
}
