//! The launch for rows that a block holds, or the blocks of a cluster, for a `k` of hundreds.
use kernels_gpu::params::{
    CLUSTER_BLOCKS_MAX, Dtype, SMALL_K_MAX, WIDE_K_MAX, WIDE_WARPS_MAX, WideClusterLayout,
    WideLayout, short_max, wide_items, wide_max, wide_warps,
};
use kernels_gpu::variants::SHORT_VECTORS;

use super::cluster::COMPUTE_CAPABILITY;
use super::{DeviceLimits, GpuPlan, Launch, grid, short};
use crate::error::Error;
use crate::problem::Problem;
use crate::settings::Backend;

/// Warps of a block that holds a row, where a block does so faster than warps or parts of rows.
pub(super) fn warps(problem: &Problem, device: &DeviceLimits) -> Option<u32> {
    let Problem { dtype, rows, n, k, .. } = *problem;
    if n > wide_max(dtype, WIDE_WARPS_MAX) as usize || k > WIDE_K_MAX as usize {
        return None;
    }
    let (n, k) = (u32::try_from(n).ok()?, k as u32);
    if WideLayout::bytes(dtype, n, k) > device.shared_bytes_max {
        return None;
    }
    let is_crowded = u32::try_from(rows).ok()? > device.multiprocessors;
    // Measured on an H200, as all limits here.
    let is_faster = if k > SMALL_K_MAX {
        // Words of 16-bit elements and indices are sorted faster.
        !sorts_all(n, k) || is_crowded && (dtype.per_vector() == 8 || k <= 1200)
    } else if k > 96 {
        n <= wide_max(dtype, WIDE_WARPS_MAX / 2)
    } else {
        !is_crowded && k > 48 && n <= 2048
    };
    let is_held_by_short = SHORT_VECTORS.into_iter().any(|vectors| n <= short_max(dtype, vectors));
    (is_faster && !(is_held_by_short && k <= SMALL_K_MAX)).then(|| wide_warps(dtype, n, k))
}

/// Whether a block has as much to sort with a bound as without one.
fn sorts_all(n: u32, k: u32) -> bool {
    wide_items(k) < n && n <= wide_items(k).next_power_of_two()
}

/// Whether blocks that survey rows are faster than those of [`warps`], which they are where two
/// share a multiprocessor and [`sorts_all`]. Measured on an H200.
pub(super) fn is_surveyed(problem: &Problem, device: &DeviceLimits) -> bool {
    let Problem { dtype, rows, n, k, .. } = *problem;
    let most = if dtype == Dtype::F32 { 1024 } else { 2048 };
    rows.div_ceil(device.multiprocessors as usize) == 2
        && (513..=most).contains(&n)
        && (SMALL_K_MAX as usize + 1..n).contains(&k)
        && sorts_all(n as u32, k as u32)
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
    let has_bins = WideLayout::has_bins(n as u32, k as u32);
    let launch = Launch {
        symbol: format!("wide_{}{}", if has_bins { "large_" } else { "" }, dtype.name()),
        grid: grid(problem.rows as u64, backend, device)?,
        block: warps * 32,
        shared_bytes: WideLayout::bytes(dtype, n as u32, k as u32),
        cluster: 1,
    };
    Ok(short::of_launch(problem, launch))
}

/// Blocks of a cluster that hold a row together, as few as can, where one block cannot, and where
/// that is faster than blocks that survey its pieces.
pub(super) fn cluster_blocks(problem: &Problem, device: &DeviceLimits) -> Option<u32> {
    let Problem { dtype, rows, n, k, .. } = *problem;
    let of_block = wide_max(dtype, WIDE_WARPS_MAX) as usize;
    let can = device.compute_capability >= COMPUTE_CAPABILITY
        && (SMALL_K_MAX as usize + 1..=WIDE_K_MAX as usize).contains(&k)
        && WideClusterLayout::bytes(dtype, k as u32) <= device.shared_bytes_max
        && (of_block + 1..=CLUSTER_BLOCKS_MAX as usize * of_block).contains(&n);
    if !can {
        return None;
    }
    let blocks = n.div_ceil(of_block).next_power_of_two();
    // Measured on an H200: two blocks that share a multiprocessor wait for each other. Where few of
    // 16-bit elements are wanted, many equal the bound, and more rounds are counted.
    let has_equals = dtype.per_vector() == 8 && k <= 320;
    let room = device.multiprocessors / if has_equals { 8 } else { 1 };
    let room = room.max(CLUSTER_BLOCKS_MAX) as usize;
    (rows.saturating_mul(blocks) <= room).then_some(blocks as u32)
}

/// Plans a valid problem for the [`cluster_blocks`] that it has.
pub(super) fn plan_clusters(
    problem: &Problem,
    blocks: u32,
    backend: Backend,
    device: &DeviceLimits,
    reasons: &mut Vec<String>,
) -> Result<GpuPlan, Error> {
    let Problem { dtype, rows, k, .. } = *problem;
    reasons.push(format!("rows that {blocks} blocks of a cluster hold; no knob applies"));
    let launch = Launch {
        symbol: format!("wide_cluster_{}", dtype.name()),
        grid: grid(rows as u64 * u64::from(blocks), backend, device)?,
        block: WIDE_WARPS_MAX * 32,
        shared_bytes: WideClusterLayout::bytes(dtype, k as u32),
        cluster: blocks,
    };
    Ok(short::of_launch(problem, launch))
}
