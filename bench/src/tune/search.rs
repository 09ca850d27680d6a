//! The search in one bucket: successive halving among candidates, then a decision beyond the noise.
use std::collections::HashSet;
use std::time::{Duration, Instant};

use aikf_topk::{Backend, Element, Problem, Runtime, TunedEntry, Work};

use super::space::{Candidate, Seen};
use super::{Grid, Options, bucket, ends};
use crate::call::{Call, Method};
use crate::error::Error;
use crate::pool::Pool;
use crate::reference::Reference;
use crate::times::{Effort, Times, rounded_us};
use crate::workload::Workload;

/// Samples of a candidate when it is first tried.
const FIRST_SAMPLES: usize = 2;
/// A candidate that takes so many times the best is dropped at once.
const HOPELESS: f64 = 2.0;
/// Samples of each at every halving.
const ROUND_SAMPLES: usize = 2;
/// How many come to the last comparison, beside the planner's choice.
const FINALISTS: usize = 3;
/// The last comparison.
const LAST: Effort = Effort { warm_up: 1, samples: 15, limit: Duration::from_secs(3) };
/// How often `full` changes the candidates that are left.
const GENERATIONS: usize = 3;
/// What a candidate must win against the planner's choice to replace it, and may lose for one of
/// several workloads.
const GAIN: f64 = 0.03;

/// A candidate that is being measured, with a call for each workload of the bucket.
struct Arm<'a, T> {
    candidate: Candidate,
    calls: Vec<Call<'a, T>>,
    /// The times of each call.
    each: Vec<Vec<f64>>,
    /// The geometric means of times that were taken together.
    times: Vec<f64>,
}

impl<T: Element> Arm<'_, T> {
    /// The geometric mean of a sample of each call.
    fn sample_us(&mut self) -> Result<f64, Error> {
        let mut product = 1.0;
        for (call, times) in self.calls.iter_mut().zip(&mut self.each) {
            let us = call.sample_us()?;
            times.push(us);
            product *= us.max(1e-3);
        }
        Ok(f64::powf(product, 1.0 / self.calls.len() as f64))
    }

    fn median_us(&self) -> f64 {
        Times::new(self.times.clone()).median_us()
    }

    /// The median of one call.
    fn median_of_us(&self, call: usize) -> f64 {
        Times::new(self.each[call].clone()).median_us()
    }
}

/// The search in a bucket. The first arm is the planner's own choice, and is never dropped.
pub struct Search<'a, T> {
    runtime: &'a Runtime,
    options: &'a Options,
    workloads: &'a [Workload],
    pool: &'a Pool<T>,
    end: Option<Instant>,
    references: Vec<Reference>,
    seen: Seen,
    arms: Vec<Arm<'a, T>>,
}

