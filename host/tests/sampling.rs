//! The contract of sampling on the host's cores: boundaries, ties, odd values, wrong calls.
mod support;

use aikf_topk::{
    Adjustments, DeviceChoice, Error, FilterOrder, History, LogprobKind, Problem, RowStatus, Rows,
    Runtime, Sampler, Samples, SamplingParams, sample_logits,
};

const INF: f32 = f32::INFINITY;
const NAN: f32 = f32::NAN;
const ORDERS: [FilterOrder; 3] =
    [FilterOrder::HuggingFace, FilterOrder::Vllm, FilterOrder::LlamaCpp];

fn cpu() -> Runtime {
    Runtime::open(DeviceChoice::Cpu).expect("the host's cores are always there")
}

fn base() -> SamplingParams {
    SamplingParams { seed: Some(1), ..Default::default() }
}

fn draw(sampler: &Sampler, row: &[f32], params: SamplingParams) -> Samples {
    let rows = Rows::new(row, 1, row.len()).expect("one row");
    sampler.sample(&cpu(), rows, &[params]).expect("legal")
}

/// The tokens that come in 400 draws, in order.
fn support_of(row: &[f32], order: FilterOrder, params: SamplingParams) -> Vec<u32> {
    let sampler = Sampler::new().order(order).num_samples(400);
    let mut tokens = draw(&sampler, row, params).tokens;
    tokens.sort_unstable();
    tokens.dedup();
    tokens
}

#[test]
fn greedy_takes_the_lowest_index_of_the_greatest() {
    let row = [1.0, 3.0, 3.0, -INF, 2.0];
    for params in [
        SamplingParams { seed: Some(1), ..SamplingParams::greedy() },
        SamplingParams { temperature: 9e-6, ..base() },
        SamplingParams { top_k: 1, temperature: 5.0, ..base() },
        SamplingParams { top_p: 1e-9, ..base() },
    ] {
        for order in ORDERS {
            assert_eq!(support_of(&row, order, params), [1], "{params:?}");
        }
    }
}

/// Four tokens of probability 1/2, 1/4, 1/8, 1/8: weights that are exact, but for the exponential.
#[test]
fn top_p_at_its_boundaries() {
    let ln2 = std::f32::consts::LN_2;
    let row = [-ln2, 0.0, -2.0 * ln2, -2.0 * ln2];
    let kept =
        |top_p| support_of(&row, FilterOrder::HuggingFace, SamplingParams { top_p, ..base() });
    assert_eq!(kept(1e-6), [1]);
    assert_eq!(kept(0.499), [1]);
    assert_eq!(kept(0.501), [0, 1]);
    assert_eq!(kept(0.749), [0, 1]);
    // Equals at the crossing: the lower index is kept.
    assert_eq!(kept(0.76), [0, 1, 2]);
    assert_eq!(kept(0.874), [0, 1, 2]);
    assert_eq!(kept(0.876), [0, 1, 2, 3]);
    assert_eq!(kept(1.0), [0, 1, 2, 3]);
}

/// Equal logits have equal weights: shares of their number are exact.
#[test]
fn top_p_counts_equals_exactly() {
    let row = [0.5f32; 8];
    for (top_p, count) in [(0.125, 1), (0.126, 2), (0.25, 2), (0.5, 4), (0.500_001, 5), (0.875, 7)]
    {
        for top_k in [0, 8] {
            let params = SamplingParams { top_p, top_k, ..base() };
            let kept = support_of(&row, FilterOrder::HuggingFace, params);
            assert_eq!(kept, (0..count).collect::<Vec<u32>>(), "{top_p}, top_k {top_k}");
        }
    }
}

#[test]
fn min_p_at_its_boundaries() {
    let row = [0.0, 1.0, 1.0, 0.999, -1.0];
    let kept = |min_p, order| support_of(&row, order, SamplingParams { min_p, ..base() });
    for order in ORDERS {
        assert_eq!(kept(1.0, order), [1, 2], "equals of the greatest alone");
        assert_eq!(kept(0.99, order), [1, 2, 3]);
        assert_eq!(kept(0.36, order), [0, 1, 2, 3]); // e^-1 = 0.3679
        assert_eq!(kept(0.37, order), [1, 2, 3]);
        assert_eq!(kept(1e-30, order), [0, 1, 2, 3, 4]);
    }
}

