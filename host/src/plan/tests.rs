//! The planner's promises, checked without a device.
use kernels_gpu::params::{Dtype, short_max, wide_items};
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
    let mut settings = Settings { backend: Some(backend), ..Settings::default() };
    for (knob, value) in pairs {
        settings.knobs.set(*knob, value, Origin::Builder).unwrap();
    }
    settings
}

fn gpu_plan(problem: &Problem, device: &DeviceLimits, settings: &Settings) -> GpuPlan {
    match Plan::new(problem, Some(device), settings).unwrap().work {
        Work::Gpu(plan) => plan,
        other => panic!("{other:?}"),
    }
}

const ON_GPU: [Backend; 4] =
    [Backend::Stream, Backend::Singlepass, Backend::Streaming, Backend::Radix];

/// Every launch is one that the kernels allow and that the device has room for.
fn assert_sound(plan: &GpuPlan, device: &DeviceLimits) {
    for Step { launch, arguments } in &plan.steps {
        let kernel = KERNELS.iter().find(|k| k.name == launch.symbol).expect("a kernel");
        assert_eq!(arguments.len(), kernel.parameter_bytes.len(), "{launch}");
        assert!(launch.block <= kernel.max_threads && launch.block % 32 == 0, "{launch}");
        assert!(launch.shared_bytes <= device.shared_bytes_max, "{launch}");
    }
}

/// The first launch of a sound plan for an H200.
fn first_launch(problem: &Problem, backend: Backend) -> Launch {
    let plan = gpu_plan(problem, &device(227), &settings(backend, &[]));
    assert_sound(&plan, &device(227));
    plan.steps[0].launch.clone()
}

