//! Planning: a pure function of problem, device and knobs. Nothing here touches a driver.
use std::fmt::{self, Write as _};

use kernels_gpu::params::{QueueLayout, STAGE2_VECTORS, Stage1Params, Stage2Params};
use kernels_gpu::variants::{KERNELS, STAGE1_DEPTHS};

use crate::error::Error;
use crate::knobs::{Knob, Knobs, Origin};
use crate::problem::Problem;
use crate::settings::{Backend, Settings};

/// What a plan must know of a GPU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceLimits {
    /// The device's name, for messages.
    pub name: String,
    /// Multiprocessors.
    pub multiprocessors: u32,
    /// The most dynamic shared memory of a block, in bytes.
    pub shared_bytes_max: u32,
    /// Compute capability, major times 10 plus minor.
    pub compute_capability: u32,
}

/// One kernel launch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launch {
    /// The kernel.
    pub symbol: String,
    /// Blocks.
    pub grid: u32,
    /// Threads a block.
    pub block: u32,
    /// Dynamic shared memory a block, in bytes.
    pub shared_bytes: u32,
}

/// The backend `stream`: two launches and the candidates between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamPlan {
    /// Pieces to candidates.
    pub stage1: Launch,
    /// Stage 1's scalars.
    pub stage1_params: Stage1Params,
    /// Candidates to the answer.
    pub stage2: Launch,
    /// Stage 2's scalars.
    pub stage2_params: Stage2Params,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    /// Nothing: there are no rows.
    Nothing,
    /// The host's cores.
    Cpu,
    /// The backend `stream`.
    Stream(StreamPlan),
}

/// How a problem will be solved, and why so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The problem.
    pub problem: Problem,
    /// The backend, never [`Backend::Auto`].
    pub backend: Backend,
    /// The launches.
    pub work: Work,
    reasons: Vec<String>,
}

impl Plan {
    /// Plans a problem for a device; `None` stands for the host's cores.
    ///
    /// # Errors
    /// [`Error::Problem`] where the problem breaks a rule; [`Error::Unsupported`] where the backend
    /// cannot do it; [`Error::NoDevice`] where the backend needs a GPU and there is none.
    pub fn new(
        problem: &Problem,
        device: Option<&DeviceLimits>,
        settings: &Settings,
    ) -> Result<Plan, Error> {
        problem.validate()?;
        let wished = settings.backend.unwrap_or_default();
        let (backend, reason) = match (wished, device) {
            (Backend::Auto, None) => (Backend::Cpu, "auto: there is no GPU".to_string()),
            (Backend::Auto, Some(_)) => (Backend::Stream, "auto: on a GPU".to_string()),
            (Backend::Stream, None) => {
                return Err(Error::NoDevice {
                    requested: "for backend stream".to_string(),
                    reason: "it runs on a GPU; use device cuda or emulator, or backend cpu"
                        .to_string(),
                });
            }
            (named, _) => (named, "asked for".to_string()),
        };
        let mut plan = Plan {
            problem: *problem,
            backend,
            work: Work::Nothing,
            reasons: vec![],
        };
        plan.reasons.push(format!("backend {backend}: {reason}"));
        plan.work = match (backend, device) {
            _ if problem.rows == 0 => Work::Nothing,
            (Backend::Stream, Some(device)) => {
                let stream = Planner {
                    problem,
                    device,
                    knobs: &settings.knobs,
                    reasons: &mut plan.reasons,
                };
                Work::Stream(stream.plan()?)
            }
            _ => Work::Cpu,
        };
        Ok(plan)
    }

    /// Bytes of device memory that the plan needs beside input and outputs.
    pub fn workspace_bytes(&self) -> usize {
        match &self.work {
            Work::Nothing | Work::Cpu => 0,
            Work::Stream(stream) => {
                stream.stage1.grid as usize * stream.stage1_params.k as usize * size_of::<u64>()
            }
        }
    }

    /// The plan in words: what runs, with which values, and where each came from.
    pub fn explain(&self) -> String {
        let mut text = self.reasons.join("\n");
        let launches = match &self.work {
            Work::Nothing => vec![],
            Work::Cpu => vec![],
            Work::Stream(stream) => vec![&stream.stage1, &stream.stage2],
        };
        for launch in launches {
            let _ = write!(text, "\n{launch}");
        }
        let _ = write!(text, "\nworkspace: {} bytes", self.workspace_bytes());
        text
    }
}

