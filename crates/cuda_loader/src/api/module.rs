//! PTX modules, their kernels, and the kernels' attributes.

use std::ffi::{CStr, CString, c_void};

use super::{driver_version, raw};
use crate::error::{DriverError, code};
use crate::handle::{Function, Module};

/// A number that the driver keeps about a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FunctionAttribute(pub i32);

/// The attributes that matter for launches, by their CUDA numbers.
impl FunctionAttribute {
    /// Threads of a block that this kernel can have, given its registers.
    pub const MAX_THREADS_PER_BLOCK: FunctionAttribute = FunctionAttribute(0);
    /// Bytes of shared memory that the kernel declares itself.
    pub const SHARED_SIZE_BYTES: FunctionAttribute = FunctionAttribute(1);
    /// Bytes of local memory of a thread; more than 0 often means spilled registers.
    pub const LOCAL_SIZE_BYTES: FunctionAttribute = FunctionAttribute(3);
    /// Registers of a thread.
    pub const NUM_REGISTERS: FunctionAttribute = FunctionAttribute(4);
    /// The virtual architecture of the PTX, 90 for `sm_90`.
    pub const PTX_VERSION: FunctionAttribute = FunctionAttribute(5);
    /// The architecture of the machine code, 90 for `sm_90`.
    pub const BINARY_VERSION: FunctionAttribute = FunctionAttribute(6);
    /// Bytes of dynamic shared memory that a launch may ask for. More than 48 KiB has to be
    /// allowed here first.
    pub const MAX_DYNAMIC_SHARED: FunctionAttribute = FunctionAttribute(8);
    /// Whether clusters of more than 8 blocks are allowed.
    pub const NON_PORTABLE_CLUSTER: FunctionAttribute = FunctionAttribute(14);
}

/// `CU_JIT_ERROR_LOG_BUFFER` and `CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES`.
const LOG_OPTIONS: [u32; 2] = [5, 6];

/// Room for the JIT compiler's complaints; it cuts them off where they do not fit.
const LOG_BYTES: usize = 16 << 10;

/// Compiles `ptx` for the current context's GPU and loads it.
///
/// # Errors
///
/// A [`DriverError`] whose detail is the JIT compiler's log; 218 for PTX that does not assemble,
/// 222 for PTX that is newer than the driver, and then the detail names both versions.
pub fn module_load(ptx: &str) -> Result<Module, DriverError> {
    const CALL: &str = "cuModuleLoadDataEx";
    let text = CString::new(ptx).map_err(|error| {
        DriverError::new(CALL, code::INVALID_PTX).with_detail(error.to_string())
    })?;
    let mut log = vec![0u8; LOG_BYTES];
    let mut options = LOG_OPTIONS;
    // The driver takes the size itself in place of a pointer to it.
    let mut values = [log.as_mut_ptr().cast(), LOG_BYTES as *mut c_void];
    let mut module = Module::NULL;
    let image = text.as_ptr().cast();
    // SAFETY: `image` is zero-terminated text; both arrays have the two members announced; the
    // log buffer has the size given and outlives the call.
    let loaded = unsafe {
        raw::cuModuleLoadDataEx(&mut module, image, 2, options.as_mut_ptr(), values.as_mut_ptr())
    };
    match loaded {
        Ok(()) => Ok(module),
        Err(error) => Err(explain_load(error, ptx, &log)),
    }
}

/// Adds the JIT log to `error`, and the versions if those are what it is about.
#[cold]
fn explain_load(error: DriverError, ptx: &str, log: &[u8]) -> DriverError {
    let end = log.iter().position(|&byte| byte == 0).unwrap_or(log.len());
    let mut detail = String::from_utf8_lossy(&log[..end]).trim().to_owned();
    if error.code == code::UNSUPPORTED_PTX_VERSION {
        let driver = driver_version().map_or("an unknown version".to_owned(), cuda_version);
        let wanted = ptx_version(ptx).unwrap_or("unknown");
        let versions = format!("the PTX is of ISA {wanted}, the driver supports CUDA {driver}");
        detail = if detail.is_empty() { versions } else { format!("{versions}; {detail}") };
    }
    error.with_detail(detail)
}

