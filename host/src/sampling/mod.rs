//! Sampling: from rows of logits to tokens.
//!
//! # Reading order
//!
//! 1. [`params`]: what is wanted of a row.
//! 2. [`sampler`]: [`Sampler`], what is wanted of a call; on rows in the host's memory.
//! 3. [`adjustments`]: histories, biases and masks.
//! 4. [`cpu`]: the contract, on the host's cores; [`whole`]: rows that are walked by index.
//! 5. [`plan`]: the launches on a GPU; [`prepared`]: calls on rows in its memory.
//! 6. [`outcome`]: what comes back.
mod adjustments;
mod cpu;
mod outcome;
mod params;
mod plan;
mod prepared;
mod sampler;
mod whole;

pub use adjustments::{Adjustments, History};
pub use outcome::{Logprobs, Samples};
pub use params::SamplingParams;
pub use plan::SamplePlan;
pub use prepared::{PreparedSampler, RawBias, RawSample};
pub use sampler::{LogprobKind, Sampler, sample_logits};