impl fmt::Display for Launch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Launch {
            symbol,
            grid,
            block,
            shared_bytes,
        } = self;
        write!(
            f,
            "launch {symbol}: {grid} blocks of {block} threads, {shared_bytes} bytes shared each"
        )
    }
}

/// Items beyond k that a queue holds: enough that a crop is rare, few enough that several blocks fit
/// on a multiprocessor.
const SLACK_MIN: u32 = 2048;
/// Candidates that stage 2 still takes at once where nobody says how.
const DEFAULT_CANDIDATES_MAX: u32 = 4096;
const WARP: u32 = 32;

/// Plans the backend `stream`.
struct Planner<'a> {
    problem: &'a Problem,
    device: &'a DeviceLimits,
    knobs: &'a Knobs,
    reasons: &'a mut Vec<String>,
}

impl Planner<'_> {
    fn plan(mut self) -> Result<StreamPlan, Error> {
        self.check_k()?;
        let Problem {
            dtype,
            rows,
            n,
            row_stride,
            ..
        } = *self.problem;
        let (k, n) = (self.problem.k as u32, n as u32);
        // A row that does not start at a 16-byte boundary may touch one vector more.
        let vectors = (n + dtype.per_vector() - 1).div_ceil(dtype.per_vector());
        let (warps, depth) = self.stage1_block(vectors);
        let pieces = self.pieces(vectors.div_ceil(warps * WARP * depth));
        let piece_vectors = vectors.div_ceil(pieces);
        let pieces = vectors.div_ceil(piece_vectors);
        let layout = QueueLayout::new(k, SLACK_MIN.max(k).min(n));
        let flip = self.problem.flip();
        let stage1_params = Stage1Params {
            row_stride: row_stride as u64,
            n,
            k,
            pieces,
            piece_vectors,
            capacity: layout.capacity,
            flip,
        };
        let stage1 = Launch {
            symbol: format!("stage1_{}_u{depth}", dtype.name()),
            grid: self.grid(rows as u64 * u64::from(pieces))?,
            block: warps * WARP,
            shared_bytes: layout.bytes(),
        };
        let (stage2, stage2_params) = self.stage2(pieces)?;
        Ok(StreamPlan {
            stage1,
            stage1_params,
            stage2,
            stage2_params,
        })
    }

    /// Refuses a `k` whose queue does not fit into shared memory.
    fn check_k(&self) -> Result<(), Error> {
        let fits = |k: u32| QueueLayout::new(k, 0).bytes() <= self.device.shared_bytes_max;
        let k = u32::try_from(self.problem.k).unwrap_or(u32::MAX);
        // Above 2^15 nothing fits on any GPU, and the layout's arithmetic would overflow.
        if k <= 1 << 15 && fits(k) {
            return Ok(());
        }
        let (mut least, mut most) = (1u32, 1 << 15);
        while least < most {
            let middle = (least + most).div_ceil(2);
            if fits(middle) {
                least = middle
            } else {
                most = middle - 1
            }
        }
        Err(Error::Unsupported {
            backend: Backend::Stream.name(),
            what: "k",
            actual: self.problem.k as u64,
            limit: u64::from(least),
            device: self.device.name.clone(),
            advice: "ask for fewer elements, or use backend cpu",
        })
    }

    /// Warps and vectors in flight of a stage-1 block.
    fn stage1_block(&mut self, vectors: u32) -> (u32, u32) {
        let short = vectors.div_ceil(WARP).next_power_of_two().min(16);
        let warps = self.value(Knob::Stage1Warps, short);
        let wished = self.value(Knob::Stage1Stages, 4);
        let usable = |depth: &u32| {
            let symbol = format!("stage1_{}_u{depth}", self.problem.dtype.name());
            let kernel = KERNELS.iter().find(|kernel| kernel.name == symbol);
            *depth <= wished && kernel.is_some_and(|kernel| warps * WARP <= kernel.max_threads)
        };
        let depth = STAGE1_DEPTHS.into_iter().find(usable).unwrap_or(1);
        if depth != wished {
            self.reasons.push(format!(
                "stage1_stages: {depth}, the nearest that {warps} warps can have"
            ));
        }
        (warps, depth)
    }

    /// Blocks a row: enough to fill the device, few enough to keep stage 2 short.
    fn pieces(&mut self, tiles: u32) -> u32 {
        let rows = u32::try_from(self.problem.rows).unwrap_or(u32::MAX);
        let k = self.problem.k as u32;
        let target = self.value(Knob::Stage1TargetCtas, 2 * self.device.multiprocessors);
        let parallel = target.div_ceil(rows).min(tiles);
        let budget = self.value(Knob::TargetStage2Candidates, 8192).max(k) / k;
        let pieces = match self.value(Knob::Stage1ParallelHint, 0) {
            0 => parallel.min(budget),
            _ => parallel,
        };
        self.reasons.push(format!(
            "pieces a row: {pieces} (for {target} blocks, {budget} by candidates)"
        ));
        pieces.max(1)
    }

    fn stage2(&mut self, pieces: u32) -> Result<(Launch, Stage2Params), Error> {
        let Problem {
            dtype,
            rows,
            row_stride,
            ..
        } = *self.problem;
        let k = self.problem.k as u32;
        let candidates = pieces * k;
        let few = candidates
            .div_ceil(STAGE2_VECTORS * WARP)
            .next_power_of_two()
            .clamp(2, 16);
        let mut warps = self.value(Knob::Stage2Warps, few);
        let tile = self.value(Knob::Stage2Tile, STAGE2_VECTORS * WARP * warps);
        let needed = tile
            .div_ceil(STAGE2_VECTORS * WARP)
            .next_power_of_two()
            .min(32);
        if needed > warps {
            self.reasons
                .push(format!("stage2_warps: {needed}, for a tile of {tile}"));
            warps = needed;
        }
        let variant = self.merge_variant(k, candidates);
        let layout = match variant {
            "default" => QueueLayout::new(k, candidates - k),
            _ => QueueLayout::new(k, SLACK_MIN.max(k).min(candidates)),
        };
        let params = Stage2Params {
            row_stride: row_stride as u64,
            candidates,
            k,
            tile,
            capacity: layout.capacity,
            flip: self.problem.flip(),
            reserved: 0,
        };
        let launch = Launch {
            symbol: format!("stage2_{variant}_{}", dtype.name()),
            grid: self.grid(rows as u64)?,
            block: warps * WARP,
            shared_bytes: layout.bytes(),
        };
        Ok((launch, params))
    }

    /// `default` where all candidates fit into shared memory and nobody says otherwise.
    fn merge_variant(&mut self, k: u32, candidates: u32) -> &'static str {
        let preset = u32::from(candidates > DEFAULT_CANDIDATES_MAX.max(2 * k));
        let tiles = self.value(Knob::Stage2Impl, preset) == 1;
        let bytes = QueueLayout::new(k, candidates - k).bytes();
        if !tiles && bytes > self.device.shared_bytes_max {
            self.reasons.push(format!(
                "stage2_impl: tiles, because {candidates} candidates at once need {bytes} bytes of shared memory"
            ));
            return "tiles";
        }
        if tiles { "tiles" } else { "default" }
    }

    fn grid(&self, blocks: u64) -> Result<u32, Error> {
        u32::try_from(blocks)
            .ok()
            .filter(|&blocks| blocks <= i32::MAX as u32)
            .ok_or_else(|| Error::Unsupported {
                backend: Backend::Stream.name(),
                what: "the number of blocks",
                actual: blocks,
                limit: i32::MAX as u64,
                device: self.device.name.clone(),
                advice: "split the batch",
            })
    }

    /// A knob's value, or `preset` where nobody set it; says which.
    fn value(&mut self, knob: Knob, preset: u32) -> u32 {
        let value = self.knobs.get(knob).unwrap_or(preset);
        let origin = self.knobs.origin(knob);
        if origin != Origin::Heuristic {
            self.reasons
                .push(format!("{}: {value}, {}", knob.spec().key, origin.name()));
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernels_gpu::params::Dtype;

    fn h200() -> DeviceLimits {
        DeviceLimits {
            name: "NVIDIA H200".into(),
            multiprocessors: 132,
            shared_bytes_max: 227 * 1024,
            compute_capability: 90,
        }
    }

    fn stream(problem: &Problem, settings: &Settings) -> StreamPlan {
        let plan = Plan::new(problem, Some(&h200()), settings).unwrap();
        match plan.work {
            Work::Stream(stream) => stream,
            other => panic!("{other:?}"),
        }
    }

    fn knobs(pairs: &[(Knob, &str)]) -> Settings {
        let mut settings = Settings {
            backend: Some(Backend::Stream),
            ..Settings::default()
        };
        for (knob, value) in pairs {
            settings.knobs.set(*knob, value, Origin::Builder).unwrap();
        }
        settings
    }

    #[test]
    fn pieces_cover_every_vector() {
        for n in [1, 3, 4, 5, 1000, 50_257, 262_144, 1 << 20] {
            for rows in [1, 7, 1024] {
                for dtype in Dtype::ALL {
                    let p = Problem::new(dtype, rows, n, n.min(50));
                    let s = stream(&p, &knobs(&[]));
                    let Stage1Params {
                        pieces,
                        piece_vectors,
                        ..
                    } = s.stage1_params;
                    let covered = u64::from(pieces * piece_vectors * dtype.per_vector());
                    assert!(
                        covered >= n as u64 + u64::from(dtype.per_vector() - 1),
                        "{p:?}"
                    );
                    assert_eq!(s.stage1.grid, rows as u32 * pieces);
                    assert_eq!(s.stage2_params.candidates, pieces * s.stage2_params.k);
                }
            }
        }
    }

    #[test]
    fn every_corner_of_the_knobs_gives_a_launch_that_the_kernels_allow() {
        let problem = Problem::new(Dtype::Bf16, 3, 40_000, 300);
        for warps in ["1", "32"] {
            for stages in ["1", "3", "8"] {
                for (merge, tile, warps2) in [
                    ("default", "64", "1"),
                    ("tiles", "2048", "1"),
                    ("tiles", "64", "32"),
                ] {
                    let s = stream(
                        &problem,
                        &knobs(&[
                            (Knob::Stage1Warps, warps),
                            (Knob::Stage1Stages, stages),
                            (Knob::Stage2Impl, merge),
                            (Knob::Stage2Tile, tile),
                            (Knob::Stage2Warps, warps2),
                            (Knob::Stage1ParallelHint, "1"),
                        ]),
                    );
                    for launch in [&s.stage1, &s.stage2] {
                        let kernel = KERNELS.iter().find(|k| k.name == launch.symbol).unwrap();
                        assert!(launch.block <= kernel.max_threads, "{launch}");
                        assert!(launch.shared_bytes <= h200().shared_bytes_max, "{launch}");
                    }
                    assert!(s.stage2_params.tile <= STAGE2_VECTORS * s.stage2.block);
                }
            }
        }
    }

    #[test]
    fn a_k_beyond_shared_memory_is_refused_with_the_limit() {
        let problem = Problem::new(Dtype::F32, 1, 1 << 20, 100_000);
        let error = Plan::new(&problem, Some(&h200()), &Settings::default()).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("k is 100000, the limit on NVIDIA H200 is"),
            "{text}"
        );
        let Error::Unsupported { limit, .. } = error else {
            panic!("{text}")
        };
        assert!(limit >= 2048);
        let fits = Problem {
            k: limit as usize,
            ..problem
        };
        assert!(Plan::new(&fits, Some(&h200()), &Settings::default()).is_ok());
        let beyond = Problem {
            k: limit as usize + 1,
            ..problem
        };
        assert!(Plan::new(&beyond, Some(&h200()), &Settings::default()).is_err());
    }

    #[test]
    fn the_explanation_names_values_and_origins() {
        let problem = Problem::new(Dtype::F32, 1, 50_000, 50);
        let plan = Plan::new(&problem, Some(&h200()), &knobs(&[(Knob::Stage1Warps, "8")])).unwrap();
        let text = plan.explain();
        assert!(text.contains("backend stream: asked for"), "{text}");
        assert!(
            text.contains("stage1_warps: 8, set by the caller"),
            "{text}"
        );
        assert!(text.contains("launch stage1_f32_u4"), "{text}");
    }

    #[test]
    fn no_rows_need_no_launch() {
        let plan = Plan::new(
            &Problem::new(Dtype::F32, 0, 5, 5),
            Some(&h200()),
            &Settings::default(),
        );
        assert_eq!(plan.unwrap().work, Work::Nothing);
    }
}
