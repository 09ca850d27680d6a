//! What a stream does: launches, copies and fills, at once or when a graph is launched.

use std::ffi::c_void;
use std::ptr;
use std::sync::{Arc, PoisonError};

use cuda_loader::error::code;
use simt::{Fault, FaultKind, Kernel, Launch};

use crate::device;
use crate::state::{self, Outcome, State};

/// A place in memory, by address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the caller's memory, which is not checked.
    Host(usize),
    /// In device memory, which is.
    Device(usize),
}

/// A kernel with its shape and its arguments, which are copies.
pub(crate) struct KernelLaunch {
    /// The kernel.
    pub(crate) kernel: Kernel,
    /// Blocks.
    pub(crate) grid: u32,
    /// Threads of a block.
    pub(crate) block: u32,
    /// Bytes of dynamic shared memory of a block.
    pub(crate) shared_bytes: u32,
    /// Blocks of a cluster.
    pub(crate) cluster: u32,
    /// One for each parameter.
    pub(crate) arguments: Vec<Argument>,
}

/// The bytes of one argument, aligned for any type of parameter.
pub(crate) struct Argument(Box<[u128]>);

impl Argument {
    /// Copies `bytes` bytes.
    ///
    /// # Safety
    ///
    /// `from` is valid for reads of `bytes` bytes.
    pub(crate) unsafe fn copy(from: *const c_void, bytes: usize) -> Argument {
        let mut words = vec![0u128; bytes.div_ceil(size_of::<u128>())].into_boxed_slice();
        let to = words.as_mut_ptr().cast::<u8>();
        // SAFETY: `from` has the bytes (the caller's duty), `words` has room for them, and being
        // new it does not overlap.
        unsafe { ptr::copy_nonoverlapping(from.cast::<u8>(), to, bytes) };
        Argument(words)
    }

    /// Where the bytes are.
    fn address(&self) -> *const c_void {
        self.0.as_ptr().cast()
    }
}

/// One piece of work.
pub(crate) enum Work {
    /// Runs a kernel.
    Launch(KernelLaunch),
    /// Copies bytes.
    Copy {
        /// Where to.
        to: Place,
        /// Where from.
        from: Place,
        /// How many.
        bytes: usize,
    },
    /// Fills memory with a repeated value.
    Fill {
        /// The first address.
        to: usize,
        /// The value's bytes, of which the first `width` count.
        value: [u8; 4],
        /// Bytes of the value: 1, 2 or 4.
        width: usize,
        /// How often the value is repeated.
        count: usize,
    },
}

impl Work {
    /// Checks that the device memory used is allocated and aligned.
    fn check(&self, state: &State) -> Outcome {
        let contains = |place: &Place, bytes: usize| match *place {
            Place::Host(address) => bytes == 0 || address != 0,
            Place::Device(address) => bytes == 0 || state.memory.contains(address, bytes),
        };
        let fine = match self {
            Work::Launch(_) => true,
            Work::Copy { to, from, bytes } => contains(to, *bytes) && contains(from, *bytes),
            Work::Fill { to, width, count, .. } => {
                let bytes = width.checked_mul(*count).ok_or(code::INVALID_VALUE)?;
                contains(&Place::Device(*to), bytes) && to.is_multiple_of(*width)
            }
        };
        if fine { Ok(()) } else { Err(code::INVALID_VALUE) }
    }

    /// Does the work, now.
    fn run(&self) -> Outcome {
        let _busy = state::running().read().unwrap_or_else(PoisonError::into_inner);
        // Under the lock above nothing is freed, so what is checked now holds until the end.
        self.check(&state::lock())?;
        match self {
            Work::Launch(launch) => launch.run(),
            Work::Copy { to, from, bytes } => copy(*to, *from, *bytes),
            Work::Fill { to, value, width, count } => fill(*to, &value[..*width], *count),
        }
        Ok(())
    }
}

/// Enqueues `work`: it is done now, or recorded if the stream is being captured.
pub(crate) fn submit(stream: usize, work: Work) -> Outcome {
    submit_all(stream, &[Arc::new(work)])
}

