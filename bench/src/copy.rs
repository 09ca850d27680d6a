//! How fast the device copies its own memory: what times are compared with.
use aikf_topk::{DeviceChoice, Runtime};
use cuda_loader::api::memory;

use crate::error::Error;
use crate::resources::{Memory, Queue, Timer};
use crate::times::{Effort, Times};

/// More than any cache holds.
const BYTES: usize = 256 << 20;
/// Copies of a sample.
const COPIES: usize = 4;

/// Bytes that a copy within the GPU's memory reads and writes, in 10^9 a second; nothing on the
/// emulator and on the host's cores.
///
/// # Errors
/// The driver's.
pub fn copy_gb_per_s(runtime: &Runtime) -> Result<Option<f64>, Error> {
    match (runtime.device(), runtime.gpu()) {
        (DeviceChoice::Cuda(_), Some(gpu)) => {
            gpu.make_current()?;
            let times = copy_times(BYTES)?;
            Ok(Some(2.0 * BYTES as f64 / (times.median_us() * 1e3)))
        }
        _ => Ok(None),
    }
}

/// Times of a copy of so many bytes.
fn copy_times(bytes: usize) -> Result<Times, Error> {
    let (queue, timer) = (Queue::new()?, Timer::new()?);
    let (from, to) = (Memory::new(bytes)?, Memory::new(bytes)?);
    let copy = || {
        let (to, from) = (to.address(), from.address());
        // SAFETY: both have that many bytes, are live until the timer has waited, and are ours.
        Ok(unsafe { memory::memcpy_dtod_async(to, from, bytes, queue.stream()) }?)
    };
    let mut sample = || {
        let copies = || (0..COPIES).try_for_each(|_| copy());
        Ok(timer.time_us(&queue, copies)? / COPIES as f64)
    };
    Ok(Effort::RECORD.take(&mut [&mut sample])?.swap_remove(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_known_of_gpus_alone() {
        let runtime = Runtime::open(DeviceChoice::Emulator).unwrap();
        assert_eq!(copy_gb_per_s(&runtime).unwrap(), None);
        assert_eq!(copy_times(1 << 12).unwrap().count(), Effort::RECORD.samples);
    }
}