impl<'a, T: Element> Search<'a, T> {
    /// A search for workloads of one bucket, that measures nothing new behind `end`.
    pub fn new(
        runtime: &'a Runtime,
        options: &'a Options,
        workloads: &'a [Workload],
        pool: &'a Pool<T>,
        end: Option<Instant>,
    ) -> Result<Search<'a, T>, Error> {
        let (references, seen, arms) = (vec![], Seen::default(), vec![]);
        let mut search = Search { runtime, options, workloads, pool, end, references, seen, arms };
        let planner = Candidate::plain(Backend::Auto);
        for problem in workloads.iter().map(Workload::problem) {
            // What no backend can do is an error; what one of them cannot do is left out below.
            planner.topk(runtime, &problem)?.plan(runtime, &problem)?;
        }
        search.try_one(planner)?;
        Ok(search)
    }

    /// Searches; the entry, and how many plans were tried.
    pub fn run(mut self) -> Result<(TunedEntry, usize), Error> {
        let plain = self.options.backends.iter().map(|&backend| Candidate::plain(backend));
        let plain: Vec<Candidate> = plain.collect();
        for candidate in &plain {
            self.try_one(candidate.clone())?;
        }
        self.try_all(plain.iter().flat_map(Candidate::changes).collect())?;
        self.halve()?;
        for _ in 0..self.generations() {
            let changes = self.arms.iter().flat_map(|arm| arm.candidate.changes()).collect();
            if !self.try_all(changes)? {
                break;
            }
            self.halve()?;
        }
        Ok((self.decide()?, self.seen.count()))
    }

    fn generations(&self) -> usize {
        if self.options.grid == Grid::Full { GENERATIONS } else { 0 }
    }

    fn is_over(&self) -> bool {
        self.end.is_some_and(|end| Instant::now() >= end)
    }

    /// Tries candidates until the time is up; whether any of them was new and not hopeless.
    fn try_all(&mut self, candidates: Vec<Candidate>) -> Result<bool, Error> {
        let mut any = false;
        for candidate in candidates {
            if self.is_over() {
                break;
            }
            any |= self.try_one(candidate)?;
        }
        Ok(any)
    }

    /// Adds a candidate that comes to something new and is not hopeless. Whether it stays.
    fn try_one(&mut self, candidate: Candidate) -> Result<bool, Error> {
        let problems: Vec<Problem> = self.workloads.iter().map(Workload::problem).collect();
        if !self.seen.is_new(self.runtime, &problems, &candidate)? {
            return Ok(false);
        }
        self.add(candidate)
    }

    /// Prepares a candidate, checks its answers, and takes first samples. Whether it stays.
    fn add(&mut self, candidate: Candidate) -> Result<bool, Error> {
        let mut arm = Arm { candidate, calls: vec![], each: vec![], times: vec![] };
        for (at, workload) in self.workloads.iter().enumerate() {
            let topk = arm.candidate.topk(self.runtime, &workload.problem())?;
            let mut call = Call::new(self.runtime, &topk, workload, self.pool, Method::RECORD)?;
            call.sample_us()?;
            if self.references.len() == at {
                self.references.push(Reference::new(call.input(), workload));
            }
            let backend = arm.candidate.backend;
            if let Some(difference) = self.references[at].difference(&call.answer()?, backend) {
                let call = format!("{workload}, backend {backend} {}", arm.candidate.knobs);
                return Err(Error::Wrong { call, difference });
            }
            arm.calls.push(call);
            arm.each.push(vec![]);
        }
        let best_us = self.arms.iter().map(Arm::median_us).reduce(f64::min);
        for _ in 0..FIRST_SAMPLES {
            let us = arm.sample_us()?;
            arm.times.push(us);
            if best_us.is_some_and(|best_us| us > HOPELESS * best_us) {
                return Ok(false);
            }
        }
        self.arms.push(arm);
        Ok(true)
    }

    /// Drops the slower half, again and again, until few are left.
    fn halve(&mut self) -> Result<(), Error> {
        while self.arms.len() > 1 + FINALISTS {
            for _ in 0..ROUND_SAMPLES {
                if self.is_over() {
                    break;
                }
                for arm in &mut self.arms {
                    let us = arm.sample_us()?;
                    arm.times.push(us);
                }
            }
            // The planner's choice stays in its place.
            self.arms[1..].sort_by(|a, b| a.median_us().total_cmp(&b.median_us()));
            let keep = if self.is_over() { 0 } else { self.arms.len() / 2 };
            self.arms.truncate(keep.max(1 + FINALISTS));
        }
        Ok(())
    }

    /// Takes the fastest of what is left that is better than the planner's choice beyond the noise,
    /// and for no workload worse, nor at the ends of the bucket; else the planner's choice.
    fn decide(&mut self) -> Result<TunedEntry, Error> {
        let times = self.compare()?;
        let mut better: Vec<usize> = (1..times.len())
            .filter(|&at| is_better(&times[at], &times[0]) && self.is_never_worse(at))
            .collect();
        better.sort_by(|&a, &b| times[a].median_us().total_cmp(&times[b].median_us()));
        let mut best = 0;
        for at in better {
            if self.holds_at_the_ends(&self.arms[at].candidate)? {
                best = at;
                break;
            }
        }
        let Candidate { backend, knobs } = self.arms[best].candidate.clone();
        let bucket = bucket(&self.workloads[0]);
        let median_us = rounded_us(self.arms[best].median_of_us(0));
        let planner_us = rounded_us(self.arms[0].median_of_us(0));
        Ok(TunedEntry { bucket, backend, knobs, median_us, planner_us })
    }

    /// New samples of all that is left, in turns.
    fn compare(&mut self) -> Result<Vec<Times>, Error> {
        for arm in &mut self.arms {
            arm.each.iter_mut().for_each(Vec::clear);
        }
        let mut samplers: Vec<_> = self.arms.iter_mut().map(|arm| || arm.sample_us()).collect();
        let mut samplers: Vec<&mut dyn FnMut() -> Result<f64, Error>> =
            samplers.iter_mut().map(|sampler| sampler as _).collect();
        LAST.take(&mut samplers)
    }

    /// Whether an arm loses no more than the noise for any workload, by the last comparison.
    fn is_never_worse(&self, at: usize) -> bool {
        let (arm, planner) = (&self.arms[at], &self.arms[0]);
        (0..arm.calls.len())
            .all(|call| arm.median_of_us(call) <= (1.0 + GAIN) * planner.median_of_us(call))
    }

    /// Whether what won for the workloads is not worse than the planner's choice at the ends of
    /// their bucket, for which it will count too.
    fn holds_at_the_ends(&self, candidate: &Candidate) -> Result<bool, Error> {
        let ends = ends(&self.workloads[0]);
        let mut search = Search::new(self.runtime, self.options, &ends, self.pool, None)?;
        let problems: Vec<_> = ends.iter().map(Workload::problem).collect();
        if !Seen::default().is_new(self.runtime, &problems, candidate)? {
            // It cannot be planned there.
            return Ok(false);
        }
        if !search.seen.is_new(self.runtime, &problems, candidate)? {
            // It comes to the planner's choice there.
            return Ok(true);
        }
        if !search.add(candidate.clone())? {
            return Ok(false);
        }
        search.compare()?;
        Ok(search.is_never_worse(1))
    }
}

