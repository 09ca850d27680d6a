//! Events, with the time of the host's clock.

use std::time::Instant;

use cuda_loader::error::code;

use super::{Out, entry_points, give};
use crate::state::{self, Event, Outcome};
use crate::work::capture_of;

/// `CU_EVENT_DISABLE_TIMING`.
const TIMELESS: u32 = 2;

/// Marks now, or the present end of a recording.
fn record(event: usize, stream: usize) -> Outcome {
    let mut state = state::enter()?;
    let capture = capture_of(&state, stream)?;
    let event = state.events.get_mut(event)?;
    event.capture = capture;
    if capture.is_none() {
        event.recorded = Some(Instant::now());
    }
    Ok(())
}

/// Waits for an event: what was before it is done already, unless it was only recorded. To wait
/// spoils the capture that the event is part of, and strict captures of this thread.
fn wait(event: usize) -> Outcome {
    let mut state = state::enter()?;
    let Some(capture) = state.events.get(event)?.capture else {
        drop(state);
        return state::enter_outside_capture().map(drop);
    };
    // Once the capture is over, its events are of no use until they are recorded again.
    let capture = state.captures.get_mut(capture).map_err(|_| code::INVALID_VALUE)?;
    capture.valid = false;
    Err(code::CAPTURED_EVENT)
}

entry_points! {
    /// Makes an event.
    fn cuEventCreate(event: Out<'_, usize>, flags: u32) {
        let mut state = state::enter()?;
        let timeless = flags & TIMELESS != 0;
        give(event, state.events.insert(Event { timeless, ..Event::default() }))
    }

    /// Ends an event.
    fn cuEventDestroy_v2(event: usize) {
        state::enter()?.events.remove(event)?;
        Ok(())
    }

    /// Marks the present end of a stream's work.
    fn cuEventRecord(event: usize, stream: usize) {
        record(event, stream)
    }

    /// Waits for an event.
    fn cuEventSynchronize(event: usize) {
        wait(event)
    }

    /// Whether an event has passed.
    fn cuEventQuery(event: usize) {
        wait(event)
    }

    /// Milliseconds between two events.
    fn cuEventElapsedTime(milliseconds: Out<'_, f32>, start: usize, end: usize) {
        let state = state::enter()?;
        let time = |event| {
            let event = state.events.get(event)?;
            if event.timeless { None } else { event.recorded }.ok_or(code::INVALID_HANDLE)
        };
        let (start, end) = (time(start)?, time(end)?);
        // An end before the start gives a negative time, as on a GPU.
        let forwards = end.saturating_duration_since(start).as_secs_f32();
        let backwards = start.saturating_duration_since(end).as_secs_f32();
        give(milliseconds, (forwards - backwards) * 1e3)
    }
}
