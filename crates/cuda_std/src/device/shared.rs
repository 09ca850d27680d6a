//! The block's dynamic shared memory as typed arrays.
//!
//! A launch gives every block so many bytes of shared memory; a kernel lays arrays over them. An
//! array holds a 32-bit address of the shared window, so that every access is `LDS`, `STS` or
//! `ATOMS`, whatever the optimiser sees: a generic pointer would cost a third more.
//!
//! Making an array is unsafe and carries the whole duty; using it is then an ordinary call, so
//! that kernels read as the algorithm. The emulator checks each access: bounds, alignment,
//! initialisation, and races between barriers.
use core::marker::PhantomData;

use crate::backend::{self, Word};

/// An array of `T` in the block's shared memory.
#[derive(Clone, Copy)]
pub struct SharedArray<T> {
    address: u32,
    element: PhantomData<*mut T>,
}

impl<T: Word> SharedArray<T> {
    /// The array that starts `byte_offset` bytes into the block's dynamic shared memory.
    ///
    /// # Safety
    /// - *in bounds*: every element that is ever used lies inside the launch's shared memory;
    /// - *aligned*: `byte_offset` is a multiple of `size_of::<T>()`, of 16 for the vector accesses;
    /// - *initialised*: an element is read only after it was written, with a barrier between;
    /// - *no concurrent writer*: between two barriers a place is either only read, only used by
    ///   atomics, or used by one thread alone. (All checked: simt.)
    #[inline(always)]
    pub unsafe fn new(byte_offset: u32) -> Self {
        SharedArray { address: backend::shared_base() + byte_offset, element: PhantomData }
    }

    /// The array from element `index` on.
    #[inline(always)]
    pub fn at(self, index: u32) -> Self {
        SharedArray { address: self.place(index), element: PhantomData }
    }

    /// Element `index`.
    #[inline(always)]
    #[track_caller]
    pub fn get(self, index: u32) -> T {
        T::shared_load(self.place(index))
    }

    /// Sets element `index`.
    #[inline(always)]
    #[track_caller]
    pub fn set(self, index: u32, value: T) {
        T::shared_store(self.place(index), value);
    }

    /// Where it starts, in the shared window.
    #[inline(always)]
    pub(crate) fn address(self) -> u32 {
        self.address
    }

    #[inline(always)]
    fn place(self, index: u32) -> u32 {
        self.address + index * size_of::<T>() as u32
    }
}

impl SharedArray<u64> {
    /// Elements `index` and `index + 1` in one access; `index` is even.
    #[inline(always)]
    #[track_caller]
    pub fn get_pair(self, index: u32) -> [u64; 2] {
        backend::shared_load_pair(self.place(index))
    }

    /// Sets element `index` to one of these words, the lower first. Other than one of 64 bits they
    /// are put together where they are stored, however many such elements are to be.
    #[inline(always)]
    #[track_caller]
    pub fn set_words(self, index: u32, words: [u32; 2]) {
        backend::shared_store_words(self.place(index), words);
    }
}

impl SharedArray<u32> {
    /// Elements `index..index + 4` in one access; `index` is a multiple of 4.
    #[inline(always)]
    #[track_caller]
    pub fn get_vec4(self, index: u32) -> [u32; 4] {
        backend::shared_load_vec4(self.place(index))
    }

    /// Element `index`, while others may be changing it by atomics; orders nothing.
    #[inline(always)]
    #[track_caller]
    pub fn load_relaxed(self, index: u32) -> u32 {
        backend::shared_load_relaxed(self.place(index))
    }

    /// Adds to element `index`; returns what was there. Atomic.
    #[inline(always)]
    #[track_caller]
    pub fn fetch_add(self, index: u32, value: u32) -> u32 {
        backend::shared_fetch_add(self.place(index), value)
    }

    /// Adds to element `index`. Atomic.
    #[inline(always)]
    #[track_caller]
    pub fn add(self, index: u32, value: u32) {
        backend::shared_add(self.place(index), value);
    }

    /// Lowers element `index` to `value` where that is less. Atomic.
    #[inline(always)]
    #[track_caller]
    pub fn min(self, index: u32, value: u32) {
        backend::shared_min(self.place(index), value);
    }

    /// Raises element `index` to `value` where that is more. Atomic.
    #[inline(always)]
    #[track_caller]
    pub fn max(self, index: u32, value: u32) {
        backend::shared_max(self.place(index), value);
    }

    /// Sets in element `index` the bits of `value`. Atomic.
    #[inline(always)]
    #[track_caller]
    pub fn or(self, index: u32, value: u32) {
        backend::shared_or(self.place(index), value);
    }

    /// Keeps in element `index` only the bits of `value`. Atomic.
    #[inline(always)]
    #[track_caller]
    pub fn and(self, index: u32, value: u32) {
        backend::shared_and(self.place(index), value);
    }
}
