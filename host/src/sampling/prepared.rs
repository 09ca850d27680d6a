//! [`PreparedSampler`]: draws of one shape from rows in a GPU's memory.
use std::ffi::c_void;
use std::marker::PhantomData;

use bytemuck::{Pod, Zeroable};
use cuda_loader::DevicePtr;
use kernels_gpu::sampling::params::{RowParams, RowStatus};

use super::adjustments::Adjustments;
use super::outcome::{Logprobs, Samples};
use super::params::SamplingParams;
use super::plan::{Needs, SamplePlan};
use super::sampler::Sampler;
use crate::buffers::{DeviceSlice, DeviceSliceMut, StreamRef};
use crate::device::{DeviceMemory, Gpu, OwnStream, clear};
use crate::element::Element;
use crate::error::Error;
use crate::launch::{Buffers, PreparedLaunches};
use crate::plan::{SampleBuffer, Work};
use crate::prepared::check_room;
use crate::rows::Rows;

/// Draws of one shape on a GPU, with their workspace and the rows' parameters. One call at a time
/// may be in flight.
#[derive(Debug)]
pub struct PreparedSampler<T> {
    gpu: Gpu,
    sampler: Sampler,
    plan: SamplePlan,
    launches: Option<PreparedLaunches>,
    workspace: DevicePtr,
    /// The workspace's owner, unless it is the caller's.
    _own: Option<DeviceMemory>,
    rows: DeviceMemory,
    element: PhantomData<T>,
}

/// The device addresses of one call. Only input, tokens and status must be there; what the sampler
/// was not told to give, or does not take, is left alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RawSample {
    /// The logits, `[rows, n]`.
    pub input: u64,
    /// The rows' lengths, `[rows]` of `u32`, each at most `n`; none where every row has `n`.
    pub lengths: Option<u64>,
    /// The rows' seeds, `[rows]` of `u64`; none where those of the parameters count.
    pub seeds: Option<u64>,
    /// The rows' positions, `[rows]` of `u64`; none where those of the parameters count.
    pub positions: Option<u64>,
    /// Room for the tokens, `[rows, num_samples]` of `u32`.
    pub tokens: u64,
    /// Room for the status, `[rows]` of `u32`: 0 for `Ok`, 1 for `NanSeen`, 2 for `AllMasked`.
    pub status: u64,
    /// Room for the tokens' logarithms, `[rows, num_samples]` of `f32`; with
    /// [`Sampler::logprobs`].
    pub logprobs: u64,
    /// Room for the tokens' ranks, `[rows, num_samples]` of `u32`; with [`Sampler::logprobs`].
    pub ranks: u64,
    /// Room for the best tokens, `[rows, top]` of `u32`; with [`Sampler::logprobs`].
    pub top_tokens: u64,
    /// Room for their logarithms, `[rows, top]` of `f32`; with [`Sampler::logprobs`].
    pub top_logprobs: u64,
    /// A word for each token, `[rows, n]` of `u32`: how often it was generated, and bit 31 where it
    /// is in the prompt; with [`Sampler::adjusted`].
    pub histories: Option<u64>,
    /// The rows' biases; with [`Sampler::adjusted`].
    pub bias: Option<RawBias>,
    /// A bit for each token that may be drawn, `[rows, n.div_ceil(32)]` of `u32`; with
    /// [`Sampler::adjusted`].
    pub allowed: Option<u64>,
}

/// The device addresses of biases: row `r` has the places `starts[r]` up to `starts[r + 1]` of
/// tokens and values, each of its tokens once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RawBias {
    /// `[rows + 1]` of `u32`.
    pub starts: u64,
    /// Tokens, of `u32`, below `n`.
    pub tokens: u64,
    /// What is added to their logits, of `f32`.
    pub values: u64,
}

/// A row's parameters as bytes.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct PlainRow(RowParams);

// SAFETY: all zeros are legal numbers.
unsafe impl Zeroable for PlainRow {}
// SAFETY: `repr(C)` with numbers alone, of which none is padding: their sizes add up to the
// struct's, which `kernels_gpu` asserts.
unsafe impl Pod for PlainRow {}

