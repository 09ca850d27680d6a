//! Who runs next, and for how long: the only file to change for a new policy.
//!
//! The engine asks three questions: which block starts next ([`Scheduler::block_order`]), which
//! ready thread runs next ([`Scheduler::pick`]), and how many accesses it may do before it is
//! interrupted ([`Scheduler::slice`]). A policy answers from its own state alone, so that the same
//! [`Schedule`] always gives the same run.
use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;

/// A policy with its seed: all that is needed to run a launch again in the same way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Schedule {
    /// Blocks and threads in order of their index, each thread until it waits. The fastest.
    #[default]
    InOrder,
    /// A random block starts next, a random thread runs next, for a random time.
    Random {
        /// Where the random numbers start.
        seed: u64,
    },
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Schedule::InOrder => f.write_str("in-order"),
            Schedule::Random { seed } => write!(f, "random:{seed}"),
        }
    }
}

/// The text is no [`Schedule`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseScheduleError(String);

impl fmt::Display for ParseScheduleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is no schedule: expected \"in-order\" or \"random:SEED\", SEED from 0 to {}",
            self.0,
            u64::MAX
        )
    }
}

impl std::error::Error for ParseScheduleError {}

impl FromStr for Schedule {
    type Err = ParseScheduleError;

    fn from_str(text: &str) -> Result<Schedule, ParseScheduleError> {
        if text == "in-order" {
            return Ok(Schedule::InOrder);
        }
        text.strip_prefix("random:")
            .and_then(|seed| seed.parse().ok())
            .map(|seed| Schedule::Random { seed })
            .ok_or_else(|| ParseScheduleError(text.to_owned()))
    }
}

/// How many accesses an in-order thread may do before the others get a turn. It only matters to a
/// thread that waits for another one in a loop of its own.
const IN_ORDER_SLICE: u32 = 4096;

/// The threads that can run, and the policy that picks among them.
pub(crate) struct Scheduler {
    /// In order, the next thread is the last one: who is woken runs before who was queued, so that
    /// a warp runs on while its data is in cache.
    ready: VecDeque<u32>,
    /// None: in order.
    random: Option<Random>,
}

impl Scheduler {
    pub(crate) fn new(schedule: Schedule, threads: usize) -> Scheduler {
        Scheduler {
            ready: VecDeque::with_capacity(threads),
            random: match schedule {
                Schedule::InOrder => None,
                Schedule::Random { seed } => Some(Random::new(seed)),
            },
        }
    }

    /// The order in which the blocks of the grid start, whole clusters one after the other. CUDA
    /// promises none.
    pub(crate) fn block_order(&mut self, grid: u32, cluster: u32) -> Vec<u32> {
        let mut order: Vec<u32> = (0..grid / cluster).collect();
        if let Some(random) = &mut self.random {
            for last in (1..order.len()).rev() {
                order.swap(last, random.below(last + 1));
            }
        }
        order
            .iter()
            .flat_map(|first| (0..cluster).map(move |rank| first * cluster + rank))
            .collect()
    }

    /// Takes the thread that runs next.
    pub(crate) fn pick(&mut self) -> Option<u32> {
        match &mut self.random {
            None => self.ready.pop_back(),
            Some(_) if self.ready.is_empty() => None,
            Some(random) => {
                let place = random.below(self.ready.len());
                self.ready.swap_remove_back(place)
            }
        }
    }

    /// How many accesses the picked thread may do; at least one.
    pub(crate) fn slice(&mut self) -> u32 {
        let Some(random) = &mut self.random else {
            return IN_ORDER_SLICE;
        };
        // Mostly short, so that threads interleave finely; at times long, so that one runs ahead.
        let longest = if random.below(8) == 0 { 512 } else { 16 };
        1 + random.below(longest) as u32
    }

    /// A waiting thread can run again. Those that are woken together come in descending order, so
    /// that the stack gives them back in ascending order.
    pub(crate) fn wake(&mut self, slot: u32) {
        self.ready.push_back(slot);
    }

    /// All others go before this thread: it spins, or it has just started.
    pub(crate) fn queue(&mut self, slot: u32) {
        self.ready.push_front(slot);
    }
}

/// SplitMix64 (Steele, Lea and Flood, 2014): tiny, and good from any seed.
struct Random {
    state: u64,
}

impl Random {
    fn new(seed: u64) -> Random {
        Random { state: seed }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which fits in 32 bits. The bias of 2^-32 is of no account here.
    fn below(&mut self, bound: usize) -> usize {
        let high = self.next() >> 32;
        ((high * bound as u64) >> 32) as usize
    }
}
