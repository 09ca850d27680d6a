//! The one place that launches kernels.
use std::ffi::c_void;

use cuda_loader::api::launch::{LaunchConfig, launch_kernel};
use cuda_loader::{DevicePtr, DriverError, Function, Stream};

use crate::device::Gpu;
use crate::error::Error;
use crate::plan::{Launch, SelectPlan};

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

/// The launches of a plan, ready.
#[derive(Debug)]
pub(crate) struct PreparedSelect {
    plan: SelectPlan,
    select: Prepared,
    merge: Option<Prepared>,
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

impl PreparedSelect {
    pub(crate) fn new(gpu: &Gpu, plan: &SelectPlan) -> Result<PreparedSelect, Error> {
        let select = Prepared::new(gpu, &plan.select)?;
        let merge = plan
            .merge
            .as_ref()
            .map(|(launch, _)| Prepared::new(gpu, launch))
            .transpose()?;
        Ok(PreparedSelect {
            plan: plan.clone(),
            select,
            merge,
        })
    }

    /// Enqueues the plan's one or two launches.
    ///
    /// # Safety
    /// - *in bounds*: the addresses point to as much memory as the plan's problem and workspace
    ///   need, aligned for their types; the workspace's tickets are zero;
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
            workspace: candidates,
        } = buffers;
        let counts = candidates.byte_add(self.plan.workspace.counts_offset());
        let tickets = candidates.byte_add(self.plan.workspace.tickets_offset());
        let arguments = [
            address(input),
            address(candidates),
            address(&counts),
            address(&tickets),
            address(values),
            address(indices),
            address(&self.plan.select_params),
        ];
        // SAFETY: these are the parameters of `select` by `variants`; the plan keeps its launch
        // contract, and the caller vouches for the buffers.
        unsafe { self.select.enqueue(stream, &arguments) }?;
        let (Some(merge), Some((_, params))) = (&self.merge, &self.plan.merge) else {
            return Ok(());
        };
        let arguments = [
            address(input),
            address(candidates),
            address(&counts),
            address(values),
            address(indices),
            address(params),
        ];
        // SAFETY: as above, for `merge`.
        unsafe { merge.enqueue(stream, &arguments) }
    }
}

fn address<T>(value: &T) -> *const c_void {
    std::ptr::from_ref(value).cast()
}
