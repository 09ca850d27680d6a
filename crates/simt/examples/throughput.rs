//! How fast is the emulator? Sorts 256 keys in each of 8 blocks, by shuffles and shared memory.
//!
//! `cargo run --release -p aikf-simt --example throughput`
use std::time::Instant;

use simt::collective::{block_sync, warp_shuffle};
use simt::index::{lane, thread_index};
use simt::{Launch, Schedule, Stats, shared};

const THREADS: u32 = 256;
const LAUNCHES: u32 = 40;

fn main() {
    let random = Schedule::Random { seed: 5 };
    for (schedule, check_races) in
        [(Schedule::InOrder, false), (Schedule::InOrder, true), (random, true)]
    {
        let mut launch = Launch::new(8, THREADS, 4 * THREADS).schedule(schedule);
        launch.check_races = check_races;
        let (stats, seconds) = measure(&launch);
        println!(
            "{schedule}, race checks {check_races}: {:.2} ms a launch, \
             {:.1} M switches/s, {:.1} M steps/s (switches and accesses)",
            seconds / f64::from(LAUNCHES) * 1e3,
            stats.switches as f64 / seconds / 1e6,
            (stats.switches + stats.accesses) as f64 / seconds / 1e6,
        );
    }
}

fn measure(launch: &Launch) -> (Stats, f64) {
    let mut total = Stats::default();
    simt::launch(launch, sort).expect("a correct kernel");
    let start = Instant::now();
    for _ in 0..LAUNCHES {
        let stats = simt::launch(launch, sort).expect("a correct kernel");
        total.switches += stats.switches;
        total.accesses += stats.accesses;
    }
    (total, start.elapsed().as_secs_f64())
}

/// A bitonic sort, ascending: distances below a warp by shuffles, larger ones by shared memory.
fn sort() {
    let thread = thread_index();
    let mut key = thread.wrapping_mul(0x9e37_79b9) >> 16;
    let mut size = 2;
    while size <= THREADS {
        let mut distance = size / 2;
        while distance > 0 {
            let other = exchange(key, distance);
            let keep_smaller = (thread & distance == 0) == (thread & size == 0);
            key = if keep_smaller { key.min(other) } else { key.max(other) };
            distance /= 2;
        }
        size *= 2;
    }
    block_sync();
    shared::write(4 * thread, key);
    block_sync();
    assert!(thread == 0 || shared::read::<u32>(4 * (thread - 1)) <= key);
}

/// The key of the thread at this distance.
fn exchange(key: u32, distance: u32) -> u32 {
    if distance < 32 {
        return warp_shuffle(u32::MAX, key, lane() ^ distance);
    }
    let thread = thread_index();
    block_sync();
    shared::write(4 * thread, key);
    block_sync();
    shared::read(4 * (thread ^ distance))
}
