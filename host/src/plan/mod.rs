//! Planning: a pure function of problem, device and knobs. Nothing here touches a driver.
use std::fmt::{self, Write as _};

use kernels_gpu::params::{Index, MergeParams, RadixParams, RunParams, SelectParams, ShortParams};
use kernels_gpu::sampling::launch::{
    FullParams, ProcessParams, SampleParams, ScoreParams, WarpSampleParams,
};

use self::planner::Purpose;
use crate::error::Error;
use crate::knobs::{Knob, Knobs, Origin};
use crate::problem::Problem;
use crate::settings::{Backend, Settings};
use crate::torch;
use crate::tuned::TunedTables;

mod cluster;
mod planner;
mod radix;
mod short;
mod sift;
mod wide;

/// What a plan must know of a GPU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceLimits {
    /// The device's name, for messages.
    pub name: String,
    /// Multiprocessors.
    pub multiprocessors: u32,
    /// The most dynamic shared memory of a block, in bytes.
    pub shared_bytes_max: u32,
    /// Compute capability, major times 10 plus minor.
    pub compute_capability: u32,
}

impl DeviceLimits {
    /// The architecture's name: `sm_90`.
    pub fn architecture(&self) -> String {
        format!("sm_{}", self.compute_capability)
    }
}

/// One kernel launch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launch {
    /// The kernel.
    pub symbol: String,
    /// Blocks.
    pub grid: u32,
    /// Threads a block.
    pub block: u32,
    /// Dynamic shared memory a block, in bytes.
    pub shared_bytes: u32,
    /// Blocks of a cluster; 1 where there are none.
    pub cluster: u32,
}

/// An argument of a kernel: an address, which a call knows, or scalars.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Argument {
    /// The rows.
    Input,
    /// The rows' lengths, or null.
    Lengths,
    /// The values' buffer.
    Values,
    /// The indices' buffer.
    Indices,
    /// The workspace, from this byte on.
    Workspace(usize),
    /// Scalars of `select`.
    Select(SelectParams),
    /// Scalars of `short`, `medium`, `wide`, `wide_cluster` and `sift`.
    Short(ShortParams),
    /// Scalars of `merge`.
    Merge(MergeParams),
    /// Scalars of the radix kernels.
    Radix(RadixParams),
    /// Scalars of the kernels that order runs.
    Runs(RunParams),
    /// A buffer of sampling.
    Sampling(SampleBuffer),
    /// No buffer.
    Null,
    /// Scalars of `sample`.
    Sample(SampleParams),
    /// Scalars of `short_sample` and `medium_sample`.
    WarpSample(WarpSampleParams),
    /// Scalars of the kernels that read whole rows.
    Full(FullParams),
    /// Scalars of the kernels of logarithms and ranks.
    Score(ScoreParams),
    /// Scalars of `process`.
    Process(ProcessParams),
}

/// A buffer that a call of sampling knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SampleBuffer {
    /// The rows' parameters.
    Rows,
    /// The rows' seeds, or null.
    Seeds,
    /// The rows' positions, or null.
    Positions,
    /// The drawn tokens.
    Tokens,
    /// The rows' status.
    Status,
    /// Logarithms of the drawn tokens' probabilities.
    Logprobs,
    /// The drawn tokens' ranks.
    Ranks,
    /// The best tokens.
    TopTokens,
    /// Logarithms of the best tokens' probabilities.
    TopLogprobs,
    /// A word of history a token, or null.
    Histories,
    /// Where each row's biases start, or null.
    BiasStarts,
    /// The tokens of the biases.
    BiasTokens,
    /// The biases.
    BiasValues,
    /// The bits of allowed tokens, or null.
    Allowed,
}

impl SampleBuffer {
    /// How many there are.
    pub(crate) const COUNT: usize = SampleBuffer::Allowed as usize + 1;
}

/// A launch with its arguments, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The launch.
    pub launch: Launch,
    /// The kernel's arguments.
    pub arguments: Vec<Argument>,
}

/// The launches of a selection on a GPU, one behind the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GpuPlan {
    /// The launches.
    pub steps: Vec<Step>,
    /// What they need beside input and outputs.
    pub workspace: Workspace,
}

/// The workspace of a plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Workspace {
    /// Bytes in all.
    pub bytes: usize,
    /// Bytes at its start that must be zero before the first call; every call leaves them so.
    pub zeroed_bytes: usize,
}

impl Workspace {
    /// Adds room for `count` elements of `size` bytes; its offset.
    pub(crate) fn add(&mut self, count: usize, size: usize) -> usize {
        let offset = self.bytes.next_multiple_of(size);
        self.bytes = offset + count * size;
        offset
    }

