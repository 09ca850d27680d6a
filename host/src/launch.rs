//! The one place that launches kernels.
use std::ffi::c_void;

use cuda_loader::api::launch::{LaunchConfig, launch_kernel};
use cuda_loader::{DevicePtr, DriverError, Function, Stream};

use crate::device::Gpu;
use crate::error::Error;
use crate::plan::{Launch, StreamPlan};

/// A launch whose kernel was found and whose shape was checked against it.
#[derive(Clone, Copy, Debug)]
struct Prepared {
    function: Function,
    grid: u32,
    block: u32,
    shared_bytes: u32,
}

impl Prepared {
    fn new(gpu: &Gpu, launch: &Launch) -> Result<Prepared, Error> {
        let Launch {
            symbol,
            grid,
            block,
            shared_bytes,
        } = launch;
        let function = gpu.function(symbol, *shared_bytes)?;
        Ok(Prepared {
            function,
            grid: *grid,
            block: *block,
            shared_bytes: *shared_bytes,
        })
    }

    /// # Safety
    /// As for [`launch_kernel`].
    unsafe fn enqueue(
        &self,
        stream: Stream,
        arguments: &[*const c_void],
    ) -> Result<(), DriverError> {
        let config = LaunchConfig {
            grid: [self.grid, 1, 1],
            block: [self.block, 1, 1],
            shared_bytes: self.shared_bytes,
            stream,
        };
        // SAFETY: the caller's duty, unchanged.
        unsafe { launch_kernel(self.function, &config, arguments) }
    }
}

/// The backend `stream`, ready to be launched.
#[derive(Debug)]
pub(crate) struct PreparedStream {
    plan: StreamPlan,
    stage1: Prepared,
    stage2: Prepared,
}

/// The device addresses of one call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Buffers {
    /// The rows.
    pub input: DevicePtr,
    /// `[rows, k]` elements.
    pub values: DevicePtr,
    /// `[rows, k]` indices.
    pub indices: DevicePtr,
    /// The plan's workspace.
    pub workspace: DevicePtr,
}

impl PreparedStream {
    pub(crate) fn new(gpu: &Gpu, plan: &StreamPlan) -> Result<PreparedStream, Error> {
        let stage1 = Prepared::new(gpu, &plan.stage1)?;
        let stage2 = Prepared::new(gpu, &plan.stage2)?;
        Ok(PreparedStream {
            plan: plan.clone(),
            stage1,
            stage2,
        })
    }

    /// Enqueues both stages.
    ///
    /// # Safety
    /// - *in bounds*: the addresses point to as much memory as the plan's problem and workspace
    ///   need, aligned for their types;
    /// - they stay allocated, and nothing else touches what is written, until the stream has passed
    ///   this call;
    /// - `stream` is live and of the GPU that this was prepared for.
    pub(crate) unsafe fn enqueue(
        &self,
        buffers: &Buffers,
        stream: Stream,
    ) -> Result<(), DriverError> {
        let Buffers {
            input,
            values,
            indices,
            workspace,
        } = buffers;
        let arguments = [
            address(input),
            address(workspace),
            address(&self.plan.stage1_params),
        ];
        // SAFETY: these are stage 1's parameters by `variants`; the plan keeps its launch contract,
        // and the caller vouches for the buffers.
        unsafe { self.stage1.enqueue(stream, &arguments) }?;
        let arguments = [
            address(input),
            address(workspace),
            address(values),
            address(indices),
            address(&self.plan.stage2_params),
        ];
        // SAFETY: as above, for stage 2.
        unsafe { self.stage2.enqueue(stream, &arguments) }
    }
}

fn address<T>(value: &T) -> *const c_void {
    std::ptr::from_ref(value).cast()
}
