//! The block's dynamic shared memory, by byte address from 0.
//!
//! Every access is checked: it must lie within the launch's `shared_bytes`, be aligned to its own
//! size, read nothing that was never written, and race with no other thread. A type of 1, 2, 4, 8
//! or 16 bytes moves in one access; another size does not compile.
//!
//! As on the GPU, memory has no types: what [`read`] returns are the bytes that were written there
//! last. Read a `T` only where every byte pattern is a `T` (integers, floats, arrays and structs of
//! them without padding).
//!
//! All functions panic outside a launch.
use std::panic::Location;

use crate::race::Access;
use crate::world::World;

/// Loads the value at `address`.
#[inline]
#[track_caller]
pub fn read<T: Copy>(address: u32) -> T {
    let place = place::<T>(address, Access::Read);
    // SAFETY: `place` vouches for bounds, alignment and initialisation.
    unsafe { place.read() }
}

/// Stores `value` at `address`.
#[inline]
#[track_caller]
pub fn write<T: Copy>(address: u32, value: T) {
    let place = place::<T>(address, Access::Write);
    // SAFETY: `place` vouches for bounds and alignment.
    unsafe { place.write(value) }
}

/// Replaces the value at `address` by `f` of it, in one atomic step; returns the old value.
///
/// Atomics do not race with one another, but they do with plain accesses, and they order nothing.
#[inline]
#[track_caller]
pub fn update<T: Copy>(address: u32, f: impl FnOnce(T) -> T) -> T {
    let place = place::<T>(address, Access::Atomic);
    // SAFETY: `place` vouches for bounds, alignment and initialisation.
    let old = unsafe { place.read() };
    let new = f(old);
    // SAFETY: as above.
    unsafe { place.write(new) }
    old
}

/// Checks an access of a `T`; the place is in bounds, aligned and, unless it is for a write,
/// initialised. It stays valid for as long as the block runs. (checked: simt)
#[inline]
#[track_caller]
fn place<T>(address: u32, access: Access) -> *mut T {
    const {
        let bytes = size_of::<T>();
        assert!(bytes.is_power_of_two() && bytes <= 16, "an access moves 1, 2, 4, 8 or 16 bytes");
    }
    World::current()
        .shared_access(address, size_of::<T>() as u32, access, Location::caller())
        .cast()
}
