//! The driver's C functions, each behind its [`Slot`](crate::provider::Slot).
//!
//! The signatures are those of the CUDA header; the types of [`crate::handle`] stand for the
//! header's pointers, with the same layout. A name that ends in `_v2` is the name that the header
//! gives the linker: the plain name is an older function that the driver keeps for old programs.

use std::ffi::{c_char, c_void};

use super::launch::RawLaunchConfig;
use crate::error::DriverError;
use crate::handle::*;

/// Declares driver functions, each as an `unsafe fn` that turns the code returned into a `Result`.
macro_rules! driver_functions {
    ($(fn $name:ident($($argument:ident: $type:ty),* $(,)?);)*) => {$(
        #[doc = concat!("Calls `", stringify!($name), "` of the driver.")]
        ///
        /// # Safety
        ///
        /// What the CUDA manual demands of the function's arguments.
        #[allow(non_snake_case, clippy::too_many_arguments)]
        #[inline]
        pub(super) unsafe fn $name($($argument: $type),*) -> Result<(), DriverError> {
            type Signature = unsafe extern "C" fn($($type),*) -> u32;
            static SLOT: $crate::provider::Slot =
                $crate::provider::Slot::new(concat!(stringify!($name), "\0"));
            let address = match SLOT.address() {
                Ok(address) => address,
                Err(code) => return Err(DriverError::new(stringify!($name), code)),
            };
            let address = address.as_ptr();
            // SAFETY: the driver's function of this name has this signature (module docs).
            let function = unsafe { std::mem::transmute::<*mut c_void, Signature>(address) };
            // SAFETY: the caller keeps the manual's demands.
            match unsafe { function($($argument),*) } {
                0 => Ok(()),
                code => Err(DriverError::new(stringify!($name), code)),
            }
        }
    )*};
}

driver_functions! {
    fn cuInit(flags: u32);
    fn cuDriverGetVersion(version: *mut i32);
    fn cuDeviceGetCount(count: *mut i32);
    fn cuDeviceGet(device: *mut Device, ordinal: i32);
    fn cuDeviceGetName(name: *mut c_char, bytes: i32, device: Device);
    fn cuDeviceGetAttribute(value: *mut i32, attribute: i32, device: Device);
    fn cuDeviceTotalMem_v2(bytes: *mut usize, device: Device);
    fn cuDeviceGetUuid(uuid: *mut [u8; 16], device: Device);

    fn cuDevicePrimaryCtxRetain(context: *mut Context, device: Device);
    fn cuDevicePrimaryCtxRelease_v2(device: Device);
    fn cuCtxSetCurrent(context: Context);
    fn cuCtxGetCurrent(context: *mut Context);
    fn cuCtxSynchronize();

    fn cuModuleLoadDataEx(
        module: *mut Module, image: *const c_void,
        count: u32, options: *mut u32, values: *mut *mut c_void,
    );
    fn cuModuleUnload(module: Module);
    fn cuModuleGetFunction(function: *mut Function, module: Module, name: *const c_char);
    fn cuFuncSetAttribute(function: Function, attribute: i32, value: i32);
    fn cuFuncGetAttribute(value: *mut i32, attribute: i32, function: Function);
    fn cuOccupancyMaxActiveBlocksPerMultiprocessor(
        blocks: *mut i32, function: Function, threads: i32, shared_bytes: usize,
    );

    fn cuLaunchKernel(
        function: Function, grid_x: u32, grid_y: u32, grid_z: u32,
        block_x: u32, block_y: u32, block_z: u32, shared_bytes: u32,
        stream: Stream, arguments: *mut *mut c_void, extra: *mut *mut c_void,
    );
    fn cuLaunchKernelEx(
        config: *const RawLaunchConfig, function: Function,
        arguments: *mut *mut c_void, extra: *mut *mut c_void,
    );

    fn cuMemAlloc_v2(address: *mut DevicePtr, bytes: usize);
    fn cuMemFree_v2(address: DevicePtr);
    fn cuMemGetInfo_v2(free: *mut usize, total: *mut usize);
    fn cuMemcpyHtoDAsync_v2(to: DevicePtr, from: *const c_void, bytes: usize, stream: Stream);
    fn cuMemcpyDtoHAsync_v2(to: *mut c_void, from: DevicePtr, bytes: usize, stream: Stream);
    fn cuMemcpyDtoDAsync_v2(to: DevicePtr, from: DevicePtr, bytes: usize, stream: Stream);
    fn cuMemsetD8Async(to: DevicePtr, value: u8, count: usize, stream: Stream);
    fn cuMemsetD32Async(to: DevicePtr, value: u32, count: usize, stream: Stream);

    fn cuStreamCreate(stream: *mut Stream, flags: u32);
    fn cuStreamDestroy_v2(stream: Stream);
    fn cuStreamSynchronize(stream: Stream);
    fn cuEventCreate(event: *mut Event, flags: u32);
    fn cuEventRecord(event: Event, stream: Stream);
    fn cuEventSynchronize(event: Event);
    fn cuEventElapsedTime(milliseconds: *mut f32, start: Event, end: Event);
    fn cuEventDestroy_v2(event: Event);
    fn cuStreamWaitEvent(stream: Stream, event: Event, flags: u32);

    fn cuStreamBeginCapture_v2(stream: Stream, mode: u32);
    fn cuStreamIsCapturing(stream: Stream, status: *mut u32);
    fn cuStreamEndCapture(stream: Stream, graph: *mut Graph);
    fn cuGraphInstantiateWithFlags(exec: *mut GraphExec, graph: Graph, flags: u64);
    fn cuGraphLaunch(exec: GraphExec, stream: Stream);
    fn cuGraphDestroy(graph: Graph);
    fn cuGraphExecDestroy(exec: GraphExec);
}
