//! Sampling on the host's cores: the contract, written as plainly as it can be. A row is a task.
//!
//! # Idea
//!
//! ```text
//! adjust the logits; find the greatest
//! lay the tokens out in the order in which they are walked: best first, or by index in segments
//! weigh them, and set to 0 what the filters turn away
//! for each sample: walk until the weights exceed the drawn share of their sum
//! ```
use kernels_gpu::order::{composite, index_of};
use kernels_gpu::params::Flip;
use kernels_gpu::sampling::adjust::adjusted;
use kernels_gpu::sampling::filter::{RowFilter, log_total, masking_key};
use kernels_gpu::sampling::math::multiply_high;
use kernels_gpu::sampling::nucleus::Nucleus;
use kernels_gpu::sampling::params::{FilterOrder, RowParams, RowStatus};
use kernels_gpu::sampling::philox::draw_word;
use rayon::prelude::*;

use super::adjustments::Adjustments;
use super::outcome::{Logprobs, Samples};
use super::sampler::{LogprobKind, Sampler};
use super::whole::Whole;
use crate::element::Element;
use crate::rows::Rows;

/// What a row gives.
struct RowOutcome {
    status: RowStatus,
    tokens: Vec<u32>,
    chosen: Vec<f32>,
    ranks: Vec<u32>,
    top: Vec<(u32, f32)>,
}

/// Samples rows that were validated.
pub(super) fn sample<T: Element>(
    sampler: &Sampler,
    rows: &Rows<'_, T>,
    params: &[RowParams],
    adjustments: &Adjustments<'_>,
) -> Samples {
    let outcomes: Vec<RowOutcome> = (0..rows.rows)
        .into_par_iter()
        .map(|row| sample_row(sampler, rows, &params[row % params.len()], adjustments, row))
        .collect();
    let logprobs = sampler.logprobs.map(|(_, top)| Logprobs {
        chosen: outcomes.iter().flat_map(|row| row.chosen.iter().copied()).collect(),
        ranks: outcomes.iter().flat_map(|row| row.ranks.iter().copied()).collect(),
        top,
        top_tokens: outcomes.iter().flat_map(|row| row.top.iter().map(|top| top.0)).collect(),
        top_logprobs: outcomes.iter().flat_map(|row| row.top.iter().map(|top| top.1)).collect(),
    });
    Samples {
        rows: rows.rows,
        num_samples: sampler.num_samples,
        tokens: outcomes.iter().flat_map(|row| row.tokens.iter().copied()).collect(),
        status: outcomes.iter().map(|row| row.status).collect(),
        logprobs,
    }
}

fn sample_row<T: Element>(
    sampler: &Sampler,
    rows: &Rows<'_, T>,
    params: &RowParams,
    adjustments: &Adjustments<'_>,
    row: usize,
) -> RowOutcome {
    let raw: Vec<f32> = rows.row(row).iter().map(|x| x.to_f32()).collect();
    let logits = adjust(&raw, params, adjustments, sampler.order, row, rows.n);
    let max = greatest(&logits);
    let status = RowStatus::of(max, logits.iter().any(|x| x.is_nan()));
    let filter = RowFilter::new(params, sampler.order, max, logits.len() as u32);
    let walk = match status {
        RowStatus::AllMasked => Walk::Best { tokens: vec![], weights: vec![] },
        _ => Walk::new(&logits, &filter, params, sampler.order),
    };
    let log_total = walk.log_total(&filter);
    let kept = Kept::new(&walk, &logits);
    let mut outcome = RowOutcome {
        status,
        tokens: walk.draw(sampler, params),
        chosen: vec![],
        ranks: vec![],
        top: vec![],
    };
    let Some((kind, top)) = sampler.logprobs else {
        return outcome;
    };
    let scores = match kind {
        LogprobKind::Processed => Scores { logits: &logits, filter, log_total, kept },
        LogprobKind::Raw => Scores::raw(&raw),
    };
    outcome.chosen = outcome.tokens.iter().map(|&token| scores.logprob(token)).collect();
    outcome.ranks = outcome.tokens.iter().map(|&token| scores.rank(token)).collect();
    outcome.top = scores.best(top);
    outcome
}

