//! What is wanted of sampling.
use std::ffi::c_char;

use aikf_topk::{FilterOrder, LogprobKind, Problem, RowStatus, Sampler, SamplingParams};

use super::arguments::{elements, flag, knobs, one_of, reference, struct_size, text};
use super::status::Fault;
use super::topk_options::{aikf_dtype, stride};

/// The order of the filters.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum aikf_filter_order {
    /// HuggingFace's: penalties, bias, temperature, top-k, top-p, min-p.
    HuggingFace = 0,
    /// vLLM's: bias, penalties, temperature, min-p, top-k, top-p.
    Vllm = 1,
    /// llama.cpp's: bias, penalties, top-k, top-p, min-p, temperature.
    LlamaCpp = 2,
}

/// What logarithms of probabilities are taken of.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum aikf_logprobs {
    /// None are wanted.
    None = 0,
    /// The softmax of the row as it came.
    Raw = 1,
    /// What the draw is made from; -inf for what the filters turned away.
    Processed = 2,
}

/// What became of a row, as a run writes it.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum aikf_row_status {
    /// A token was drawn.
    Ok = 0,
    /// A token was drawn; some logit was a NaN, and counted as masked.
    NanSeen = 1,
    /// There is no token that may be drawn; its place holds `UINT32_MAX`.
    AllMasked = 2,
}

impl From<RowStatus> for aikf_row_status {
    fn from(status: RowStatus) -> aikf_row_status {
        match status {
            RowStatus::Ok => aikf_row_status::Ok,
            RowStatus::NanSeen => aikf_row_status::NanSeen,
            RowStatus::AllMasked => aikf_row_status::AllMasked,
        }
    }
}

/// How one row is sampled. `aikf_sampling_params_default` gives one that filters nothing.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct aikf_sampling_params {
    /// The key of the row's random words, with `has_seed`.
    pub seed: u64,
    /// The draw's place in the row's words: a decode loop counts it up.
    pub position: u64,
    /// How many tokens are kept, the best first; 0 and -1 keep all.
    pub top_k: i64,
    /// What logits are divided by; finite, at least 0; below 1e-5 the greatest logit is taken.
    pub temperature: f32,
    /// The share of the mass that the kept tokens, best first, must reach; above 0, at most 1.
    pub top_p: f32,
    /// The least probability that is kept, as a share of the greatest; 0 to 1.
    pub min_p: f32,
    /// Divides positive logits of tokens that occurred, multiplies negative ones; above 0.
    pub repetition_penalty: f32,
    /// Taken off for each time that a token was generated; -2 to 2.
    pub frequency_penalty: f32,
    /// Taken off where a token was generated; -2 to 2.
    pub presence_penalty: f32,
    /// 1 where `seed` counts; 0 for a seed of the system's, another for each row: drawn once when a
    /// sampler is prepared for a GPU, and at every run on the host's cores.
    pub has_seed: u32,
    /// 0.
    pub reserved: u32,
}

/// What is wanted of sampling. Zero is the default of every field from `row_stride` on.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct aikf_sampler_options {
    /// `sizeof(aikf_sampler_options)`.
    pub struct_size: usize,
    /// Rows.
    pub rows: usize,
    /// Tokens in a row, below 2^31.
    pub n: usize,
    /// Elements from one row's start to the next; 0 stands for `n`.
    pub row_stride: usize,
    /// Draws a row, at most 1024; 0 stands for 1.
    pub num_samples: usize,
    /// Best tokens of each row whose logarithms are told, at most 1024; with `logprobs`.
    pub top_logprobs: usize,
    /// The elements' type, an `aikf_dtype`.
    pub dtype: u32,
    /// The order of the filters, an `aikf_filter_order`.
    pub order: u32,
    /// What logarithms are taken of, an `aikf_logprobs`.
    pub logprobs: u32,
    /// 1 where no token may be drawn twice from a row.
    pub without_replacement: u32,
    /// 1 where runs come with histories, biases or a mask.
    pub adjusted: u32,
    /// 0.
    pub reserved: u32,
    /// Tuning knobs, such as "stage1_warps=8"; NULL for none. They change speed, never a token.
    pub knobs: *const c_char,
}

/// Parameters that filter nothing and draw from the softmax of the logits, with the system's seed.
#[unsafe(no_mangle)]
pub extern "C" fn aikf_sampling_params_default() -> aikf_sampling_params {
    let SamplingParams { temperature, top_k, top_p, min_p, position, .. } = Default::default();
    let SamplingParams { repetition_penalty, frequency_penalty, presence_penalty, .. } =
        Default::default();
    aikf_sampling_params {
        seed: 0,
        position,
        top_k,
        temperature,
        top_p,
        min_p,
        repetition_penalty,
        frequency_penalty,
        presence_penalty,
        has_seed: 0,
        reserved: 0,
    }
}

