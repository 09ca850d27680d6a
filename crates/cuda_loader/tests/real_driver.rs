//! The typed functions on a real GPU. Without one the test is reported as ignored, and why;
//! `AIKF_REQUIRE_GPU=1` makes that a failure.

use std::ffi::c_void;

use cuda_loader::api::{self, DeviceAttribute, FunctionAttribute, LaunchConfig, LaunchExtras};
use cuda_loader::{DevicePtr, Function, Stream};
use libtest_mimic::{Arguments, Trial};

/// A kernel that adds 1 to `data[threadIdx.x]`, and asks for nothing newer than Volta.
const PTX: &str = "
.version 7.0
.target sm_70
.address_size 64
.visible .entry increment(.param .u64 data)
{
    .reg .b32 %r<3>;
    .reg .b64 %rd<4>;
    ld.param.u64 %rd1, [data];
    mov.u32 %r1, %tid.x;
    mul.wide.u32 %rd2, %r1, 4;
    add.u64 %rd3, %rd1, %rd2;
    ld.global.u32 %r2, [%rd3];
    add.u32 %r2, %r2, 1;
    st.global.u32 [%rd3], %r2;
    ret;
}
";

/// What the test works with.
struct Bench {
    function: Function,
    stream: Stream,
    data: DevicePtr,
}

impl Bench {
    /// Makes a context, the kernel, a stream and 32 words of 0.
    fn new() -> Bench {
        let device = api::device_get(0).expect("the GPU");
        let context = api::primary_context_retain(device).expect("a context");
        // SAFETY: the context was retained just now.
        unsafe { api::ctx_set_current(context) }.expect("current");
        assert_eq!(api::ctx_get_current(), Ok(context));
        let module = api::module_load(PTX).expect("valid PTX");
        // SAFETY: the module was loaded just now.
        let function = unsafe { api::module_get_function(module, c"increment") }.expect("kernel");
        // SAFETY: as above.
        let absent = unsafe { api::module_get_function(module, c"absent") };
        assert_eq!(absent.map_err(|error| error.code), Err(500));
        let stream = api::stream_create().expect("a stream");
        let data = api::mem_alloc(128).expect("device memory");
        // SAFETY: the memory has 32 words.
        unsafe { api::memset_d32_async(data, 0, 32, stream) }.expect("fill");
        Bench { function, stream, data }
    }

    /// One launch, plain or extended.
    fn launch(&self, extras: Option<LaunchExtras>) {
        let (grid, block, stream) = ([1; 3], [32, 1, 1], self.stream);
        let config = LaunchConfig { grid, block, shared_bytes: 0, stream };
        let arguments = [(&raw const self.data).cast::<c_void>()];
        let result = match extras {
            // SAFETY: the kernel's one parameter points to a word for each thread.
            None => unsafe { api::launch_kernel(self.function, &config, &arguments) },
            // SAFETY: as above; the test waits before it reads.
            Some(extras) => unsafe {
                api::launch_kernel_ex(self.function, &config, &extras, &arguments)
            },
        };
        result.expect("a valid launch");
    }

    /// The words, once all work is done.
    fn download(&self) -> [u32; 32] {
        let mut words = [0; 32];
        let to = words.as_mut_ptr().cast();
        // SAFETY: both have 128 bytes, and `words` outlives the wait below.
        unsafe { api::memcpy_dtoh_async(to, self.data, 128, self.stream) }.expect("copy");
        // SAFETY: the stream is live.
        unsafe { api::stream_synchronize(self.stream) }.expect("no fault");
        words
    }

    /// Records one launch and launches it three times.
    fn graph(&self) {
        // SAFETY: the stream is live, here and below.
        unsafe { api::stream_begin_capture(self.stream) }.expect("capture");
        self.launch(None);
        // SAFETY: as above.
        let graph = unsafe { api::stream_end_capture(self.stream) }.expect("a graph");
        // SAFETY: the graph is live.
        let exec = unsafe { api::graph_instantiate(graph) }.expect("ready");
        // SAFETY: the graph is not used any more.
        unsafe { api::graph_destroy(graph) }.expect("it was live");
        for _ in 0..3 {
            // SAFETY: all memory that was recorded is still there.
            unsafe { api::graph_launch(exec, self.stream) }.expect("a valid graph");
        }
        // SAFETY: the stream is live.
        unsafe { api::stream_synchronize(self.stream) }.expect("no fault");
        // SAFETY: the graph has run and is not used any more.
        unsafe { api::graph_exec_destroy(exec) }.expect("it was live");
    }
}

