//! The checker is checked: programs that must pass under every schedule, and programs with one
//! planted bug each, which must be found and named.
use simt::{Fault, FaultKind, Launch, Schedule};

#[path = "litmus/accesses.rs"]
mod accesses;
#[path = "litmus/clusters.rs"]
mod clusters;
#[path = "litmus/correct.rs"]
mod correct;
#[path = "litmus/panics.rs"]
mod panics;
#[path = "litmus/races.rs"]
mod races;
#[path = "litmus/waiting.rs"]
mod waiting;

const ALL: u32 = u32::MAX;
const SEEDS: u64 = 24;

/// In order, and from every seed.
fn schedules() -> impl Iterator<Item = Schedule> {
    let random = (0..SEEDS).map(|seed| Schedule::Random { seed });
    std::iter::once(Schedule::InOrder).chain(random)
}

/// The program must pass under every schedule.
fn passes(launch: &Launch, kernel: impl Fn()) {
    for schedule in schedules() {
        if let Err(fault) = simt::launch(&launch.clone().schedule(schedule), &kernel) {
            panic!("{fault}");
        }
    }
}

/// The bug must be found under every schedule, be of this kind, and be named in these words.
fn fails(kind: FaultKind, words: &[&str], launch: &Launch, kernel: impl Fn()) {
    for schedule in schedules() {
        let fault = simt::launch(&launch.clone().schedule(schedule), &kernel).unwrap_err();
        assert_fault(&fault, kind, words);
        assert!(
            fault.to_string().ends_with(&format!("\nreplay with SIMT_REPLAY={schedule}")),
            "{fault}"
        );
    }
}

fn assert_fault(fault: &Fault, kind: FaultKind, words: &[&str]) {
    let text = fault.to_string();
    assert_eq!(fault.kind(), kind, "{text}");
    for word in words {
        assert!(text.contains(word), "no {word:?} in: {text}");
    }
    assert!(text.contains("block "), "no block in: {text}");
    assert!(text.contains("tests/litmus/"), "no source line in: {text}");
}

/// The two sides of a race, each with its source line.
fn assert_two_lines(launch: &Launch, kernel: impl Fn()) {
    let text = simt::launch(launch, kernel).unwrap_err().to_string();
    assert_eq!(text.matches("tests/litmus/").count(), 2, "{text}");
    assert_eq!(text.matches("thread ").count(), 2, "{text}");
}
