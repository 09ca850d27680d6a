//! The launches of a call of sampling: a pure function of what is wanted, of the rows' parameters
//! and of the device.
//!
//! | step | where | launches |
//! |---|---|---|
//! | `process` | penalties, biases or a mask | 1 |
//! | `full_mass` | raw logarithms | 1 |
//! | `sample`, or that of warps | rows with a `top_k` of at most 1024, and greedy ones | 1 |
//! | `full_mass` | the other rows | 1 |
//! | `full_digit`, `full_cut` | those with a greater `top_k` | 4, of 16-bit elements 3 |
//! | `full_guess`, `full_window` | those with a `top_p`, if short, none with such a `top_k` | 2 |
//! | `full_digit`, `full_cut` | those with a `top_p`, elsewhere | the same |
//! | `full_mass` | those with either, or a `min_p`, unless `full_window` drew | 1 |
//! | `write_logprobs`, `count_ranks` | logarithms that `sample` cannot know | up to 3 |
//!
//! Rows of both kinds may stand in one call: a launch leaves rows alone that are not its own.
use std::fmt::Write as _;

use kernels_gpu::params::{Dtype, SelectParams, ShortParams};
use kernels_gpu::sampling::launch::{
    DIGIT_BYTES, FULL_BYTES, FullParams, GUESS_BINS, GUESS_BYTES, LIST_WORDS, MASS_THREADS,
    MASS_WORDS, Phase, ProcessParams, SAMPLE_SCRATCH_BYTES, STATE_WORDS, SampleParams, ScoreParams,
    ScoreSource, WINDOW_INDEX_BITS, WarpSampleParams, WindowLayout, digit_shifts,
};
use kernels_gpu::sampling::params::{FilterOrder, RowParams};
use kernels_gpu::sampling::segment::{SEGMENT, segments};

use super::sampler::{LogprobKind, Sampler};
use crate::error::{Error, Violation};
use crate::knobs::{Knob, Knobs};
use crate::plan::{
    Argument, DeviceLimits, GpuPlan, Launch, SampleBuffer, Step, Work, Workspace, grid,
    sample_launch,
};
use crate::problem::Problem;
use crate::settings::{Backend, Settings};

/// Threads of a block that reads whole rows.
const THREADS: u32 = 512;
/// Lanes of a warp.
const WARP_SIZE: usize = 32;
/// The least elements of a piece: fewer are not worth a block.
const PIECE_ELEMENTS_MIN: u32 = 8 * THREADS;
/// Blocks of `full_mass` that a multiprocessor has room for.
const MASS_BLOCKS: u32 = 3;
/// Segments that the warps of such a block look at, one each.
const MASS_ROUND: u32 = MASS_THREADS / 32;
/// The most such rounds of a block: more would leave some blocks much longer than others.
const MASS_ROUNDS_MAX: u32 = 3;

/// What the rows' parameters demand of the launches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    /// The most candidates that a row is drawn from best first; 0 where no row is.
    pub sorted_k: u32,
    /// Whether some row is drawn from in index order.
    pub full: bool,
    /// Whether some such row has a `top_k`.
    pub full_top_k: bool,
    /// Whether some such row has a `top_p`.
    pub full_top_p: bool,
    /// Whether some such row has a `min_p`. Launches without it do for such rows, but slowly.
    pub full_min_p: bool,
}

impl Needs {
    pub(crate) fn of(rows: &[RowParams]) -> Needs {
        rows.iter().fold(Needs::default(), |needs, row| {
            let full = row.sorted_k() == 0;
            Needs {
                sorted_k: needs.sorted_k.max(row.sorted_k()),
                full: needs.full || full,
                full_top_k: needs.full_top_k || full && row.top_k > 0,
                full_top_p: needs.full_top_p || full && row.top_p < 1.0,
                full_min_p: needs.full_min_p || full && row.has_min_p(),
            }
        })
    }

