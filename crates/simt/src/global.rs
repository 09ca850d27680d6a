//! Global memory: the host's own memory, by pointer.
//!
//! Every access must be aligned to its own size and, if the launch lists its allocations, lie
//! within one of them. Races are not looked for. A type of 1, 2, 4, 8 or 16 bytes moves in one
//! access; another size does not compile.
//!
//! All functions panic outside a launch.
//!
//! # Safety
//! Of every function here:
//! - *in bounds*: the pointer is valid for a read (a write) of a `T`; where the launch lists its
//!   allocations, it is enough that those are valid (checked: simt);
//! - *initialised*: what is read is a valid `T`;
//! - *no concurrent writer*: no other thread of the host uses the place during the launch.
use std::panic::Location;

use crate::world::World;

/// Loads the value at `place`.
///
/// # Safety
/// The [module's](self#safety) list.
#[inline]
#[track_caller]
pub unsafe fn read<T: Copy>(place: *const T) -> T {
    check(place);
    // SAFETY: in bounds and initialised: the caller's duty; aligned: checked.
    unsafe { place.read() }
}

/// Stores `value` at `place`.
///
/// # Safety
/// The [module's](self#safety) list.
#[inline]
#[track_caller]
pub unsafe fn write<T: Copy>(place: *mut T, value: T) {
    check(place);
    World::current().progress();
    // SAFETY: in bounds: the caller's duty; aligned: checked.
    unsafe { place.write(value) }
}

/// Replaces the value at `place` by `f` of it, in one atomic step; returns the old value.
///
/// # Safety
/// The [module's](self#safety) list.
#[inline]
#[track_caller]
pub unsafe fn update<T: Copy>(place: *mut T, f: impl FnOnce(T) -> T) -> T {
    check(place);
    // SAFETY: in bounds and initialised: the caller's duty; aligned: checked.
    let old = unsafe { place.read() };
    let new = f(old);
    // SAFETY: as above.
    unsafe { place.write(new) }
    old
}

/// Loads the value at `place`, after a turn of the other threads: the access of a loop that waits
/// for one of them. If nothing else moves for very long, that is a livelock.
///
/// # Safety
/// The [module's](self#safety) list.
#[inline]
#[track_caller]
pub unsafe fn load_acquire<T: Copy>(place: *const T) -> T {
    check(place);
    World::current().spin(Location::caller());
    // SAFETY: in bounds and initialised: the caller's duty; aligned: checked.
    unsafe { place.read() }
}

/// Stores `value` at `place`, after all that the thread did before.
///
/// # Safety
/// The [module's](self#safety) list.
#[inline]
#[track_caller]
pub unsafe fn store_release<T: Copy>(place: *mut T, value: T) {
    // SAFETY: the same list.
    unsafe { write(place, value) }
}

/// Checks an access of a `T`: alignment, and bounds where they are known.
#[inline]
#[track_caller]
fn check<T>(place: *const T) {
    const {
        let bytes = size_of::<T>();
        assert!(bytes.is_power_of_two() && bytes <= 16, "an access moves 1, 2, 4, 8 or 16 bytes");
    }
    World::current().global_access(place.addr(), size_of::<T>(), Location::caller());
}