/// Loads text that is no PTX and text that is too new.
fn check_load_errors() {
    let error = api::module_load(&PTX.replace("add.u32", "add.u99")).expect_err("no such type");
    println!("{error}");
    assert_eq!(error.code, 218);
    assert!(error.detail.contains("line"), "the compiler's log is missing: {error}");
    let error = api::module_load(&PTX.replace("7.0", "99.0")).expect_err("no such version");
    println!("{error}");
    assert!([218, 222].contains(&error.code) && !error.detail.is_empty(), "{error}");
}

/// Attributes, occupancy and time.
fn check_numbers(bench: &Bench) {
    let function = bench.function;
    // SAFETY: the function is live.
    let most =
        unsafe { api::function_get_attribute(function, FunctionAttribute::MAX_THREADS_PER_BLOCK) };
    assert_eq!(most, Ok(1024));
    // SAFETY: as above.
    let blocks = unsafe { api::occupancy_max_active_blocks(function, 128, 0) };
    assert!(blocks.is_ok_and(|blocks| blocks > 0));
    let limit = FunctionAttribute::MAX_DYNAMIC_SHARED;
    // SAFETY: as above.
    unsafe { api::function_set_attribute(function, limit, 64 << 10) }.expect("it fits");
    let (start, end) = (api::event_create().expect("event"), api::event_create().expect("event"));
    // SAFETY: the handles are live, here and below.
    unsafe { api::event_record(start, bench.stream) }.expect("record");
    // SAFETY: as above.
    unsafe { api::event_record(end, bench.stream) }.expect("record");
    // SAFETY: as above.
    unsafe { api::event_synchronize(end) }.expect("no fault");
    // SAFETY: as above.
    assert!(unsafe { api::event_elapsed(start, end) }.is_ok_and(|time| time >= 0.0));
    let (free, total) = api::mem_get_info().expect("a context");
    assert!(free > 0 && free <= total);
}

fn main() {
    let missing = api::init().and_then(|()| api::device_get(0)).err();
    let required = std::env::var_os("AIKF_REQUIRE_GPU").is_some_and(|value| value == "1");
    if let Some(error) = &missing {
        eprintln!(
            "the real driver's test {}: {error}",
            if required { "fails" } else { "is skipped" }
        );
    }
    let run = || {
        everything_works_on_a_real_gpu();
        Ok(())
    };
    let trial = Trial::test("everything_works_on_a_real_gpu", run);
    let trial = trial.with_ignored_flag(missing.is_some() && !required);
    libtest_mimic::run(&Arguments::from_args(), vec![trial]).exit();
}

fn everything_works_on_a_real_gpu() {
    let device = api::device_get(0).expect("the GPU");
    println!("{} on {:?}", api::device_name(device).expect("name"), cuda_loader::driver_name());
    assert!(api::device_uuid(device).is_ok_and(|uuid| uuid != [0; 16]));
    let bench = Bench::new();
    bench.launch(None);
    bench.launch(Some(LaunchExtras::default()));
    let major = api::device_attribute(device, DeviceAttribute::COMPUTE_CAPABILITY_MAJOR);
    let hopper = major.is_ok_and(|major| major >= 9);
    if hopper {
        bench.launch(Some(LaunchExtras { cluster: Some([1; 3]), programmatic: false }));
    }
    bench.graph();
    assert_eq!(bench.download(), [if hopper { 6 } else { 5 }; 32]);
    check_numbers(&bench);
    check_load_errors();
    // SAFETY: the memory is not used any more.
    unsafe { api::mem_free(bench.data) }.expect("it was allocated");
    // SAFETY: the stream is not used any more.
    unsafe { api::stream_destroy(bench.stream) }.expect("it was live");
    // SAFETY: nothing of the context is used any more.
    unsafe { api::primary_context_release(device) }.expect("it was retained");
}
