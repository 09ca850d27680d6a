//! The public face: [`TopK`] on slices of the host's memory, [`PreparedTopK`] on a GPU's.
use std::ffi::c_void;
use std::marker::PhantomData;

use cuda_loader::{DevicePtr, Stream};

use crate::buffers::{DeviceSlice, DeviceSliceMut, StreamRef};
use crate::cpu;
use crate::device::{DeviceMemory, Gpu, OwnStream};
use crate::element::Element;
use crate::error::Error;
use crate::knobs::{Knob, Origin};
use crate::launch::{Buffers, PreparedSelect};
use crate::plan::{Plan, Work};
use crate::problem::Problem;
use crate::runtime::Runtime;
use crate::settings::{Backend, Settings};

/// A borrowed view of rows in the host's memory: `[rows, n]`, the last dimension contiguous.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a, T> {
    data: &'a [T],
    rows: usize,
    n: usize,
    row_stride: usize,
}

impl<'a, T: Element> Rows<'a, T> {
    /// `rows` rows of `n` elements that follow one another in `data`.
    ///
    /// # Errors
    /// [`Error::Buffer`] where `data` has fewer than `rows * n` elements.
    pub fn new(data: &'a [T], rows: usize, n: usize) -> Result<Self, Error> {
        Rows::with_stride(data, rows, n, n)
    }

    /// As [`Rows::new`], with `row_stride` elements from one row's start to the next.
    ///
    /// # Errors
    /// [`Error::Buffer`] where `data` ends before the last row does.
    pub fn with_stride(
        data: &'a [T],
        rows: usize,
        n: usize,
        row_stride: usize,
    ) -> Result<Self, Error> {
        let before_last = rows.saturating_sub(1).saturating_mul(row_stride);
        let needed = if rows == 0 {
            0
        } else {
            before_last.saturating_add(n)
        };
        if data.len() < needed {
            return Err(Error::Buffer {
                what: "the slice of rows",
                actual: data.len(),
                needed,
            });
        }
        Ok(Rows {
            data,
            rows,
            n,
            row_stride,
        })
    }
}

/// The answer: values and indices `[rows, k]`, each row best first, equals by index.
#[derive(Clone, Debug, PartialEq)]
pub struct Selection<T> {
    /// Rows.
    pub rows: usize,
    /// Elements a row.
    pub k: usize,
    /// The chosen elements, bit for bit.
    pub values: Vec<T>,
    /// Their places in their rows.
    pub indices: Vec<u32>,
}

impl<T: Copy> Selection<T> {
    /// Index and value of a row's elements, best first.
    ///
    /// # Panics
    /// Where there is no such row.
    pub fn row(&self, row: usize) -> impl Iterator<Item = (u32, T)> + '_ {
        let range = row * self.k..(row + 1) * self.k;
        self.indices[range.clone()]
            .iter()
            .copied()
            .zip(self.values[range].iter().copied())
    }
}

/// A selection of the best `k` of every row, as one wants it.
///
/// # Example
/// ```
/// use aikf_topk::{DeviceChoice, Rows, Runtime, TopK};
///
/// let runtime = Runtime::open(DeviceChoice::Cpu)?;
/// let logits = [0.5f32, 2.0, -1.0, 2.0, 0.0, 7.5];
/// let top = TopK::new(2).select(&runtime, Rows::new(&logits, 2, 3)?)?;
/// assert_eq!(top.indices, [1, 0, 2, 0]);
/// assert_eq!(top.values, [2.0, 0.5, 7.5, 2.0]);
/// # Ok::<(), aikf_topk::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct TopK {
    k: usize,
    largest: bool,
    settings: Settings,
}

impl TopK {
    /// The greatest `k` of every row.
    pub fn new(k: usize) -> TopK {
        TopK {
            k,
            largest: true,
            settings: Settings::default(),
        }
    }

    /// The greatest (`true`, the default) or the smallest. NaN is the greatest in both.
    pub fn largest(mut self, largest: bool) -> TopK {
        self.largest = largest;
        self
    }

    /// The backend; default is what the environment says, then [`Backend::Auto`].
    pub fn backend(mut self, backend: Backend) -> TopK {
        self.settings.backend = Some(backend);
        self
    }

