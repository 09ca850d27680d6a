//! One way to solve one workload, ready to be timed.
use std::time::Instant;

use aikf_topk::{
    Backend, DeviceChoice, Element, PreparedTopK, Problem, RawCall, Rows, Runtime, Selection, TopK,
};
use cuda_loader::Stream;

use crate::error::Error;
use crate::pool::Pool;
use crate::reference::Reference;
use crate::resources::{Graph, Memory, Queue, Timer};
use crate::times::{Effort, Measurement};
use crate::workload::Workload;

/// Bytes of the pool that cold inputs rotate through: several times what any cache holds.
const COLD_BYTES: usize = 240_000_000;
/// Calls in a graph whose inputs come from memory, at least.
pub(crate) const CALLS_MIN: usize = 20;
/// Calls in a graph whose input stays in the cache.
const WARM_CALLS: usize = 100;
/// How long a sample of calls without a graph should last, so that the events' own time does not
/// count.
const EAGER_SAMPLE_US: f64 = 500.0;
const EAGER_CALLS_MAX: f64 = 200.0;

/// How calls reach a GPU, and where their inputs come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Method {
    /// In a replayed CUDA graph; else one by one.
    pub graph: bool,
    /// Inputs rotate through more memory than caches hold; else it is the same one again and again.
    pub cold: bool,
}

impl Method {
    /// In a graph, from memory: how this product measures itself.
    pub const RECORD: Method = Method { graph: true, cold: true };

    /// Bytes of the pool that inputs are to rotate through.
    pub fn pool_bytes(self) -> usize {
        if self.cold { COLD_BYTES } else { 0 }
    }

    /// What becomes of it with a backend, as reports name it. `torch` refuses to be captured.
    pub fn name(self, backend: Backend) -> &'static str {
        match (backend, self.graph, self.cold) {
            (Backend::Cpu, ..) => "cpu",
            (Backend::Torch, ..) | (_, false, _) => "eager",
            (_, true, true) => "graph-cold",
            (_, true, false) => "graph-warm",
        }
    }
}

/// A workload, a plan for it, and all that they work on.
#[derive(Debug)]
pub struct Call<'a, T> {
    workload: Workload,
    pool: &'a Pool<T>,
    /// The inputs that take turns.
    sets: usize,
    /// The input of the last call.
    last: usize,
    work: Work<'a, T>,
}

#[derive(Debug)]
enum Work<'a, T> {
    Cpu { topk: TopK, runtime: &'a Runtime, answer: Option<Selection<T>> },
    Gpu(OnGpu<T>),
}

/// Dropped from the top: the graph goes before what it works on.
#[derive(Debug)]
struct OnGpu<T> {
    graph: Option<Graph>,
    prepared: PreparedTopK<T>,
    outputs: Outputs,
    timer: Timer,
    queue: Queue,
    /// Calls of a sample.
    calls: usize,
}

#[derive(Debug)]
struct Outputs {
    values: Memory,
    indices: Memory,
}

impl<'a, T: Element> Call<'a, T> {
    /// Plans and prepares; on a GPU runs once, so that kernels are loaded, and captures a graph if
    /// there is to be one.
    ///
    /// # Errors
    /// The library's and the driver's.
    pub fn new(
        runtime: &'a Runtime,
        topk: &TopK,
        workload: &Workload,
        pool: &'a Pool<T>,
        method: Method,
    ) -> Result<Call<'a, T>, Error> {
        let plan = topk.plan(runtime, &workload.problem())?;
        let sets = if method.cold { pool.sets(workload) } else { 1 };
        let work = match plan.backend {
            Backend::Cpu => Work::Cpu { topk: topk.clone(), runtime, answer: None },
            _ => Work::Gpu(OnGpu::new(runtime, topk, workload)?),
        };
        let mut call = Call { workload: *workload, pool, sets, last: 0, work };
        let is_fast = runtime.device() != DeviceChoice::Emulator;
        let least = match (is_fast, method.cold) {
            (false, _) => 1,
            (true, true) => CALLS_MIN,
            (true, false) => WARM_CALLS,
        };
        match method.graph && plan.backend != Backend::Torch {
            true => call.record(sets.max(least))?,
            false => call.count_calls(is_fast)?,
        }
        Ok(call)
    }

    /// Captures so many calls.
    fn record(&mut self, calls: usize) -> Result<(), Error> {
        let Work::Gpu(gpu) = &mut self.work else {
            return Ok(());
        };
        let OnGpu { prepared, outputs, queue, .. } = gpu;
        let graph = Graph::capture(queue, |stream| {
            let mut sets = (0..calls).map(|call| call % self.sets);
            sets.try_for_each(|set| {
                outputs.enqueue(prepared, self.pool, &self.workload, set, stream)
            })
        })?;
        gpu.graph = Some(graph);
        gpu.calls = calls;
        self.last = (calls - 1) % self.sets;
        Ok(())
    }

    /// Without a graph: how many calls make a sample.
    fn count_calls(&mut self, is_fast: bool) -> Result<(), Error> {
        self.sample_us()?; // the first call is slow: it is what loads the kernels
        if is_fast && matches!(self.work, Work::Gpu(_)) {
            let call_us = self.sample_us()?.max(1e-3);
            let calls = (EAGER_SAMPLE_US / call_us).ceil().clamp(1.0, EAGER_CALLS_MAX);
            if let Work::Gpu(gpu) = &mut self.work {
                gpu.calls = calls as usize;
            }
        }
        Ok(())
    }

    /// Microseconds of a call: the device's time over as many calls as make a sample, or on the CPU
    /// the wall time of one.
    ///
    /// # Errors
    /// The library's and the driver's.
    pub fn sample_us(&mut self) -> Result<f64, Error> {
        let Workload { rows, n, .. } = self.workload;
        match &mut self.work {
            Work::Cpu { topk, runtime, answer } => {
                self.last = (self.last + 1) % self.sets;
                let input = self.pool.input(&self.workload, self.last);
                let rows = Rows::new(input, rows, n)?;
                let start = Instant::now();
                *answer = Some(topk.select(runtime, rows)?);
                Ok(start.elapsed().as_nanos() as f64 / 1e3)
            }
            Work::Gpu(gpu) if gpu.graph.is_some() => gpu.replay_us(),
            Work::Gpu(gpu) => {
                let first = self.last + 1;
                let calls = first..first + gpu.calls;
                self.last = (calls.end - 1) % self.sets;
                gpu.eager_us(self.pool, &self.workload, calls.map(|call| call % self.sets))
            }
        }
    }

    /// The answer of the last call. There must have been a sample.
    ///
    /// # Errors
    /// The driver's.
    pub fn answer(&self) -> Result<Selection<T>, Error> {
        let Workload { rows, k, .. } = self.workload;
        match &self.work {
            Work::Cpu { answer, .. } => Ok(answer.clone().expect("there was a sample")),
            Work::Gpu(gpu) => Ok(Selection {
                rows,
                k,
                values: gpu.outputs.values.read(rows * k, &gpu.queue)?,
                indices: gpu.outputs.indices.read(rows * k, &gpu.queue)?,
            }),
        }
    }

    /// The input of the last call.
    pub fn input(&self) -> &'a [T] {
        self.pool.input(&self.workload, self.last)
    }
}

