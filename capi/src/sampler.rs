//! Samplers: planned, prepared, run.
use std::ffi::{CString, c_char, c_void};

use super::arguments::{free, give, put, reference, reference_mut};
use super::calls::Workspace;
use super::draws::{Draws, DrawsOnHost, SampleTyped};
use super::runtime::aikf_runtime;
use super::sample_call::aikf_sample_call;
use super::sampler_options::{SampleWish, aikf_sampler_options, aikf_sampling_params, read_params};
use super::status::{Fault, aikf_status, c_text, guard, guard_text};

/// Draws of one shape, prepared. One thread at a time may use it, and one run may be in flight: the
/// next goes on the same stream or behind it.
pub struct aikf_sampler {
    wish: SampleWish,
    draws: Box<dyn Draws>,
    explanation: CString,
}

/// How many bytes of workspace a sampler needs in the device's memory; 0 on the host's cores.
///
/// # Safety
/// The pointers are NULL or live, `params` with `params_count` entries.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn aikf_sampler_workspace_bytes(
    runtime: *const aikf_runtime,
    options: *const aikf_sampler_options,
    params: *const aikf_sampling_params,
    params_count: usize,
    bytes: *mut usize,
) -> aikf_status {
    let plan = || {
        // SAFETY: the caller's duty, unchanged.
        let runtime = unsafe { reference("runtime", runtime) }?;
        // SAFETY: the caller's duty, unchanged.
        let SampleWish { sampler, problem, .. } = unsafe { SampleWish::read(options) }?;
        // SAFETY: the caller's duty, unchanged.
        let params = unsafe { read_params(params, params_count) }?;
        Ok(sampler.plan(&runtime.runtime, &problem, &params)?.workspace().bytes)
    };
    // SAFETY: the caller's duty, unchanged.
    guard(|| unsafe { put("bytes", bytes, plan) })
}

/// Prepares a sampler: plans it, loads its kernels, allocates its workspace, which the handle owns,
/// and sends the parameters to the device. Nothing of that is done again when it is run.
///
/// - `params`: `params_count` entries, one for each row, or one for all.
///
/// # Safety
/// The pointers are NULL or live, `params` with `params_count` entries.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn aikf_sampler_prepare(
    runtime: *const aikf_runtime,
    options: *const aikf_sampler_options,
    params: *const aikf_sampling_params,
    params_count: usize,
    sampler: *mut *mut aikf_sampler,
) -> aikf_status {
    // SAFETY: the caller's duty, unchanged.
    let make = || unsafe { prepare(runtime, options, params, params_count, Workspace::Own) };
    // SAFETY: the caller's duty, unchanged.
    guard(|| unsafe { give("sampler", sampler, make) })
}

/// As `aikf_sampler_prepare`, in a workspace of the caller's: `bytes` bytes of the device's memory,
/// at least as many as `aikf_sampler_workspace_bytes` says, aligned to 8. A part of it is cleared
/// before this returns; it needs no clearing between runs. The parameters lie in memory of the
/// handle's own. On the host's cores there is no workspace, and it is left alone.
///
/// # Safety
/// The pointers are NULL or live, `params` with `params_count` entries; the workspace outlives the
/// handle, nothing else writes it, and no other handle that uses it is in flight, or was since.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn aikf_sampler_prepare_in(
    runtime: *const aikf_runtime,
    options: *const aikf_sampler_options,
    params: *const aikf_sampling_params,
    params_count: usize,
    workspace: *mut c_void,
    bytes: usize,
    sampler: *mut *mut aikf_sampler,
) -> aikf_status {
    let workspace = Workspace::Lent(workspace, bytes);
    // SAFETY: the caller's duty, unchanged.
    let make = || unsafe { prepare(runtime, options, params, params_count, workspace) };
    // SAFETY: the caller's duty, unchanged.
    guard(|| unsafe { give("sampler", sampler, make) })
}

/// # Safety
/// The duties of [`aikf_sampler_prepare_in`].
unsafe fn prepare(
    runtime: *const aikf_runtime,
    options: *const aikf_sampler_options,
    params: *const aikf_sampling_params,
    params_count: usize,
    workspace: Workspace,
) -> Result<aikf_sampler, Fault> {
    // SAFETY: the caller's duty, unchanged.
    let runtime = &unsafe { reference("runtime", runtime) }?.runtime;
    // SAFETY: the caller's duty, unchanged.
    let wish = unsafe { SampleWish::read(options) }?;
    // SAFETY: the caller's duty, unchanged.
    let params = unsafe { read_params(params, params_count) }?;
    let draws: Box<dyn Draws> = match runtime.gpu() {
        None => Box::new(DrawsOnHost::new(runtime, wish.clone(), params)?),
        // SAFETY: the caller's duty, unchanged.
        Some(_) => unsafe { (SampleTyped::of(&wish).prepare)(runtime, &wish, &params, workspace) }?,
    };
    let explanation = c_text(&draws.plan().explain());
    Ok(aikf_sampler { wish, draws, explanation })
}

