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
    let share = u32::try_from(rows).ok()?.div_ceil(device.multiprocessors);
    let is_crowded = share > 1;
    // Measured on an H200, as all limits here.
    let is_faster = if k > SMALL_K_MAX {
        // Words of 16-bit elements and indices are sorted faster.
        let sorts_faster = is_crowded && (dtype.per_vector() == 8 || k <= 1200);
        let is_surveyed = is_long(dtype, n, k, share) || !is_crowded && counts_often(dtype, n, k);
        !is_surveyed && (!sorts_all(n, k) || sorts_faster)
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

/// Whether a row is so long that a block surveys it faster: one that holds it has to find its bound
/// among more elements. `share` are the rows a multiprocessor.
fn is_long(dtype: Dtype, n: u32, k: u32, share: u32) -> bool {
    match dtype {
        Dtype::F32 => n > 8192 && k <= if share > 2 { 300 } else { 240 },
        _ if n > 16_384 => k <= if share > 1 { 768 } else { 600 },
        _ => n > 8192 && k <= 200 && share == 1,
    }
}

/// Whether about half of a row is wanted, so that there is little room beside it: many bounds are
/// tried before one fits, and the more where keys are few or far between, as near zero.
fn counts_often(dtype: Dtype, n: u32, k: u32) -> bool {
    let is_often = match dtype {
        Dtype::F32 => n <= 2048 && 2 * n < 5 * k,
        _ => n <= 2048 && n < 3 * k || n <= 4096 && 5 * n < 11 * k,
    };
    is_often && n > wide_items(k)
}

/// Whether blocks that survey rows are faster than those of [`warps`], which they are where two
/// share a multiprocessor and [`sorts_all`], or [`counts_often`]. Measured on an H200.
pub(super) fn is_surveyed(problem: &Problem, device: &DeviceLimits) -> bool {
    let Problem { dtype, rows, n, k, .. } = *problem;
    let most = if dtype == Dtype::F32 { 1024 } else { 2048 };
    let may = rows.div_ceil(device.multiprocessors as usize) == 2
        && (513..=most).contains(&n)
        && (SMALL_K_MAX as usize + 1..n).contains(&k);
    let (n, k) = (n as u32, k as u32);
    may && (sorts_all(n, k) || dtype != Dtype::F32 && counts_often(dtype, n, k) && 5 * n < 11 * k)
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
    // Measured on an H200, as all limits here: of more rows than a few one block surveys its row
    // faster than two hold it.
    let surveyed_k_max = if dtype == Dtype::F32 { 240 } else { 600 };
    if blocks == 2 && rows > 24 && k <= surveyed_k_max {
        return None;
    }
    // Two blocks that share a multiprocessor wait for each other. Where few of 16-bit elements are
    // wanted, many equal the bound, and more rounds are counted.
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
