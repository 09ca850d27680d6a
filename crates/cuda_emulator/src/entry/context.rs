//! The primary context, and each thread's stack of current contexts.

use std::sync::PoisonError;

use cuda_loader::error::code;

use super::device::check_device;
use super::{Out, entry_points, give, give_if_wanted};
use crate::device::DRIVER_VERSION;
use crate::state::{self, Outcome, State, with_contexts};

/// Checks that a handle is the live context's, or null where `null` allows it.
fn check_context(state: &State, context: usize, null: bool) -> Outcome {
    let fine = state.primary.handle == Some(context) || null && context == 0;
    if fine { Ok(()) } else { Err(code::INVALID_CONTEXT) }
}

/// Ends the context once the work under way is done.
fn reset() {
    let _idle = state::running().write().unwrap_or_else(PoisonError::into_inner);
    state::lock().reset_context();
}

/// Gives one retain back; the last one ends the context, once the work under way is done.
fn release() -> Outcome {
    // Both locks are held throughout, so that nobody retains what is about to end.
    let _idle = state::running().write().unwrap_or_else(PoisonError::into_inner);
    let mut state = state::lock();
    let retained = state.primary.retained.checked_sub(1).ok_or(code::INVALID_CONTEXT)?;
    state.primary.retained = retained;
    if retained == 0 {
        state.reset_context();
    }
    Ok(())
}

entry_points! {
    /// Retains the primary context, and makes it if there is none.
    fn cuDevicePrimaryCtxRetain(context: Out<'_, usize>, device: i32) {
        check_device(device)?;
        let mut state = state::lock();
        let handle = *state.primary.handle.get_or_insert_with(state::new_handle);
        give(context, handle)?;
        state.primary.retained += 1;
        Ok(())
    }

    /// Gives one retain back; the last one ends the context.
    fn cuDevicePrimaryCtxRelease_v2(device: i32) {
        check_device(device)?;
        release()
    }

    /// Ends the context whoever retains it.
    fn cuDevicePrimaryCtxReset_v2(device: i32) {
        check_device(device)?;
        reset();
        Ok(())
    }

    /// Sets flags, which mean nothing here.
    fn cuDevicePrimaryCtxSetFlags_v2(device: i32, flags: u32) {
        check_device(device)?;
        state::lock().primary.flags = flags;
        Ok(())
    }

    /// The flags, and whether the context is alive.
    fn cuDevicePrimaryCtxGetState(device: i32, flags: Out<'_, u32>, active: Out<'_, i32>) {
        check_device(device)?;
        let state = state::lock();
        give(flags, state.primary.flags)?;
        give(active, i32::from(state.primary.handle.is_some()))
    }

    /// Replaces this thread's current context; null for none.
    fn cuCtxSetCurrent(context: usize) {
        check_context(&*state::started()?, context, true)?;
        with_contexts(|contexts| {
            contexts.pop();
            contexts.extend((context != 0).then_some(context));
        });
        Ok(())
    }

    /// This thread's current context, or null.
    fn cuCtxGetCurrent(context: Out<'_, usize>) {
        drop(state::started()?);
        give(context, with_contexts(|contexts| contexts.last().copied()).unwrap_or(0))
    }

    /// Makes a context current and remembers the one before.
    fn cuCtxPushCurrent_v2(context: usize) {
        check_context(&*state::started()?, context, false)?;
        with_contexts(|contexts| contexts.push(context));
        Ok(())
    }

    /// Goes back to the context before.
    fn cuCtxPopCurrent_v2(context: Out<'_, usize>) {
        drop(state::started()?);
        let popped = with_contexts(Vec::pop).ok_or(code::INVALID_CONTEXT)?;
        give_if_wanted(context, popped);
        Ok(())
    }

    /// The GPU of the current context.
    fn cuCtxGetDevice(device: Out<'_, i32>) {
        drop(state::enter()?);
        give(device, 0)
    }

    /// The flags of the current context.
    fn cuCtxGetFlags(flags: Out<'_, u32>) {
        give(flags, state::enter()?.primary.flags)
    }

    /// The version of the interface.
    fn cuCtxGetApiVersion(context: usize, version: Out<'_, u32>) {
        check_context(&*state::started()?, context, true)?;
        give(version, DRIVER_VERSION as u32)
    }

    /// Streams have no priorities: the range is empty.
    fn cuCtxGetStreamPriorityRange(least: Out<'_, i32>, greatest: Out<'_, i32>) {
        drop(state::enter()?);
        give_if_wanted(least, 0);
        give_if_wanted(greatest, 0);
        Ok(())
    }

    /// Waits for all work, which is done already, and reports what failed.
    fn cuCtxSynchronize() {
        drop(state::enter_outside_capture()?);
        Ok(())
    }
}
