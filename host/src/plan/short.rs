//! The launch for short rows, a warp each: what `singlepass` and `streaming` come to there.
use kernels_gpu::params::{SMALL_K_MAX, ShortParams, short_items, short_max};
use kernels_gpu::variants::SHORT_VECTORS;

use super::{Argument, DeviceLimits, GpuPlan, Launch, Step, Workspace, grid};
use crate::error::Error;
use crate::problem::Problem;
use crate::settings::Backend;

/// Warps of a block.
const WARPS: u32 = 8;

/// Vectors that a lane must hold of such rows, if a warp can.
fn vectors(problem: &Problem) -> Option<u32> {
    let fits = |vectors: &u32| problem.n <= short_max(problem.dtype, *vectors) as usize;
    SHORT_VECTORS.into_iter().find(fits)
}

/// Whether rows are short enough, `k` small enough and the batch large enough for a warp each.
pub(super) fn is_for(problem: &Problem) -> bool {
    let fits = vectors(problem).is_some() && problem.k <= SMALL_K_MAX as usize;
    fits && u32::try_from(problem.rows).is_ok()
}

/// Plans a valid problem with at least one row that [`is_for`] says yes to.
pub(super) fn plan(
    problem: &Problem,
    backend: Backend,
    device: &DeviceLimits,
    reasons: &mut Vec<String>,
) -> Result<GpuPlan, Error> {
    let Problem { dtype, rows, n, row_stride, k, .. } = *problem;
    let vectors = vectors(problem).unwrap_or(SHORT_VECTORS[0]);
    reasons.push(format!("short rows: a warp each, {vectors} loads a lane; no knob applies"));
    let params = ShortParams {
        row_stride: row_stride as u64,
        rows: rows as u32,
        n: n as u32,
        k: k as u32,
        flip: problem.flip(),
        index: problem.index,
        reserved: 0,
    };
    let launch = Launch {
        symbol: format!("short_{}_u{vectors}", dtype.name()),
        grid: grid((rows as u64).div_ceil(WARPS.into()), backend, device)?,
        block: WARPS * 32,
        shared_bytes: 8 * WARPS * short_items(k as u32),
        cluster: 1,
    };
    let arguments = vec![
        Argument::Input,
        Argument::Lengths,
        Argument::Values,
        Argument::Indices,
        Argument::Short(params),
    ];
    Ok(GpuPlan { steps: vec![Step { launch, arguments }], workspace: Workspace::default() })
}
