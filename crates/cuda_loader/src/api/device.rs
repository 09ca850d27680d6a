//! The driver itself, the GPUs, and contexts.

use std::ffi::c_char;

use super::raw;
use crate::error::DriverError;
use crate::handle::{Context, Device};

/// A number that the driver knows about a GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DeviceAttribute(pub i32);

/// The attributes that matter for choosing and shaping a launch, by their CUDA numbers.
impl DeviceAttribute {
    /// Threads of a block, at most.
    pub const MAX_THREADS_PER_BLOCK: DeviceAttribute = DeviceAttribute(1);
    /// Blocks of a grid in x, at most.
    pub const MAX_GRID_DIM_X: DeviceAttribute = DeviceAttribute(5);
    /// Bytes of shared memory of a block, unless its kernel opts in to more.
    pub const MAX_SHARED_MEMORY_PER_BLOCK: DeviceAttribute = DeviceAttribute(8);
    /// Threads of a warp.
    pub const WARP_SIZE: DeviceAttribute = DeviceAttribute(10);
    /// Registers of a block, at most.
    pub const MAX_REGISTERS_PER_BLOCK: DeviceAttribute = DeviceAttribute(12);
    /// Clock in kHz.
    pub const CLOCK_RATE: DeviceAttribute = DeviceAttribute(13);
    /// Multiprocessors of the GPU.
    pub const MULTIPROCESSOR_COUNT: DeviceAttribute = DeviceAttribute(16);
    /// Memory clock in kHz.
    pub const MEMORY_CLOCK_RATE: DeviceAttribute = DeviceAttribute(36);
    /// Width of the memory bus in bits.
    pub const GLOBAL_MEMORY_BUS_WIDTH: DeviceAttribute = DeviceAttribute(37);
    /// Bytes of the L2 cache.
    pub const L2_CACHE_SIZE: DeviceAttribute = DeviceAttribute(38);
    /// Threads that a multiprocessor holds at once.
    pub const MAX_THREADS_PER_MULTIPROCESSOR: DeviceAttribute = DeviceAttribute(39);
    /// First number of the compute capability, 9 of 9.0.
    pub const COMPUTE_CAPABILITY_MAJOR: DeviceAttribute = DeviceAttribute(75);
    /// Second number of the compute capability, 0 of 9.0.
    pub const COMPUTE_CAPABILITY_MINOR: DeviceAttribute = DeviceAttribute(76);
    /// Bytes of shared memory of a multiprocessor.
    pub const MAX_SHARED_MEMORY_PER_MULTIPROCESSOR: DeviceAttribute = DeviceAttribute(81);
    /// Registers of a multiprocessor.
    pub const MAX_REGISTERS_PER_MULTIPROCESSOR: DeviceAttribute = DeviceAttribute(82);
    /// Bytes of shared memory of a block whose kernel opts in.
    pub const MAX_SHARED_MEMORY_PER_BLOCK_OPTIN: DeviceAttribute = DeviceAttribute(97);
    /// Blocks that a multiprocessor holds at once.
    pub const MAX_BLOCKS_PER_MULTIPROCESSOR: DeviceAttribute = DeviceAttribute(106);
    /// Bytes of shared memory that the driver keeps of every block.
    pub const RESERVED_SHARED_MEMORY_PER_BLOCK: DeviceAttribute = DeviceAttribute(111);
    /// Whether the GPU launches clusters.
    pub const CLUSTER_LAUNCH: DeviceAttribute = DeviceAttribute(120);
}

/// Starts the driver. Every other call comes after; starting it again costs nothing.
///
/// # Errors
///
/// [`DriverError::is_no_driver`] without a driver, [`DriverError::is_no_device`] without a GPU.
pub fn init() -> Result<(), DriverError> {
    // SAFETY: the only flags that the driver knows are 0.
    unsafe { raw::cuInit(0) }
}

/// The CUDA version of the driver, 1000 times the major plus 10 times the minor number.
pub fn driver_version() -> Result<i32, DriverError> {
    let mut version = 0;
    // SAFETY: the driver writes one integer to the place given.
    unsafe { raw::cuDriverGetVersion(&mut version) }?;
    Ok(version)
}

