//! A build without LibTorch: there are no calls.
use cuda_loader::Stream;

use super::check_built;
use crate::device::Gpu;
use crate::error::Error;
use crate::launch::Buffers;
use crate::problem::Problem;

/// There is none.
#[derive(Debug)]
pub(crate) enum PreparedTorch {}

impl PreparedTorch {
    pub(crate) fn new(_: &Gpu, _: &Problem) -> Result<PreparedTorch, Error> {
        check_built()?;
        unreachable!("this build has no backend torch");
    }

    /// # Safety
    /// None: there is nothing to call it on.
    pub(crate) unsafe fn enqueue(&self, _: &Buffers, _: Stream) -> Result<(), Error> {
        match *self {}
    }
}
