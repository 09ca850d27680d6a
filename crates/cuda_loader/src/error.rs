//! What a failed driver call tells the user.
//!
//! A CUDA code alone helps nobody. [`DriverError`] prints the call, the code with its CUDA name
//! and meaning, what more is known (a JIT log, say), and for the failures that users can cure,
//! the cure.

use std::ffi::{CStr, c_char};
use std::fmt;
use std::ptr;

use crate::provider::{self, Slot};

/// The CUDA codes that this crate, or a driver written in Rust, gives or explains.
pub mod code {
    /// An argument is out of range; also the free of an address that is no allocation.
    pub const INVALID_VALUE: u32 = 1;
    /// No memory is left.
    pub const OUT_OF_MEMORY: u32 = 2;
    /// `cuInit` was not called.
    pub const NOT_INITIALIZED: u32 = 3;
    /// No driver library, or one that stands in for it while linking.
    pub const STUB_LIBRARY: u32 = 34;
    /// A driver without a GPU.
    pub const NO_DEVICE: u32 = 100;
    /// No GPU has this number.
    pub const INVALID_DEVICE: u32 = 101;
    /// The module is no module.
    pub const INVALID_IMAGE: u32 = 200;
    /// No context is current, or the wrong one.
    pub const INVALID_CONTEXT: u32 = 201;
    /// The module holds no code that this GPU can run.
    pub const NO_BINARY_FOR_GPU: u32 = 209;
    /// The PTX does not assemble.
    pub const INVALID_PTX: u32 = 218;
    /// The PTX is newer than the driver.
    pub const UNSUPPORTED_PTX_VERSION: u32 = 222;
    /// The driver lacks a function.
    pub const SYMBOL_NOT_FOUND: u32 = 302;
    /// No object has this handle.
    pub const INVALID_HANDLE: u32 = 400;
    /// The object is in the wrong state for the call.
    pub const ILLEGAL_STATE: u32 = 401;
    /// No kernel or variable has this name.
    pub const NOT_FOUND: u32 = 500;
    /// A kernel accessed memory that is not its own.
    pub const ILLEGAL_ADDRESS: u32 = 700;
    /// The launch needs more threads or registers than the kernel or the GPU has.
    pub const LAUNCH_OUT_OF_RESOURCES: u32 = 701;
    /// A kernel accessed a misaligned address.
    pub const MISALIGNED_ADDRESS: u32 = 716;
    /// A kernel failed.
    pub const LAUNCH_FAILED: u32 = 719;
    /// A cooperative launch has more blocks than the GPU holds at once.
    pub const COOPERATIVE_LAUNCH_TOO_LARGE: u32 = 720;
    /// `CUDA_ERROR_INVALID_CLUSTER_SIZE`.
    pub const INVALID_CLUSTER_SIZE: u32 = 912;
    /// The driver or GPU cannot do this.
    pub const NOT_SUPPORTED: u32 = 801;
    /// The call is forbidden while a stream is captured.
    pub const STREAM_CAPTURE_UNSUPPORTED: u32 = 900;
    /// A forbidden call spoilt the capture.
    pub const STREAM_CAPTURE_INVALIDATED: u32 = 901;
    /// Another stream began the capture.
    pub const STREAM_CAPTURE_UNMATCHED: u32 = 903;
    /// The event was recorded in a capture.
    pub const CAPTURED_EVENT: u32 = 907;
    /// Another thread began the capture.
    pub const STREAM_CAPTURE_WRONG_THREAD: u32 = 908;
    /// A code that the caller's list of codes does not hold.
    pub const UNKNOWN: u32 = 999;
}

/// A driver call that failed.
///
/// ```
/// use cuda_loader::DriverError;
///
/// let error = DriverError::new("cuMemAlloc_v2", 2);
/// assert_eq!(
///     error.to_string(),
///     "cuMemAlloc_v2 failed: CUDA error 2, CUDA_ERROR_OUT_OF_MEMORY (out of memory)"
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DriverError {
    /// The driver function that failed.
    pub call: &'static str,
    /// CUDA's code, never 0.
    pub code: u32,
    /// What else is known, such as the JIT compiler's log; may be empty.
    pub detail: String,
}

