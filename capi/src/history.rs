//! Adjustments in the host's memory, from the arrays that a GPU reads to what the library takes.
use aikf_topk::{Adjustments, History};

use crate::arguments::{elements, optional_elements};
use crate::sample_call::aikf_sample_call;
use crate::sampler_options::SampleWish;
use crate::status::Fault;

/// The bit of a word of history that says that the token is in the prompt.
const IN_PROMPT: u32 = 1 << 31;
/// How often a token may have been generated: each time is an entry of a list here.
const COUNT_MAX: u32 = 1 << 24;

/// What a row has seen.
#[derive(Default)]
struct Seen {
    prompt: Vec<u32>,
    output: Vec<u32>,
}

/// The adjustments of a call, in the library's form.
pub(crate) struct HostAdjustments<'a> {
    seen: Vec<Seen>,
    bias: Vec<(u32, u32, f32)>,
    allowed: &'a [u32],
}

impl<'a> HostAdjustments<'a> {
    /// # Safety
    /// The pointers of the call are null or the host's, of as many elements as the call says.
    pub(crate) unsafe fn read(
        call: &aikf_sample_call,
        wish: &SampleWish,
    ) -> Result<HostAdjustments<'a>, Fault> {
        let (rows, n) = (wish.problem.rows, wish.problem.n);
        // SAFETY: the caller's duty, unchanged.
        let words = unsafe { optional_elements("call.histories", call.histories, rows * n) }?;
        let seen = match words {
            None => vec![],
            Some(words) => words.chunks_exact(n).map(seen).collect::<Result<_, _>>()?,
        };
        let words = rows * n.div_ceil(32);
        // SAFETY: the caller's duty, unchanged.
        let allowed = unsafe { optional_elements("call.allowed", call.allowed, words) }?;
        // SAFETY: the caller's duty, unchanged.
        let bias = unsafe { read_bias(call, rows) }?;
        Ok(HostAdjustments { seen, bias, allowed: allowed.unwrap_or_default() })
    }

    /// Calls `f` with the adjustments, which borrow from `self`.
    pub(crate) fn with<R>(&self, f: impl FnOnce(&Adjustments<'_>) -> R) -> R {
        let histories: Vec<_> = self
            .seen
            .iter()
            .map(|seen| History { prompt: &seen.prompt, output: &seen.output })
            .collect();
        f(&Adjustments { histories: &histories, bias: &self.bias, allowed: self.allowed })
    }
}

fn seen(words: &[u32]) -> Result<Seen, Fault> {
    let mut seen = Seen::default();
    for (token, &word) in (0..).zip(words) {
        let count = word & !IN_PROMPT;
        if count > COUNT_MAX {
            let legal = format!("at most {COUNT_MAX} times on the host's cores");
            return Err(Fault::argument("a token's count in call.histories", count, legal));
        }
        seen.output.extend(std::iter::repeat_n(token, count as usize));
        seen.prompt.extend((word & IN_PROMPT != 0).then_some(token));
    }
    Ok(seen)
}

/// # Safety
/// As for [`HostAdjustments::read`].
unsafe fn read_bias(call: &aikf_sample_call, rows: usize) -> Result<Vec<(u32, u32, f32)>, Fault> {
    // SAFETY: the caller's duty, unchanged.
    let starts = unsafe { optional_elements("call.bias_starts", call.bias_starts, rows + 1) }?;
    let Some(starts) = starts else {
        return Ok(vec![]);
    };
    if let Some(pair) = starts.windows(2).find(|pair| pair[0] > pair[1]) {
        let legal = "each must be at least the one before";
        return Err(Fault::argument("call.bias_starts", format!("{pair:?}"), legal));
    }
    let count = starts[rows] as usize;
    // SAFETY: the caller's duty, unchanged.
    let tokens = unsafe { elements("call.bias_tokens", call.bias_tokens, count) }?;
    // SAFETY: the caller's duty, unchanged.
    let values = unsafe { elements("call.bias_values", call.bias_values, count) }?;
    let mut bias = vec![];
    for (row, pair) in (0..).zip(starts.windows(2)) {
        let places = pair[0] as usize..pair[1] as usize;
        bias.extend(places.map(|place| (row, tokens[place], values[place])));
    }
    Ok(bias)
}
