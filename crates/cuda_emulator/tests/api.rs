//! The emulator through the typed functions of `cuda_loader`.

mod common;

use std::ffi::{CStr, c_void};
use std::ptr;

use common::{Gpu, PTX, code};
use cuda_loader::api::{self, DeviceAttribute, FunctionAttribute, LaunchConfig, LaunchExtras};
use cuda_loader::{DevicePtr, Function, Stream};

/// A kernel of the tests' module, which stays loaded.
fn function(name: &CStr) -> Function {
    let module = api::module_load(PTX).expect("it is PTX");
    // SAFETY: the module was loaded just now.
    unsafe { api::module_get_function(module, name) }.expect("it is declared and registered")
}

/// Device memory that holds `values`.
fn upload(values: &[u32]) -> DevicePtr {
    let to = api::mem_alloc(size_of_val(values)).expect("device memory");
    let from = values.as_ptr().cast();
    // SAFETY: both memories have the bytes, and the emulator copies before it returns.
    unsafe { api::memcpy_htod_async(to, from, size_of_val(values), Stream::NULL) }.expect("copy");
    to
}

/// The words at an address.
fn download(from: DevicePtr, count: usize) -> Vec<u32> {
    let mut values = vec![0u32; count];
    let to = values.as_mut_ptr().cast();
    // SAFETY: both memories have the bytes, and the emulator copies before it returns.
    unsafe { api::memcpy_dtoh_async(to, from, 4 * count, Stream::NULL) }.expect("copy");
    values
}

/// A launch on the default stream.
fn shape(grid: u32, block: u32, shared_bytes: u32) -> LaunchConfig {
    let (grid, block) = ([grid, 1, 1], [block, 1, 1]);
    LaunchConfig { grid, block, shared_bytes, stream: Stream::NULL }
}

/// Launches `add_u32`; the code.
fn add(config: &LaunchConfig, data: DevicePtr, amount: u32, count: u32) -> u32 {
    let function = function(c"add_u32");
    let address = |place: *const c_void| place;
    let arguments = [
        address((&raw const data).cast()),
        address((&raw const amount).cast()),
        address((&raw const count).cast()),
    ];
    // SAFETY: the arguments are those that the kernel declares; its accesses are checked.
    code(unsafe { api::launch_kernel(function, config, &arguments) })
}

#[test]
fn the_gpu_describes_itself() {
    let _gpu = Gpu::new();
    let device = api::device_get(0).expect("a GPU");
    assert_eq!(cuda_loader::driver_name(), cuda_emulator::DRIVER_NAME);
    assert_eq!(api::device_count(), Ok(1));
    assert_eq!(api::device_name(device).as_deref(), Ok("aikf emulator"));
    assert_eq!(code(api::device_get(1)), 101);
    let attribute = |attribute| api::device_attribute(device, attribute).expect("defined");
    assert_eq!(attribute(DeviceAttribute::COMPUTE_CAPABILITY_MAJOR), 9);
    assert_eq!(attribute(DeviceAttribute::MULTIPROCESSOR_COUNT), 4);
    assert_eq!(attribute(DeviceAttribute::MAX_SHARED_MEMORY_PER_BLOCK_OPTIN), 227 << 10);
    assert_eq!(code(api::device_attribute(device, DeviceAttribute(-1))), 1);
    assert!(api::device_uuid(device).is_ok() && api::driver_version().is_ok());
}

#[test]
fn memory_is_poisoned_bounded_and_counted() {
    let _gpu = Gpu::new();
    let (free, total) = api::mem_get_info().expect("a context");
    assert!(free == total && Ok(total) == api::device_total_memory(cuda_loader::Device(0)));
    let data = api::mem_alloc(16).expect("device memory");
    assert_eq!(download(data, 4), [0xA5A5_A5A5; 4]);
    assert_eq!(api::mem_get_info(), Ok((total - 16, total)));
    // SAFETY: the emulator checks device addresses; these reach past the end, or nowhere.
    let past_the_end = unsafe { api::memset_d8_async(data, 0, 17, Stream::NULL) };
    assert_eq!(code(past_the_end), 1);
    // SAFETY: as above; the address is misaligned.
    let misaligned = unsafe { api::memset_d32_async(data.byte_add(1), 0, 1, Stream::NULL) };
    assert_eq!(code(misaligned), 1);
    // SAFETY: as above; this is no allocation's start.
    assert_eq!(code(unsafe { api::mem_free(data.byte_add(4)) }), 1);
    // SAFETY: the memory is not used any more.
    assert_eq!(code(unsafe { api::mem_free(data) }), 0);
    // SAFETY: the emulator finds that this was freed.
    assert_eq!(code(unsafe { api::mem_free(data) }), 1);
    assert_eq!(code(api::mem_alloc(0)), 1);
    assert_eq!(code(api::mem_alloc(1 << 50)), 2);
}