/// The orders differ: what top-p's mass is a share of, and at which temperature.
#[test]
fn the_orders_of_filters() {
    // Probabilities about 0.6, 0.2, 0.1, 0.1 at temperature 1.
    let row = [6f32.ln(), 2f32.ln(), 0.0, 0.0];
    let params = SamplingParams { top_p: 0.85, min_p: 0.25, ..base() };
    // Of everything 0.85 needs three tokens, of which min-p leaves two.
    assert_eq!(support_of(&row, FilterOrder::HuggingFace, params), [0, 1]);
    // Of what min-p left, 0.75 and 0.25, 0.85 needs two; 0.74 needs one.
    let narrow = SamplingParams { top_p: 0.74, ..params };
    assert_eq!(support_of(&row, FilterOrder::Vllm, params), [0, 1]);
    assert_eq!(support_of(&row, FilterOrder::Vllm, narrow), [0]);
    assert_eq!(support_of(&row, FilterOrder::HuggingFace, narrow), [0, 1]);
    // At temperature 3 the probabilities are closer; LlamaCpp filters before it.
    let warm = SamplingParams { temperature: 3.0, top_p: 0.55, ..base() };
    assert_eq!(support_of(&row, FilterOrder::LlamaCpp, warm), [0]);
    assert_eq!(support_of(&row, FilterOrder::HuggingFace, warm), [0, 1]);
}

#[test]
fn odd_values() {
    let status = |row: &[f32]| draw(&Sampler::new(), row, base()).status[0];
    assert_eq!(status(&[1.0, 2.0]), RowStatus::Ok);
    assert_eq!(status(&[1.0, NAN]), RowStatus::NanSeen);
    assert_eq!(status(&[-INF, NAN]), RowStatus::AllMasked);
    for params in [base(), SamplingParams { top_k: 2, ..base() }, SamplingParams::greedy()] {
        let all_masked = draw(&Sampler::new().num_samples(3), &[-INF, -INF], params);
        assert_eq!(all_masked.tokens, [u32::MAX; 3]);
        assert_eq!(all_masked.status, [RowStatus::AllMasked]);
    }
    for top_k in [0, 3] {
        let params = SamplingParams { top_k, ..base() };
        let of = |row: &[f32]| support_of(row, FilterOrder::HuggingFace, params);
        assert_eq!(of(&[NAN, 0.0, NAN, -INF]), [1]);
        assert_eq!(of(&[INF, 0.0, INF, NAN]), [0, 2], "+inf shares the mass equally");
        assert_eq!(of(&[-0.0, 0.0]), [0, 1], "zeros are equal");
    }
    // Equal shares: of 4000 draws each gets about half.
    let row = [INF, 0.0, INF];
    let tokens = draw(&Sampler::new().num_samples(1000), &row, base()).tokens;
    let first = tokens.iter().filter(|&&token| token == 0).count();
    assert!((400..600).contains(&first), "{first} of 1000");
}

#[test]
fn without_replacement_no_token_comes_twice() {
    let row: Vec<f32> = (0..30).map(|i| i as f32 * 0.1).collect();
    for top_k in [0, 20] {
        let sampler = Sampler::new().num_samples(30).replacement(false);
        let mut tokens = draw(&sampler, &row, SamplingParams { top_k, ..base() }).tokens;
        let there = if top_k == 0 { 30 } else { 20 };
        assert!(tokens[there..].iter().all(|&token| token == u32::MAX), "nothing is left");
        tokens.truncate(there);
        tokens.sort_unstable();
        assert_eq!(tokens, (30 - there as u32..30).collect::<Vec<_>>());
    }
}

