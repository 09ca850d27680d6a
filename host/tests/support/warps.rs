//! Rows that a warp holds and draws from.
use std::collections::BTreeSet;

use aikf_topk::{
    DeviceChoice, Dtype, FilterOrder, LogprobKind, Problem, Rows, Runtime, Sampler, SamplingParams,
};
use kernels_gpu::testkit::Pattern;
use kernels_gpu::variants::KERNELS;

use super::TestElement;
use super::sampling::Random;
use crate::with_type;

/// Of every type and instance, with `rows` rows, more than the device has multiprocessors: NaNs,
/// equals, infinities, rows of other lengths, any `top_k` that a warp has room for, filters in both
/// orders that it knows.
pub fn drawn_by_warps(runtime: &Runtime, rows: usize) {
    let mut drawn = BTreeSet::new();
    for dtype in Dtype::ALL {
        let longest = if dtype == Dtype::F32 { 4090 } else { 8100 };
        for n in [1, 30, 100, 250, 500, 700, 1050, 2100, 4090, longest] {
            with_type!(dtype, drawn_by_warps_of(runtime, rows, n, &mut drawn));
        }
    }
    let is_drawing =
        |name: &&str| ["short_sample_", "medium_sample_"].iter().any(|k| name.starts_with(k));
    let names: Vec<&str> = KERNELS.iter().map(|kernel| kernel.name).filter(is_drawing).collect();
    let missing: Vec<&&str> = names.iter().filter(|name| !drawn.contains(**name)).collect();
    assert!(names.len() == 18 && missing.is_empty(), "never launched: {missing:?}");
}

fn drawn_by_warps_of<T: TestElement>(
    runtime: &Runtime,
    rows: usize,
    n: usize,
    drawn: &mut BTreeSet<String>,
) {
    let cpu = Runtime::open(DeviceChoice::Cpu).expect("always there");
    let mut random = Random((rows * n) as u64);
    let nan = Pattern::AllNan.fill(T::DTYPE, 1, 1, 0)[0];
    let patterns = [Pattern::Normal, Pattern::Ties, Pattern::Infinities, Pattern::Ascending];
    for (number, pattern) in patterns.into_iter().enumerate() {
        let mut bits = pattern.fill(T::DTYPE, rows, n, number as u64);
        // Of some rows a few elements, of some most, and all.
        for (row, bits) in bits.chunks_mut(n).enumerate() {
            let percent = [0, 0, 3, 90, 100][row % 5];
            bits.iter_mut().filter(|_| random.chance(percent)).for_each(|bits| *bits = nan);
        }
        let data: Vec<T> = bits.into_iter().map(T::of_bits).collect();
        let mut view = Rows::new(&data, rows, n).expect("as long");
        let length = |row: usize| [n, 0, 1, n / 2, n - 1, 40.min(n)][row % 6] as u32;
        let lengths: Vec<u32> = (0..rows).map(length).collect();
        if pattern == Pattern::Infinities {
            view = view.with_lengths(&lengths).expect("at most n");
        }
        let params: Vec<SamplingParams> = (0..rows)
            .map(|row| SamplingParams {
                temperature: random.one_of(&[0.0, 0.3, 0.8, 1.0, 5.0]),
                top_k: random.one_of(&[1, 2, 8, 20, 50, 90, 128]),
                top_p: random.one_of(&[1.0, 0.9, 0.5, 1e-6]),
                min_p: random.one_of(&[0.0, 0.05, 0.6, 1.0, 1e-30]),
                seed: Some(row as u64),
                ..Default::default()
            })
            .collect();
        let order = [FilterOrder::HuggingFace, FilterOrder::Vllm][number % 2];
        let draws = [1, 32][number / 2];
        let sampler = Sampler::new().order(order).num_samples(draws).replacement(true);
        let sampler = sampler.logprobs(LogprobKind::Processed, 0);
        let problem = Problem::new(T::DTYPE, rows, n, 1);
        let plan = sampler.plan(runtime, &problem, &params).expect("planned").explain();
        let (_, launch) = plan.split_once("launch ").expect("one");
        drawn.insert(launch.split(':').next().expect("its kernel").to_string());
        let draw = |runtime| sampler.sample(runtime, view, &params).expect("legal");
        assert_eq!(draw(runtime), draw(&cpu), "{:?} {rows} x {n} {pattern:?}", T::DTYPE);
    }
}
