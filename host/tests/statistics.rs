//! Whether draws have the distribution that they should: chi-square tests with fixed seeds, against
//! a distribution computed in `f64` from the definition.
//!
//! Every test has the significance [`ALPHA`]: of 10 000 right samplers one would fail it. The seeds
//! are fixed, so that a test that passed passes always; nothing here depends on luck at run time.
//! The tokens of GPU and emulator are the CPU's, bit for bit (`emulator_sampling.rs`,
//! `gpu_sampling.rs`), so that the CPU's are what is tested.
mod support;

use aikf_topk::{
    DeviceChoice, FilterOrder, LogprobKind, Rows, Runtime, Sampler, Samples, SamplingParams,
};
use support::sampling::Random;

/// The chance that a right sampler fails a test.
const ALPHA: f64 = 1e-4;
/// The quantile of the normal distribution that goes with it.
const ALPHA_Z: f64 = 3.719_016;

const ORDERS: [FilterOrder; 3] =
    [FilterOrder::HuggingFace, FilterOrder::Vllm, FilterOrder::LlamaCpp];

fn cpu() -> Runtime {
    Runtime::open(DeviceChoice::Cpu).expect("the host's cores are always there")
}

fn base() -> SamplingParams {
    SamplingParams { seed: Some(20_261_122), ..Default::default() }
}

/// Bell-shaped logits, the same in every run.
fn logits(n: usize, spread: f32) -> Vec<f32> {
    let mut random = Random(n as u64);
    (0..n).map(|_| ((0..8).map(|_| random.unit()).sum::<f32>() - 4.0) * spread).collect()
}

fn draw(sampler: &Sampler, row: &[f32], params: SamplingParams) -> Samples {
    let rows = Rows::new(row, 1, row.len()).expect("one row");
    sampler.sample(&cpu(), rows, &[params]).expect("legal")
}

/// The tokens of `positions` positions with 1000 samples each.
fn tokens(row: &[f32], order: FilterOrder, params: SamplingParams, positions: u64) -> Vec<u32> {
    let sampler = Sampler::new().order(order).num_samples(1000);
    (0..positions)
        .flat_map(|position| draw(&sampler, row, SamplingParams { position, ..params }).tokens)
        .collect()
}

/// `e^(x / T)`, as shares of the greatest.
fn weights(row: &[f32], temperature: f32) -> Vec<f64> {
    let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    row.iter().map(|x| (f64::from(x - max) / f64::from(temperature)).exp()).collect()
}

/// The distribution that a token should have, by the definition of each filter in turn.
fn distribution(row: &[f32], order: FilterOrder, params: &SamplingParams) -> Vec<f64> {
    let own = params.temperature;
    let filtering = weights(row, if order == FilterOrder::LlamaCpp { 1.0 } else { own });
    let mut best: Vec<usize> = (0..row.len()).collect();
    best.sort_by(|&a, &b| row[b].total_cmp(&row[a]).then(a.cmp(&b)));
    let min_p = |kept: &mut Vec<usize>| {
        kept.retain(|&token| filtering[token] >= f64::from(params.min_p));
    };
    let mut kept = best;
    if order == FilterOrder::Vllm {
        min_p(&mut kept);
    }
    if params.top_k > 0 {
        kept.truncate(params.top_k as usize);
    }
    if params.top_p < 1.0 {
        let total: f64 = kept.iter().map(|&token| filtering[token]).sum();
        let mut sum = 0.0;
        let short = |token: &&usize| {
            sum += filtering[**token];
            sum < f64::from(params.top_p) * total
        };
        let count = kept.iter().take_while(short).count() + 1;
        kept.truncate(count);
    }
    min_p(&mut kept);
    let drawing = weights(row, own);
    let total: f64 = kept.iter().map(|&token| drawing[token]).sum();
    let mut shares = vec![0.0; row.len()];
    for token in kept {
        shares[token] = drawing[token] / total;
    }
    shares
}