impl<T: Element> OnGpu<T> {
    fn new(runtime: &Runtime, topk: &TopK, workload: &Workload) -> Result<OnGpu<T>, Error> {
        let Workload { rows, n, k, .. } = *workload;
        let prepared = topk.prepare::<T>(runtime, rows, n)?;
        let values = Memory::new(rows * k * size_of::<T>())?;
        let indices = Memory::new(rows * k * size_of::<u32>())?;
        let (timer, queue) = (Timer::new()?, Queue::new()?);
        let outputs = Outputs { values, indices };
        Ok(OnGpu { graph: None, prepared, outputs, timer, queue, calls: 1 })
    }

    fn replay_us(&self) -> Result<f64, Error> {
        let graph = self.graph.as_ref().expect("it was captured");
        // SAFETY: the graph works on the pool and on fields of `self`; the timer waits.
        let launch = || unsafe { graph.launch(&self.queue) };
        Ok(self.timer.time_us(&self.queue, launch)? / self.calls as f64)
    }

    fn eager_us(
        &mut self,
        pool: &Pool<T>,
        workload: &Workload,
        mut sets: impl Iterator<Item = usize>,
    ) -> Result<f64, Error> {
        let OnGpu { prepared, outputs, timer, queue, calls, .. } = self;
        let stream = queue.stream();
        let enqueue =
            || sets.try_for_each(|set| outputs.enqueue(prepared, pool, workload, set, stream));
        Ok(timer.time_us(queue, enqueue)? / *calls as f64)
    }
}

impl Outputs {
    fn enqueue<T: Element>(
        &self,
        prepared: &mut PreparedTopK<T>,
        pool: &Pool<T>,
        workload: &Workload,
        set: usize,
        stream: Stream,
    ) -> Result<(), Error> {
        let input = pool.address(workload, set).expect("a pool for a GPU is on it");
        let (values, indices) = (self.values.address().0, self.indices.address().0);
        let call = RawCall { input: input.0, lengths: None, values, indices };
        // SAFETY: the addresses are of live memory with this room: the pool's, which outlives the
        // call, and our own, which goes after the graph and after the stream was waited for.
        Ok(unsafe { prepared.enqueue_raw(call, stream.0) }?)
    }
}

impl Workload {
    /// The problem that it is: the greatest, best first.
    pub fn problem(&self) -> Problem {
        Problem::new(self.dtype, self.rows, self.n, self.k)
    }
}

/// Measures one workload in graphs, from memory, and checks the answer.
///
/// # Errors
/// The library's and the driver's.
pub fn measure<T: Element>(
    runtime: &Runtime,
    topk: &TopK,
    workload: &Workload,
    pool: &Pool<T>,
) -> Result<Measurement, Error> {
    let mut call = Call::new(runtime, topk, workload, pool, Method::RECORD)?;
    let times = Effort::RECORD.take(&mut [&mut || call.sample_us()])?;
    let reference = Reference::new(call.input(), workload);
    let right = reference.difference(&call.answer()?, Backend::Auto).is_none();
    Ok(Measurement::new(&times[0], right))
}
