//! The one place that launches kernels.
use std::ffi::c_void;

use cuda_loader::api::launch::{LaunchConfig, LaunchExtras, launch_kernel, launch_kernel_ex};
use cuda_loader::{DevicePtr, DriverError, Function, Stream};

use crate::device::Gpu;
use crate::error::Error;
use crate::plan::{Argument, GpuPlan, Launch, SampleBuffer, Step};

/// The most arguments that a kernel has.
const ARGUMENTS_MAX: usize = 16;

/// A step whose kernel was found and may have its shared memory.
#[derive(Debug)]
struct PreparedStep {
    function: Function,
    step: Step,
}

/// The launches of a plan, ready.
#[derive(Debug)]
pub(crate) struct PreparedLaunches {
    steps: Vec<PreparedStep>,
}

/// The device addresses of one call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Buffers {
    /// The rows.
    pub input: DevicePtr,
    /// Their lengths, or null.
    pub lengths: DevicePtr,
    /// `[rows, k]` elements.
    pub values: DevicePtr,
    /// `[rows, k]` indices.
    pub indices: DevicePtr,
    /// The plan's workspace.
    pub workspace: DevicePtr,
    /// The buffers of sampling, by [`SampleBuffer`]; all null for a selection.
    pub sampling: [DevicePtr; SampleBuffer::COUNT],
}

impl PreparedLaunches {
    pub(crate) fn new(gpu: &Gpu, plan: &GpuPlan) -> Result<PreparedLaunches, Error> {
        let prepare = |step: &Step| {
            assert!(step.arguments.len() <= ARGUMENTS_MAX, "{}", step.launch);
            let function = gpu.function(&step.launch.symbol, step.launch.shared_bytes)?;
            Ok(PreparedStep { function, step: step.clone() })
        };
        let steps = plan.steps.iter().map(prepare).collect::<Result<_, Error>>()?;
        Ok(PreparedLaunches { steps })
    }

    /// Enqueues the plan's launches.
    ///
    /// # Safety
    /// - *in bounds*: the addresses point to as much memory as the plan's problem and workspace
    ///   need, aligned for their types; the workspace's zeroed part is zero;
    /// - they stay allocated, and nothing else touches what is written, until the stream has passed
    ///   this call;
    /// - `stream` is live and of the GPU that this was prepared for.
    pub(crate) unsafe fn enqueue(
        &self,
        buffers: &Buffers,
        stream: Stream,
    ) -> Result<(), DriverError> {
        // SAFETY: the caller's duty, unchanged.
        self.steps.iter().try_for_each(|step| unsafe { step.enqueue(buffers, stream) })
    }
}

impl PreparedStep {
    /// # Safety
    /// As for [`PreparedLaunches::enqueue`].
    unsafe fn enqueue(&self, buffers: &Buffers, stream: Stream) -> Result<(), DriverError> {
        let Launch { grid, block, shared_bytes, cluster, .. } = self.step.launch;
        let config =
            LaunchConfig { grid: [grid, 1, 1], block: [block, 1, 1], shared_bytes, stream };
        // Addresses that a call knows, kept where the driver can read them.
        let mut addresses = [DevicePtr::NULL; ARGUMENTS_MAX];
        for (address, argument) in addresses.iter_mut().zip(&self.step.arguments) {
            *address = buffers.address(argument);
        }
        let mut arguments = [std::ptr::null(); ARGUMENTS_MAX];
        for (at, argument) in self.step.arguments.iter().enumerate() {
            arguments[at] = match argument {
                Argument::Select(params) => pointer(params),
                Argument::Short(params) => pointer(params),
                Argument::Merge(params) => pointer(params),
                Argument::Radix(params) => pointer(params),
                Argument::Runs(params) => pointer(params),
                Argument::Sample(params) => pointer(params),
                Argument::WarpSample(params) => pointer(params),
                Argument::Full(params) => pointer(params),
                Argument::Score(params) => pointer(params),
                Argument::Process(params) => pointer(params),
                _ => pointer(&addresses[at]),
            };
        }
        let arguments = &arguments[..self.step.arguments.len()];
        if cluster > 1 {
            let extras = LaunchExtras { cluster: Some([cluster, 1, 1]), programmatic: false };
            // SAFETY: as below.
            return unsafe { launch_kernel_ex(self.function, &config, &extras, arguments) };
        }
        // SAFETY: the planner lists the kernel's parameters as `variants` declares them and keeps
        // its launch contract (checked: the emulator's tests); the caller vouches for the buffers.
        unsafe { launch_kernel(self.function, &config, arguments) }
    }
}

impl Buffers {
    /// The address that an argument stands for; null for scalars and for what is not there.
    fn address(&self, argument: &Argument) -> DevicePtr {
        match argument {
            Argument::Input => self.input,
            Argument::Lengths => self.lengths,
            Argument::Values => self.values,
            Argument::Indices => self.indices,
            Argument::Workspace(offset) => self.workspace.byte_add(*offset),
            Argument::Sampling(buffer) => self.sampling[*buffer as usize],
            _ => DevicePtr::NULL,
        }
    }
}

fn pointer<T>(value: &T) -> *const c_void {
    std::ptr::from_ref(value).cast()
}
