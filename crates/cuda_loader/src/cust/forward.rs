//! The functions that cust 0.3.2 calls, one line each.
//!
//! Arguments are passed on by size alone: pointers and handles as `Pointer`, device addresses
//! as `u64`, enums as `u32`, devices as `i32`.

use std::ffi::{c_char, c_void};

use super::Pointer;
use super::error::{error_string, for_cust};

/// Defines forwarders through a [`Slot`](crate::provider::Slot) each, and the table that keeps
/// them in the program.
macro_rules! forward {
    ($($name:ident($($argument:ident: $type:ty),*);)*) => {
        $(
            #[doc = concat!("Forwards to `", stringify!($name), "` of the driver.")]
            ///
            /// # Safety
            ///
            /// What the CUDA manual demands of the function's arguments.
            #[allow(non_snake_case, clippy::too_many_arguments)]
            #[unsafe(no_mangle)]
            unsafe extern "C" fn $name($($argument: $type),*) -> u32 {
                type Signature = unsafe extern "C" fn($($type),*) -> u32;
                static SLOT: $crate::provider::Slot =
                    $crate::provider::Slot::new(concat!(stringify!($name), "\0"));
                let address = match SLOT.address() {
                    Ok(address) => address.as_ptr(),
                    Err(code) => return for_cust(code),
                };
                // SAFETY: the driver's function of this name takes arguments of these sizes and
                // kinds, in this order, and returns a 32-bit code.
                let function = unsafe { std::mem::transmute::<*mut c_void, Signature>(address) };
                // SAFETY: the caller keeps the manual's demands.
                for_cust(unsafe { function($($argument),*) })
            }

            hide!(stringify!($name));
        )*

        /// Never called: it names every forwarder, so that the linker keeps them all.
        #[used]
        static KEEP: &[Address] = &[
            $(Address($name as *const c_void),)*
            Address(cuGetErrorString as *const c_void),
        ];
    };
}

/// Hides a symbol from other shared objects.
///
/// The visibility of a symbol is the strictest that any object file of the program gives it, so
/// one line of assembly is enough, and it needs no say in how the definition is compiled.
macro_rules! hide {
    ($name:expr) => {
        #[cfg(all(unix, not(target_vendor = "apple")))]
        core::arch::global_asm!(concat!(".hidden ", $name));
    };
}

