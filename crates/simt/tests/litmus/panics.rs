//! Kernels that panic, and device functions without a launch.
use simt::collective::block_sync;
use simt::index::{lane, thread_index};
use simt::{FaultKind, Launch, launch, shared};

use super::{fails, passes};

#[test]
fn reports_a_panic_and_stays_usable() {
    let words = ["of block", "panicked at", "lane 5 is lost"];
    let launch = Launch::new(2, 32, 128);
    fails(FaultKind::Panic, &words, &launch, || {
        shared::write(4 * thread_index(), 0u32);
        block_sync();
        assert!(lane() != 5, "lane {} is lost", lane());
        block_sync();
    });
    passes(&launch, block_sync);
}

/// A launch that stops at a fault still runs the destructors of its threads.
#[test]
fn stopped_threads_are_unwound() {
    let owner = std::rc::Rc::new(());
    let outcome = launch(&Launch::new(1, 32, 0), || {
        let _mine = owner.clone();
        if thread_index() == 31 {
            panic!("stop");
        }
        block_sync();
    });
    assert_eq!(outcome.unwrap_err().kind(), FaultKind::Panic);
    assert_eq!(std::rc::Rc::strong_count(&owner), 1);
}

#[test]
#[should_panic(expected = "outside simt::launch")]
fn device_functions_need_a_launch() {
    thread_index();
}
