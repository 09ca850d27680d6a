//! The backend `cpu` against the sorted reference, and the library's answers to wrong calls.
mod support;

use aikf_topk::{Backend, DeviceChoice, Dtype, Error, Problem, Rows, Runtime, TopK};
use kernels_gpu::testkit::{Case, Pattern};
use proptest::prelude::*;
use support::{assert_same, reference, run_seed_table, select_from_host, topk_of};

fn cpu() -> Runtime {
    Runtime::open(DeviceChoice::Cpu).expect("the host's cores are always there")
}

#[test]
fn seed_table() {
    let runtime = cpu();
    run_seed_table(|case| with_type!(case.dtype, select_from_host(&runtime, &topk_of(case), case)));
}

#[test]
fn a_long_row_is_cut_into_segments() {
    let runtime = cpu();
    for pattern in [Pattern::Normal, Pattern::Ties, Pattern::Ascending] {
        let (dtype, lead) = (Dtype::F32, 0);
        let case = Case { pattern, dtype, rows: 1, n: 300_001, k: 2048, largest: true, lead };
        let answer = select_from_host::<f32>(&runtime, &topk_of(&case), &case);
        assert_same(&answer, &reference(&case), case.k, &case);
    }
}

proptest! {
    #[test]
    fn equals_the_reference(
        n in 1usize..3000, share in 0.0f64..1.0, rows in 1usize..5, largest in any::<bool>(),
        pattern in proptest::sample::select(Pattern::ALL.to_vec()),
        dtype in proptest::sample::select(Dtype::ALL.to_vec()),
    ) {
        let k = 1 + (share * (n - 1) as f64) as usize;
        let case = Case { pattern, dtype, rows, n, k, largest, lead: 0 };
        let runtime = cpu();
        let answer = with_type!(dtype, select_from_host(&runtime, &topk_of(&case), &case));
        assert_same(&answer, &reference(&case), k, &case);
    }
}

#[test]
fn rows_apart_from_one_another() {
    let data = [3.0f32, 1.0, 99.0, 2.0, 4.0];
    let rows = Rows::with_stride(&data, 2, 2, 3).unwrap();
    let top = TopK::new(1).select(&cpu(), rows).unwrap();
    assert_eq!((top.values, top.indices), (vec![3.0, 4.0], vec![0, 1]));
}

#[test]
fn no_rows_are_no_work() {
    let top = TopK::new(3).select(&cpu(), Rows::<f32>::new(&[], 0, 5).unwrap()).unwrap();
    assert!(top.values.is_empty() && top.indices.is_empty());
}

#[test]
fn wrong_calls_get_the_numbers_back() {
    let (runtime, data) = (cpu(), [1.0f32; 6]);
    let rows = Rows::new(&data, 2, 3).unwrap();
    let text = |topk: TopK| topk.select(&runtime, rows).unwrap_err().to_string();
    assert_eq!(text(TopK::new(0)), "k = 0: at least 1 element must be wanted; a row has n = 3");
    assert_eq!(text(TopK::new(4)), "k = 4: a row has only n = 3 elements; ask for at most 3");
    assert_eq!(
        text(TopK::new(1).backend(Backend::Stream)),
        "no GPU for backend stream: use device cuda or emulator, or backend cpu"
    );
    let short = Rows::new(&data, 3, 3).unwrap_err();
    assert_eq!(short.to_string(), "the slice of rows has room for 6 elements, and 9 are needed");
    let error = TopK::new(1).prepare::<f32>(&runtime, 1, 6).unwrap_err();
    assert!(error.is_missing_device(), "{error}");
    assert_eq!(
        error.to_string(),
        "no GPU for prepared calls: the runtime was opened on cpu; open it on cuda or emulator"
    );
}

#[test]
fn a_plan_for_the_cpu_says_so() {
    let plan = TopK::new(2).plan(&cpu(), &Problem::new(Dtype::F32, 1, 10, 2)).unwrap();
    assert_eq!(plan.backend, Backend::Cpu);
    assert!(plan.explain().contains("auto: there is no GPU"), "{}", plan.explain());
    assert_eq!(plan.workspace_bytes(), 0);
}

#[test]
fn a_gpu_that_is_not_there_is_a_clear_error() {
    let error = Runtime::open(DeviceChoice::Cuda(77)).unwrap_err();
    assert!(matches!(error, Error::NoDevice { .. }), "{error:?}");
    assert!(error.is_missing_device());
    let text = error.to_string();
    assert!(text.starts_with("device cuda:77 is not available: "), "{text}");
    // Without a driver, with one that sees no GPU, and with fewer GPUs than that.
    let reasons = ["no NVIDIA driver", "no CUDA-capable device", "no device of this number"];
    assert!(reasons.iter().any(|reason| text.contains(reason)), "{text}");
}
