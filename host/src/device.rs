//! A GPU: its context, its kernels, its memory. The only file that opens a driver.
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ffi::{CString, c_void};
use std::sync::{Arc, Mutex, PoisonError};

use bytemuck::Pod;
use cuda_loader::api::device::{self, DeviceAttribute};
use cuda_loader::api::memory;
use cuda_loader::api::module::{self, FunctionAttribute};
use cuda_loader::api::stream;
use cuda_loader::{Context, Device, DevicePtr, DriverError, Function, Module, Stream};

use crate::error::Error;
use crate::plan::DeviceLimits;

include!(concat!(env!("OUT_DIR"), "/ptx.rs"));

/// Shared memory that a kernel may have without asking.
const SHARED_BYTES_UNASKED: u32 = 48 * 1024;

/// A loaded kernel. Each has a module of its own, so that the driver compiles what is used alone.
#[derive(Debug)]
struct Kernel {
    module: Module,
    function: Function,
    /// Dynamic shared memory that it may have.
    shared_bytes: u32,
}

/// An open GPU. Clones share it; the last one to go closes it.
#[derive(Clone, Debug)]
pub struct Gpu {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    device: Device,
    context: Context,
    ptx: &'static str,
    limits: DeviceLimits,
    /// Kernels that were asked for.
    kernels: Mutex<HashMap<String, Kernel>>,
}

impl Gpu {
    /// Opens the GPU of this number: retains its primary context and makes it current on this
    /// thread. Kernels are loaded when they are first asked for.
    ///
    /// # Errors
    /// [`Error::Driver`] where there is no driver or no such device; [`Error::NoDevice`] where the
    /// GPU is too old.
    pub fn open(number: u32) -> Result<Gpu, Error> {
        device::init()?;
        let device = device::device_get(number as i32)?;
        let limits = limits(device)?;
        let (_, ptx) = kernel_ptx(limits.compute_capability).ok_or_else(|| Error::NoDevice {
            requested: format!("cuda:{number}"),
            reason: format!(
                "{} has compute capability {}.{}; at least 7.5 is needed",
                limits.name,
                limits.compute_capability / 10,
                limits.compute_capability % 10
            ),
        })?;
        let context = device::primary_context_retain(device)?;
        let kernels = Mutex::default();
        let gpu = Gpu { inner: Arc::new(Inner { device, context, ptx, limits, kernels }) };
        gpu.make_current()?;
        Ok(gpu)
    }

    /// What plans must know of it.
    pub fn limits(&self) -> &DeviceLimits {
        &self.inner.limits
    }

    /// Its number, as the driver counts GPUs.
    pub fn number(&self) -> u32 {
        self.inner.device.0 as u32
    }

    /// Makes the GPU's primary context current on the calling thread.
    ///
    /// # Errors
    /// [`Error::Driver`].
    pub fn make_current(&self) -> Result<(), Error> {
        // SAFETY: the context is retained while `self` lives.
        unsafe { device::ctx_set_current(self.inner.context) }?;
        Ok(())
    }

    /// A kernel that may have this much dynamic shared memory.
    pub(crate) fn function(&self, symbol: &str, shared_bytes: u32) -> Result<Function, Error> {
        self.make_current()?;
        let mut kernels = self.inner.kernels.lock().unwrap_or_else(PoisonError::into_inner);
        let kernel = match kernels.entry(symbol.to_string()) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => place.insert(load(self.inner.ptx, symbol)?),
        };
        if shared_bytes > kernel.shared_bytes {
            let attribute = FunctionAttribute::MAX_DYNAMIC_SHARED;
            // SAFETY: the function belongs to a loaded module.
            unsafe {
                module::function_set_attribute(kernel.function, attribute, shared_bytes as i32)
            }?;
            kernel.shared_bytes = shared_bytes;
        }
        Ok(kernel.function)
    }
}

