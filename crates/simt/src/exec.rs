//! The engine: a coroutine for every live thread, and the loop that runs them one at a time.
//!
//! The engine knows no policy: whom to run it asks the [scheduler](crate::sched). It starts blocks,
//! resumes threads, and stops at the first fault.
use std::any::Any;
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Mutex, Once, PoisonError};

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};

use crate::fault::{Fault, FaultKind};
use crate::sched::Schedule;
use crate::world::World;
use crate::{Launch, Stats};

/// The stack of an emulated thread. A guard page below it ends an overflow with a signal.
const STACK_BYTES: usize = 64 * 1024;

/// Stacks that no launch uses at the moment: making one costs two system calls.
static STACKS: Mutex<Vec<DefaultStack>> = Mutex::new(Vec::new());

type Run = Coroutine<(), (), (), DefaultStack>;

/// Runs a launch to its end or its first fault.
pub(crate) fn run(launch: &Launch, schedule: Schedule, kernel: &dyn Fn()) -> Result<Stats, Fault> {
    note_panics();
    let world = World::new(launch, schedule);
    let _entered = world.enter();
    let mut engine = Engine {
        world: &world,
        kernel,
        runs: (0..world.threads.len()).map(|_| None).collect(),
        stacks: Vec::new(),
        order: world.scheduler.borrow_mut().block_order(launch.grid, launch.cluster),
        live_blocks: 0,
        switches: 0,
    };
    engine.run()?;
    Ok(Stats {
        threads: u64::from(launch.grid) * u64::from(launch.block),
        switches: engine.switches,
        accesses: world.accesses(),
    })
}

struct Engine<'a> {
    world: &'a World,
    kernel: &'a dyn Fn(),
    /// By slot.
    runs: Vec<Option<Run>>,
    /// Stacks at hand.
    stacks: Vec<DefaultStack>,
    order: Vec<u32>,
    live_blocks: u32,
    switches: u64,
}

impl Engine<'_> {
    fn run(&mut self) -> Result<(), Fault> {
        self.order.reverse();
        for cluster in 0..self.world.clusters.len() as u32 {
            self.start_next_cluster(cluster);
        }
        while self.live_blocks > 0 {
            match self.world.pick() {
                Some(slot) => self.resume(slot),
                None => self.world.record_stuck(),
            }
            if let Some(fault) = self.world.take_fault() {
                return Err(fault);
            }
        }
        Ok(())
    }

    #[inline]
    fn resume(&mut self, slot: u32) {
        self.switches += 1;
        let run = self.runs[slot as usize].as_mut();
        let run = run.expect("a ready thread has a coroutine");
        self.world.set_running(true);
        let outcome = run.resume(());
        self.world.set_running(false);
        if let CoroutineResult::Return(()) = outcome {
            self.end(slot);
        }
    }

    fn end(&mut self, slot: u32) {
        if let Some(run) = self.runs[slot as usize].take() {
            self.stacks.push(run.into_stack());
        }
        if self.world.thread_ended(slot) {
            self.live_blocks -= 1;
            let cluster = self.world.block_of(slot) / self.world.cluster_dim;
            if self.world.cluster_ended(cluster) {
                self.start_next_cluster(cluster);
            }
        }
    }

    /// Starts the blocks of the grid's next cluster, if there is one, in free places.
    fn start_next_cluster(&mut self, cluster: u32) {
        let dim = self.world.cluster_dim;
        self.world.clear_cluster(cluster);
        (cluster * dim..(cluster + 1) * dim).for_each(|place| self.start_next_block(place));
    }

    /// Starts the next block of the grid, if there is one, in a free place.
    fn start_next_block(&mut self, place: u32) {
        let Some(id) = self.order.pop() else {
            return;
        };
        let dim = self.world.block_dim;
        self.take_stacks(dim as usize);
        for slot in place * dim..(place + 1) * dim {
            let stack = self.stacks.pop().expect("take_stacks made enough");
            self.runs[slot as usize] = Some(self.coroutine(stack));
        }
        self.world.start_block(place, id);
        self.live_blocks += 1;
    }

    fn coroutine(&self, stack: DefaultStack) -> Run {
        let (world, kernel) = (self.world, self.kernel);
        let body = move |yielder: &Yielder<(), ()>, ()| {
            world.set_yielder(yielder);
            run_thread(world, kernel);
        };
        // SAFETY: the body borrows the world and the kernel. Both outlive the engine, which drops
        // (and so unwinds) every coroutine before it goes, and forgets none.
        unsafe { Coroutine::with_stack_unchecked(stack, body) }
    }

    /// Gets `count` stacks to hand: from the pool while it has any, then new ones.
    fn take_stacks(&mut self, count: usize) {
        let missing = count.saturating_sub(self.stacks.len());
        let mut pool = STACKS.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = pool.len() - missing.min(pool.len());
        self.stacks.extend(pool.drain(kept..));
        drop(pool);
        while self.stacks.len() < count {
            let stack = DefaultStack::new(STACK_BYTES);
            self.stacks.push(stack.expect("memory for a stack"));
        }
    }
}

impl Drop for Engine<'_> {
    /// Unwinds the threads that a fault cut short, and gives all stacks back.
    fn drop(&mut self) {
        self.world.stop();
        for mut run in self.runs.drain(..).flatten() {
            run.force_unwind();
            self.stacks.push(run.into_stack());
        }
        let mut pool = STACKS.lock().unwrap_or_else(PoisonError::into_inner);
        pool.append(&mut self.stacks);
    }
}

/// The kernel in one thread. A panic ends the launch as a fault; the unwinding by which the engine
/// ends a thread passes through.
fn run_thread(world: &World, kernel: &dyn Fn()) {
    let Err(payload) = panic::catch_unwind(AssertUnwindSafe(kernel)) else {
        return;
    };
    if world.is_stopped() {
        panic::resume_unwind(payload);
    }
    let place = PANIC_PLACE.take().unwrap_or_default();
    let text = panic_text(payload.as_ref());
    let name = world.name(world.my_slot());
    world.record(FaultKind::Panic, format!("{name} panicked{place}: {text}"));
}

fn panic_text(payload: &(dyn Any + Send)) -> &str {
    if let Some(text) = payload.downcast_ref::<&str>() {
        text
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text
    } else {
        "(not a text)"
    }
}

thread_local! {
    /// Where the last panic of an emulated thread was raised.
    static PANIC_PLACE: Cell<Option<String>> = const { Cell::new(None) };
}

/// Keeps the place of a panic inside a launch for the fault's text, instead of printing it. Panics
/// elsewhere go on to the hook that was there before.
fn note_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let outside = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if World::is_running() {
                PANIC_PLACE.set(info.location().map(|place| format!(" at {place}")));
            } else {
                outside(info);
            }
        }));
    });
}
