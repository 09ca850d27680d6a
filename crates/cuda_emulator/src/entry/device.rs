//! The driver itself and its one GPU.

use std::ffi::c_char;

use cuda_loader::error::code;

use super::{Out, entry_points, give};
use crate::device;
use crate::state::{self, Outcome};

/// Checks that the driver was started and the device is number 0, the only one.
pub(super) fn check_device(number: i32) -> Outcome {
    drop(state::started()?);
    if number == 0 { Ok(()) } else { Err(code::INVALID_DEVICE) }
}

entry_points! {
    /// Starts the driver.
    fn cuInit(flags: u32) {
        if flags != 0 {
            return Err(code::INVALID_VALUE);
        }
        state::lock().initialised = true;
        Ok(())
    }

    /// The CUDA version that the driver supports.
    fn cuDriverGetVersion(version: Out<'_, i32>) {
        give(version, device::DRIVER_VERSION)
    }

    /// How many GPUs there are.
    fn cuDeviceGetCount(count: Out<'_, i32>) {
        drop(state::started()?);
        give(count, 1)
    }

    /// A GPU by number.
    fn cuDeviceGet(device: Out<'_, i32>, ordinal: i32) {
        check_device(ordinal)?;
        give(device, ordinal)
    }

    /// The GPU's name, cut to fit.
    fn cuDeviceGetName(name: *mut c_char, bytes: i32, device: i32) {
        check_device(device)?;
        let room = usize::try_from(bytes).unwrap_or(0);
        if name.is_null() || room == 0 {
            return Err(code::INVALID_VALUE);
        }
        // SAFETY: the caller gives a buffer of `bytes` bytes, which is not null; to call bytes
        // that may be uninitialised `u8` is avoided by the element type.
        let buffer = unsafe {
            std::slice::from_raw_parts_mut(name.cast::<std::mem::MaybeUninit<u8>>(), room)
        };
        let text = device::NAME.bytes().take(room - 1).chain([0]);
        buffer.iter_mut().zip(text).for_each(|(to, byte)| {
            to.write(byte);
        });
        Ok(())
    }

    /// A number about the GPU.
    fn cuDeviceGetAttribute(value: Out<'_, i32>, attribute: i32, device: i32) {
        check_device(device)?;
        give(value, device::attribute(attribute).ok_or(code::INVALID_VALUE)?)
    }

    /// Bytes of device memory.
    fn cuDeviceTotalMem_v2(bytes: Out<'_, usize>, device: i32) {
        check_device(device)?;
        give(bytes, device::TOTAL_MEMORY)
    }

    /// The GPU's identity.
    fn cuDeviceGetUuid(uuid: Out<'_, [u8; 16]>, device: i32) {
        check_device(device)?;
        give(uuid, device::UUID)
    }

    /// The GPU's identity.
    fn cuDeviceGetUuid_v2(uuid: Out<'_, [u8; 16]>, device: i32) {
        check_device(device)?;
        give(uuid, device::UUID)
    }
}