/// Gives a sampler other parameters of the same kind, and waits until the device has them. A
/// greater `top_k`, or rows that need launches which were not prepared, are refused. Runs that are
/// in flight may see either.
///
/// # Safety
/// The pointers are NULL or live, `params` with `params_count` entries.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn aikf_sampler_set_params(
    sampler: *mut aikf_sampler,
    params: *const aikf_sampling_params,
    params_count: usize,
) -> aikf_status {
    guard(|| {
        // SAFETY: the caller's duty, unchanged.
        let sampler = unsafe { reference_mut("sampler", sampler) }?;
        // SAFETY: the caller's duty, unchanged.
        let params = unsafe { read_params(params, params_count) }?;
        sampler.draws.set_params(params)
    })
}

/// Draws from every row. On a GPU the pointers of the call are addresses in its memory, and
/// `stream` is a `CUstream` or `cudaStream_t` of it, NULL being the default stream: the launches
/// are enqueued there, without allocation or synchronisation, and may be captured in a graph. On
/// the host's cores the pointers are the host's, `stream` is NULL, and the tokens are there when
/// this returns.
///
/// A draw is a function of seed, position, sample number, the row and its parameters alone: the
/// same on every device, in any batch, at any place in it.
///
/// # Safety
/// The pointers are NULL or have what options and call say, aligned for their types; until the
/// stream has passed this run they stay (`call` itself need not), nothing else writes the inputs or
/// touches the outputs, and the handle lives. The stream is live and of this GPU.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn aikf_sampler_run(
    sampler: *mut aikf_sampler,
    call: *const aikf_sample_call,
    stream: *mut c_void,
) -> aikf_status {
    guard(|| {
        // SAFETY: the caller's duty, unchanged.
        let sampler = unsafe { reference_mut("sampler", sampler) }?;
        // SAFETY: the caller's duty, unchanged.
        let call = unsafe { aikf_sample_call::read(call, &sampler.wish) }?;
        // SAFETY: the caller's duty, unchanged.
        unsafe { sampler.draws.run(call, stream) }
    })
}

/// What a prepared sampler runs and why so, in lines of English for people to read. It lives as
/// long as the handle. NULL where `sampler` is.
///
/// # Safety
/// `sampler` is NULL or prepared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn aikf_sampler_explain(sampler: *const aikf_sampler) -> *const c_char {
    // SAFETY: the caller's duty, unchanged.
    guard_text(|| Ok(unsafe { reference("sampler", sampler) }?.explanation.as_ptr()))
}

/// Frees a prepared sampler, and its workspace unless it was lent. NULL is left alone.
///
/// # Safety
/// `sampler` is NULL or prepared, is not used again, and no run of it is in flight.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn aikf_sampler_free(sampler: *mut aikf_sampler) {
    // SAFETY: the caller's duty, unchanged.
    unsafe { free(sampler) };
}

/// Draws from rows in the host's memory on whatever device, and waits for the tokens. On a GPU the
/// rows travel there and the answer back: for few calls, and for tests. The pointers of the call
/// are the host's.
///
/// # Safety
/// The pointers are NULL or have what options and call say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn aikf_sampler_sample(
    runtime: *const aikf_runtime,
    options: *const aikf_sampler_options,
    params: *const aikf_sampling_params,
    params_count: usize,
    call: *const aikf_sample_call,
) -> aikf_status {
    guard(|| {
        // SAFETY: the caller's duty, unchanged.
        let runtime = &unsafe { reference("runtime", runtime) }?.runtime;
        // SAFETY: the caller's duty, unchanged.
        let wish = unsafe { SampleWish::read(options) }?;
        // SAFETY: the caller's duty, unchanged.
        let params = unsafe { read_params(params, params_count) }?;
        // SAFETY: the caller's duty, unchanged.
        let call = unsafe { aikf_sample_call::read(call, &wish) }?;
        // Before the pointers are followed: sizes may overflow.
        wish.sampler.plan(runtime, &wish.problem, &params)?;
        // SAFETY: the caller's duty, unchanged.
        unsafe { (SampleTyped::of(&wish).sample)(runtime, &wish, &params, call) }
    })
}
