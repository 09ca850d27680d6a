//! Rows whose top-p ends in a window that is guessed.
use aikf_topk::{
    DeviceChoice, Dtype, FilterOrder, LogprobKind, Problem, Rows, Runtime, Sampler, SamplingParams,
};
use kernels_gpu::testkit::Pattern;

use super::TestElement;
use super::sampling::Random;
use crate::with_type;

const ORDERS: [FilterOrder; 3] =
    [FilterOrder::HuggingFace, FilterOrder::Vllm, FilterOrder::LlamaCpp];

/// Rows whose data and parameters make top-p's end easy, hard and impossible to guess.
pub fn ends_of_prefixes(runtime: &Runtime, count: usize, n_max: usize) {
    let mut random = Random(21);
    for _ in 0..count {
        let n = n_max / 2 + random.below(n_max / 2);
        let dtype = random.one_of(&Dtype::ALL);
        with_type!(dtype, check(runtime, &mut random, n));
    }
}

/// A long row of bell-shaped logits, as a model's vocabulary has them.
pub fn end_of_a_long_row(runtime: &Runtime) {
    for dtype in Dtype::ALL {
        with_type!(dtype, check_long(runtime));
    }
}

fn check_long<T: TestElement>(runtime: &Runtime) {
    let n = 128_256;
    let bits = Pattern::Normal.fill(T::DTYPE, 1, n, 8);
    let data: Vec<T> = bits.into_iter().map(T::of_bits).collect();
    let view = Rows::new(&data, 1, n).expect("as long");
    let seed = Some(5);
    let params = SamplingParams { temperature: 0.8, top_p: 0.9, seed, ..Default::default() };
    let sampler = Sampler::new().num_samples(3).logprobs(LogprobKind::Processed, 0);
    let cpu = Runtime::open(DeviceChoice::Cpu).expect("the host's cores are always there");
    let draw = |runtime| sampler.sample(runtime, view, &[params]).expect("legal");
    assert_eq!(draw(runtime), draw(&cpu), "{:?}", T::DTYPE);
}

/// What a row may hold: a pattern, or what a model's logits are like.
fn fill(random: &mut Random, dtype: Dtype, len: usize) -> Vec<u32> {
    let pattern = random.one_of(&Pattern::ALL);
    let bits = pattern.fill(dtype, 1, len, random.next());
    let kind = random.below(7);
    let plain = Pattern::Normal.fill(dtype, 1, len, random.next());
    match kind {
        0 | 1 => bits,
        2 | 3 => plain,
        // Few heavy tokens, next to each other.
        4 => {
            let heavy = random.below(len);
            let best = Pattern::Narrow.fill(dtype, 1, len, 3);
            let is_heavy = |at: usize| at >= heavy && at < heavy + 9;
            (0..len).map(|at| if is_heavy(at) { best[at] } else { plain[at] }).collect()
        }
        // Some NaNs.
        5 => {
            let nans = Pattern::AllNan.fill(dtype, 1, len, 4);
            let is_nan: Vec<bool> = (0..len).map(|_| random.chance(1)).collect();
            (0..len).map(|at| if is_nan[at] { nans[at] } else { plain[at] }).collect()
        }
        // A plateau where a prefix may end.
        _ => {
            let mut bits = plain;
            let equal = bits[0];
            bits.iter_mut().filter(|_| random.chance(40)).for_each(|place| *place = equal);
            bits
        }
    }
}

fn check<T: TestElement>(runtime: &Runtime, random: &mut Random, n: usize) {
    let rows = 2;
    let row_stride = n + random.one_of(&[0, 0, 1, 3, 8]);
    let bits = fill(random, T::DTYPE, row_stride * rows);
    let data: Vec<T> = bits.into_iter().map(T::of_bits).collect();
    let mut view = Rows::with_stride(&data, rows, n, row_stride).expect("as long");
    let lengths = [n as u32 - random.below(3000.min(n)) as u32, n as u32];
    if random.chance(30) {
        view = view.with_lengths(&lengths).expect("at most n");
    }
    let params: Vec<SamplingParams> = (0..rows)
        .map(|_| SamplingParams {
            temperature: random.one_of(&[1.0, 0.8, 0.8, 0.3, 2.0, 1e-4, 1e6]),
            top_p: random.one_of(&[0.9, 0.5, 0.99, 0.999_999_9, 1e-9, 1.0]),
            min_p: random.one_of(&[0.0, 0.0, 0.1, 1e-3, 1.0]),
            top_k: random.one_of(&[0, 0, 0, 50]),
            seed: Some(random.next()),
            ..Default::default()
        })
        .collect();
    let sampler = Sampler::new()
        .order(random.one_of(&ORDERS))
        .num_samples(random.one_of(&[1, 3]))
        .replacement(random.chance(50))
        .logprobs(random.one_of(&[LogprobKind::Raw, LogprobKind::Processed]), 0);
    let whole = |row: &SamplingParams| row.top_k == 0 && row.top_p < 1.0;
    let problem = Problem { row_stride, ..Problem::new(T::DTYPE, rows, n, 1) };
    let plan = sampler.plan(runtime, &problem, &params).expect("planned").explain();
    if params.iter().any(whole) {
        assert!(plan.contains("launch full_window_"), "{plan}");
    }
    let cpu = Runtime::open(DeviceChoice::Cpu).expect("the host's cores are always there");
    let draw = |runtime| sampler.sample(runtime, view, &params).expect("legal");
    assert_eq!(draw(runtime), draw(&cpu), "{:?} n {n} {params:?} {sampler:?}", T::DTYPE);
}
