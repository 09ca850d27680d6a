//! The launch for rows that a warp holds: what `singlepass` and `streaming` come to there, and
//! draws from such rows.
use kernels_gpu::params::{PAIR_K_MAX, SMALL_K_MAX, ShortParams, short_items, short_max};
use kernels_gpu::variants::{MEDIUM_VECTORS, PAIR_ELEMENTS, SHORT_VECTORS};

use super::{Argument, DeviceLimits, GpuPlan, Launch, Step, Workspace, grid};
use crate::error::Error;
use crate::problem::Problem;
use crate::settings::Backend;

/// An instance of a kernel that gives each row a warp, or half of one.
#[derive(Clone, Copy)]
pub(super) struct Instance {
    kernel: &'static str,
    /// Vectors that a lane holds.
    vectors: u32,
    /// Warps of a block.
    warps: u32,
    /// Rows of a warp.
    rows: u32,
}

impl Instance {
    /// The one whose lanes hold the least that is enough, where `k` is small and a warp a row is as
    /// fast as a block.
    pub(super) fn of(problem: &Problem, device: &DeviceLimits) -> Option<Instance> {
        if !Instance::may_hold(problem) {
            return None;
        }
        let pair = Instance::of_pair(problem, device);
        if pair.is_some() {
            return pair;
        }
        if let Some(vectors) = Instance::told_by_lanes(problem) {
            return Some(Instance { kernel: "short", vectors, warps: 8, rows: 1 });
        }
        let vectors = Instance::vectors_of_medium(problem, device)?;
        // Few elements of a row that nearly fills its warp a block finds up to 0.4 us faster.
        let fills_its_warp = 4 * problem.n > 3 * short_max(problem.dtype, vectors) as usize;
        let finds_few = fills_its_warp && problem.k <= 16;
        let is_fast = problem.rows > device.multiprocessors as usize || !finds_few;
        is_fast.then_some(Instance { kernel: "medium", vectors, warps: 4, rows: 1 })
    }

    /// The one whose warps also draw from their rows, where it is faster than blocks that do.
    pub(super) fn to_draw(problem: &Problem, device: &DeviceLimits) -> Option<Instance> {
        if !Instance::may_hold(problem) {
            return None;
        }
        if let Some(vectors) = Instance::told_by_lanes(problem) {
            return Some(Instance { kernel: "short_sample", vectors, warps: 8, rows: 1 });
        }
        let vectors = Instance::vectors_of_medium(problem, device)?;
        Some(Instance { kernel: "medium_sample", vectors, warps: 4, rows: 1 })
    }

    /// Whether a warp has room for what is wanted, and a launch for the rows.
    fn may_hold(problem: &Problem) -> bool {
        problem.k <= SMALL_K_MAX as usize && u32::try_from(problem.rows).is_ok()
    }

    /// Vectors a lane of `medium`, where a warp a row is as fast as a block. Measured on an H200:
    /// alone on its multiprocessor a block is up to 2 us faster, unless the row is so short that
    /// the block waits for itself more than it reads.
    fn vectors_of_medium(problem: &Problem, device: &DeviceLimits) -> Option<u32> {
        let fits = |vectors: &u32| problem.n <= short_max(problem.dtype, *vectors) as usize;
        let vectors = MEDIUM_VECTORS.into_iter().find(fits)?;
        let is_crowded = problem.rows > device.multiprocessors as usize;
        (is_crowded || vectors == MEDIUM_VECTORS[0]).then_some(vectors)
    }

    /// Vectors a lane of `short`, where it is faster than `medium`. It has two keys a lane to find
    /// a bound among, of which it keeps the best 32; `medium` has every vector's. Measured on an
    /// H200: the latter is faster where the former do not tell, and these are enough; for a k of 17
    /// to 32 of 16-bit rows of 256 alone.
    fn told_by_lanes(problem: &Problem) -> Option<u32> {
        let Problem { dtype, n, k, .. } = *problem;
        let keys = n / dtype.per_vector() as usize;
        let few = if n <= 512 { 32 } else { 16 };
        let is_told = k <= few || 5 * k > 4 * keys;
        let fits = |vectors: &u32| n <= short_max(dtype, *vectors) as usize;
        SHORT_VECTORS.into_iter().find(fits).filter(|_| is_told)
    }

    /// The one that gives each row half a warp, where that is faster than a warp. Measured on an
    /// H200: with more rows it issues fewer instructions a row; with few it waits longer for each.
    fn of_pair(problem: &Problem, device: &DeviceLimits) -> Option<Instance> {
        let Problem { dtype, rows, n, k, .. } = *problem;
        let elements = PAIR_ELEMENTS.into_iter().find(|elements| n <= 16 * *elements as usize)?;
        let share = rows / device.multiprocessors as usize;
        let most = match share {
            0..16 => 10,
            16..64 => 14,
            _ => PAIR_K_MAX as usize,
        };
        let is_alone = 8 * rows <= device.multiprocessors as usize && n > 128 && k < 8;
        let vectors = elements / dtype.per_vector();
        let pair = Instance { kernel: "short_pair", vectors, warps: 8, rows: 2 };
        (k <= most && !is_alone).then_some(pair)
    }
}

/// Plans a valid problem with at least one row for the [`Instance`] that it has.
pub(super) fn plan(
    problem: &Problem,
    instance: Instance,
    backend: Backend,
    device: &DeviceLimits,
    reasons: &mut Vec<String>,
) -> Result<GpuPlan, Error> {
    let Problem { dtype, rows, k, .. } = *problem;
    let Instance { kernel, vectors, warps, rows: of_warp } = instance;
    reasons.push(format!("short rows: {of_warp} a warp, {vectors} loads a lane; no knob applies"));
    let launch = Launch {
        symbol: format!("{kernel}_{}_u{vectors}", dtype.name()),
        grid: grid((rows as u64).div_ceil((warps * of_warp).into()), backend, device)?,
        block: warps * 32,
        shared_bytes: 8 * warps * short_items(k as u32),
        cluster: 1,
    };
    Ok(of_launch(problem, launch))
}

/// The plan of one launch that needs no workspace.
pub(super) fn of_launch(problem: &Problem, launch: Launch) -> GpuPlan {
    let params = ShortParams {
        row_stride: problem.row_stride as u64,
        rows: problem.rows as u32,
        n: problem.n as u32,
        k: problem.k as u32,
        flip: problem.flip(),
        index: problem.index,
        order: problem.order(),
    };
    let arguments = vec![
        Argument::Input,
        Argument::Lengths,
        Argument::Values,
        Argument::Indices,
        Argument::Short(params),
    ];
    GpuPlan { steps: vec![Step { launch, arguments }], workspace: Workspace::default() }
}
