//! The launches of the backends `stream`, `singlepass` and `streaming`.
//!
//! All three launch the kernel `select`. They differ in how many blocks share a row, and in who
//! merges their candidates: a second kernel, the last block, or nobody.
use kernels_gpu::params::{
    BIN_MAX, CHUNK_UNITS_MAX, CUT_WORDS, Join, MergeParams, QueueLayout, SMALL_K_MAX, SelectParams,
    list_tops, looked_at, piece_slots, slots, survey_keys,
};
use kernels_gpu::variants::{KERNELS, SELECT_DEPTHS};

use super::{Argument, DeviceLimits, GpuPlan, Launch, Step, Workspace, grid, knob_value};
use crate::error::Error;
use crate::knobs::{Knob, Knobs};
use crate::problem::Problem;
use crate::settings::Backend;

mod split;

pub(super) const WARP: u32 = 32;
/// Items beyond k that a queue holds: enough that a crop is rare, few enough that several blocks
/// fit on a multiprocessor.
pub(super) const SLACK: u32 = 2048;
/// Units that a warp surveys at once where there is no room for the keys of all, of two blocks:
/// they take 4 bytes a thread each.
pub(super) const CHUNK_UNITS: u32 = 16;

const _: () = assert!(CHUNK_UNITS <= CHUNK_UNITS_MAX);
/// The keys of the smallest chunk, with the most threads.
const SURVEY_KEYS_MIN: u32 = survey_keys(1, 1024);
/// Threads of blocks that find room on a multiprocessor, by their registers.
const RESIDENT_THREADS: u32 = 1024;
/// Shared memory that the driver keeps of each block.
const BLOCK_BYTES: u32 = 1024;
/// Warps of a block that has few elements to find in what they read at once.
pub(super) const FEW_WARPS: u32 = 8;
/// Candidates that the merge still takes at once where nobody says how.
const MERGE_AT_ONCE_MAX: u32 = 4096;
/// Above this no queue fits on any GPU, and the layout's arithmetic could overflow.
const K_MAX: u32 = 1 << 15;

/// The greatest `k` whose queue fits into the device's shared memory.
pub(super) fn k_max(device: &DeviceLimits) -> u32 {
    let fits = |k: u32| QueueLayout::new(k, 0, SURVEY_KEYS_MIN).bytes() <= device.shared_bytes_max;
    let (mut least, mut most) = (1u32, K_MAX);
    while least < most {
        let middle = (least + most).div_ceil(2);
        if fits(middle) {
            least = middle;
        } else {
            most = middle - 1;
        }
    }
    least
}

/// Whether [`FEW_WARPS`] of at most so many vectors a lane read so many vectors at once, and are
/// faster than more: there are fewer keys to rank. Measured on an H200.
pub(super) fn few_warps_do(
    problem: &Problem,
    device: &DeviceLimits,
    vectors: u32,
    depth_max: u32,
) -> bool {
    let is_faster = match problem.k {
        0..=8 => true,
        9..=16 => 8 * problem.rows <= device.multiprocessors as usize,
        _ => false,
    };
    is_faster && vectors <= FEW_WARPS * WARP * depth_max
}

/// What becomes of a row's best.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// They are the answer: the kernel `select`.
    Answer,
    /// Tokens are drawn from them: the kernel `sample`, to which a NaN is `-inf`.
    Draw,
}

/// Plans a valid problem with at least one row and a `k` of at most [`k_max`].
pub(super) fn plan(
    problem: &Problem,
    purpose: Purpose,
    backend: Backend,
    device: &DeviceLimits,
    knobs: &Knobs,
    reasons: &mut Vec<String>,
) -> Result<GpuPlan, Error> {
    Planner { problem, purpose, backend, device, knobs, reasons }.plan()
}

struct Planner<'a> {
    problem: &'a Problem,
    purpose: Purpose,
    backend: Backend,
    device: &'a DeviceLimits,
    knobs: &'a Knobs,
    reasons: &'a mut Vec<String>,
}

