//! A GPU with the kernels that measure: launches in a graph, and their time.
use std::collections::HashMap;
use std::ffi::{CString, c_void};
use std::ptr;

use anyhow::{Context as _, Result};
use cuda_loader::api::launch::{LaunchConfig, LaunchExtras};
use cuda_loader::api::{self, DeviceAttribute};
use cuda_loader::{Context, Device, DevicePtr, Event, Function, GraphExec, Module, Stream};

include!(concat!(env!("OUT_DIR"), "/ptx.rs"));

/// Replays before those that count.
const WARM_UP: usize = 3;
/// The most arguments that a kernel has.
const ARGUMENTS_MAX: usize = 4;

/// An open GPU. What it has is freed when the process ends: it is opened once.
#[derive(Debug)]
pub struct Gpu {
    device: Device,
    kernels: HashMap<&'static str, Function>,
    stream: Stream,
    start: Event,
    end: Event,
}

/// One launch of a kernel.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The kernel.
    pub kernel: &'static str,
    /// Blocks.
    pub grid: u32,
    /// Threads of a block.
    pub block: u32,
    /// Bytes of shared memory of a block.
    pub shared_bytes: u32,
    /// Clusters, and starting early.
    pub extras: LaunchExtras,
    /// Addresses and numbers, in the kernel's order. Who takes 32 bits gets the lower ones.
    pub arguments: Vec<u64>,
}

impl Launch {
    /// A launch without shared memory.
    pub fn new(kernel: &'static str, grid: u32, block: u32, arguments: &[u64]) -> Launch {
        let (extras, arguments) = (LaunchExtras::default(), arguments.to_vec());
        Launch { kernel, grid, block, shared_bytes: 0, extras, arguments }
    }
}

/// Microseconds of one of several launches in a row.
#[derive(Clone, Copy, Debug, Default)]
pub struct Time {
    /// The median over replays.
    pub median_us: f64,
    /// The least.
    pub least_us: f64,
}

impl Gpu {
    /// Opens the GPU of this number.
    pub fn open(number: u32) -> Result<Gpu> {
        api::init()?;
        let device = api::device_get(number as i32)?;
        let context = api::primary_context_retain(device)?;
        make_current(context)?;
        let capability = compute_capability(device)?;
        let fitting = PTX.iter().filter(|(arch, _)| *arch <= capability);
        let ptx = fitting.max_by_key(|(arch, _)| *arch).with_context(|| {
            format!("the GPU's compute capability is {capability}; at least 80 is needed")
        })?;
        Ok(Gpu {
            device,
            kernels: functions(api::module_load(ptx.1)?)?,
            stream: api::stream_create()?,
            start: api::event_create()?,
            end: api::event_create()?,
        })
    }

    /// Its name.
    pub fn name(&self) -> Result<String> {
        Ok(api::device_name(self.device)?)
    }

    /// What the driver says of it.
    pub fn attribute(&self, attribute: DeviceAttribute) -> Result<u32> {
        Ok(api::device_attribute(self.device, attribute)?.max(0) as u32)
    }

    /// So many bytes of its memory, never freed.
    pub fn memory(&self, bytes: usize) -> Result<DevicePtr> {
        Ok(api::mem_alloc(bytes)?)
    }

    /// Clears memory.
    ///
    /// # Safety
    /// `bytes` bytes at `address` are live, and nothing else uses them meanwhile.
    pub unsafe fn clear(&self, address: DevicePtr, bytes: usize) -> Result<()> {
        // SAFETY: the caller vouches for the memory; the stream is live.
        unsafe { api::memset_d8_async(address, 0, bytes, self.stream) }?;
        self.wait()
    }

    /// Copies words to the host.
    ///
    /// # Safety
    /// `count` words at `address` are live, and nothing else uses them meanwhile.
    pub unsafe fn download(&self, address: DevicePtr, count: usize) -> Result<Vec<u32>> {
        let mut words = vec![0u32; count];
        let (to, bytes) = (words.as_mut_ptr().cast(), size_of_val(words.as_slice()));
        // SAFETY: the caller vouches for the memory; the host's has as many bytes, and both live
        // until the stream was waited for.
        unsafe { api::memcpy_dtoh_async(to, address, bytes, self.stream) }?;
        self.wait()?;
        Ok(words)
    }

    /// Runs launches once, outside of a graph.
    ///
    /// # Safety
    /// The arguments are what the kernels' contracts demand.
    pub unsafe fn run(&self, launches: &[Launch]) -> Result<()> {
        // SAFETY: the caller's duty, unchanged.
        launches.iter().try_for_each(|launch| unsafe { self.enqueue(launch) })?;
        self.wait()
    }