impl DriverError {
    /// The error of `call`, which returned `code`.
    #[cold]
    pub fn new(call: &'static str, code: u32) -> DriverError {
        DriverError { call, code, detail: String::new() }
    }

    /// The same error with more text about the cause.
    #[must_use]
    pub fn with_detail(self, detail: impl Into<String>) -> DriverError {
        DriverError { detail: detail.into(), ..self }
    }

    /// Whether the cause is that this machine has no NVIDIA driver.
    pub fn is_no_driver(&self) -> bool {
        self.code == code::STUB_LIBRARY
    }

    /// Whether the cause is that the driver sees no GPU, or none of the number asked for.
    pub fn is_no_device(&self) -> bool {
        matches!(self.code, code::NO_DEVICE | code::INVALID_DEVICE)
    }
}

impl std::error::Error for DriverError {}

impl fmt::Display for DriverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let DriverError { call, code, detail } = self;
        if self.is_no_driver() {
            write!(f, "{call} failed: {}", no_driver_text())?;
            return write!(f, " (CUDA error {code}, {})", name(*code));
        }
        write!(f, "{call} failed: CUDA error {code}, {} ({})", name(*code), meaning(*code))?;
        if !detail.is_empty() {
            write!(f, ": {detail}")?;
        }
        remedy(*code).map_or(Ok(()), |remedy| write!(f, "; {remedy}"))
    }
}

/// What a machine without a driver is told.
pub(crate) fn no_driver_text() -> String {
    let reason = provider::missing_reason().unwrap_or("a stub library stands in for it");
    format!(
        "no NVIDIA driver: libcuda.so.1 could not be loaded ({reason}); \
         install the NVIDIA driver, or in a container start it with the host's GPUs"
    )
}

/// What the user can do about `code`, where that is known.
fn remedy(code: u32) -> Option<&'static str> {
    Some(match code {
        code::NO_DEVICE => {
            "the driver sees no GPU: check `nvidia-smi`, CUDA_VISIBLE_DEVICES, and that a \
             container was given its GPUs"
        }
        code::INVALID_DEVICE => {
            "GPUs are numbered from 0: `nvidia-smi -L` lists them, and CUDA_VISIBLE_DEVICES may \
             hide some"
        }
        code::NO_BINARY_FOR_GPU => {
            "the module was built for other GPUs: build its PTX for this GPU's compute \
             capability or an older one"
        }
        code::UNSUPPORTED_PTX_VERSION => {
            "update the driver to one that supports this PTX ISA, or build the PTX for an \
             older ISA"
        }
        code::SYMBOL_NOT_FOUND => {
            "the driver is too old to have this function: update the NVIDIA driver"
        }
        _ => return None,
    })
}

/// The CUDA name of `code`, such as `CUDA_ERROR_OUT_OF_MEMORY`.
pub fn name(code: u32) -> &'static str {
    known(code).map(|entry| entry.1).or_else(|| ask_driver(&NAME, code)).unwrap_or("unknown code")
}

/// What `code` means, in a few words.
pub fn meaning(code: u32) -> &'static str {
    known(code).map(|entry| entry.2).or_else(|| ask_driver(&MEANING, code)).unwrap_or("unknown")
}

/// The table's line for `code`.
fn known(code: u32) -> Option<&'static (u32, &'static str, &'static str)> {
    KNOWN.iter().find(|entry| entry.0 == code)
}

static NAME: Slot = Slot::new("cuGetErrorName\0");
static MEANING: Slot = Slot::new("cuGetErrorString\0");