impl Planner<'_> {
    fn plan(mut self) -> Result<GpuPlan, Error> {
        let Problem { dtype, rows, n, row_stride, .. } = *self.problem;
        let (k, n) = (self.problem.k as u32, n as u32);
        // As many as a row has that starts at a 16-byte boundary; others have one less.
        let vectors = (n / dtype.per_vector()).max(1);
        let warps = self.warps(vectors);
        let wanted = self.pieces(vectors, warps);
        let piece_vectors = vectors.div_ceil(wanted);
        let pieces = vectors.div_ceil(piece_vectors);
        let piece_k = self.piece_k(pieces);
        let slots = piece_slots(k, piece_k, pieces);
        let depth = self.depth(piece_vectors, warps, piece_k);
        let join = match self.backend {
            Backend::Stream => Join::Later,
            _ => Join::LastBlock,
        };
        let units = piece_vectors.div_ceil(WARP * depth).div_ceil(warps);
        let chunk_units = self.chunk_units(units, warps);
        let takes_all = self.takes_all();
        let keys = survey_keys(chunk_units, warps * WARP);
        let blocks = rows as u64 * u64::from(pieces);
        let room = room_for_queue(self.device, blocks, warps);
        let layout = roomy(self.queue(self.slack(), keys), self.problem, depth, room);
        let params = SelectParams {
            row_stride: row_stride as u64,
            n,
            k,
            pieces,
            piece_vectors,
            capacity: layout.capacity,
            flip: self.problem.flip(),
            piece_k,
            slots,
            join,
            index: self.problem.index,
            order: self.problem.order(),
            chunk_units,
            tops: if pieces > 1 { list_tops(k, pieces) } else { 0 },
            bounded: u32::from(!takes_all),
        };
        let launch = Launch {
            symbol: self.symbol(depth),
            grid: grid(blocks, self.backend, self.device)?,
            block: warps * WARP,
            shared_bytes: layout.bytes(),
            cluster: 1,
        };
        let mut workspace = Workspace::default();
        let lists = if pieces > 1 { rows * pieces as usize } else { 0 };
        let tickets = if pieces > 1 && join == Join::LastBlock { rows } else { 0 };
        let tickets = workspace.add_zeroed(tickets, size_of::<u32>());
        let candidates = workspace.add(lists * slots as usize, size_of::<u64>());
        let tops =
            workspace.add(lists * (list_tops(k, pieces) + CUT_WORDS) as usize, size_of::<u32>());
        let arguments = vec![
            Argument::Input,
            Argument::Lengths,
            Argument::Workspace(candidates),
            Argument::Workspace(tops),
            Argument::Workspace(tickets),
            Argument::Values,
            Argument::Indices,
            Argument::Select(params),
        ];
        let mut steps = vec![Step { launch, arguments }];
        if pieces > 1 && join == Join::Later {
            steps.push(self.merge(pieces, candidates, tops)?);
        }
        Ok(GpuPlan { steps, workspace })
    }

    /// Items beyond k that a queue should hold. For a large k: twice as many, which a survey's
    /// bound rarely lets through, and room to order k of them without a crop before.
    fn slack(&self) -> u32 {
        let (k, n) = (self.problem.k as u32, self.problem.n as u32);
        if self.takes_all() {
            n + BIN_MAX
        } else if k > SMALL_K_MAX {
            SLACK.max(2 * k).min(n) + BIN_MAX
        } else {
            SLACK.min(n)
        }
    }

    /// Units that a warp surveys at once: all, or else up to [`CHUNK_UNITS`], fewer where shared
    /// memory is scarce.
    fn chunk_units(&self, units: u32, warps: u32) -> u32 {
        let bytes = |slack: u32, units: u32| {
            let keys = survey_keys(units, warps * WARP);
            QueueLayout::new(self.problem.k as u32, slack, keys).bytes()
        };
        if units <= CHUNK_UNITS_MAX
            && 2 * bytes(self.slack(), units) <= self.device.shared_bytes_max
        {
            return units;
        }
        let fits = |units: u32| bytes(0, units) <= self.device.shared_bytes_max;
        let mut chunk = CHUNK_UNITS;
        while chunk > 1 && !fits(chunk) {
            chunk /= 2;
        }
        units.clamp(1, chunk)
    }

    /// A queue with the wanted slack, or as much of it as shared memory has room for.
    fn queue(&self, slack: u32, survey_keys: u32) -> QueueLayout {
        let k = self.problem.k as u32;
        let layout = |slack| QueueLayout::new(k, slack, survey_keys);
        let mut slack = slack;
        while slack > 0 && layout(slack).bytes() > self.device.shared_bytes_max {
            slack = slack * 3 / 4;
        }
        layout(slack)
    }

    /// A queue with room for a whole row and its order.
    fn whole_queue(&self) -> QueueLayout {
        let Problem { n, k, .. } = *self.problem;
        QueueLayout::new(k as u32, n as u32 + BIN_MAX, survey_keys(1, 1024))
    }

    /// The instance of `select` or `sample` for this `k`.
    fn symbol(&self, depth: u32) -> String {
        let is_large = self.problem.k as u32 > SMALL_K_MAX || self.takes_all();
        let large = if is_large { "large_" } else { "" };
        let kernel = match self.purpose {
            Purpose::Answer => "select",
            Purpose::Draw => "sample",
        };
        format!("{kernel}_{large}{}_u{depth}", self.problem.dtype.name())
    }

    /// Stage 2 of `stream`.
    fn merge(&mut self, pieces: u32, candidates: usize, tops: usize) -> Result<Step, Error> {
        let Problem { dtype, rows, row_stride, .. } = *self.problem;
        let k = self.problem.k as u32;
        let total = pieces * slots(k);
        let few = total.div_ceil(4 * WARP).next_power_of_two().clamp(2, 16);
        let warps = self.value(Knob::Stage2Warps, few);
        let layout = self.merge_queue(total);
        let params = MergeParams {
            row_stride: row_stride as u64,
            pieces,
            slots: slots(k),
            k,
            capacity: layout.capacity,
            flip: self.problem.flip(),
            index: self.problem.index,
            order: self.problem.order(),
            tops: list_tops(k, pieces),
        };
        let launch = Launch {
            symbol: format!("merge_{}", dtype.name()),
            grid: grid(rows as u64, self.backend, self.device)?,
            block: warps * WARP,
            shared_bytes: layout.bytes(),
            cluster: 1,
        };
        let arguments = vec![
            Argument::Input,
            Argument::Workspace(candidates),
            Argument::Workspace(tops),
            Argument::Values,
            Argument::Indices,
            Argument::Merge(params),
        ];
        Ok(Step { launch, arguments })
    }

    /// The queue of the merge: `default` has room for all candidates, `tiles` for some.
    fn merge_queue(&mut self, candidates: u32) -> QueueLayout {
        let k = self.problem.k as u32;
        let preset = u32::from(candidates > MERGE_AT_ONCE_MAX.max(2 * k));
        let tiles = self.value(Knob::Stage2Impl, preset) == 1;
        let tile = self.value(Knob::Stage2Tile, SLACK.max(k).min(candidates));
        let at_once = QueueLayout::new(k, candidates + BIN_MAX, 0);
        if !tiles && at_once.bytes() <= self.device.shared_bytes_max {
            return at_once;
        }
        if !tiles {
            let bytes = at_once.bytes();
            self.reasons.push(format!(
                "stage2_impl: tiles; {candidates} candidates at once need {bytes} bytes of shared \
                 memory"
            ));
        }
        self.queue(tile, 0)
    }

    /// A knob's value, or `preset` where nobody set it; says where it came from.
    fn value(&mut self, knob: Knob, preset: u32) -> u32 {
        knob_value(self.knobs, self.reasons, knob, preset)
    }
}

