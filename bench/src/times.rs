//! Samples, and what is said of them.
use std::time::{Duration, Instant};

use crate::error::Error;

/// Samples that are taken even where they take longer than they should.
const SAMPLES_MIN: usize = 3;

/// The times of calls in microseconds, shortest first. There is at least one.
#[derive(Clone, Debug, PartialEq)]
pub struct Times(Vec<f64>);

impl Times {
    /// Sorts them.
    ///
    /// # Panics
    /// Where there are none.
    pub fn new(mut times: Vec<f64>) -> Times {
        assert!(!times.is_empty(), "no samples");
        times.sort_by(f64::total_cmp);
        Times(times)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The time that `percent` of the samples do not exceed: the nearest rank. Above 0, so that it
    /// can be divided by, even where the clock was too coarse to see anything.
    pub fn percentile_us(&self, percent: usize) -> f64 {
        let rank = (percent * self.0.len()).div_ceil(100).max(1);
        self.0[rank - 1].max(1e-3)
    }

    /// The time that half of the samples do not exceed.
    pub fn median_us(&self) -> f64 {
        self.percentile_us(50)
    }
}

/// Microseconds with three places, as many as a clock is good for; above 0.
pub fn rounded_us(us: f64) -> f64 {
    (us * 1e3).round().max(1.0) / 1e3
}

/// How long one measures.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Samples that are thrown away first: clocks and caches have to settle.
    pub warm_up: usize,
    /// Samples that count.
    pub samples: usize,
    /// Time for the samples of one candidate; a slow one, above all on the emulator, gets fewer.
    pub limit: Duration,
}

impl Effort {
    /// That of records.
    pub const RECORD: Effort = Effort { warm_up: 3, samples: 15, limit: Duration::from_secs(5) };

    /// Takes samples of all in turns, so that what disturbs the machine disturbs all alike.
    ///
    /// # Errors
    /// The first that a sample gives.
    pub fn take(
        &self,
        samplers: &mut [&mut dyn FnMut() -> Result<f64, Error>],
    ) -> Result<Vec<Times>, Error> {
        let limit = self.limit * samplers.len() as u32;
        let start = Instant::now();
        for _ in 0..self.warm_up {
            for sample in samplers.iter_mut() {
                sample()?;
            }
            if start.elapsed() > limit / 4 {
                break;
            }
        }
        let start = Instant::now();
        let mut times = vec![vec![]; samplers.len()];
        for taken in 0..self.samples.max(1) {
            if taken >= SAMPLES_MIN && start.elapsed() > limit {
                break;
            }
            for (times, sample) in times.iter_mut().zip(samplers.iter_mut()) {
                times.push(sample()?);
            }
        }
        Ok(times.into_iter().map(Times::new).collect())
    }
}

/// Device time of one call, in microseconds.
#[derive(Clone, Copy, Debug)]
pub struct Measurement {
    /// The median over replays.
    pub median_us: f64,
    /// The fastest replay.
    pub least_us: f64,
    /// Whether the answer was right.
    pub right: bool,
}

impl Measurement {
    pub(crate) fn new(times: &Times, right: bool) -> Measurement {
        Measurement { median_us: times.median_us(), least_us: times.percentile_us(0), right }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles() {
        let times = Times::new((1..=10).rev().map(f64::from).collect());
        assert_eq!([0, 10, 50, 90].map(|p| times.percentile_us(p)), [1.0, 1.0, 5.0, 9.0]);
        assert_eq!(Times::new(vec![7.0]).percentile_us(10), 7.0);
        assert_eq!(Times::new(vec![0.0]).median_us(), 1e-3);
    }

    #[test]
    fn samples_are_taken_in_turns_behind_a_warm_up() {
        let order = std::cell::RefCell::new(String::new());
        let sampler = |name, us| {
            let order = &order;
            move || {
                order.borrow_mut().push(name);
                Ok(us)
            }
        };
        let effort = Effort { warm_up: 1, samples: 2, limit: Duration::from_secs(60) };
        let times = effort.take(&mut [&mut sampler('a', 2.0), &mut sampler('b', 3.0)]).unwrap();
        assert_eq!(*order.borrow(), "ababab");
        assert_eq!(times, [Times(vec![2.0; 2]), Times(vec![3.0; 2])]);
    }

    #[test]
    fn a_slow_one_gets_fewer_samples() {
        let effort = Effort { warm_up: 9, samples: 1000, limit: Duration::ZERO };
        let times = effort.take(&mut [&mut || Ok(1.0)]).unwrap();
        assert_eq!(times[0].count(), SAMPLES_MIN);
    }
}