/// Asserts that counts fit shares: none where the share is 0, and chi-square below its quantile.
/// Cells of which fewer than 5 are expected are taken together.
#[track_caller]
fn assert_fits(counts: &[u64], shares: &[f64], what: &str) {
    let draws: u64 = counts.iter().sum();
    let (mut statistic, mut cells) = (0.0, 0u32);
    let mut rest = (0.0, 0.0);
    let mut add = |expected: f64, observed: f64| {
        statistic += (observed - expected).powi(2) / expected;
        cells += 1;
    };
    for (&count, &share) in counts.iter().zip(shares) {
        assert!(share > 0.0 || count == 0, "{what}: what is filtered out came {count} times");
        let (expected, observed) = (share * draws as f64, count as f64);
        if expected >= 5.0 {
            add(expected, observed);
        } else {
            rest = (rest.0 + expected, rest.1 + observed);
        }
    }
    if rest.0 >= 5.0 {
        add(rest.0, rest.1);
    }
    assert!(cells >= 2, "{what}: nothing is tested with {cells} cells");
    // Wilson and Hilferty: the cube root of chi-square is close to normal.
    let freedom = f64::from(cells - 1);
    let part = 2.0 / (9.0 * freedom);
    let limit = freedom * (1.0 - part + ALPHA_Z * part.sqrt()).powi(3);
    assert!(statistic < limit, "{what}: chi-square {statistic:.1}, limit {limit:.1} at {ALPHA}");
}

fn counts(tokens: &[u32], n: usize) -> Vec<u64> {
    let mut counts = vec![0; n];
    for &token in tokens {
        counts[token as usize] += 1;
    }
    counts
}

#[test]
fn every_filter_in_every_order() {
    let small = logits(60, 1.0);
    let large = logits(1500, 0.5);
    let with = |temperature, top_k, top_p, min_p| SamplingParams {
        temperature,
        top_k,
        top_p,
        min_p,
        ..base()
    };
    let modes = [
        (&small, with(1.0, 0, 1.0, 0.0)),
        (&small, with(0.5, 0, 1.0, 0.0)),
        (&small, with(2.5, 0, 1.0, 0.0)),
        (&small, with(1.0, 12, 1.0, 0.0)),
        (&small, with(1.0, 0, 0.8, 0.0)),
        (&small, with(1.0, 0, 1.0, 0.2)),
        (&small, with(0.8, 25, 0.9, 0.05)),
        (&small, with(1.5, 0, 0.9, 0.1)),
        (&small, with(0.7, 40, 0.95, 0.0)),
        (&large, with(1.0, 0, 1.0, 0.0)),
        (&large, with(1.0, 1100, 1.0, 0.0)),
        (&large, with(1.2, 1100, 0.9, 0.02)),
        (&large, with(1.0, 700, 0.95, 0.0)),
    ];
    for (row, params) in modes {
        for order in ORDERS {
            let shares = distribution(row, order, &params);
            let drawn = tokens(row, order, params, 40);
            let what = format!("{order:?}, {params:?}");
            assert_fits(&counts(&drawn, row.len()), &shares, &what);
        }
    }
}

/// A sampler that is wrong by little is found: the test has power.
#[test]
#[should_panic(expected = "chi-square")]
fn a_wrong_temperature_is_found() {
    let row = logits(60, 1.0);
    let shares = distribution(&row, FilterOrder::HuggingFace, &base());
    let warm = SamplingParams { temperature: 1.1, ..base() };
    let drawn = tokens(&row, FilterOrder::HuggingFace, warm, 40);
    assert_fits(&counts(&drawn, 60), &shares, "temperature 1.1 in place of 1");
}

/// Asserts that pairs of tokens are as frequent as the product of their shares.
#[track_caller]
fn assert_independent(pairs: impl Iterator<Item = (u32, u32)>, shares: &[f64], what: &str) {
    let n = shares.len();
    let cells: Vec<u32> = pairs.map(|(a, b)| a * n as u32 + b).collect();
    let products: Vec<f64> =
        shares.iter().flat_map(|a| shares.iter().map(move |b| a * b)).collect();
    assert_fits(&counts(&cells, n * n), &products, what);
}

