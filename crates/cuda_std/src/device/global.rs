//! The GPU's own memory as typed arrays.
//!
//! As with shared memory, making an array carries the duty and using it is an ordinary call. A
//! [`GlobalArray`] is read through the read-only path (`ld.global.nc`), so nothing in the same grid
//! may write it; a [`GlobalArrayMut`] is read and written plainly. Indices are 64 bits wide.
use core::marker::PhantomData;

use crate::backend::{self, Word};

/// An array that no thread of this grid writes.
#[derive(Clone, Copy)]
pub struct GlobalArray<T> {
    start: *const T,
}

impl<T: Word> GlobalArray<T> {
    /// # Safety
    /// - *in bounds*: every element that is ever used lies inside one live allocation;
    /// - *aligned*: `start` is aligned for `T`, and to 16 bytes for the vector accesses;
    /// - *initialised*: what is read was written by an earlier grid or copy;
    /// - *no concurrent writer*: nothing writes it while the grid runs.
    #[inline(always)]
    pub unsafe fn new(start: *const T) -> Self {
        GlobalArray { start }
    }

    /// Element `index`.
    #[inline(always)]
    #[track_caller]
    pub fn get(self, index: u64) -> T {
        // SAFETY: the array's maker vouches for its elements.
        unsafe { T::global_load_const(self.start.wrapping_add(index as usize)) }
    }

    /// Has the cache line of element `index` brought to L2, for a read that is to come.
    #[inline(always)]
    pub fn prefetch(self, index: u64) {
        backend::global_prefetch(self.start.wrapping_add(index as usize));
    }
}

impl GlobalArray<u32> {
    /// Elements `index..index + 4` in one 16-byte access that is not kept in L1; `index` is a
    /// multiple of 4.
    #[inline(always)]
    #[track_caller]
    pub fn get_vec4_streaming(self, index: u64) -> [u32; 4] {
        // SAFETY: the array's maker vouches for its elements.
        unsafe { backend::global_load_vec4_streaming(self.start.wrapping_add(index as usize)) }
    }
}

/// An array that this grid writes.
#[derive(Clone, Copy)]
pub struct GlobalArrayMut<T> {
    start: *mut T,
    element: PhantomData<*mut T>,
}

impl<T: Word> GlobalArrayMut<T> {
    /// # Safety
    /// - *in bounds*: every element that is ever used lies inside one live allocation;
    /// - *aligned*: `start` is aligned for `T`;
    /// - *no concurrent writer*: two threads touch the same element, one of them writing, only
    ///   with a barrier or an acquire-release pair between them.
    #[inline(always)]
    pub unsafe fn new(start: *mut T) -> Self {
        GlobalArrayMut { start, element: PhantomData }
    }

    /// Element `index`.
    #[inline(always)]
    #[track_caller]
    pub fn get(self, index: u64) -> T {
        // SAFETY: the array's maker vouches for its elements.
        unsafe { T::global_load(self.start.wrapping_add(index as usize)) }
    }

    /// Sets element `index`.
    #[inline(always)]
    #[track_caller]
    pub fn set(self, index: u64, value: T) {
        // SAFETY: the array's maker vouches for its elements.
        unsafe { T::global_store(self.start.wrapping_add(index as usize), value) };
    }
}
