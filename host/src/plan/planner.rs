//! The launches of the backends `stream`, `singlepass` and `streaming`.
//!
//! All three launch the kernel `select`. They differ in how many blocks share a row, and in who
//! merges their candidates: a second kernel, the last block, or nobody.
use kernels_gpu::params::{
    BIN_MAX, CHUNK_UNITS_MAX, CUT_WORDS, Dtype, Join, MergeParams, QueueLayout, SMALL_K_MAX,
    SelectParams, list_tops, looked_at, piece_k, piece_slots, slots, survey_keys,
};
use kernels_gpu::variants::{KERNELS, SELECT_DEPTHS};

use super::{Argument, DeviceLimits, GpuPlan, Launch, Step, Workspace, grid, knob_value, sift};
use crate::error::Error;
use crate::knobs::{Knob, Knobs};
use crate::problem::Problem;
use crate::settings::Backend;

pub(super) const WARP: u32 = 32;
/// The most vectors that a lane keeps in flight.
const DEPTH_MAX: u32 = SELECT_DEPTHS[0];
/// Items beyond k that a queue holds: enough that a crop is rare, few enough that several blocks
/// fit on a multiprocessor.
pub(super) const SLACK: u32 = 2048;
/// Units that a warp surveys at once where there is no room for the keys of all, of two blocks:
/// they take 4 bytes a thread each.
pub(super) const CHUNK_UNITS: u32 = 16;

