//! [`Adjustments`]: what changes the logits of a call before its filters.
use std::collections::HashMap;

use kernels_gpu::sampling::adjust::IN_PROMPT;

use crate::error::{Error, Violation};

/// The tokens that a row has seen, for its penalties.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct History<'a> {
    /// The prompt's tokens; the repetition penalty alone counts them.
    pub prompt: &'a [u32],
    /// The tokens that were generated so far.
    pub output: &'a [u32],
}

/// Histories, biases and masks of a call. The default changes nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Adjustments<'a> {
    /// A history for each row, or none at all.
    pub histories: &'a [History<'a>],
    /// What is added to single logits: row, token, bias. More than one for a token add up in the
    /// order given. A bias of `-inf` bans the token.
    pub bias: &'a [(u32, u32, f32)],
    /// A bit for each token that may be drawn, `[rows, n.div_ceil(32)]`: token `t` is bit `t % 32`
    /// of its row's word `t / 32`. Empty where all may.
    pub allowed: &'a [u32],
}

impl Adjustments<'_> {
    /// Whether they change nothing.
    pub fn is_empty(&self) -> bool {
        *self == Adjustments::default()
    }

    /// Checks them against `rows` rows of `n` elements.
    pub(crate) fn validate(&self, rows: usize, n: usize) -> Result<(), Error> {
        let counted = |what, actual: usize, needed: usize| match actual {
            0 => Ok(()),
            _ if actual == needed => Ok(()),
            _ => Err(Error::Buffer { what, actual, needed }),
        };
        counted("the slice of histories", self.histories.len(), rows)?;
        counted("the mask of allowed tokens", self.allowed.len(), rows * n.div_ceil(32))?;
        let below = |field, value: u32, limit: usize| match (value as usize) < limit {
            true => Ok(()),
            false => Err(Error::Problem(vec![Violation {
                field,
                value: value.into(),
                rule: format!("it must be below {limit}"),
            }])),
        };
        for history in self.histories {
            let mut tokens = history.prompt.iter().chain(history.output);
            tokens.try_for_each(|&token| below("a token of a history", token, n))?;
        }
        for &(row, token, bias) in self.bias {
            below("the row of a bias", row, rows)?;
            below("the token of a bias", token, n)?;
            if bias.is_nan() {
                return Err(Error::Parameter {
                    name: "a bias",
                    value: "NaN".to_string(),
                    legal: "it must be a number; -inf bans a token",
                });
            }
        }
        Ok(())
    }

    /// A word of history for each of the row's tokens that has one.
    pub(crate) fn history_words(&self, row: usize) -> HashMap<u32, u32> {
        let mut words = HashMap::new();
        if let Some(history) = self.histories.get(row) {
            for &token in history.output {
                *words.entry(token).or_insert(0) += 1;
            }
            for &token in history.prompt {
                *words.entry(token).or_insert(0) |= IN_PROMPT;
            }
        }
        words
    }

    /// The row's biases, one a token, by token.
    pub(crate) fn row_bias(&self, row: usize) -> Vec<(u32, f32)> {
        let mut list: Vec<(u32, f32)> = vec![];
        for &(of, token, bias) in self.bias {
            if of as usize == row {
                match list.iter_mut().find(|(other, _)| *other == token) {
                    Some((_, sum)) => *sum += bias,
                    None => list.push((token, bias)),
                }
            }
        }
        list.sort_unstable_by_key(|(token, _)| *token);
        list
    }

    /// Whether a token of a row of `n` elements may be drawn.
    pub(crate) fn allows(&self, row: usize, token: usize, n: usize) -> bool {
        let word = self.allowed.get(row * n.div_ceil(32) + token / 32);
        word.is_none_or(|word| word >> (token % 32) & 1 != 0)
    }
}
