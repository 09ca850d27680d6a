//! The backend `torch`: PyTorch's own `torch.topk` on the caller's memory, to compare with.
//!
//! With the feature `torch` it is `libtorch.rs`, without it `absent.rs`; both have the same face.
//! `docs/torch.md` says how to build it and what it does otherwise than the other backends.
use crate::error::Error;
use crate::settings::Backend;

#[cfg(not(feature = "torch"))]
mod absent;
#[cfg(feature = "torch")]
mod libtorch;

#[cfg(not(feature = "torch"))]
pub(crate) use absent::PreparedTorch;
#[cfg(feature = "torch")]
pub(crate) use libtorch::PreparedTorch;

/// What a plan says of it.
pub(crate) const EXPLANATION: &str =
    "torch.topk of LibTorch: it allocates on every call, and equals come as it likes";

const NOT_BUILT: &str = "is not in this build: build with `--features torch` and LibTorch 2.11, \
    which LIBTORCH=FOLDER names, or LIBTORCH_USE_PYTORCH=1 finds in Python (docs/torch.md)";

/// Whether this build has the backend.
///
/// # Errors
/// [`Error::Refused`], with the way to get it.
pub(crate) fn check_built() -> Result<(), Error> {
    if cfg!(feature = "torch") { Ok(()) } else { Err(refused(NOT_BUILT)) }
}

/// Whether LibTorch can use the driver: it opens `libcuda`, whichever driver others use.
///
/// # Errors
/// [`Error::NoGpu`] on the emulator.
pub(crate) fn check_driver() -> Result<(), Error> {
    if cuda_loader::is_installed() {
        let driver = cuda_loader::driver_name();
        return Err(no_gpu(format!("LibTorch cannot use \"{driver}\"; use device cuda")));
    }
    Ok(())
}

fn no_gpu(reason: String) -> Error {
    Error::NoGpu { purpose: format!("backend {}", Backend::Torch), reason }
}

fn refused(reason: &'static str) -> Error {
    Error::Refused { backend: Backend::Torch.name(), reason }
}