/// Shared memory for each of so many blocks, such that it does not keep any waiting.
pub(super) fn room_for_queue(device: &DeviceLimits, blocks: u64, warps: u32) -> u32 {
    let by_number = blocks.div_ceil(u64::from(device.multiprocessors));
    let by_threads = u64::from(RESIDENT_THREADS / (warps * WARP)).max(1);
    device.shared_bytes_max / by_number.min(by_threads) as u32 - BLOCK_BYTES
}

/// The queue with room for all that is looked at where not more parts than wanted reach a bound,
/// whatever these hold, if that goes into `room` bytes: it spares crops where rows are in order.
/// Some of that room would not, and takes it from the multiprocessor's cache.
pub(super) fn roomy(layout: QueueLayout, problem: &Problem, depth: u32, room: u32) -> QueueLayout {
    let wanted = looked_at(problem.k as u32, depth * problem.dtype.per_vector());
    let capacity = layout.capacity.max(wanted.min(problem.n as u32).next_multiple_of(2));
    let roomy = QueueLayout { capacity, ..layout };
    if roomy.bytes() <= room { roomy } else { layout }
}

/// The depths of which there is an instance that takes so many warps, most first.
pub(super) fn built(symbol: impl Fn(u32) -> String, warps: u32) -> Vec<u32> {
    let is_built = |depth: &u32| {
        let symbol = symbol(*depth);
        let kernel = KERNELS.iter().find(|kernel| kernel.name == symbol);
        kernel.is_some_and(|kernel| warps * WARP <= kernel.max_threads)
    };
    SELECT_DEPTHS.into_iter().filter(is_built).collect()
}

/// The greatest of these depths that is not above the wished one, or else the least.
pub(super) fn rounded_down(built: &[u32], wished: u32) -> u32 {
    let fitting = built.iter().find(|&&depth| depth <= wished);
    fitting.or(built.last()).copied().unwrap_or(1)
}

/// The greatest power of two that is at most `value`, and at least 1.
pub(super) fn previous_power_of_two(value: u32) -> u32 {
    1 << value.max(1).ilog2()
}
