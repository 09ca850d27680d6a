//! [`TopK`]: what is wanted; on slices of the host's memory, or prepared for a GPU's.
use crate::cpu;
use crate::device::Gpu;
use crate::element::{Element, IndexType};
use crate::error::Error;
use crate::knobs::{Knob, Origin};
use crate::plan::{Plan, Work};
use crate::prepared::PreparedTopK;
use crate::problem::Problem;
use crate::rows::{Rows, Selection};
use crate::runtime::Runtime;
use crate::settings::{Backend, Settings};
use crate::torch;

/// A selection of the best `k` of every row, as one wants it.
///
/// # Example
/// ```
/// use aikf_topk::{DeviceChoice, Rows, Runtime, TopK};
///
/// let runtime = Runtime::open(DeviceChoice::Cpu)?;
/// let logits = [0.5f32, 2.0, -1.0, 2.0, 0.0, 7.5];
/// let top = TopK::new(2).select(&runtime, Rows::new(&logits, 2, 3)?)?;
/// assert_eq!(top.indices, [1, 0, 2, 0]);
/// assert_eq!(top.values, [2.0, 0.5, 7.5, 2.0]);
/// # Ok::<(), aikf_topk::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct TopK {
    k: usize,
    largest: bool,
    sorted: bool,
    settings: Settings,
}

impl TopK {
    /// The greatest `k` of every row.
    pub fn new(k: usize) -> TopK {
        TopK { k, largest: true, sorted: true, settings: Settings::default() }
    }

    /// The greatest (`true`, the default) or the smallest. NaN is the greatest in both.
    pub fn largest(mut self, largest: bool) -> TopK {
        self.largest = largest;
        self
    }

    /// Whether a row's answer is to be best first (`true`, the default), equals by index. Unsorted
    /// is the same elements in an order that depends on `k` alone, the same on every backend and
    /// device: best first up to a `k` of 128, by index beyond. It spares `radix` its sort.
    pub fn sorted(mut self, sorted: bool) -> TopK {
        self.sorted = sorted;
        self
    }

    /// The backend; default is what the environment says, then [`Backend::Auto`].
    pub fn backend(mut self, backend: Backend) -> TopK {
        self.settings.backend = Some(backend);
        self
    }

    /// Sets a tuning knob, before what the environment says.
    ///
    /// # Errors
    /// [`Error::Setting`] where the value is not legal.
    pub fn knob(mut self, knob: Knob, value: &str) -> Result<TopK, Error> {
        self.settings.knobs.set(knob, value, Origin::Builder)?;
        Ok(self)
    }

    /// How a problem of this shape would be solved on the runtime's device. Pure: launches nothing.
    /// The runtime's tuned tables count where nobody has chosen a backend.
    ///
    /// # Errors
    /// As for [`TopK::select`].
    pub fn plan(&self, runtime: &Runtime, problem: &Problem) -> Result<Plan, Error> {
        let TopK { k, largest, sorted, .. } = *self;
        let problem = Problem { k, largest, sorted, ..*problem };
        let limits = runtime.gpu().map(Gpu::limits);
        let settings = self.settings.or(runtime.settings());
        let plan = Plan::with_tables(&problem, limits, &settings, runtime.tuned())?;
        if plan.work == Work::Torch {
            torch::check_driver()?;
        }
        Ok(plan)
    }

    /// Selects from rows in the host's memory, and waits for the answer. On a GPU the rows travel
    /// there and the answer back.
    ///
    /// # Errors
    /// [`Error::Problem`] for a `k` of 0 or above `n`; [`Error::Unsupported`] where the backend
    /// cannot do it on this device; [`Error::Refused`] where the backend is not in this build or
    /// does not take the rows; [`Error::Driver`] where the driver fails.
    pub fn select<T: Element>(
        &self,
        runtime: &Runtime,
        rows: Rows<'_, T>,
    ) -> Result<Selection<T>, Error> {
        let problem = Problem {
            row_stride: rows.row_stride,
            ..Problem::new(T::DTYPE, rows.rows, rows.n, self.k)
        };
        let plan = self.plan(runtime, &problem)?;
        let (values, indices) = match (&plan.work, runtime.gpu()) {
            (Work::Nothing, _) => (vec![], vec![]),
            (Work::Gpu(_) | Work::Torch, Some(gpu)) => {
                PreparedTopK::new(gpu, plan)?.round_trip(&rows)?
            }
            _ => cpu::select(&rows, &plan.problem),
        };
        Ok(Selection { rows: rows.rows, k: self.k, values, indices })
    }

    /// Prepares calls on `rows` rows of `n` elements that follow one another in a GPU's memory:
    /// plans, finds the kernels, allocates the workspace. Nothing of that is done again when it is
    /// called.
    ///
    /// # Errors
    /// As for [`TopK::select`]; [`Error::NoGpu`] where the runtime has no GPU.
    pub fn prepare<T: Element>(
        &self,
        runtime: &Runtime,
        rows: usize,
        n: usize,
    ) -> Result<PreparedTopK<T>, Error> {
        self.prepare_problem(runtime, &Problem::new(T::DTYPE, rows, n, self.k))
    }

    /// As [`TopK::prepare`], for rows apart from one another and for indices of either type (`u32`
    /// or `i64`). Of the problem, `rows`, `n` and `row_stride` count.
    ///
    /// # Errors
    /// As for [`TopK::prepare`].
    pub fn prepare_problem<T: Element, I: IndexType>(
        &self,
        runtime: &Runtime,
        problem: &Problem,
    ) -> Result<PreparedTopK<T, I>, Error> {
        let (gpu, plan) = self.plan_for_gpu::<T, I>(runtime, problem)?;
        PreparedTopK::new(gpu, plan)
    }

    /// As [`TopK::prepare_problem`], in a workspace of the caller's: `bytes` bytes at a device
    /// address, at least as many as [`Plan::workspace_bytes`] says. A part of it is cleared before
    /// this returns.
    ///
    /// # Errors
    /// As for [`TopK::prepare`]; [`Error::Buffer`] where the workspace is too small.
    ///
    /// # Safety
    /// - *in bounds*: the workspace is live, aligned to 8 bytes, and outlives the prepared calls;
    /// - *no concurrent writer*: nothing else writes it, and no other prepared calls that use it
    ///   are in flight, or were since.
    pub unsafe fn prepare_in<T: Element, I: IndexType>(
        &self,
        runtime: &Runtime,
        problem: &Problem,
        workspace: u64,
        bytes: usize,
    ) -> Result<PreparedTopK<T, I>, Error> {
        let (gpu, plan) = self.plan_for_gpu::<T, I>(runtime, problem)?;
        // SAFETY: the caller's duty, unchanged.
        unsafe { PreparedTopK::new_in(gpu, plan, workspace, bytes) }
    }

    fn plan_for_gpu<'r, T: Element, I: IndexType>(
        &self,
        runtime: &'r Runtime,
        problem: &Problem,
    ) -> Result<(&'r Gpu, Plan), Error> {
        let gpu = runtime.gpu().ok_or_else(|| Error::NoGpu {
            purpose: "prepared calls".to_string(),
            reason: format!(
                "the runtime was opened on {}; open it on cuda or emulator",
                runtime.device()
            ),
        })?;
        let problem = Problem { dtype: T::DTYPE, index: I::INDEX, ..*problem };
        Ok((gpu, self.plan(runtime, &problem)?))
    }
}
