//! Planted bugs: threads that wait in the wrong place, with the wrong mask, or for ever.
use simt::collective::{
    Reduce, block_or, block_sync, warp_ballot, warp_reduce, warp_shuffle, warp_sync,
};
use simt::index::{block_index, lane, thread_index};
use simt::{FaultKind, Launch, global, shared};

use super::{ALL, assert_fault, fails};

#[test]
#[expect(clippy::if_same_then_else, reason = "two call sites are the bug")]
fn finds_a_divergent_barrier() {
    let words = ["block_sync", "all threads in one place"];
    fails(FaultKind::Divergence, &words, &Launch::new(1, 64, 0), || {
        if thread_index() < 32 {
            block_sync();
        } else {
            block_sync();
        }
    });
    fails(FaultKind::Divergence, &["block_or"], &Launch::new(1, 64, 0), || {
        if thread_index() < 32 {
            block_or(true);
        } else {
            block_sync();
        }
    });
}

#[test]
fn finds_a_barrier_in_a_divergent_branch() {
    let words = ["16 threads of block 0 wait", "48 threads of block 0 have ended"];
    fails(FaultKind::Deadlock, &words, &Launch::new(1, 64, 0), || {
        if thread_index() < 16 {
            block_sync();
        }
    });
}

#[test]
fn finds_lanes_split_between_a_warp_and_a_block() {
    let words = ["16 threads", "warp_shuffle", "block_sync"];
    fails(FaultKind::Deadlock, &words, &Launch::new(1, 32, 0), || {
        if thread_index() < 16 {
            warp_shuffle(ALL, 1, 1);
        } else {
            block_sync();
        }
    });
}

#[test]
fn finds_a_divergent_warp_collective() {
    let launch = Launch::new(1, 32, 0);
    fails(FaultKind::Divergence, &["warp_ballot"], &launch, || {
        if lane() < 16 {
            warp_ballot(ALL, true);
        } else {
            warp_ballot(ALL, false);
        }
    });
    fails(FaultKind::Divergence, &["Add", "Max"], &launch, || {
        warp_reduce(ALL, 1, if lane() < 16 { Reduce::Add } else { Reduce::Max });
    });
    fails(FaultKind::Divergence, &["0xfffffffe"], &launch, || {
        warp_ballot(if lane() < 16 { ALL } else { ALL & !1 }, true);
    });
}

#[test]
fn finds_a_wrong_mask() {
    let launch = Launch::new(1, 32, 0);
    fails(FaultKind::BadMask, &["lacks the calling lane"], &launch, || {
        warp_sync(0xffff);
    });
    fails(FaultKind::BadMask, &["has ended"], &launch, || {
        if lane() < 16 {
            warp_sync(ALL);
        }
    });
    let small = Launch::new(1, 16, 0);
    fails(FaultKind::BadMask, &["no lane 16"], &small, || warp_sync(ALL));
}

#[test]
fn finds_a_shuffle_from_an_absent_lane() {
    let launch = Launch::new(1, 32, 0);
    fails(FaultKind::BadMask, &["reads lane 8"], &launch, || {
        if lane() < 8 {
            warp_shuffle(0xff, 1, 8);
        }
    });
    fails(FaultKind::BadMask, &["reads lane 32"], &launch, || {
        warp_shuffle(ALL, 1, 32);
    });
}

#[test]
fn finds_a_spin_without_progress() {
    let flag = 0u32;
    let wait = || {
        // SAFETY: the flag outlives the launch.
        while unsafe { global::load_acquire(&raw const flag) } == 0 {}
    };
    for launch in [Launch::new(1, 32, 0), Launch::new(1, 32, 0).seeded(1)] {
        let fault = simt::launch(&launch, wait).unwrap_err();
        assert_fault(&fault, FaultKind::Livelock, &["spins at"]);
    }
}

/// The block that would set the flag cannot start before the others have ended.
#[test]
fn finds_a_spin_without_residency() {
    let mut flag = 0u32;
    let place = &raw mut flag;
    let mut launch = Launch::new(3, 1, 0);
    let kernel = || {
        if block_index() == 2 {
            // SAFETY: the flag outlives the launch.
            unsafe { global::store_release(place, 1) };
        }
        // SAFETY: as above.
        while unsafe { global::load_acquire(place) } == 0 {}
    };
    simt::launch(&launch, kernel).unwrap();
    launch.resident_blocks = 2;
    // SAFETY: no launch runs.
    unsafe { place.write(0) };
    let fault = simt::launch(&launch, kernel).unwrap_err();
    assert_fault(&fault, FaultKind::Livelock, &["1 blocks have not started"]);
}

/// A lock that nobody releases, taken by an atomic in a loop without any pause.
#[test]
fn finds_a_lock_that_nobody_releases() {
    let launch = Launch::new(1, 2, 4);
    let fault = simt::launch(&launch, || {
        if thread_index() == 0 {
            shared::write(0, 1u32);
        }
        block_sync();
        while shared::update(0, |_: u32| 1) != 0 {}
    });
    assert_fault(&fault.unwrap_err(), FaultKind::Livelock, &["spins at"]);
}
