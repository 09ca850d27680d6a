//! The race detector: what is remembered of the last accesses to each word of shared memory.
//!
//! A race is two accesses by different threads, at least one a write, not both atomic, that no
//! barrier orders. It is found whatever order the threads happen to run in, and although the value
//! may come out right.
//!
//! For each word the shadow keeps the last plain write, the last two atomics and the last two
//! reads. Two are enough to catch a reader in another warp than the writer's, because the two are
//! kept from different warps where there are such. The words are of four bytes until a kernel makes
//! a smaller access; then the block's shadow is split into bytes, once.
use std::ops::Range;

use crate::fault::Site;
use crate::memory::WARP;
use crate::order::Order;

/// What an access does to its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
    /// Reads and writes in one step.
    Atomic,
}

/// One access: who, when (0: never), from which line.
#[derive(Clone, Copy, Default)]
pub(crate) struct Touch {
    pub(crate) site: Option<Site>,
    pub(crate) clock: u32,
    pub(crate) thread: u32,
}

/// The last two accesses of a kind, by different threads and, if possible, different warps.
#[derive(Clone, Copy, Default)]
struct Pair {
    last: Touch,
    other: Touch,
}

#[derive(Clone, Copy, Default)]
struct Word {
    write: Touch,
    atomics: Pair,
    reads: Pair,
}

/// Words that are made together; a multiple of 16, so that no access straddles two pages.
const PAGE: usize = 64;
type Page = [Word; PAGE];

/// An earlier access that nothing orders before the present one.
pub(crate) struct Clash {
    pub(crate) earlier: Touch,
    pub(crate) access: Access,
}

/// The accesses to one block's shared memory.
pub(crate) struct Shadow {
    /// Made on first use: a launch may ask for much more than it touches.
    pages: Vec<Option<Box<Page>>>,
    /// log2 of the bytes that a word stands for: 2, or 0 once split.
    granule: u32,
}

impl Shadow {
    pub(crate) fn new(bytes: u32) -> Shadow {
        let words = (bytes as usize).div_ceil(4);
        Shadow { pages: vec![None; words.div_ceil(PAGE)], granule: 2 }
    }

    /// Notes an access to `bytes`, which is aligned to its length; returns what it races with.
    #[inline]
    pub(crate) fn touch(
        &mut self,
        bytes: Range<u32>,
        access: Access,
        now: Touch,
        order: &Order,
    ) -> Option<Clash> {
        if bytes.end - bytes.start < 1 << self.granule {
            self.split();
        }
        let first = (bytes.start >> self.granule) as usize;
        let count = ((bytes.end - bytes.start) >> self.granule) as usize;
        // An aligned access lies within one page.
        let page =
            self.pages[first / PAGE].get_or_insert_with(|| Box::new([Word::default(); PAGE]));
        for word in &mut page[first % PAGE..][..count] {
            let clash = word.clash(access, now.thread, order);
            if clash.is_some() {
                return clash;
            }
            word.note(access, now, order.floor());
        }
        None
    }

    #[cold]
    fn split(&mut self) {
        self.granule = 0;
        let quarter = |page: &Option<Box<Page>>, part: usize| {
            let words = &page.as_ref()?[part * PAGE / 4..][..PAGE / 4];
            Some(Box::new(std::array::from_fn(|byte| words[byte / 4])))
        };
        self.pages = self
            .pages
            .iter()
            .flat_map(|page| (0..4).map(move |part| quarter(page, part)))
            .collect();
    }
}

impl Word {
    #[inline]
    fn clash(&self, access: Access, thread: u32, order: &Order) -> Option<Clash> {
        let races = |earlier: &Touch| {
            earlier.clock >= order.floor() && !order.ordered(earlier.thread, earlier.clock, thread)
        };
        let found = |earlier: Touch, access| Some(Clash { earlier, access });
        if races(&self.write) {
            return found(self.write, Access::Write);
        }
        if access != Access::Atomic
            && let Some(earlier) = self.atomics.find(races)
        {
            return found(earlier, Access::Atomic);
        }
        if access != Access::Read
            && let Some(earlier) = self.reads.find(races)
        {
            return found(earlier, Access::Read);
        }
        None
    }

    #[inline]
    fn note(&mut self, access: Access, now: Touch, floor: u32) {
        match access {
            Access::Read => self.reads.note(now, floor),
            Access::Write => self.write = now,
            Access::Atomic => self.atomics.note(now, floor),
        }
    }
}

impl Pair {
    #[inline]
    fn find(&self, races: impl Fn(&Touch) -> bool) -> Option<Touch> {
        if races(&self.last) {
            return Some(self.last);
        }
        races(&self.other).then_some(self.other)
    }

    #[inline]
    fn note(&mut self, now: Touch, floor: u32) {
        let last = self.last;
        if last.thread != now.thread && last.clock >= floor {
            // A witness from another warp is worth more than one from this warp.
            let keep_other = last.thread / WARP == now.thread / WARP
                && self.other.clock >= floor
                && self.other.thread / WARP != now.thread / WARP;
            if !keep_other {
                self.other = last;
            }
        }
        self.last = now;
    }
}