    /// Sets a tuning knob, before what the environment says.
    ///
    /// # Errors
    /// [`Error::Setting`] where the value is not legal.
    pub fn knob(mut self, knob: Knob, value: &str) -> Result<TopK, Error> {
        self.settings.knobs.set(knob, value, Origin::Builder)?;
        Ok(self)
    }

    /// How a problem of this shape would be solved on the runtime's device. Pure: launches nothing.
    ///
    /// # Errors
    /// As for [`TopK::select`].
    pub fn plan(&self, runtime: &Runtime, problem: &Problem) -> Result<Plan, Error> {
        let problem = Problem {
            k: self.k,
            largest: self.largest,
            ..*problem
        };
        let limits = runtime.gpu().map(Gpu::limits);
        Plan::new(&problem, limits, &self.settings.or(runtime.settings()))
    }

    /// Selects from rows in the host's memory, and waits for the answer. On a GPU the rows travel
    /// there and the answer back.
    ///
    /// # Errors
    /// [`Error::Problem`] for a `k` of 0 or above `n`; [`Error::Unsupported`] where the backend
    /// cannot do it on this device; [`Error::Driver`] where the driver fails.
    pub fn select<T: Element>(
        &self,
        runtime: &Runtime,
        rows: Rows<'_, T>,
    ) -> Result<Selection<T>, Error> {
        let problem = Problem {
            row_stride: rows.row_stride,
            ..Problem::new(T::DTYPE, rows.rows, rows.n, self.k)
        };
        let plan = self.plan(runtime, &problem)?;
        let (values, indices) = match (&plan.work, runtime.gpu()) {
            (Work::Nothing, _) => (vec![], vec![]),
            (Work::Gpu(_), Some(gpu)) => PreparedTopK::new(gpu, plan)?.round_trip(rows.data)?,
            _ => cpu::select(rows.data, &plan.problem),
        };
        Ok(Selection {
            rows: rows.rows,
            k: self.k,
            values,
            indices,
        })
    }

    /// Prepares calls of one shape on rows in a GPU's memory: plans, finds the kernels, allocates
    /// the workspace. Nothing of that is done again when it is called.
    ///
    /// # Errors
    /// As for [`TopK::select`]; [`Error::NoDevice`] where the runtime has no GPU.
    pub fn prepare<T: Element>(
        &self,
        runtime: &Runtime,
        rows: usize,
        n: usize,
    ) -> Result<PreparedTopK<T>, Error> {
        let gpu = runtime.gpu().ok_or_else(|| Error::NoDevice {
            requested: "for rows in a GPU's memory".to_string(),
            reason: format!("the runtime was opened on {}", runtime.device()),
        })?;
        PreparedTopK::new(
            gpu,
            self.plan(runtime, &Problem::new(T::DTYPE, rows, n, self.k))?,
        )
    }
}

/// Calls of one shape on a GPU, with their workspace. One call at a time may be in flight.
#[derive(Debug)]
pub struct PreparedTopK<T> {
    gpu: Gpu,
    plan: Plan,
    launches: Option<PreparedSelect>,
    workspace: DeviceMemory,
    element: PhantomData<T>,
}

impl<T: Element> PreparedTopK<T> {
    fn new(gpu: &Gpu, plan: Plan) -> Result<Self, Error> {
        let launches = match &plan.work {
            Work::Gpu(select) => Some(PreparedSelect::new(gpu, select)?),
            Work::Nothing => None,
            Work::Cpu => {
                return Err(Error::NoDevice {
                    requested: "for rows in a GPU's memory".to_string(),
                    reason: "backend cpu reads the host's memory; choose another".to_string(),
                });
            }
        };
        let workspace = DeviceMemory::new(gpu, plan.workspace_bytes())?;
        workspace.clear_from(plan.workspace().tickets_offset(), &OwnStream::new(gpu)?)?;
        Ok(PreparedTopK {
            gpu: gpu.clone(),
            plan,
            launches,
            workspace,
            element: PhantomData,
        })
    }

