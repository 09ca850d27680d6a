//! The driver's functions, by area, and the table of their names.
//!
//! Each is an `extern "C"` function with the signature of the CUDA header. Pointers for results
//! are [`Out`], handles and device addresses are integers: the emulator looks them up, and
//! follows none that it does not know.
//!
//! All of them are `unsafe` for the same reasons, the CUDA manual's: a pointer for a result is
//! null or has room for it, a pointer to input is valid for reads, and work that is enqueued is
//! sound when it runs.

mod context;
mod copy;
mod device;
mod event;
mod function;
mod graph;
mod launch;
mod memory;
mod module;
mod stream;

use std::ffi::{CStr, c_void};
use std::mem::MaybeUninit;
use std::ptr::NonNull;

use cuda_loader::error::code;

use crate::state::Outcome;

/// A place for a result, or null.
pub(crate) type Out<'a, T> = Option<&'a mut MaybeUninit<T>>;

/// Writes a result.
fn give<T>(place: Out<'_, T>, value: T) -> Outcome {
    place.ok_or(code::INVALID_VALUE)?.write(value);
    Ok(())
}

/// Writes a result where one is wanted.
fn give_if_wanted<T>(place: Out<'_, T>, value: T) {
    if let Some(place) = place {
        place.write(value);
    }
}

/// Defines entry points of the driver: C functions around bodies that return [`Outcome`], and
/// `find`, which knows them by name.
macro_rules! entry_points {
    ($($(#[$meta:meta])* fn $name:ident($($argument:ident: $type:ty),* $(,)?) $body:block)*) => {
        $(
            $(#[$meta])*
            ///
            /// # Safety
            ///
            /// What the CUDA manual demands of the arguments (see the module `entry`).
            #[allow(non_snake_case, clippy::too_many_arguments)]
            unsafe extern "C" fn $name($($argument: $type),*) -> u32 {
                let outcome = move || -> $crate::state::Outcome { $body };
                outcome().err().unwrap_or(0)
            }
        )*

        /// The entry point `name` of this file.
        pub(super) fn find(name: &str) -> Option<*mut std::ffi::c_void> {
            match name {
                $(stringify!($name) => Some($name as *mut std::ffi::c_void),)*
                _ => None,
            }
        }
    };
}
use entry_points;

/// Finds an entry point by its C name, for [`cuda_loader::install`].
pub(crate) fn lookup(name: &CStr) -> Option<NonNull<c_void>> {
    let files = [
        context::find,
        copy::find,
        device::find,
        event::find,
        function::find,
        graph::find,
        launch::find,
        memory::find,
        module::find,
        stream::find,
    ];
    let name = name.to_str().ok()?;
    files.iter().find_map(|find| find(name)).and_then(NonNull::new)
}