#[test]
fn kernels_run() {
    let _gpu = Gpu::new();
    let data = upload(&[1, 2, 3, 4, 5]);
    assert_eq!(add(&shape(2, 3, 0), data, 10, 5), 0);
    assert_eq!(download(data, 5), [11, 12, 13, 14, 15]);
    // SAFETY: the argument is the pointer that the kernel declares, with a word a thread.
    unsafe {
        api::launch_kernel(
            function(c"reverse_block"),
            &shape(1, 5, 20),
            &[(&raw const data).cast::<c_void>()],
        )
    }
    .expect("a valid launch");
    assert_eq!(api::ctx_synchronize(), Ok(()));
    assert_eq!(download(data, 5), [15, 14, 13, 12, 11]);
}

#[test]
fn launches_are_checked_as_by_the_real_driver() {
    let _gpu = Gpu::new();
    let data = upload(&[0; 4]);
    assert_eq!(add(&shape(0, 32, 0), data, 1, 4), 1);
    assert_eq!(add(&shape(1, 0, 0), data, 1, 4), 1);
    assert_eq!(add(&shape(1, 1025, 0), data, 1, 4), 1);
    assert_eq!(add(&shape(1, 257, 0), data, 1, 4), 1);
    assert_eq!(add(&shape(1, 32, (48 << 10) + 1), data, 1, 4), 1);
    assert_eq!(add(&LaunchConfig { grid: [1, 2, 1], ..shape(1, 32, 0) }, data, 1, 4), 801);
    assert_eq!(add(&LaunchConfig { stream: Stream(64 as _), ..shape(1, 32, 0) }, data, 1, 4), 400);
    assert_eq!(download(data, 4), [0; 4]);
}

#[test]
fn large_shared_memory_has_to_be_allowed() {
    let _gpu = Gpu::new();
    let function = function(c"reverse_block");
    let data = upload(&[7; 4]);
    let arguments = [(&raw const data).cast::<c_void>()];
    // SAFETY: the function and the arguments are valid, for this and all launches below.
    let launch =
        |bytes| code(unsafe { api::launch_kernel(function, &shape(1, 4, bytes), &arguments) });
    let allow = |bytes| {
        // SAFETY: the function is valid.
        code(unsafe {
            api::function_set_attribute(function, FunctionAttribute::MAX_DYNAMIC_SHARED, bytes)
        })
    };
    assert_eq!(launch(100 << 10), 1);
    assert_eq!(allow((227 << 10) + 1), 1);
    assert_eq!(allow(100 << 10), 0);
    assert_eq!(launch(100 << 10), 0);
    assert_eq!(launch((100 << 10) + 1), 1);
    // SAFETY: the function is valid.
    let blocks = unsafe { api::occupancy_max_active_blocks(function, 128, 100 << 10) };
    assert_eq!(blocks, Ok(2));
    let get = |attribute| {
        // SAFETY: the function is valid.
        unsafe { api::function_get_attribute(function, attribute) }
    };
    assert_eq!(get(FunctionAttribute::MAX_DYNAMIC_SHARED), Ok(100 << 10));
    assert_eq!(get(FunctionAttribute::MAX_THREADS_PER_BLOCK), Ok(1024));
}

