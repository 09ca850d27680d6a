//! Measuring on a GPU.
use aikf_topk::{
    DeviceChoice, Element, Error, PreparedTopK, Problem, RawCall, Rows, Runtime, TopK,
};
use cuda_loader::api::{graph, memory, stream};
use cuda_loader::{DevicePtr, DriverError, Event, GraphExec, Stream};
use rayon::prelude::*;

use crate::workload::Workload;

/// Bytes of the pool that inputs are cut from: several times what any cache holds.
const POOL_BYTES: usize = 240_000_000;
/// The most inputs that are cut from it, and so the most calls in a graph.
const SETS_MAX: usize = 1024;
/// Replays that are timed.
const REPLAYS: usize = 15;
/// Calls in a graph, at least.
pub(crate) const CALLS_MIN: usize = 20;

/// Device time of one call, in microseconds.
#[derive(Clone, Copy, Debug)]
pub struct Measurement {
    /// The median over replays.
    pub median_us: f64,
    /// The fastest replay.
    pub least_us: f64,
    /// Whether the answer was right.
    pub right: bool,
}

/// Bell-shaped elements, on the host and on the device.
#[derive(Debug)]
pub struct Pool<T> {
    pub(crate) host: Vec<T>,
    pub(crate) device: DevicePtr,
}

impl<T: Element> Pool<T> {
    /// Fills a pool on the runtime's GPU.
    ///
    /// # Errors
    /// The driver's.
    pub fn new(runtime: &Runtime, of_f32: impl Fn(f32) -> T + Sync) -> Result<Pool<T>, Error> {
        runtime.gpu().expect("measuring needs a GPU").make_current()?;
        let count = (POOL_BYTES / size_of::<T>()) as u64;
        let host: Vec<T> = (0..count).into_par_iter().map(|i| of_f32(bell(i))).collect();
        let bytes = size_of_val(host.as_slice());
        let device = memory::mem_alloc(bytes)?;
        let upload = stream::stream_create()?;
        // SAFETY: both sides have that many bytes, and the stream is waited for.
        unsafe { memory::memcpy_htod_async(device, host.as_ptr().cast(), bytes, upload) }?;
        // SAFETY: the stream is live.
        unsafe { stream::stream_synchronize(upload) }?;
        Ok(Pool { host, device })
    }
}

/// A value from its number: the sum of four uniform ones, scaled to unit variance.
fn bell(i: u64) -> f32 {
    let mut x = i.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^= x >> 31;
    let sum: f32 = (0..4).map(|part| (x >> (16 * part) & 0xffff) as f32 / 65536.0).sum();
    (sum - 2.0) * 1.732
}

/// Measures one problem, and checks the answer of the last call.
///
/// # Errors
/// The library's and the driver's.
pub fn measure<T: Element>(
    runtime: &Runtime,
    topk: &TopK,
    workload: &Workload,
    pool: &Pool<T>,
) -> Result<Measurement, Error> {
    let Workload { rows, n, k, .. } = *workload;
    let problem = Problem::new(T::DTYPE, rows, n, k);
    let mut prepared = topk.prepare::<T>(runtime, rows, n)?;
    let (values, indices) = (
        memory::mem_alloc(problem.output_elements() * size_of::<T>())?,
        memory::mem_alloc(problem.output_elements() * size_of::<u32>())?,
    );
    let stream = stream::stream_create()?;
    let sets = (pool.host.len() / (rows * n)).clamp(1, SETS_MAX);
    let calls = sets.max(CALLS_MIN);
    let bench = Bench { stream, values, indices };
    let exec = bench.capture(&mut prepared, pool, rows * n, sets, calls)?;
    // SAFETY: graph, stream, pool and outputs are live.
    let times = unsafe { time(stream, exec, calls) }?;
    let last = (calls - 1) % sets * rows * n;
    let right = bench.is_right(topk, workload, &pool.host[last..last + rows * n])?;
    // SAFETY: the stream was waited for, nothing is in flight.
    unsafe { graph::graph_exec_destroy(exec) }?;
    // SAFETY: as above.
    unsafe { memory::mem_free(values) }?;
    // SAFETY: as above.
    unsafe { memory::mem_free(indices) }?;
    // SAFETY: as above.
    unsafe { stream::stream_destroy(stream) }?;
    Ok(Measurement { median_us: times[times.len() / 2], least_us: times[0], right })
}