#[test]
fn positions_seeds_and_samples_are_independent() {
    let row = logits(8, 0.6);
    for params in [base(), SamplingParams { top_k: 6, ..base() }] {
        let shares = distribution(&row, FilterOrder::HuggingFace, &params);
        let one = |params| draw(&Sampler::new(), &row, params).tokens[0];
        let by_position: Vec<u32> =
            (0..20_000).map(|position| one(SamplingParams { position, ..params })).collect();
        let pairs = by_position.chunks_exact(2).map(|pair| (pair[0], pair[1]));
        assert_independent(pairs, &shares, "neighbouring positions");
        let by_seed: Vec<u32> =
            (0..20_000).map(|seed| one(SamplingParams { seed: Some(seed), ..params })).collect();
        let pairs = by_seed.chunks_exact(2).map(|pair| (pair[0], pair[1]));
        assert_independent(pairs, &shares, "rows of neighbouring seeds");
        let by_sample = tokens(&row, FilterOrder::HuggingFace, params, 20);
        let pairs = by_sample.chunks_exact(2).map(|pair| (pair[0], pair[1]));
        assert_independent(pairs, &shares, "neighbouring samples");
        let crossed = by_position.iter().copied().zip(by_seed);
        assert_independent(crossed, &shares, "position p of a seed, and seed p");
    }
}

#[test]
fn without_replacement_the_second_is_of_what_is_left() {
    let row = logits(8, 0.6);
    for params in [base(), SamplingParams { top_k: 6, ..base() }] {
        let shares = distribution(&row, FilterOrder::HuggingFace, &params);
        let sampler = Sampler::new().num_samples(2).replacement(false);
        let cells: Vec<u32> = (0..40_000)
            .map(|position| {
                let pair = draw(&sampler, &row, SamplingParams { position, ..params }).tokens;
                pair[0] * 8 + pair[1]
            })
            .collect();
        let expected: Vec<f64> = (0..64)
            .map(|cell| {
                let (first, second) = (cell / 8, cell % 8);
                match first == second {
                    true => 0.0,
                    false => shares[first] * shares[second] / (1.0 - shares[first]),
                }
            })
            .collect();
        assert_fits(&counts(&cells, 64), &expected, "pairs without replacement");
    }
}

/// Equals at the crossing of top-p and top-k: the lower indices, each with its share.
#[test]
fn ties_at_the_crossing() {
    let mut row = vec![1.0f32; 40];
    row[30] = 2.0;
    for params in [
        SamplingParams { top_k: 11, ..base() },
        SamplingParams { top_p: 0.3, ..base() },
        SamplingParams { top_k: 20, top_p: 0.5, ..base() },
    ] {
        for order in ORDERS {
            let shares = distribution(&row, order, &params);
            let drawn = tokens(&row, order, params, 20);
            assert_fits(&counts(&drawn, 40), &shares, &format!("{order:?}, {params:?}"));
        }
    }
}

/// Logarithms against `f64`: 2e-6 relative.
#[test]
fn logarithms() {
    let mut checked = 0;
    for (n, spread) in [(5, 1.0), (300, 3.0), (20_000, 1.0), (128_256, 2.0)] {
        let row = logits(n, spread);
        for params in [
            base(),
            SamplingParams { temperature: 0.7, top_k: 40, ..base() },
            SamplingParams { temperature: 1.3, top_p: 0.9, ..base() },
        ] {
            for kind in [LogprobKind::Raw, LogprobKind::Processed] {
                let sampler = Sampler::new().num_samples(50).logprobs(kind, 5);
                let samples = draw(&sampler, &row, params);
                let of = match kind {
                    LogprobKind::Raw => base(),
                    LogprobKind::Processed => params,
                };
                let shares = distribution(&row, FilterOrder::HuggingFace, &of);
                let scores = samples.logprobs.expect("asked for");
                let pairs = samples.tokens.iter().zip(&scores.chosen);
                for (&token, &logprob) in
                    pairs.chain(scores.top_tokens.iter().zip(&scores.top_logprobs))
                {
                    let right = shares[token as usize].ln();
                    let error = (f64::from(logprob) - right).abs();
                    assert!(
                        error <= 2e-6 * right.abs() || f64::from(logprob) == right,
                        "{kind:?}, {n}, {params:?}, token {token}: {logprob}, {right}"
                    );
                    checked += 1;
                }
                let mut order: Vec<usize> = (0..n).collect();
                order.sort_by(|&a, &b| row[b].total_cmp(&row[a]).then(a.cmp(&b)));
                for (&token, &rank) in samples.tokens.iter().zip(&scores.ranks) {
                    assert_eq!(order[rank as usize - 1], token as usize);
                }
            }
        }
    }
    assert!(checked > 1000);
}