impl<T: Element> PreparedSampler<T> {
    pub(super) fn new(
        gpu: &Gpu,
        sampler: &Sampler,
        plan: SamplePlan,
        rows: &[RowParams],
    ) -> Result<Self, Error> {
        let own = DeviceMemory::new(gpu, plan.workspace().bytes)?;
        let (workspace, bytes) = (own.address(), plan.workspace().bytes);
        // SAFETY: the memory was allocated just now, for this alone, and goes with it.
        let prepared =
            unsafe { PreparedSampler::new_in(gpu, sampler, plan, rows, workspace.0, bytes) }?;
        Ok(PreparedSampler { _own: Some(own), ..prepared })
    }

    /// # Safety
    /// As for [`Sampler::prepare_in`].
    pub(super) unsafe fn new_in(
        gpu: &Gpu,
        sampler: &Sampler,
        plan: SamplePlan,
        rows: &[RowParams],
        workspace: u64,
        bytes: usize,
    ) -> Result<Self, Error> {
        check_room("the workspace, in bytes,", bytes, plan.workspace().bytes)?;
        let launches = match &plan.work {
            Work::Gpu(gpu_plan) => Some(PreparedLaunches::new(gpu, gpu_plan)?),
            _ => None,
        };
        let workspace = DevicePtr(workspace);
        let stream = OwnStream::new(gpu)?;
        // SAFETY: the caller vouches for the workspace, and its size was checked.
        unsafe { clear(workspace, plan.workspace().zeroed_bytes, &stream) }?;
        let memory = DeviceMemory::new(gpu, size_of_val(rows))?;
        memory.upload(&plain(rows), &stream)?;
        let (gpu, sampler) = (gpu.clone(), sampler.clone());
        Ok(PreparedSampler {
            gpu,
            sampler,
            plan,
            launches,
            workspace,
            _own: None,
            rows: memory,
            element: PhantomData,
        })
    }

    /// The plan that is followed.
    pub fn plan(&self) -> &SamplePlan {
        &self.plan
    }

    /// Sends other parameters to the GPU, and waits until they are there: an entry for each row,
    /// or one for all. Calls that are in flight may see either.
    ///
    /// # Errors
    /// As for [`Sampler::prepare`]; [`Error::Problem`] where the calls were not prepared for rows
    /// of this kind: for a greater `top_k`, or for rows that go without.
    pub fn set_params(&mut self, params: &[SamplingParams]) -> Result<(), Error> {
        let rows = self.sampler.validate(&self.plan.problem, params)?;
        self.plan.needs.cover(&Needs::of(&rows))?;
        self.rows.upload(&plain(&rows), &OwnStream::new(&self.gpu)?)
    }

