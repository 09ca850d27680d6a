//! The driver's state, behind one lock, and what every call checks first.
//!
//! There are two locks, and the order is [`running`] before [`lock`]:
//!
//! - [`lock`] guards the tables. It is held for moments, never while a kernel runs, so other
//!   threads enqueue and wait as on a GPU.
//! - [`running`] is shared by everything that uses device memory, and taken alone by whatever
//!   frees some: like the real `cuMemFree`, that waits for the work under way.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread::ThreadId;
use std::time::Instant;

use cuda_loader::error::code;
use simt::{Kernel, Schedule};

use crate::memory::Memory;
use crate::work::Work;

/// What a call answers: nothing, or CUDA's code.
pub(crate) type Outcome = Result<(), u32>;

/// Objects of one type by handle.
///
/// A handle is a number that no other object of the process has or had, so a stale handle, or one
/// of another type, is found rather than followed.
pub(crate) struct Table<T>(BTreeMap<usize, T>);

impl<T> Default for Table<T> {
    fn default() -> Self {
        Table(BTreeMap::new())
    }
}

impl<T> Table<T> {
    /// Adds an object; its handle.
    pub(crate) fn insert(&mut self, object: T) -> usize {
        let handle = new_handle();
        self.0.insert(handle, object);
        handle
    }

    /// The object of a handle.
    pub(crate) fn get(&self, handle: usize) -> Result<&T, u32> {
        self.0.get(&handle).ok_or(code::INVALID_HANDLE)
    }

    /// The object of a handle, to change.
    pub(crate) fn get_mut(&mut self, handle: usize) -> Result<&mut T, u32> {
        self.0.get_mut(&handle).ok_or(code::INVALID_HANDLE)
    }

    /// Ends an object.
    pub(crate) fn remove(&mut self, handle: usize) -> Result<T, u32> {
        self.0.remove(&handle).ok_or(code::INVALID_HANDLE)
    }

    /// All objects, to change.
    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.0.values_mut()
    }

    /// Ends the objects that do not pass.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        self.0.retain(|_, object| keep(object));
    }
}

/// A handle that was never given out. Small numbers stay free: CUDA gives some of them meanings.
pub(crate) fn new_handle() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0x1000);
    NEXT.fetch_add(0x10, Ordering::Relaxed)
}

/// A stream other than the default ones.
#[derive(Default)]
pub(crate) struct Stream {
    /// The flags it was made with.
    pub(crate) flags: u32,
    /// The priority it was made with.
    pub(crate) priority: i32,
    /// The capture it takes part in.
    pub(crate) capture: Option<usize>,
}

/// A recording under way.
pub(crate) struct Capture {
    /// The stream that began it and must end it.
    pub(crate) origin: usize,
    /// The thread that began it.
    pub(crate) thread: ThreadId,
    /// Whether this thread must not make calls that wait or allocate.
    pub(crate) strict: bool,
    /// Whether no forbidden call has spoilt it.
    pub(crate) valid: bool,
    /// What was recorded so far.
    pub(crate) work: Vec<Arc<Work>>,
}

/// A mark in time.
#[derive(Default)]
pub(crate) struct Event {
    /// Whether it was made without a clock.
    pub(crate) timeless: bool,
    /// When it was recorded.
    pub(crate) recorded: Option<Instant>,
    /// The capture it was last recorded in, if that was in one.
    pub(crate) capture: Option<usize>,
}

/// A kernel of a module.
pub(crate) struct Function {
    /// The module, by handle.
    pub(crate) module: usize,
    /// Its code.
    pub(crate) kernel: Kernel,
    /// The bytes of dynamic shared memory that a launch may ask for.
    pub(crate) max_dynamic_shared: u32,
    /// Whether clusters may be larger than on every GPU that has them.
    pub(crate) large_clusters: bool,
}

/// The primary context.
#[derive(Default)]
pub(crate) struct Primary {
    /// Its handle while it is alive.
    pub(crate) handle: Option<usize>,
    /// How often it is retained.
    pub(crate) retained: u32,
    /// Its flags, which mean nothing here.
    pub(crate) flags: u32,
}