/// Asks `slot`, a function of the driver, for a text about `code`.
fn ask_driver(slot: &Slot, code: u32) -> Option<&'static str> {
    type Describe = unsafe extern "C" fn(u32, *mut *const c_char) -> u32;
    let address = slot.address().ok()?;
    // SAFETY: both functions that come here, cuGetErrorName and cuGetErrorString, are declared
    // with this signature in the CUDA header.
    let describe =
        unsafe { std::mem::transmute::<*mut std::ffi::c_void, Describe>(address.as_ptr()) };
    let mut text = ptr::null();
    // SAFETY: the driver accepts every code, and writes one pointer to the place given.
    let status = unsafe { describe(code, &mut text) };
    if status != 0 || text.is_null() {
        return None;
    }
    // SAFETY: on success the driver gives a zero-terminated text that lives as long as it does,
    // and the driver is never unloaded.
    unsafe { CStr::from_ptr(text) }.to_str().ok()
}

/// Code, name and meaning of the errors that users of this crate meet. It answers before the
/// driver does, so that the texts are there without one and alike with every version.
#[rustfmt::skip]
const KNOWN: &[(u32, &str, &str)] = &[
    (0, "CUDA_SUCCESS", "no error"),
    (1, "CUDA_ERROR_INVALID_VALUE", "invalid argument"),
    (2, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"),
    (3, "CUDA_ERROR_NOT_INITIALIZED", "the driver is not initialised"),
    (4, "CUDA_ERROR_DEINITIALIZED", "the driver is shutting down"),
    (34, "CUDA_ERROR_STUB_LIBRARY", "no driver, or a stub library in its place"),
    (46, "CUDA_ERROR_DEVICE_UNAVAILABLE", "the device is busy or unavailable"),
    (100, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device"),
    (101, "CUDA_ERROR_INVALID_DEVICE", "no device of this number"),
    (200, "CUDA_ERROR_INVALID_IMAGE", "the module is damaged, or neither PTX nor a binary"),
    (201, "CUDA_ERROR_INVALID_CONTEXT", "no current context, or a wrong one"),
    (209, "CUDA_ERROR_NO_BINARY_FOR_GPU", "no kernel image for this device"),
    (214, "CUDA_ERROR_ECC_UNCORRECTABLE", "uncorrectable memory error of the GPU"),
    (215, "CUDA_ERROR_UNSUPPORTED_LIMIT", "this limit is not supported"),
    (218, "CUDA_ERROR_INVALID_PTX", "the PTX does not assemble"),
    (220, "CUDA_ERROR_NVLINK_UNCORRECTABLE", "uncorrectable NVLink error"),
    (221, "CUDA_ERROR_JIT_COMPILER_NOT_FOUND", "the driver's PTX compiler is missing"),
    (222, "CUDA_ERROR_UNSUPPORTED_PTX_VERSION", "the PTX is newer than the driver"),
    (223, "CUDA_ERROR_JIT_COMPILATION_DISABLED", "PTX compilation is switched off"),
    (300, "CUDA_ERROR_INVALID_SOURCE", "invalid kernel source"),
    (301, "CUDA_ERROR_FILE_NOT_FOUND", "file not found"),
    (302, "CUDA_ERROR_SHARED_OBJECT_SYMBOL_NOT_FOUND", "the driver lacks this function"),
    (303, "CUDA_ERROR_SHARED_OBJECT_INIT_FAILED", "a library failed to initialise"),
    (304, "CUDA_ERROR_OPERATING_SYSTEM", "an operating system call failed"),
    (400, "CUDA_ERROR_INVALID_HANDLE", "invalid handle"),
    (401, "CUDA_ERROR_ILLEGAL_STATE", "the object is in the wrong state"),
    (500, "CUDA_ERROR_NOT_FOUND", "not found"),
    (600, "CUDA_ERROR_NOT_READY", "not finished yet"),
    (700, "CUDA_ERROR_ILLEGAL_ADDRESS", "a kernel accessed memory that is not its own"),
    (701, "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES",
     "the launch needs more threads or registers than there are"),
    (702, "CUDA_ERROR_LAUNCH_TIMEOUT", "a kernel ran too long"),
    (708, "CUDA_ERROR_PRIMARY_CONTEXT_ACTIVE", "the primary context is already active"),
    (709, "CUDA_ERROR_CONTEXT_IS_DESTROYED", "the context was destroyed"),
    (710, "CUDA_ERROR_ASSERT", "an assertion failed in a kernel"),
    (712, "CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED", "the host memory is already registered"),
    (713, "CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED", "the host memory is not registered"),
    (714, "CUDA_ERROR_HARDWARE_STACK_ERROR", "a kernel overflowed or damaged its stack"),
    (715, "CUDA_ERROR_ILLEGAL_INSTRUCTION", "a kernel ran an illegal instruction"),
    (716, "CUDA_ERROR_MISALIGNED_ADDRESS", "a kernel accessed a misaligned address"),
    (717, "CUDA_ERROR_INVALID_ADDRESS_SPACE", "a kernel used an address of the wrong space"),
    (718, "CUDA_ERROR_INVALID_PC", "a kernel jumped to an invalid address"),
    (719, "CUDA_ERROR_LAUNCH_FAILED", "a kernel failed"),
    (720, "CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE", "too many blocks for a cooperative launch"),
    (800, "CUDA_ERROR_NOT_PERMITTED", "not permitted"),
    (801, "CUDA_ERROR_NOT_SUPPORTED", "not supported"),
    (802, "CUDA_ERROR_SYSTEM_NOT_READY", "the system is not ready; is the fabric manager running?"),
    (803, "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH", "the kernel driver and libcuda differ in version"),
    (804, "CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE",
     "forward compatibility is not supported here"),
    (900, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED", "not permitted while the stream is capturing"),
    (901, "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED", "an earlier error spoilt the capture"),
    (902, "CUDA_ERROR_STREAM_CAPTURE_MERGE", "the call would join two captures"),
    (903, "CUDA_ERROR_STREAM_CAPTURE_UNMATCHED", "this stream did not begin the capture"),
    (904, "CUDA_ERROR_STREAM_CAPTURE_UNJOINED",
     "a forked stream was not joined before the capture ended"),
    (905, "CUDA_ERROR_STREAM_CAPTURE_ISOLATION", "a dependency would leave the capture"),
    (906, "CUDA_ERROR_STREAM_CAPTURE_IMPLICIT", "the default stream cannot take part in a capture"),
    (907, "CUDA_ERROR_CAPTURED_EVENT", "the event was recorded in a capture"),
    (908, "CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD", "another thread began the capture"),
    (910, "CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE", "the graph cannot be updated in place"),
    (912, "CUDA_ERROR_INVALID_CLUSTER_SIZE", "the cluster is too large for this kernel or GPU"),
    (999, "CUDA_ERROR_UNKNOWN", "unknown error"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_has_no_code_twice() {
        assert!(KNOWN.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }

    #[test]
    fn curable_errors_say_how() {
        let text = |code| DriverError::new("cuCall", code).to_string();
        assert!(text(100).contains("CUDA_VISIBLE_DEVICES"), "{}", text(100));
        assert!(text(101).contains("numbered from 0"), "{}", text(101));
        assert!(text(209).contains("compute capability"), "{}", text(209));
        assert!(text(222).contains("update the driver"), "{}", text(222));
        assert!(text(302).contains("too old"), "{}", text(302));
        assert!(text(34).contains("no NVIDIA driver: libcuda.so.1 could not"), "{}", text(34));
    }

    #[test]
    fn a_missing_device_is_told_from_other_errors() {
        let missing = |code| DriverError::new("cuDeviceGet", code).is_no_device();
        assert!(missing(100) && missing(101));
        assert!(!missing(34) && !missing(46) && !missing(999));
    }

    #[test]
    fn the_detail_stands_before_the_cure() {
        let error = DriverError::new("cuModuleLoadDataEx", 218).with_detail("line 3: no such op");
        assert!(error.to_string().ends_with("(the PTX does not assemble): line 3: no such op"));
    }

    #[test]
    fn an_unlisted_code_still_prints_its_number() {
        assert!(DriverError::new("cuCall", 987_654).to_string().contains("987654"));
    }
}