    /// As [`Workspace::add`], for elements that are zero between calls; before any others.
    pub(crate) fn add_zeroed(&mut self, count: usize, size: usize) -> usize {
        let offset = self.add(count, size);
        self.zeroed_bytes = self.bytes;
        offset
    }
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    /// Nothing: there are no rows.
    Nothing,
    /// The host's cores.
    Cpu,
    /// Kernels on a GPU.
    Gpu(GpuPlan),
    /// LibTorch's kernels on a GPU.
    Torch,
}

/// How a problem will be solved, and why so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The problem.
    pub problem: Problem,
    /// The backend, never [`Backend::Auto`].
    pub backend: Backend,
    /// The launches.
    pub work: Work,
    reasons: Vec<String>,
}

impl Plan {
    /// Plans a problem for a device; `None` stands for the host's cores.
    ///
    /// # Errors
    /// [`Error::Problem`] where the problem breaks a rule; [`Error::Unsupported`] where the backend
    /// cannot do it; [`Error::Refused`] where this build does not have it; [`Error::NoGpu`] where
    /// it needs a GPU and there is none.
    pub fn new(
        problem: &Problem,
        device: Option<&DeviceLimits>,
        settings: &Settings,
    ) -> Result<Plan, Error> {
        Plan::with_tables(problem, device, settings, &TunedTables::default())
    }

    /// As [`Plan::new`], with tuned tables for [`Backend::Auto`]: what they have for the problem
    /// comes before the planner's own choice, and behind what the settings say.
    ///
    /// # Errors
    /// As for [`Plan::new`].
    pub fn with_tables(
        problem: &Problem,
        device: Option<&DeviceLimits>,
        settings: &Settings,
        tuned: &TunedTables,
    ) -> Result<Plan, Error> {
        problem.validate()?;
        let wished = settings.backend.unwrap_or_default();
        let hit = device.filter(|_| wished == Backend::Auto).and_then(|d| tuned.find(problem, d));
        let wish = hit.as_ref().map_or(wished, |hit| hit.entry.backend);
        let (backend, reason) = choose(problem, device, wish);
        let reason = match &hit {
            Some(hit) if wish == Backend::Auto => format!("{reason}; nothing was faster, {hit}"),
            Some(hit) => hit.to_string(),
            None => reason.to_string(),
        };
        let knobs = match &hit {
            Some(hit) => settings.knobs.or(&hit.entry.knobs),
            None => settings.knobs.clone(),
        };
        let mut reasons = vec![format!("backend {backend}: {reason}")];
        if backend == Backend::Torch {
            torch::check_built()?;
            reasons.push(torch::EXPLANATION.to_string());
        }
        let mut plan = Plan { problem: *problem, backend, work: Work::Nothing, reasons };
        if problem.rows == 0 {
            return Ok(plan);
        }
        plan.work = match (backend, device) {
            (Backend::Cpu, _) => Work::Cpu,
            (_, None) => {
                return Err(Error::NoGpu {
                    purpose: format!("backend {backend}"),
                    reason: "use device cuda or emulator, or backend cpu".into(),
                });
            }
            (Backend::Torch, Some(_)) => Work::Torch,
            (_, Some(device)) => Work::Gpu(plan.for_gpu(device, &knobs)?),
        };
        Ok(plan)
    }

    /// The launches. A `k` that the backend's queue has no room for is handed over to `radix`.
    fn for_gpu(&mut self, device: &DeviceLimits, knobs: &Knobs) -> Result<GpuPlan, Error> {
        let limit = planner::k_max(device) as usize;
        if self.backend != Backend::Radix && self.problem.k > limit {
            self.reasons.push(format!(
                "backend radix: {} has room for a k of at most {limit} on {}",
                self.backend, device.name
            ));
            self.backend = Backend::Radix;
        }
        let (problem, backend, reasons) = (&self.problem, self.backend, &mut self.reasons);
        // `stream` keeps its two stages.
        let may_hold = matches!(backend, Backend::Singlepass | Backend::Streaming);
        if backend == Backend::Radix {
            radix::plan(problem, device, knobs, reasons)
        } else if let Some(warps) = may_hold.then(|| wide::warps(problem, device)).flatten() {
            wide::plan(problem, warps, backend, device, reasons)
        } else if let Some(blocks) =
            may_hold.then(|| wide::cluster_blocks(problem, device)).flatten()
        {
            wide::plan_clusters(problem, blocks, backend, device, reasons)
        } else if may_hold && sift::is_for(problem, device) {
            sift::plan(problem, backend, device, reasons)
        } else if let Some(held) = may_hold.then(|| short::Instance::of(problem, device)).flatten()
        {
            short::plan(problem, held, backend, device, reasons)
        } else {
            of_blocks(problem, Purpose::Answer, backend, device, knobs, reasons)
        }
    }

    /// What lies between input and outputs in the device's memory.
    pub fn workspace(&self) -> Workspace {
        match &self.work {
            Work::Nothing | Work::Cpu => Workspace::default(),
            Work::Gpu(plan) => plan.workspace,
            Work::Torch => self.wide_indices(),
        }
    }

