//! The launch of `singlepass` for few rows and a small `k` on GPUs with clusters: a cluster a row,
//! and no workspace.
use kernels_gpu::params::{
    CLUSTER_BLOCKS_MAX as BLOCKS_MAX, Dtype, Join, QueueLayout, SMALL_K_MAX, SelectParams, slots,
    survey_keys, team_groups, team_words,
};

use super::planner::{
    CHUNK_UNITS, FEW_WARPS, Purpose, SLACK, WARP, built, few_warps_do, previous_power_of_two,
    room_for_queue, roomy, rounded_down,
};
use super::{Argument, DeviceLimits, GpuPlan, Launch, Step, Workspace, grid, knob_value};
use crate::error::Error;
use crate::knobs::{Knob, Knobs};
use crate::problem::Problem;
use crate::settings::Backend;

/// The first compute capability with clusters.
pub(super) const COMPUTE_CAPABILITY: u32 = 90;
/// The fewest vectors that are worth a block, and the most that one should read: beyond, more
/// blocks than a cluster has are quicker.
const VECTORS_MIN: u32 = 1024;
const VECTORS_MAX: u32 = 1 << 15;
/// Blocks a row, a power of two; less than 2 where there are no clusters, or they do not pay.
///
/// Measured on an H200: a row that one block reads at once is its alone; clusters of 8 find room on
/// half of its 132 multiprocessors, of 4 on nine tenths, of 2 on all. What blocks tell each other
/// takes the longer the more is wanted: then only longer rows are worth it.
pub(super) fn blocks(problem: &Problem, device: &DeviceLimits, knobs: &Knobs) -> u32 {
    let few = problem.k <= SMALL_K_MAX as usize;
    if device.compute_capability < COMPUTE_CAPABILITY || !few {
        return 0;
    }
    let rows = u32::try_from(problem.rows).unwrap_or(u32::MAX);
    if let Some(target) = knobs.get(Knob::Stage1TargetCtas) {
        let wished = target / rows;
        return if wished < 2 * BLOCKS_MAX { previous_power_of_two(wished) } else { 0 };
    }
    let vectors = problem.n as u32 / problem.dtype.per_vector();
    let at_once = 16 * WARP * depths(Purpose::Answer, problem.dtype)[0];
    let share = device.multiprocessors / rows;
    if vectors <= at_once || is_for_pieces(problem, vectors, share, device) {
        return 0;
    }
    // Clusters of four for all rows would find no room at once.
    let is_crowded = 40 * rows > 9 * device.multiprocessors;
    let least_elements = if share >= 4 && problem.k <= 32 { 1024 } else { 2048 } * problem.k;
    let is_half = problem.dtype != Dtype::F32;
    let is_worth_it = match problem.k {
        _ if is_crowded => problem.n > least_elements,
        0..=48 => true,
        49..=64 => !is_half || 2 * vectors >= 3 * at_once,
        65..=96 if is_half => vectors >= 3 * at_once,
        _ if is_half => vectors >= 4 * at_once,
        _ => vectors >= 2 * at_once,
    };
    let most = match share {
        _ if !is_worth_it => 0,
        share if share >= 2 * BLOCKS_MAX => BLOCKS_MAX,
        share => share.min(4),
    };
    previous_power_of_two(most.min(vectors / VECTORS_MIN))
}

/// Whether rows are so long that more blocks than clusters find room for are quicker, though they
/// tell each other more slowly what they have. Measured on an H200, as all limits here.
fn is_for_pieces(problem: &Problem, vectors: u32, share: u32, device: &DeviceLimits) -> bool {
    let Problem { rows, n, k, .. } = *problem;
    let is_quicker = match share {
        _ if rows <= 2 && k <= 16 => vectors >= 70_000,
        _ if rows == 1 => k <= 32 && vectors >= 85_000,
        _ if rows == 2 => k <= 32 && n >= 700_000,
        _ if rows <= 5 => k <= 32 && n >= 900_000,
        // Clusters of 4 leave every second multiprocessor idle; those of 2 a third.
        8..16 | 3 => k <= 32 && n >= 400_000,
        // Two blocks of a cluster share a multiprocessor, while others idle.
        4 if is_full(rows, 4, device) => k <= 32 && n >= 400_000 || n >= 600_000,
        _ => false,
    };
    is_quicker || vectors >= BLOCKS_MAX * VECTORS_MAX
}

