//! Selections: planned, prepared, run.
use std::ffi::{CString, c_char, c_void};

use super::arguments::{free, give, put, reference, reference_mut};
use super::calls::{Call, Calls, OnHost, Typed, Workspace};
use super::runtime::aikf_runtime;
use super::status::{Fault, aikf_status, c_text, guard, guard_text};
use super::topk_options::{Wish, aikf_topk_options};

/// Selections of one shape, prepared. One thread at a time may use it, and one run may be in
/// flight: the next goes on the same stream or behind it.
pub struct aikf_topk {
    calls: Box<dyn Calls>,
    explanation: CString,
}

/// How many bytes of workspace the selection needs in the device's memory; 0 on the host's cores.
/// It follows from the arguments alone, and nothing is launched.
///
/// # Safety
/// The pointers are NULL or live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn aikf_topk_workspace_bytes(
    runtime: *const aikf_runtime,
    options: *const aikf_topk_options,
    bytes: *mut usize,
) -> aikf_status {
    let plan = || {
        // SAFETY: the caller's duty, unchanged.
        let runtime = unsafe { reference("runtime", runtime) }?;
        // SAFETY: the caller's duty, unchanged.
        let wish = unsafe { Wish::read(options) }?;
        Ok(wish.topk.plan(&runtime.runtime, &wish.problem)?.workspace_bytes())
    };
    // SAFETY: the caller's duty, unchanged.
    guard(|| unsafe { put("bytes", bytes, plan) })
}

/// Prepares a selection: plans it, loads its kernels, allocates its workspace, which the handle
/// owns. Nothing of that is done again when it is run.
///
/// # Safety
/// The pointers are NULL or live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn aikf_topk_prepare(
    runtime: *const aikf_runtime,
    options: *const aikf_topk_options,
    topk: *mut *mut aikf_topk,
) -> aikf_status {
    // SAFETY: the caller's duty, unchanged.
    let make = || unsafe { prepare(runtime, options, Workspace::Own) };
    // SAFETY: the caller's duty, unchanged.
    guard(|| unsafe { give("topk", topk, make) })
}

/// As `aikf_topk_prepare`, in a workspace of the caller's: `bytes` bytes of the device's memory, at
/// least as many as `aikf_topk_workspace_bytes` says, aligned to 8. A part of it is cleared before
/// this returns; it needs no clearing between runs. On the host's cores there is none, and it is
/// left alone.
///
/// # Safety
/// The pointers are NULL or live; the workspace outlives the handle, nothing else writes it, and no
/// other handle that uses it is in flight, or was since.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn aikf_topk_prepare_in(
    runtime: *const aikf_runtime,
    options: *const aikf_topk_options,
    workspace: *mut c_void,
    bytes: usize,
    topk: *mut *mut aikf_topk,
) -> aikf_status {
    // SAFETY: the caller's duty, unchanged.
    let make = || unsafe { prepare(runtime, options, Workspace::Lent(workspace, bytes)) };
    // SAFETY: the caller's duty, unchanged.
    guard(|| unsafe { give("topk", topk, make) })
}

/// Runs a selection. On a GPU the pointers are addresses in its memory, and `stream` is a
/// `CUstream` or `cudaStream_t` of it, NULL being the default stream: the launches are enqueued
/// there, without allocation or synchronisation (but by backend "torch"), and may be captured in a
/// graph. On the host's cores the pointers are the host's, `stream` is NULL, and the answer is
/// there when this returns.
///
/// - `input`: the rows;
/// - `lengths`: how many elements of each row are there, `rows` numbers, at most `n` each; NULL
///   where all are. Places for which a row has no element get -inf (+inf for the smallest) and no
///   index;
/// - `values`, `indices`: room for `rows * k` of each, best first.
///
/// # Safety
/// The pointers are NULL or have what the options say, aligned for their types; until the stream
/// has passed this run they stay, nothing else writes the inputs or touches the outputs, and the
/// handle lives. The stream is live and of this GPU.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn aikf_topk_run(
    topk: *mut aikf_topk,
    input: *const c_void,
    lengths: *const u32,
    values: *mut c_void,
    indices: *mut c_void,
    stream: *mut c_void,
) -> aikf_status {
    guard(|| {
        // SAFETY: the caller's duty, unchanged.
        let topk = unsafe { reference_mut("topk", topk) }?;
        let call = Call { input, lengths, values, indices };
        // SAFETY: the caller's duty, unchanged.
        unsafe { topk.calls.run(&call, stream) }
    })
}

/// What a prepared selection runs and why so, in lines of English for people to read. It lives as
/// long as the handle. NULL where `topk` is.
///
/// # Safety
/// `topk` is NULL or prepared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn aikf_topk_explain(topk: *const aikf_topk) -> *const c_char {
    // SAFETY: the caller's duty, unchanged.
    guard_text(|| Ok(unsafe { reference("topk", topk) }?.explanation.as_ptr()))
}

/// Frees a prepared selection, and its workspace if it owns it. NULL is left alone.
///
/// # Safety
/// `topk` is NULL or prepared, is not used again, and no run of it is in flight.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn aikf_topk_free(topk: *mut aikf_topk) {
    // SAFETY: the caller's duty, unchanged.
    unsafe { free(topk) };
}

/// Selects from rows in the host's memory on whatever device, and waits for the answer. On a GPU
/// the rows travel there and the answer back: for few calls, and for tests. The pointers are as for
/// `aikf_topk_run` on the host's cores.
///
/// # Safety
/// The pointers are NULL or have what the options say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn aikf_topk_select(
    runtime: *const aikf_runtime,
    options: *const aikf_topk_options,
    input: *const c_void,
    lengths: *const u32,
    values: *mut c_void,
    indices: *mut c_void,
) -> aikf_status {
    guard(|| {
        // SAFETY: the caller's duty, unchanged.
        let runtime = unsafe { reference("runtime", runtime) }?;
        // SAFETY: the caller's duty, unchanged.
        let wish = unsafe { Wish::read(options) }?;
        let call = Call { input, lengths, values, indices };
        // SAFETY: the caller's duty, unchanged.
        unsafe { (Typed::of(&wish).select)(&runtime.runtime, &wish, &call) }
    })
}

/// # Safety
/// The duties of [`aikf_topk_prepare_in`].
unsafe fn prepare(
    runtime: *const aikf_runtime,
    options: *const aikf_topk_options,
    workspace: Workspace,
) -> Result<aikf_topk, Fault> {
    // SAFETY: the caller's duty, unchanged.
    let runtime = &unsafe { reference("runtime", runtime) }?.runtime;
    // SAFETY: the caller's duty, unchanged.
    let wish = unsafe { Wish::read(options) }?;
    let calls: Box<dyn Calls> = match runtime.gpu() {
        None => Box::new(OnHost::new(runtime, wish)?),
        // SAFETY: the caller's duty, unchanged.
        Some(_) => unsafe { (Typed::of(&wish).prepare)(runtime, &wish, workspace) }?,
    };
    let explanation = c_text(&calls.plan().explain());
    Ok(aikf_topk { calls, explanation })
}
