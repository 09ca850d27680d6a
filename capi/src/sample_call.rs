//! The pointers of a run of a sampler.
use std::ffi::c_void;

use aikf_topk::{RawBias, RawSample};

use super::arguments::{reference, struct_size};
use super::sampler_options::SampleWish;
use super::status::Fault;

/// The pointers of a run: addresses in the GPU's memory, or the host's where the runtime is on its
/// cores. `input`, `tokens` and `status` must be there; NULL stands for what is not.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct aikf_sample_call {
    /// `sizeof(aikf_sample_call)`.
    pub struct_size: usize,
    /// The logits, `[rows, n]`.
    pub input: *const c_void,
    /// The rows' lengths, `[rows]`, each at most `n`.
    pub lengths: *const u32,
    /// The rows' seeds, `[rows]`, in place of those of the parameters.
    pub seeds: *const u64,
    /// The rows' positions, `[rows]`, in place of those of the parameters: read when the stream
    /// gets there, so that a replayed graph draws anew.
    pub positions: *const u64,
    /// Room for the tokens, `[rows, num_samples]`.
    pub tokens: *mut u32,
    /// Room for an `aikf_row_status` a row, `[rows]`.
    pub status: *mut u32,
    /// Room for the tokens' logarithms, `[rows, num_samples]`; with `options.logprobs`.
    pub logprobs: *mut f32,
    /// Room for the tokens' ranks, `[rows, num_samples]`; with `options.logprobs`.
    pub ranks: *mut u32,
    /// Room for the best tokens, `[rows, top_logprobs]`; with `options.logprobs`.
    pub top_tokens: *mut u32,
    /// Room for their logarithms, `[rows, top_logprobs]`; with `options.logprobs`.
    pub top_logprobs: *mut f32,
    /// A word for each token, `[rows, n]`: how often it was generated, and bit 31 where it is in
    /// the prompt; with `options.adjusted`. In the host's memory the counts of a call are together
    /// at most 2^26.
    pub histories: *const u32,
    /// Where each row's biases start, `[rows + 1]`; with `options.adjusted`, and with the next two.
    pub bias_starts: *const u32,
    /// The tokens of the biases, each once in its row.
    pub bias_tokens: *const u32,
    /// What is added to their logits; -inf bans a token.
    pub bias_values: *const f32,
    /// A bit for each token that may be drawn, `[rows, (n + 31) / 32]`: token `t` is bit `t % 32`
    /// of its row's word `t / 32`; with `options.adjusted`.
    pub allowed: *const u32,
}

impl aikf_sample_call {
    /// A call that has what the options promise, and nothing that they exclude.
    ///
    /// # Safety
    /// The pointer is null or that of a live call.
    pub(crate) unsafe fn read<'a>(
        call: *const aikf_sample_call,
        wish: &SampleWish,
    ) -> Result<&'a aikf_sample_call, Fault> {
        // SAFETY: the caller's duty, unchanged.
        let call = unsafe { reference("call", call) }?;
        struct_size::<aikf_sample_call>("call.struct_size", call.struct_size)?;
        call.check_there(wish)?;
        call.check_adjustments(wish.adjusted)?;
        Ok(call)
    }

    fn check_there(&self, wish: &SampleWish) -> Result<(), Fault> {
        let (some, scored) = (wish.problem.rows > 0, wish.logprobs.is_some());
        let topped = wish.logprobs.is_some_and(|top| top > 0);
        let wanted = [
            ("call.input", some, self.input.is_null()),
            ("call.tokens", some, self.tokens.is_null()),
            ("call.status", some, self.status.is_null()),
            ("call.logprobs", some && scored, self.logprobs.is_null()),
            ("call.ranks", some && scored, self.ranks.is_null()),
            ("call.top_tokens", some && topped, self.top_tokens.is_null()),
            ("call.top_logprobs", some && topped, self.top_logprobs.is_null()),
        ];
        let missing = wanted.iter().find(|(_, needed, absent)| *needed && *absent);
        missing.map_or(Ok(()), |(name, ..)| Err(Fault::Null(name)))
    }

    fn check_adjustments(&self, adjusted: bool) -> Result<(), Fault> {
        let bias =
            [self.bias_starts.is_null(), self.bias_tokens.is_null(), self.bias_values.is_null()];
        if bias.contains(&true) && bias.contains(&false) {
            return Err(Fault::Null("one of call.bias_starts, bias_tokens and bias_values"));
        }
        let given = [
            ("call.histories", !self.histories.is_null()),
            ("call.bias_starts", !self.bias_starts.is_null()),
            ("call.allowed", !self.allowed.is_null()),
        ];
        match given.iter().find(|(_, given)| *given && !adjusted) {
            None => Ok(()),
            Some((name, _)) => {
                let legal = "it must be NULL unless options.adjusted is 1";
                Err(Fault::argument(name, "given", legal))
            }
        }
    }

    /// The call as a GPU gets it.
    pub(crate) fn raw(&self) -> RawSample {
        RawSample {
            input: self.input as u64,
            lengths: address(self.lengths),
            seeds: address(self.seeds),
            positions: address(self.positions),
            tokens: self.tokens as u64,
            status: self.status as u64,
            logprobs: self.logprobs as u64,
            ranks: self.ranks as u64,
            top_tokens: self.top_tokens as u64,
            top_logprobs: self.top_logprobs as u64,
            histories: address(self.histories),
            bias: address(self.bias_starts).map(|starts| RawBias {
                starts,
                tokens: self.bias_tokens as u64,
                values: self.bias_values as u64,
            }),
            allowed: address(self.allowed),
        }
    }
}

/// The address of what is there.
fn address<T>(pointer: *const T) -> Option<u64> {
    (!pointer.is_null()).then_some(pointer as u64)
}