/// The same row, seed and position give the same tokens in any batch and at any place.
#[test]
fn a_row_draws_the_same_wherever_it_stands() {
    let mut random = support::sampling::Random(8);
    let row: Vec<f32> = (0..500).map(|_| random.unit() * 8.0).collect();
    for params in [
        base(),
        SamplingParams { top_k: 30, top_p: 0.8, ..base() },
        SamplingParams { top_p: 0.7, min_p: 0.01, ..base() },
    ] {
        let sampler = Sampler::new().num_samples(5);
        let alone = draw(&sampler, &row, params);
        for place in [0, 3, 6] {
            let mut data: Vec<f32> = (0..7 * 500).map(|_| random.unit()).collect();
            data[place * 500..][..500].copy_from_slice(&row);
            let mut all: Vec<SamplingParams> = (0..7)
                .map(|seed| SamplingParams { seed: Some(seed), top_k: 9, ..Default::default() })
                .collect();
            all[place] = params;
            let rows = Rows::new(&data, 7, 500).expect("as long");
            let samples = sampler.sample(&cpu(), rows, &all).expect("legal");
            assert_eq!(samples.row(place), alone.tokens, "{params:?} at {place}");
        }
    }
}

/// What each number of the key and the counter is for.
#[test]
fn seed_position_and_sample_each_count() {
    let row = vec![0.0f32; 1 << 16];
    let token = |params| draw(&Sampler::new(), &row, params).tokens[0];
    let one = token(base());
    assert_eq!(token(base()), one);
    assert_ne!(token(SamplingParams { seed: Some(2), ..base() }), one);
    assert_ne!(token(SamplingParams { seed: Some(1 | 1 << 32), ..base() }), one);
    assert_ne!(token(SamplingParams { position: 1, ..base() }), one);
    assert_ne!(token(SamplingParams { position: 1 << 32, ..base() }), one);
    let several = draw(&Sampler::new().num_samples(2), &row, base()).tokens;
    assert_eq!(several[0], one, "the number of samples does not change the first");
    assert_ne!(several[1], one);
}

#[test]
fn penalties_bias_and_mask() {
    let row = [2.0f32, 1.5, -1.0, 0.0];
    let rows = Rows::new(&row, 1, 4).expect("one row");
    let greedy = SamplingParams { seed: Some(0), ..SamplingParams::greedy() };
    let pick = |order, params, adjustments: &Adjustments<'_>| {
        let sampler = Sampler::new().order(order).logprobs(LogprobKind::Processed, 4);
        let samples = sampler.sample_adjusted(&cpu(), rows, &[params], adjustments).expect("legal");
        samples.logprobs.expect("asked for").top_tokens
    };
    let hf = FilterOrder::HuggingFace;
    let histories = [History { prompt: &[0], output: &[1, 1, 2] }];
    let history = Adjustments { histories: &histories, ..Default::default() };
    // 2/2, 1.5/2, -1*2, 0: the repetition penalty counts prompt and output.
    let repetition = SamplingParams { repetition_penalty: 2.0, ..greedy };
    assert_eq!(pick(hf, repetition, &history), [0, 1, 3, 2]);
    // 2, 1.5 - 2 * 0.8, -1 - 0.8, 0: the frequency penalty counts each output.
    let frequency = SamplingParams { frequency_penalty: 0.8, ..greedy };
    assert_eq!(pick(hf, frequency, &history), [0, 3, 1, 2]);
    // 2, 1.5 - 1.4, -1 - 1.4, 0: the presence penalty counts an output once.
    let presence = SamplingParams { presence_penalty: 1.4, ..greedy };
    assert_eq!(pick(hf, presence, &history), [0, 1, 3, 2]);
    let bias = [(0, 2, 4.0), (0, 0, -INF), (0, 2, 0.5)];
    let biased = Adjustments { bias: &bias, ..Default::default() };
    assert_eq!(pick(hf, greedy, &biased), [2, 1, 3, 0]);
    let masked = Adjustments { allowed: &[0b1100], ..Default::default() };
    assert_eq!(pick(hf, greedy, &masked), [3, 2, 0, 1]);
    // The bias comes before the penalties but in HuggingFace's order: (-1 + 4) / 2, or -1 * 2 + 4.
    let both = Adjustments { histories: &histories, bias: &[(0, 2, 4.0)], allowed: &[] };
    assert_eq!(pick(hf, repetition, &both)[..2], [2, 0]);
    assert_eq!(pick(FilterOrder::Vllm, repetition, &both)[..2], [2, 0]);
    let strong = SamplingParams { repetition_penalty: 4.0, ..greedy };
    assert_eq!(pick(hf, strong, &both)[..2], [0, 1], "-1 * 4 + 4 is 0, behind 2/4 and 1.5/4");
    assert_eq!(pick(FilterOrder::Vllm, strong, &both)[..2], [2, 0], "(-1 + 4) / 4 is 0.75");
}