    /// Whether launches for `self` also do for `other`.
    pub(crate) fn cover(&self, other: &Needs) -> Result<(), Error> {
        let rule = |field, value: u32, holds: bool, what: &str| match holds {
            true => Ok(()),
            false => Err(Error::Problem(vec![Violation {
                field,
                value: value.into(),
                rule: format!("these calls were prepared for {what}; prepare others"),
            }])),
        };
        let most = format!("a top_k of at most {}", self.sorted_k);
        rule("top_k", other.sorted_k, other.sorted_k <= self.sorted_k, &most)?;
        rule("top_k", 0, self.full || !other.full, "rows with a top_k of at most 1024")?;
        let large = "rows without a top_k above 1024";
        rule("top_k", 1025, self.full_top_k || !other.full_top_k, large)?;
        let nucleus = "rows without a top_p, unless they have a top_k";
        rule("top_p", 1, self.full_top_p || !other.full_top_p, nucleus)
    }
}

/// How a call of sampling will be done, and why so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SamplePlan {
    /// The rows; `k` is the most candidates of any.
    pub problem: Problem,
    /// The launches, or the host's cores.
    pub work: Work,
    pub(crate) needs: Needs,
    reasons: Vec<String>,
}

impl SamplePlan {
    pub(crate) fn new(
        sampler: &Sampler,
        problem: &Problem,
        needs: Needs,
        device: Option<&DeviceLimits>,
        settings: &Settings,
    ) -> Result<SamplePlan, Error> {
        let mut plan = SamplePlan { problem: *problem, work: Work::Cpu, needs, reasons: vec![] };
        match device {
            _ if problem.rows == 0 => plan.work = Work::Nothing,
            None => plan.reasons.push("there is no GPU: the host's cores".to_string()),
            Some(device) => {
                let knobs = &settings.knobs;
                let (gpu, reasons) = Planner::new(sampler, problem, needs, device, knobs).plan()?;
                (plan.work, plan.reasons) = (Work::Gpu(gpu), reasons);
            }
        }
        Ok(plan)
    }

    /// What lies beside the call's own buffers in the device's memory.
    pub fn workspace(&self) -> Workspace {
        match &self.work {
            Work::Gpu(plan) => plan.workspace,
            _ => Workspace::default(),
        }
    }

    /// The plan in words: what runs, and why so.
    pub fn explain(&self) -> String {
        let mut text = self.reasons.join("\n");
        if let Work::Gpu(plan) = &self.work {
            for step in &plan.steps {
                let _ = write!(text, "\n{}", step.launch);
            }
        }
        let _ = write!(text, "\nworkspace: {} bytes", self.workspace().bytes);
        text
    }
}

/// Rows as the kernels find them: as they came, or changed.
#[derive(Clone, Copy)]
struct Source {
    argument: Argument,
    dtype: Dtype,
    row_stride: usize,
}

/// Offsets in the workspace.
#[derive(Clone, Copy, Default)]
struct Places {
    nans: usize,
    tickets: usize,
    masses: usize,
    selection_zeroed: usize,
    selection_rest: usize,
    state: usize,
    raw_state: usize,
    partial: usize,
    tops: usize,
    segment_masses: usize,
    lists: usize,
    near: usize,
    processed: usize,
}

/// A launch of `sample`, before its place in the workspace is known.
struct Selection {
    /// Whether it is of the rows as they came.
    is_raw: bool,
    num_samples: u32,
    top: u32,
    /// The launch of the selection that it is made of.
    step: Step,
    workspace: Workspace,
}

struct Planner<'a> {
    sampler: &'a Sampler,
    problem: &'a Problem,
    needs: Needs,
    device: &'a DeviceLimits,
    knobs: &'a Knobs,
    pieces: u32,
    piece_elements: u32,
    /// The same for `full_mass`: whole segments.
    mass_pieces: u32,
    mass_piece_elements: u32,
    places: Places,
    workspace: Workspace,
    steps: Vec<Step>,
    reasons: Vec<String>,
}

