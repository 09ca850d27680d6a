//! Opening devices.
use std::ffi::{CString, c_char};

use aikf_topk::{DeviceChoice, Runtime};

use super::arguments::{give, reference, text};
use super::status::{Fault, aikf_status, c_text, guard, guard_text};

/// An open device. Threads may share it.
pub struct aikf_runtime {
    pub(crate) runtime: Runtime,
    device: CString,
}

/// Opens a device: "cuda" or "cuda:0" for the first GPU, "cuda:1" for the next, "cpu" for the
/// host's cores, "emulator" for the GPU's code path on them (in builds that have it), "auto" for
/// the first GPU or else the host's cores. NULL is what the environment says: AIKF_DEVICE, else
/// "auto".
///
/// On a GPU it uses the primary context, as PyTorch and CUDA's runtime do, so that their addresses
/// and streams are this library's too. It makes that context current on the calling thread, as do
/// the functions that prepare and run.
///
/// # Safety
/// `device` is NULL or a text that ends in a zero byte; `runtime` has room for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn aikf_runtime_open(
    device: *const c_char,
    runtime: *mut *mut aikf_runtime,
) -> aikf_status {
    let open = || {
        // SAFETY: the caller's duty, unchanged.
        let runtime = match unsafe { text("device", device) }? {
            None => Runtime::new()?,
            Some(name) => Runtime::open(choice(name)?)?,
        };
        let device = c_text(&runtime.device().to_string());
        Ok(aikf_runtime { runtime, device })
    };
    // SAFETY: the caller's duty, unchanged.
    guard(|| unsafe { give("runtime", runtime, open) })
}

fn choice(name: &str) -> Result<DeviceChoice, Fault> {
    name.parse().map_err(|legal: String| Fault::argument("device", format!("{name:?}"), legal))
}

/// What was opened, such as "cuda:0"; never "auto". It lives as long as the runtime. NULL where
/// `runtime` is.
///
/// # Safety
/// `runtime` is NULL or open.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn aikf_runtime_device(runtime: *const aikf_runtime) -> *const c_char {
    // SAFETY: the caller's duty, unchanged.
    guard_text(|| Ok(unsafe { reference("runtime", runtime) }?.device.as_ptr()))
}

/// Closes a device. What was prepared on it keeps it open until it is freed. NULL is left alone.
///
/// # Safety
/// `runtime` is NULL or open, and not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn aikf_runtime_close(runtime: *mut aikf_runtime) {
    // SAFETY: the caller's duty, unchanged.
    unsafe { super::arguments::free(runtime) };
}
