//! The same seeds and properties on a GPU.
//!
//! Without one every test is reported as ignored, and why; with `AIKF_REQUIRE_GPU=1` its absence is
//! a failure.
mod support;

use aikf_topk::{Backend, DeviceChoice, Dtype, Runtime};
use kernels_gpu::testkit::{Case, Pattern};
use libtest_mimic::Trial;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use support::on_gpu::{self, GpuTest};
use support::{
    assert_same, reference, run_seed_table, select_from_host, select_on_device, topk_of,
};

const TESTS: [GpuTest; 21] = [
    ("seed_table", seed_table),
    ("random_problems", random_problems),
    ("long_rows", long_rows),
    ("any_k", any_k),
    ("large_batches", large_batches),
    ("rows_in_clusters", rows_in_clusters),
    ("rows_in_warps", rows_in_warps),
    ("rows_in_blocks", rows_in_blocks),
    ("rows_in_blocks_of_clusters", rows_in_blocks_of_clusters),
    ("long_rows_of_a_large_k", long_rows_of_a_large_k),
    ("hundred_repeats", hundred_repeats),
    ("from_the_hosts_memory", from_the_hosts_memory),
    ("no_knob_changes_the_answer", no_knob_changes_the_answer),
    ("captured_in_a_graph", captured_in_a_graph),
    ("unsorted", support::options::unsorted),
    ("ragged_rows", support::options::ragged_rows),
    ("few_values", support::options::few_values),
    ("wide_indices_and_strides", support::options::wide_indices_and_strides),
    ("lent_workspace", support::options::lent_workspace),
    ("two_streams", support::options::two_streams),
    ("buffers_that_do_not_fit", support::options::buffers_that_do_not_fit::<u32>),
];

fn main() {
    let mut trials = on_gpu::trials("GPU tests", &TESTS);
    let several = Trial::test("several_devices", || {
        several_devices();
        Ok(())
    });
    let count = aikf_topk::gpu_count().unwrap_or(0);
    if count == 1 {
        eprintln!("several_devices is skipped: there is one GPU");
    }
    trials.push(several.with_ignored_flag(count < 2));
    on_gpu::run(trials);
}

fn seed_table(runtime: &Runtime) {
    for backend in support::ON_GPU {
        let topk = |case: &Case| topk_of(case).backend(backend);
        run_seed_table(|case| with_type!(case.dtype, select_on_device(runtime, &topk(case), case)));
    }
}

fn random_problems(runtime: &Runtime) {
    let strategy = (
        1usize..60_000,
        0.0f64..1.0,
        1usize..6,
        any::<bool>(),
        proptest::sample::select(Pattern::ALL.to_vec()),
        proptest::sample::select(Dtype::ALL.to_vec()),
        0usize..8,
        proptest::sample::select(support::ON_GPU.to_vec()),
    );
    let mut runner = TestRunner::new(Config { cases: 300, ..Config::default() });
    let result =
        runner.run(&strategy, |(n, share, rows, largest, pattern, dtype, lead, backend)| {
            let k = (1 + (share * n as f64) as usize).min(n).min(4096);
            let case = Case { pattern, dtype, rows, n, k, largest, lead };
            let answer = with_type!(
                dtype,
                select_on_device(runtime, &topk_of(&case).backend(backend), &case)
            );
            assert_same(&answer, &reference(&case), k, &case);
            Ok(())
        });
    result.expect("every random problem has the right answer");
}

fn check(runtime: &Runtime, case: Case) {
    let answer = with_type!(case.dtype, select_on_device(runtime, &topk_of(&case), &case));
    // The sorted reference takes minutes on large inputs; the backend `cpu` has its own tests.
    let cpu = Runtime::open(DeviceChoice::Cpu).expect("the host's cores are always there");
    let topk = topk_of(&case).backend(Backend::Cpu);
    let right = with_type!(case.dtype, select_from_host(&cpu, &topk, &case));
    assert_same(&answer, &right, case.k, &case);
}

fn long_rows(runtime: &Runtime) {
    for (n, k) in [(262_144, 50), (262_144, 2048), (1 << 20, 100), (5_000_001, 1000)] {
        for (dtype, pattern) in [
            (Dtype::F32, Pattern::Normal),
            (Dtype::Bf16, Pattern::Ties),
            (Dtype::F16, Pattern::Ascending),
        ] {
            check(runtime, Case { pattern, dtype, rows: 1, n, k, largest: true, lead: 1 });
        }
    }
}

