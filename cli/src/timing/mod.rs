//! How a backend is measured.
//!
//! # Idea
//!
//! ```text
//! warm up until clocks, caches and allocations have settled
//! take samples until there are enough, or the time is up
//! report the median, and the tenth and ninetieth percentile
//! ```
//!
//! On the CPU a sample is the wall time of a call. On a GPU it is the time between two events on
//! the stream, with rows and answer resident on the device: see [`gpu`].
pub mod gpu;

use std::time::{Duration, Instant};

use aikf_topk::{Backend, Runtime};

use crate::error::Error;

const WARM_UP: Duration = Duration::from_millis(50);
/// A slow backend, the emulator above all, gets fewer samples rather than minutes.
const BUDGET: Duration = Duration::from_secs(5);
const SAMPLES_MIN: usize = 3;

/// The times of single calls, shortest first. There is at least one.
#[derive(Clone, Debug)]
pub struct Samples(Vec<Duration>);

impl Samples {
    /// Warms up, then takes `wanted` samples, or fewer where they take too long. `sample` makes a
    /// measurement, and gives the time of one call.
    pub fn take(
        wanted: usize,
        mut sample: impl FnMut() -> Result<Duration, Error>,
    ) -> Result<Samples, Error> {
        let start = Instant::now();
        while {
            sample()?;
            start.elapsed() < WARM_UP
        } {}
        let start = Instant::now();
        let mut times = vec![];
        while times.is_empty()
            || times.len() < wanted && (times.len() < SAMPLES_MIN || start.elapsed() < BUDGET)
        {
            times.push(sample()?);
        }
        times.sort();
        Ok(Samples(times))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The time that `percent` of the samples do not exceed, in microseconds: the nearest rank.
    pub fn percentile_us(&self, percent: usize) -> f64 {
        let rank = (percent * self.0.len()).div_ceil(100).max(1);
        self.0[rank - 1].as_nanos() as f64 / 1e3
    }
}

/// What a backend runs on, for people.
pub fn device_name(backend: Backend, runtime: &Runtime) -> String {
    match runtime.gpu() {
        Some(gpu) if backend != Backend::Cpu => {
            format!("{} ({})", runtime.device(), gpu.limits().name)
        }
        _ => format!("cpu ({} threads)", rayon::current_num_threads()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles() {
        let samples = Samples((1..=10).map(Duration::from_micros).collect());
        assert_eq!(samples.percentile_us(10), 1.0);
        assert_eq!(samples.percentile_us(50), 5.0);
        assert_eq!(samples.percentile_us(90), 9.0);
        let one = Samples(vec![Duration::from_micros(7)]);
        assert_eq!(one.percentile_us(10), 7.0);
    }

    #[test]
    fn takes_as_many_as_wanted() {
        let samples = Samples::take(4, || Ok(Duration::from_micros(3))).unwrap();
        assert_eq!(samples.len(), 4);
    }
}