    /// Room for LibTorch's indices, which have 64 bits, where others are wanted.
    fn wide_indices(&self) -> Workspace {
        let mut workspace = Workspace::default();
        if self.problem.index != Index::I64 {
            workspace.add(self.problem.output_elements(), size_of::<i64>());
        }
        workspace
    }

    /// Bytes of device memory that the plan needs beside input and outputs.
    pub fn workspace_bytes(&self) -> usize {
        self.workspace().bytes
    }

    /// The plan in words: what runs, with which values, and where each came from.
    pub fn explain(&self) -> String {
        let mut text = self.reasons.join("\n");
        if let Work::Gpu(plan) = &self.work {
            for step in &plan.steps {
                let _ = write!(text, "\n{}", step.launch);
            }
        }
        let _ = write!(text, "\nworkspace: {} bytes", self.workspace_bytes());
        text
    }
}

/// Launches of blocks that survey rows: in clusters, where that pays.
fn of_blocks(
    problem: &Problem,
    purpose: Purpose,
    backend: Backend,
    device: &DeviceLimits,
    knobs: &Knobs,
    reasons: &mut Vec<String>,
) -> Result<GpuPlan, Error> {
    let blocks = match backend {
        Backend::Singlepass => cluster::blocks(problem, device, knobs),
        _ => 0,
    };
    if blocks > 1
        && let Some(plan) = cluster::plan(problem, purpose, blocks, device, knobs, reasons)?
    {
        return Ok(plan);
    }
    planner::plan(problem, purpose, backend, device, knobs, reasons)
}

/// The launch of `sample` for a valid problem with at least one row, with the arguments that
/// `select` would have; or where warps `may_draw` and that is faster, of `short_sample` or
/// `medium_sample`, with those of `short`.
pub(crate) fn sample_launch(
    problem: &Problem,
    backend: Backend,
    may_draw: bool,
    device: &DeviceLimits,
    knobs: &Knobs,
    reasons: &mut Vec<String>,
) -> Result<(Step, Workspace), Error> {
    let plan = match may_draw.then(|| short::Instance::to_draw(problem, device)).flatten() {
        Some(held) => short::plan(problem, held, backend, device, reasons)?,
        None => of_blocks(problem, Purpose::Draw, backend, device, knobs, reasons)?,
    };
    let GpuPlan { mut steps, workspace } = plan;
    Ok((steps.swap_remove(0), workspace))
}

/// The backend for a wish, and why.
fn choose(
    problem: &Problem,
    device: Option<&DeviceLimits>,
    wished: Backend,
) -> (Backend, &'static str) {
    match (wished, device) {
        (Backend::Auto, None) => (Backend::Cpu, "auto: there is no GPU"),
        (Backend::Auto, Some(device)) if wide::is_surveyed(problem, device) => {
            (Backend::Stream, "auto: short rows of which half is wanted, two a multiprocessor")
        }
        (Backend::Auto, Some(device)) if cluster::is_for_two_stages(problem, device) => {
            (Backend::Stream, "auto: one or two rows so long that clusters read them slowly")
        }
        (Backend::Auto, Some(device)) if problem.rows > device.multiprocessors as usize => {
            (Backend::Streaming, "auto: there is more than a row for every multiprocessor")
        }
        (Backend::Auto, Some(_)) => {
            (Backend::Singlepass, "auto: there are multiprocessors for all rows")
        }
        (named, _) => (named, "asked for"),
    }
}

/// A knob's value, or `preset` where nobody set it; says where it came from.
fn knob_value(knobs: &Knobs, reasons: &mut Vec<String>, knob: Knob, preset: u32) -> u32 {
    let value = knobs.get(knob).unwrap_or(preset);
    let origin = knobs.origin(knob);
    if origin != Origin::Heuristic {
        let spec = knob.spec();
        let shown = spec.legal.show(value);
        reasons.push(format!("{}: {shown}, {}", spec.key, origin.name()));
    }
    value
}

/// A grid of so many blocks, if the GPU takes as many.
pub(crate) fn grid(blocks: u64, backend: Backend, device: &DeviceLimits) -> Result<u32, Error> {
    let fitting = u32::try_from(blocks).ok().filter(|&blocks| blocks <= i32::MAX as u32);
    fitting.ok_or_else(|| Error::Unsupported {
        backend: backend.name(),
        what: "the number of blocks",
        actual: blocks,
        limit: i32::MAX as u64,
        device: device.name.clone(),
        advice: "split the batch",
    })
}

impl fmt::Display for Launch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Launch { symbol, grid, block, shared_bytes, cluster } = self;
        write!(
            f,
            "launch {symbol}: {grid} blocks of {block} threads, {shared_bytes} bytes shared each"
        )?;
        if *cluster > 1 { write!(f, ", in clusters of {cluster}") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests;