/// Whether one is faster than the planner's choice by more than chance: by [`GAIN`] in the median,
/// and in nine of ten samples than in nine of ten of the other's.
fn is_better(times: &Times, planner: &Times) -> bool {
    times.median_us() < (1.0 - GAIN) * planner.median_us()
        && times.percentile_us(90) < planner.percentile_us(10)
}

/// Prepares one candidate for every kernel that any of them has, so that no bucket's share of the
/// time is spent on loading what others use too.
pub fn load_kernels<T: Element>(
    runtime: &Runtime,
    options: &Options,
    workloads: &[Workload],
) -> Result<(), Error> {
    let mut loaded = HashSet::new();
    let plain: Vec<Candidate> = options.backends.iter().map(|&b| Candidate::plain(b)).collect();
    let candidates: Vec<Candidate> =
        plain.iter().cloned().chain(plain.iter().flat_map(Candidate::changes)).collect();
    for workload in workloads {
        let problem = workload.problem();
        for candidate in &candidates {
            let topk = candidate.topk(runtime, &problem)?;
            let Ok(Work::Gpu(plan)) = topk.plan(runtime, &problem).map(|plan| plan.work) else {
                continue;
            };
            let before = loaded.len();
            loaded.extend(plan.steps.into_iter().map(|step| step.launch.symbol));
            if loaded.len() > before {
                topk.prepare::<T>(runtime, problem.rows, problem.n)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workloads::Workloads;
    use aikf_topk::DeviceChoice;

    #[test]
    fn what_wins_is_tried_at_the_ends_of_its_bucket() {
        let workloads: Vec<Workload> = vec!["2x600:5:f32".parse().unwrap()];
        let runtime = Runtime::open(DeviceChoice::Emulator).unwrap();
        let options = Options {
            workloads: Workloads { name: String::new(), list: workloads.clone() },
            list_hash: String::new(),
            backends: vec![Backend::Stream],
            grid: Grid::Quick,
            time: None,
            resume: false,
            out: "unused.toml".into(),
            commit: String::new(),
        };
        let room = [workloads.clone(), ends(&workloads[0])].concat();
        let pool = Pool::<f32>::new(&runtime, &room, 1, 0).unwrap();
        let search = Search::new(&runtime, &options, &workloads, &pool, None).unwrap();
        // What the planner takes for such rows is no slower than itself.
        assert!(search.holds_at_the_ends(&Candidate::plain(Backend::Singlepass)).unwrap());
        // Times on the emulator mean nothing, but what has another plan is measured, and right.
        assert!(search.holds_at_the_ends(&Candidate::plain(Backend::Stream)).is_ok());
    }

    #[test]
    fn a_gain_must_be_beyond_the_noise() {
        let times = |least: f64, most: f64| {
            Times::new((0..20).map(|i| least + (most - least) * f64::from(i) / 19.0).collect())
        };
        let planner = times(10.0, 10.2);
        assert!(is_better(&times(9.0, 9.2), &planner));
        assert!(!is_better(&times(9.9, 9.95), &planner), "too little");
        assert!(!is_better(&times(8.0, 11.0), &planner), "too noisy");
    }
}
