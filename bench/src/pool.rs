//! Elements that inputs are cut from, on the host and on the device.
use aikf_topk::{DeviceChoice, Dtype, Element, Runtime};
use cuda_loader::DevicePtr;
use half::{bf16, f16};
use rayon::prelude::*;

use crate::data::Data;
use crate::error::Error;
use crate::resources::{Memory, Queue};
use crate::workload::Workload;

/// The most inputs that are cut from it, and so the most calls in a graph.
const SETS_MAX: usize = 1024;

/// Elements. Inputs lie in it one behind the other.
#[derive(Debug)]
pub struct Pool<T> {
    host: Vec<T>,
    device: Option<Memory>,
    /// How many elements inputs rotate through, where one input is no more than that.
    rotated: usize,
    sets_max: usize,
}

impl<T: Element> Pool<T> {
    /// Bell-shaped elements for these workloads, whatever their type: room for each of them, and on
    /// a GPU for `bytes` at least, through which inputs rotate.
    ///
    /// # Errors
    /// [`Error::Refused`] for more than fits into the host's memory; the driver's.
    pub fn new(
        runtime: &Runtime,
        workloads: &[Workload],
        bytes: usize,
        seed: u64,
    ) -> Result<Pool<T>, Error> {
        let start = seed.wrapping_mul(0x2545_f491_4f6c_dd1d);
        let value = |i: u64| Data::Bell.value(start.wrapping_add(i), 1);
        Pool::of(runtime, workloads, bytes, value)
    }

    /// As [`Pool::new`], of other data, for one workload.
    ///
    /// # Errors
    /// As for [`Pool::new`].
    pub fn with_data(
        runtime: &Runtime,
        workload: &Workload,
        bytes: usize,
        data: Data,
    ) -> Result<Pool<T>, Error> {
        Pool::of(runtime, &[*workload], bytes, |i| data.value(i, workload.n))
    }

    fn of(
        runtime: &Runtime,
        workloads: &[Workload],
        bytes: usize,
        value: impl Fn(u64) -> f32 + Sync,
    ) -> Result<Pool<T>, Error> {
        // The emulator has no cache to be colder than, and no time to lose.
        let is_gpu = matches!(runtime.device(), DeviceChoice::Cuda(_));
        let rotated = bytes / size_of::<T>();
        let least = if is_gpu { rotated } else { 0 };
        let largest = workloads.iter().map(Workload::elements).max().unwrap_or(0);
        let count = largest.max(least);
        let mut host: Vec<T> = vec![];
        host.try_reserve_exact(count).map_err(|_| {
            let dtype = T::DTYPE.name();
            Error::Refused(format!(
                "{count} {dtype} elements do not fit into memory: lower the rows or their length"
            ))
        })?;
        let element = |i: u64| rounded::<T>(value(i));
        host.par_extend((0..count as u64).into_par_iter().map(element));
        let device = match runtime.gpu() {
            Some(gpu) => {
                gpu.make_current()?;
                Some(Memory::of(&host, &Queue::new()?)?)
            }
            None => None,
        };
        let sets_max = if is_gpu { SETS_MAX } else { 2 };
        Ok(Pool { host, device, rotated, sets_max })
    }

    /// How many inputs can be cut from it.
    pub(crate) fn sets(&self, workload: &Workload) -> usize {
        let rotated = self.host.len().min(self.rotated);
        (rotated / workload.elements().max(1)).clamp(1, self.sets_max)
    }

    /// One of the inputs.
    pub fn input(&self, workload: &Workload, set: usize) -> &[T] {
        &self.host[set * workload.elements()..][..workload.elements()]
    }

    /// Where it is on the device, if the pool has a device.
    pub(crate) fn address(&self, workload: &Workload, set: usize) -> Option<DevicePtr> {
        let device = self.device.as_ref()?;
        Some(device.address().byte_add(set * workload.elements() * size_of::<T>()))
    }
}

/// The nearest element of the type.
fn rounded<T: Element>(value: f32) -> T {
    let bits = match T::DTYPE {
        Dtype::F32 => value.to_bits(),
        Dtype::F16 => f16::from_f32(value).to_bits().into(),
        Dtype::Bf16 => bf16::from_f32(value).to_bits().into(),
    };
    bytemuck::pod_read_unaligned(&bits.to_le_bytes()[..size_of::<T>()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_bell_shaped_and_follow_the_seed() {
        let runtime = Runtime::open(DeviceChoice::Cpu).unwrap();
        let workload = Workload { rows: 4, n: 25_000, k: 1, dtype: Dtype::F32 };
        let of_seed = |seed| Pool::<f32>::new(&runtime, &[workload], 1 << 30, seed).unwrap().host;
        let x = of_seed(1);
        assert_eq!(x.len(), 100_000, "no more than needed without a GPU");
        let mean = x.iter().sum::<f32>() / 1e5;
        let variance = x.iter().map(|v| v * v).sum::<f32>() / 1e5;
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.02, "{mean} {variance}");
        assert_ne!(x, of_seed(2));
        assert_eq!(
            x[..3].iter().map(|v| v.to_bits()).collect::<Vec<_>>(),
            [0x3ecd_e439, 0xbfba_5e8a, 0xbe63_3e6a]
        );
    }

    #[test]
    fn more_than_fits_into_memory_is_refused() {
        let runtime = Runtime::open(DeviceChoice::Cpu).unwrap();
        let workload = Workload { rows: 1 << 20, n: 1 << 30, k: 1, dtype: Dtype::F32 };
        let refused = Pool::<f32>::new(&runtime, &[workload], 0, 0).unwrap_err().to_string();
        assert!(refused.contains("1125899906842624 f32 elements"), "{refused}");
    }
}
