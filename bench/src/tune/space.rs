//! What can be tried for a problem.
use aikf_topk::{Backend, Gpu, KNOBS, Knob, Knobs, Origin, Plan, Problem, Runtime, Settings, TopK};

use crate::error::Error;

/// A backend, and the knobs that are set. [`Backend::Auto`] is the planner's own choice.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    pub backend: Backend,
    pub knobs: Knobs,
}

impl Candidate {
    /// A backend as the planner runs it.
    pub fn plain(backend: Backend) -> Candidate {
        Candidate { backend, knobs: Knobs::default() }
    }

    /// A selection that is done so, whatever the environment and the tables say.
    pub fn topk(&self, runtime: &Runtime, problem: &Problem) -> Result<TopK, Error> {
        let backend = match self.backend {
            // By its name, so that no table is asked.
            Backend::Auto => {
                let limits = runtime.gpu().map(Gpu::limits);
                Plan::new(problem, limits, &Settings::default())?.backend
            }
            named => named,
        };
        let mut topk = TopK::new(problem.k).backend(backend);
        for (knob, value) in self.knobs.iter() {
            topk = topk.knob(knob, &knob.spec().legal.show(value))?;
        }
        Ok(topk)
    }

    /// The same with one knob more, or with another value of one: every value that its declaration
    /// says is worth trying.
    pub fn changes(&self) -> impl Iterator<Item = Candidate> + '_ {
        let heeded = |knob: &&Knob| knob.spec().backends.contains(&self.backend);
        Knob::ALL.iter().filter(heeded).flat_map(move |&knob| {
            let trials = KNOBS[knob as usize].trials.iter();
            trials.filter_map(move |&value| {
                if self.knobs.get(knob) == Some(value) {
                    return None;
                }
                let mut changed = self.clone();
                let text = knob.spec().legal.show(value);
                changed.knobs.set(knob, &text, Origin::Tuned).ok()?;
                Some(changed)
            })
        })
    }
}

/// The plans that were tried: what two candidates come to is tried once.
#[derive(Debug, Default)]
pub struct Seen(std::collections::HashSet<String>);

impl Seen {
    /// Whether the candidate can be planned for all of these, and comes to something new.
    pub fn is_new(
        &mut self,
        runtime: &Runtime,
        problems: &[Problem],
        candidate: &Candidate,
    ) -> Result<bool, Error> {
        let mut plans = String::new();
        for problem in problems {
            match candidate.topk(runtime, problem)?.plan(runtime, problem) {
                Ok(plan) => plans += &format!("{:?}\n", plan.work),
                // Of such a shape this backend has too many blocks.
                Err(aikf_topk::Error::Unsupported { .. }) => return Ok(false),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(self.0.insert(plans))
    }

    /// How many plans there were.
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use aikf_topk::{DeviceChoice, Dtype};

    use super::*;

    #[test]
    fn a_change_sets_one_knob_that_the_backend_heeds() {
        let plain = Candidate::plain(Backend::Streaming);
        let changes: Vec<String> = plain.changes().map(|c| c.knobs.to_string()).collect();
        let values = |key: &str| changes.iter().filter(|c| c.starts_with(key)).count();
        assert_eq!((values("streaming_warps="), values("streaming_block_n=")), (4, 3));
        assert_eq!(changes.len(), 7, "{changes:?}");
        let again: Vec<Candidate> = plain.changes().next().unwrap().changes().collect();
        assert_eq!(again.len(), 6);
    }

    #[test]
    fn plans_are_told_from_names() {
        let runtime = Runtime::open(DeviceChoice::Emulator).unwrap();
        let problems = [Problem::new(Dtype::F32, 2, 6000, 5)];
        let mut seen = Seen::default();
        let plain = Candidate::plain(Backend::Singlepass);
        assert!(seen.is_new(&runtime, &problems, &Candidate::plain(Backend::Auto)).unwrap());
        assert!(!seen.is_new(&runtime, &problems, &plain).unwrap());
        let news = plain.changes().filter(|c| seen.is_new(&runtime, &problems, c).unwrap()).count();
        assert!((1..plain.changes().count()).contains(&news), "{news}");
    }
}
