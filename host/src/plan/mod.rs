//! Planning: a pure function of problem, device and knobs. Nothing here touches a driver.
use std::fmt::{self, Write as _};

use kernels_gpu::params::{MergeParams, SelectParams};

use crate::error::Error;
use crate::problem::Problem;
use crate::settings::{Backend, Settings};

mod planner;

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
}

/// The launches of a selection on a GPU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectPlan {
    /// Rows to candidates, or to the answer.
    pub select: Launch,
    /// Its scalars.
    pub select_params: SelectParams,
    /// Candidates to the answer, where `select` leaves them.
    pub merge: Option<(Launch, MergeParams)>,
    /// What lies between.
    pub workspace: Workspace,
}

/// The workspace of a selection: candidates, their counts, and tickets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Workspace {
    /// Lists of candidates, over all rows.
    pub lists: usize,
    /// Candidates that a list has room for.
    pub slots: usize,
    /// Tickets: one a row where the last block merges.
    pub tickets: usize,
}

impl Workspace {
    /// Offset of the counts.
    pub fn counts_offset(&self) -> usize {
        self.lists * self.slots * size_of::<u64>()
    }

    /// Offset of the tickets, which must be zero before the first call; every call leaves them so.
    pub fn tickets_offset(&self) -> usize {
        self.counts_offset() + self.lists * size_of::<u32>()
    }

    /// Bytes in all.
    pub fn bytes(&self) -> usize {
        self.tickets_offset() + self.tickets * size_of::<u32>()
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
    Gpu(SelectPlan),
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
    /// cannot do it; [`Error::NoDevice`] where the backend needs a GPU and there is none.
    pub fn new(
        problem: &Problem,
        device: Option<&DeviceLimits>,
        settings: &Settings,
    ) -> Result<Plan, Error> {
        problem.validate()?;
        let (backend, reason) = choose(problem, device, settings.backend.unwrap_or_default());
        let mut reasons = vec![format!("backend {backend}: {reason}")];
        let work = match (backend, device) {
            _ if problem.rows == 0 => Work::Nothing,
            (Backend::Cpu, _) => Work::Cpu,
            (_, Some(device)) => Work::Gpu(planner::plan(
                problem,
                backend,
                device,
                &settings.knobs,
                &mut reasons,
            )?),
            (_, None) => {
                return Err(Error::NoDevice {
                    requested: format!("for backend {backend}"),
                    reason: "it runs on a GPU; use device cuda or emulator, or backend cpu".into(),
                });
            }
        };
        Ok(Plan {
            problem: *problem,
            backend,
            work,
            reasons,
        })
    }

    /// What lies between input and outputs in the device's memory.
    pub fn workspace(&self) -> Workspace {
        match &self.work {
            Work::Nothing | Work::Cpu => Workspace::default(),
            Work::Gpu(plan) => plan.workspace,
        }
    }

    /// Bytes of device memory that the plan needs beside input and outputs.
    pub fn workspace_bytes(&self) -> usize {
        self.workspace().bytes()
    }

    /// The plan in words: what runs, with which values, and where each came from.
    pub fn explain(&self) -> String {
        let mut text = self.reasons.join("\n");
        if let Work::Gpu(plan) = &self.work {
            let _ = write!(text, "\n{}", plan.select);
            if let Some((merge, _)) = &plan.merge {
                let _ = write!(text, "\n{merge}");
            }
        }
        let _ = write!(text, "\nworkspace: {} bytes", self.workspace_bytes());
        text
    }
}

/// The backend for a wish, and why.
fn choose(
    problem: &Problem,
    device: Option<&DeviceLimits>,
    wished: Backend,
) -> (Backend, &'static str) {
    match (wished, device) {
        (Backend::Auto, None) => (Backend::Cpu, "auto: there is no GPU"),
        (Backend::Auto, Some(device)) if problem.rows >= device.multiprocessors as usize => (
            Backend::Streaming,
            "auto: there is a row for every multiprocessor",
        ),
        (Backend::Auto, Some(_)) => (Backend::Singlepass, "auto: rows must share the GPU"),
        (named, _) => (named, "asked for"),
    }
}

impl fmt::Display for Launch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Launch {
            symbol,
            grid,
            block,
            shared_bytes,
        } = self;
        write!(
            f,
            "launch {symbol}: {grid} blocks of {block} threads, {shared_bytes} bytes shared each"
        )
    }
}

#[cfg(test)]
mod tests;