const _: () = assert!(CHUNK_UNITS <= CHUNK_UNITS_MAX);
/// The keys of the smallest chunk, with the most threads.
const SURVEY_KEYS_MIN: u32 = survey_keys(1, 1024);
/// Vectors of a row that 16 warps keep in registers.
const SHORT_VECTORS_MAX: u32 = 16 * WARP * DEPTH_MAX;
/// Threads of blocks that find room on a multiprocessor, by their registers.
const RESIDENT_THREADS: u32 = 1024;
/// Shared memory that the driver keeps of each block.
const BLOCK_BYTES: u32 = 1024;
/// Above this a block has 32 warps: there is as much to order as to read.
const LARGE_K_MIN: usize = 2048;
/// Warps of a block that has few elements to find in what they read at once.
pub(super) const FEW_WARPS: u32 = 8;
/// The longest rows that are taken into the queue as they are.
const ALL_MAX: usize = 8192;
/// The greatest `k` for which that never pays.
const ALL_K_MIN: usize = 32;
/// Candidates of a row that pieces give where nobody says how many.
const CANDIDATES_MAX: u32 = 8192;
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

    /// Whether blocks of different rows take turns on a multiprocessor.
    fn takes_turns(&self) -> bool {
        let rows = self.problem.rows;
        self.backend == Backend::Streaming && rows > self.device.multiprocessors as usize
    }

    /// Whether the 4 warps that read so short a row at once have too few lanes to find a bound
    /// among. Measured on an H200: 16 take a third less time.
    fn wants_more_lanes(&self, vectors: u32) -> bool {
        (57..=96).contains(&self.problem.k) && vectors < 5 * WARP * DEPTH_MAX
    }

    /// Warps of a block: fewer for short rows.
    fn warps(&mut self, vectors: u32) -> u32 {
        // Rows a multiprocessor.
        let rows = self.problem.rows.div_ceil(self.device.multiprocessors as usize);
        let preset = if self.takes_all() && rows > 1 {
            // Few vectors, but a row's items to order.
            let least = if rows == 2 { 8 } else { 4 };
            vectors.div_ceil(WARP * DEPTH_MAX / 2).next_power_of_two().clamp(least, 16)
        } else if self.takes_turns() && rows == 2 && self.wants_more_lanes(vectors) {
            16
        } else if self.takes_turns() {
            self.warps_in_turns(rows as u32, vectors)
        } else {
            let depth_max = built(|depth| self.symbol(depth), FEW_WARPS)[0];
            let most = match self.problem.k {
                k if k > LARGE_K_MIN => 32,
                _ if rows == 1 && few_warps_do(self.problem, self.device, vectors, depth_max) => {
                    FEW_WARPS
                }
                _ => 16,
            };
            // Measured on an H200: of short rows there may be more to order than to read.
            let to_order = if rows == 1 { self.problem.k as u32 } else { 0 };
            vectors.max(to_order).div_ceil(WARP).next_power_of_two().min(most)
        };
        let warps = match self.backend {
            Backend::Streaming => self.value(Knob::StreamingWarps, preset),
            _ => self.value(Knob::Stage1Warps, preset),
        };
        // `sample` is built for no more.
        if self.purpose == Purpose::Draw { warps.min(16) } else { warps }
    }

    /// Warps of blocks that take turns, of so many rows a multiprocessor. Measured on an H200: with
    /// blocks of few warps one row's end overlaps another's reading; with no more than two long
    /// rows a multiprocessor there is nothing to overlap, and with more than four of 8 warps some
    /// wait for others to end.
    fn warps_in_turns(&self, rows: u32, vectors: u32) -> u32 {
        let (n, k) = (self.problem.n, self.problem.k);
        let is_short = vectors <= SHORT_VECTORS_MAX;
        // Most multiprocessors have one row.
        let is_uneven = 5 * self.problem.rows <= 8 * self.device.multiprocessors as usize;
        let most = match k {
            0..=96 if rows > 4 && is_short => 4,
            0..=128 if rows <= 2 && !is_short => 16,
            97..=128 if rows <= 2 => 16,
            0..=128 => 8,
            129..=256 if rows > 4 && is_short && n <= 24_000 => 4,
            129..=512 if is_uneven && n > 16_384 => 16,
            129..=512 => 8,
            513..=sift::IN_TURNS_K_MAX if rows > 2 && n <= sift::IN_TURNS_N_MAX => 8,
            k if k <= LARGE_K_MIN => 16,
            _ => 32,
        };
        // A bound is found among the lanes: a third more of them than wanted elements.
        let least = (k as u32 * 4 / 3).div_ceil(WARP).next_power_of_two();
        (vectors / (WARP * DEPTH_MAX)).next_power_of_two().clamp(least.min(most), most)
    }

    /// Blocks a row: enough to fill the device, few enough to keep the merge short.
    fn pieces(&mut self, vectors: u32, warps: u32) -> u32 {
        if self.backend == Backend::Streaming {
            return 1;
        }
        let rows = u32::try_from(self.problem.rows).unwrap_or(u32::MAX);
        let k = self.problem.k as u32;
        let target = self.value(Knob::Stage1TargetCtas, self.device.multiprocessors);
        // More than one wave of blocks costs more than idle multiprocessors.
        let parallel = (target / rows).max(1);
        let budget = self.value(Knob::TargetStage2Candidates, CANDIDATES_MAX).max(k);
        let budget = match self.value(Knob::Stage1ParallelHint, 0) {
            0 => (1..=parallel).rev().find(|&p| p * self.piece_k(p) <= budget).unwrap_or(1),
            _ => u32::MAX,
        };
        let balanced = self.balanced(vectors, warps, parallel.min(budget));
        let pieces = parallel.min(budget).min(balanced).max(1);
        self.reasons.push(format!(
            "pieces a row: {pieces} (for {target} blocks: {parallel}, by candidates: {budget}, \
             by length: {balanced})"
        ));
        pieces
    }

    /// Pieces of a row with which reading and merging are in balance, where there may be `most`: as
    /// many as read the row in as few whole units as so many could.
    fn balanced(&self, vectors: u32, warps: u32, most: u32) -> u32 {
        let round = vectors.div_ceil(warps * WARP);
        if self.knobs.get(Knob::Stage1TargetCtas).is_some() {
            return round;
        }
        // `stream` keeps its two stages.
        if self.backend != Backend::Stream && vectors <= self.alone_max() {
            return 1;
        }
        // Measured on an H200: beyond, what more pieces spare to read they cost to merge.
        let most = match self.problem.k {
            ..=8 if vectors >= 1 << 18 => return most,
            129..=256 if self.merges_slowly() => return most.min(vectors.div_ceil(6250)),
            17..=32 if vectors < 1 << 20 => most.min(32),
            _ if vectors < 1 << 20 => most.min(40),
            _ => most.min(64),
        };
        let piece_units = round.div_ceil(DEPTH_MAX * most);
        round.div_ceil(DEPTH_MAX * piece_units).max(16).min(round)
    }

    /// Whether the last blocks take so long to merge what many pieces of 16-bit rows give that
    /// fewer are faster.
    fn merges_slowly(&self) -> bool {
        let is_half = self.problem.dtype != Dtype::F32;
        is_half && self.backend != Backend::Stream && self.has_several_rows()
    }

    /// Whether the merges of so many rows take longer than that of one.
    fn has_several_rows(&self) -> bool {
        20 * self.problem.rows > self.device.multiprocessors as usize
    }

    /// Vectors of a row that one block reads as quickly as several would. Measured on an H200: some
    /// times what it keeps in registers, since the merge takes longer than a short read, and the
    /// longer the more rows are merged.
    fn alone_max(&self) -> u32 {
        let registers = match self.problem.dtype {
            Dtype::F32 => SHORT_VECTORS_MAX,
            _ => SHORT_VECTORS_MAX / 2,
        };
        match self.problem.k as u32 {
            0..=SMALL_K_MAX if 8 * self.problem.rows > self.device.multiprocessors as usize => {
                8 * registers
            }
            0..=SMALL_K_MAX => 4 * registers,
            129..=512 if self.has_several_rows() => 4 * SHORT_VECTORS_MAX,
            129..=1024 => 2 * SHORT_VECTORS_MAX,
            // Two pieces, each of which orders as many as one would.
            2049..=4096 if 3 * self.problem.rows > self.device.multiprocessors as usize => {
                8 * SHORT_VECTORS_MAX
            }
            _ => 0,
        }
    }

    /// What each of so many pieces gives. The last block of `select` and of `sample` turns to the
    /// pieces themselves where too little was given; the kernel `merge` cannot: they give it all.
    fn piece_k(&self, pieces: u32) -> u32 {
        let k = self.problem.k as u32;
        let gives_all = self.backend == Backend::Stream || pieces == 1;
        match piece_k(k, pieces) {
            _ if gives_all => k,
            // Measured on an H200: so many are found sooner among parts than among lanes, as they
            // are where they are one more.
            97..=SMALL_K_MAX if k > SMALL_K_MAX => SMALL_K_MAX + 1,
            given => given,
        }
    }

    /// Vectors that a lane keeps in flight, fewer for a large `k`, for which smaller parts of a row
    /// have to be told apart. Measured on an H200: as many as the piece has for it;
    /// fewer where two blocks take turns, which hide each other's waits.
    fn depth(&mut self, piece_vectors: u32, warps: u32, piece_k: u32) -> u32 {
        let fine = self.fine_depth(piece_vectors, piece_k);
        let all = piece_vectors.div_ceil(WARP * warps).next_power_of_two();
        let preset = if self.takes_all() {
            all
        } else if self.takes_turns() {
            previous_power_of_two(piece_vectors / (WARP * warps)).min(DEPTH_MAX / 2).min(fine)
        } else {
            all.min(fine)
        };
        let preset = preset.min(DEPTH_MAX);
        let wished = match self.backend {
            Backend::Streaming => self.value(Knob::StreamingBlockN, WARP * preset) / WARP,
            _ => self.value(Knob::Stage1Stages, preset),
        };
        let built = built(|depth| self.symbol(depth), warps);
        let depth = rounded_down(&built, wished);
        if depth != wished {
            self.reasons.push(format!(
                "loads in flight: {depth} a lane; {wished} with {warps} warps is not built"
            ));
        }
        depth
    }

    /// Vectors of a part of a piece of which so many elements are wanted, such that parts are small
    /// enough to tell them apart. Measured on an H200, as all limits here.
    fn fine_depth(&self, piece_vectors: u32, piece_k: u32) -> u32 {
        // Vectors for each wanted element.
        let share = piece_vectors / piece_k.min(piece_vectors);
        let is_half = self.problem.dtype != Dtype::F32;
        if piece_k <= SMALL_K_MAX {
            return previous_power_of_two(share / self.problem.dtype.per_vector());
        }
        let four = match (self.takes_turns(), is_half) {
            (true, false) => 15,
            (true, true) => 20,
            (false, false) => 22,
            (false, true) if piece_k > 320 => 16,
            (false, true) => 36,
        };
        let two = if self.takes_turns() || !is_half { 6 } else { 9 };
        match share {
            share if share >= four => 4,
            share if share >= two => 2,
            _ => 1,
        }
    }

    /// Whether a row is so short, and so much of it wanted, that all of it goes into the queue.
    /// Measured on an H200: quicker than looking for a bound where a tenth or more is wanted.
    fn takes_all(&self) -> bool {
        let Problem { n, k, .. } = *self.problem;
        let fits = self.whole_queue().bytes() <= self.device.shared_bytes_max;
        let may = self.backend != Backend::Stream && self.purpose == Purpose::Answer;
        may && n <= ALL_MAX && k > ALL_K_MIN && 10 * k >= n && fits
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