/// All that the driver knows.
#[derive(Default)]
pub(crate) struct State {
    /// Whether `cuInit` was called.
    pub(crate) initialised: bool,
    /// The code of kernels, by name.
    kernels: BTreeMap<&'static str, Kernel>,
    /// How launches run.
    pub(crate) schedule: Schedule,
    /// The context.
    pub(crate) primary: Primary,
    /// The code that every call gives since a kernel's fault.
    pub(crate) failure: Option<u32>,
    /// The last fault, in words.
    pub(crate) last_fault: Option<String>,
    /// Device memory.
    pub(crate) memory: Memory,
    /// The streams.
    pub(crate) streams: Table<Stream>,
    /// The captures under way.
    pub(crate) captures: Table<Capture>,
    /// The events.
    pub(crate) events: Table<Event>,
    /// The modules: the names of their kernels.
    pub(crate) modules: Table<std::collections::BTreeSet<String>>,
    /// The kernels that were asked for.
    pub(crate) functions: Table<Function>,
    /// Graphs, and by other handles, graphs ready to launch.
    pub(crate) graphs: Table<Vec<Arc<Work>>>,
}

impl State {
    /// Adds kernels to the registry; what is there already stays.
    pub(crate) fn add_kernels(&mut self, kernels: &'static [&'static [Kernel]]) {
        for &kernel in kernels.iter().copied().flatten() {
            self.kernels.entry(kernel.name).or_insert(kernel);
        }
    }

    /// The code of a kernel.
    pub(crate) fn kernel(&self, name: &str) -> Option<Kernel> {
        self.kernels.get(name).copied()
    }

    /// Ends the primary context and all that lives in it.
    pub(crate) fn reset_context(&mut self) {
        let State { kernels, schedule, last_fault, .. } = std::mem::take(self);
        self.kernels = kernels;
        self.schedule = schedule;
        self.last_fault = last_fault;
        self.initialised = true;
    }
}

/// The state, for a moment.
pub(crate) fn lock() -> MutexGuard<'static, State> {
    static STATE: LazyLock<Mutex<State>> = LazyLock::new(Mutex::default);
    // A panic of another thread cannot have left the tables half changed: no call of foreign
    // code lies between two changes that belong together.
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Shared by work that uses device memory, taken alone to free some.
pub(crate) fn running() -> &'static RwLock<()> {
    static RUNNING: RwLock<()> = RwLock::new(());
    &RUNNING
}

thread_local! {
    /// The contexts of this thread, the current one last.
    static CONTEXTS: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

/// Uses this thread's stack of contexts.
pub(crate) fn with_contexts<R>(f: impl FnOnce(&mut Vec<usize>) -> R) -> R {
    CONTEXTS.with_borrow_mut(f)
}

/// The state, for a call that needs no more than a started driver.
pub(crate) fn started() -> Result<MutexGuard<'static, State>, u32> {
    let state = lock();
    if state.initialised { Ok(state) } else { Err(code::NOT_INITIALIZED) }
}

/// The state, for a call that needs a healthy current context.
pub(crate) fn enter() -> Result<MutexGuard<'static, State>, u32> {
    let state = started()?;
    let current = with_contexts(|contexts| contexts.last().copied());
    match current {
        Some(context) if state.primary.handle == Some(context) => {}
        _ => return Err(code::INVALID_CONTEXT),
    }
    match state.failure {
        Some(failure) => Err(failure),
        None => Ok(state),
    }
}

/// The state, for a call that a strict capture of this thread forbids, and that spoils it.
pub(crate) fn enter_outside_capture() -> Result<MutexGuard<'static, State>, u32> {
    let mut state = enter()?;
    let thread = std::thread::current().id();
    let mut forbidden = false;
    for capture in state.captures.values_mut() {
        if capture.strict && capture.thread == thread {
            capture.valid = false;
            forbidden = true;
        }
    }
    if forbidden { Err(code::STREAM_CAPTURE_UNSUPPORTED) } else { Ok(state) }
}
