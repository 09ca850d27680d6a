//! [`Sampler`]: what is wanted of a call; on slices of the host's memory, or prepared for a GPU's.
use kernels_gpu::sampling::params::{FilterOrder, RowParams, SORTED_K_MAX};

use super::adjustments::Adjustments;
use super::cpu;
use super::outcome::Samples;
use super::params::SamplingParams;
use super::plan::{Needs, SamplePlan};
use super::prepared::PreparedSampler;
use crate::device::Gpu;
use crate::element::Element;
use crate::error::{Error, Violation};
use crate::knobs::{Knob, Origin};
use crate::problem::Problem;
use crate::rows::Rows;
use crate::runtime::Runtime;
use crate::settings::Settings;

/// The most draws of a row in one call.
pub const NUM_SAMPLES_MAX: usize = 1024;

/// The most of a row's best tokens whose logarithms are told.
pub const TOP_MAX: usize = SORTED_K_MAX as usize;

/// What logarithms of probabilities are taken of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LogprobKind {
    /// The softmax of the row as it came, without penalties, temperature and filters.
    Raw,
    /// What the draw is made from: after penalties, temperature and filters. Of what the filters
    /// turned away it is `-inf`; of a greedy row's token it is 0.
    Processed,
}

/// Sampling, as one wants it of all rows of a call.
///
/// # Example
/// ```
/// use aikf_topk::{DeviceChoice, LogprobKind, Rows, Runtime, Sampler, SamplingParams};
///
/// let runtime = Runtime::open(DeviceChoice::Cpu)?;
/// let logits = [0.5f32, 2.0, -1.0, 2.0, 0.0, 7.5];
/// let rows = Rows::new(&logits, 2, 3)?;
/// let params = SamplingParams { top_k: 2, seed: Some(7), ..Default::default() };
/// let sampler = Sampler::new().num_samples(4).logprobs(LogprobKind::Raw, 0);
/// let samples = sampler.sample(&runtime, rows, &[params])?;
/// assert!(samples.row(0).iter().all(|&token| token < 2)); // tokens 0 and 1 are the best two
/// # Ok::<(), aikf_topk::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Sampler {
    pub(super) order: FilterOrder,
    pub(super) num_samples: usize,
    pub(super) replacement: bool,
    pub(super) logprobs: Option<(LogprobKind, usize)>,
    pub(super) adjusted: bool,
    settings: Settings,
}

impl Default for Sampler {
    fn default() -> Self {
        Sampler::new()
    }
}

/// Draws a token from each row: [`Sampler::sample`] as it is by default.
///
/// `params` has an entry for each row, or one for all.
///
/// # Errors
/// As for [`Sampler::sample`].
///
/// # Example
/// ```
/// use aikf_topk::{Rows, Runtime, SamplingParams, sample_logits};
///
/// let logits = vec![0.25f32; 4 * 1000];
/// let params = SamplingParams { temperature: 0.7, top_p: 0.9, ..Default::default() };
/// let samples = sample_logits(&Runtime::new()?, Rows::new(&logits, 4, 1000)?, &[params])?;
/// assert_eq!(samples.tokens.len(), 4);
/// # Ok::<(), aikf_topk::Error>(())
/// ```
pub fn sample_logits<T: Element>(
    runtime: &Runtime,
    rows: Rows<'_, T>,
    params: &[SamplingParams],
) -> Result<Samples, Error> {
    Sampler::new().sample(runtime, rows, params)
}

impl Sampler {
    /// One draw a row, HuggingFace's order of filters, no logarithms.
    pub fn new() -> Sampler {
        Sampler {
            order: FilterOrder::HuggingFace,
            num_samples: 1,
            replacement: true,
            logprobs: None,
            adjusted: false,
            settings: Settings::default(),
        }
    }

    /// How many of the best tokens' logarithms are wanted.
    pub(super) fn top(&self) -> usize {
        self.logprobs.map_or(0, |(_, top)| top)
    }

    /// The order of the filters.
    pub fn order(mut self, order: FilterOrder) -> Sampler {
        self.order = order;
        self
    }

    /// Draws a row, 1 to 1024.
    pub fn num_samples(mut self, num_samples: usize) -> Sampler {
        self.num_samples = num_samples;
        self
    }

