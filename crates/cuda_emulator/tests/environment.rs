//! `AIKF_EMULATOR_SCHEDULE` sets the schedule: seen in the text of a fault, in a process of its
//! own.

mod common;

use std::process::Command;

use cuda_loader::Stream;
use cuda_loader::api::{self, LaunchConfig};

/// Set in the child process.
const CHILD: &str = "AIKF_EMULATOR_TEST_CHILD";

/// Has a fault, and prints its text.
fn fault() {
    let _gpu = common::Gpu::new();
    let module = api::module_load(common::PTX).expect("it is PTX");
    // SAFETY: the module was loaded just now.
    let function = unsafe { api::module_get_function(module, c"diverge") }.expect("registered");
    let stream = Stream::NULL;
    let config = LaunchConfig { grid: [1; 3], block: [32, 1, 1], shared_bytes: 0, stream };
    // SAFETY: the kernel has no parameters.
    unsafe { api::launch_kernel(function, &config, &[]) }.expect("a valid launch");
    println!("{}", cuda_emulator::last_fault().expect("it diverges"));
}

#[test]
fn the_environment_sets_the_schedule() {
    if std::env::var_os(CHILD).is_some() {
        return fault();
    }
    let run = |schedule: &str| {
        let program = std::env::current_exe().expect("this test");
        let mut child = Command::new(program);
        child.args(["--nocapture", "--test-threads=1"]);
        child.env(CHILD, "1").env("AIKF_EMULATOR_SCHEDULE", schedule).env_remove("SIMT_REPLAY");
        child.output().expect("run this test again")
    };
    let output = run("random:77");
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("random:77"), "{output:?}");
    let refused = run("sideways");
    assert!(!refused.status.success());
    let text = String::from_utf8_lossy(&refused.stderr);
    assert!(text.contains("AIKF_EMULATOR_SCHEDULE: \"sideways\" is no schedule"), "{text}");
}
