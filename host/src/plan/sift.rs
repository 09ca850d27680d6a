//! The launch for long rows that a block each reads once, for a `k` of hundreds.
use kernels_gpu::params::{
    Dtype, SIFT_K_MAX, SIFT_N_MAX, SIFT_THREADS, SMALL_K_MAX, SiftLayout, WIDE_WARPS_MAX, wide_max,
};

use super::{DeviceLimits, GpuPlan, Launch, grid, short};
use crate::error::Error;
use crate::problem::Problem;
use crate::settings::Backend;

/// The greatest `k` for which blocks that survey rows in turns have 8 warps, and where it is above
/// 512 the longest rows.
pub(super) const IN_TURNS_K_MAX: usize = 800;
pub(super) const IN_TURNS_N_MAX: usize = 50_000;

/// Whether a block a row is faster than parts of rows, by a sample of the row.
pub(super) fn is_for(problem: &Problem, device: &DeviceLimits) -> bool {
    let Problem { dtype, rows, n, k, .. } = *problem;
    let is_many = k > SMALL_K_MAX as usize && k <= SIFT_K_MAX as usize;
    // A longer row's sample does not tell how many elements there is room for.
    let is_told = n <= SIFT_N_MAX as usize && n * k <= 1 << 29;
    let fits = SiftLayout::BYTES <= device.shared_bytes_max;
    let is_long = n > wide_max(dtype, WIDE_WARPS_MAX) as usize;
    if !is_many || !is_told || !is_long || !fits || u32::try_from(rows).is_err() {
        return false;
    }
    // Measured on an H200: a block that has a multiprocessor to itself reads 40 KB a microsecond,
    // which long rows take too long for unless most multiprocessors have one.
    let is_short = n * dtype.bytes() <= 200 << 10;
    let share = rows as f64 / f64::from(device.multiprocessors);
    // With a few rows more than multiprocessors most have half as much to do as the others.
    let is_uneven = share > 1.0 && share < 1.4 && k < 512;
    // A block surveys a row of so few as quickly, and has no sample to read and to sort first; and
    // where blocks take turns, one's end overlaps another's reading.
    let is_surveyed = match share {
        ..=1.0 => is_surveyed_alone(problem, share),
        ..=2.0 => is_surveyed_by_two(problem),
        _ => is_surveyed_in_turns(problem, share),
    };
    !is_uneven && !is_surveyed && (is_short || share >= 1.0 || share >= 0.48 && k >= 1024)
}

/// Whether a block of 16 warps that surveys its row is faster, where each has a multiprocessor.
/// Measured on an H200, as all limits here.
fn is_surveyed_alone(problem: &Problem, share: f64) -> bool {
    let Problem { dtype, n, k, .. } = *problem;
    match dtype {
        Dtype::F32 => k <= 160 || k <= 384 && n <= 30_000 || k <= 512 && share <= 0.8,
        _ => k <= 512 && (n <= 70_000 || share <= 0.8),
    }
}

/// Whether blocks that survey rows are faster, of which two share a multiprocessor.
fn is_surveyed_by_two(problem: &Problem) -> bool {
    let Problem { dtype, n, k, .. } = *problem;
    let longest = match (dtype, k) {
        (_, ..=208) => 1 << 16,
        (Dtype::F32, 209..=384) => 28_000,
        (Dtype::F16 | Dtype::Bf16, 209..=512) => 56_000,
        (Dtype::F16 | Dtype::Bf16, 513..=768) => 45_000,
        _ => 0,
    };
    n <= longest
}

/// Whether blocks of 8 warps that survey rows are faster, of which several share a multiprocessor.
/// Measured on an H200, as all limits here.
fn is_surveyed_in_turns(problem: &Problem, share: f64) -> bool {
    let Problem { dtype, n, k, .. } = *problem;
    let [few, more, many] = match dtype {
        Dtype::F32 if share <= 3.0 => [1 << 17, 1 << 17, 33_000],
        Dtype::F32 => [1 << 16, 50_000, 33_000],
        _ => [1 << 17, 1 << 17, IN_TURNS_N_MAX],
    };
    match k {
        ..=384 => n <= few,
        385..=512 => n <= more,
        513..=IN_TURNS_K_MAX => n <= many,
        _ => false,
    }
}

/// Plans a valid problem that [`is_for`] this kernel.
pub(super) fn plan(
    problem: &Problem,
    backend: Backend,
    device: &DeviceLimits,
    reasons: &mut Vec<String>,
) -> Result<GpuPlan, Error> {
    reasons.push("a sample says what is among the best of a row: a block each; no knob".into());
    let launch = Launch {
        symbol: format!("sift_{}", problem.dtype.name()),
        grid: grid(problem.rows as u64, backend, device)?,
        block: SIFT_THREADS,
        shared_bytes: SiftLayout::BYTES,
        cluster: 1,
    };
    Ok(short::of_launch(problem, launch))
}
