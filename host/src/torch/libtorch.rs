//! `torch.topk` on the caller's memory, in the order of the caller's stream.
//!
//! # Idea
//!
//! ```text
//! the default stream waits for the caller's
//! topk(out = the caller's values, indices of 64 bits)    on the default stream
//! copy of the indices, where they are to have 32 bits    on the default stream
//! the caller's stream waits for the default one
//! ```
//!
//! LibTorch enqueues on a stream of its own choice, which `tch` can neither ask for nor set. It is
//! the default stream unless somebody made it another one in C++ or Python; hence the events. The
//! tensors are views of the caller's memory: they own nothing, and may go while work is in flight.
//! LibTorch's own temporaries come from its allocator, which orders their reuse on that stream.
use std::sync::OnceLock;

use cuda_loader::api::{graph, stream};
use cuda_loader::{DevicePtr, DriverError, Event, Stream};
use kernels_gpu::params::{Dtype, Index};
use libloading::Library;
use tch::{Cuda, Device, Kind, TchError, Tensor};

use super::{no_gpu, refused};
use crate::device::Gpu;
use crate::error::Error;
use crate::launch::Buffers;
use crate::problem::Problem;

const RAGGED: &str = "knows no lengths of rows: choose another backend, or rows of one length";
const CAPTURED: &str = "cannot be captured in a graph, because LibTorch allocates: choose another \
    backend, or enqueue it outside the capture";

/// Calls of one shape.
#[derive(Debug)]
pub(crate) struct PreparedTorch {
    gpu: Gpu,
    problem: Problem,
    event: OwnEvent,
}

impl PreparedTorch {
    pub(crate) fn new(gpu: &Gpu, problem: &Problem) -> Result<PreparedTorch, Error> {
        check_gpu(gpu)?;
        let (gpu, event) = (gpu.clone(), OwnEvent::new(gpu)?);
        Ok(PreparedTorch { gpu, problem: *problem, event })
    }

    /// Enqueues a selection; the workspace takes the indices where they are to have 32 bits.
    ///
    /// # Errors
    /// [`Error::Refused`] for lengths, and for a stream that is being captured; [`Error::Torch`];
    /// [`Error::Driver`].
    ///
    /// # Safety
    /// As for [`PreparedLaunches::enqueue`](crate::launch::PreparedLaunches::enqueue).
    pub(crate) unsafe fn enqueue(&self, buffers: &Buffers, caller: Stream) -> Result<(), Error> {
        if buffers.lengths != DevicePtr::NULL {
            return Err(refused(RAGGED));
        }
        // SAFETY: the caller vouches for the stream.
        if unsafe { graph::stream_is_capturing(caller) }? {
            return Err(refused(CAPTURED));
        }
        // SAFETY: as above; null is the default stream.
        unsafe { self.event.order(caller, Stream::NULL) }?;
        // SAFETY: the caller vouches for the memory.
        let selected = unsafe { self.select(buffers) };
        self.gpu.make_current()?;
        // Also where it failed: part of it may be in flight.
        // SAFETY: as above.
        unsafe { self.event.order(Stream::NULL, caller) }?;
        selected.map_err(failed)
    }

    /// # Safety
    /// The addresses have room for the problem, and stay so until the default stream has passed
    /// this call.
    unsafe fn select(&self, buffers: &Buffers) -> Result<(), TchError> {
        let Problem { dtype, n, row_stride, k, largest, sorted, index, .. } = self.problem;
        let kind = kind_of(dtype);
        let wide = if index == Index::I64 { buffers.indices } else { buffers.workspace };
        // SAFETY: this and the next are the duty of the caller, unchanged.
        let input = unsafe { self.view(buffers.input, n, row_stride, kind) }?;
        // SAFETY: as above.
        let values = unsafe { self.view(buffers.values, k, k, kind) }?;
        // SAFETY: as above; the plan's workspace has 8 bytes for each index.
        let indices = unsafe { self.view(wide, k, k, Kind::Int64) }?;
        // What it gives back are the two outputs again.
        let _ = input.f_topk_values(&values, &indices, k as i64, -1, largest, sorted)?;
        if index == Index::U32 {
            // SAFETY: as above. An index is less than 2^31: the same bits with a sign and without.
            let mut narrow = unsafe { self.view(buffers.indices, k, k, Kind::Int) }?;
            narrow.f_copy_(&indices)?;
        }
        Ok(())
    }