/// Loads one kernel of the PTX into the current context.
fn load(ptx: &str, symbol: &str) -> Result<Kernel, Error> {
    let text = carve(ptx, symbol).expect("symbols come from the kernel table");
    let name = CString::new(symbol).expect("symbols have no zero bytes");
    let module = module::module_load(&text)?;
    // SAFETY: the module was loaded just now.
    let found = unsafe { module::module_get_function(module, &name) };
    let function = found.inspect_err(|_| {
        // SAFETY: loaded above, and nothing uses it.
        let _ = unsafe { module::module_unload(module) };
    })?;
    Ok(Kernel { module, function, shared_bytes: SHARED_BYTES_UNASKED })
}

/// The PTX of one kernel: what stands before the first, then the kernel itself. Kernels call
/// nothing, so nothing else belongs to them.
fn carve(ptx: &str, symbol: &str) -> Option<String> {
    const ENTRY: &str = "\n.visible .entry ";
    let prologue = &ptx[..ptx.find(ENTRY)?];
    let start = ptx.find(&format!("{ENTRY}{symbol}("))?;
    let end = start + ptx[start..].find("\n}")? + 2;
    Some(format!("{prologue}{}\n", &ptx[start..end]))
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Nothing can be done about a driver that refuses to close.
        // SAFETY: retained in `open` and not released since.
        let current = unsafe { device::ctx_set_current(self.context) };
        let kernels = self.kernels.get_mut().unwrap_or_else(PoisonError::into_inner);
        for kernel in kernels.values().filter(|_| current.is_ok()) {
            // SAFETY: the last user of the module is gone with the last clone.
            let _ = unsafe { module::module_unload(kernel.module) };
        }
        // SAFETY: as above; this is the one release of the one retain.
        let _ = unsafe { device::primary_context_release(self.device) };
    }
}

/// How many GPUs the driver shows.
///
/// # Errors
/// The driver's own; [`DriverError::is_no_driver`] tells the absence of a driver.
pub fn gpu_count() -> Result<u32, DriverError> {
    device::init()?;
    Ok(device::device_count()?.max(0) as u32)
}

/// Where the embedded kernels come from: compiler, or prebuilt.
pub fn kernel_provenance() -> &'static str {
    PTX_SOURCE
}

/// The PTX for a GPU of this compute capability (90 for 9.0), and the one it was made for: the
/// highest not above the GPU's. None where the GPU is too old.
pub fn kernel_ptx(compute_capability: u32) -> Option<(u32, &'static str)> {
    let fitting = PTX.iter().filter(|(arch, _)| *arch <= compute_capability);
    fitting.max_by_key(|(arch, _)| *arch).copied()
}

fn limits(device: Device) -> Result<DeviceLimits, Error> {
    let ask = |attribute| device::device_attribute(device, attribute).map(|v| v.max(0) as u32);
    let major = ask(DeviceAttribute::COMPUTE_CAPABILITY_MAJOR)?;
    Ok(DeviceLimits {
        name: device::device_name(device)?,
        multiprocessors: ask(DeviceAttribute::MULTIPROCESSOR_COUNT)?,
        shared_bytes_max: ask(DeviceAttribute::MAX_SHARED_MEMORY_PER_BLOCK_OPTIN)?,
        compute_capability: 10 * major + ask(DeviceAttribute::COMPUTE_CAPABILITY_MINOR)?,
    })
}

/// Device memory that is freed when it goes.
#[derive(Debug)]
pub(crate) struct DeviceMemory {
    gpu: Gpu,
    address: DevicePtr,
    bytes: usize,
}

impl DeviceMemory {
    /// `bytes` bytes, uninitialised; none at all for 0.
    pub(crate) fn new(gpu: &Gpu, bytes: usize) -> Result<DeviceMemory, Error> {
        gpu.make_current()?;
        let address = if bytes == 0 { DevicePtr::NULL } else { memory::mem_alloc(bytes)? };
        Ok(DeviceMemory { gpu: gpu.clone(), address, bytes })
    }

