//! The GPU's code path — plan, loader, launches, kernels — on the stand-in driver, whose kernels
//! run in the SIMT emulator.
mod support;

use aikf_topk::{Backend, DeviceChoice, Dtype, Error, Problem, Runtime, TopK};
use kernels_gpu::testkit::{Case, Pattern};
use proptest::prelude::*;
use support::{
    assert_same, reference, run_seed_table, select_from_host, select_on_device, topk_of,
};

fn emulator() -> Runtime {
    Runtime::open(DeviceChoice::Emulator).expect("the emulator is built in")
}

#[test]
fn seed_table() {
    let runtime = emulator();
    for backend in support::ON_GPU {
        let topk = |case: &Case| topk_of(case).backend(backend);
        run_seed_table(|case| {
            with_type!(case.dtype, select_on_device(&runtime, &topk(case), case))
        });
    }
}

#[test]
fn from_the_hosts_memory() {
    let runtime = emulator();
    for dtype in support::DTYPES {
        let case = Case {
            pattern: Pattern::AnyBits,
            dtype,
            rows: 3,
            n: 700,
            k: 40,
            largest: true,
            lead: 0,
        };
        let answer = with_type!(dtype, select_from_host(&runtime, &topk_of(&case), &case));
        assert_same(&answer, &reference(&case), case.k, &case);
    }
}

/// The driver is there and refuses the number.
#[test]
fn a_number_that_no_gpu_has_is_a_missing_device() {
    let _there = emulator();
    let error = Runtime::open(DeviceChoice::Cuda(99)).unwrap_err();
    assert!(error.is_missing_device());
    let text = error.to_string();
    assert!(text.starts_with("device cuda:99 is not available: cuDeviceGet failed"), "{text}");
    assert!(text.contains("no device of this number"), "{text}");
}

/// LibTorch would open the real driver beside the emulator.
#[test]
fn backend_torch_is_refused() {
    let (runtime, topk) = (emulator(), TopK::new(2).backend(Backend::Torch));
    let error = topk.plan(&runtime, &Problem::new(Dtype::F32, 1, 10, 2)).unwrap_err();
    if cfg!(feature = "torch") {
        assert!(matches!(error, Error::NoGpu { .. }), "{error:?}");
        assert!(error.to_string().ends_with("; use device cuda"), "{error}");
    } else {
        assert!(matches!(error, Error::Refused { backend: "torch", .. }), "{error:?}");
    }
}

#[test]
fn no_knob_changes_the_answer() {
    let (pattern, dtype) = (Pattern::Ties, Dtype::Bf16);
    let case = Case { pattern, dtype, rows: 2, n: 9000, k: 2100, largest: true, lead: 3 };
    support::corners::give_the_same_answer(&emulator(), &case);
}

#[test]
fn rows_in_clusters() {
    let runtime = emulator();
    support::clusters::give_the_same_answer(&runtime, 3000, 2);
    support::clusters::ragged_rows(&runtime, 2500, 1);
}

#[test]
fn rows_in_warps() {
    support::short::give_the_same_answer(&emulator(), 5);
    support::short::give_the_same_answer_in_pairs(&emulator(), 19);
}

#[test]
fn rows_in_blocks() {
    support::wide::give_the_same_answer(&emulator(), 5);
    support::wide::ragged_rows(&emulator(), 9);
}

#[test]
fn long_rows_of_a_large_k() {
    support::sift::give_the_same_answer(&emulator(), 6, 2);
    support::sift::ragged_rows(&emulator(), 9);
}

#[test]
fn rows_in_blocks_of_clusters() {
    let runtime = emulator();
    support::wide::give_the_same_answer_in_clusters(&runtime, &Pattern::ALL, &[2, 4]);
    let two = [Pattern::Ties, Pattern::AnyBits];
    support::wide::give_the_same_answer_in_clusters(&runtime, &two, &[8]);
    support::wide::ragged_rows_in_clusters(&runtime, 20_000, 4);
    support::wide::ragged_rows_in_clusters(&runtime, 40_000, 2);
    support::wide::ragged_rows_in_clusters(&runtime, 70_000, 1);
}

/// More than one run, the last one short.
#[test]
fn a_k_of_several_runs() {
    let runtime = emulator();
    for (pattern, n, k) in [(Pattern::Ties, 5000, 4500), (Pattern::AnyBits, 9000, 9000)] {
        let (dtype, largest) = (Dtype::F32, true);
        let case = Case { pattern, dtype, rows: 1, n, k, largest, lead: 1 };
        let topk = topk_of(&case).backend(Backend::Radix);
        let answer = select_on_device::<f32>(&runtime, &topk, &case);
        assert_same(&answer, &reference(&case), k, &case);
    }
}

#[test]
fn options() {
    let runtime = emulator();
    support::options::unsorted(&runtime);
    support::options::ragged_rows(&runtime);
    support::options::few_values(&runtime);
    support::options::wide_indices_and_strides(&runtime);
    support::options::lent_workspace(&runtime);
    support::options::two_streams(&runtime);
    support::options::buffers_that_do_not_fit::<u32>(&runtime);
    support::options::buffers_that_do_not_fit::<i64>(&runtime);
}

#[test]
fn captured_in_a_graph() {
    support::graph::replays_with_new_data(&emulator(), 5);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn equals_the_reference(
        n in 1usize..2500, share in 0.0f64..1.0, rows in 1usize..7, largest in any::<bool>(),
        pattern in proptest::sample::select(Pattern::ALL.to_vec()),
        dtype in proptest::sample::select(Dtype::ALL.to_vec()),
        lead in 0usize..8,
        backend in proptest::sample::select(support::ON_GPU.to_vec()),
    ) {
        let k = 1 + (share * (n - 1) as f64) as usize;
        let case = Case { pattern, dtype, rows, n, k, largest, lead };
        let topk = topk_of(&case).backend(backend);
        let answer = with_type!(dtype, select_on_device(&emulator(), &topk, &case));
        assert_same(&answer, &reference(&case), k, &case);
    }
}