#[test]
fn half_precision_and_lengths() {
    let row = [1.0f32, 5.0, 2.0, 9.0].map(half::f16::from_f32);
    let rows = Rows::new(&row, 2, 2).and_then(|rows| rows.with_lengths(&[2, 0])).expect("legal");
    let samples = sample_logits(&cpu(), rows, &[SamplingParams::greedy()]).expect("legal");
    assert_eq!(samples.tokens, [1, u32::MAX]);
    assert_eq!(samples.status, [RowStatus::Ok, RowStatus::AllMasked]);
}

#[test]
fn wrong_calls_say_what_is_wrong() {
    let row = [1.0f32, 2.0, 3.0];
    let rows = Rows::new(&row, 1, 3).expect("one row");
    let text = |sampler: Sampler, params: &[SamplingParams], adjustments: &Adjustments<'_>| {
        sampler.sample_adjusted(&cpu(), rows, params, adjustments).unwrap_err().to_string()
    };
    let (one, none) = ([base()], Adjustments::default());
    assert_eq!(
        text(Sampler::new().num_samples(0), &one, &none),
        "num_samples = 0: it must be from 1 to 1024"
    );
    assert_eq!(
        text(Sampler::new().logprobs(LogprobKind::Raw, 4), &one, &none),
        "logprobs = 4: a row has n = 3 tokens; at most 3 are told"
    );
    assert_eq!(
        text(Sampler::new(), &[], &none),
        "the slice of parameters (one, or one a row) has room for 0 elements, and 1 are needed"
    );
    let wrong = SamplingParams { top_p: 0.0, ..base() };
    assert_eq!(
        text(Sampler::new(), &[wrong], &none),
        "top_p = 0.0: it must be above 0 and at most 1; 1 keeps every token"
    );
    let bias = Adjustments { bias: &[(0, 3, 1.0)], ..none };
    assert_eq!(text(Sampler::new(), &one, &bias), "the token of a bias = 3: it must be below 3");
    let bias = Adjustments { bias: &[(0, 0, NAN)], ..none };
    assert!(text(Sampler::new(), &one, &bias).starts_with("a bias = NaN: it must be a number"));
    let mask = Adjustments { allowed: &[1, 1], ..none };
    assert!(
        text(Sampler::new(), &one, &mask).contains("has room for 2 elements, and 1 are needed")
    );
    let history = [History { prompt: &[7], output: &[] }];
    let histories = Adjustments { histories: &history, ..none };
    assert!(text(Sampler::new(), &one, &histories).starts_with("a token of a history = 7"));
    let empty = Rows::<f32>::new(&[], 1, 0).expect("a row of nothing");
    let error = sample_logits(&cpu(), empty, &one).unwrap_err();
    assert_eq!(error.to_string(), "n = 0: a row must have at least 1 token");
    let error = Sampler::new().prepare::<f32>(&cpu(), 1, 3, &one).unwrap_err();
    assert!(matches!(error, Error::NoGpu { .. }), "{error}");
}

#[test]
fn no_rows_are_no_work() {
    let rows = Rows::<f32>::new(&[], 0, 5).expect("no rows");
    let samples = sample_logits(&cpu(), rows, &[base()]).expect("legal");
    assert!(samples.tokens.is_empty() && samples.status.is_empty());
    let plan =
        Sampler::new().plan(&cpu(), &Problem::new(aikf_topk::Dtype::F32, 2, 9, 1), &[base()]);
    assert!(plan.expect("legal").explain().contains("there is no GPU"));
}
