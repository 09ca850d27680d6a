//! Stream capture and graphs.
//!
//! Between [`stream_begin_capture`] and [`stream_end_capture`] a stream records its work rather
//! than running it. The [`Graph`] recorded is instantiated once and then launched any number of
//! times, which costs the CPU far less than enqueuing each piece of work again.

use super::raw;
use crate::error::DriverError;
use crate::handle::{Graph, GraphExec, Stream};

/// `CU_STREAM_CAPTURE_MODE_THREAD_LOCAL`: calls of other threads do not disturb the capture.
const THREAD_LOCAL: u32 = 1;

/// Starts to record the work of a stream. Calls of this thread that could wait for a GPU are
/// errors until the capture ends.
///
/// # Safety
///
/// `stream` is live, and not the default stream.
pub unsafe fn stream_begin_capture(stream: Stream) -> Result<(), DriverError> {
    // SAFETY: the caller vouches for the handle; the mode is one that the driver knows.
    unsafe { raw::cuStreamBeginCapture_v2(stream, THREAD_LOCAL) }
}

/// Whether the work of a stream is being recorded, even if a call in between spoilt the capture.
///
/// # Safety
///
/// `stream` is live or null.
pub unsafe fn stream_is_capturing(stream: Stream) -> Result<bool, DriverError> {
    let mut status = 0;
    // SAFETY: the caller vouches for the handle; the driver writes one status to the place given.
    unsafe { raw::cuStreamIsCapturing(stream, &mut status) }?;
    Ok(status != 0)
}

/// Ends the recording and gives its graph.
///
/// # Errors
///
/// 901 if a call in between spoilt the capture; the stream is out of capture all the same.
///
/// # Safety
///
/// `stream` is live.
pub unsafe fn stream_end_capture(stream: Stream) -> Result<Graph, DriverError> {
    let mut graph = Graph::NULL;
    // SAFETY: the caller vouches for the handle; the driver writes one handle to the place given.
    unsafe { raw::cuStreamEndCapture(stream, &mut graph) }?;
    Ok(graph)
}

/// Makes a graph ready to launch. The graph itself may be destroyed after that.
///
/// # Safety
///
/// `graph` is live.
pub unsafe fn graph_instantiate(graph: Graph) -> Result<GraphExec, DriverError> {
    let mut exec = GraphExec::NULL;
    // SAFETY: the caller vouches for the handle; 0 asks for the default behaviour; the driver
    // writes one handle to the place given.
    unsafe { raw::cuGraphInstantiateWithFlags(&mut exec, graph, 0) }?;
    Ok(exec)
}

/// Enqueues the work of a graph.
///
/// # Safety
///
/// `exec` is live, `stream` is live or null, and the demands of every call recorded hold again:
/// its addresses are allocated, and nothing else uses the memory it writes.
#[inline]
pub unsafe fn graph_launch(exec: GraphExec, stream: Stream) -> Result<(), DriverError> {
    // SAFETY: the caller vouches for the handles and the memory.
    unsafe { raw::cuGraphLaunch(exec, stream) }
}

/// Frees a graph.
///
/// # Safety
///
/// `graph` is live and not used after this call.
pub unsafe fn graph_destroy(graph: Graph) -> Result<(), DriverError> {
    // SAFETY: the caller vouches for the handle.
    unsafe { raw::cuGraphDestroy(graph) }
}

/// Frees an instantiated graph.
///
/// # Safety
///
/// `exec` is live and not used after this call.
pub unsafe fn graph_exec_destroy(exec: GraphExec) -> Result<(), DriverError> {
    // SAFETY: the caller vouches for the handle.
    unsafe { raw::cuGraphExecDestroy(exec) }
}
