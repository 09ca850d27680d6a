//! [`SamplingParams`]: how one row is sampled.
use std::hash::{BuildHasher, RandomState};

use kernels_gpu::sampling::filter::min_p_bound;
use kernels_gpu::sampling::params::{FilterOrder, RowParams, SORTED_K_MAX};

use crate::error::Error;

/// How one row is sampled. The default filters nothing and draws from the softmax of the logits.
///
/// | field | legal | off |
/// |---|---|---|
/// | `temperature` | finite, at least 0; below 1e-5 it is greedy | 1 |
/// | `top_k` | at least -1 | 0, -1, the row's length or more |
/// | `top_p` | above 0, at most 1 | 1 |
/// | `min_p` | 0 to 1 | 0 |
/// | `repetition_penalty` | finite, above 0 | 1 |
/// | `frequency_penalty`, `presence_penalty` | -2 to 2 | 0 |
///
/// # Example
/// ```
/// use aikf_topk::SamplingParams;
///
/// let params = SamplingParams { temperature: 0.8, top_k: 50, top_p: 0.95, ..Default::default() };
/// assert!(params.validate().is_ok());
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SamplingParams {
    /// What logits are divided by.
    pub temperature: f32,
    /// How many tokens are kept, the best first, among equals the lower index.
    pub top_k: i64,
    /// The share of the mass that the kept tokens, best first, must reach together.
    pub top_p: f32,
    /// The least probability that is kept, as a share of the greatest.
    pub min_p: f32,
    /// Divides the positive logits of tokens that occurred, and multiplies the negative.
    pub repetition_penalty: f32,
    /// Taken off a token's logit each time that it was generated.
    pub frequency_penalty: f32,
    /// Taken off the logit of a token that was generated.
    pub presence_penalty: f32,
    /// The row's stream of random words; none takes one of the system's.
    pub seed: Option<u64>,
    /// The draw's place in that stream: a decode loop counts it up.
    pub position: u64,
}

impl Default for SamplingParams {
    fn default() -> Self {
        SamplingParams {
            temperature: 1.0,
            top_k: 0,
            top_p: 1.0,
            min_p: 0.0,
            repetition_penalty: 1.0,
            frequency_penalty: 0.0,
            presence_penalty: 0.0,
            seed: None,
            position: 0,
        }
    }
}

impl SamplingParams {
    /// The greatest logit, among equals the lowest index; nothing is drawn.
    pub fn greedy() -> SamplingParams {
        SamplingParams { temperature: 0.0, ..SamplingParams::default() }
    }

    /// Checks every field.
    ///
    /// # Errors
    /// [`Error::Parameter`] for the first that is not legal.
    pub fn validate(&self) -> Result<(), Error> {
        let rule = |name, value: f32, holds: bool, legal: &'static str| match holds {
            true => Ok(()),
            false => Err(Error::Parameter { name, value: format!("{value:?}"), legal }),
        };
        let within = |value: f32, least: f32, most: f32| (least..=most).contains(&value);
        rule(
            "temperature",
            self.temperature,
            self.temperature >= 0.0 && self.temperature.is_finite(),
            "it must be a finite number of at least 0; 0 is greedy, 1 changes nothing",
        )?;
        if self.top_k < -1 {
            return Err(Error::Parameter {
                name: "top_k",
                value: self.top_k.to_string(),
                legal: "it must be at least -1; 0 and -1 keep every token",
            });
        }
        rule(
            "top_p",
            self.top_p,
            self.top_p > 0.0 && self.top_p <= 1.0,
            "it must be above 0 and at most 1; 1 keeps every token",
        )?;
        let zero_to_one = "it must be from 0 to 1; 0 keeps every token";
        rule("min_p", self.min_p, within(self.min_p, 0.0, 1.0), zero_to_one)?;
        let penalty = self.repetition_penalty;
        rule(
            "repetition_penalty",
            penalty,
            penalty > 0.0 && penalty.is_finite(),
            "it must be a finite number above 0; 1 changes nothing",
        )?;
        let two = "it must be from -2 to 2; 0 changes nothing";
        let frequency = self.frequency_penalty;
        rule("frequency_penalty", frequency, within(frequency, -2.0, 2.0), two)?;
        let presence = self.presence_penalty;
        rule("presence_penalty", presence, within(presence, -2.0, 2.0), two)
    }

    /// As a kernel gets it, for rows of `n` elements and filters in this order. A `top_k` of a
    /// whole row becomes none, where that changes nothing but the work.
    pub(crate) fn encode(&self, n: usize, order: FilterOrder) -> RowParams {
        let top_k = usize::try_from(self.top_k).unwrap_or(0);
        let off = top_k > SORTED_K_MAX as usize && top_k >= n;
        let row = RowParams {
            seed: self.seed.unwrap_or_else(entropy),
            position: self.position,
            temperature: self.temperature,
            top_p: self.top_p,
            min_p_bound: f32::NEG_INFINITY,
            repetition_penalty: self.repetition_penalty,
            frequency_penalty: self.frequency_penalty,
            presence_penalty: self.presence_penalty,
            top_k: if off { 0 } else { top_k as u32 },
            reserved: 0,
        };
        let bound = min_p_bound(self.min_p, row.draw_temperature(), order);
        RowParams { min_p_bound: bound, ..row }
    }
}

