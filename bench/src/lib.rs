//! How this product measures and tunes itself.
//!
//! # Reading order
//!
//! 1. [`workload`] and [`workloads`]: what is measured; the list is `bench/workloads.toml`.
//! 2. [`pool`]: elements to cut inputs from, more than a cache holds; [`data`] says what they are,
//!    by the words of [`random`].
//! 3. [`call`]: one way to solve one workload, ready to be timed: in a CUDA graph, call by call, or
//!    on the host's cores; with inputs from memory, or from the cache.
//! 4. [`mod@reference`]: whether its answer is right. Nothing is timed before that is known.
//! 5. [`times`]: samples, taken in turns, and what is said of them.
//! 6. [`report`]: measurements as JSON, and against an earlier report.
//! 7. [`tune`]: the search for the fastest backend and knobs.
//!
//! All of it runs on the emulator too, where times mean nothing and answers everything.
pub mod call;
pub mod copy;
pub mod data;
pub mod date;
pub mod error;
pub mod pool;
pub mod random;
pub mod reference;
pub mod report;
mod resources;
pub mod sampling;
pub mod times;
pub mod tune;
pub mod workload;
pub mod workloads;

pub use call::{Call, Method, measure};
pub use copy::copy_gb_per_s;
pub use data::Data;
pub use error::{Error, exit_code};
pub use pool::Pool;
pub use reference::Reference;
pub use report::Report;
pub use sampling::measure_sampling;
pub use times::{Effort, Measurement, Times};
pub use workload::Workload;
pub use workloads::Workloads;

/// Code for the Rust type of a [`Dtype`](aikf_topk::Dtype): `with_type!(dtype, T => f::<T>())`.
#[macro_export]
macro_rules! with_type {
    ($dtype:expr, $type:ident => $body:expr) => {
        match $dtype {
            aikf_topk::Dtype::F32 => {
                type $type = f32;
                $body
            }
            aikf_topk::Dtype::F16 => {
                type $type = half::f16;
                $body
            }
            aikf_topk::Dtype::Bf16 => {
                type $type = half::bf16;
                $body
            }
        }
    };
}
