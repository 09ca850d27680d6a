//! The launches of the backend `radix`: any `k`, by digits of the keys, then by ordered runs.
use kernels_gpu::params::{
    Order, RADIX_BINS, RADIX_SHIFTS, RUN_BYTES, RUN_ITEMS, RadixParams, RunParams,
};

use super::{Argument, DeviceLimits, GpuPlan, Launch, Step, Workspace, grid};
use crate::error::Error;
use crate::knobs::{Knob, Knobs};
use crate::problem::Problem;
use crate::settings::Backend;

/// Threads of a block.
const THREADS: u32 = 512;
/// The least elements of a piece: fewer are not worth a block.
const PIECE_ELEMENTS_MIN: u32 = 8 * THREADS;

/// Plans a valid problem with at least one row.
pub(super) fn plan(
    problem: &Problem,
    device: &DeviceLimits,
    knobs: &Knobs,
    reasons: &mut Vec<String>,
) -> Result<GpuPlan, Error> {
    let rows = u32::try_from(problem.rows).unwrap_or(u32::MAX);
    let preset = 2 * device.multiprocessors;
    let target = knobs.get(Knob::Stage1TargetCtas).unwrap_or(preset);
    let most = (problem.n as u32).div_ceil(PIECE_ELEMENTS_MIN).max(1);
    let piece_elements = (problem.n as u32).div_ceil(target.div_ceil(rows).clamp(1, most));
    let pieces = (problem.n as u32).div_ceil(piece_elements);
    let origin = knobs.origin(Knob::Stage1TargetCtas).name();
    reasons.push(format!("pieces a row: {pieces} (for {target} blocks, {origin})"));
    let mut workspace = Workspace::default();
    let row_count = problem.rows;
    let lists = row_count * pieces as usize;
    let places = Places {
        tickets: workspace.add_zeroed(row_count, size_of::<u32>()),
        digits: workspace.add_zeroed(row_count * RADIX_BINS as usize, size_of::<u32>()),
        state: workspace.add(2 * row_count, size_of::<u32>()),
        ranks: workspace.add(2 * lists, size_of::<u32>()),
        items: [
            workspace.add(row_count * problem.k, size_of::<u64>()),
            workspace.add(row_count * problem.k, size_of::<u64>()),
        ],
    };
    let planner = Planner { problem, device, places, pieces, piece_elements };
    Ok(GpuPlan { steps: planner.steps()?, workspace })
}

/// Offsets in the workspace.
struct Places {
    tickets: usize,
    digits: usize,
    state: usize,
    ranks: usize,
    items: [usize; 2],
}

struct Planner<'a> {
    problem: &'a Problem,
    device: &'a DeviceLimits,
    places: Places,
    pieces: u32,
    piece_elements: u32,
}

impl Planner<'_> {
    fn steps(&self) -> Result<Vec<Step>, Error> {
        let place = |offset| Argument::Workspace(offset);
        let Places { tickets, digits, state, ranks, items } = self.places;
        let mut steps = vec![];
        let mut decided = 0;
        for shift in RADIX_SHIFTS {
            let buffers = [place(digits), place(state), place(tickets)];
            steps.push(self.pass("radix_count", &buffers, shift, decided, 4 * RADIX_BINS)?);
            decided = 32 - shift;
        }
        steps.push(self.pass("radix_rank", &[place(state), place(ranks)], 0, 0, 0)?);
        let buffers = [place(state), place(ranks), place(items[0])];
        steps.push(self.pass("radix_emit", &buffers, 0, 0, 4 * (THREADS / 32 + 1))?);
        let sorted = self.sort(&mut steps)?;
        let dtype = self.problem.dtype.name();
        let arguments = [Argument::Input, place(sorted), Argument::Values, Argument::Indices];
        steps.push(self.runs(&format!("write_items_{dtype}"), &arguments, RUN_ITEMS, 0)?);
        Ok(steps)
    }

    /// A launch of a block a piece.
    fn pass(
        &self,
        kernel: &str,
        buffers: &[Argument],
        shift: u32,
        decided: u32,
        shared_bytes: u32,
    ) -> Result<Step, Error> {
        let Problem { dtype, rows, n, row_stride, k, .. } = *self.problem;
        let params = RadixParams {
            row_stride: row_stride as u64,
            n: n as u32,
            k: k as u32,
            pieces: self.pieces,
            piece_elements: self.piece_elements,
            shift,
            decided,
            flip: self.problem.flip(),
            reserved: 0,
        };
        let launch = Launch {
            symbol: format!("{kernel}_{}", dtype.name()),
            grid: grid(rows as u64 * u64::from(self.pieces), Backend::Radix, self.device)?,
            block: THREADS,
            shared_bytes,
            cluster: 1,
        };
        let arguments = [Argument::Input, Argument::Lengths]
            .into_iter()
            .chain(buffers.iter().copied())
            .chain([Argument::Radix(params)])
            .collect();
        Ok(Step { launch, arguments })
    }

    /// The launches that order the items, which come by index; where they lie then.
    fn sort(&self, steps: &mut Vec<Step>) -> Result<usize, Error> {
        let [mut from, mut to] = self.places.items;
        if self.problem.order() == Order::Index {
            return Ok(from);
        }
        steps.push(self.runs("sort_runs", &[Argument::Workspace(from)], RUN_ITEMS, 0)?);
        let mut run = RUN_ITEMS;
        while (run as usize) < self.problem.k {
            let buffers = [Argument::Workspace(from), Argument::Workspace(to)];
            steps.push(self.runs("merge_runs", &buffers, RUN_ITEMS, run)?);
            (from, to) = (to, from);
            run *= 2;
        }
        Ok(from)
    }

    /// A launch of a block a tile of items.
    fn runs(&self, symbol: &str, buffers: &[Argument], tile: u32, run: u32) -> Result<Step, Error> {
        let Problem { rows, row_stride, k, .. } = *self.problem;
        let tiles = (k as u32).div_ceil(tile);
        let params = RunParams {
            row_stride: row_stride as u64,
            k: k as u32,
            tile,
            tiles,
            run,
            flip: self.problem.flip(),
            index: self.problem.index,
        };
        let launch = Launch {
            symbol: symbol.to_string(),
            grid: grid(rows as u64 * u64::from(tiles), Backend::Radix, self.device)?,
            block: THREADS,
            shared_bytes: if symbol == "sort_runs" { RUN_BYTES } else { 0 },
            cluster: 1,
        };
        let arguments = buffers.iter().copied().chain([Argument::Runs(params)]).collect();
        Ok(Step { launch, arguments })
    }
}
