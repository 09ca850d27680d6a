//! Measuring a GPU: rows and answer stay on the device, and events on the stream take the time.
//!
//! A sample is many calls between two events. Enqueueing a call takes the host longer than a small
//! problem takes the device; with many calls in line the device is what is measured, not the host.
//! The rows of a small problem then stay in the device's cache, as they do behind the layer that
//! has just written them.
#![allow(unsafe_code)]

use std::time::Duration;

use aikf_topk::{DeviceSlice, DeviceSliceMut, Element, PreparedTopK, Runtime, Selection, TopK};
use cust::event::{Event, EventFlags};
use cust::memory::{CopyDestination, DeviceBuffer};
use cust::stream::{Stream, StreamFlags};

use crate::error::Error;

/// How long a sample should last, so that the events' own time does not count.
const SAMPLE_SECONDS: f64 = 500e-6;
const CALLS_MAX: f64 = 200.0;

/// A prepared call, and all that it works on.
pub struct Resident<T> {
    // Dropped from the top: the stream's work ends before what it works on goes.
    stream: Stream,
    start: Event,
    stop: Event,
    prepared: PreparedTopK<T>,
    input: DeviceBuffer<u8>,
    values: DeviceBuffer<u8>,
    indices: DeviceBuffer<u32>,
    calls: u32,
}

impl<T: Element> Resident<T> {
    /// Takes the rows to the device, and finds out how many calls make a sample.
    pub fn new(
        topk: &TopK,
        runtime: &Runtime,
        elements: &[T],
        (rows, n): (usize, usize),
    ) -> Result<Resident<T>, Error> {
        let prepared = topk.prepare::<T>(runtime, rows, n)?;
        let outputs = prepared.plan().problem.output_elements();
        let mut resident = Resident {
            // A blocking stream: it waits for the copies below, which are on the default stream.
            stream: Stream::new(StreamFlags::DEFAULT, None)?,
            start: Event::new(EventFlags::DEFAULT)?,
            stop: Event::new(EventFlags::DEFAULT)?,
            prepared,
            input: DeviceBuffer::from_slice(bytemuck::cast_slice(elements))?,
            values: DeviceBuffer::zeroed(outputs * size_of::<T>())?,
            indices: DeviceBuffer::zeroed(outputs)?,
            calls: 1,
        };
        resident.sample()?; // the first call is slow: it is what loads the kernels
        let call = resident.sample()?.as_secs_f64().max(1e-9);
        resident.calls = (SAMPLE_SECONDS / call).ceil().clamp(1.0, CALLS_MAX) as u32;
        Ok(resident)
    }

    /// The device's time of a call, from as many as make a sample.
    pub fn sample(&mut self) -> Result<Duration, Error> {
        self.start.record(&self.stream)?;
        for _ in 0..self.calls {
            self.enqueue()?;
        }
        self.stop.record(&self.stream)?;
        self.stop.synchronize()?;
        let milliseconds = self.stop.elapsed_time_f32(&self.start)?.max(0.0);
        Ok(Duration::from_secs_f32(milliseconds / 1e3) / self.calls)
    }

    fn enqueue(&mut self) -> Result<(), Error> {
        let elements = self.input.len() / size_of::<T>();
        let outputs = self.indices.len();
        let address = self.input.as_device_ptr().as_raw();
        // SAFETY: the buffer holds the elements' bytes, and allocations are aligned for any type.
        let input = unsafe { DeviceSlice::<T>::from_raw(address, elements) };
        let address = self.values.as_device_ptr().as_raw();
        // SAFETY: as above, and nobody else uses it.
        let values = unsafe { DeviceSliceMut::<T>::from_raw(address, outputs) };
        // SAFETY: all are fields beside the stream, which is waited for before they are read, and
        // whose work freeing memory waits for.
        unsafe { self.prepared.enqueue(input, values, &mut self.indices, &self.stream) }?;
        Ok(())
    }

    /// The answer of the last call.
    pub fn answer(&self) -> Result<Selection<T>, Error> {
        self.stream.synchronize()?;
        let problem = self.prepared.plan().problem;
        let mut bytes = vec![0; self.values.len()];
        self.values.copy_to(&mut bytes)?;
        let mut indices = vec![0; self.indices.len()];
        self.indices.copy_to(&mut indices)?;
        Ok(Selection {
            rows: problem.rows,
            k: problem.k,
            values: bytemuck::pod_collect_to_vec(&bytes),
            indices,
        })
    }
}