/// Enqueues several pieces of work.
pub(crate) fn submit_all(stream: usize, work: &[Arc<Work>]) -> Outcome {
    let mut state = state::enter()?;
    let Some(capture) = capture_of(&state, stream)? else {
        drop(state);
        return work.iter().try_for_each(|work| work.run());
    };
    if let Err(code) = work.iter().try_for_each(|work| work.check(&state)) {
        spoil_capture(&mut state, stream)?;
        return Err(code);
    }
    let capture = state.captures.get_mut(capture)?;
    if !capture.valid {
        return Err(code::STREAM_CAPTURE_INVALIDATED);
    }
    capture.work.extend_from_slice(work);
    Ok(())
}

/// The capture that a stream takes part in. The handles 0, 1 and 2 name default streams, which
/// cannot be captured.
pub(crate) fn capture_of(state: &State, stream: usize) -> Result<Option<usize>, u32> {
    if stream <= 2 { Ok(None) } else { Ok(state.streams.get(stream)?.capture) }
}

/// Marks the capture of a stream as spoilt, if it has one: so ends any call on it that fails.
pub(crate) fn spoil_capture(state: &mut State, stream: usize) -> Outcome {
    if let Some(capture) = capture_of(state, stream)? {
        state.captures.get_mut(capture)?.valid = false;
    }
    Ok(())
}

impl KernelLaunch {
    /// Runs the kernel; a fault becomes the context's failure.
    ///
    /// A GPU would answer the launch before the fault happens, so a later call reports it here
    /// too.
    fn run(&self) {
        let arguments: Vec<*const c_void> = self.arguments.iter().map(Argument::address).collect();
        let call = self.kernel.call;
        let result = simt::launch(&self.shape(), || {
            // SAFETY: there is an argument of the right size for each parameter; what they mean
            // to the kernel is the duty of who called the driver's launch function.
            unsafe { call(&arguments) }
        });
        if let Err(fault) = result {
            self.record(&fault);
        }
    }

    /// The launch in the emulator's terms. As many blocks are live at once as the GPU would hold,
    /// because kernels may count on that.
    fn shape(&self) -> Launch {
        let resident = device::occupancy(self.block, self.shared_bytes) * device::MULTIPROCESSORS;
        let state = state::lock();
        let mut launch = Launch::new(self.grid, self.block, self.shared_bytes)
            .cluster(self.cluster)
            .schedule(state.schedule)
            .allocations(state.memory.ranges());
        launch.resident_blocks = resident.clamp(1, self.grid.max(1));
        launch
    }

    /// Makes a fault known, and the context useless.
    fn record(&self, fault: &Fault) {
        let KernelLaunch { kernel, grid, block, shared_bytes, .. } = self;
        let text = format!(
            "kernel {} ({grid} blocks of {block} threads, {shared_bytes} bytes shared): {fault}",
            kernel.name
        );
        eprintln!("{}: {text}", crate::DRIVER_NAME);
        let mut state = state::lock();
        state.last_fault = Some(text);
        state.failure = Some(match fault.kind() {
            FaultKind::OutOfBounds => code::ILLEGAL_ADDRESS,
            FaultKind::Misaligned => code::MISALIGNED_ADDRESS,
            _ => code::LAUNCH_FAILED,
        });
    }
}

/// The address of a place as a pointer.
fn pointer(place: Place) -> *mut u8 {
    let (Place::Host(address) | Place::Device(address)) = place;
    ptr::with_exposed_provenance_mut(address)
}

/// Copies bytes between two places that were checked.
fn copy(to: Place, from: Place, bytes: usize) {
    if bytes == 0 {
        return;
    }
    // SAFETY: device places lie within live allocations (`Work::check`, and nothing is freed
    // meanwhile); host places are the duty of who called the driver's copy function, as is that
    // nobody else uses either. The two may overlap.
    unsafe { ptr::copy(pointer(from), pointer(to), bytes) };
}

/// Fills memory that was checked with `count` times `value`.
fn fill(to: usize, value: &[u8], count: usize) {
    if count == 0 {
        return;
    }
    let start = pointer(Place::Device(to));
    // SAFETY: the bytes lie within a live allocation (`Work::check`, and nothing is freed
    // meanwhile), allocations are initialised, and that nobody else uses the memory is the duty
    // of who called the driver's fill function.
    let memory = unsafe { std::slice::from_raw_parts_mut(start, count * value.len()) };
    match value {
        [byte] => memory.fill(*byte),
        _ => memory.chunks_exact_mut(value.len()).for_each(|chunk| chunk.copy_from_slice(value)),
    }
}
