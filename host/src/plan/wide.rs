//! The launch for rows that a block holds, for a `k` of hundreds.
use kernels_gpu::params::{
    SMALL_K_MAX, WIDE_K_MAX, WIDE_WARPS_MAX, WideLayout, wide_max, wide_warps,
};

use super::{DeviceLimits, GpuPlan, Launch, grid, short};
use crate::error::Error;
use crate::problem::Problem;
use crate::settings::Backend;

/// Warps of a block that holds a row, where there are more rows than multiprocessors.
pub(super) fn warps(problem: &Problem, device: &DeviceLimits) -> Option<u32> {
    let Problem { dtype, rows, n, k, .. } = *problem;
    let is_crowded = rows > device.multiprocessors as usize && u32::try_from(rows).is_ok();
    let fits = n <= wide_max(dtype, WIDE_WARPS_MAX) as usize;
    let is_many = k > SMALL_K_MAX as usize && k <= WIDE_K_MAX as usize;
    (is_crowded && fits && is_many).then(|| wide_warps(dtype, n as u32, k as u32))
}

/// Plans a valid problem for blocks of the [`warps`] that it has.
pub(super) fn plan(
    problem: &Problem,
    warps: u32,
    backend: Backend,
    device: &DeviceLimits,
    reasons: &mut Vec<String>,
) -> Result<GpuPlan, Error> {
    let Problem { dtype, n, k, .. } = *problem;
    reasons.push(format!("rows that a block holds: {warps} warps each; no knob applies"));
    let launch = Launch {
        symbol: format!("wide_{}", dtype.name()),
        grid: grid(problem.rows as u64, backend, device)?,
        block: warps * 32,
        shared_bytes: WideLayout::bytes(dtype, n as u32, k as u32),
        cluster: 1,
    };
    Ok(short::of_launch(problem, launch))
}
