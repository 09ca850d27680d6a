//! The driver's handles as Rust types.
//!
//! Each is the plain value that the driver's C interface takes, told apart by type. They are
//! `Copy` and free nothing on their own: who makes an object decides when it ends. The fields are
//! public so that handles of other libraries can be taken over, `Stream(cust_stream.as_inner())`
//! for one.

use std::ffi::c_void;
use std::ptr;

/// Defines an opaque handle around a pointer.
macro_rules! handle {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(transparent)]
        pub struct $name(pub *mut c_void);

        impl $name {
            /// The handle that names nothing.
            pub const NULL: $name = $name(ptr::null_mut());

            /// Whether this handle names nothing.
            pub fn is_null(self) -> bool {
                self.0.is_null()
            }
        }

        // SAFETY: the pointer is a name that only the driver follows, and the driver lets any
        // thread use any handle.
        unsafe impl Send for $name {}

        // SAFETY: as for `Send`; the driver does its own locking, and a shared reference gives
        // no more than a copy of the name.
        unsafe impl Sync for $name {}
    )*};
}

handle! {
    /// A context: a GPU as one process sees it.
    Context;
    /// A queue of work in order. [`Stream::NULL`] is the default stream.
    Stream;
    /// Loaded PTX.
    Module;
    /// A kernel of a [`Module`].
    Function;
    /// A mark in a stream, with a time.
    Event;
    /// Recorded work.
    Graph;
    /// Recorded work that is ready to launch.
    GraphExec;
}

/// The number of a GPU, as the driver counts them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct Device(pub i32);

/// An address in device memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct DevicePtr(pub u64);

impl DevicePtr {
    /// The address that points nowhere.
    pub const NULL: DevicePtr = DevicePtr(0);

    /// The address `bytes` further on.
    #[must_use]
    pub fn byte_add(self, bytes: usize) -> DevicePtr {
        DevicePtr(self.0 + bytes as u64)
    }
}
