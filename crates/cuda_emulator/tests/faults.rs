//! Faults of kernels: they surface later, stick, and end with the context.

mod common;

use std::ffi::{CStr, c_void};

use common::{Gpu, PTX, code};
use cuda_loader::api::{self, LaunchConfig};
use cuda_loader::{DevicePtr, Stream};
use simt::Schedule;

/// Launches a kernel with one block of 32 threads.
fn launch(name: &CStr, arguments: &[*const c_void]) -> u32 {
    let module = api::module_load(PTX).expect("it is PTX");
    // SAFETY: the module was loaded just now.
    let function = unsafe { api::module_get_function(module, name) }.expect("it is registered");
    let (grid, block) = ([1; 3], [32, 1, 1]);
    let config = LaunchConfig { grid, block, shared_bytes: 0, stream: Stream::NULL };
    // SAFETY: the callers give the arguments that the kernel declares; what it does is checked.
    code(unsafe { api::launch_kernel(function, &config, arguments) })
}

/// Adds to 32 words from `data` on.
fn add(data: DevicePtr) -> u32 {
    let (amount, count) = (1u32, 32u32);
    launch(
        c"add_u32",
        &[(&raw const data).cast(), (&raw const amount).cast(), (&raw const count).cast()],
    )
}

#[test]
fn an_access_out_of_bounds_is_700_from_the_next_call_on() {
    let _gpu = Gpu::new();
    let data = api::mem_alloc(4 * 31).expect("device memory");
    assert_eq!(add(data), 0, "the launch itself is answered before the kernel runs");
    assert_eq!(code(api::ctx_synchronize()), 700);
    assert_eq!(code(api::mem_alloc(4)), 700);
    // SAFETY: the memory is not used any more.
    assert_eq!(code(unsafe { api::mem_free(data) }), 700);
    let fault = cuda_emulator::last_fault().expect("there was one");
    assert!(fault.starts_with("kernel add_u32 (1 blocks of 32 threads"), "{fault}");
    assert!(fault.contains("out of bounds"), "{fault}");
}

#[test]
fn a_new_context_is_healthy_again() {
    let gpu = Gpu::new();
    assert_eq!(launch(c"diverge", &[]), 0);
    assert_eq!(code(api::ctx_synchronize()), 719);
    drop(gpu);
    let _gpu = Gpu::new();
    assert_eq!(api::ctx_synchronize(), Ok(()));
    assert!(cuda_emulator::last_fault().is_some(), "the text stays");
}

#[test]
fn a_misaligned_access_is_716() {
    let _gpu = Gpu::new();
    let data = api::mem_alloc(256).expect("device memory");
    assert_eq!(add(data.byte_add(2)), 0);
    assert_eq!(code(api::ctx_synchronize()), 716);
}

#[test]
fn the_schedule_is_that_of_the_fault() {
    let _gpu = Gpu::new();
    cuda_emulator::set_schedule(Schedule::Random { seed: 42 });
    assert_eq!(launch(c"diverge", &[]), 0);
    cuda_emulator::set_schedule(Schedule::InOrder);
    let fault = cuda_emulator::last_fault().expect("there was one");
    assert!(fault.contains("random:42"), "{fault}");
}
