//! The test programs that need a GPU: without one every test is reported as ignored, and why; with
//! `AIKF_REQUIRE_GPU=1` its absence is a failure.
use aikf_topk::{DeviceChoice, Runtime};
use libtest_mimic::{Arguments, Failed, Trial};

/// A test on the first GPU, by name.
pub type GpuTest = (&'static str, fn(&Runtime));

/// Those tests as trials, ignored where there is no GPU and none is required.
pub fn trials(title: &str, tests: &[GpuTest]) -> Vec<Trial> {
    let missing = Runtime::open(DeviceChoice::Cuda(0)).err();
    let required = std::env::var("AIKF_REQUIRE_GPU").is_ok_and(|value| value == "1");
    if let Some(reason) = &missing {
        eprintln!("{title} {}: {reason}", if required { "fail" } else { "are skipped" });
    }
    let skip = missing.is_some() && !required;
    let trial = |&(name, test): &GpuTest| {
        let run = move || -> Result<(), Failed> {
            let runtime = Runtime::open(DeviceChoice::Cuda(0)).map_err(|e| e.to_string())?;
            test(&runtime);
            Ok(())
        };
        Trial::test(name, run).with_ignored_flag(skip)
    };
    tests.iter().map(trial).collect()
}

/// Runs them and ends the process. One GPU, one context: tests that share it take turns.
pub fn run(trials: Vec<Trial>) -> ! {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(1);
    libtest_mimic::run(&arguments, trials).exit()
}
