//! Measuring draws on a GPU.
use aikf_topk::{
    DeviceChoice, Element, Error, PreparedSampler, RawSample, Rows, Runtime, Sampler,
    SamplingParams,
};
use cuda_loader::api::{graph, memory, stream};
use cuda_loader::{DevicePtr, GraphExec, Stream};

use crate::device::{CALLS_MIN, Measurement, Pool, time};
use crate::workload::Workload;

/// The most inputs that are cut from the pool.
const SETS_MAX: usize = 64;

/// Measures draws, a seed a row, and checks the tokens of the last call. Of the workload, `k` is
/// the rows' `top_k`; 0 keeps all.
///
/// # Errors
/// The library's and the driver's.
pub fn measure_sampling<T: Element>(
    runtime: &Runtime,
    params: SamplingParams,
    workload: &Workload,
    pool: &Pool<T>,
) -> Result<Measurement, Error> {
    let Workload { rows, n, k, .. } = *workload;
    let params: Vec<SamplingParams> = (0..rows as u64)
        .map(|seed| SamplingParams { top_k: k as i64, seed: Some(seed), ..params })
        .collect();
    let mut prepared = Sampler::new().prepare::<T>(runtime, rows, n, &params)?;
    let tokens = memory::mem_alloc(rows * size_of::<u32>())?;
    let status = memory::mem_alloc(rows * size_of::<u32>())?;
    let stream = stream::stream_create()?;
    let sets = (pool.host.len() / (rows * n)).clamp(1, SETS_MAX);
    let calls = sets.max(CALLS_MIN);
    let inputs: Vec<DevicePtr> = (0..calls)
        .map(|call| pool.device.byte_add(call % sets * rows * n * size_of::<T>()))
        .collect();
    let exec = capture(&mut prepared, &inputs, tokens, status, stream)?;
    // SAFETY: graph, stream, pool and outputs are live.
    let times = unsafe { time(stream, exec, calls) }?;
    let last = (calls - 1) % sets * rows * n;
    let mut drawn = vec![0u32; rows];
    let bytes = size_of_val(drawn.as_slice());
    // SAFETY: both sides have that many bytes, and the stream is waited for below.
    unsafe { memory::memcpy_dtoh_async(drawn.as_mut_ptr().cast(), tokens, bytes, stream) }?;
    // SAFETY: the stream is live.
    unsafe { stream::stream_synchronize(stream) }?;
    let right = is_right(&drawn, &params, &pool.host[last..last + rows * n], n)?;
    // SAFETY: the stream was waited for, nothing is in flight.
    unsafe { graph::graph_exec_destroy(exec) }?;
    // SAFETY: as above.
    unsafe { memory::mem_free(tokens) }?;
    // SAFETY: as above.
    unsafe { memory::mem_free(status) }?;
    // SAFETY: as above.
    unsafe { stream::stream_destroy(stream) }?;
    Ok(Measurement { median_us: times[times.len() / 2], least_us: times[0], right })
}

/// Captures a call for each of the inputs.
fn capture<T: Element>(
    prepared: &mut PreparedSampler<T>,
    inputs: &[DevicePtr],
    tokens: DevicePtr,
    status: DevicePtr,
    stream: Stream,
) -> Result<GraphExec, Error> {
    // SAFETY: the stream is live and used by nobody else.
    unsafe { graph::stream_begin_capture(stream) }?;
    let enqueued = inputs.iter().try_for_each(|input| {
        let (tokens, status) = (tokens.0, status.0);
        let call = RawSample { input: input.0, tokens, status, ..Default::default() };
        // SAFETY: the addresses are of live memory with this room; the graph is destroyed before
        // it is freed.
        unsafe { prepared.enqueue_raw(call, stream.0) }
    });
    // SAFETY: the capture was begun above.
    let captured = unsafe { graph::stream_end_capture(stream) }?;
    enqueued?;
    // SAFETY: captured just now.
    let exec = unsafe { graph::graph_instantiate(captured) }?;
    // SAFETY: the executable graph does not need it any more.
    unsafe { graph::graph_destroy(captured) }?;
    Ok(exec)
}

/// Whether these are the tokens that the CPU draws; looks at up to eight rows.
fn is_right<T: Element>(
    drawn: &[u32],
    params: &[SamplingParams],
    data: &[T],
    n: usize,
) -> Result<bool, Error> {
    let cpu = Runtime::open(DeviceChoice::Cpu)?;
    for row in (0..params.len()).step_by(params.len().div_ceil(8)) {
        let rows = Rows::new(&data[row * n..][..n], 1, n)?;
        let right = Sampler::new().sample(&cpu, rows, &params[row..=row])?;
        if right.tokens[0] != drawn[row] {
            return Ok(false);
        }
    }
    Ok(true)
}
