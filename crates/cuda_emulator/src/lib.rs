//! A CUDA driver whose GPU is the emulator.
//!
//! Host code is hard to test where there is no GPU: allocations, copies, streams, graphs and
//! launches all want a driver. [`install`] gives the process one, in place of `libcuda`: it
//! answers the driver's own functions, so host code written for a GPU, the crate cust included,
//! runs unchanged, and its kernels run in [`simt`], which finds races, deadlocks and accesses out
//! of bounds on the way.
//!
//! # What is like a GPU
//!
//! - Errors: the codes of the real driver; after a fault in a kernel every call fails (700, 716,
//!   719) until the context is released.
//! - Memory: fresh memory is not zero but `0xA5`; copies and fills must stay within one live
//!   allocation.
//! - Modules: PTX text gives the names of kernels; their code comes from the registry given to
//!   [`install`].
//! - Launches: limits on threads and shared memory are checked; the arguments are copied.
//! - Clusters: the blocks of one are live together, up to 8 of them, or up to 16 of a kernel that
//!   allows it. A larger one gives 912 (invalid cluster size), a grid that is not so many whole
//!   ones 1 (invalid value). [`simt::cluster`] says what they can do.
//! - Graphs: capture records, launch replays; calls that a capture forbids spoil it.
//!
//! # What is not
//!
//! After a fault the real driver is lost to the process; here a new context is healthy again, so
//! that one test's fault does not end the others.
//!
//! Work runs at once on the thread that enqueues it, so nothing ever overlaps, and a missing
//! synchronisation between streams goes unnoticed. Grids, blocks and clusters have one dimension:
//! a launch with more gives 801 (not supported).
//!
//! # Map
//!
//! | module | what it holds |
//! |---|---|
//! | `entry` | the driver's functions, by area, and the table of their names |
//! | `state` | the driver's state behind one lock; what a call checks first |
//! | `memory` | device memory: allocations, bounds |
//! | `device` | what the GPU says of itself, and how many blocks it holds |
//! | `ptx` | the names of the kernels in PTX text |
//! | `work` | what a stream does: launches, copies, fills, at once or when a graph is launched |

mod device;
mod entry;
mod memory;
mod ptx;
mod state;
mod work;

use cuda_loader::InstallError;
use simt::{Kernel, Schedule};

/// The name of the driver in messages.
pub const DRIVER_NAME: &str = "aikf emulator";

/// Makes the emulator the CUDA driver of this process, with these kernels.
///
/// Kernels are found by the names that PTX modules declare. Several calls add up; of two kernels
/// of one name, the one installed first counts. The environment variable
/// `AIKF_EMULATOR_SCHEDULE` (`in-order` or `random:SEED`) sets the schedule, as [`set_schedule`]
/// does.
///
/// # Errors
///
/// [`InstallError`] if the process already uses another driver.
///
/// # Panics
///
/// If `AIKF_EMULATOR_SCHEDULE` is no schedule.
pub fn install(kernels: &'static [&'static [Kernel]]) -> Result<(), InstallError> {
    cuda_loader::install(entry::lookup, DRIVER_NAME)?;
    let schedule = schedule_from_environment();
    let mut state = state::lock();
    state.add_kernels(kernels);
    if let Some(schedule) = schedule {
        state.schedule = schedule;
    }
    Ok(())
}

/// The schedule of all later launches.
pub fn set_schedule(schedule: Schedule) {
    state::lock().schedule = schedule;
}

/// The text of the last fault that a kernel of this process had.
pub fn last_fault() -> Option<String> {
    state::lock().last_fault.clone()
}

/// What `AIKF_EMULATOR_SCHEDULE` asks for, if it is set.
fn schedule_from_environment() -> Option<Schedule> {
    let text = std::env::var("AIKF_EMULATOR_SCHEDULE").ok()?;
    match text.parse() {
        Ok(schedule) => Some(schedule),
        Err(error) => panic!("AIKF_EMULATOR_SCHEDULE: {error}"),
    }
}
