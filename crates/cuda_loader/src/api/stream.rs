//! Streams and events.

use super::raw;
use crate::error::DriverError;
use crate::handle::{Event, Stream};

/// `CU_STREAM_NON_BLOCKING`: the stream does not wait for the default stream.
const NON_BLOCKING: u32 = 1;

/// Creates a stream that runs beside the default stream.
pub fn stream_create() -> Result<Stream, DriverError> {
    let mut stream = Stream::NULL;
    // SAFETY: the flag is one that the driver knows; it writes one handle to the place given.
    unsafe { raw::cuStreamCreate(&mut stream, NON_BLOCKING) }?;
    Ok(stream)
}

/// Destroys a stream once its work is done; the call does not wait for that.
///
/// # Safety
///
/// `stream` is live and not used after this call.
pub unsafe fn stream_destroy(stream: Stream) -> Result<(), DriverError> {
    // SAFETY: the caller vouches for the handle.
    unsafe { raw::cuStreamDestroy_v2(stream) }
}

/// Waits for the work of a stream, and reports what failed in it.
///
/// # Safety
///
/// `stream` is live or null.
pub unsafe fn stream_synchronize(stream: Stream) -> Result<(), DriverError> {
    // SAFETY: the caller vouches for the handle.
    unsafe { raw::cuStreamSynchronize(stream) }
}

/// Creates an event that takes the time.
pub fn event_create() -> Result<Event, DriverError> {
    let mut event = Event::NULL;
    // SAFETY: 0 asks for the default behaviour; the driver writes one handle to the place given.
    unsafe { raw::cuEventCreate(&mut event, 0) }?;
    Ok(event)
}

/// Marks the present end of a stream's work with an event.
///
/// # Safety
///
/// `event` is live; `stream` is live or null, and of the same context.
pub unsafe fn event_record(event: Event, stream: Stream) -> Result<(), DriverError> {
    // SAFETY: the caller vouches for the handles.
    unsafe { raw::cuEventRecord(event, stream) }
}

/// Makes a stream wait for an event: what is enqueued on it after this call runs once the stream of
/// the event has got past the event's last mark. The call itself waits for nothing.
///
/// # Safety
///
/// `stream` is live or null; `event` is live, and of the same context.
pub unsafe fn stream_wait_event(stream: Stream, event: Event) -> Result<(), DriverError> {
    // SAFETY: the caller vouches for the handles; 0 asks for the default behaviour.
    unsafe { raw::cuStreamWaitEvent(stream, event, 0) }
}

/// Waits until the stream has got past the event.
///
/// # Safety
///
/// `event` is live.
pub unsafe fn event_synchronize(event: Event) -> Result<(), DriverError> {
    // SAFETY: the caller vouches for the handle.
    unsafe { raw::cuEventSynchronize(event) }
}

/// Milliseconds between two events.
///
/// # Errors
///
/// 600 (not ready) if the work before one of them has not finished, 400 (invalid handle) if one
/// was never recorded.
///
/// # Safety
///
/// Both events are live.
pub unsafe fn event_elapsed(start: Event, end: Event) -> Result<f32, DriverError> {
    let mut milliseconds = 0.0;
    // SAFETY: the caller vouches for the handles; the driver writes one float to the place given.
    unsafe { raw::cuEventElapsedTime(&mut milliseconds, start, end) }?;
    Ok(milliseconds)
}

/// Destroys an event.
///
/// # Safety
///
/// `event` is live and not used after this call.
pub unsafe fn event_destroy(event: Event) -> Result<(), DriverError> {
    // SAFETY: the caller vouches for the handle.
    unsafe { raw::cuEventDestroy_v2(event) }
}
