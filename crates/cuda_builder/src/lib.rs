//! Compiles a kernel crate to PTX with rustc alone: no CUDA toolkit, no nested cargo, no linker.
//!
//! ```no_run
//! use cuda_builder::{Arch, CudaBuilder};
//!
//! let built = CudaBuilder::new("../kernels-gpu")
//!     .device_library("cuda_std", "../crates/cuda_std")
//!     .arch(Arch::Sm75)
//!     .arch(Arch::Sm90)
//!     .prebuilt("ptx")
//!     .build()?;
//! # Ok::<(), cuda_builder::BuildError>(())
//! ```
//!
//! A build script needs no more than [`build_script`].
//!
//! # What happens
//!
//! 1. A fit compiler is sought: 1.96 or later, with the sources of `core`. It need not be the one
//!    that compiles the host.
//! 2. `core` is compiled to metadata, once for each compiler (ten seconds or so).
//! 3. The device libraries and the kernels are compiled for each generation, side by side, with
//!    `--cfg sm80` and `--cfg sm90` where the generation reaches them.
//! 4. The result is checked (no generic accesses, calls, local memory or undefined symbols), the
//!    launch bounds are written into it, and a header that tells its provenance before it.
//!
//! Where no fit compiler is found, PTX that was made elsewhere from the same sources stands in.
//! The same sources and the same compiler give the same bytes, wherever the sources lie.
//!
//! # Environment
//!
//! | variable | effect |
//! |---|---|
//! | `AIKF_RUSTC` | the one compiler to use; an error if it is unfit |
//! | `AIKF_PTX` | `build`: never use prebuilt PTX; `prebuilt`: never compile |
//! | `DOCS_RS` | use prebuilt PTX, however old, without a word |
//!
//! Nothing else that steers the outer cargo (`RUSTFLAGS`, wrappers, its configuration) is heeded.

mod arch;
mod builder;
mod built;
mod compile;
mod error;
mod launch;
mod lint;
mod prebuilt;
mod provenance;
mod script;
mod sources;
mod toolchain;

pub use arch::Arch;
pub use builder::{CudaBuilder, Policy};
pub use built::{Built, Source};
pub use error::{BuildError, PrebuiltFault, Refusal, RefusalReason};
pub use lint::{Finding, Rule};
pub use provenance::Provenance;
pub use script::{build_script, print_rerun_conditions};
pub use sources::SourceHash;