/// How many GPUs the driver sees.
pub fn device_count() -> Result<i32, DriverError> {
    let mut count = 0;
    // SAFETY: the driver writes one integer to the place given.
    unsafe { raw::cuDeviceGetCount(&mut count) }?;
    Ok(count)
}

/// The GPU number `ordinal`, counted from 0.
pub fn device_get(ordinal: i32) -> Result<Device, DriverError> {
    let mut device = Device(0);
    // SAFETY: the driver checks the ordinal and writes one device to the place given.
    unsafe { raw::cuDeviceGet(&mut device, ordinal) }?;
    Ok(device)
}

/// The name of a GPU, such as "NVIDIA H200".
pub fn device_name(device: Device) -> Result<String, DriverError> {
    let mut name = [0u8; 256];
    let start = name.as_mut_ptr().cast::<c_char>();
    // SAFETY: the driver checks the device and writes at most the 256 bytes that `start` has.
    unsafe { raw::cuDeviceGetName(start, 256, device) }?;
    let end = name.iter().position(|&byte| byte == 0).unwrap_or(name.len());
    Ok(String::from_utf8_lossy(&name[..end]).into_owned())
}

/// A number about a GPU.
pub fn device_attribute(device: Device, attribute: DeviceAttribute) -> Result<i32, DriverError> {
    let mut value = 0;
    // SAFETY: the driver checks device and attribute, and writes one integer to the place given.
    unsafe { raw::cuDeviceGetAttribute(&mut value, attribute.0, device) }?;
    Ok(value)
}

/// Bytes of memory of a GPU.
pub fn device_total_memory(device: Device) -> Result<usize, DriverError> {
    let mut bytes = 0;
    // SAFETY: the driver checks the device and writes one size to the place given.
    unsafe { raw::cuDeviceTotalMem_v2(&mut bytes, device) }?;
    Ok(bytes)
}

/// The identity of a GPU, the same in every process.
pub fn device_uuid(device: Device) -> Result<[u8; 16], DriverError> {
    let mut uuid = [0; 16];
    // SAFETY: the driver checks the device and writes 16 bytes to the place given.
    unsafe { raw::cuDeviceGetUuid(&mut uuid, device) }?;
    Ok(uuid)
}

/// The context that all libraries of the process share, kept alive until it is released as often
/// as it was retained. It is not current by that: see [`ctx_set_current`].
pub fn primary_context_retain(device: Device) -> Result<Context, DriverError> {
    let mut context = Context::NULL;
    // SAFETY: the driver checks the device and writes one handle to the place given.
    unsafe { raw::cuDevicePrimaryCtxRetain(&mut context, device) }?;
    Ok(context)
}

/// Gives back one [`primary_context_retain`]; the last one destroys the context.
///
/// # Safety
///
/// The caller retained the context, and uses nothing made in it after this call.
pub unsafe fn primary_context_release(device: Device) -> Result<(), DriverError> {
    // SAFETY: the driver checks the device; the caller is done with the context.
    unsafe { raw::cuDevicePrimaryCtxRelease_v2(device) }
}

/// Makes `context` the one that this thread's calls go to; [`Context::NULL`] for none.
///
/// # Safety
///
/// `context` is live or null.
pub unsafe fn ctx_set_current(context: Context) -> Result<(), DriverError> {
    // SAFETY: the caller vouches for the handle.
    unsafe { raw::cuCtxSetCurrent(context) }
}

/// The context that this thread's calls go to; [`Context::NULL`] if there is none.
pub fn ctx_get_current() -> Result<Context, DriverError> {
    let mut context = Context::NULL;
    // SAFETY: the driver writes one handle to the place given.
    unsafe { raw::cuCtxGetCurrent(&mut context) }?;
    Ok(context)
}

/// Waits for all work of the current context, and reports what failed in it.
pub fn ctx_synchronize() -> Result<(), DriverError> {
    // SAFETY: the call has no arguments.
    unsafe { raw::cuCtxSynchronize() }
}
