//! Atomics on global memory, named by operation, order, type and scope as in Rust-CUDA.
//!
//! Rust's own `AtomicU32` will not do on the GPU: LLVM 22 drops the order of its `fetch_*`, and
//! gives the others the whole system as their scope.
use crate::backend;

/// Adds, and returns what was there; acquires and releases for the whole GPU. What a "last block
/// to arrive" counter needs.
///
/// # Safety
/// `place` is aligned, *in bounds* of a live allocation, and used by atomics alone while the grid
/// runs.
#[inline(always)]
#[track_caller]
pub unsafe fn atomic_fetch_add_acq_rel_u32_device(place: *mut u32, value: u32) -> u32 {
    // SAFETY: the caller's duty, unchanged.
    unsafe { backend::global_fetch_add_acq_rel(place, value) }
}

/// Adds 1, or sets 0 where `last` was there; returns what was there. Acquires and releases for the
/// whole GPU. A counter that starts anew by itself.
///
/// # Safety
/// As for [`atomic_fetch_add_acq_rel_u32_device`].
#[inline(always)]
#[track_caller]
pub unsafe fn atomic_fetch_inc_acq_rel_u32_device(place: *mut u32, last: u32) -> u32 {
    // SAFETY: the caller's duty, unchanged.
    unsafe { backend::global_fetch_inc_acq_rel(place, last) }
}

/// Adds, and returns what was there; orders nothing.
///
/// # Safety
/// As for [`atomic_fetch_add_acq_rel_u32_device`].
#[inline(always)]
#[track_caller]
pub unsafe fn atomic_fetch_add_relaxed_u32_device(place: *mut u32, value: u32) -> u32 {
    // SAFETY: the caller's duty, unchanged.
    unsafe { backend::global_fetch_add_relaxed(place, value) }
}

/// Adds; orders nothing.
///
/// # Safety
/// As for [`atomic_fetch_add_acq_rel_u32_device`].
#[inline(always)]
#[track_caller]
pub unsafe fn atomic_add_relaxed_u32_device(place: *mut u32, value: u32) {
    // SAFETY: the caller's duty, unchanged.
    unsafe { backend::global_add_relaxed(place, value) }
}

/// Reads; acquires for the whole GPU.
///
/// # Safety
/// As for [`atomic_fetch_add_acq_rel_u32_device`].
#[inline(always)]
#[track_caller]
pub unsafe fn atomic_load_acquire_u32_device(place: *const u32) -> u32 {
    // SAFETY: the caller's duty, unchanged.
    unsafe { backend::global_load_acquire(place) }
}

/// Writes; releases for the whole GPU.
///
/// # Safety
/// As for [`atomic_fetch_add_acq_rel_u32_device`].
#[inline(always)]
#[track_caller]
pub unsafe fn atomic_store_release_u32_device(place: *mut u32, value: u32) {
    // SAFETY: the caller's duty, unchanged.
    unsafe { backend::global_store_release(place, value) }
}
