//! Streams, and their capture.

use std::thread;

use cuda_loader::error::code;

use super::{Out, entry_points, give};
use crate::state::{self, Capture, Outcome, State, Stream};
use crate::work::capture_of;

/// `CU_STREAM_CAPTURE_MODE_RELAXED`: the capture forbids its thread nothing.
const RELAXED: u32 = 2;

/// Makes a stream.
fn create(stream: Out<'_, usize>, flags: u32, priority: i32) -> Outcome {
    // The only flag is 1, non-blocking, which is what all streams are here.
    if flags > 1 {
        return Err(code::INVALID_VALUE);
    }
    let mut state = state::enter()?;
    give(stream, state.streams.insert(Stream { flags, priority, capture: None }))
}

/// Waits for a stream: all its work is done already, unless it only records.
fn wait(stream: usize) -> Outcome {
    let mut state = state::enter()?;
    match capture_of(&state, stream)? {
        None => Ok(()),
        Some(capture) => {
            state.captures.get_mut(capture)?.valid = false;
            Err(code::STREAM_CAPTURE_UNSUPPORTED)
        }
    }
}

/// Takes a capture and all its streams out of the tables.
fn finish(state: &mut State, handle: usize) -> Result<Capture, u32> {
    for stream in state.streams.values_mut() {
        stream.capture.take_if(|capture| *capture == handle);
    }
    state.captures.remove(handle)
}

entry_points! {
    /// Makes a stream.
    fn cuStreamCreate(stream: Out<'_, usize>, flags: u32) {
        create(stream, flags, 0)
    }

    /// Makes a stream; priorities mean nothing where nothing overlaps.
    fn cuStreamCreateWithPriority(stream: Out<'_, usize>, flags: u32, priority: i32) {
        create(stream, flags, priority)
    }

    /// Ends a stream, and a capture that it began.
    fn cuStreamDestroy_v2(stream: usize) {
        let mut state = state::enter()?;
        let capture = state.streams.remove(stream)?.capture;
        if let Some(capture) = capture
            && state.captures.get(capture)?.origin == stream
        {
            finish(&mut state, capture)?;
        }
        Ok(())
    }

    /// Waits for a stream, and reports what failed.
    fn cuStreamSynchronize(stream: usize) {
        wait(stream)
    }

    /// Whether a stream's work is done: it always is.
    fn cuStreamQuery(stream: usize) {
        wait(stream)
    }

    /// The flags of a stream.
    fn cuStreamGetFlags(stream: usize, flags: Out<'_, u32>) {
        give(flags, state::enter()?.streams.get(stream)?.flags)
    }

    /// The priority of a stream.
    fn cuStreamGetPriority(stream: usize, priority: Out<'_, i32>) {
        give(priority, state::enter()?.streams.get(stream)?.priority)
    }

    /// Makes a stream wait for an event. All work before the event is done already; in a capture
    /// the stream joins that of the event, whose order of recording is then the graph's.
    fn cuStreamWaitEvent(stream: usize, event: usize, _flags: u32) {
        let mut state = state::enter()?;
        let joined = state.events.get(event)?.capture;
        if joined.is_some_and(|capture| state.captures.get(capture).is_err()) {
            return Err(code::INVALID_VALUE); // that capture is over
        }
        if stream <= 2 {
            return joined.map_or(Ok(()), |_| Err(code::STREAM_CAPTURE_UNSUPPORTED));
        }
        let stream = state.streams.get_mut(stream)?;
        stream.capture = joined.or(stream.capture);
        Ok(())
    }

    /// Starts to record the work of a stream.
    fn cuStreamBeginCapture_v2(stream: usize, mode: u32) {
        let mut state = state::enter()?;
        if mode > RELAXED {
            return Err(code::INVALID_VALUE);
        }
        if stream <= 2 {
            return Err(code::STREAM_CAPTURE_UNSUPPORTED);
        }
        if state.streams.get(stream)?.capture.is_some() {
            return Err(code::ILLEGAL_STATE);
        }
        let (thread, strict) = (thread::current().id(), mode != RELAXED);
        let capture = Capture { origin: stream, thread, strict, valid: true, work: Vec::new() };
        let handle = state.captures.insert(capture);
        state.streams.get_mut(stream)?.capture = Some(handle);
        Ok(())
    }

    /// Whether a stream is being recorded: 0 no, 1 yes, 2 yes but spoilt.
    fn cuStreamIsCapturing(stream: usize, status: Out<'_, u32>) {
        let state = state::enter()?;
        let valid = match capture_of(&state, stream)? {
            Some(capture) => Some(state.captures.get(capture)?.valid),
            None => None,
        };
        give(status, valid.map_or(0, |valid| if valid { 1 } else { 2 }))
    }

    /// Ends a recording and gives its graph.
    fn cuStreamEndCapture(stream: usize, graph: Out<'_, usize>) {
        let mut state = state::enter()?;
        let place = graph.ok_or(code::INVALID_VALUE)?;
        place.write(0);
        let handle = capture_of(&state, stream)?.ok_or(code::ILLEGAL_STATE)?;
        let capture = state.captures.get(handle)?;
        if capture.origin != stream {
            return Err(code::STREAM_CAPTURE_UNMATCHED);
        }
        let wrong_thread = capture.strict && capture.thread != thread::current().id();
        // Whoever asks, the capture is over then.
        let Capture { valid, work, .. } = finish(&mut state, handle)?;
        if wrong_thread {
            return Err(code::STREAM_CAPTURE_WRONG_THREAD);
        }
        if !valid {
            return Err(code::STREAM_CAPTURE_INVALIDATED);
        }
        place.write(state.graphs.insert(work));
        Ok(())
    }
}
