//! Planted bugs: single accesses.
use simt::collective::block_sync;
use simt::index::{block_index, thread_index};
use simt::{FaultKind, Launch, global, shared};

use super::{fails, passes};

#[test]
fn finds_shared_accesses_out_of_bounds() {
    let words = ["shared bytes 128..132", "gave 128 bytes"];
    fails(FaultKind::OutOfBounds, &words, &Launch::new(1, 33, 128), || {
        shared::write(4 * thread_index(), 0u32);
    });
    let launch = Launch::new(1, 1, 128);
    fails(FaultKind::OutOfBounds, &["4294967292..4294967296"], &launch, || {
        let _: u32 = shared::read(u32::MAX - 3);
    });
}

#[test]
fn finds_misaligned_accesses() {
    let launch = Launch::new(1, 1, 128);
    fails(FaultKind::Misaligned, &["no multiple of 4"], &launch, || {
        shared::write(6, 0u32);
    });
    let words = [0u64; 2];
    let place = words.as_ptr().cast::<u32>().wrapping_byte_add(2);
    fails(FaultKind::Misaligned, &["global"], &launch, || {
        // SAFETY: in bounds; the emulator refuses the access before it happens.
        unsafe { global::read(place) };
    });
}

#[test]
fn finds_reads_of_what_nobody_wrote() {
    let launch = Launch::new(5, 2, 8);
    fails(FaultKind::Uninitialized, &["0..8"], &launch, || {
        if thread_index() == 0 {
            shared::write(0, 1u32);
        }
        block_sync();
        let _: u64 = shared::read(0);
    });
    // What a block wrote is gone when the next one takes its place.
    fails(FaultKind::Uninitialized, &[], &launch, || {
        let address = 4 * thread_index();
        if block_index() == 4 {
            shared::update(address, |count: u32| count + 1);
        }
        shared::write(address, 1u32);
    });
}

#[test]
fn finds_global_accesses_out_of_bounds() {
    let words = [1u32; 8];
    let start = words.as_ptr().addr();
    let allowed = [start..start + 8, start + 8..start + 16];
    let launch = Launch::new(1, 2, 0).allocations(allowed.to_vec());
    let read = |index: usize| {
        let place = words.as_ptr().wrapping_add(index);
        // SAFETY: in bounds of the array, or refused by the emulator before it happens.
        move || unsafe { global::read(place) }
    };
    passes(&launch, || assert_eq!(read(3)(), 1));
    let pointer = format!("{:#x}", start + 16);
    fails(FaultKind::OutOfBounds, &["global", &pointer], &launch, || {
        read(4)();
    });
}

/// Half in one allocation, half in the next.
#[test]
fn finds_global_accesses_across_allocations() {
    let words = [1u64; 2];
    let start = words.as_ptr().addr();
    let allowed = vec![start..start + 4, start + 4..start + 16];
    let launch = Launch::new(1, 1, 0).allocations(allowed);
    let read = |index: usize| {
        let place = words.as_ptr().wrapping_add(index);
        // SAFETY: in bounds of the array.
        move || assert_eq!(unsafe { global::read(place) }, 1)
    };
    passes(&launch, read(1));
    fails(FaultKind::OutOfBounds, &["8 global bytes"], &launch, read(0));
}
