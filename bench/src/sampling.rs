//! Measuring draws on a GPU.
use aikf_topk::{
    DeviceChoice, Element, PreparedSampler, RawSample, Rows, Runtime, Sampler, SamplingParams,
};
use cuda_loader::{DevicePtr, Stream};

use crate::call::CALLS_MIN;
use crate::error::Error;
use crate::pool::Pool;
use crate::resources::{Graph, Memory, Queue, Timer};
use crate::times::{Effort, Measurement};
use crate::workload::Workload;

/// The most inputs that take turns.
const SETS_MAX: usize = 64;

/// Measures draws, a seed a row, and checks the tokens of the last call. Of the workload, `k` is
/// the rows' `top_k`; 0 keeps all.
///
/// # Errors
/// The library's and the driver's; [`Error::Refused`] where the pool is of a runtime without a GPU.
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
    let (tokens, status) = (Memory::new(rows * size_of::<u32>())?, Memory::new(4 * rows)?);
    let (queue, timer) = (Queue::new()?, Timer::new()?);
    let sets = pool.sets(workload).min(SETS_MAX);
    let calls = sets.max(CALLS_MIN);
    let inputs: Option<Vec<DevicePtr>> =
        (0..calls).map(|call| pool.address(workload, call % sets)).collect();
    let inputs = inputs.ok_or_else(|| Error::Refused("draws are measured on a GPU".to_string()))?;
    let graph = Graph::capture(&queue, |stream| {
        let outputs = [tokens.address().0, status.address().0];
        enqueue(&mut prepared, &inputs, outputs, stream)
    })?;
    // SAFETY: the pool, the outputs and what was prepared are live, and the timer waits.
    let replay = || unsafe { graph.launch(&queue) };
    let mut sample = || Ok(timer.time_us(&queue, replay)? / calls as f64);
    let times = Effort::RECORD.take(&mut [&mut sample])?;
    let drawn: Vec<u32> = tokens.read(rows, &queue)?;
    let right = is_right(&drawn, &params, pool.input(workload, (calls - 1) % sets), n)?;
    Ok(Measurement::new(&times[0], right))
}

/// Enqueues a call for each of the inputs.
fn enqueue<T: Element>(
    prepared: &mut PreparedSampler<T>,
    inputs: &[DevicePtr],
    [tokens, status]: [u64; 2],
    stream: Stream,
) -> Result<(), Error> {
    inputs.iter().try_for_each(|input| {
        let call = RawSample { input: input.0, tokens, status, ..Default::default() };
        // SAFETY: the addresses are of live memory with this room; the graph that this is captured
        // in goes before it is freed.
        Ok(unsafe { prepared.enqueue_raw(call, stream.0) }?)
    })
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
