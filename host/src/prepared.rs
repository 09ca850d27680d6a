//! [`PreparedTopK`]: calls of one shape on rows in a GPU's memory.
use std::ffi::c_void;
use std::marker::PhantomData;

use cuda_loader::{DevicePtr, Stream};

use crate::buffers::{DeviceSlice, DeviceSliceMut, StreamRef};
use crate::device::{DeviceMemory, Gpu, OwnStream, clear};
use crate::element::{Element, IndexType};
use crate::error::Error;
use crate::launch::{Buffers, PreparedLaunches};
use crate::plan::{Plan, SampleBuffer, Work};
use crate::rows::Rows;
use crate::torch::PreparedTorch;

/// What a call enqueues.
#[derive(Debug)]
enum Ready {
    Nothing,
    Launches(PreparedLaunches),
    Torch(PreparedTorch),
}

/// Calls of one shape on a GPU, with their workspace. One call at a time may be in flight.
#[derive(Debug)]
pub struct PreparedTopK<T, I = u32> {
    gpu: Gpu,
    plan: Plan,
    ready: Ready,
    workspace: DevicePtr,
    /// The workspace's owner, unless it is the caller's.
    _own: Option<DeviceMemory>,
    types: PhantomData<(T, I)>,
}

/// The device addresses of one call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RawCall {
    /// The rows: [`Problem::input_elements`](crate::Problem::input_elements) of them.
    pub input: u64,
    /// The rows' lengths, `[rows]` of `u32`, each at most `n`; none where every row has `n`.
    pub lengths: Option<u64>,
    /// Room for the values, `[rows, k]` in the rows' type.
    pub values: u64,
    /// Room for the indices, `[rows, k]`.
    pub indices: u64,
}

impl<T: Element, I: IndexType> PreparedTopK<T, I> {
    pub(crate) fn new(gpu: &Gpu, plan: Plan) -> Result<Self, Error> {
        let own = DeviceMemory::new(gpu, plan.workspace_bytes())?;
        let (workspace, bytes) = (own.address(), plan.workspace_bytes());
        // SAFETY: the memory was allocated just now, for this alone, and goes with it.
        let prepared = unsafe { PreparedTopK::new_in(gpu, plan, workspace.0, bytes) }?;
        Ok(PreparedTopK { _own: Some(own), ..prepared })
    }

    /// # Safety
    /// As for [`TopK::prepare_in`](crate::TopK::prepare_in).
    pub(crate) unsafe fn new_in(
        gpu: &Gpu,
        plan: Plan,
        workspace: u64,
        bytes: usize,
    ) -> Result<Self, Error> {
        check_room("the workspace, in bytes,", bytes, plan.workspace_bytes())?;
        let ready = match &plan.work {
            Work::Gpu(gpu_plan) => Ready::Launches(PreparedLaunches::new(gpu, gpu_plan)?),
            Work::Torch => Ready::Torch(PreparedTorch::new(gpu, &plan.problem)?),
            Work::Nothing => Ready::Nothing,
            Work::Cpu => {
                return Err(Error::NoGpu {
                    purpose: "prepared calls".to_string(),
                    reason: "backend cpu reads the host's memory; choose another".to_string(),
                });
            }
        };
        let workspace = DevicePtr(workspace);
        let stream = OwnStream::new(gpu)?;
        // SAFETY: the caller vouches for the workspace, and its size was checked.
        unsafe { clear(workspace, plan.workspace().zeroed_bytes, &stream) }?;
        let (gpu, types) = (gpu.clone(), PhantomData);
        Ok(PreparedTopK { gpu, plan, ready, workspace, _own: None, types })
    }