fn any_k(runtime: &Runtime) {
    for (rows, n, k) in [(1, 100_000, 100_000), (3, 300_000, 50_000), (1, 3_000_001, 1_000_003)] {
        for (dtype, pattern) in [(Dtype::F32, Pattern::Normal), (Dtype::F16, Pattern::Ties)] {
            check(runtime, Case { pattern, dtype, rows, n, k, largest: true, lead: 1 });
        }
    }
}

fn large_batches(runtime: &Runtime) {
    for (rows, n, k) in [
        (1024, 50_257, 50),
        (1024, 262_144, 64),
        (4096, 256, 8),
        (1024, 4097, 2048),
        (140, 140_001, 1500),
    ] {
        let (pattern, largest) = (Pattern::Normal, rows != 4096);
        for dtype in [Dtype::F32, Dtype::Bf16] {
            if n * rows * dtype.bytes() <= 1 << 30 {
                check(runtime, Case { pattern, dtype, rows, n, k, largest, lead: 0 });
            }
        }
    }
}

/// Of one unit a lane, and of several.
fn rows_in_clusters(runtime: &Runtime) {
    for (n, warps) in [(40_000, 16), (200_000, 8), (3000, 2), (1_000_000, 16)] {
        support::clusters::give_the_same_answer(runtime, n, warps);
        support::clusters::ragged_rows(runtime, n, warps);
    }
}

/// As many as no GPU has multiprocessors.
fn rows_in_warps(runtime: &Runtime) {
    support::short::give_the_same_answer(runtime, 200);
    support::short::give_the_same_answer_in_pairs(runtime, 201);
}

/// As many as no GPU has multiprocessors.
fn rows_in_blocks(runtime: &Runtime) {
    support::wide::give_the_same_answer(runtime, 200);
    support::wide::ragged_rows(runtime, 200);
}

fn rows_in_blocks_of_clusters(runtime: &Runtime) {
    support::wide::give_the_same_answer_in_clusters(runtime, &Pattern::ALL, &[2, 4, 8]);
    for n in [20_000, 40_000, 120_000] {
        support::wide::ragged_rows_in_clusters(runtime, n, 12);
    }
}

/// Clusters of two for each would be more blocks than any GPU has multiprocessors.
fn long_rows_of_a_large_k(runtime: &Runtime) {
    support::sift::give_the_same_answer(runtime, 110, 2);
    support::sift::ragged_rows(runtime, 90);
}

fn hundred_repeats(runtime: &Runtime) {
    let case = Case {
        pattern: Pattern::Ties,
        dtype: Dtype::F32,
        rows: 7,
        n: 70_001,
        k: 333,
        largest: true,
        lead: 3,
    };
    let right = reference(&case);
    for repeat in 0..100 {
        let answer = select_on_device::<f32>(runtime, &topk_of(&case), &case);
        assert_same(&answer, &right, case.k, &(repeat, case));
    }
}

fn from_the_hosts_memory(runtime: &Runtime) {
    for dtype in support::DTYPES {
        let case = Case {
            pattern: Pattern::AnyBits,
            dtype,
            rows: 3,
            n: 10_000,
            k: 77,
            largest: false,
            lead: 0,
        };
        let answer = with_type!(dtype, select_from_host(runtime, &topk_of(&case), &case));
        assert_same(&answer, &reference(&case), case.k, &case);
    }
}

fn no_knob_changes_the_answer(runtime: &Runtime) {
    for (pattern, dtype, k) in [
        (Pattern::Narrow, Dtype::F16, 500),
        (Pattern::HiddenWinners, Dtype::F32, 50),
        (Pattern::Plateau, Dtype::Bf16, 2048),
    ] {
        let case = Case { pattern, dtype, rows: 2, n: 100_000, k, largest: true, lead: 5 };
        support::corners::give_the_same_answer(runtime, &case);
    }
}

fn captured_in_a_graph(runtime: &Runtime) {
    support::graph::replays_with_new_data(runtime, 1000);
}

/// Every GPU in turn, and calls that were prepared on one while another was used.
fn several_devices() {
    let count = aikf_topk::gpu_count().expect("a driver");
    let (pattern, dtype) = (Pattern::Normal, Dtype::F32);
    let case = Case { pattern, dtype, rows: 2, n: 40_000, k: 64, largest: true, lead: 1 };
    let right = reference(&case);
    let open = |number| Runtime::open(DeviceChoice::Cuda(number)).expect("it is there");
    let runtimes: Vec<Runtime> = (0..count).map(open).collect();
    for _ in 0..3 {
        for runtime in &runtimes {
            let answer = select_from_host::<f32>(runtime, &topk_of(&case), &case);
            assert_same(&answer, &right, case.k, &(runtime.device(), case));
        }
    }
}