    /// Enqueues a draw from every row on the caller's stream: the plan's launches, no allocation,
    /// no synchronisation; may be captured in a graph.
    ///
    /// - `input`: the logits, on the device, `[rows, n]`;
    /// - `positions`: `[rows]` of `u64`, read on the device, so that a replayed graph draws anew;
    ///   none where those of the parameters count;
    /// - `tokens`: room for `[rows, num_samples]` tokens;
    /// - `status`: room for `[rows]` words, 0 for `Ok`, 1 for `NanSeen`, 2 for `AllMasked`.
    ///
    /// # Errors
    /// [`Error::Buffer`] where one of them is too short, or where the sampler was told of
    /// logarithms, which go through [`PreparedSampler::enqueue_raw`]; [`Error::Driver`].
    ///
    /// # Safety
    /// - The buffers stay allocated, and nothing else touches the outputs or writes the inputs,
    ///   until the stream has passed this call.
    /// - `self` lives as long, and its next call is enqueued on the same stream or behind it.
    /// - The stream is live and of this GPU.
    pub unsafe fn enqueue<'a>(
        &mut self,
        input: impl Into<DeviceSlice<'a, T>>,
        positions: Option<DeviceSlice<'a, u64>>,
        tokens: impl Into<DeviceSliceMut<'a, u32>>,
        status: impl Into<DeviceSliceMut<'a, u32>>,
        stream: impl Into<StreamRef<'a>>,
    ) -> Result<(), Error> {
        let (input, tokens, status) = (input.into(), tokens.into(), status.into());
        let rows = self.plan.problem.rows;
        check_room("the input", input.len(), self.plan.problem.input_elements())?;
        check_room("the tokens' buffer", tokens.len(), rows * self.sampler.num_samples)?;
        check_room("the status' buffer", status.len(), rows)?;
        if let Some(positions) = &positions {
            check_room("the positions' buffer", positions.len(), rows)?;
        }
        let call = RawSample {
            input: input.address().0,
            positions: positions.map(|positions| positions.address().0),
            tokens: tokens.address().0,
            status: status.address().0,
            ..RawSample::default()
        };
        // SAFETY: the lengths were checked, and the caller vouches for the rest.
        unsafe { self.enqueue_raw(call, stream.into().raw().0) }
    }

    /// As [`PreparedSampler::enqueue`], on device addresses and a `CUstream` of any library; what
    /// they have room for cannot be checked.
    ///
    /// # Errors
    /// [`Error::Buffer`] where a buffer is missing that the sampler was told to fill;
    /// [`Error::Driver`].
    ///
    /// # Safety
    /// - The addresses are what [`RawSample`] says, each aligned for its type.
    /// - The duties of [`PreparedSampler::enqueue`].
    pub unsafe fn enqueue_raw(
        &mut self,
        call: RawSample,
        stream: *mut c_void,
    ) -> Result<(), Error> {
        self.check_scores(&call)?;
        self.gpu.make_current()?;
        let Some(launches) = &self.launches else {
            return Ok(());
        };
        let optional = |address: Option<u64>| address.map_or(DevicePtr::NULL, DevicePtr);
        let mut sampling = [DevicePtr::NULL; SampleBuffer::COUNT];
        let mut set = |buffer: SampleBuffer, address| sampling[buffer as usize] = address;
        set(SampleBuffer::Rows, self.rows.address());
        set(SampleBuffer::Seeds, optional(call.seeds));
        set(SampleBuffer::Positions, optional(call.positions));
        set(SampleBuffer::Tokens, DevicePtr(call.tokens));
        set(SampleBuffer::Status, DevicePtr(call.status));
        set(SampleBuffer::Logprobs, DevicePtr(call.logprobs));
        set(SampleBuffer::Ranks, DevicePtr(call.ranks));
        set(SampleBuffer::TopTokens, DevicePtr(call.top_tokens));
        set(SampleBuffer::TopLogprobs, DevicePtr(call.top_logprobs));
        set(SampleBuffer::Histories, optional(call.histories));
        set(SampleBuffer::BiasStarts, optional(call.bias.map(|bias| bias.starts)));
        set(SampleBuffer::BiasTokens, optional(call.bias.map(|bias| bias.tokens)));
        set(SampleBuffer::BiasValues, optional(call.bias.map(|bias| bias.values)));
        set(SampleBuffer::Allowed, optional(call.allowed));
        let buffers = Buffers {
            input: DevicePtr(call.input),
            lengths: optional(call.lengths),
            values: DevicePtr::NULL,
            indices: DevicePtr::NULL,
            workspace: self.workspace,
            sampling,
        };
        // SAFETY: the workspace is as large as the plan says, and the caller vouches for the rest.
        unsafe { launches.enqueue(&buffers, cuda_loader::Stream(stream)) }?;
        Ok(())
    }

    /// Whether the buffers of logarithms are there that the sampler was told to fill.
    fn check_scores(&self, call: &RawSample) -> Result<(), Error> {
        let rows = self.plan.problem.rows;
        let Some((_, top)) = self.sampler.logprobs else {
            return Ok(());
        };
        let there = |what, address: u64, needed| match address == 0 && needed > 0 {
            true => Err(Error::Buffer { what, actual: 0, needed }),
            false => Ok(()),
        };
        let draws = rows * self.sampler.num_samples;
        there("the logarithms' buffer", call.logprobs, draws)?;
        there("the ranks' buffer", call.ranks, draws)?;
        there("the best tokens' buffer", call.top_tokens, rows * top)?;
        there("the best tokens' logarithms' buffer", call.top_logprobs, rows * top)
    }

    /// Rows to the device, draws, answer back.
    pub(super) fn round_trip(
        mut self,
        rows: &Rows<'_, T>,
        adjustments: &Adjustments<'_>,
    ) -> Result<Samples, Error> {
        let stream = OwnStream::new(&self.gpu)?;
        let inputs = Inputs::upload(&self.gpu, rows, adjustments, &stream)?;
        let (draws, count) = (rows.rows * self.sampler.num_samples, rows.rows);
        let top = count * self.sampler.top();
        let word = |count: usize| DeviceMemory::new(&self.gpu, 4 * count);
        let (tokens, status, logprobs, ranks) =
            (word(draws)?, word(count)?, word(draws)?, word(draws)?);
        let (top_tokens, top_logprobs) = (word(top)?, word(top)?);
        let call = RawSample {
            tokens: tokens.address().0,
            status: status.address().0,
            logprobs: logprobs.address().0,
            ranks: ranks.address().0,
            top_tokens: top_tokens.address().0,
            top_logprobs: top_logprobs.address().0,
            ..inputs.call()
        };
        // SAFETY: the memory was allocated for these rows, and is freed after the stream was waited
        // for below.
        let enqueued = unsafe { self.enqueue_raw(call, stream.stream.0) };
        let answer = enqueued.and_then(|()| {
            let logprobs = match self.sampler.logprobs {
                None => None,
                Some((_, width)) => Some(Logprobs {
                    chosen: logprobs.download(draws, &stream)?,
                    ranks: ranks.download(draws, &stream)?,
                    top: width,
                    top_tokens: top_tokens.download(top, &stream)?,
                    top_logprobs: top_logprobs.download(top, &stream)?,
                }),
            };
            Ok(Samples {
                rows: count,
                num_samples: self.sampler.num_samples,
                tokens: tokens.download(draws, &stream)?,
                status: status.download(count, &stream)?.into_iter().map(status_of).collect(),
                logprobs,
            })
        });
        // Also where something failed: nothing may be in flight when the buffers go.
        let waited = stream.synchronize();
        let answer = answer?;
        waited?;
        Ok(answer)
    }
}

