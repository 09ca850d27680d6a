//! Planted bugs: two accesses without a barrier between them.
use simt::collective::{block_sync, warp_shuffle, warp_sync};
use simt::index::{lane, thread_index};
use simt::{FaultKind, Launch, shared};

use super::{ALL, assert_two_lines, fails, passes};

#[test]
fn finds_a_missing_barrier() {
    let launch = Launch::new(2, 64, 4 * 64);
    let kernel = |barrier: bool| {
        move || {
            let thread = thread_index();
            shared::write(4 * thread, 0u32);
            block_sync();
            shared::write(4 * thread, thread);
            if barrier {
                block_sync();
            }
            let _: u32 = shared::read(4 * ((thread + 32) % 64));
        }
    };
    passes(&launch, kernel(true));
    fails(FaultKind::Race, &["no barrier"], &launch, kernel(false));
    assert_two_lines(&launch, kernel(false));
}

#[test]
fn finds_a_missing_warp_sync() {
    let launch = Launch::new(1, 32, 4 * 32);
    let kernel = |shuffle: bool| {
        move || {
            let thread = thread_index();
            shared::write(4 * thread, 0u32);
            warp_sync(ALL);
            shared::write(4 * thread, thread);
            if shuffle {
                // Exchanges registers; orders no memory.
                warp_shuffle(ALL, 0, 0);
            }
            let _: u32 = shared::read(4 * (thread ^ 1));
        }
    };
    fails(FaultKind::Race, &["no barrier"], &launch, kernel(false));
    fails(FaultKind::Race, &["no barrier"], &launch, kernel(true));
}

/// A `warp_sync` of other lanes does not help.
#[test]
fn finds_a_warp_sync_of_the_wrong_lanes() {
    fails(FaultKind::Race, &["no barrier"], &Launch::new(1, 32, 4), || {
        if lane() == 1 || lane() == 2 {
            warp_sync(0b110);
        }
        if lane() < 2 {
            shared::write(0, lane());
        }
    });
}

#[test]
fn finds_a_write_after_read() {
    fails(FaultKind::Race, &["read"], &Launch::new(1, 64, 4), || {
        if thread_index() == 0 {
            shared::write(0, 7u32);
        }
        block_sync();
        let _: u32 = shared::read(0);
        // Missing: block_sync().
        if thread_index() == 0 {
            shared::write(0, 8u32);
        }
    });
}

#[test]
fn finds_an_atomic_against_a_plain_access() {
    let launch = Launch::new(1, 64, 4);
    fails(FaultKind::Race, &["update"], &launch, || {
        if thread_index() == 0 {
            shared::write(0, 0u32);
        }
        block_sync();
        shared::update(0, |count: u32| count + 1);
        // Missing: block_sync().
        let _: u32 = shared::read(0);
    });
}

/// The counter's owner resets it and goes on to count: its own atomic must not hide its write.
#[test]
fn finds_a_reset_without_a_barrier() {
    let launch = Launch::new(1, 64, 4);
    fails(FaultKind::Race, &["update", "wr"], &launch, || {
        if thread_index() == 0 {
            shared::write(0, 0u32);
        }
        block_sync();
        if thread_index() == 0 {
            shared::write(0, 0u32);
        }
        // Missing: block_sync().
        shared::update(0, |count: u32| count + 1);
    });
}

#[test]
fn finds_a_race_on_a_byte() {
    fails(FaultKind::Race, &[], &Launch::new(1, 64, 64), || {
        let thread = thread_index();
        shared::write(thread / 2, thread as u8);
    });
}