    /// Whether a token may be drawn more than once from a row (`true`, the default). Without
    /// replacement each draw is from what the ones before it left; where nothing is left its token
    /// is `u32::MAX`.
    pub fn replacement(mut self, replacement: bool) -> Sampler {
        self.replacement = replacement;
        self
    }

    /// Natural logarithms of the drawn tokens' probabilities, and their ranks; also of the `top`
    /// best tokens of each row, of which there may be 1024.
    pub fn logprobs(mut self, kind: LogprobKind, top: usize) -> Sampler {
        self.logprobs = Some((kind, top));
        self
    }

    /// Whether prepared calls come with histories, biases or a mask (`false` by default). They cost
    /// a launch and a copy of the rows in the workspace.
    pub fn adjusted(mut self, adjusted: bool) -> Sampler {
        self.adjusted = adjusted;
        self
    }

    /// Sets a tuning knob, before what the environment says. It changes speed, never a token.
    ///
    /// # Errors
    /// [`Error::Setting`] where the value is not legal.
    pub fn knob(mut self, knob: Knob, value: &str) -> Result<Sampler, Error> {
        self.settings.knobs.set(knob, value, Origin::Builder)?;
        Ok(self)
    }

    /// How calls of this shape would be done on the runtime's device. Pure: launches nothing.
    /// Of the problem, `rows`, `n` and `row_stride` count.
    ///
    /// # Errors
    /// As for [`Sampler::sample`].
    pub fn plan(
        &self,
        runtime: &Runtime,
        problem: &Problem,
        params: &[SamplingParams],
    ) -> Result<SamplePlan, Error> {
        let encoded = self.validate(problem, params)?;
        let limits = runtime.gpu().map(Gpu::limits);
        let settings = self.settings.or(runtime.settings());
        SamplePlan::new(self, problem, Needs::of(&encoded), limits, &settings)
    }

    /// Prepares calls on `rows` rows of `n` elements that follow one another in a GPU's memory:
    /// plans, finds the kernels, allocates the workspace, and sends the parameters there. Nothing
    /// of that is done again when it is called.
    ///
    /// # Errors
    /// As for [`Sampler::sample`]; [`Error::NoGpu`] where the runtime has no GPU.
    pub fn prepare<T: Element>(
        &self,
        runtime: &Runtime,
        rows: usize,
        n: usize,
        params: &[SamplingParams],
    ) -> Result<PreparedSampler<T>, Error> {
        self.prepare_problem(runtime, &Problem::new(T::DTYPE, rows, n, 1), params)
    }

    /// As [`Sampler::prepare`], for rows apart from one another. Of the problem, `rows`, `n` and
    /// `row_stride` count.
    ///
    /// # Errors
    /// As for [`Sampler::prepare`].
    pub fn prepare_problem<T: Element>(
        &self,
        runtime: &Runtime,
        problem: &Problem,
        params: &[SamplingParams],
    ) -> Result<PreparedSampler<T>, Error> {
        let (gpu, plan, encoded) = self.plan_for_gpu::<T>(runtime, problem, params)?;
        PreparedSampler::new(gpu, self, plan, &encoded)
    }

    /// As [`Sampler::prepare_problem`], in a workspace of the caller's: `bytes` bytes of the
    /// device's memory from `workspace` on, at least as many as the plan says
    /// ([`SamplePlan::workspace`]). A part of it is cleared before this returns; it needs no
    /// clearing between calls. The parameters lie in memory of their own.
    ///
    /// # Errors
    /// As for [`Sampler::prepare`]; [`Error::Buffer`] where the workspace is too small.
    ///
    /// # Safety
    /// - *in bounds*: the workspace is live, aligned to 8 bytes, and outlives the prepared calls;
    /// - *no concurrent writer*: nothing else writes it, and no other prepared calls that use it
    ///   are in flight, or were since.
    pub unsafe fn prepare_in<T: Element>(
        &self,
        runtime: &Runtime,
        problem: &Problem,
        params: &[SamplingParams],
        workspace: u64,
        bytes: usize,
    ) -> Result<PreparedSampler<T>, Error> {
        let (gpu, plan, encoded) = self.plan_for_gpu::<T>(runtime, problem, params)?;
        // SAFETY: the caller's duty, unchanged.
        unsafe { PreparedSampler::new_in(gpu, self, plan, &encoded, workspace, bytes) }
    }

