//! The plan's promises, checked without a device.
use kernels_gpu::params::short_max;
use kernels_gpu::variants::KERNELS;

use super::*;
use crate::sampling::SamplingParams;

fn device(multiprocessors: u32, shared_kib: u32) -> DeviceLimits {
    DeviceLimits {
        name: "a GPU".into(),
        multiprocessors,
        shared_bytes_max: shared_kib * 1024,
        compute_capability: 90,
    }
}

fn plan(sampler: &Sampler, problem: &Problem, params: &[SamplingParams]) -> SamplePlan {
    let rows: Vec<RowParams> =
        params.iter().map(|row| row.encode(problem.n, sampler.order)).collect();
    let limits = device(132, 227);
    let settings = Settings::default();
    SamplePlan::new(sampler, problem, Needs::of(&rows), Some(&limits), &settings).expect("legal")
}

fn symbols(plan: &SamplePlan) -> Vec<&str> {
    match &plan.work {
        Work::Gpu(plan) => plan.steps.iter().map(|step| step.launch.symbol.as_str()).collect(),
        _ => vec![],
    }
}

fn of(top_k: i64, top_p: f32) -> SamplingParams {
    SamplingParams { top_k, top_p, seed: Some(0), ..Default::default() }
}

#[test]
fn one_launch_where_every_row_has_a_top_k() {
    for dtype in Dtype::ALL {
        for (rows, n) in [(1, 50_257), (64, 128_256), (1000, 4096), (1, 1)] {
            let problem = Problem::new(dtype, rows, n, 1);
            for row in [of(50, 0.9), of(1024, 1.0), SamplingParams::greedy()] {
                let plan = plan(&Sampler::new(), &problem, &[row]);
                let symbols = symbols(&plan);
                assert_eq!(symbols.len(), 1, "{}", plan.explain());
                assert!(symbols[0].contains("sample_"), "{}", plan.explain());
            }
            let scores = Sampler::new().logprobs(LogprobKind::Processed, n.min(20));
            let plan = plan(&scores, &problem, &[of(50, 0.9)]);
            assert_eq!(symbols(&plan).len(), 1, "its own logarithms come with it");
        }
    }
}

#[test]
fn launches_of_whole_rows_are_as_many_as_documented() {
    let problem = Problem::new(Dtype::F32, 4, 128_256, 1);
    let count = |row| symbols(&plan(&Sampler::new(), &problem, &[row])).len();
    assert_eq!(count(of(0, 1.0)), 1);
    assert_eq!(count(SamplingParams { min_p: 0.1, ..of(0, 1.0) }), 2);
    assert_eq!(count(of(0, 0.9)), 3);
    assert_eq!(count(SamplingParams { min_p: 0.1, ..of(0, 0.9) }), 4);
    let long = Problem::new(Dtype::F32, 1, (1 << 18) + 1, 1);
    assert_eq!(symbols(&plan(&Sampler::new(), &long, &[of(0, 0.9)])).len(), 6);
    assert_eq!(count(of(2000, 1.0)), 6);
    assert_eq!(count(of(2000, 0.9)), 10);
    let half = Problem::new(Dtype::Bf16, 4, 128_256, 1);
    assert_eq!(symbols(&plan(&Sampler::new(), &half, &[of(2000, 0.9)])).len(), 8);
    let both = plan(&Sampler::new(), &problem, &[of(50, 1.0), of(0, 1.0), of(0, 1.0), of(7, 0.5)]);
    let symbols = symbols(&both);
    assert!(symbols[0].starts_with("cluster_sample_f32_u"), "{symbols:?}");
    assert_eq!(symbols[1..], ["full_mass_f32"]);
    assert_eq!(plan_of_nothing().work, Work::Nothing);
}

fn plan_of_nothing() -> SamplePlan {
    plan(&Sampler::new(), &Problem::new(Dtype::F32, 0, 9, 1), &[])
}

/// Every launch is of a kernel that there is, with as many arguments as it has and no more threads
/// than it allows, and stays in the workspace.
#[test]
fn every_plan_has_sound_launches() {
    let rows = [of(50, 0.9), of(0, 0.9), of(5000, 0.9), SamplingParams::greedy()];
    let samplers = [None, Some(LogprobKind::Raw), Some(LogprobKind::Processed)];
    let mut checked = 0;
    for (kind, adjusted, dtype) in samplers
        .iter()
        .flat_map(|kind| [false, true].map(|adjusted| (kind, adjusted)))
        .flat_map(|(kind, adjusted)| Dtype::ALL.map(|dtype| (kind, adjusted, dtype)))
    {
        for (count, n) in [(1, 1), (4, 20), (4, 128_256), (300, 50_257)] {
            for params in rows.iter().map(std::slice::from_ref).chain([&rows[..]]) {
                let mut sampler = Sampler::new().num_samples(3).adjusted(adjusted);
                if let Some(kind) = kind {
                    sampler = sampler.logprobs(*kind, n.min(20));
                }
                let problem = Problem::new(dtype, count, n, 1);
                checked += assert_sound(&plan(&sampler, &problem, params));
            }
        }
    }
    assert!(checked > 1000, "{checked} launches");
}