    /// The plan that is followed.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Enqueues a selection on the caller's stream: one launch or two, no allocation, no
    /// synchronisation; may be captured in a graph.
    ///
    /// - `input`: the rows, on the device, `[rows, n]`;
    /// - `values`: room for `[rows, k]` elements;
    /// - `indices`: room for `[rows, k]` indices.
    ///
    /// # Errors
    /// [`Error::Buffer`] where one of them is too short; [`Error::Driver`].
    ///
    /// # Safety
    /// - The three stay allocated, and nothing else touches the outputs or writes the input, until
    ///   the stream has passed this call.
    /// - `self` lives as long, and its next call is enqueued on the same stream or behind it.
    /// - The stream is live and of this GPU.
    pub unsafe fn enqueue<'a>(
        &mut self,
        input: impl Into<DeviceSlice<'a, T>>,
        values: impl Into<DeviceSliceMut<'a, T>>,
        indices: impl Into<DeviceSliceMut<'a, u32>>,
        stream: impl Into<StreamRef<'a>>,
    ) -> Result<(), Error> {
        let (input, values, indices) = (input.into(), values.into(), indices.into());
        let problem = &self.plan.problem;
        check_room("the input", input.len(), problem.input_elements())?;
        check_room(
            "the values' buffer",
            values.len(),
            problem.output_elements(),
        )?;
        check_room(
            "the indices' buffer",
            indices.len(),
            problem.output_elements(),
        )?;
        // SAFETY: the lengths were checked above, and the caller vouches for the rest.
        unsafe {
            self.enqueue_raw(
                input.address().0,
                values.address().0,
                indices.address().0,
                stream.into().raw().0,
            )
        }
    }

    /// As [`PreparedTopK::enqueue`], on device addresses and a `CUstream` of any library; lengths
    /// cannot be checked.
    ///
    /// # Errors
    /// [`Error::Driver`].
    ///
    /// # Safety
    /// - `input` is the address of the problem's [`Problem::input_elements`], `values` and `indices`
    ///   of room for its [`Problem::output_elements`], each aligned for its type.
    /// - The duties of [`PreparedTopK::enqueue`].
    pub unsafe fn enqueue_raw(
        &mut self,
        input: u64,
        values: u64,
        indices: u64,
        stream: *mut c_void,
    ) -> Result<(), Error> {
        self.gpu.make_current()?;
        if let Some(prepared) = &self.launches {
            let buffers = Buffers {
                input: DevicePtr(input),
                values: DevicePtr(values),
                indices: DevicePtr(indices),
                workspace: self.workspace.address(),
            };
            // SAFETY: the workspace is the plan's own, and the caller vouches for the rest.
            unsafe { prepared.enqueue(&buffers, Stream(stream)) }?;
        }
        Ok(())
    }

    /// Rows to the device, selection, answer back.
    fn round_trip(mut self, rows: &[T]) -> Result<(Vec<T>, Vec<u32>), Error> {
        let problem = &self.plan.problem;
        let (count, outputs) = (problem.input_elements(), problem.output_elements());
        let stream = OwnStream::new(&self.gpu)?;
        let input = DeviceMemory::new(&self.gpu, count * size_of::<T>())?;
        let values = DeviceMemory::new(&self.gpu, outputs * size_of::<T>())?;
        let indices = DeviceMemory::new(&self.gpu, outputs * size_of::<u32>())?;
        input.upload(&rows[..count], &stream)?;
        let (x, v, i) = (input.address().0, values.address().0, indices.address().0);
        // SAFETY: the memory was allocated above for this problem, and is freed after the stream
        // was waited for below.
        let enqueued = unsafe { self.enqueue_raw(x, v, i, stream.stream.0) };
        let answer = enqueued.and_then(|()| {
            Ok((
                values.download(outputs, &stream)?,
                indices.download(outputs, &stream)?,
            ))
        });
        // Also where something failed: nothing may be in flight when the buffers go.
        let waited = stream.synchronize();
        let answer = answer?;
        waited?;
        Ok(answer)
    }
}

fn check_room(what: &'static str, actual: usize, needed: usize) -> Result<(), Error> {
    if actual < needed {
        Err(Error::Buffer {
            what,
            actual,
            needed,
        })
    } else {
        Ok(())
    }
}
