//! Stream capture: what is recorded runs when the graph is launched, and not before.

mod common;

use std::ffi::c_void;
use std::thread;

use common::{Gpu, PTX, code};
use cuda_loader::api::{self, LaunchConfig};
use cuda_loader::{DevicePtr, Stream};

/// Enqueues: fill with 1, add `amount`, copy to `to`. The arguments end with this function.
fn enqueue(stream: Stream, data: DevicePtr, amount: u32, to: &mut [u32; 4]) {
    let module = api::module_load(PTX).expect("it is PTX");
    // SAFETY: the module was loaded just now.
    let function = unsafe { api::module_get_function(module, c"add_u32") }.expect("registered");
    // SAFETY: `data` has four words; the stream is live.
    unsafe { api::memset_d32_async(data, 1, 4, stream) }.expect("fill");
    let count = 4u32;
    let arguments: [*const c_void; 3] =
        [(&raw const data).cast(), (&raw const amount).cast(), (&raw const count).cast()];
    let config = LaunchConfig { grid: [1; 3], block: [4, 1, 1], shared_bytes: 0, stream };
    // SAFETY: the arguments are those that the kernel declares.
    unsafe { api::launch_kernel(function, &config, &arguments) }.expect("launch");
    let to = to.as_mut_ptr().cast();
    // SAFETY: both have four words, and the test keeps them while the graph is launched.
    unsafe { api::memcpy_dtoh_async(to, data, 16, stream) }.expect("copy");
}

/// Begins a capture.
fn begin(stream: Stream) -> u32 {
    // SAFETY: the stream is live or a default one, which the emulator knows.
    code(unsafe { api::stream_begin_capture(stream) })
}

/// Ends a capture; the code.
fn end(stream: Stream) -> u32 {
    // SAFETY: the stream is live.
    code(unsafe { api::stream_end_capture(stream) })
}

#[test]
fn a_graph_replays_what_was_recorded() {
    let _gpu = Gpu::new();
    let stream = api::stream_create().expect("a stream");
    let data = api::mem_alloc(16).expect("device memory");
    let mut result = [0; 4];
    enqueue(stream, data, 2, &mut result);
    assert_eq!(result, [3; 4], "without a capture the work is done at once");

    let capturing = || {
        // SAFETY: the stream is live.
        unsafe { api::stream_is_capturing(stream) }
    };
    assert_eq!(capturing(), Ok(false));
    assert_eq!(begin(stream), 0);
    assert_eq!(capturing(), Ok(true));
    enqueue(stream, data, 10, &mut result);
    assert_eq!(result, [3; 4], "recorded, not run");
    // SAFETY: the stream is live.
    let graph = unsafe { api::stream_end_capture(stream) }.expect("a graph");
    // SAFETY: the graph is live.
    let exec = unsafe { api::graph_instantiate(graph) }.expect("ready");
    // SAFETY: the graph is not used any more.
    unsafe { api::graph_destroy(graph) }.expect("it was live");
    for _ in 0..2 {
        result = [0; 4];
        // SAFETY: all memory that was recorded is still there.
        unsafe { api::graph_launch(exec, stream) }.expect("a valid graph");
        assert_eq!(result, [11; 4]);
    }
    // SAFETY: the graph is not used any more.
    unsafe { api::graph_exec_destroy(exec) }.expect("it was live");
    // SAFETY: the emulator finds that it is gone.
    assert_eq!(code(unsafe { api::graph_launch(exec, stream) }), 400);
}

#[test]
fn forbidden_calls_spoil_the_capture() {
    let _gpu = Gpu::new();
    let stream = api::stream_create().expect("a stream");
    let synchronize = || {
        // SAFETY: the stream is live.
        code(unsafe { api::stream_synchronize(stream) })
    };
    let forbidden: [&dyn Fn() -> u32; 3] =
        [&synchronize, &|| code(api::mem_alloc(4)), &|| code(api::ctx_synchronize())];
    for call in forbidden {
        assert_eq!(begin(stream), 0);
        assert_eq!(call(), 900);
        assert_eq!(end(stream), 901);
        assert_eq!(call(), 0, "after the capture all is well");
    }
}

#[test]
fn captures_begin_and_end_on_their_own_stream_and_thread() {
    let gpu = Gpu::new();
    let stream = api::stream_create().expect("a stream");
    assert_eq!(begin(Stream::NULL), 900);
    assert_eq!(end(stream), 401);
    assert_eq!(begin(stream), 0);
    assert_eq!(begin(stream), 401);
    let context = gpu.context;
    let elsewhere = thread::spawn(move || {
        // SAFETY: the context lives as long as the test.
        unsafe { api::ctx_set_current(context) }.expect("it is live");
        (end(stream), code(api::mem_alloc(4)))
    });
    assert_eq!(elsewhere.join().expect("no panic"), (908, 0), "another thread may allocate");
    assert_eq!(end(stream), 401, "the capture was over all the same");
}

#[test]
fn an_event_of_a_capture_has_no_time() {
    let _gpu = Gpu::new();
    let stream = api::stream_create().expect("a stream");
    let event = api::event_create().expect("an event");
    assert_eq!(begin(stream), 0);
    // SAFETY: both handles are live.
    assert_eq!(code(unsafe { api::event_record(event, stream) }), 0);
    // SAFETY: the event is live.
    assert_eq!(code(unsafe { api::event_synchronize(event) }), 907);
    assert_eq!(end(stream), 901);
}

#[test]
fn a_call_that_fails_spoils_the_capture() {
    let _gpu = Gpu::new();
    let stream = api::stream_create().expect("a stream");
    let module = api::module_load(PTX).expect("it is PTX");
    // SAFETY: the module was loaded just now.
    let function = unsafe { api::module_get_function(module, c"add_u32") }.expect("registered");
    assert_eq!(begin(stream), 0);
    let config = LaunchConfig { grid: [0, 1, 1], block: [1; 3], shared_bytes: 0, stream };
    // SAFETY: the launch is refused before the arguments are looked at.
    let refused = unsafe { api::launch_kernel(function, &config, &[]) };
    assert_eq!(code(refused), 1);
    assert_eq!(end(stream), 901);
}
