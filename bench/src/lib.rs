//! How this product measures itself.
//!
//! A measurement is of the device's time, a call: calls are captured in a CUDA graph, so that the
//! host's part is left out, and their inputs rotate through a pool larger than the L2 cache, so
//! that rows come from memory. The answer of the last call is compared with the backend `cpu`
//! before the time is believed.
pub mod device;
pub mod sampling;
pub mod workload;

pub use device::{Measurement, Pool, measure};
pub use sampling::measure_sampling;
pub use workload::Workload;
