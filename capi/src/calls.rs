//! Prepared selections, whatever their types and wherever they run.
use std::ffi::c_void;

use aikf_topk::{Dtype, Element, Index, Plan, PreparedTopK, RawCall, Runtime};
use half::{bf16, f16};

use super::host::{self, HostIndex};
use super::status::Fault;
use super::topk_options::Wish;

/// The pointers of one call.
#[derive(Clone, Copy)]
pub(crate) struct Call {
    pub input: *const c_void,
    pub lengths: *const u32,
    pub values: *mut c_void,
    pub indices: *mut c_void,
}

impl Call {
    /// Whether what must be there is, for at least one row.
    pub(crate) fn check(&self) -> Result<(), Fault> {
        let pointers = [("input", self.input), ("values", self.values), ("indices", self.indices)];
        let missing = pointers.iter().find(|(_, pointer)| pointer.is_null());
        missing.map_or(Ok(()), |(name, _)| Err(Fault::Null(name)))
    }
}

/// Where prepared calls have their workspace.
#[derive(Clone, Copy)]
pub(crate) enum Workspace {
    /// They own it.
    Own,
    /// The caller's, with its bytes.
    Lent(*mut c_void, usize),
}

/// Prepared calls.
pub(crate) trait Calls {
    fn plan(&self) -> &Plan;

    /// # Safety
    /// The duties of [`aikf_topk_run`](super::topk::aikf_topk_run).
    unsafe fn run(&mut self, call: &Call, stream: *mut c_void) -> Result<(), Fault>;
}

impl<T: Element, I: HostIndex> Calls for PreparedTopK<T, I> {
    fn plan(&self) -> &Plan {
        self.plan()
    }

    unsafe fn run(&mut self, call: &Call, stream: *mut c_void) -> Result<(), Fault> {
        if self.plan().problem.rows > 0 {
            call.check()?;
        }
        let call = RawCall {
            input: call.input as u64,
            lengths: (!call.lengths.is_null()).then_some(call.lengths as u64),
            values: call.values as u64,
            indices: call.indices as u64,
        };
        // SAFETY: the caller's duty, unchanged.
        Ok(unsafe { self.enqueue_raw(call, stream) }?)
    }
}

/// Calls on the host's cores, which need no preparation.
pub(crate) struct OnHost {
    runtime: Runtime,
    wish: Wish,
    plan: Plan,
}

impl OnHost {
    pub(crate) fn new(runtime: &Runtime, wish: Wish) -> Result<OnHost, Fault> {
        let plan = wish.topk.plan(runtime, &wish.problem)?;
        Ok(OnHost { runtime: runtime.clone(), wish, plan })
    }
}

impl Calls for OnHost {
    fn plan(&self) -> &Plan {
        &self.plan
    }

    unsafe fn run(&mut self, call: &Call, stream: *mut c_void) -> Result<(), Fault> {
        host::check_no_stream(stream)?;
        // SAFETY: the caller's duty, unchanged.
        unsafe { (Typed::of(&self.wish).select)(&self.runtime, &self.wish, call) }
    }
}

type Prepared = Result<Box<dyn Calls>, Fault>;

/// The functions for one pair of types.
#[derive(Clone, Copy)]
pub(crate) struct Typed {
    /// # Safety
    /// A lent workspace is as `aikf_topk_prepare_in` says.
    pub prepare: unsafe fn(&Runtime, &Wish, Workspace) -> Prepared,
    /// # Safety
    /// The duties of [`host::select`].
    pub select: unsafe fn(&Runtime, &Wish, &Call) -> Result<(), Fault>,
}

impl Typed {
    pub(crate) fn of(wish: &Wish) -> Typed {
        match (wish.problem.dtype, wish.problem.index) {
            (Dtype::F32, Index::U32) => Typed::new::<f32, u32>(),
            (Dtype::F32, Index::I64) => Typed::new::<f32, i64>(),
            (Dtype::F16, Index::U32) => Typed::new::<f16, u32>(),
            (Dtype::F16, Index::I64) => Typed::new::<f16, i64>(),
            (Dtype::Bf16, Index::U32) => Typed::new::<bf16, u32>(),
            (Dtype::Bf16, Index::I64) => Typed::new::<bf16, i64>(),
        }
    }

    fn new<T: Element, I: HostIndex>() -> Typed {
        Typed { prepare: prepare::<T, I>, select: host::select::<T, I> }
    }
}

/// # Safety
/// A lent workspace is as `aikf_topk_prepare_in` says.
unsafe fn prepare<T: Element, I: HostIndex>(
    runtime: &Runtime,
    wish: &Wish,
    workspace: Workspace,
) -> Prepared {
    let Wish { topk, problem } = wish;
    let prepared: PreparedTopK<T, I> = match workspace {
        Workspace::Own => topk.prepare_problem(runtime, problem)?,
        Workspace::Lent(address, bytes) => {
            check_workspace(address, bytes)?;
            // SAFETY: the caller's duty, unchanged.
            unsafe { topk.prepare_in(runtime, problem, address as u64, bytes) }?
        }
    };
    Ok(Box::new(prepared))
}

/// The alignment of a lent workspace, in bytes.
const WORKSPACE_ALIGNMENT: usize = 8;

/// Whether a lent workspace may be one.
pub(crate) fn check_workspace(address: *mut c_void, bytes: usize) -> Result<(), Fault> {
    if address.is_null() && bytes > 0 {
        return Err(Fault::Null("workspace"));
    }
    match address.addr().is_multiple_of(WORKSPACE_ALIGNMENT) {
        true => Ok(()),
        false => Err(Fault::argument(
            "workspace",
            format!("{address:?}"),
            format!("it must be a multiple of {WORKSPACE_ALIGNMENT}"),
        )),
    }
}
