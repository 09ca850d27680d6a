//! Top-k selection for NVIDIA GPUs in pure Rust: no nvcc and no CUDA toolkit, to build or to run.
//!
//! # Three ways to use it
//!
//! Rows in the host's memory, on the best device there is:
//! ```
//! use aikf_topk::{Rows, Runtime, TopK};
//!
//! # fn main() -> Result<(), aikf_topk::Error> {
//! let logits = vec![0.25f32; 4 * 1000];
//! let runtime = Runtime::new()?;
//! let top = TopK::new(50).select(&runtime, Rows::new(&logits, 4, 1000)?)?;
//! assert_eq!(top.indices[..3], [0, 1, 2]); // among equals the lowest index first
//! # Ok(()) }
//! ```
//! Rows in `cust` buffers, on a `cust` stream (feature `cust`):
//! ```no_run
//! # #[cfg(feature = "cust")]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use aikf_topk::{DeviceChoice, Runtime, TopK};
//! use cust::memory::DeviceBuffer;
//! use cust::stream::{Stream, StreamFlags};
//!
//! let runtime = Runtime::open(DeviceChoice::Cuda(0))?;
//! let stream = Stream::new(StreamFlags::DEFAULT, None)?;
//! let logits = DeviceBuffer::from_slice(&vec![0.5f32; 8 * 50_000])?;
//! let mut values = DeviceBuffer::<f32>::zeroed(8 * 50)?;
//! let mut indices = DeviceBuffer::<u32>::zeroed(8 * 50)?;
//! let mut topk = TopK::new(50).prepare::<f32>(&runtime, 8, 50_000)?;
//! // SAFETY: the buffers live until the stream was waited for.
//! unsafe { topk.enqueue(&logits, &mut values, &mut indices, &stream) }?;
//! stream.synchronize()?;
//! # Ok(()) }
//! # #[cfg(not(feature = "cust"))]
//! # fn main() {}
//! ```
//! Addresses and a stream of another library:
//! ```no_run
//! # use std::ffi::c_void;
//! # use aikf_topk::{Error, PreparedTopK, RawCall};
//! # type Topk = PreparedTopK<half::f16>;
//! # fn f(topk: &mut Topk, x: u64, v: u64, i: u64, stream: *mut c_void) -> Result<(), Error> {
//! // SAFETY: `x`, `v` and `i` are live device addresses with room for the problem.
//! let call = RawCall { input: x, lengths: None, values: v, indices: i };
//! unsafe { topk.enqueue_raw(call, stream) }
//! # }
//! ```
//!
//! Tokens from logits:
//! ```
//! use aikf_topk::{Rows, Runtime, SamplingParams, sample_logits};
//!
//! # fn main() -> Result<(), aikf_topk::Error> {
//! let logits = vec![0.25f32; 4 * 1000];
//! let params = SamplingParams { temperature: 0.8, top_k: 50, top_p: 0.95, ..Default::default() };
//! let samples = sample_logits(&Runtime::new()?, Rows::new(&logits, 4, 1000)?, &[params])?;
//! assert!(samples.tokens.iter().all(|&token| token < 50));
//! # Ok(()) }
//! ```
//! [`Sampler`] has the rest: orders of filters, penalties, logarithms, prepared calls on a GPU.
//!
//! # The contract
//!
//! Exactly `k` elements a row, best first; NaN is greatest, `-0.0` equals `+0.0`, and among equals
//! the lowest index wins. The answer is the same, bit for bit, on every backend, device, batch size
//! and setting; only backend `torch` has its own way with equals. The whole of it:
//! `docs/semantics.md`, and for sampling `docs/sampling.md`.
//!
//! # Features
//!
//! | feature | default | gives |
//! |---|---|---|
//! | `cust` | yes | conversions from `cust` buffers and streams |
//! | `emulator` | no | device `emulator`: the GPU's code path on any machine |
//! | `torch` | no | backend `torch`: PyTorch's own topk; needs LibTorch (`docs/torch.md`) |
//!
//! A crate that depends on this one with `cust` needs `CUDA_LIBRARY_PATH` to name a folder with an
//! empty `lib64` in it (README, "In your own crate"); without `cust` it needs nothing.
//!
//! # Layers
//!
//! ```text
//! topk, runtime -> launch, device -> cuda_loader -> libcuda, or the emulator
//!        \-> plan (pure) -> problem, knobs, settings, tuned, kernels_gpu::{params, variants}
//!        \-> cpu
//!        \-> torch -> LibTorch (feature `torch`)
//!        \-> sampling -> launch, plan; its CPU path
//! ```
mod buffers;
mod cpu;
mod device;
mod element;
mod error;
mod knobs;
mod launch;
mod plan;
mod prepared;
mod problem;
mod rows;
mod runtime;
mod sampling;
mod settings;
mod topk;
mod torch;
mod tuned;

pub use buffers::{DeviceSlice, DeviceSliceMut, StreamRef};
pub use cuda_loader::DriverError;
pub use device::{Gpu, gpu_count, kernel_provenance, kernel_ptx};
pub use element::{Element, IndexType};
pub use error::{Error, Violation};
pub use kernels_gpu::params::{Dtype, Index, Order};
pub use kernels_gpu::sampling::params::{FilterOrder, RowStatus};
pub use knobs::{KNOBS, Knob, KnobSpec, Knobs, Legal, Origin};
pub use plan::{
    Argument, DeviceLimits, GpuPlan, Launch, Plan, SampleBuffer, Step, Work, Workspace,
};
pub use prepared::{PreparedTopK, RawCall};
pub use problem::{Problem, ROW_ELEMENTS_MAX};
pub use rows::{Rows, Selection};
pub use runtime::Runtime;
pub use sampling::{
    Adjustments, History, LogprobKind, Logprobs, PreparedSampler, RawBias, RawSample, SamplePlan,
    Sampler, Samples, SamplingParams, sample_logits,
};
pub use settings::{
    BACKEND_VARIABLE, Backend, DEVICE_VARIABLE, DeviceChoice, Settings, TUNED_VARIABLE,
    TunedChoice, unknown_variables,
};
pub use topk::TopK;
pub use tuned::{Bucket, Provenance, TunedEntry, TunedHit, TunedTable, TunedTables};