    pub(crate) fn address(&self) -> DevicePtr {
        self.address
    }

    /// Copies from the host, behind what is on the stream; done when it returns.
    pub(crate) fn upload<T: Pod>(&self, data: &[T], stream: &OwnStream) -> Result<(), Error> {
        let bytes = size_of_val(data);
        assert!(bytes <= self.bytes, "upload of {bytes} bytes into {}", self.bytes);
        if bytes == 0 {
            return Ok(());
        }
        let from = data.as_ptr().cast::<c_void>();
        // SAFETY: both sides have `bytes` bytes, and live until the stream was waited for below.
        unsafe { memory::memcpy_htod_async(self.address, from, bytes, stream.stream) }?;
        stream.synchronize()
    }

    /// Copies to the host, behind what is on the stream; done when it returns.
    pub(crate) fn download<T: Pod>(
        &self,
        count: usize,
        stream: &OwnStream,
    ) -> Result<Vec<T>, Error> {
        let mut data = vec![T::zeroed(); count];
        let bytes = size_of_val(data.as_slice());
        assert!(bytes <= self.bytes, "download of {bytes} bytes from {}", self.bytes);
        if bytes > 0 {
            let to = data.as_mut_ptr().cast::<c_void>();
            // SAFETY: both sides have `bytes` bytes, and live until the stream is waited for below.
            unsafe { memory::memcpy_dtoh_async(to, self.address, bytes, stream.stream) }?;
            stream.synchronize()?;
        }
        Ok(data)
    }
}

impl Drop for DeviceMemory {
    fn drop(&mut self) {
        if self.address != DevicePtr::NULL && self.gpu.make_current().is_ok() {
            // SAFETY: allocated in `new`, in this context, and freed once. Freeing waits for the
            // device, so that no kernel still uses it.
            let _ = unsafe { memory::mem_free(self.address) };
        }
    }
}

/// Clears device memory; done when it returns.
///
/// # Safety
/// `bytes` bytes at `address` are live, and nothing else touches them meanwhile.
pub(crate) unsafe fn clear(
    address: DevicePtr,
    bytes: usize,
    stream: &OwnStream,
) -> Result<(), Error> {
    if bytes > 0 {
        // SAFETY: the caller vouches for the memory; the stream is waited for below.
        unsafe { memory::memset_d8_async(address, 0, bytes, stream.stream) }?;
        stream.synchronize()?;
    }
    Ok(())
}

/// A stream that is destroyed when it goes.
#[derive(Debug)]
pub(crate) struct OwnStream {
    gpu: Gpu,
    pub(crate) stream: Stream,
}

impl OwnStream {
    pub(crate) fn new(gpu: &Gpu) -> Result<OwnStream, Error> {
        gpu.make_current()?;
        Ok(OwnStream { gpu: gpu.clone(), stream: stream::stream_create()? })
    }

    pub(crate) fn synchronize(&self) -> Result<(), Error> {
        // SAFETY: the stream lives as long as `self`.
        unsafe { stream::stream_synchronize(self.stream) }?;
        Ok(())
    }
}

impl Drop for OwnStream {
    fn drop(&mut self) {
        if self.gpu.make_current().is_ok() {
            // SAFETY: created in `new`, destroyed once.
            let _ = unsafe { stream::stream_destroy(self.stream) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kernel_can_be_carved_out_of_every_ptx() {
        for (arch, ptx) in PTX {
            let all = kernels_gpu::variants::KERNELS.iter();
            for kernel in all.filter(|kernel| kernel.since <= *arch) {
                let text = carve(ptx, kernel.name).expect("it is in the PTX");
                assert_eq!(text.matches(".visible .entry").count(), 1, "{} sm_{arch}", kernel.name);
                assert!(text.contains(&format!(".target sm_{arch}")) && text.ends_with("}\n"));
            }
        }
    }
}