/// A driver version as people write it: 12.4 for 12040.
pub fn cuda_version(version: i32) -> String {
    format!("{}.{}", version / 1000, version % 1000 / 10)
}

/// The ISA version that PTX text declares.
pub fn ptx_version(ptx: &str) -> Option<&str> {
    ptx.lines().find_map(|line| line.trim().strip_prefix(".version")).map(str::trim)
}

/// Frees a module and its kernels.
///
/// # Safety
///
/// `module` is live, and neither it nor its functions are used after this call.
pub unsafe fn module_unload(module: Module) -> Result<(), DriverError> {
    // SAFETY: the caller vouches for the handle.
    unsafe { raw::cuModuleUnload(module) }
}

/// The kernel `name` of a module.
///
/// # Errors
///
/// 500 (not found), with the name as detail.
///
/// # Safety
///
/// `module` is live.
pub unsafe fn module_get_function(module: Module, name: &CStr) -> Result<Function, DriverError> {
    let mut function = Function::NULL;
    // SAFETY: the caller vouches for the module; the name is zero-terminated; the driver writes
    // one handle to the place given.
    unsafe { raw::cuModuleGetFunction(&mut function, module, name.as_ptr()) }
        .map_err(|error| error.with_detail(format!("kernel {}", name.to_string_lossy())))?;
    Ok(function)
}

/// Sets a number about a kernel, such as [`FunctionAttribute::MAX_DYNAMIC_SHARED`].
///
/// # Safety
///
/// `function` is live.
pub unsafe fn function_set_attribute(
    function: Function,
    attribute: FunctionAttribute,
    value: i32,
) -> Result<(), DriverError> {
    // SAFETY: the caller vouches for the handle; the driver checks attribute and value.
    unsafe { raw::cuFuncSetAttribute(function, attribute.0, value) }
}

/// A number about a kernel.
///
/// # Safety
///
/// `function` is live.
pub unsafe fn function_get_attribute(
    function: Function,
    attribute: FunctionAttribute,
) -> Result<i32, DriverError> {
    let mut value = 0;
    // SAFETY: the caller vouches for the handle; the driver checks the attribute and writes one
    // integer to the place given.
    unsafe { raw::cuFuncGetAttribute(&mut value, attribute.0, function) }?;
    Ok(value)
}

/// How many blocks of `threads` threads and `shared_bytes` bytes of dynamic shared memory a
/// multiprocessor holds at once.
///
/// # Safety
///
/// `function` is live.
pub unsafe fn occupancy_max_active_blocks(
    function: Function,
    threads: u32,
    shared_bytes: usize,
) -> Result<i32, DriverError> {
    let mut blocks = 0;
    // A block of more threads than an i32 counts is refused by the driver like one of i32::MAX.
    let threads = i32::try_from(threads).unwrap_or(i32::MAX);
    // SAFETY: the caller vouches for the handle; the driver checks the shape and writes one
    // integer to the place given.
    unsafe {
        raw::cuOccupancyMaxActiveBlocksPerMultiprocessor(
            &mut blocks,
            function,
            threads,
            shared_bytes,
        )
    }?;
    Ok(blocks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_too_new_module_is_explained_with_both_versions() {
        let error = DriverError::new("cuModuleLoadDataEx", 222);
        let text = explain_load(error, "//\n.version 8.7\n.target sm_90\n", b"log\0\0").to_string();
        assert!(text.contains("the PTX is of ISA 8.7, the driver supports CUDA "), "{text}");
        assert!(text.contains("; log; update the driver"), "{text}");
    }

    #[test]
    fn versions_are_written_as_people_do() {
        assert_eq!(cuda_version(12040), "12.4");
        assert_eq!(ptx_version("no version"), None);
    }

    #[test]
    fn text_with_a_zero_byte_is_no_ptx() {
        assert_eq!(module_load("a\0b").unwrap_err().code, code::INVALID_PTX);
    }
}
