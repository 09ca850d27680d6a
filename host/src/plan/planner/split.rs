//! How rows are split: warps of a block, pieces of a row, vectors of a lane. Where nothing else is
//! said, limits were measured on an H200.
use kernels_gpu::params::{Dtype, SMALL_K_MAX, piece_k};
use kernels_gpu::variants::SELECT_DEPTHS;

use super::{
    FEW_WARPS, Planner, Purpose, WARP, built, few_warps_do, previous_power_of_two, rounded_down,
};
use crate::knobs::Knob;
use crate::plan::sift;
use crate::problem::Problem;
use crate::settings::Backend;

/// The most vectors that a lane keeps in flight.
const DEPTH_MAX: u32 = SELECT_DEPTHS[0];
/// Vectors of a row that 16 warps keep in registers.
const SHORT_VECTORS_MAX: u32 = 16 * WARP * DEPTH_MAX;
/// Above this a block has 32 warps: there is as much to order as to read.
const LARGE_K_MIN: usize = 2048;
/// The longest rows that are taken into the queue as they are.
const ALL_MAX: usize = 8192;
/// The greatest `k` for which that never pays.
const ALL_K_MIN: usize = 32;
/// Candidates of a row that pieces give where nobody says how many.
const CANDIDATES_MAX: u32 = 8192;

impl Planner<'_> {
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
    pub(super) fn warps(&mut self, vectors: u32) -> u32 {
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
        // Most multiprocessors have one row. Measured with one block a row, not in turns.
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
    pub(super) fn pieces(&mut self, vectors: u32, warps: u32) -> u32 {
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
            // Two pieces, each of which orders as many as one would. Measured for one such shape.
            2049..=4096 if 3 * self.problem.rows > self.device.multiprocessors as usize => {
                8 * SHORT_VECTORS_MAX
            }
            _ => 0,
        }
    }

    /// What each of so many pieces gives. The last block of `select` and of `sample` turns to the
    /// pieces themselves where too little was given; the kernel `merge` cannot: they give it all.
    pub(super) fn piece_k(&self, pieces: u32) -> u32 {
        let k = self.problem.k as u32;
        let gives_all = self.backend == Backend::Stream || pieces == 1;
        match piece_k(k, pieces) {
            _ if gives_all => k,
            // One more are looked for among parts, not lanes. That this is faster follows from two
            // shapes that lost to `stream`; it was not measured itself.
            97..=SMALL_K_MAX if k > SMALL_K_MAX => SMALL_K_MAX + 1,
            given => given,
        }
    }

    /// Vectors that a lane keeps in flight, fewer for a large `k`, for which smaller parts of a row
    /// have to be told apart. Measured on an H200: as many as the piece has for it;
    /// fewer where two blocks take turns, which hide each other's waits.
    pub(super) fn depth(&mut self, piece_vectors: u32, warps: u32, piece_k: u32) -> u32 {
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
        if share >= four {
            4
        } else if share >= two {
            2
        } else {
            1
        }
    }

    /// Whether a row is so short, and so much of it wanted, that all of it goes into the queue.
    /// Measured on an H200: quicker than looking for a bound where a tenth or more is wanted.
    pub(super) fn takes_all(&self) -> bool {
        let Problem { n, k, .. } = *self.problem;
        let fits = self.whole_queue().bytes() <= self.device.shared_bytes_max;
        let may = self.backend != Backend::Stream && self.purpose == Purpose::Answer;
        may && n <= ALL_MAX && k > ALL_K_MIN && 10 * k >= n && fits
    }
}
