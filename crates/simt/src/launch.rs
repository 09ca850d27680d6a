//! What a launch is, and the entry point.
use std::ffi::c_void;
use std::ops::Range;
use std::sync::OnceLock;

use crate::exec;
use crate::fault::Fault;
use crate::sched::Schedule;

/// A grid of threads, and how to run it.
#[derive(Clone, Debug)]
pub struct Launch {
    /// How many blocks.
    pub grid: u32,
    /// How many threads a block has: 1 to 1024.
    pub block: u32,
    /// How many bytes of dynamic shared memory a block has.
    pub shared_bytes: u32,
    /// How many consecutive blocks make a cluster; the grid is a multiple of it.
    pub cluster: u32,
    /// Who runs when. `SIMT_REPLAY` in the environment overrides it.
    pub schedule: Schedule,
    /// How many blocks are live at once, rounded up to whole clusters; the next ones start when a
    /// cluster has ended. At least 1.
    pub resident_blocks: u32,
    /// Whether to look for races on shared memory.
    pub check_races: bool,
    /// The address ranges of global memory that the kernel may touch; `None`: not checked.
    pub allocations: Option<Vec<Range<usize>>>,
}

impl Launch {
    /// An in-order launch with race checks and four resident blocks.
    pub fn new(grid: u32, block: u32, shared_bytes: u32) -> Launch {
        Launch {
            grid,
            block,
            shared_bytes,
            cluster: 1,
            schedule: Schedule::InOrder,
            resident_blocks: 4,
            check_races: true,
            allocations: None,
        }
    }

    /// The same launch with clusters of so many blocks.
    pub fn cluster(self, cluster: u32) -> Launch {
        Launch { cluster, ..self }
    }

    /// The same launch under another schedule.
    pub fn schedule(self, schedule: Schedule) -> Launch {
        Launch { schedule, ..self }
    }

    /// The same launch under a random schedule.
    pub fn seeded(self, seed: u64) -> Launch {
        self.schedule(Schedule::Random { seed })
    }

    /// The same launch with checks that global accesses lie within these address ranges.
    pub fn allocations(self, allocations: Vec<Range<usize>>) -> Launch {
        Launch { allocations: Some(allocations), ..self }
    }
}

/// What a launch did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Threads that ran to their end.
    pub threads: u64,
    /// How often a thread was switched to.
    pub switches: u64,
    /// Accesses to shared and global memory.
    pub accesses: u64,
}

/// One emulated kernel of a registry: what a driver needs to launch it by name.
#[derive(Clone, Copy, Debug)]
pub struct Kernel {
    /// The entry point's name.
    pub name: &'static str,
    /// The most threads a block may have.
    pub max_threads: u32,
    /// The size in bytes of each parameter, in order.
    pub parameter_bytes: &'static [usize],
    /// Runs one thread of the kernel: to be called inside [`launch`].
    ///
    /// # Safety
    /// - `args` holds one pointer a parameter, each to a valid value of the parameter's type;
    /// - the kernel's own contract holds.
    pub call: unsafe fn(args: &[*const c_void]),
}

/// Runs `kernel` once for each thread of the grid, until all have ended or one is at fault.
///
/// A launch that stops at a fault unwinds the threads that have started, so that their destructors
/// run; a destructor must not call a device function then.
///
/// # Errors
/// The first [`Fault`] found.
///
/// # Panics
/// If the block, the cluster or `resident_blocks` is not of a valid size, if `SIMT_REPLAY` is no
/// [`Schedule`], or if the operating system has no memory left for stacks.
///
/// # Cost
/// About 100 ns a switch; 64 KiB of address space for each live thread, kept for later launches.
pub fn launch(launch: &Launch, kernel: impl Fn()) -> Result<Stats, Fault> {
    assert!(
        (1..=1024).contains(&launch.block),
        "a block has 1 to 1024 threads, not {}",
        launch.block
    );
    assert!(launch.resident_blocks >= 1, "a launch needs at least one resident block");
    assert!(
        launch.cluster >= 1 && launch.grid.is_multiple_of(launch.cluster),
        "{} blocks are not whole clusters of {}",
        launch.grid,
        launch.cluster
    );
    let schedule = replay().unwrap_or(launch.schedule);
    exec::run(launch, schedule, &kernel)
}

/// The schedule that `SIMT_REPLAY` asks for. The environment is read once.
fn replay() -> Option<Schedule> {
    static REPLAY: OnceLock<Option<Schedule>> = OnceLock::new();
    *REPLAY.get_or_init(|| {
        let text = std::env::var("SIMT_REPLAY").ok()?;
        match text.parse() {
            Ok(schedule) => Some(schedule),
            Err(error) => panic!("SIMT_REPLAY: {error}"),
        }
    })
}