    /// The plan that is followed.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Enqueues a selection on the caller's stream: the plan's launches, no allocation, no
    /// synchronisation; may be captured in a graph. None of that holds for
    /// [`Backend::Torch`](crate::Backend::Torch), which allocates and refuses to be captured.
    ///
    /// - `input`: the rows, on the device, `[rows, n]`;
    /// - `values`: room for `[rows, k]` elements;
    /// - `indices`: room for `[rows, k]` indices.
    ///
    /// # Errors
    /// [`Error::Buffer`] where one of them is too short; [`Error::Driver`]; with backend `torch`
    /// [`Error::Refused`] while the stream is being captured, and [`Error::Torch`].
    ///
    /// # Safety
    /// - The three stay allocated, and nothing else touches the outputs or writes the input, until
    ///   the stream has passed this call.
    /// - `self` lives as long, and its next call is enqueued on the same stream or behind it.
    /// - The stream is live and of this GPU.
    pub unsafe fn enqueue<'a>(
        &mut self,
        input: impl Into<DeviceSlice<'a, T>>,
        values: impl Into<DeviceSliceMut<'a, T>>,
        indices: impl Into<DeviceSliceMut<'a, I>>,
        stream: impl Into<StreamRef<'a>>,
    ) -> Result<(), Error> {
        let call = self.check(&input.into(), None, &values.into(), &indices.into())?;
        // SAFETY: the lengths were checked, and the caller vouches for the rest.
        unsafe { self.enqueue_raw(call, stream.into().raw().0) }
    }

    /// As [`PreparedTopK::enqueue`], for rows of several lengths: of row `r` the first
    /// `lengths[r]` elements are there, at most `n`. Places of the answer for which a row has no
    /// element get `-inf` (`+inf` for the smallest) and index `u32::MAX`, or -1 as `i64`.
    ///
    /// # Errors
    /// As for [`PreparedTopK::enqueue`]; [`Error::Refused`] by backend `torch`.
    ///
    /// # Safety
    /// As for [`PreparedTopK::enqueue`]; the lengths count as input. A length above `n` counts as
    /// `n`.
    pub unsafe fn enqueue_ragged<'a>(
        &mut self,
        input: impl Into<DeviceSlice<'a, T>>,
        lengths: impl Into<DeviceSlice<'a, u32>>,
        values: impl Into<DeviceSliceMut<'a, T>>,
        indices: impl Into<DeviceSliceMut<'a, I>>,
        stream: impl Into<StreamRef<'a>>,
    ) -> Result<(), Error> {
        let lengths = lengths.into();
        let call = self.check(&input.into(), Some(&lengths), &values.into(), &indices.into())?;
        // SAFETY: the lengths were checked, and the caller vouches for the rest.
        unsafe { self.enqueue_raw(call, stream.into().raw().0) }
    }

    /// The addresses of a call, if the buffers have room for it.
    fn check(
        &self,
        input: &DeviceSlice<'_, T>,
        lengths: Option<&DeviceSlice<'_, u32>>,
        values: &DeviceSliceMut<'_, T>,
        indices: &DeviceSliceMut<'_, I>,
    ) -> Result<RawCall, Error> {
        let problem = &self.plan.problem;
        check_room("the input", input.len(), problem.input_elements())?;
        check_room("the values' buffer", values.len(), problem.output_elements())?;
        check_room("the indices' buffer", indices.len(), problem.output_elements())?;
        if let Some(lengths) = lengths {
            check_room("the lengths' buffer", lengths.len(), problem.rows)?;
        }
        Ok(RawCall {
            input: input.address().0,
            lengths: lengths.map(|lengths| lengths.address().0),
            values: values.address().0,
            indices: indices.address().0,
        })
    }

    /// As [`PreparedTopK::enqueue`], on device addresses and a `CUstream` of any library; what they
    /// have room for cannot be checked.
    ///
    /// # Errors
    /// As for [`PreparedTopK::enqueue`], but for [`Error::Buffer`].
    ///
    /// # Safety
    /// - The addresses are what [`RawCall`] says, each aligned for its type.
    /// - The duties of [`PreparedTopK::enqueue`].
    pub unsafe fn enqueue_raw(&mut self, call: RawCall, stream: *mut c_void) -> Result<(), Error> {
        self.gpu.make_current()?;
        let buffers = Buffers {
            input: DevicePtr(call.input),
            lengths: call.lengths.map_or(DevicePtr::NULL, DevicePtr),
            values: DevicePtr(call.values),
            indices: DevicePtr(call.indices),
            workspace: self.workspace,
            sampling: [DevicePtr::NULL; SampleBuffer::COUNT],
        };
        let stream = Stream(stream);
        match &self.ready {
            Ready::Nothing => {}
            // SAFETY: the workspace is the plan's own, and the caller vouches for the rest.
            Ready::Launches(launches) => unsafe { launches.enqueue(&buffers, stream) }?,
            // SAFETY: as above.
            Ready::Torch(torch) => unsafe { torch.enqueue(&buffers, stream) }?,
        }
        Ok(())
    }
}

impl<T: Element> PreparedTopK<T> {
    /// Rows to the device, selection, answer back.
    pub(crate) fn round_trip(mut self, rows: &Rows<'_, T>) -> Result<(Vec<T>, Vec<u32>), Error> {
        let problem = &self.plan.problem;
        let (count, outputs) = (problem.input_elements(), problem.output_elements());
        let stream = OwnStream::new(&self.gpu)?;
        let input = DeviceMemory::new(&self.gpu, count * size_of::<T>())?;
        let values = DeviceMemory::new(&self.gpu, outputs * size_of::<T>())?;
        let indices = DeviceMemory::new(&self.gpu, outputs * size_of::<u32>())?;
        let lengths = rows.lengths.unwrap_or_default();
        let length_memory = DeviceMemory::new(&self.gpu, size_of_val(lengths))?;
        input.upload(&rows.data[..count], &stream)?;
        length_memory.upload(lengths, &stream)?;
        let call = RawCall {
            input: input.address().0,
            lengths: rows.lengths.map(|_| length_memory.address().0),
            values: values.address().0,
            indices: indices.address().0,
        };
        // SAFETY: the memory was allocated above for this problem, and is freed after the stream
        // was waited for below.
        let enqueued = unsafe { self.enqueue_raw(call, stream.stream.0) };
        let answer = enqueued.and_then(|()| {
            Ok((values.download(outputs, &stream)?, indices.download(outputs, &stream)?))
        });
        // Also where something failed: nothing may be in flight when the buffers go.
        let waited = stream.synchronize();
        let answer = answer?;
        waited?;
        Ok(answer)
    }
}

/// Whether something has room for what is needed.
pub(crate) fn check_room(what: &'static str, actual: usize, needed: usize) -> Result<(), Error> {
    if actual < needed { Err(Error::Buffer { what, actual, needed }) } else { Ok(()) }
}