/// Options as the library has them.
#[derive(Clone, Debug)]
pub(crate) struct SampleWish {
    pub sampler: Sampler,
    pub problem: Problem,
    /// Whether logarithms are wanted, and of how many best tokens.
    pub logprobs: Option<usize>,
    pub adjusted: bool,
}

impl SampleWish {
    /// Reads the options. Planning checks what they ask for.
    ///
    /// # Safety
    /// The pointer is null or that of live options, whose text is null or ends in a zero byte.
    pub(crate) unsafe fn read(options: *const aikf_sampler_options) -> Result<SampleWish, Fault> {
        // SAFETY: the caller's duty, unchanged.
        let options = unsafe { reference("options", options) }?;
        struct_size::<aikf_sampler_options>("options.struct_size", options.struct_size)?;
        zero("options.reserved", options.reserved)?;
        let mut wish = options.wish()?;
        // SAFETY: the caller's duty, unchanged.
        let set = unsafe { text("options.knobs", options.knobs) }?;
        for (knob, value) in knobs(set.unwrap_or_default())? {
            wish.sampler = wish.sampler.knob(knob, value)?;
        }
        Ok(wish)
    }
}

impl aikf_sampler_options {
    fn wish(&self) -> Result<SampleWish, Fault> {
        let orders = [
            (aikf_filter_order::HuggingFace as u32, FilterOrder::HuggingFace),
            (aikf_filter_order::Vllm as u32, FilterOrder::Vllm),
            (aikf_filter_order::LlamaCpp as u32, FilterOrder::LlamaCpp),
        ];
        let kinds = [
            (aikf_logprobs::None as u32, None),
            (aikf_logprobs::Raw as u32, Some(LogprobKind::Raw)),
            (aikf_logprobs::Processed as u32, Some(LogprobKind::Processed)),
        ];
        let legal_order = "it must be one of AIKF_FILTER_ORDER_HUGGING_FACE, _VLLM and _LLAMA_CPP";
        let legal_kind = "it must be one of AIKF_LOGPROBS_NONE, _RAW and _PROCESSED";
        let kind = one_of("options.logprobs", self.logprobs, &kinds, legal_kind)?;
        let order = one_of("options.order", self.order, &orders, legal_order)?;
        let dtype = aikf_dtype::read(self.dtype)?;
        let adjusted = flag("options.adjusted", self.adjusted)?;
        let replacement = !flag("options.without_replacement", self.without_replacement)?;
        let mut sampler = Sampler::new()
            .order(order)
            .num_samples(self.num_samples.max(1))
            .replacement(replacement)
            .adjusted(adjusted);
        if let Some(kind) = kind {
            sampler = sampler.logprobs(kind, self.top_logprobs);
        }
        let row_stride = stride(self.row_stride, self.n);
        let problem = Problem { row_stride, ..Problem::new(dtype, self.rows, self.n, 1) };
        let logprobs = kind.map(|_| self.top_logprobs);
        Ok(SampleWish { sampler, problem, logprobs, adjusted })
    }
}

/// Reads the rows' parameters.
///
/// # Safety
/// The pointer is null or that of `count` live parameters.
pub(crate) unsafe fn read_params(
    params: *const aikf_sampling_params,
    count: usize,
) -> Result<Vec<SamplingParams>, Fault> {
    // SAFETY: the caller's duty, unchanged.
    unsafe { elements("params", params, count) }?.iter().map(aikf_sampling_params::read).collect()
}

impl aikf_sampling_params {
    fn read(&self) -> Result<SamplingParams, Fault> {
        zero("params.reserved", self.reserved)?;
        let has_seed = flag("params.has_seed", self.has_seed)?;
        Ok(SamplingParams {
            temperature: self.temperature,
            top_k: self.top_k,
            top_p: self.top_p,
            min_p: self.min_p,
            repetition_penalty: self.repetition_penalty,
            frequency_penalty: self.frequency_penalty,
            presence_penalty: self.presence_penalty,
            seed: has_seed.then_some(self.seed),
            position: self.position,
        })
    }
}

fn zero(name: &'static str, value: u32) -> Result<(), Fault> {
    match value {
        0 => Ok(()),
        _ => Err(Fault::argument(name, value, "it must be 0")),
    }
}
