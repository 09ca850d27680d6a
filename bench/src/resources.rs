//! Streams, memory, graphs and events that go when their owners do.
use std::ffi::c_void;

use bytemuck::Pod;
use cuda_loader::api::{graph, memory, stream};
use cuda_loader::{DevicePtr, Event, GraphExec, Stream};

use crate::error::Error;

/// A stream.
#[derive(Debug)]
pub(crate) struct Queue(Stream);

impl Queue {
    pub(crate) fn new() -> Result<Queue, Error> {
        Ok(Queue(stream::stream_create()?))
    }

    pub(crate) fn stream(&self) -> Stream {
        self.0
    }

    /// Waits for what was enqueued.
    pub(crate) fn wait(&self) -> Result<(), Error> {
        // SAFETY: the stream is live while `self` is.
        Ok(unsafe { stream::stream_synchronize(self.0) }?)
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: created in `new`, destroyed once.
        let _ = unsafe { stream::stream_destroy(self.0) };
    }
}

/// Device memory.
#[derive(Debug)]
pub(crate) struct Memory {
    address: DevicePtr,
    bytes: usize,
}

impl Memory {
    /// `bytes` bytes, at least one, uninitialised.
    pub(crate) fn new(bytes: usize) -> Result<Memory, Error> {
        Ok(Memory { address: memory::mem_alloc(bytes.max(1))?, bytes })
    }

    /// A copy of these elements.
    pub(crate) fn of<T: Pod>(data: &[T], queue: &Queue) -> Result<Memory, Error> {
        let memory = Memory::new(size_of_val(data))?;
        let from = data.as_ptr().cast::<c_void>();
        // SAFETY: both sides have that many bytes, and the stream is waited for.
        unsafe { memory::memcpy_htod_async(memory.address, from, memory.bytes, queue.stream()) }?;
        queue.wait()?;
        Ok(memory)
    }

    /// The first `count` elements, behind what is on the stream.
    pub(crate) fn read<T: Pod>(&self, count: usize, queue: &Queue) -> Result<Vec<T>, Error> {
        let mut data = vec![T::zeroed(); count];
        let bytes = size_of_val(data.as_slice());
        assert!(bytes <= self.bytes, "{bytes} bytes of {}", self.bytes);
        let to = data.as_mut_ptr().cast::<c_void>();
        // SAFETY: both sides have that many bytes, and the stream is waited for.
        unsafe { memory::memcpy_dtoh_async(to, self.address, bytes, queue.stream()) }?;
        queue.wait()?;
        Ok(data)
    }

    pub(crate) fn address(&self) -> DevicePtr {
        self.address
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: allocated in `new`, freed once; freeing waits for the work that uses it.
        let _ = unsafe { memory::mem_free(self.address) };
    }
}

/// An instantiated graph.
#[derive(Debug)]
pub(crate) struct Graph(GraphExec);

impl Graph {
    /// What `enqueue` puts on the stream, recorded rather than run.
    pub(crate) fn capture(
        queue: &Queue,
        enqueue: impl FnOnce(Stream) -> Result<(), Error>,
    ) -> Result<Graph, Error> {
        // SAFETY: the stream is live, and not the default one.
        unsafe { graph::stream_begin_capture(queue.stream()) }?;
        let enqueued = enqueue(queue.stream());
        // SAFETY: the stream is live.
        let captured = unsafe { graph::stream_end_capture(queue.stream()) };
        // The reason comes before its consequence.
        enqueued?;
        let captured = captured?;
        // SAFETY: captured just now.
        let exec = unsafe { graph::graph_instantiate(captured) };
        // SAFETY: the executable graph does not need it any more.
        unsafe { graph::graph_destroy(captured) }?;
        Ok(Graph(exec?))
    }

    /// Enqueues what was recorded.
    ///
    /// # Safety
    /// All that the recorded work uses is live until the stream was waited for, and used by nothing
    /// else.
    pub(crate) unsafe fn launch(&self, queue: &Queue) -> Result<(), Error> {
        // SAFETY: graph and stream are live; the rest is the caller's duty, unchanged.
        Ok(unsafe { graph::graph_launch(self.0, queue.stream()) }?)
    }
}

impl Drop for Graph {
    fn drop(&mut self) {
        // SAFETY: instantiated in `capture`, destroyed once; whoever launched it has waited.
        let _ = unsafe { graph::graph_exec_destroy(self.0) };
    }
}

/// The device's clock: two events.
#[derive(Debug)]
pub(crate) struct Timer {
    start: Event,
    end: Event,
}

impl Timer {
    pub(crate) fn new() -> Result<Timer, Error> {
        Ok(Timer { start: stream::event_create()?, end: stream::event_create()? })
    }

    /// Microseconds of device time that the stream takes for what `enqueue` puts on it.
    pub(crate) fn time_us(
        &self,
        queue: &Queue,
        enqueue: impl FnOnce() -> Result<(), Error>,
    ) -> Result<f64, Error> {
        // SAFETY: event and stream are live.
        unsafe { stream::event_record(self.start, queue.stream()) }?;
        let enqueued = enqueue();
        // SAFETY: as above.
        unsafe { stream::event_record(self.end, queue.stream()) }?;
        // Also where something failed: nothing may be in flight when its memory goes.
        // SAFETY: the event is live.
        unsafe { stream::event_synchronize(self.end) }?;
        enqueued?;
        // SAFETY: both were recorded, and the second was waited for.
        let milliseconds = unsafe { stream::event_elapsed(self.start, self.end) }?;
        Ok(f64::from(milliseconds) * 1e3)
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        // SAFETY: created in `new`, destroyed once.
        let _ = unsafe { stream::event_destroy(self.start) };
        // SAFETY: as above.
        let _ = unsafe { stream::event_destroy(self.end) };
    }
}