#[test]
fn pieces_cover_every_vector() {
    for n in [1, 3, 4, 5, 1000, 50_257, 262_144, 1 << 20] {
        for rows in [1, 7, 1024] {
            for dtype in Dtype::ALL {
                for backend in ON_GPU {
                    let problem = Problem::new(dtype, rows, n, n.min(40));
                    let plan = gpu_plan(&problem, &device(227), &settings(backend, &[]));
                    let Step { launch, arguments } = &plan.steps[0];
                    let (pieces, covered) = match arguments.last() {
                        Some(Argument::Select(p)) => {
                            let covered = (p.piece_vectors + 1) * dtype.per_vector();
                            (p.pieces, u64::from(p.pieces) * u64::from(covered))
                        }
                        Some(Argument::Radix(p)) => {
                            (p.pieces, u64::from(p.pieces) * u64::from(p.piece_elements))
                        }
                        Some(Argument::Short(_)) => {
                            let vectors = launch.symbol.rsplit("_u").next().expect("a number");
                            let vectors = vectors.parse().expect("a number");
                            let of_warp = 1 + u32::from(launch.symbol.starts_with("short_pair"));
                            let most = short_max(dtype, vectors) / of_warp;
                            assert!(n <= most as usize, "{launch}");
                            let warps = launch.grid * launch.block / 32;
                            assert!(of_warp * warps >= rows as u32, "{launch}");
                            continue;
                        }
                        other => panic!("{other:?}"),
                    };
                    assert!(covered >= n as u64, "{problem:?}");
                    assert_eq!(launch.grid, rows as u32 * pieces);
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
            for merge in [("default", "64", "1"), ("tiles", "2048", "1"), ("tiles", "64", "32")] {
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

/// Up to the room that a queue has, every k has a launch that fits; above it `radix` takes over,
/// and the plan says so.
#[test]
fn a_k_beyond_shared_memory_is_handed_over() {
    for shared_kib in [64, 99, 163, 227] {
        let device = device(shared_kib);
        let problem = Problem::new(Dtype::F32, 1, 1 << 20, 1 << 20);
        let limit = planner::k_max(&device) as usize;
        assert!(limit >= 2048);
        for backend in [Backend::Stream, Backend::Singlepass, Backend::Streaming] {
            let settings = settings(backend, &[]);
            for k in (1..=limit).step_by(97).chain([limit]) {
                assert_sound(&gpu_plan(&Problem { k, ..problem }, &device, &settings), &device);
            }
            for k in [limit + 1, 1 << 20] {
                let problem = Problem { k, ..problem };
                let plan = Plan::new(&problem, Some(&device), &settings).unwrap();
                assert_eq!(plan.backend, Backend::Radix);
                let told = format!("{backend} has room for a k of at most {limit}");
                assert!(plan.explain().contains(&told), "{}", plan.explain());
                assert_sound(&gpu_plan(&problem, &device, &settings), &device);
            }
        }
    }
}

#[test]
fn the_explanation_names_values_and_origins() {
    let problem = Problem::new(Dtype::F32, 1, 50_000, 50);
    let knobs = [(Knob::Stage1Warps, "8"), (Knob::Stage2Impl, "tiles")];
    let settings = settings(Backend::Stream, &knobs);
    let text = Plan::new(&problem, Some(&device(227)), &settings).unwrap().explain();
    assert!(text.contains("backend stream: asked for"), "{text}");
    assert!(text.contains("stage1_warps: 8, set by the caller"), "{text}");
    assert!(text.contains("stage2_impl: tiles, set by the caller"), "{text}");
    assert!(text.contains("launch select_f32_u"), "{text}");
    assert!(text.contains("launch merge_"), "{text}");
}

#[test]
fn auto_looks_at_the_rows() {
    let of = |rows, n, k| {
        let problem = Problem::new(Dtype::F32, rows, n, k);
        let plan = Plan::new(&problem, Some(&device(227)), &Settings::default());
        plan.unwrap().backend
    };
    let backend = |rows| of(rows, 1000, 5);
    assert_eq!([backend(1), backend(132)], [Backend::Singlepass; 2]);
    assert_eq!([backend(133), backend(9999)], [Backend::Streaming; 2]);
    // Two rows a multiprocessor, of which a bound would leave as much to sort.
    assert_eq!([133, 264].map(|rows| of(rows, 1000, 600)), [Backend::Stream; 2]);
    let others = [of(265, 1000, 600), of(264, 1025, 600), of(264, 500, 400), of(264, 640, 600)];
    assert_eq!(others, [Backend::Streaming; 4]);
    assert_eq!(of(132, 1000, 600), Backend::Singlepass);
    // Rows that are nearly too long for a cluster.
    let long = [(1, 700_000, 33), (2, 999_999, 104), (1, (1 << 20) - 4, 48)];
    assert_eq!(long.map(|(rows, n, k)| of(rows, n, k)), [Backend::Stream; 3]);
    let others = [(3, 700_000, 33), (1, 699_999, 33), (1, 700_000, 64), (1, 1 << 20, 33)];
    assert_eq!(others.map(|(rows, n, k)| of(rows, n, k)), [Backend::Singlepass; 4]);
}

/// A long row's pieces are read in whole units, by as many blocks as are worth their merge.
#[test]
fn long_rows_are_read_in_whole_units() {
    let of = |dtype, rows, n, k| {
        first_launch(&Problem::new(dtype, rows, n, k), Backend::Singlepass).grid / rows as u32
    };
    let pieces = |rows, n, k| of(Dtype::F32, rows, n, k);
    let of_one = [1 << 19, 1 << 20, 2 << 20, 4 << 20, 8 << 20].map(|n| pieces(1, n, 32));
    assert_eq!(of_one, [32, 32, 32, 64, 64]);
    assert_eq!([pieces(2, 700_000, 32), pieces(2, 1_200_000, 100)], [22, 37]);
    // The more are wanted, the longer it takes to merge a piece's.
    assert_eq!([16, 17].map(|k| pieces(1, 600_000, k)), [37, 19]);
    // Few are merged so quickly that all multiprocessors read.
    assert_eq!([8, 9].map(|k| pieces(1, 1 << 20, k)), [132, 32]);
    assert_eq!(pieces(5, 2 << 20, 32), 26);
    // Several rows of which hundreds are wanted: each is one block's for longer.
    assert_eq!([64, 66].map(|rows| pieces(rows, 1 << 16, 200)), [1, 1]);
    assert_eq!([1 << 17, 200_000, 1 << 20].map(|n| of(Dtype::Bf16, 16, n, 200)), [1, 4, 8]);
    assert_eq!([6, 7].map(|rows| of(Dtype::Bf16, rows, 200_000, 200)), [16, 4]);
}

/// A warp holds short rows, and somewhat longer ones where there are more than multiprocessors.
#[test]
fn warps_hold_short_rows() {
    let kernel = |dtype, rows, n, k| {
        first_launch(&Problem::new(dtype, rows, n, k), Backend::Streaming).symbol
    };
    let f32_of = |rows, n| kernel(Dtype::F32, rows, n, 48);
    assert_eq!([511, 513, 1024].map(|n| f32_of(1, n)), ["medium_f32_u8"; 3]);
    assert_eq!(
        [1025, 2048, 2049, 4096].map(|n| f32_of(133, n)[..10].to_owned()),
        ["medium_f32"; 4]
    );
    assert_eq!(kernel(Dtype::Bf16, 133, 8192, 1), "medium_bf16_u32");
    // Of a row that fills its warp a block finds few faster.
    let alone = [(1000, 16), (1000, 17), (700, 16)].map(|(n, k)| kernel(Dtype::F32, 1, n, k));
    assert_eq!(alone.map(|symbol| symbol.starts_with("medium")), [false, true, true]);
    let of_512 = [32, 33, 96, 103].map(|k| kernel(Dtype::F32, 1, 512, k));
    assert_eq!(of_512, ["short_f32_u4", "medium_f32_u8", "medium_f32_u8", "short_f32_u4"]);
    let of_16_bits = [(512, 32), (513, 16), (513, 17)].map(|(n, k)| kernel(Dtype::Bf16, 1, n, k));
    assert_eq!(of_16_bits, ["short_bf16_u2", "short_bf16_u4", "medium_bf16_u8"]);
    for (rows, n, k) in [(132, 1025, 48), (133, 4097, 50), (132, 2049, 96)] {
        assert!(kernel(Dtype::F32, rows, n, k).starts_with("select"), "{rows}x{n}:{k}");
    }
}

/// Half a warp holds a row that is shorter still, where few of it are wanted, or there are many
/// rows.
#[test]
fn halves_of_warps_hold_the_shortest_rows() {
    let launch = |dtype, rows, n, k| {
        first_launch(&Problem::new(dtype, rows, n, k), Backend::Streaming).to_string()
    };
    for (dtype, rows, n, k, blocks) in [
        ("short_pair_f32_u2", 17, 128, 8, 2),
        ("short_pair_f32_u4", 1, 129, 8, 1),
        ("short_pair_f32_u4", 132, 256, 1, 9),
        ("short_pair_bf16_u1", 132, 128, 10, 9),
        ("short_pair_bf16_u2", 2112, 256, 14, 132),
        ("short_pair_bf16_u2", 8448, 256, 16, 528),
    ]
    .map(|(symbol, rows, n, k, blocks)| {
        let dtype = if symbol.contains("bf16") { Dtype::Bf16 } else { Dtype::F32 };
        (dtype, rows, n, k, format!("launch {symbol}: {blocks} blocks of 256 threads"))
    }) {
        let got = launch(dtype, rows, n, k);
        assert!(got.starts_with(&blocks), "{got}");
    }
    for (rows, n, k) in [(132, 257, 8), (132, 256, 11), (2112, 256, 15), (1, 129, 7)] {
        let got = launch(Dtype::F32, rows, n, k);
        assert!(got.starts_with("launch short_f32_u"), "{got}");
    }
}

/// A block holds a row where `k` is too large for a warp, unless it would have to sort as much.
#[test]
fn blocks_hold_rows_of_a_large_k() {
    let launch = |dtype, rows, n, k| {
        let problem = Problem::new(dtype, rows, n, k);
        let plan = gpu_plan(&problem, &device(227), &settings(Backend::Streaming, &[]));
        assert_sound(&plan, &device(227));
        plan.steps[0].launch.clone()
    };
    for dtype in Dtype::ALL {
        // A warp holds 256 vectors and sorts 256 items.
        let longest = 16 * 256 * dtype.per_vector() as usize;
        for (n, k, warps) in [
            (1000, 129, 1),
            (longest / 16, 214, 1),
            (longest / 16 + 1, 129, 2),
            (2000, 215, 2),
            (2000, 500, 4),
            (2048, 2048, 8),
            (2304, 2048, 16),
            (longest, 4096, 16),
            (longest, 769, 16),
            (8192, 129, 32 / dtype.per_vector()),
            (longest / 2, 97, 8),
        ] {
            for rows in [1, 133] {
                let Launch { symbol, grid, block, .. } = launch(dtype, rows, n, k);
                let large = if n.min(wide_items(k as u32) as usize) > 512 { "large_" } else { "" };
                assert_eq!(symbol, format!("wide_{large}{}", dtype.name()), "{n}:{k}");
                assert_eq!((grid, block), (rows as u32, 32 * warps), "{n}:{k}");
            }
        }
        for (rows, n, k) in [
            (132, 3000, 2049),
            (132, longest / 2 + 1, 128),
            (132, 4096, 2048),
            // Long rows are surveyed, and those of which half is wanted.
            (132, longest / 2 + 1, 240),
            (265, longest / 2 + 1, 300),
            (132, 1800, 900),
        ] {
            assert!(launch(dtype, rows, n, k).symbol.starts_with("select"), "{rows}x{n}:{k}");
        }
    }
    for (dtype, rows, n, k) in [
        (Dtype::F32, 132, 8193, 241),
        (Dtype::F32, 264, 16_384, 241),
        (Dtype::F32, 132, 2049, 1000),
        (Dtype::Bf16, 132, 16_385, 601),
        (Dtype::Bf16, 133, 16_384, 129),
        (Dtype::Bf16, 132, 16_384, 201),
        (Dtype::Bf16, 132, 4097, 2000),
    ] {
        assert!(launch(dtype, rows, n, k).symbol.starts_with("wide"), "{dtype:?} {rows}x{n}:{k}");
    }
    let crowded = [1200, 1201].map(|k| launch(Dtype::F32, 133, 2000, k).symbol);
    assert_eq!(crowded.map(|symbol| symbol == "wide_large_f32"), [true, false]);
    let few = [(132, 2048, 49), (132, 2048, 48), (132, 2049, 49), (133, 2048, 49)];
    let few = few.map(|(rows, n, k)| launch(Dtype::F32, rows, n, k).symbol);
    assert_eq!(few.map(|symbol| symbol == "wide_f32"), [true, false, false, false]);
    let problem = Problem::new(Dtype::F32, 133, 3000, 300);
    let plan = gpu_plan(&problem, &device(227), &settings(Backend::Stream, &[]));
    assert!(plan.steps[0].launch.symbol.starts_with("select"));
}

/// Few long rows are shared by clusters, unless `k` is large, the rows are short or many, or there
/// are no clusters.
#[test]
fn clusters_share_few_long_rows() {
    let cluster = |rows, n, k, device: &DeviceLimits| {
        let problem = Problem::new(Dtype::F32, rows, n, k);
        let settings = settings(Backend::Singlepass, &[]);
        let plan = gpu_plan(&problem, device, &settings);
        assert_sound(&plan, device);
        let Launch { cluster, grid, .. } = plan.steps[0].launch;
        assert_eq!(grid % cluster, 0);
        assert!(cluster == 1 || plan.workspace.bytes == 0);
        cluster
    };
    let h200 = device(227);
    let of_rows = |rows| cluster(rows, 128_256, 50, &h200);
    assert_eq!([1, 8, 9, 33, 34, 66, 67].map(of_rows), [8, 8, 4, 4, 2, 2, 1]);
    assert_eq!([4096, 16_384, 20_000, 50_000].map(|n| cluster(1, n, 50, &h200)), [1, 1, 4, 8]);
    assert_eq!(cluster(1, 1 << 24, 50, &h200), 1);
    // Where few are wanted of longer rows, more blocks than clusters find room for are faster.
    let few = [1, 2, 3, 7, 8, 16, 20, 30, 34, 44, 45].map(|rows| cluster(rows, 600_000, 32, &h200));
    assert_eq!(few, [1, 8, 8, 8, 8, 1, 4, 1, 1, 1, 2]);
    assert_eq!([699_999, 700_000].map(|n| cluster(2, n, 32, &h200)), [8, 1]);
    assert_eq!([1, 16, 30, 44].map(|rows| cluster(rows, 600_000, 33, &h200)), [8, 4, 1, 2]);
    assert_eq!([16, 17].map(|k| cluster(2, 280_000, k, &h200)), [1, 8]);
    assert_eq!([2, 5, 6].map(|rows| cluster(rows, 900_000, 32, &h200)), [1, 1, 8]);
    let a100 = DeviceLimits { compute_capability: 80, ..device(163) };
    assert_eq!(cluster(1, 128_256, 50, &a100), 1);
}

/// Few elements are found by few warps, where these read their piece, or a short row, at once.
#[test]
fn few_warps_find_few_elements() {
    let block = |dtype, rows, n, k| {
        first_launch(&Problem::new(dtype, rows, n, k), Backend::Singlepass).block
    };
    for dtype in [Dtype::F32, Dtype::Bf16] {
        for n in [8192, 32_768] {
            assert_eq!([8, 16, 17].map(|k| block(dtype, 16, n, k)), [256, 256, 512], "{n}");
        }
        assert_eq!([8, 16].map(|k| block(dtype, 17, 8192, k)), [256, 512]);
        assert_eq!([8192, 8200].map(|n| block(dtype, 1, n, 8)), [256, 512]);
    }
    assert_eq!(block(Dtype::Bf16, 1, 20_000, 8), 512);
}

/// Rows that take turns have blocks of few warps, where that lets more of them read at once.
#[test]
fn rows_that_take_turns_have_few_warps() {
    let warps = |rows, n, k| {
        first_launch(&Problem::new(Dtype::F32, rows, n, k), Backend::Streaming).block / 32
    };
    assert_eq!([528, 529, 3000].map(|rows| warps(rows, 12_000, 96)), [8, 4, 4]);
    assert_eq!([16_384, 16_400].map(|n| warps(600, n, 8)), [4, 8]);
    assert_eq!([96, 97, 129].map(|k| warps(264, 12_000, k)), [8, 16, 8]);
    assert_eq!([528, 529].map(|rows| warps(rows, 16_384, 256)), [8, 4]);
    assert_eq!([211, 212].map(|rows| warps(rows, 20_000, 300)), [16, 8]);
    assert_eq!(warps(600, 12_000, 97), 8);
    // Two rows a multiprocessor that 4 warps would read have too few lanes for these.
    assert_eq!([56, 57, 96].map(|k| warps(264, 5000, k)), [4, 16, 16]);
    assert_eq!([264, 265].map(|rows| warps(rows, 5000, 96)), [16, 4]);
    assert_eq!(warps(264, 5120, 96), 8);
}

/// The blocks of a cluster hold rows that one cannot, as few as can, where `k` is too large for a
/// survey in clusters and all find room at once.
#[test]
fn clusters_hold_rows_of_a_large_k() {
    let h200 = device(227);
    let launch = |dtype, rows, n, k, device: &DeviceLimits, backend| {
        let plan = gpu_plan(&Problem::new(dtype, rows, n, k), device, &settings(backend, &[]));
        assert_sound(&plan, device);
        plan.steps[0].launch.clone()
    };
    for dtype in Dtype::ALL {
        let of_block = 16 * 256 * dtype.per_vector() as usize;
        for (n, k, blocks) in [
            (of_block + 1, 129, 2),
            (2 * of_block, 2048, 2),
            (2 * of_block + 1, 1000, 4),
            (4 * of_block + 1, 129, 8),
            (8 * of_block, 4096, 8),
        ] {
            // More blocks of 16-bit rows of which few are wanted get into each other's way, and
            // more than 24 rows of two blocks one surveys faster.
            let most = match (dtype.per_vector(), k) {
                (8, ..=320) => 16,
                (4, ..=240) if blocks == 2 => 48,
                _ => 132,
            };
            for (backend, rows) in [
                (Backend::Singlepass, 1),
                (Backend::Singlepass, most / blocks as usize),
                (Backend::Streaming, most / blocks as usize),
            ] {
                let Launch { symbol, grid, block, cluster, .. } =
                    launch(dtype, rows, n, k, &h200, backend);
                assert_eq!(symbol, format!("wide_cluster_{}", dtype.name()), "{n}:{k}");
                assert_eq!((grid, block, cluster), (rows as u32 * blocks, 512, blocks));
            }
        }
        for (rows, n, k) in [
            (1, of_block + 1, 128),
            (1, 2 * of_block, 4097),
            (1, 8 * of_block + 1, 1000),
            (34, 8 * of_block, 1000),
            (25, 2 * of_block, 240),
        ] {
            let launch = launch(dtype, rows, n, k, &h200, Backend::Singlepass);
            assert!(!launch.symbol.starts_with("wide"), "{launch}");
        }
    }
    // GPUs of capability 12 have clusters, and 99 KiB.
    for (k, kernel) in [(3968, "wide_cluster"), (3969, "select")] {
        let launch = launch(Dtype::F32, 1, 20_000, k, &device(99), Backend::Singlepass);
        assert!(launch.symbol.starts_with(kernel), "{launch}");
    }
    let a100 = DeviceLimits { compute_capability: 80, ..device(163) };
    for (device, backend, kernel) in
        [(&a100, Backend::Singlepass, "sift"), (&h200, Backend::Stream, "select")]
    {
        let launch = launch(Dtype::F32, 1, 20_000, 1000, device, backend);
        assert!(launch.symbol.starts_with(kernel), "{launch}");
    }
}

/// A block reads a long row once where clusters do not hold it, and it is not too long for one
/// block, or there are enough of them.
#[test]
fn a_sample_sifts_long_rows() {
    let kernel = |dtype, rows, n, k| {
        first_launch(&Problem::new(dtype, rows, n, k), Backend::Streaming).symbol
    };
    for (rows, n, k) in [
        (67, 20_000, 513),
        (106, 30_000, 385),
        (106, 30_001, 161),
        (133, 20_000, 512),
        (34, 51_200, 513),
        (132, 51_201, 161),
        (64, 200_000, 1024),
        (132, 262_144, 2048),
        (133, 51_200, 512),
        (185, 28_000, 385),
        (185, 28_001, 209),
        (185, 65_537, 129),
        (265, 51_200, 513),
        (397, 50_001, 385),
        (397, 65_537, 129),
        (265, 131_073, 129),
        (1000, 33_000, 801),
        (1000, 33_001, 800),
    ] {
        assert_eq!(kernel(Dtype::F32, rows, n, k), "sift_f32", "{rows}x{n}:{k}");
    }
    for (rows, n, k) in [
        (67, 20_000, 512),
        (106, 30_000, 384),
        (132, 51_201, 160),
        (131, 51_201, 161),
        (185, 28_000, 384),
        (63, 200_000, 1024),
        (64, 200_000, 1023),
        (132, 262_145, 2048),
        (132, 51_200, 128),
        (132, 51_200, 2049),
        (133, 51_200, 511),
        (184, 51_200, 209),
        (264, 65_536, 208),
        (265, 131_072, 512),
        (397, 50_000, 512),
        (397, 65_536, 384),
        (1000, 33_000, 800),
    ] {
        let symbol = kernel(Dtype::F32, rows, n, k);
        assert!(symbol.starts_with("select"), "{rows}x{n}:{k} {symbol}");
    }
    // Blocks that take turns, of 8 warps.
    for (n, k) in [(33_000, 129), (33_000, 800)] {
        assert_eq!(
            first_launch(&Problem::new(Dtype::F32, 400, n, k), Backend::Streaming).block,
            256
        );
    }
    assert!(kernel(Dtype::Bf16, 265, 50_000, 800).starts_with("select"));
    assert!(kernel(Dtype::Bf16, 1000, 131_072, 512).starts_with("select"));
    assert_eq!(kernel(Dtype::Bf16, 67, 102_400, 1000), "sift_bf16");
    let of_half = |rows, n, k| kernel(Dtype::Bf16, rows, n, k).starts_with("select");
    assert!(
        [(132, 70_000, 512), (105, 102_400, 512), (185, 56_000, 512)]
            .iter()
            .all(|&(r, n, k)| of_half(r, n, k))
    );
    assert!(
        [(132, 70_000, 513), (132, 70_001, 512), (185, 56_001, 512)]
            .iter()
            .all(|&(r, n, k)| !of_half(r, n, k))
    );
}

#[test]
fn no_rows_need_no_launch() {
    let plan = Plan::new(&Problem::new(Dtype::F32, 0, 5, 5), None, &Settings::default()).unwrap();
    assert_eq!(plan.work, Work::Nothing);
    assert_eq!(plan.workspace_bytes(), 0);
}

#[test]
fn backend_torch_is_never_the_choice_of_auto() {
    let problem = Problem::new(Dtype::F32, 4, 1000, 10);
    for rows in [1, 4, 10_000] {
        let problem = Problem { rows, ..problem };
        let plan = Plan::new(&problem, Some(&device(227)), &Settings::default()).unwrap();
        assert_ne!(plan.backend, Backend::Torch);
    }
}

#[cfg(not(feature = "torch"))]
#[test]
fn a_build_without_libtorch_says_how_to_get_it() {
    let settings = settings(Backend::Torch, &[]);
    for rows in [0, 4] {
        let problem = Problem::new(Dtype::F32, rows, 1000, 10);
        for device in [None, Some(&device(227))] {
            let error = Plan::new(&problem, device, &settings).unwrap_err();
            assert!(!error.is_missing_device(), "{error:?}");
            assert_eq!(
                error.to_string(),
                "backend torch is not in this build: build with `--features torch` and LibTorch \
                 2.11, which LIBTORCH=FOLDER names, or LIBTORCH_USE_PYTORCH=1 finds in Python \
                 (docs/torch.md)"
            );
        }
    }
}

#[cfg(feature = "torch")]
#[test]
fn backend_torch_takes_indices_of_64_bits_in_its_workspace() {
    let settings = settings(Backend::Torch, &[]);
    let problem = Problem::new(Dtype::F32, 4, 1_000_000, 5000);
    let gpu = device(227);
    let plan = |problem: &Problem, device| Plan::new(problem, device, &settings);
    let narrow = plan(&problem, Some(&gpu)).unwrap();
    assert_eq!((&narrow.work, narrow.backend), (&Work::Torch, Backend::Torch));
    assert_eq!(narrow.workspace(), Workspace { bytes: 8 * 4 * 5000, zeroed_bytes: 0 });
    let wide = Problem { index: Index::I64, ..problem };
    assert_eq!(plan(&wide, Some(&gpu)).unwrap().workspace_bytes(), 0);
    assert!(matches!(plan(&problem, None), Err(Error::NoGpu { .. })));
}