#[test]
fn warps_draw_from_rows_that_they_hold() {
    let kernel = |sampler: &Sampler, rows, n, top_k| {
        let plan = plan(sampler, &Problem::new(Dtype::F32, rows, n, 1), &[of(top_k, 0.9)]);
        symbols(&plan).last().expect("a launch").to_string()
    };
    let one = || Sampler::new();
    assert_eq!(kernel(&one(), 1, 256, 8), "short_sample_f32_u2");
    assert_eq!(kernel(&one(), 1, 1000, 50), "medium_sample_f32_u8");
    assert_eq!(kernel(&one(), 133, 4096, 128), "medium_sample_f32_u32");
    let held = |sampler: Sampler| kernel(&sampler, 133, 4096, 50).starts_with("medium_sample_");
    assert!(held(one().order(FilterOrder::Vllm)));
    assert!(held(one().num_samples(32)));
    assert!(held(one().logprobs(LogprobKind::Processed, 0)));
    // What a warp has no room for, or cannot do whatever its row's parameters are.
    assert!(!held(one().order(FilterOrder::LlamaCpp)));
    assert!(!held(one().num_samples(33)));
    assert!(!held(one().num_samples(2).replacement(false)));
    assert!(!held(one().logprobs(LogprobKind::Processed, 1)));
    for (rows, n, top_k) in [(133, 4097, 50), (133, 4096, 129), (132, 4096, 50)] {
        let name = kernel(&one(), rows, n, top_k);
        assert!(name.starts_with("sample_"), "{rows} x {n}, {top_k}: {name}");
    }
}

fn assert_sound(plan: &SamplePlan) -> usize {
    let Work::Gpu(gpu) = &plan.work else {
        panic!("no launches: {}", plan.explain());
    };
    for Step { launch, arguments } in &gpu.steps {
        let kernel = KERNELS.iter().find(|k| k.name == launch.symbol).expect("a kernel");
        assert_eq!(arguments.len(), kernel.parameter_bytes.len(), "{launch}");
        assert!(launch.block <= kernel.max_threads && launch.block % 32 == 0, "{launch}");
        assert!(launch.shared_bytes <= 227 * 1024, "{launch}");
        for argument in arguments {
            if let Argument::Workspace(at) = argument {
                assert!(*at <= gpu.workspace.bytes && at % 4 == 0, "{launch}: {at}");
            }
        }
        let scalars = match arguments.last() {
            Some(Argument::Sample(params)) => size_of_val(params),
            Some(Argument::WarpSample(params)) => {
                let vectors = launch.symbol.rsplit("_u").next().expect("a number");
                let most = short_max(plan.problem.dtype, vectors.parse().expect("a number"));
                assert!(plan.problem.n <= most as usize, "{launch}");
                assert!(launch.grid * launch.block / 32 >= params.short.rows, "{launch}");
                size_of_val(params)
            }
            Some(Argument::Full(params)) => size_of_val(params),
            Some(Argument::Score(params)) => size_of_val(params),
            Some(Argument::Process(params)) => size_of_val(params),
            other => panic!("{launch}: {other:?}"),
        };
        assert_eq!(Some(&scalars), kernel.parameter_bytes.last(), "{launch}");
    }
    assert!(gpu.workspace.zeroed_bytes <= gpu.workspace.bytes);
    gpu.steps.len()
}

#[test]
fn a_device_with_little_shared_memory_will_do() {
    let problem = Problem::new(Dtype::Bf16, 8, 128_256, 1);
    let rows = [of(1024, 0.9).encode(problem.n, FilterOrder::HuggingFace)];
    let limits = device(40, 48);
    let settings = Settings::default();
    let plan =
        SamplePlan::new(&Sampler::new(), &problem, Needs::of(&rows), Some(&limits), &settings);
    let Work::Gpu(gpu) = plan.expect("it fits").work else {
        panic!("no launches");
    };
    assert!(gpu.steps.iter().all(|step| step.launch.shared_bytes <= 48 * 1024));
}
