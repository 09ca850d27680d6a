//! Kernels made by hand, their PTX, and a context to run them in.
#![allow(dead_code)] // each test program uses a part

use std::ffi::c_void;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use cuda_loader::Context;
use cuda_loader::api;
use simt::Kernel;
use simt::{collective, global, index};

/// Declares the kernels of [`KERNELS`], and one that no registry has.
pub const PTX: &str = "
.version 8.0
.target sm_90
.address_size 64
.visible .entry add_u32(.param .u64 data, .param .u32 amount, .param .u32 count) { ret; }
.visible .entry reverse_block(.param .u64 data) { ret; }
.visible .entry diverge() { ret; }
.visible .entry exchange(.param .u64 data) { ret; }
.visible .entry unregistered() { ret; }
";

/// The registry of the tests.
pub static KERNELS: &[&[Kernel]] = &[&[
    Kernel { name: "add_u32", max_threads: 256, parameter_bytes: &[8, 4, 4], call: add_u32 },
    Kernel { name: "reverse_block", max_threads: 1024, parameter_bytes: &[8], call: reverse },
    Kernel { name: "diverge", max_threads: 1024, parameter_bytes: &[], call: diverge },
    Kernel { name: "exchange", max_threads: 32, parameter_bytes: &[8], call: exchange },
    Kernel { name: "undeclared", max_threads: 1024, parameter_bytes: &[], call: diverge },
]];

/// The argument `index`, of type `T`.
///
/// # Safety
///
/// The argument is valid for reads of a `T`.
unsafe fn argument<T: Copy>(args: &[*const c_void], index: usize) -> T {
    // SAFETY: the caller's duty.
    unsafe { args[index].cast::<T>().read() }
}

/// `data[i] += amount` for all `i < count`.
unsafe fn add_u32(args: &[*const c_void]) {
    // SAFETY: the first parameter is a pointer.
    let data: *mut u32 = unsafe { argument(args, 0) };
    // SAFETY: the second parameter is a word.
    let amount: u32 = unsafe { argument(args, 1) };
    // SAFETY: the third parameter is a word.
    let count: u32 = unsafe { argument(args, 2) };
    let i = index::block_index() * index::block_dim() + index::thread_index();
    if i < count {
        let place = data.wrapping_add(i as usize);
        // SAFETY: in bounds or found by the emulator (checked: simt); this thread's own place.
        unsafe { global::update(place, |value| value.wrapping_add(amount)) };
    }
}

/// Reverses the words of one block through shared memory.
unsafe fn reverse(args: &[*const c_void]) {
    // SAFETY: the only parameter is a pointer.
    let data: *mut u32 = unsafe { argument(args, 0) };
    let (thread, last) = (index::thread_index(), index::block_dim() - 1);
    // SAFETY: in bounds: the host gives a word for each thread (checked: simt).
    let value = unsafe { global::read(data.wrapping_add(thread as usize)) };
    simt::shared::write(4 * thread, value);
    collective::block_sync();
    let value: u32 = simt::shared::read(4 * (last - thread));
    // SAFETY: as above, and the place is this thread's own.
    unsafe { global::write(data.wrapping_add(thread as usize), value) };
}

/// Each of the two blocks of a cluster hands its word to the other.
unsafe fn exchange(args: &[*const c_void]) {
    // SAFETY: the only parameter is a pointer.
    let data: *mut u32 = unsafe { argument(args, 0) };
    let place = data.wrapping_add(index::block_index() as usize);
    simt::cluster::arrive();
    simt::cluster::wait();
    // SAFETY: in bounds: the host gives a word for each block (checked: simt).
    let value = unsafe { global::read(place) };
    simt::cluster::write(1 - simt::cluster::rank(), 0, value);
    simt::cluster::arrive();
    simt::cluster::wait();
    // SAFETY: as above, and the place is this block's own.
    unsafe { global::write(place, simt::shared::read(0)) };
}

/// Half of the block waits at another barrier than the other half.
#[expect(clippy::if_same_then_else, reason = "two barriers are two lines")]
unsafe fn diverge(_args: &[*const c_void]) {
    if index::thread_index() < 16 {
        collective::block_sync();
    } else {
        collective::block_sync();
    }
}

/// The primary context, current in this thread; tests of one program take turns with it.
pub struct Gpu {
    pub context: Context,
    _turn: MutexGuard<'static, ()>,
}

impl Gpu {
    /// Installs the emulator and makes a fresh context.
    pub fn new() -> Gpu {
        static TURN: Mutex<()> = Mutex::new(());
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        cuda_emulator::install(KERNELS).expect("the first driver of this process");
        api::init().expect("the emulator starts");
        let device = api::device_get(0).expect("it has a GPU");
        let context = api::primary_context_retain(device).expect("a context");
        // SAFETY: the context was retained just now.
        unsafe { api::ctx_set_current(context) }.expect("it is current");
        Gpu { context, _turn: turn }
    }
}

impl Drop for Gpu {
    fn drop(&mut self) {
        // SAFETY: the test that made the context ends here, and its handles with it.
        let released = unsafe { api::primary_context_release(cuda_loader::Device(0)) };
        assert_eq!(released, Ok(()));
    }
}

/// What a function of the driver answers, as a code: 0 for success.
pub fn code<T>(result: Result<T, cuda_loader::DriverError>) -> u32 {
    result.err().map_or(0, |error| error.code)
}