    /// The time of one of these launches, behind each other in a graph that is replayed; before
    /// each replay, outside of its time, `before` is launched.
    ///
    /// # Safety
    /// As for [`Gpu::run`], again and again.
    pub unsafe fn time(
        &self,
        launches: &[Launch],
        before: &[Launch],
        replays: usize,
    ) -> Result<Time> {
        // SAFETY: the caller's duty, unchanged.
        let graph = unsafe { self.capture(launches) }?;
        let mut times = vec![];
        for replay in 0..WARM_UP + replays {
            // SAFETY: the caller's duty, unchanged.
            unsafe { self.run(before) }?;
            // SAFETY: the graph is live, and what it launches is the caller's duty.
            let microseconds = unsafe { self.replay(graph) }?;
            if replay >= WARM_UP {
                times.push(microseconds / launches.len() as f64);
            }
        }
        // SAFETY: the last replay was waited for.
        unsafe { api::graph_exec_destroy(graph) }?;
        times.sort_by(f64::total_cmp);
        Ok(Time { median_us: times[times.len() / 2], least_us: times[0] })
    }

    /// # Safety
    /// As for [`Gpu::run`], whenever the graph is launched.
    unsafe fn capture(&self, launches: &[Launch]) -> Result<GraphExec> {
        // SAFETY: the stream is live and used by nobody else.
        unsafe { api::stream_begin_capture(self.stream) }?;
        // SAFETY: the caller's duty, unchanged.
        let enqueued = launches.iter().try_for_each(|launch| unsafe { self.enqueue(launch) });
        // SAFETY: the capture was begun above.
        let graph = unsafe { api::stream_end_capture(self.stream) };
        enqueued?;
        let graph = graph?;
        // SAFETY: captured just now.
        let ready = unsafe { api::graph_instantiate(graph) }?;
        // SAFETY: what is ready does not need it any more.
        unsafe { api::graph_destroy(graph) }?;
        Ok(ready)
    }

    /// Microseconds of one replay.
    ///
    /// # Safety
    /// The graph is live, and what it launches is sound.
    unsafe fn replay(&self, graph: GraphExec) -> Result<f64> {
        // SAFETY: event and stream are live.
        unsafe { api::event_record(self.start, self.stream) }?;
        // SAFETY: the caller vouches for the graph.
        unsafe { api::graph_launch(graph, self.stream) }?;
        // SAFETY: event and stream are live.
        unsafe { api::event_record(self.end, self.stream) }?;
        self.wait()?;
        // SAFETY: both were recorded, and waited for.
        Ok(f64::from(unsafe { api::event_elapsed(self.start, self.end) }?) * 1e3)
    }

    /// # Safety
    /// As for [`Gpu::run`].
    unsafe fn enqueue(&self, launch: &Launch) -> Result<()> {
        assert!(launch.arguments.len() <= ARGUMENTS_MAX, "{launch:?}");
        let config = LaunchConfig {
            grid: [launch.grid, 1, 1],
            block: [launch.block, 1, 1],
            shared_bytes: launch.shared_bytes,
            stream: self.stream,
        };
        // The lower half of a number comes first: 32 bits may be read from it too.
        const { assert!(cfg!(target_endian = "little")) };
        let pointers: Vec<*const c_void> =
            launch.arguments.iter().map(|argument| ptr::from_ref(argument).cast()).collect();
        let function = self.kernels[launch.kernel];
        let launched = if launch.extras == LaunchExtras::default() {
            // SAFETY: the caller vouches for the arguments; kernel and stream are live.
            unsafe { api::launch_kernel(function, &config, &pointers) }
        } else {
            // SAFETY: as above.
            unsafe { api::launch_kernel_ex(function, &config, &launch.extras, &pointers) }
        };
        launched.with_context(|| format!("{launch:?}"))
    }

    fn wait(&self) -> Result<()> {
        // SAFETY: the stream is live.
        Ok(unsafe { api::stream_synchronize(self.stream) }?)
    }
}

/// Every kernel, loaded before a graph is captured: loading may be what a capture forbids.
fn functions(module: Module) -> Result<HashMap<&'static str, Function>> {
    let names = constants_kernels::KERNELS.iter().map(|kernel| kernel.name);
    let function = |kernel| {
        let name = CString::new(kernel)?;
        // SAFETY: the module is live; it is never unloaded.
        Ok((kernel, unsafe { api::module_get_function(module, &name) }?))
    };
    names.map(function).collect()
}

/// Where the kernels come from: compiler, or prebuilt.
pub fn kernel_provenance() -> &'static str {
    PTX_SOURCE
}

fn make_current(context: Context) -> Result<()> {
    // SAFETY: retained, and never released.
    Ok(unsafe { api::ctx_set_current(context) }?)
}

fn compute_capability(device: Device) -> Result<u32> {
    let major = api::device_attribute(device, DeviceAttribute::COMPUTE_CAPABILITY_MAJOR)?;
    let minor = api::device_attribute(device, DeviceAttribute::COMPUTE_CAPABILITY_MINOR)?;
    Ok((10 * major + minor).max(0) as u32)
}