/// Whether a row is nearly too long for a cluster, and the two stages of `stream` are faster than
/// its blocks, which tell each other more of so many wanted elements. Measured on an H200.
pub(super) fn is_for_two_stages(problem: &Problem, device: &DeviceLimits) -> bool {
    let Problem { dtype, rows, n, k, .. } = *problem;
    let has_clusters = device.compute_capability >= COMPUTE_CAPABILITY;
    let is_long = n >= 700_000 && n as u32 / dtype.per_vector() < BLOCKS_MAX * VECTORS_MAX;
    has_clusters
        && rows <= 2
        && is_long
        && ((33..=48).contains(&k) || (65..=104).contains(&k) && n < 1_000_000)
}

/// Plans a valid problem with at least one row, for clusters of so many blocks; `None` where their
/// queues find no room.
pub(super) fn plan(
    problem: &Problem,
    purpose: Purpose,
    blocks: u32,
    device: &DeviceLimits,
    knobs: &Knobs,
    reasons: &mut Vec<String>,
) -> Result<Option<GpuPlan>, Error> {
    let Problem { dtype, rows, n, row_stride, k, .. } = *problem;
    let (n, k) = (n as u32, k as u32);
    let piece_vectors = (n / dtype.per_vector()).div_ceil(blocks).max(1);
    let built = depths(purpose, dtype);
    let preset = match few_warps_do(problem, device, piece_vectors, built[0]) {
        true => FEW_WARPS,
        false => warps(rows, blocks, device),
    };
    // The kernel is built for no more.
    let warps = knob_value(knobs, reasons, Knob::Stage1Warps, preset).min(16);
    let depth = depth(&built, piece_vectors.div_ceil(WARP * warps), knobs, reasons);
    let units = piece_vectors.div_ceil(WARP * depth).div_ceil(warps);
    let chunk_units = units.min(CHUNK_UNITS);
    let layout = QueueLayout::new(k, SLACK, survey_keys(chunk_units, warps * WARP));
    let given = team_words(blocks, slots(k)) * size_of::<u64>() as u32;
    let room = room_for_queue(device, rows as u64 * u64::from(blocks), warps);
    let layout = roomy(layout, problem, depth, room.saturating_sub(given));
    let shared_bytes = layout.bytes() + given;
    if shared_bytes > device.shared_bytes_max {
        return Ok(None);
    }
    reasons.push(format!("a cluster of {blocks} blocks a row"));
    let params = SelectParams {
        row_stride: row_stride as u64,
        n,
        k,
        pieces: blocks,
        piece_vectors,
        capacity: layout.capacity,
        flip: problem.flip(),
        piece_k: k,
        slots: slots(k),
        join: Join::LastBlock,
        index: problem.index,
        order: problem.order(),
        chunk_units,
        tops: team_groups(k, blocks * warps),
        bounded: 1,
    };
    let launch = Launch {
        symbol: symbol(purpose, dtype, depth),
        grid: grid(rows as u64 * u64::from(blocks), Backend::Singlepass, device)?,
        block: warps * WARP,
        shared_bytes,
        cluster: blocks,
    };
    let arguments = vec![
        Argument::Input,
        Argument::Lengths,
        Argument::Values,
        Argument::Indices,
        Argument::Select(params),
    ];
    let steps = vec![Step { launch, arguments }];
    Ok(Some(GpuPlan { steps, workspace: Workspace::default() }))
}

/// Warps of a block. Measured on an H200: clusters of four with 16 warps find room on nine tenths
/// of its multiprocessors; where there are more, two blocks of 8 warps share one.
fn warps(rows: usize, blocks: u32, device: &DeviceLimits) -> u32 {
    if blocks > 2 && is_full(rows, blocks, device) { 8 } else { 16 }
}

/// Whether so many blocks a row take more than nine tenths of the multiprocessors.
fn is_full(rows: usize, blocks: u32, device: &DeviceLimits) -> bool {
    10 * rows * blocks as usize > 9 * device.multiprocessors as usize
}

/// Vectors that a lane keeps in flight, of which a piece has so many a lane: all, if it can, so
/// that they are read once.
fn depth(built: &[u32], vectors: u32, knobs: &Knobs, reasons: &mut Vec<String>) -> u32 {
    let whole = built.iter().copied().filter(|&depth| depth >= vectors).min();
    let preset = whole.unwrap_or(vectors);
    rounded_down(built, knob_value(knobs, reasons, Knob::Stage1Stages, preset))
}

/// The depths of which there is a kernel, most first.
fn depths(purpose: Purpose, dtype: Dtype) -> Vec<u32> {
    built(|depth| symbol(purpose, dtype, depth), 1)
}

fn symbol(purpose: Purpose, dtype: Dtype, depth: u32) -> String {
    let kernel = match purpose {
        Purpose::Answer => "cluster",
        Purpose::Draw => "cluster_sample",
    };
    format!("{kernel}_{}_u{depth}", dtype.name())
}
