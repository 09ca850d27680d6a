//! A fault that depends on the schedule is found again from the line that it prints: in the same
//! process by [`Launch::schedule`], in another one by `SIMT_REPLAY`.
use std::cell::RefCell;
use std::process::Command;

use simt::collective::block_sync;
use simt::index::{block_index, thread_index};
use simt::{Fault, FaultKind, Launch, Schedule, shared};

/// Set in the child process of [`the_environment_overrides_the_schedule`].
const CHILD: &str = "SIMT_TEST_CHILD";

/// Thread 32 writes only if it comes before thread 0: a race that most runs do not have.
fn flag_in_place_of_a_barrier() {
    let (data, flag) = (0, 4);
    if thread_index() == 0 {
        shared::write(flag, 0u32);
    }
    block_sync();
    match thread_index() {
        0 => {
            shared::write(data, 1u32);
            shared::update(flag, |_: u32| 1);
        }
        32 if shared::update(flag, |flag: u32| flag) == 0 => shared::write(data, 2u32),
        _ => {}
    }
}

fn run(schedule: Schedule) -> Result<simt::Stats, Fault> {
    let launch = Launch::new(1, 64, 8).schedule(schedule);
    simt::launch(&launch, flag_in_place_of_a_barrier)
}

/// The first seed that finds the race, with the fault.
fn search() -> (u64, Fault) {
    (0..100)
        .find_map(|seed| Some((seed, run(Schedule::Random { seed }).err()?)))
        .expect("one seed in a hundred finds the race")
}

fn replay_text(fault: &Fault) -> String {
    let text = fault.to_string();
    let (_, schedule) = text.rsplit_once("SIMT_REPLAY=").expect("a replay line");
    schedule.to_owned()
}

#[test]
fn a_fault_is_replayed_from_its_text() {
    run(Schedule::InOrder).expect("in order, thread 0 comes first");
    let (seed, fault) = search();
    assert_eq!(fault.kind(), FaultKind::Race);
    let schedule: Schedule = replay_text(&fault).parse().expect("a schedule");
    assert_eq!(schedule, Schedule::Random { seed });
    let again = run(schedule).expect_err("the same fault");
    assert_eq!(again.to_string(), fault.to_string());
    assert_eq!(again.schedule(), schedule);
}

#[test]
fn some_schedules_miss_it() {
    let missed = (0..100).filter(|&seed| run(Schedule::Random { seed }).is_ok());
    assert!(missed.count() > 0);
}

/// Runs in order, unless the environment has another schedule, and prints what comes of it.
fn print_run() {
    match run(Schedule::InOrder) {
        Ok(_) => println!("no fault"),
        Err(fault) => println!("{fault}"),
    }
}

#[test]
fn the_environment_overrides_the_schedule() {
    if std::env::var_os(CHILD).is_some() {
        return print_run();
    }
    let (_, fault) = search();
    let output = |replay: &str| {
        let this = std::env::current_exe().expect("a test binary");
        let output = Command::new(this)
            .args(["the_environment_overrides_the_schedule", "--exact", "--nocapture"])
            .env(CHILD, "1")
            .env("SIMT_REPLAY", replay)
            .output()
            .expect("a child process");
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    };
    let replayed = output(&replay_text(&fault));
    assert!(replayed.contains(&fault.to_string()), "{replayed}");
    assert!(output("in-order").contains("no fault"));
    let refused = output("sideways");
    assert!(refused.contains("\"sideways\" is no schedule"), "{refused}");
}

#[test]
fn schedules_are_texts() {
    for schedule in [Schedule::InOrder, Schedule::Random { seed: u64::MAX }] {
        assert_eq!(schedule.to_string().parse(), Ok(schedule));
    }
    for text in ["", "random", "random:", "random:-1", "In-Order"] {
        assert!(text.parse::<Schedule>().is_err(), "{text:?}");
    }
}

/// A run is a function of its schedule: the same one does the same steps in the same order.
#[test]
fn the_same_seed_gives_the_same_run() {
    let run = |seed| {
        let steps = RefCell::new(Vec::new());
        let kernel = || {
            shared::write(4 * thread_index(), 0u32);
            for _ in 0..50 {
                shared::update(4 * thread_index(), |count: u32| count + 1);
                steps.borrow_mut().push((block_index(), thread_index()));
            }
            block_sync();
        };
        let stats = simt::launch(&Launch::new(8, 64, 256).seeded(seed), kernel);
        (stats, steps.into_inner())
    };
    let first = run(3);
    assert!(first == run(3));
    assert!(first.1 != run(4).1);
}

/// In order means blocks and threads by their index.
#[test]
fn in_order_is_in_order() {
    let starts = RefCell::new(Vec::new());
    let kernel = || {
        starts.borrow_mut().push((block_index(), thread_index()));
        block_sync();
    };
    simt::launch(&Launch::new(6, 40, 0), kernel).expect("a correct kernel");
    assert_eq!(starts.borrow().len(), 6 * 40);
    assert!(starts.borrow().is_sorted());
}
