//! The planner's promises, checked without a device.
use kernels_gpu::params::Dtype;
use kernels_gpu::variants::KERNELS;

use super::*;
use crate::knobs::{Knob, Origin};

fn device(shared_kib: u32) -> DeviceLimits {
    DeviceLimits {
        name: "NVIDIA H200".into(),
        multiprocessors: 132,
        shared_bytes_max: shared_kib * 1024,
        compute_capability: 90,
    }
}

fn settings(backend: Backend, pairs: &[(Knob, &str)]) -> Settings {
    let mut settings = Settings {
        backend: Some(backend),
        ..Settings::default()
    };
    for (knob, value) in pairs {
        settings.knobs.set(*knob, value, Origin::Builder).unwrap();
    }
    settings
}

fn gpu_plan(problem: &Problem, device: &DeviceLimits, settings: &Settings) -> SelectPlan {
    match Plan::new(problem, Some(device), settings).unwrap().work {
        Work::Gpu(plan) => plan,
        other => panic!("{other:?}"),
    }
}

fn launches(plan: &SelectPlan) -> Vec<&Launch> {
    [&plan.select]
        .into_iter()
        .chain(plan.merge.as_ref().map(|(launch, _)| launch))
        .collect()
}

const ON_GPU: [Backend; 3] = [Backend::Stream, Backend::Singlepass, Backend::Streaming];

/// Every launch is one that the kernels allow and that the device has room for.
fn assert_sound(plan: &SelectPlan, device: &DeviceLimits) {
    for launch in launches(plan) {
        let kernel = KERNELS
            .iter()
            .find(|k| k.name == launch.symbol)
            .expect("a kernel");
        assert!(
            launch.block <= kernel.max_threads && launch.block % 32 == 0,
            "{launch}"
        );
        assert!(launch.shared_bytes <= device.shared_bytes_max, "{launch}");
    }
}

#[test]
fn pieces_cover_every_vector() {
    for n in [1, 3, 4, 5, 1000, 50_257, 262_144, 1 << 20] {
        for rows in [1, 7, 1024] {
            for dtype in Dtype::ALL {
                for backend in ON_GPU {
                    let problem = Problem::new(dtype, rows, n, n.min(50));
                    let plan = gpu_plan(&problem, &device(227), &settings(backend, &[]));
                    let SelectParams {
                        pieces,
                        piece_vectors,
                        slots,
                        k,
                        ..
                    } = plan.select_params;
                    let covered = u64::from(pieces * piece_vectors * dtype.per_vector());
                    assert!(
                        covered + u64::from(dtype.per_vector()) > n as u64,
                        "{problem:?}"
                    );
                    assert_eq!(plan.select.grid, rows as u32 * pieces);
                    assert!(slots >= k);
                    assert_sound(&plan, &device(227));
                }
            }
        }
    }
}

#[test]
fn every_corner_of_the_knobs_gives_sound_launches() {
    let problem = Problem::new(Dtype::Bf16, 3, 40_000, 300);
    for warps in ["1", "32"] {
        for stages in ["1", "3", "8"] {
            for merge in [
                ("default", "64", "1"),
                ("tiles", "2048", "1"),
                ("tiles", "64", "32"),
            ] {
                for backend in ON_GPU {
                    let knobs = [
                        (Knob::Stage1Warps, warps),
                        (Knob::Stage1Stages, stages),
                        (Knob::Stage2Impl, merge.0),
                        (Knob::Stage2Tile, merge.1),
                        (Knob::Stage2Warps, merge.2),
                        (Knob::Stage1ParallelHint, "1"),
                    ];
                    let plan = gpu_plan(&problem, &device(227), &settings(backend, &knobs));
                    assert_sound(&plan, &device(227));
                }
            }
        }
    }
}

/// Up to the limit that the error names every k has a launch that fits; above it none is planned.
#[test]
fn a_k_beyond_shared_memory_is_refused_with_the_limit() {
    for shared_kib in [64, 99, 163, 227] {
        let device = device(shared_kib);
        let problem = Problem::new(Dtype::F32, 1, 1 << 20, 100_000);
        for backend in ON_GPU {
            let settings = settings(backend, &[]);
            let error = Plan::new(&problem, Some(&device), &settings).unwrap_err();
            let text = error.to_string();
            assert!(
                text.contains("k is 100000, the limit on NVIDIA H200 is"),
                "{text}"
            );
            let Error::Unsupported { limit, .. } = error else {
                panic!("{text}")
            };
            assert!(limit >= 2048);
            for k in (1..=limit as usize).step_by(97).chain([limit as usize]) {
                assert_sound(
                    &gpu_plan(&Problem { k, ..problem }, &device, &settings),
                    &device,
                );
            }
            let beyond = Problem {
                k: limit as usize + 1,
                ..problem
            };
            assert!(Plan::new(&beyond, Some(&device), &settings).is_err());
        }
    }
}

#[test]
fn the_explanation_names_values_and_origins() {
    let problem = Problem::new(Dtype::F32, 1, 50_000, 50);
    let settings = settings(Backend::Stream, &[(Knob::Stage1Warps, "8")]);
    let text = Plan::new(&problem, Some(&device(227)), &settings)
        .unwrap()
        .explain();
    assert!(text.contains("backend stream: asked for"), "{text}");
    assert!(
        text.contains("stage1_warps: 8, set by the caller"),
        "{text}"
    );
    assert!(text.contains("launch select_f32_u"), "{text}");
    assert!(text.contains("launch merge_"), "{text}");
}

#[test]
fn auto_looks_at_the_rows() {
    let backend = |rows| {
        let problem = Problem::new(Dtype::F32, rows, 1000, 5);
        let plan = Plan::new(&problem, Some(&device(227)), &Settings::default());
        plan.unwrap().backend
    };
    assert_eq!([backend(1), backend(66)], [Backend::Singlepass; 2]);
    assert_eq!([backend(67), backend(9999)], [Backend::Streaming; 2]);
}

#[test]
fn no_rows_need_no_launch() {
    let plan = Plan::new(
        &Problem::new(Dtype::F32, 0, 5, 5),
        None,
        &Settings::default(),
    )
    .unwrap();
    assert_eq!(plan.work, Work::Nothing);
    assert_eq!(plan.workspace_bytes(), 0);
}