/// Microseconds a call of every replay, least first.
///
/// # Safety
/// Graph and stream are live, and so is what the graph uses.
pub(crate) unsafe fn time(
    stream: Stream,
    exec: GraphExec,
    calls: usize,
) -> Result<Vec<f64>, DriverError> {
    let (start, end) = (stream::event_create()?, stream::event_create()?);
    let mut times = vec![];
    for replay in 0..REPLAYS + 3 {
        // SAFETY: the caller's duty, unchanged; the events are live.
        let us = unsafe { time_replay(stream, exec, start, end) }? * 1e3 / calls as f64;
        // The first ones warm up.
        if replay >= 3 {
            times.push(us);
        }
    }
    times.sort_by(f64::total_cmp);
    // SAFETY: both were waited for.
    unsafe { stream::event_destroy(start) }?;
    // SAFETY: as above.
    unsafe { stream::event_destroy(end) }?;
    Ok(times)
}

/// Milliseconds of one replay.
///
/// # Safety
/// As for [`time`]; the events are live.
unsafe fn time_replay(
    stream: Stream,
    exec: GraphExec,
    start: Event,
    end: Event,
) -> Result<f64, DriverError> {
    // SAFETY: event and stream are live.
    unsafe { stream::event_record(start, stream) }?;
    // SAFETY: graph and stream are live, and so is what the graph uses.
    unsafe { graph::graph_launch(exec, stream) }?;
    // SAFETY: event and stream are live.
    unsafe { stream::event_record(end, stream) }?;
    // SAFETY: the event is live.
    unsafe { stream::event_synchronize(end) }?;
    // SAFETY: both were recorded, and the second was waited for.
    Ok(unsafe { stream::event_elapsed(start, end) }?.into())
}

struct Bench {
    stream: Stream,
    values: DevicePtr,
    indices: DevicePtr,
}

impl Bench {
    /// Captures `calls` calls whose inputs rotate through the pool's `sets`.
    fn capture<T: Element>(
        &self,
        prepared: &mut PreparedTopK<T>,
        pool: &Pool<T>,
        elements: usize,
        sets: usize,
        calls: usize,
    ) -> Result<GraphExec, Error> {
        // SAFETY: the stream is live and used by nobody else.
        unsafe { graph::stream_begin_capture(self.stream) }?;
        let enqueued = (0..calls).try_for_each(|call| {
            let at = pool.device.byte_add(call % sets * elements * size_of::<T>());
            let (values, indices) = (self.values.0, self.indices.0);
            let call = RawCall { input: at.0, lengths: None, values, indices };
            // SAFETY: the addresses are of live memory with this room; the graph is destroyed
            // before it is freed.
            unsafe { prepared.enqueue_raw(call, self.stream.0) }
        });
        // SAFETY: the capture was begun above.
        let captured = unsafe { graph::stream_end_capture(self.stream) }?;
        enqueued?;
        // SAFETY: captured just now.
        let exec = unsafe { graph::graph_instantiate(captured) }?;
        // SAFETY: the executable graph does not need it any more.
        unsafe { graph::graph_destroy(captured) }?;
        Ok(exec)
    }

    /// Whether the outputs are the answer for these rows; looks at up to eight of them.
    fn is_right<T: Element>(
        &self,
        topk: &TopK,
        workload: &Workload,
        data: &[T],
    ) -> Result<bool, Error> {
        let Workload { rows, n, k, .. } = *workload;
        let (mut values, mut indices) = (vec![T::zeroed(); rows * k], vec![0u32; rows * k]);
        let bytes = size_of_val(values.as_slice());
        // SAFETY: both sides have that many bytes, and the stream is waited for below.
        unsafe {
            memory::memcpy_dtoh_async(values.as_mut_ptr().cast(), self.values, bytes, self.stream)
        }?;
        let bytes = size_of_val(indices.as_slice());
        // SAFETY: as above.
        unsafe {
            memory::memcpy_dtoh_async(indices.as_mut_ptr().cast(), self.indices, bytes, self.stream)
        }?;
        // SAFETY: the stream is live.
        unsafe { stream::stream_synchronize(self.stream) }?;
        let cpu = Runtime::open(DeviceChoice::Cpu)?;
        let topk = topk.clone().backend(aikf_topk::Backend::Cpu);
        for row in (0..rows).step_by(rows.div_ceil(8)) {
            let right = topk.select(&cpu, Rows::new(&data[row * n..][..n], 1, n)?)?;
            let same_bits = |a: &[T], b: &[T]| {
                bytemuck::cast_slice::<T, u8>(a) == bytemuck::cast_slice::<T, u8>(b)
            };
            if right.indices != indices[row * k..][..k]
                || !same_bits(&right.values, &values[row * k..][..k])
            {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
