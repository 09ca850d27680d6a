//! The running thread's accesses to memory, and the words for those that are refused.
use crate::fault::{FaultKind, Site};
use crate::memory::{Refusal, Request};
use crate::race::{Access, Clash};
use crate::world::World;

impl World {
    /// Checks an access to shared memory; returns the place.
    #[inline]
    pub(crate) fn shared_access(
        &self,
        address: u32,
        bytes: u32,
        access: Access,
        site: Site,
    ) -> *mut u8 {
        self.step(site);
        if access == Access::Write {
            self.progress();
        }
        let request = Request { address, bytes, access, thread: self.me().index, site };
        let outcome = self.my_block().memory.borrow_mut().request(&request);
        match outcome {
            Ok(place) => place,
            Err(refusal) => self.refuse(&request, refusal),
        }
    }

    #[cold]
    pub(crate) fn refuse(&self, request: &Request, refusal: Refusal) -> ! {
        let &Request { address, bytes, access, site, .. } = request;
        let me = self.name(self.my_slot());
        let what = format!(
            "{} shared bytes {address}..{} at {site}",
            present(access),
            u64::from(address) + u64::from(bytes)
        );
        let (kind, message) = match refusal {
            Refusal::OutOfBounds => (
                FaultKind::OutOfBounds,
                format!(
                    "{me} {what}; the launch gave {} bytes",
                    self.my_block().memory.borrow().bytes()
                ),
            ),
            Refusal::Misaligned => (
                FaultKind::Misaligned,
                format!("{me} {what}; the address is no multiple of {bytes}"),
            ),
            Refusal::Uninitialized => (
                FaultKind::Uninitialized,
                format!(
                    "{me} {what}, which nobody has written yet: \
                     an initialisation or a barrier is missing"
                ),
            ),
            Refusal::Race(clash) => {
                (FaultKind::Race, format!("{me} {what}; {}, no barrier between", past(&clash)))
            }
        };
        self.fail(kind, message)
    }

    /// Checks an access to global memory.
    #[inline]
    pub(crate) fn global_access(&self, address: usize, bytes: usize, site: Site) {
        self.step(site);
        if !address.is_multiple_of(bytes) {
            self.refuse_global(FaultKind::Misaligned, address, bytes, site);
        }
        if let Some(allocations) = &self.allocations
            && !allocations.contain(address..address.saturating_add(bytes))
        {
            self.refuse_global(FaultKind::OutOfBounds, address, bytes, site);
        }
    }

    #[cold]
    fn refuse_global(&self, kind: FaultKind, address: usize, bytes: usize, site: Site) -> ! {
        let why = match kind {
            FaultKind::Misaligned => "the address is no multiple of the size",
            _ => "no allocation of the launch holds all of them",
        };
        let me = self.name(self.my_slot());
        let message =
            format!("{me} accesses {bytes} global bytes at {address:#x} from {site}; {why}");
        self.fail(kind, message)
    }
}

/// The earlier half of a race.
fn past(clash: &Clash) -> String {
    let verb = match clash.access {
        Access::Read => "read",
        Access::Write => "wrote",
        Access::Atomic => "updated",
    };
    let thread = clash.earlier.thread;
    match clash.earlier.site {
        Some(site) => format!("thread {thread} {verb} it at {site}"),
        None => format!("thread {thread} {verb} it"),
    }
}

fn present(access: Access) -> &'static str {
    match access {
        Access::Read => "reads",
        Access::Write => "writes",
        Access::Atomic => "updates",
    }
}