impl<'a> Planner<'a> {
    fn new(
        sampler: &'a Sampler,
        problem: &'a Problem,
        needs: Needs,
        device: &'a DeviceLimits,
        knobs: &'a Knobs,
    ) -> Planner<'a> {
        let rows = u32::try_from(problem.rows).unwrap_or(u32::MAX);
        let n = problem.n as u32;
        let most = n.div_ceil(PIECE_ELEMENTS_MIN).max(1);
        let target = knobs.get(Knob::Stage1TargetCtas).unwrap_or(2 * device.multiprocessors);
        let wanted = target.div_ceil(rows).clamp(1, most);
        // Whole segments, so that the kernels can leave some out.
        let piece_elements = n.div_ceil(wanted).next_multiple_of(SEGMENT);
        let pieces = n.div_ceil(piece_elements);
        let (places, workspace) = (Places::default(), Workspace::default());
        let (steps, reasons) = (vec![], vec![]);
        let rounds = mass_rounds(rows, n, device, knobs);
        let mass_pieces = segments(n).div_ceil(rounds * MASS_ROUND);
        let mass_piece_elements = segments(n).div_ceil(mass_pieces) * SEGMENT;
        Planner {
            sampler,
            problem,
            needs,
            device,
            knobs,
            pieces,
            piece_elements,
            mass_pieces,
            mass_piece_elements,
            places,
            workspace,
            steps,
            reasons,
        }
    }

    fn plan(mut self) -> Result<(GpuPlan, Vec<String>), Error> {
        let selections = self.selections()?;
        self.lay_out(&selections);
        if self.sampler.adjusted {
            self.process()?;
        }
        if self.is_raw() {
            self.reasons.push("raw logarithms: the softmax of the rows as they came".into());
            self.full("full_mass", Phase::Raw, None)?;
        }
        for selection in &selections {
            self.sample(selection);
        }
        if self.needs.full {
            self.draw_full()?;
        }
        self.score()?;
        Ok((GpuPlan { steps: self.steps, workspace: self.workspace }, self.reasons))
    }

    fn is_raw(&self) -> bool {
        matches!(self.sampler.logprobs, Some((LogprobKind::Raw, _)))
    }

    /// The rows before (`true`) or after penalties, biases and masks.
    fn source(&self, is_raw: bool) -> Source {
        let Problem { dtype, row_stride, n, .. } = *self.problem;
        if is_raw || !self.sampler.adjusted {
            return Source { argument: Argument::Input, dtype, row_stride };
        }
        let argument = Argument::Workspace(self.places.processed);
        Source { argument, dtype: Dtype::F32, row_stride: n }
    }

    /// The launches of `sample`: the best tokens of changed rows cannot come from raw ones, so that
    /// raw logarithms of changed rows' best want a selection of their own.
    fn selections(&mut self) -> Result<Vec<Selection>, Error> {
        let (k, top) = (self.needs.sorted_k, self.sampler.top() as u32);
        let draws = self.sampler.num_samples as u32;
        let apart = top > 0 && self.is_raw() && self.sampler.adjusted;
        let mut selections = vec![];
        if k > 0 || top > 0 && !apart {
            selections.push(self.selection(false, k, draws, if apart { 0 } else { top })?);
        }
        if apart {
            selections.push(self.selection(true, 0, 0, top)?);
        }
        Ok(selections)
    }

    /// A launch of `sample`: that of `select` for the same k, with another end; or of warps that
    /// draw from the rows that they hold.
    fn selection(
        &mut self,
        is_raw: bool,
        sorted_k: u32,
        num_samples: u32,
        top: u32,
    ) -> Result<Selection, Error> {
        let Source { dtype, row_stride, .. } = self.source(is_raw);
        let Problem { rows, n, .. } = *self.problem;
        let k = (sorted_k.max(top) as usize).min(n);
        let problem = Problem { row_stride, ..Problem::new(dtype, rows, n, k) };
        let backend = match rows > self.device.multiprocessors as usize {
            true => Backend::Streaming,
            false => Backend::Singlepass,
        };
        self.reasons.push(format!("draws from the best {k}, by {backend}"));
        let shared_bytes_max = self.device.shared_bytes_max - SAMPLE_SCRATCH_BYTES;
        let device = DeviceLimits { shared_bytes_max, ..self.device.clone() };
        let may_draw = top == 0 && self.draws_by_warps();
        let (step, workspace) =
            sample_launch(&problem, backend, may_draw, &device, self.knobs, &mut self.reasons)?;
        Ok(Selection { is_raw, num_samples, top, step, workspace })
    }

    /// Whether one warp can draw a row's tokens, whatever its parameters.
    fn draws_by_warps(&self) -> bool {
        let Sampler { order, num_samples, replacement, .. } = *self.sampler;
        let draws_alike = num_samples == 1 || replacement && num_samples <= WARP_SIZE;
        draws_alike && order != FilterOrder::LlamaCpp
    }

    /// The workspace: what must be zero first.
    fn lay_out(&mut self, selections: &[Selection]) {
        let rows = self.problem.rows;
        let is_raw = self.is_raw();
        let reads_all = self.needs.full || is_raw;
        let (has_window, n) = (self.has_window(), self.problem.n as u32);
        let has_digits = self.needs.full_top_k || self.needs.full_top_p && !has_window;
        let when = |holds: bool, count: usize| if holds { count } else { 0 };
        let mut workspace = Workspace::default();
        let places = &mut self.places;
        places.nans = workspace.add_zeroed(rows, size_of::<u32>());
        places.tickets = workspace.add_zeroed(when(reads_all, rows), size_of::<u32>());
        let words = when(has_digits, rows * MASS_WORDS as usize)
            .max(when(has_window, rows * GUESS_BINS as usize));
        places.masses = workspace.add_zeroed(words, size_of::<u32>());
        let zeroed = selections.iter().map(|s| s.workspace.zeroed_bytes.div_ceil(8)).max();
        // Selections take turns, and each leaves zeros.
        places.selection_zeroed = workspace.add_zeroed(zeroed.unwrap_or(0), size_of::<u64>());
        let rest = selections.iter().map(|s| s.workspace.bytes.div_ceil(16)).max();
        places.selection_rest = workspace.add(rest.unwrap_or(0), 16);
        let state = rows * STATE_WORDS as usize;
        places.state = workspace.add(when(self.needs.full, state), size_of::<u64>());
        places.raw_state = workspace.add(when(is_raw, state), size_of::<u64>());
        let lists = rows * self.pieces as usize;
        places.partial = workspace.add(when(has_digits, lists), size_of::<u64>());
        let segments = when(reads_all, rows * segments(n) as usize);
        places.segment_masses = workspace.add(segments, size_of::<u64>());
        let words = when(has_window, segments * LIST_WORDS as usize);
        places.lists = workspace.add(words, size_of::<u64>());
        places.tops = workspace.add(segments, size_of::<u32>());
        let words = when(self.needs.full_min_p, segments * WARP_SIZE);
        places.near = workspace.add(words, size_of::<u32>());
        let processed = when(self.sampler.adjusted, rows * self.problem.n);
        // In vectors of 16 bytes, for their alignment.
        places.processed = workspace.add(processed.div_ceil(4), 16);
        self.workspace = workspace;
    }

    fn process(&mut self) -> Result<(), Error> {
        self.reasons.push("logits are changed first, into the workspace as f32".to_string());
        let raw = self.source(true);
        let params = ProcessParams {
            row_stride: raw.row_stride as u64,
            n: self.problem.n as u32,
            order: self.sampler.order,
            pieces: self.pieces,
            piece_elements: self.piece_elements,
        };
        let buffer = Argument::Sampling;
        let arguments = vec![
            raw.argument,
            Argument::Lengths,
            buffer(SampleBuffer::Rows),
            buffer(SampleBuffer::Histories),
            buffer(SampleBuffer::BiasStarts),
            buffer(SampleBuffer::BiasTokens),
            buffer(SampleBuffer::BiasValues),
            buffer(SampleBuffer::Allowed),
            Argument::Workspace(self.places.processed),
            Argument::Process(params),
        ];
        self.step("process", raw.dtype, (self.pieces, THREADS), 0, arguments)
    }

    fn sample(&mut self, selection: &Selection) {
        match selection.step.arguments[..] {
            [.., Argument::Select(select)] => self.sample_by_blocks(selection, select),
            [.., Argument::Short(short)] => self.sample_by_warps(selection, short),
            _ => unreachable!("a selection's last argument are its scalars"),
        }
    }

    fn sample_by_warps(&mut self, selection: &Selection, short: ShortParams) {
        let Sampler { order, logprobs, .. } = *self.sampler;
        let wanted = |holds: bool, buffer| match holds {
            true => Argument::Sampling(buffer),
            false => Argument::Null,
        };
        let params = WarpSampleParams { short, order, num_samples: selection.num_samples };
        let arguments = vec![
            self.source(selection.is_raw).argument,
            Argument::Lengths,
            Argument::Sampling(SampleBuffer::Rows),
            Argument::Sampling(SampleBuffer::Seeds),
            Argument::Sampling(SampleBuffer::Positions),
            Argument::Sampling(SampleBuffer::Tokens),
            Argument::Sampling(SampleBuffer::Status),
            wanted(logprobs.is_some() && !self.is_raw(), SampleBuffer::Logprobs),
            wanted(logprobs.is_some(), SampleBuffer::Ranks),
            Argument::WarpSample(params),
        ];
        self.steps.push(Step { launch: selection.step.launch.clone(), arguments });
    }

    fn sample_by_blocks(&mut self, selection: &Selection, select: SelectParams) {
        let Selection { is_raw, num_samples, top, ref step, ref workspace, .. } = *selection;
        let source = self.source(is_raw);
        let place = |argument: &Argument| match *argument {
            Argument::Workspace(at) if at < workspace.zeroed_bytes => {
                Argument::Workspace(self.places.selection_zeroed + at)
            }
            Argument::Workspace(at) => Argument::Workspace(self.places.selection_rest + at),
            other => other,
        };
        let scratch = step.launch.shared_bytes.next_multiple_of(16);
        let params = SampleParams {
            select,
            order: self.sampler.order,
            num_samples,
            replacement: self.sampler.replacement.into(),
            top,
            scratch,
            reserved: 0,
        };
        // What comes of rows' own logarithms is written behind the draw.
        let wanted = |holds: bool, buffer| match holds {
            true => Argument::Sampling(buffer),
            false => Argument::Null,
        };
        let (draws, scores) = (num_samples > 0, self.sampler.logprobs.is_some());
        let processed = scores && !self.is_raw();
        let mut arguments = vec![source.argument];
        let shared = step.arguments[1..].iter().take_while(|a| **a != Argument::Values);
        arguments.extend(shared.map(place));
        if step.launch.cluster == 1 {
            arguments.push(Argument::Workspace(self.places.nans));
        }
        arguments.extend([
            Argument::Sampling(SampleBuffer::Rows),
            Argument::Sampling(SampleBuffer::Seeds),
            Argument::Sampling(SampleBuffer::Positions),
            wanted(draws, SampleBuffer::Tokens),
            wanted(draws, SampleBuffer::Status),
            wanted(draws && processed, SampleBuffer::Logprobs),
            wanted(draws && scores, SampleBuffer::Ranks),
            wanted(top > 0, SampleBuffer::TopTokens),
            wanted(top > 0 && processed, SampleBuffer::TopLogprobs),
            Argument::Sample(params),
        ]);
        let launch = Launch { shared_bytes: scratch + SAMPLE_SCRATCH_BYTES, ..step.launch.clone() };
        self.steps.push(Step { launch, arguments });
    }

    /// The launches for rows that are drawn from in index order.
    fn draw_full(&mut self) -> Result<(), Error> {
        self.reasons.push("rows without a top_k of at most 1024: from whole rows".to_string());
        self.full("full_mass", Phase::Draw, None)?;
        if self.needs.full_top_k {
            self.find_end(Phase::TopK)?;
        }
        let has_window = self.has_window();
        if has_window {
            self.full("full_guess", Phase::TopP, None)?;
            self.full("full_window", Phase::TopP, None)?;
        } else if self.needs.full_top_p {
            self.find_end(Phase::TopP)?;
        }
        let has_digits = self.needs.full_top_k || self.needs.full_top_p && !has_window;
        match has_digits || self.cuts_min_p() {
            true => self.full("full_mass", Phase::Cut, None),
            false => Ok(()),
        }
    }

    /// Whether top-p's prefixes end in a window that is guessed.
    fn has_window(&self) -> bool {
        let is_short = self.problem.n <= 1 << WINDOW_INDEX_BITS;
        self.needs.full_top_p && !self.needs.full_top_k && is_short
    }

    /// Whether rows with a min-p, or of which the draw weighs tokens otherwise than top-p, are
    /// drawn from in a launch of their own.
    fn cuts_min_p(&self) -> bool {
        let weighs_otherwise = self.sampler.order == FilterOrder::LlamaCpp;
        self.needs.full_min_p || self.has_window() && weighs_otherwise
    }

    /// The launches that find where a prefix ends.
    fn find_end(&mut self, phase: Phase) -> Result<(), Error> {
        let mut decided = 0;
        for &shift in digit_shifts(self.source(false).dtype) {
            self.full("full_digit", phase, Some((shift, decided)))?;
            decided = 32 - shift;
        }
        self.full("full_cut", phase, None)
    }

    /// A launch that reads whole rows.
    fn full(&mut self, kernel: &str, phase: Phase, digit: Option<(u32, u32)>) -> Result<(), Error> {
        let (is_raw, is_mass) = (phase == Phase::Raw, kernel == "full_mass");
        let source = self.source(is_raw);
        let (shift, decided) = digit.unwrap_or((0, 0));
        let (is_window, is_guess) = (kernel == "full_window", kernel == "full_guess");
        let (pieces, piece_elements) = match is_mass || is_window || is_guess {
            true => (self.mass_pieces, self.mass_piece_elements),
            false => (self.pieces, self.piece_elements),
        };
        let params = FullParams {
            row_stride: source.row_stride as u64,
            n: self.problem.n as u32,
            pieces,
            piece_elements,
            phase,
            order: self.sampler.order,
            num_samples: self.sampler.num_samples as u32,
            replacement: self.sampler.replacement.into(),
            shift,
            decided,
            cuts_min_p: self.cuts_min_p().into(),
            has_window: self.has_window().into(),
            is_last: digit_shifts(source.dtype).last().is_some_and(|last| *last == shift).into(),
        };
        let buffer = Argument::Sampling;
        let Places { tickets, masses, partial, tops, segment_masses, lists, near, .. } =
            self.places;
        let state = if is_raw { self.places.raw_state } else { self.places.state };
        let mut arguments = vec![source.argument, Argument::Lengths, buffer(SampleBuffer::Rows)];
        let near = match self.needs.full_min_p {
            true => Argument::Workspace(near),
            false => Argument::Null,
        };
        let third = match kernel {
            "full_mass" => near,
            "full_digit" | "full_guess" => Argument::Workspace(masses),
            "full_window" => Argument::Workspace(lists),
            _ => Argument::Workspace(partial),
        };
        if is_mass || is_window {
            arguments.extend([SampleBuffer::Seeds, SampleBuffer::Positions].map(buffer));
        }
        if !is_guess {
            arguments.push(Argument::Workspace(tops));
        }
        if is_mass || is_window {
            arguments.push(Argument::Workspace(segment_masses));
        }
        arguments.extend([third, Argument::Workspace(state), Argument::Workspace(tickets)]);
        if is_mass || is_window {
            arguments.push(buffer(SampleBuffer::Tokens));
        }
        if is_mass {
            arguments.push(buffer(SampleBuffer::Status));
        }
        arguments.push(Argument::Full(params));
        let (shared, threads) = match kernel {
            "full_digit" => (DIGIT_BYTES, THREADS),
            "full_cut" => (FULL_BYTES, THREADS),
            "full_guess" => (GUESS_BYTES, MASS_THREADS),
            "full_window" => (WindowLayout::BYTES, MASS_THREADS),
            _ => (FULL_BYTES, MASS_THREADS),
        };
        self.step(kernel, source.dtype, (pieces, threads), shared, arguments)
    }

    /// The launches that write what `sample` cannot know of logarithms and ranks.
    fn score(&mut self) -> Result<(), Error> {
        let (is_raw, adjusted) = (self.is_raw(), self.sampler.adjusted);
        if self.sampler.logprobs.is_none() || !is_raw && !self.needs.full {
            return Ok(());
        }
        let source = match (is_raw, adjusted) {
            (false, _) => ScoreSource::Processed,
            (true, false) => ScoreSource::Raw,
            (true, true) => ScoreSource::RawBeforeChanges,
        };
        let buffer = Argument::Sampling;
        let draws = self.sampler.num_samples;
        self.logprobs(source, SampleBuffer::Tokens, SampleBuffer::Logprobs, true, draws)?;
        if self.needs.full || source == ScoreSource::RawBeforeChanges {
            let rows = self.source(is_raw);
            let arguments = vec![
                rows.argument,
                Argument::Lengths,
                buffer(SampleBuffer::Rows),
                buffer(SampleBuffer::Tokens),
                buffer(SampleBuffer::Ranks),
                Argument::Score(self.score_params(source, draws)),
            ];
            self.step("count_ranks", rows.dtype, (self.pieces, THREADS), 0, arguments)?;
        }
        match self.sampler.top() {
            0 => Ok(()),
            top => {
                let (list, logs) = (SampleBuffer::TopTokens, SampleBuffer::TopLogprobs);
                self.logprobs(source, list, logs, false, top)
            }
        }
    }

    fn logprobs(
        &mut self,
        source: ScoreSource,
        list: SampleBuffer,
        logprobs: SampleBuffer,
        ranks: bool,
        tokens: usize,
    ) -> Result<(), Error> {
        let is_raw = source != ScoreSource::Processed;
        let rows = self.source(is_raw);
        let state = if is_raw { self.places.raw_state } else { self.places.state };
        let ranks = match ranks {
            true => Argument::Sampling(SampleBuffer::Ranks),
            false => Argument::Null,
        };
        let arguments = vec![
            rows.argument,
            Argument::Lengths,
            Argument::Sampling(SampleBuffer::Rows),
            Argument::Workspace(state),
            Argument::Sampling(list),
            Argument::Sampling(logprobs),
            ranks,
            Argument::Score(self.score_params(source, tokens)),
        ];
        self.step("write_logprobs", rows.dtype, (1, THREADS), 0, arguments)
    }

    fn score_params(&self, source: ScoreSource, tokens: usize) -> ScoreParams {
        let is_raw = source != ScoreSource::Processed;
        ScoreParams {
            row_stride: self.source(is_raw).row_stride as u64,
            n: self.problem.n as u32,
            order: self.sampler.order,
            source,
            tokens: tokens as u32,
            pieces: self.pieces,
            piece_elements: self.piece_elements,
        }
    }

    fn step(
        &mut self,
        kernel: &str,
        dtype: Dtype,
        (pieces, block): (u32, u32),
        shared_bytes: u32,
        arguments: Vec<Argument>,
    ) -> Result<(), Error> {
        let blocks = self.problem.rows as u64 * u64::from(pieces);
        let launch = Launch {
            symbol: format!("{kernel}_{}", dtype.name()),
            grid: grid(blocks, Backend::Auto, self.device)?,
            block,
            shared_bytes,
            cluster: 1,
        };
        self.steps.push(Step { launch, arguments });
        Ok(())
    }
}

/// How often each warp of a block of `full_mass` looks at a segment: as seldom as there are blocks
/// for it.
fn mass_rounds(rows: u32, n: u32, device: &DeviceLimits, knobs: &Knobs) -> u32 {
    let all = u64::from(rows) * u64::from(segments(n));
    let own = u64::from(MASS_BLOCKS * device.multiprocessors);
    let target = knobs.get(Knob::Stage1TargetCtas).map_or(own, u64::from);
    let most = if knobs.get(Knob::Stage1TargetCtas).is_some() { u32::MAX } else { MASS_ROUNDS_MAX };
    let rounds = all.div_ceil(target * u64::from(MASS_ROUND));
    u32::try_from(rounds).unwrap_or(u32::MAX).clamp(1, most).min(segments(n).div_ceil(MASS_ROUND))
}

#[cfg(test)]
mod tests;