/// The address of a function, in a form that a `static` may hold.
struct Address(#[expect(dead_code, reason = "the linker reads it")] *const c_void);

// SAFETY: nothing follows the pointer, which is that of a function.
unsafe impl Sync for Address {}

/// `cuGetErrorString`, which cust prints every error with, so it answers without a driver too.
///
/// # Safety
///
/// `text` is null or a place for a pointer.
#[allow(non_snake_case)]
#[unsafe(no_mangle)]
unsafe extern "C" fn cuGetErrorString(error: u32, text: *mut *const c_char) -> u32 {
    // SAFETY: the caller keeps the demands of this function, which are the same.
    unsafe { error_string(error, text) }
}

hide!("cuGetErrorString");

forward! {
    cuArray3DCreate_v2(a: Pointer, b: Pointer);
    cuArray3DGetDescriptor_v2(a: Pointer, b: Pointer);
    cuArrayDestroy(a: Pointer);
    cuCtxCreate_v2(a: Pointer, b: u32, c: i32);
    cuCtxDestroy_v2(a: Pointer);
    cuCtxGetApiVersion(a: Pointer, b: Pointer);
    cuCtxGetCacheConfig(a: Pointer);
    cuCtxGetCurrent(a: Pointer);
    cuCtxGetDevice(a: Pointer);
    cuCtxGetFlags(a: Pointer);
    cuCtxGetLimit(a: Pointer, b: u32);
    cuCtxGetSharedMemConfig(a: Pointer);
    cuCtxGetStreamPriorityRange(a: Pointer, b: Pointer);
    cuCtxPopCurrent_v2(a: Pointer);
    cuCtxPushCurrent_v2(a: Pointer);
    cuCtxSetCacheConfig(a: u32);
    cuCtxSetCurrent(a: Pointer);
    cuCtxSetLimit(a: u32, b: usize);
    cuCtxSetSharedMemConfig(a: u32);
    cuCtxSynchronize();
    cuDestroyExternalMemory(a: Pointer);
    cuDeviceGet(a: Pointer, b: i32);
    cuDeviceGetAttribute(a: Pointer, b: u32, c: i32);
    cuDeviceGetCount(a: Pointer);
    cuDeviceGetName(a: Pointer, b: i32, c: i32);
    cuDevicePrimaryCtxRelease_v2(a: i32);
    cuDevicePrimaryCtxReset_v2(a: i32);
    cuDevicePrimaryCtxRetain(a: Pointer, b: i32);
    cuDevicePrimaryCtxSetFlags_v2(a: i32, b: u32);
    cuDeviceTotalMem_v2(a: Pointer, b: i32);
    cuDriverGetVersion(a: Pointer);
    cuEventCreate(a: Pointer, b: u32);
    cuEventDestroy_v2(a: Pointer);
    cuEventElapsedTime(a: Pointer, b: Pointer, c: Pointer);
    cuEventQuery(a: Pointer);
    cuEventRecord(a: Pointer, b: Pointer);
    cuEventSynchronize(a: Pointer);
    cuExternalMemoryGetMappedBuffer(a: Pointer, b: Pointer, c: Pointer);
    cuFuncGetAttribute(a: Pointer, b: u32, c: Pointer);
    cuFuncSetCacheConfig(a: Pointer, b: u32);
    cuFuncSetSharedMemConfig(a: Pointer, b: u32);
    cuGraphAddKernelNode(a: Pointer, b: Pointer, c: Pointer, d: usize, e: Pointer);
    cuGraphCreate(a: Pointer, b: u32);
    cuGraphDebugDotPrint(a: Pointer, b: Pointer, c: u32);
    cuGraphDestroy(a: Pointer);
    cuGraphGetEdges(a: Pointer, b: Pointer, c: Pointer, d: Pointer);
    cuGraphGetNodes(a: Pointer, b: Pointer, c: Pointer);
    cuGraphKernelNodeGetParams(a: Pointer, b: Pointer);
    cuGraphNodeGetType(a: Pointer, b: Pointer);
    cuImportExternalMemory(a: Pointer, b: Pointer);
    cuInit(a: u32);
    cuLaunchHostFunc(a: Pointer, b: Pointer, c: Pointer);
    cuLaunchKernel(
        a: Pointer, b: u32, c: u32, d: u32, e: u32, f: u32,
        g: u32, h: u32, i: Pointer, j: Pointer, k: Pointer
    );
    cuLinkAddData_v2(
        a: Pointer, b: u32, c: Pointer, d: usize, e: Pointer,
        f: u32, g: Pointer, h: Pointer
    );
    cuLinkComplete(a: Pointer, b: Pointer, c: Pointer);
    cuLinkCreate_v2(a: u32, b: Pointer, c: Pointer, d: Pointer);
    cuLinkDestroy(a: Pointer);
    cuMemAdvise(a: u64, b: usize, c: u32, d: i32);
    cuMemAllocAsync(a: Pointer, b: usize, c: Pointer);
    cuMemAllocHost_v2(a: Pointer, b: usize);
    cuMemAllocManaged(a: Pointer, b: usize, c: u32);
    cuMemAlloc_v2(a: Pointer, b: usize);
    cuMemFreeAsync(a: u64, b: Pointer);
    cuMemFreeHost(a: Pointer);
    cuMemFree_v2(a: u64);
    cuMemGetInfo_v2(a: Pointer, b: Pointer);
    cuMemPrefetchAsync(a: u64, b: usize, c: i32, d: Pointer);
    cuMemcpy2D_v2(a: Pointer);
    cuMemcpyAtoH_v2(a: Pointer, b: Pointer, c: usize, d: usize);
    cuMemcpyDtoDAsync_v2(a: u64, b: u64, c: usize, d: Pointer);
    cuMemcpyDtoD_v2(a: u64, b: u64, c: usize);
    cuMemcpyDtoHAsync_v2(a: Pointer, b: u64, c: usize, d: Pointer);
    cuMemcpyDtoH_v2(a: Pointer, b: u64, c: usize);
    cuMemcpyHtoA_v2(a: Pointer, b: usize, c: Pointer, d: usize);
    cuMemcpyHtoDAsync_v2(a: u64, b: Pointer, c: usize, d: Pointer);
    cuMemcpyHtoD_v2(a: u64, b: Pointer, c: usize);
    cuMemsetD16Async(a: u64, b: u16, c: usize, d: Pointer);
    cuMemsetD16_v2(a: u64, b: u16, c: usize);
    cuMemsetD32Async(a: u64, b: u32, c: usize, d: Pointer);
    cuMemsetD32_v2(a: u64, b: u32, c: usize);
    cuMemsetD8Async(a: u64, b: u8, c: usize, d: Pointer);
    cuMemsetD8_v2(a: u64, b: u8, c: usize);
    cuModuleGetFunction(a: Pointer, b: Pointer, c: Pointer);
    cuModuleGetGlobal_v2(a: Pointer, b: Pointer, c: Pointer, d: Pointer);
    cuModuleLoad(a: Pointer, b: Pointer);
    cuModuleLoadData(a: Pointer, b: Pointer);
    cuModuleLoadDataEx(a: Pointer, b: Pointer, c: u32, d: Pointer, e: Pointer);
    cuModuleUnload(a: Pointer);
    cuOccupancyAvailableDynamicSMemPerBlock(a: Pointer, b: Pointer, c: i32, d: i32);
    cuOccupancyMaxActiveBlocksPerMultiprocessor(a: Pointer, b: Pointer, c: i32, d: usize);
    cuOccupancyMaxPotentialBlockSize(
        a: Pointer, b: Pointer, c: Pointer, d: Pointer,
        e: usize, f: i32
    );
    cuStreamCreateWithPriority(a: Pointer, b: u32, c: i32);
    cuStreamDestroy_v2(a: Pointer);
    cuStreamGetFlags(a: Pointer, b: Pointer);
    cuStreamGetPriority(a: Pointer, b: Pointer);
    cuStreamSynchronize(a: Pointer);
    cuStreamWaitEvent(a: Pointer, b: Pointer, c: u32);
    cuSurfObjectCreate(a: Pointer, b: Pointer);
    cuSurfObjectDestroy(a: u64);
    cuSurfObjectGetResourceDesc(a: Pointer, b: u64);
    cuTexObjectCreate(a: Pointer, b: Pointer, c: Pointer, d: Pointer);
    cuTexObjectDestroy(a: u64);
    cuTexObjectGetResourceDesc(a: Pointer, b: u64);
    cuTexObjectGetResourceViewDesc(a: Pointer, b: u64);
}
