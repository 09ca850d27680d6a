//! Prepared samplers, whatever their type and wherever they run.
use std::ffi::c_void;

use aikf_topk::{Dtype, Element, PreparedSampler, Rows, Runtime, SamplePlan, SamplingParams};
use half::{bf16, f16};

use super::arguments::{elements, optional_elements, write};
use super::calls::{Workspace, check_workspace};
use super::history::HostAdjustments;
use super::host::check_no_stream;
use super::sample_call::aikf_sample_call;
use super::sampler_options::{SampleWish, aikf_row_status};
use super::status::Fault;

/// Prepared draws.
pub(crate) trait Draws {
    fn plan(&self) -> &SamplePlan;

    fn set_params(&mut self, params: Vec<SamplingParams>) -> Result<(), Fault>;

    /// # Safety
    /// The duties of [`aikf_sampler_run`](super::sampler::aikf_sampler_run), of a call that was
    /// checked.
    unsafe fn run(&mut self, call: &aikf_sample_call, stream: *mut c_void) -> Result<(), Fault>;
}

impl<T: Element> Draws for PreparedSampler<T> {
    fn plan(&self) -> &SamplePlan {
        self.plan()
    }

    fn set_params(&mut self, params: Vec<SamplingParams>) -> Result<(), Fault> {
        Ok(PreparedSampler::set_params(self, &params)?)
    }

    unsafe fn run(&mut self, call: &aikf_sample_call, stream: *mut c_void) -> Result<(), Fault> {
        // SAFETY: the caller's duty, unchanged.
        Ok(unsafe { self.enqueue_raw(call.raw(), stream) }?)
    }
}

/// Draws on the host's cores, which need no preparation.
pub(crate) struct DrawsOnHost {
    runtime: Runtime,
    wish: SampleWish,
    params: Vec<SamplingParams>,
    plan: SamplePlan,
}

impl DrawsOnHost {
    pub(crate) fn new(
        runtime: &Runtime,
        wish: SampleWish,
        params: Vec<SamplingParams>,
    ) -> Result<DrawsOnHost, Fault> {
        let plan = wish.sampler.plan(runtime, &wish.problem, &params)?;
        Ok(DrawsOnHost { runtime: runtime.clone(), wish, params, plan })
    }
}

impl Draws for DrawsOnHost {
    fn plan(&self) -> &SamplePlan {
        &self.plan
    }

    fn set_params(&mut self, params: Vec<SamplingParams>) -> Result<(), Fault> {
        self.wish.sampler.plan(&self.runtime, &self.wish.problem, &params)?;
        self.params = params;
        Ok(())
    }

    unsafe fn run(&mut self, call: &aikf_sample_call, stream: *mut c_void) -> Result<(), Fault> {
        check_no_stream(stream)?;
        let sample = SampleTyped::of(&self.wish).sample;
        // SAFETY: the caller's duty, unchanged.
        unsafe { sample(&self.runtime, &self.wish, &self.params, call) }
    }
}

type Prepared = Result<Box<dyn Draws>, Fault>;

/// The functions for one type of elements.
#[derive(Clone, Copy)]
pub(crate) struct SampleTyped {
    /// # Safety
    /// A lent workspace is as `aikf_sampler_prepare_in` says.
    pub prepare: unsafe fn(&Runtime, &SampleWish, &[SamplingParams], Workspace) -> Prepared,
    /// # Safety
    /// The duties of [`sample`].
    pub sample:
        unsafe fn(&Runtime, &SampleWish, &[SamplingParams], &aikf_sample_call) -> Result<(), Fault>,
}

impl SampleTyped {
    pub(crate) fn of(wish: &SampleWish) -> SampleTyped {
        match wish.problem.dtype {
            Dtype::F32 => SampleTyped::new::<f32>(),
            Dtype::F16 => SampleTyped::new::<f16>(),
            Dtype::Bf16 => SampleTyped::new::<bf16>(),
        }
    }

    fn new<T: Element>() -> SampleTyped {
        SampleTyped { prepare: prepare::<T>, sample: sample::<T> }
    }
}

