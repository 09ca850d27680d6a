//! Memory of a launch: a block's shared memory with its checks, and the list of global allocations.
use std::mem::MaybeUninit;
use std::ops::Range;

use crate::fault::Site;
use crate::order::Order;
use crate::race::{Access, Clash, Shadow, Touch};

/// Threads in a warp.
pub(crate) const WARP: u32 = 32;

/// The lanes named by a mask, ascending.
#[inline]
pub(crate) fn lanes(mask: u32) -> impl Iterator<Item = u32> {
    let mut left = mask;
    std::iter::from_fn(move || {
        let lane = left.trailing_zeros();
        left &= left.wrapping_sub(1);
        (lane < WARP).then_some(lane)
    })
}

/// Why an access to shared memory is refused.
pub(crate) enum Refusal {
    OutOfBounds,
    Misaligned,
    Uninitialized,
    Race(Clash),
}

/// An access to shared memory: what, where, by whom.
#[derive(Clone, Copy)]
pub(crate) struct Request {
    pub(crate) address: u32,
    /// 1, 2, 4, 8 or 16.
    pub(crate) bytes: u32,
    pub(crate) access: Access,
    pub(crate) thread: u32,
    pub(crate) site: Site,
}

/// The shared memory of one block.
pub(crate) struct SharedMemory {
    bytes: u32,
    contents: Vec<MaybeUninit<u128>>,
    /// One bit a byte: somebody has written it.
    initialized: Vec<u64>,
    shadow: Option<Shadow>,
    pub(crate) order: Order,
}

impl SharedMemory {
    pub(crate) fn new(bytes: u32, block_dim: u32, check_races: bool) -> SharedMemory {
        SharedMemory {
            bytes,
            contents: vec![MaybeUninit::uninit(); bytes.div_ceil(16) as usize],
            initialized: vec![0; bytes.div_ceil(64) as usize],
            shadow: check_races.then(|| Shadow::new(bytes)),
            order: Order::new(block_dim),
        }
    }

    /// A new block moves in: it sees nothing of the last one.
    pub(crate) fn reset(&mut self) {
        self.initialized.fill(0);
        self.order.block_barrier();
    }

    /// Checks an access, notes it, and returns the place.
    #[inline]
    pub(crate) fn request(&mut self, request: &Request) -> Result<*mut u8, Refusal> {
        let &Request { address, bytes, .. } = request;
        if u64::from(address) + u64::from(bytes) > u64::from(self.bytes) {
            return Err(Refusal::OutOfBounds);
        }
        if !address.is_multiple_of(bytes) {
            return Err(Refusal::Misaligned);
        }
        let bits = ((1u64 << bytes) - 1) << (address % 64);
        let initialized = &mut self.initialized[(address / 64) as usize];
        match request.access {
            Access::Write => *initialized |= bits,
            _ if *initialized & bits != bits => return Err(Refusal::Uninitialized),
            _ => {}
        }
        if let Some(shadow) = &mut self.shadow {
            let now = Touch {
                site: Some(request.site),
                clock: self.order.clock(request.thread),
                thread: request.thread,
            };
            let range = address..address + bytes;
            if let Some(clash) = shadow.touch(range, request.access, now, &self.order) {
                return Err(Refusal::Race(clash));
            }
        }
        let contents = self.contents.as_mut_ptr().cast::<u8>();
        Ok(contents.wrapping_add(address as usize))
    }

    /// How large it is, in bytes.
    pub(crate) fn bytes(&self) -> u32 {
        self.bytes
    }
}

/// The address ranges that a launch may touch.
pub(crate) struct Allocations {
    /// The starts, ascending, each with the furthest end of a range that starts there or before.
    starts: Vec<(usize, usize)>,
}

impl Allocations {
    pub(crate) fn new(ranges: &[Range<usize>]) -> Allocations {
        let mut starts: Vec<_> = ranges.iter().map(|range| (range.start, range.end)).collect();
        starts.sort_unstable();
        let mut furthest = 0;
        for (_, end) in &mut starts {
            furthest = furthest.max(*end);
            *end = furthest;
        }
        Allocations { starts }
    }

    /// Whether one of the ranges holds all of `place`.
    #[inline]
    pub(crate) fn contain(&self, place: Range<usize>) -> bool {
        let after = self.starts.partition_point(|(start, _)| *start <= place.start);
        after > 0 && place.end <= self.starts[after - 1].1
    }
}