#[test]
fn extended_launches_run_in_whole_clusters() {
    let _gpu = Gpu::new();
    let data = upload(&[1, 2]);
    let arguments = [(&raw const data).cast::<c_void>()];
    let launch = |extras| {
        let function = function(c"reverse_block");
        // SAFETY: the function and the arguments are valid.
        code(unsafe { api::launch_kernel_ex(function, &shape(1, 2, 8), &extras, &arguments) })
    };
    assert_eq!(launch(LaunchExtras { cluster: None, programmatic: true }), 0);
    assert_eq!(download(data, 2), [2, 1]);
    assert_eq!(launch(LaunchExtras { cluster: Some([1, 1, 1]), programmatic: false }), 0);
    let clustered = |cluster, blocks| {
        let function = function(c"exchange");
        let extras = LaunchExtras { cluster: Some(cluster), programmatic: false };
        // SAFETY: the function and the arguments are valid.
        code(unsafe { api::launch_kernel_ex(function, &shape(blocks, 1, 4), &extras, &arguments) })
    };
    assert_eq!(download(data, 2), [1, 2]);
    assert_eq!(clustered([2, 1, 1], 2), 0);
    assert_eq!(download(data, 2), [2, 1]);
    assert_eq!(clustered([2, 1, 1], 3), 1, "three blocks are not whole clusters");
    assert_eq!(clustered([1, 2, 1], 2), 801);
    assert_eq!(clustered([16, 1, 1], 16), 912, "the kernel does not allow it");
}

#[test]
fn modules_hold_what_their_text_declares() {
    let _gpu = Gpu::new();
    let error = api::module_load("garbage").expect_err("it is no PTX");
    assert_eq!(error.code, 200);
    assert_eq!(code(api::module_load(".version 8.0")), 218);
    assert!(error.detail.contains("missing .version directive"), "{error}");
    let module = api::module_load(PTX).expect("it is PTX");
    let find = |name: &CStr| {
        // SAFETY: the module is live until it is unloaded below, and the emulator knows after.
        code(unsafe { api::module_get_function(module, name) })
    };
    assert_eq!(find(c"add_u32"), 0);
    assert_eq!(find(c"unregistered"), 500);
    assert_eq!(find(c"undeclared"), 500);
    // SAFETY: nothing of the module is used after this but by the check below.
    assert_eq!(code(unsafe { api::module_unload(module) }), 0);
    assert_eq!(find(c"add_u32"), 400);
}

#[test]
fn events_take_the_time() {
    let _gpu = Gpu::new();
    let stream = api::stream_create().expect("a stream");
    let (start, end) = (api::event_create().expect("event"), api::event_create().expect("event"));
    // SAFETY: all handles here are live; the emulator finds that nothing was recorded.
    assert_eq!(code(unsafe { api::event_elapsed(start, end) }), 400);
    for event in [start, end] {
        // SAFETY: both handles are live.
        assert_eq!(code(unsafe { api::event_record(event, stream) }), 0);
    }
    // SAFETY: stream and event are live.
    assert_eq!(code(unsafe { api::stream_wait_event(stream, end) }), 0);
    // SAFETY: the event is live.
    assert_eq!(code(unsafe { api::event_synchronize(end) }), 0);
    // SAFETY: both events are live.
    let elapsed = unsafe { api::event_elapsed(start, end) }.expect("both were recorded");
    assert!((0.0..1000.0).contains(&elapsed), "{elapsed}");
    // SAFETY: the event is not used any more.
    assert_eq!(code(unsafe { api::event_destroy(start) }), 0);
    // SAFETY: the stream is not used any more.
    assert_eq!(code(unsafe { api::stream_destroy(stream) }), 0);
    // SAFETY: the emulator finds that the stream is gone.
    assert_eq!(code(unsafe { api::stream_synchronize(stream) }), 400);
}

#[test]
fn without_a_context_nothing_goes() {
    let gpu = Gpu::new();
    assert_eq!(api::ctx_get_current(), Ok(gpu.context));
    // SAFETY: null is no context.
    unsafe { api::ctx_set_current(cuda_loader::Context(ptr::null_mut())) }.expect("none");
    assert_eq!(code(api::mem_alloc(4)), 201);
    let other = std::thread::spawn(|| code(api::mem_alloc(4))).join().expect("no panic");
    assert_eq!(other, 201);
}