/// The logits after penalties, bias and mask.
fn adjust(
    raw: &[f32],
    params: &RowParams,
    adjustments: &Adjustments<'_>,
    order: FilterOrder,
    row: usize,
    n: usize,
) -> Vec<f32> {
    if adjustments.is_empty() {
        return raw.to_vec();
    }
    let mut logits = raw.to_vec();
    let (words, bias) = (adjustments.history_words(row), adjustments.row_bias(row));
    let of = |token: u32| bias.iter().find(|(other, _)| *other == token).map_or(0.0, |b| b.1);
    let changed = words.keys().copied().chain(bias.iter().map(|(token, _)| *token));
    for token in changed.filter(|&token| (token as usize) < raw.len()) {
        let history = words.get(&token).copied().unwrap_or(0);
        logits[token as usize] = adjusted(raw[token as usize], history, of(token), params, order);
    }
    for (token, logit) in logits.iter_mut().enumerate() {
        if !adjustments.allows(row, token, n) {
            *logit = f32::NEG_INFINITY;
        }
    }
    logits
}

/// The greatest that is no NaN; `-inf` where there is none.
fn greatest(logits: &[f32]) -> f32 {
    logits.iter().copied().fold(f32::NEG_INFINITY, f32::max)
}

fn item(logit: f32, token: usize) -> u64 {
    let key = masking_key(logit.to_bits(), f32::INFINITY.to_bits());
    composite(key, token as u32, Flip::LARGEST)
}

/// The best `k` tokens, best first; all of them for a `k` of 0.
fn best_first(logits: &[f32], k: usize) -> Vec<u64> {
    let mut items: Vec<u64> = logits.iter().enumerate().map(|(i, &x)| item(x, i)).collect();
    if k > 0 && k < items.len() {
        items.select_nth_unstable_by(k - 1, |a, b| b.cmp(a));
        items.truncate(k);
    }
    items.sort_unstable_by(|a, b| b.cmp(a));
    items
}

/// What is drawn from.
enum Walk {
    /// The best few, best first, with their weights.
    Best { tokens: Vec<u32>, weights: Vec<u64> },
    /// The row by index.
    Whole(Whole),
}

impl Walk {
    fn new(logits: &[f32], filter: &RowFilter, params: &RowParams, order: FilterOrder) -> Walk {
        let sorted_k = params.sorted_k();
        let logit = |token: u32| logits[token as usize];
        if sorted_k == 0 && !params.has_cut() {
            return Walk::whole(logits.to_vec(), filter, params);
        }
        let k = if sorted_k > 0 { sorted_k } else { params.top_k };
        let mut tokens: Vec<u32> =
            best_first(logits, k as usize).into_iter().map(index_of).collect();
        if filter.has_top_p() {
            let nucleus = Nucleus::new(params, order, greatest(logits), logits.len() as u32);
            let mass = |token: &u32| match sorted_k {
                0 => nucleus.mass(logit(*token)),
                _ => filter.filter_weight(logit(*token)),
            };
            let weights: Vec<u64> = tokens.iter().map(mass).collect();
            let target = filter.top_p_target(weights.iter().sum());
            let mut sum = 0;
            let before = |weight: &&u64| {
                sum += **weight;
                sum < target
            };
            tokens.truncate(weights.iter().take_while(before).count() + 1);
        }
        if sorted_k == 0 {
            let mut kept = vec![f32::NEG_INFINITY; logits.len()];
            tokens.iter().for_each(|&token| kept[token as usize] = logit(token));
            return Walk::whole(kept, filter, params);
        }
        let weights = tokens.iter().map(|&token| filter.draw_weight(logit(token))).collect();
        Walk::Best { tokens, weights }
    }

