//! What can go wrong in a kernel, in words.
//!
//! A fault is found by a thread (a bad access), by the last thread to arrive at a collective
//! (divergence), or by the engine when nobody can run (deadlock). Whoever finds it records the
//! text; the launch then stops and returns it.
use std::fmt;
use std::panic::Location;

use crate::Schedule;

/// A place in the kernel's source.
pub(crate) type Site = &'static Location<'static>;

/// The families of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FaultKind {
    /// Two threads touch the same shared memory, at least one writes, not both are atomic, and no
    /// barrier lies between them.
    Race,
    /// Threads that must meet in one collective wait in different ones: another source line, or
    /// another mask.
    Divergence,
    /// A warp collective's mask lacks the calling lane, names a lane that has ended or never was,
    /// or a shuffle reads a lane outside the mask.
    BadMask,
    /// Nobody can run: every live thread waits for one that will not come.
    Deadlock,
    /// Threads spin and nothing else moves.
    Livelock,
    /// An access outside the block's shared memory or the launch's allocations.
    OutOfBounds,
    /// An access at an address that is not a multiple of its size.
    Misaligned,
    /// A read of shared memory that nobody has written.
    Uninitialized,
    /// A cluster's barrier or its blocks' memory is used as no GPU allows.
    Cluster,
    /// The kernel panicked.
    Panic,
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FaultKind::Race => "race",
            FaultKind::Divergence => "divergence",
            FaultKind::BadMask => "bad mask",
            FaultKind::Deadlock => "deadlock",
            FaultKind::Livelock => "livelock",
            FaultKind::OutOfBounds => "out of bounds",
            FaultKind::Misaligned => "misaligned",
            FaultKind::Uninitialized => "uninitialized",
            FaultKind::Cluster => "cluster",
            FaultKind::Panic => "panic",
        })
    }
}

/// The first thing in a launch that no GPU is guaranteed to survive.
///
/// Its text names the source lines, threads and blocks involved, and ends with the line that
/// replays it: `replay with SIMT_REPLAY=random:42`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    kind: FaultKind,
    message: String,
    schedule: Schedule,
}

impl Fault {
    pub(crate) fn new(kind: FaultKind, message: String, schedule: Schedule) -> Fault {
        Fault { kind, message, schedule }
    }

    /// The family.
    pub fn kind(&self) -> FaultKind {
        self.kind
    }

    /// The schedule that led here; the same launch under it fails again in the same way.
    pub fn schedule(&self) -> Schedule {
        self.schedule
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fault { kind, message, schedule } = self;
        write!(f, "{kind}: {message}\nreplay with SIMT_REPLAY={schedule}")
    }
}

impl std::error::Error for Fault {}