/// A status as the kernels write it.
fn status_of(word: u32) -> RowStatus {
    match word {
        0 => RowStatus::Ok,
        1 => RowStatus::NanSeen,
        _ => RowStatus::AllMasked,
    }
}

fn plain(rows: &[RowParams]) -> Vec<PlainRow> {
    rows.iter().map(|&row| PlainRow(row)).collect()
}

/// A call's inputs in device memory.
struct Inputs {
    input: DeviceMemory,
    lengths: Option<DeviceMemory>,
    histories: Option<DeviceMemory>,
    bias: Option<[DeviceMemory; 3]>,
    allowed: Option<DeviceMemory>,
}

impl Inputs {
    fn upload<T: Element>(
        gpu: &Gpu,
        rows: &Rows<'_, T>,
        adjustments: &Adjustments<'_>,
        stream: &OwnStream,
    ) -> Result<Inputs, Error> {
        let (count, n) = (rows.rows, rows.n);
        let elements = (count - 1) * rows.row_stride + n;
        let mut starts = vec![0u32];
        let (mut tokens, mut values) = (vec![], vec![]);
        for row in 0..count {
            for (token, bias) in adjustments.row_bias(row) {
                tokens.push(token);
                values.push(bias);
            }
            starts.push(tokens.len() as u32);
        }
        let bias = match tokens.is_empty() {
            true => None,
            false => Some([
                send(gpu, &starts, stream)?,
                send(gpu, &tokens, stream)?,
                send(gpu, &values, stream)?,
            ]),
        };
        let mut words = vec![];
        if !adjustments.histories.is_empty() {
            words.resize(count * n, 0u32);
            for row in 0..count {
                for (token, word) in adjustments.history_words(row) {
                    words[row * n + token as usize] = word;
                }
            }
        }
        let some = |list: &[u32]| match list.is_empty() {
            true => Ok(None),
            false => send(gpu, list, stream).map(Some),
        };
        Ok(Inputs {
            input: send(gpu, &rows.data[..elements], stream)?,
            lengths: some(rows.lengths.unwrap_or_default())?,
            histories: some(&words)?,
            bias,
            allowed: some(adjustments.allowed)?,
        })
    }

    /// A call with these inputs, and no outputs yet.
    fn call(&self) -> RawSample {
        let address = |memory: &DeviceMemory| memory.address().0;
        RawSample {
            input: address(&self.input),
            lengths: self.lengths.as_ref().map(address),
            histories: self.histories.as_ref().map(address),
            bias: self.bias.as_ref().map(|[starts, tokens, values]| RawBias {
                starts: address(starts),
                tokens: address(tokens),
                values: address(values),
            }),
            allowed: self.allowed.as_ref().map(address),
            ..RawSample::default()
        }
    }
}

/// Data in device memory of its own.
fn send<D: Pod>(gpu: &Gpu, data: &[D], stream: &OwnStream) -> Result<DeviceMemory, Error> {
    let memory = DeviceMemory::new(gpu, size_of_val(data))?;
    memory.upload(data, stream)?;
    Ok(memory)
}