/// A number that nobody can foresee: the keys that the standard library gets from the system for
/// its hash tables, hashed.
fn entropy() -> u64 {
    RandomState::new().hash_one(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_checked_and_named() {
        let good = SamplingParams::default();
        let text = |params: SamplingParams| params.validate().unwrap_err().to_string();
        assert_eq!(
            text(SamplingParams { temperature: -1.0, ..good }),
            "temperature = -1.0: it must be a finite number of at least 0; 0 is greedy, 1 changes \
             nothing"
        );
        let wrong = [
            ("temperature = NaN", SamplingParams { temperature: f32::NAN, ..good }),
            ("temperature = inf", SamplingParams { temperature: f32::INFINITY, ..good }),
            ("top_k = -2", SamplingParams { top_k: -2, ..good }),
            ("top_p = 0.0", SamplingParams { top_p: 0.0, ..good }),
            ("top_p = 1.1", SamplingParams { top_p: 1.1, ..good }),
            ("top_p = NaN", SamplingParams { top_p: f32::NAN, ..good }),
            ("min_p = -0.1", SamplingParams { min_p: -0.1, ..good }),
            ("min_p = 1.5", SamplingParams { min_p: 1.5, ..good }),
            ("repetition_penalty = 0.0", SamplingParams { repetition_penalty: 0.0, ..good }),
            ("frequency_penalty = 2.5", SamplingParams { frequency_penalty: 2.5, ..good }),
            ("presence_penalty = -3.0", SamplingParams { presence_penalty: -3.0, ..good }),
        ];
        for (start, params) in wrong {
            assert!(text(params).starts_with(start), "{}", text(params));
        }
        assert!(SamplingParams::greedy().validate().is_ok());
        assert!(SamplingParams { top_k: -1, ..good }.validate().is_ok());
    }

    #[test]
    fn a_top_k_of_everything_is_none() {
        let k = |top_k, n| {
            SamplingParams { top_k, ..Default::default() }.encode(n, FilterOrder::HuggingFace).top_k
        };
        assert_eq!([k(-1, 9), k(0, 9), k(5, 9), k(9, 9)], [0, 0, 5, 9]);
        assert_eq!([k(2000, 5000), k(5000, 5000), k(i64::MAX, 5000)], [2000, 0, 0]);
    }

    #[test]
    fn without_a_seed_every_row_gets_its_own() {
        let seeds: Vec<u64> = (0..4)
            .map(|_| SamplingParams::default().encode(9, FilterOrder::HuggingFace).seed)
            .collect();
        assert!(seeds.windows(2).all(|pair| pair[0] != pair[1]), "{seeds:?}");
    }
}
