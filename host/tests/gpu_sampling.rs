//! Sampling on a GPU: the same tokens, logarithms and ranks as the host's cores, bit for bit.
//!
//! Without a GPU every test is reported as ignored, and why; with `AIKF_REQUIRE_GPU=1` its absence
//! is a failure.
mod support;

use aikf_topk::{DeviceChoice, Dtype, Rows, Runtime, Sampler, SamplingParams};
use kernels_gpu::testkit::Pattern;
use support::on_gpu::{self, GpuTest};
use support::sampling::{self, Call, Random};
use support::warps;

const TESTS: [GpuTest; 14] = [
    ("tiny_rows_in_clusters", sampling::tiny_rows_in_clusters),
    ("random_calls", random_calls),
    ("segment_borders", sampling::segment_borders),
    ("ends_of_prefixes", ends_of_prefixes),
    ("scant_pieces", sampling::scant_pieces),
    ("mostly_nans", sampling::mostly_nans),
    ("drawn_by_warps", drawn_by_warps),
    ("long_rows", long_rows),
    ("large_batches", large_batches),
    ("hundred_repeats", hundred_repeats),
    ("no_knob_changes_a_token", no_knob_changes_a_token),
    ("replayed_with_new_positions", sampling::graph_replays_with_new_positions),
    ("in_a_lent_workspace", sampling::in_a_lent_workspace),
    ("other_parameters_without_preparing", sampling::other_parameters),
];

fn main() {
    on_gpu::run(on_gpu::trials("GPU tests of sampling", &TESTS));
}

fn random_calls(runtime: &Runtime) {
    sampling::random_calls(runtime, 2, 11_000, 20_000);
}

fn ends_of_prefixes(runtime: &Runtime) {
    support::window::ends_of_prefixes(runtime, 800, 90_000);
}

fn long_rows(runtime: &Runtime) {
    let mut random = Random(3);
    for n in [128_256, 262_144, 1 << 20] {
        for _ in 0..20 {
            let call = Call::random(&mut random, 600);
            Call { n, row_stride: n, lengths: None, allowed: vec![], ..call }.check(runtime);
        }
    }
}

/// Vocabularies as models have them, a seed a row, every kind of filter in one batch.
fn large_batches(runtime: &Runtime) {
    let cpu = Runtime::open(DeviceChoice::Cpu).expect("the host's cores are always there");
    for (rows, n) in [(256, 128_256), (1024, 50_257), (4096, 4096)] {
        let bits = Pattern::Normal.fill(Dtype::F32, rows, n, 5);
        let data: Vec<f32> = bits.into_iter().map(f32::from_bits).collect();
        let view = Rows::new(&data, rows, n).expect("as long");
        let kinds =
            [(0.8, 50, 0.9, 0.0), (1.0, 0, 0.95, 0.0), (0.0, 0, 1.0, 0.0), (1.2, 0, 1.0, 0.1)];
        let params: Vec<SamplingParams> = (0..rows)
            .map(|row| {
                let (temperature, top_k, top_p, min_p) = kinds[row % kinds.len()];
                let seed = Some(row as u64);
                SamplingParams { temperature, top_k, top_p, min_p, seed, ..Default::default() }
            })
            .collect();
        let draw = |runtime| Sampler::new().sample(runtime, view, &params).expect("legal");
        assert_eq!(draw(runtime), draw(&cpu), "{rows} x {n}");
    }
}

fn drawn_by_warps(runtime: &Runtime) {
    warps::drawn_by_warps(runtime, 300);
}

fn no_knob_changes_a_token(runtime: &Runtime) {
    sampling::no_knob_changes_a_token(runtime, 300, 50_000);
}

fn hundred_repeats(runtime: &Runtime) {
    let mut random = Random(4);
    for _ in 0..10 {
        let call = Call::random(&mut random, 50_000);
        let right = call.check(runtime);
        for _ in 0..100 {
            assert_eq!(call.draw(runtime), right, "{call:?}");
        }
    }
}