/// # Safety
/// A lent workspace is as `aikf_sampler_prepare_in` says.
unsafe fn prepare<T: Element>(
    runtime: &Runtime,
    wish: &SampleWish,
    params: &[SamplingParams],
    workspace: Workspace,
) -> Prepared {
    let SampleWish { sampler, problem, .. } = wish;
    let prepared: PreparedSampler<T> = match workspace {
        Workspace::Own => sampler.prepare_problem(runtime, problem, params)?,
        Workspace::Lent(address, bytes) => {
            check_workspace(address, bytes)?;
            // SAFETY: the caller's duty, unchanged.
            unsafe { sampler.prepare_in(runtime, problem, params, address as u64, bytes) }?
        }
    };
    Ok(Box::new(prepared))
}

/// Draws from rows in the host's memory on whatever device, and waits for the tokens.
///
/// # Safety
/// Wish and parameters were planned with, the call was checked, and its pointers are null or the
/// host's, of what the wish says.
unsafe fn sample<T: Element>(
    runtime: &Runtime,
    wish: &SampleWish,
    params: &[SamplingParams],
    call: &aikf_sample_call,
) -> Result<(), Fault> {
    let problem = &wish.problem;
    let count = problem.input_elements();
    // SAFETY: the caller's duty, unchanged.
    let input = unsafe { elements("call.input", call.input.cast::<T>(), count) }?;
    let mut rows = Rows::with_stride(input, problem.rows, problem.n, problem.row_stride)?;
    // SAFETY: the caller's duty, unchanged.
    let lengths = unsafe { optional_elements("call.lengths", call.lengths, problem.rows) }?;
    if let Some(lengths) = lengths {
        rows = rows.with_lengths(lengths)?;
    }
    // SAFETY: the caller's duty, unchanged.
    let params = unsafe { placed(params, call, problem.rows) }?;
    // SAFETY: the caller's duty, unchanged.
    let adjustments = unsafe { HostAdjustments::read(call, wish) }?;
    let samples = adjustments.with(|a| wish.sampler.sample_adjusted(runtime, rows, &params, a))?;
    let word = |&status| aikf_row_status::from(status) as u32;
    let status: Vec<u32> = samples.status.iter().map(word).collect();
    // SAFETY: the caller's duty, unchanged.
    unsafe { write("call.tokens", call.tokens, &samples.tokens) }?;
    // SAFETY: the caller's duty, unchanged.
    unsafe { write("call.status", call.status, &status) }?;
    let Some(scores) = samples.logprobs else {
        return Ok(());
    };
    // SAFETY: the caller's duty, unchanged.
    unsafe { write("call.logprobs", call.logprobs, &scores.chosen) }?;
    // SAFETY: the caller's duty, unchanged.
    unsafe { write("call.ranks", call.ranks, &scores.ranks) }?;
    // SAFETY: the caller's duty, unchanged.
    unsafe { write("call.top_tokens", call.top_tokens, &scores.top_tokens) }?;
    // SAFETY: the caller's duty, unchanged.
    unsafe { write("call.top_logprobs", call.top_logprobs, &scores.top_logprobs) }
}

/// The rows' parameters, with the call's seeds and positions where it has them.
///
/// # Safety
/// As for [`sample`].
unsafe fn placed(
    params: &[SamplingParams],
    call: &aikf_sample_call,
    rows: usize,
) -> Result<Vec<SamplingParams>, Fault> {
    // SAFETY: the caller's duty, unchanged.
    let seeds = unsafe { optional_elements("call.seeds", call.seeds, rows) }?;
    // SAFETY: the caller's duty, unchanged.
    let positions = unsafe { optional_elements("call.positions", call.positions, rows) }?;
    if seeds.is_none() && positions.is_none() || params.is_empty() {
        return Ok(params.to_vec());
    }
    let row = |row: usize| {
        let given = params[row % params.len()];
        SamplingParams {
            seed: seeds.map_or(given.seed, |seeds| Some(seeds[row])),
            position: positions.map_or(given.position, |positions| positions[row]),
            ..given
        }
    };
    Ok((0..rows).map(row).collect())
}