    /// The row of what top-k and top-p left.
    fn whole(mut logits: Vec<f32>, filter: &RowFilter, params: &RowParams) -> Walk {
        let max = greatest(&logits);
        for logit in &mut logits {
            if !filter.can_draw(*logit) {
                *logit = f32::NEG_INFINITY;
            }
        }
        let is_filtered = params.has_cut() || params.has_min_p();
        Walk::Whole(Whole::new(logits, max, params, is_filtered))
    }

    /// The logarithm of what all weigh.
    fn log_total(&self, filter: &RowFilter) -> f64 {
        match self {
            Walk::Best { weights, .. } => log_total(weights.iter().sum(), filter.scale()),
            Walk::Whole(whole) => whole.log_total(),
        }
    }

    /// The tokens of all samples; `u32::MAX` where nothing is left.
    fn draw(self, sampler: &Sampler, params: &RowParams) -> Vec<u32> {
        let samples = sampler.num_samples as u32;
        let (tokens, mut weights) = match self {
            Walk::Best { tokens, weights } => (tokens, weights),
            Walk::Whole(whole) => return whole.draw(samples, sampler.replacement, params),
        };
        let mut total: u64 = weights.iter().sum();
        let draw = |sample| {
            if total == 0 {
                return u32::MAX;
            }
            let word = draw_word(params.seed, params.position, sample);
            let share = multiply_high(word, total);
            let mut sum = 0;
            let drawn = weights.iter().position(|weight| {
                sum += weight;
                sum > share
            });
            let at = drawn.expect("the share is less than the sum of all");
            if !sampler.replacement {
                total -= weights[at];
                weights[at] = 0;
            }
            tokens[at]
        };
        (0..samples).map(draw).collect()
    }
}

/// Which tokens the draw could take.
struct Kept(Vec<bool>);

impl Kept {
    fn new(walk: &Walk, logits: &[f32]) -> Kept {
        match walk {
            Walk::Best { tokens, weights } => {
                let mut kept = vec![false; logits.len()];
                for (&token, &weight) in tokens.iter().zip(weights) {
                    kept[token as usize] = weight > 0;
                }
                Kept(kept)
            }
            Walk::Whole(whole) => Kept(whole.kept().collect()),
        }
    }
}

/// What logarithms and ranks are taken of.
struct Scores<'a> {
    logits: &'a [f32],
    filter: RowFilter,
    /// The logarithm of what all weigh.
    log_total: f64,
    kept: Kept,
}

impl<'a> Scores<'a> {
    /// Of the softmax of the row as it came.
    fn raw(raw: &'a [f32]) -> Scores<'a> {
        let max = greatest(raw);
        let params = super::params::SamplingParams { seed: Some(0), ..Default::default() };
        let params = params.encode(raw.len(), FilterOrder::HuggingFace);
        let filter = RowFilter::new(&params, FilterOrder::HuggingFace, max, raw.len() as u32);
        let kept = Kept(raw.iter().map(|x| filter.can_draw(*x)).collect());
        let whole = Whole::new(raw.to_vec(), max, &params, false);
        Scores { logits: raw, filter, log_total: whole.log_total(), kept }
    }

    fn logprob(&self, token: u32) -> f32 {
        match self.kept.0.get(token as usize) {
            Some(true) => self.filter.log_ratio(self.logits[token as usize], self.log_total),
            _ => f32::NEG_INFINITY,
        }
    }

    fn rank(&self, token: u32) -> u32 {
        let Some(&logit) = self.logits.get(token as usize) else {
            return 0;
        };
        let own = item(logit, token as usize);
        let better = self.logits.iter().enumerate().filter(|(i, x)| item(**x, *i) > own);
        1 + better.count() as u32
    }

    /// The best tokens and their logarithms; what stands for none where there are fewer.
    fn best(&self, count: usize) -> Vec<(u32, f32)> {
        if count == 0 {
            return vec![];
        }
        let tokens = best_first(self.logits, count).into_iter().map(index_of);
        let mut best: Vec<(u32, f32)> = tokens.map(|t| (t, self.logprob(t))).collect();
        best.resize(count, (u32::MAX, f32::NEG_INFINITY));
        best
    }
}