    /// The runtime's GPU, the plan for it, and the parameters as kernels get them.
    fn plan_for_gpu<'r, T: Element>(
        &self,
        runtime: &'r Runtime,
        problem: &Problem,
        params: &[SamplingParams],
    ) -> Result<(&'r Gpu, SamplePlan, Vec<RowParams>), Error> {
        let gpu = runtime.gpu().ok_or_else(|| Error::NoGpu {
            purpose: "prepared calls".to_string(),
            reason: format!(
                "the runtime was opened on {}; open it on cuda or emulator",
                runtime.device()
            ),
        })?;
        let problem = Problem { dtype: T::DTYPE, k: 1, ..*problem };
        let encoded = self.validate(&problem, params)?;
        let (needs, settings) = (Needs::of(&encoded), self.settings.or(runtime.settings()));
        let plan = SamplePlan::new(self, &problem, needs, Some(gpu.limits()), &settings)?;
        Ok((gpu, plan, encoded))
    }

    /// Draws from rows in the host's memory, and waits for the answer. On a GPU the rows travel
    /// there and the answer back.
    ///
    /// - `rows`: logits `[rows, n]`;
    /// - `params`: an entry for each row, or one for all.
    ///
    /// A draw is a function of seed, position, sample number, the row and its parameters alone:
    /// the same on every device, in any batch, at any place in it.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a parameter that is not legal; [`Error::Problem`] for rows that
    /// cannot be; [`Error::Buffer`] for a number of parameters that is neither 1 nor `rows`;
    /// [`Error::Driver`] where the driver fails.
    pub fn sample<T: Element>(
        &self,
        runtime: &Runtime,
        rows: Rows<'_, T>,
        params: &[SamplingParams],
    ) -> Result<Samples, Error> {
        self.sample_adjusted(runtime, rows, params, &Adjustments::default())
    }

    /// As [`Sampler::sample`], from logits that histories, biases and masks change first.
    ///
    /// # Errors
    /// As for [`Sampler::sample`]; also for adjustments that do not fit the rows.
    pub fn sample_adjusted<T: Element>(
        &self,
        runtime: &Runtime,
        rows: Rows<'_, T>,
        params: &[SamplingParams],
        adjustments: &Adjustments<'_>,
    ) -> Result<Samples, Error> {
        let problem =
            Problem { row_stride: rows.row_stride, ..Problem::new(T::DTYPE, rows.rows, rows.n, 1) };
        let encoded = self.validate(&problem, params)?;
        adjustments.validate(rows.rows, rows.n)?;
        let Some(gpu) = runtime.gpu().filter(|_| rows.rows > 0) else {
            return Ok(cpu::sample(self, &rows, &encoded, adjustments));
        };
        let sampler = self.clone().adjusted(!adjustments.is_empty());
        let (needs, limits) = (Needs::of(&encoded), Some(gpu.limits()));
        let settings = self.settings.or(runtime.settings());
        let plan = SamplePlan::new(&sampler, &problem, needs, limits, &settings)?;
        PreparedSampler::new(gpu, &sampler, plan, &encoded)?.round_trip(&rows, adjustments)
    }

    /// Checks everything but the adjustments; the parameters as kernels get them.
    pub(super) fn validate(
        &self,
        problem: &Problem,
        params: &[SamplingParams],
    ) -> Result<Vec<RowParams>, Error> {
        let broken = |field, value: usize, rule: String| {
            Err(Error::Problem(vec![Violation { field, value: value as u64, rule }]))
        };
        let Problem { rows, n, .. } = *problem;
        if n == 0 {
            return broken("n", n, "a row must have at least 1 token".to_string());
        }
        problem.validate()?;
        if !(1..=NUM_SAMPLES_MAX).contains(&self.num_samples) {
            let rule = format!("it must be from 1 to {NUM_SAMPLES_MAX}");
            return broken("num_samples", self.num_samples, rule);
        }
        if self.top() > n.min(TOP_MAX) {
            let rule = format!("a row has n = {n} tokens; at most {} are told", n.min(TOP_MAX));
            return broken("logprobs", self.top(), rule);
        }
        if params.len() != 1 && params.len() != rows {
            let (what, actual) = ("the slice of parameters (one, or one a row)", params.len());
            return Err(Error::Buffer { what, actual, needed: rows });
        }
        params.iter().try_for_each(SamplingParams::validate)?;
        Ok((0..rows).map(|row| params[row % params.len()].encode(n, self.order)).collect())
    }
}
