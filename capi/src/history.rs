//! Adjustments in the host's memory, from the arrays that a GPU reads to what the library takes.
use aikf_topk::{Adjustments, History};

use super::arguments::{elements, optional_elements};
use super::sample_call::aikf_sample_call;
use super::sampler_options::SampleWish;
use super::status::Fault;

/// The bit of a word of history that says that the token is in the prompt.
const IN_PROMPT: u32 = 1 << 31;
/// How many tokens the rows of a call may have generated together: each is an entry of a list here,
/// of which these are 256 MB.
const GENERATED_MAX: u64 = 1 << 26;

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
            Some(words) => {
                check_generated(words)?;
                words.chunks_exact(n).map(seen).collect()
            }
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

/// Before anything is allocated, since memory that is not there ends the process.
fn check_generated(words: &[u32]) -> Result<(), Fault> {
    let generated: u64 = words.iter().map(|&word| u64::from(word & !IN_PROMPT)).sum();
    if generated <= GENERATED_MAX {
        return Ok(());
    }
    let legal = format!("at most {GENERATED_MAX}, where the rows are in the host's memory");
    Err(Fault::argument("the sum of the counts in call.histories", generated, legal))
}

fn seen(words: &[u32]) -> Seen {
    let mut seen = Seen::default();
    for (token, &word) in (0..).zip(words) {
        let count = word & !IN_PROMPT;
        seen.output.extend(std::iter::repeat_n(token, count as usize));
        seen.prompt.extend((word & IN_PROMPT != 0).then_some(token));
    }
    seen
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_checked_together() {
        // None of them is much alone.
        let most = vec![1 << 18; 256];
        check_generated(&most).unwrap();
        let fault = check_generated(&[&most[..], &[IN_PROMPT, 1]].concat()).unwrap_err();
        let told = "the sum of the counts in call.histories is 67108865: at most 67108864";
        assert!(fault.to_string().starts_with(told), "{fault}");
    }

    #[test]
    fn words_become_lists() {
        let seen = seen(&[0, 2, IN_PROMPT, IN_PROMPT | 1]);
        assert_eq!((seen.output, seen.prompt), (vec![1, 1, 3], vec![2, 3]));
    }
}