    /// A tensor over rows in the GPU's memory; a copy of nothing.
    ///
    /// # Safety
    /// The rows are there.
    unsafe fn view(
        &self,
        address: DevicePtr,
        n: usize,
        row_stride: usize,
        kind: Kind,
    ) -> Result<Tensor, TchError> {
        let (data, device) = (address.0 as *const u8, Device::Cuda(self.gpu.number() as usize));
        let (shape, strides) = ([self.problem.rows as i64, n as i64], [row_stride as i64, 1]);
        // SAFETY: the caller vouches for the memory, and the shape is that of the rows.
        unsafe { Tensor::f_from_blob(data, &shape, &strides, kind, device) }
    }
}

fn kind_of(dtype: Dtype) -> Kind {
    match dtype {
        Dtype::F32 => Kind::Float,
        Dtype::F16 => Kind::Half,
        Dtype::Bf16 => Kind::BFloat16,
    }
}

/// The first line of what LibTorch says; a stack trace of its C++ follows.
fn failed(error: TchError) -> Error {
    Error::Torch(error.to_string().lines().next().unwrap_or_default().to_string())
}

/// That LibTorch can use the GPU.
fn check_gpu(gpu: &Gpu) -> Result<(), Error> {
    if let Err(reason) = cuda_part() {
        return Err(no_gpu(format!(
            "LibTorch's CUDA part cannot be loaded: {reason}; use a LibTorch built for CUDA, and \
             let the loader find its folder `lib` (docs/torch.md)"
        )));
    }
    let (number, count) = (gpu.number(), Cuda::device_count());
    if i64::from(number) >= count {
        return Err(no_gpu(format!("LibTorch sees {count} GPUs, and this is number {number}")));
    }
    Ok(())
}

/// Loads LibTorch's CUDA part, once. It registers its kernels by being loaded; nothing refers to
/// it, so that linkers drop it. It must be there before LibTorch is first asked for a GPU.
fn cuda_part() -> Result<(), &'static str> {
    static LOADED: OnceLock<Result<Library, String>> = OnceLock::new();
    let load = || {
        let name = libloading::library_filename("torch_cuda");
        // SAFETY: its initialisers are LibTorch's own, made to run whenever it is loaded.
        unsafe { Library::new(name) }.map_err(|error| error.to_string())
    };
    LOADED.get_or_init(load).as_ref().map(|_| ()).map_err(String::as_str)
}

/// An event that is destroyed when it goes.
#[derive(Debug)]
struct OwnEvent {
    gpu: Gpu,
    event: Event,
}

impl OwnEvent {
    fn new(gpu: &Gpu) -> Result<OwnEvent, Error> {
        gpu.make_current()?;
        Ok(OwnEvent { gpu: gpu.clone(), event: stream::event_create()? })
    }

    /// Makes `second` wait for what `first` has now. The event may be used again at once: a wait is
    /// for the mark that was there when it was enqueued.
    ///
    /// # Safety
    /// Both streams are live or null, and of the current context, which is that of the event.
    unsafe fn order(&self, first: Stream, second: Stream) -> Result<(), DriverError> {
        // SAFETY: the event lives as long as `self`; the caller vouches for the stream.
        unsafe { stream::event_record(self.event, first) }?;
        // SAFETY: as above.
        unsafe { stream::stream_wait_event(second, self.event) }
    }
}

impl Drop for OwnEvent {
    fn drop(&mut self) {
        if self.gpu.make_current().is_ok() {
            // SAFETY: created in `new`, destroyed once.
            let _ = unsafe { stream::event_destroy(self.event) };
        }
    }
}
