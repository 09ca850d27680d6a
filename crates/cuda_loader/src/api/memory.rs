//! Device memory: allocation, copies and fills.
//!
//! The copies and fills are enqueued on a stream and may run after the call has returned.

use std::ffi::c_void;

use super::raw;
use crate::error::DriverError;
use crate::handle::{DevicePtr, Stream};

/// Allocates `bytes` bytes, aligned to 256. They are not initialised.
///
/// # Errors
///
/// 2 (out of memory), 1 (invalid value) for 0 bytes.
pub fn mem_alloc(bytes: usize) -> Result<DevicePtr, DriverError> {
    let mut address = DevicePtr::NULL;
    // SAFETY: the driver writes one address to the place given.
    unsafe { raw::cuMemAlloc_v2(&mut address, bytes) }
        .map_err(|error| error.with_detail(format!("{bytes} bytes")))?;
    Ok(address)
}

/// Frees an allocation; it waits for the work that uses it.
///
/// # Safety
///
/// `address` came from [`mem_alloc`] and is not used after this call.
pub unsafe fn mem_free(address: DevicePtr) -> Result<(), DriverError> {
    // SAFETY: the caller vouches for the address.
    unsafe { raw::cuMemFree_v2(address) }
}

/// Free and total bytes of the current context's GPU.
pub fn mem_get_info() -> Result<(usize, usize), DriverError> {
    let (mut free, mut total) = (0, 0);
    // SAFETY: the driver writes two sizes to the places given.
    unsafe { raw::cuMemGetInfo_v2(&mut free, &mut total) }?;
    Ok((free, total))
}

/// Enqueues a copy from host to device.
///
/// # Safety
///
/// - `stream` is live or null; both memories have `bytes` bytes.
/// - Until the stream has got past the copy, the host memory stays valid and unchanged, and
///   nothing else uses the device memory.
pub unsafe fn memcpy_htod_async(
    to: DevicePtr,
    from: *const c_void,
    bytes: usize,
    stream: Stream,
) -> Result<(), DriverError> {
    // SAFETY: the caller vouches for stream and memory.
    unsafe { raw::cuMemcpyHtoDAsync_v2(to, from, bytes, stream) }
}

/// Enqueues a copy from device to host.
///
/// # Safety
///
/// - `stream` is live or null; both memories have `bytes` bytes.
/// - Until the stream has got past the copy, the host memory stays valid and is used by nobody,
///   and nothing else writes the device memory.
pub unsafe fn memcpy_dtoh_async(
    to: *mut c_void,
    from: DevicePtr,
    bytes: usize,
    stream: Stream,
) -> Result<(), DriverError> {
    // SAFETY: the caller vouches for stream and memory.
    unsafe { raw::cuMemcpyDtoHAsync_v2(to, from, bytes, stream) }
}

/// Enqueues a copy within device memory.
///
/// # Safety
///
/// - `stream` is live or null; both memories have `bytes` bytes and do not overlap.
/// - Until the stream has got past the copy, both stay allocated and nothing else uses them.
pub unsafe fn memcpy_dtod_async(
    to: DevicePtr,
    from: DevicePtr,
    bytes: usize,
    stream: Stream,
) -> Result<(), DriverError> {
    // SAFETY: the caller vouches for stream and memory.
    unsafe { raw::cuMemcpyDtoDAsync_v2(to, from, bytes, stream) }
}

/// Enqueues a fill of `count` bytes with `value`.
///
/// # Safety
///
/// - `stream` is live or null; the memory has `count` bytes.
/// - Until the stream has got past the fill, it stays allocated and nothing else uses it.
pub unsafe fn memset_d8_async(
    to: DevicePtr,
    value: u8,
    count: usize,
    stream: Stream,
) -> Result<(), DriverError> {
    // SAFETY: the caller vouches for stream and memory.
    unsafe { raw::cuMemsetD8Async(to, value, count, stream) }
}

/// Enqueues a fill of `count` 32-bit words with `value`.
///
/// # Safety
///
/// - `stream` is live or null; `to` is a multiple of 4 and the memory has `4 * count` bytes.
/// - Until the stream has got past the fill, it stays allocated and nothing else uses it.
pub unsafe fn memset_d32_async(
    to: DevicePtr,
    value: u32,
    count: usize,
    stream: Stream,
) -> Result<(), DriverError> {
    // SAFETY: the caller vouches for stream and memory.
    unsafe { raw::cuMemsetD32Async(to, value, count, stream) }
}
