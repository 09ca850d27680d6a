//! Where top-p's prefix ends, found by a row's last block among what `full_window` listed; and what
//! is kept of each segment.
use cuda_std::shared::SharedArray;
use cuda_std::thread::{block_dim_x, sync_threads, sync_threads_or, thread_idx_x};
use cuda_std::unroll;
use cuda_std::warp::{WARP_SIZE, lane_id};

use super::descent::{Bins, Elements, Range, block_descend, element_of};
use super::draw::Running;
use super::lists::{Lists, SEGMENT_LISTED_MAX};
use super::look::Look;
use super::piece::{Window, item_of};
use super::sieve::Sieve;
use crate::prim::element::Element;
use crate::prim::mass::{block_sum_u64, warp_sum_u64};
use crate::prim::scan::warp_prefix_sum;
use crate::sampling::launch::{LISTED_MAX, MASS_THREADS, WINDOW_BINS, WindowLayout};
use crate::sampling::nucleus::Nucleus;
use crate::sampling::segment::SEGMENT;

/// Items of the last bin that a thread compares at once, of which there is room for a multiple.
const AT_ONCE: u32 = 8;
const _: () = assert!(MASS_THREADS.is_multiple_of(AT_ONCE));
/// Warps of the block.
const WARPS: u32 = MASS_THREADS / WARP_SIZE;

/// The shared memory of a block, in parts.
#[derive(Clone, Copy)]
struct Memory {
    scratch: SharedArray<u64>,
    bins: Bins,
    /// How many items the last bin has.
    count: SharedArray<u32>,
    /// Where each segment's items start among all, and how many they are.
    ranges: SharedArray<u32>,
    /// The last bin's items, and what they weigh.
    last: SharedArray<u64>,
    last_masses: SharedArray<u64>,
    /// The items of the window.
    items: SharedArray<u64>,
}

impl Memory {
    /// # Safety
    /// The launch has the layout's shared memory, and uses it in this way alone.
    #[inline(always)]
    unsafe fn new() -> Self {
        // SAFETY: the caller vouches for the layout.
        let scratch = unsafe { SharedArray::new(0) };
        // SAFETY: as above.
        let words = unsafe { SharedArray::new(WindowLayout::BINS) };
        // SAFETY: as above.
        let count = unsafe { SharedArray::new(WindowLayout::COUNT) };
        // SAFETY: as above.
        let ranges = unsafe { SharedArray::new(WindowLayout::RANGES) };
        // SAFETY: as above.
        let last = unsafe { SharedArray::new(WindowLayout::LAST) };
        // SAFETY: as above.
        let last_masses = unsafe { SharedArray::new(WindowLayout::LAST_MASSES) };
        // SAFETY: as above.
        let items = unsafe { SharedArray::new(WindowLayout::ITEMS) };
        let bins = Bins { words, scratch };
        Memory { scratch, bins, count, ranges, last, last_masses, items }
    }
}

/// Where a prefix ends.
pub struct End {
    /// The least composite that is kept.
    pub cut: u64,
    /// The sum of what is kept of this thread's segment, as top-p weighs it, where it is known, and
    /// then written down too.
    pub kept: Option<u64>,
}

/// What a block knows of its row, to find where top-p's prefix ends.
pub struct Search<E: Element> {
    look: Look<E>,
    nucleus: Nucleus,
    lists: Lists,
    memory: Memory,
}

impl<E: Element> Search<E> {
    /// Of the row that is looked at.
    ///
    /// # Safety
    /// The launch has the layout's shared memory, and uses it in this way alone.
    #[inline(always)]
    pub unsafe fn new(look: Look<E>, nucleus: Nucleus, lists: Lists) -> Self {
        // SAFETY: the caller vouches for the memory.
        Search { look, nucleus, lists, memory: unsafe { Memory::new() } }
    }

    /// As many masses as a draw wants, which are not used any more.
    #[inline(always)]
    pub fn scratch(&self) -> SharedArray<u64> {
        self.memory.scratch
    }

    /// Where the prefix ends. For all threads of the block together, the row's last; the same in
    /// all of them.
    #[inline(always)]
    pub fn end(&self, window: Option<Window>) -> End {
        let bins = self.memory.bins;
        let mut wanted = None;
        if let (Some(window), Some(_)) = (window, self.nucleus.plain()) {
            let sums = self.sums();
            wanted = Some(sums.target);
            if let Some(end) = self.end_in(&window, &sums) {
                return end;
            }
        }
        let elements = Inside { look: &self.look, window: None };
        let wanted = match wanted {
            Some(wanted) => wanted,
            None => {
                let mut own = 0;
                elements.each(|_, bits| own += self.nucleus.mass(E::value(bits)));
                self.nucleus.target(block_sum_u64(self.memory.scratch, own))
            }
        };
        let range = Range::of::<E>(&elements, bins.scratch);
        // All weigh what is wanted: there is an end.
        let cut = block_descend::<E>(&elements, range, &bins, &self.nucleus, wanted).unwrap_or(0);
        End { cut, kept: None }
    }

    /// The same in the window, if it ends there.
    #[inline(always)]
    fn end_in(&self, window: &Window, sums: &Sums) -> Option<End> {
        let left = sums.target.saturating_sub(sums.above);
        if left == 0 {
            return None;
        }
        if sums.is_listed {
            let scale = WINDOW_BINS as f32 / (window.high - window.low);
            let cut = self.sum_listed(window, scale, left, sums)?;
            return Some(End { cut, kept: Some(self.keep(cut, sums.own_above)) });
        }
        let bins = self.memory.bins;
        let elements = Inside { look: &self.look, window: Some(*window) };
        let range = Range::of::<E>(&elements, bins.scratch);
        if let Some(bits) = range.only::<E>() {
            return self.end_among_equals(bits, left, sums.own_above);
        }
        let cut = block_descend::<E>(&elements, range, &bins, &self.nucleus, left)?;
        Some(End { cut, kept: None })
    }

    /// The end where the running mass reaches what is `wanted` of the window, of which all elements
    /// have these bits; it writes down what is kept of each segment. None where all weigh less. For
    /// all threads of the block together; the same cut in all of them.
    #[inline(always)]
    fn end_among_equals(&self, bits: u32, wanted: u64, own_above: u64) -> Option<End> {
        let Memory { scratch, count, .. } = self.memory;
        let Look { row, segments, .. } = &self.look;
        let (thread, mass) = (thread_idx_x(), self.nucleus.mass(E::value(bits)).max(1));
        let of_segment = if thread < segments.count { self.lists.count(thread) } else { 0 };
        let wanted = wanted.div_ceil(mass);
        // Separates the last use of the scratch memory from this.
        sync_threads();
        let equals = Running::new(scratch, 0, of_segment as u64);
        if equals.total < wanted {
            return None;
        }
        let kept = (wanted.saturating_sub(equals.before())).min(of_segment as u64);
        let own = own_above + kept * mass;
        if thread < segments.count {
            segments.set_sum(thread, own);
        }
        if equals.reaches(wanted) {
            count.set(0, thread);
            count.set(1, (wanted - equals.before()) as u32);
        }
        // Separates the segment that was found from its use, and the scratch memory's uses.
        sync_threads();
        let (segment, rank) = (count.get(0), count.get(1));
        const EACH: u32 = SEGMENT / MASS_THREADS;
        let (first, end) = row.bounds(segment);
        let first = first + thread * EACH;
        // As values, for there are two zeros.
        let value = E::value(bits);
        let is_equal = |at: u32| first + at < end && E::value(row.element(first + at)) == value;
        let mut equal = 0;
        unroll!(i in EACH as usize => { equal += is_equal(i as u32) as u32; });
        let running = Running::new(scratch, 0, equal as u64);
        if running.reaches(rank as u64) {
            let (mut at, mut left) = (0, rank - running.before() as u32);
            while at < EACH {
                left -= is_equal(at) as u32;
                if left == 0 {
                    break;
                }
                at += 1;
            }
            count.set(2, first + at);
        }
        // Separates the element that was found from its use.
        sync_threads();
        Some(End { cut: item_of::<E>(count.get(2), bits).1, kept: Some(own) })
    }

    /// Sums what was found of the segments, of which a thread has one. For all threads of the block
    /// together; the same in all of them.
    #[inline(always)]
    fn sums(&self) -> Sums {
        let Memory { scratch, ranges, .. } = self.memory;
        let segment = thread_idx_x();
        let (mut all, mut above, mut count) = (0, 0, 0);
        if segment < self.look.segments.count {
            all = self.lists.all(segment);
            above = self.look.segments.sum(segment);
            count = self.lists.count(segment);
        }
        let (of_all, of_above) = (scratch.at(WARPS), scratch.at(2 * WARPS));
        let (warp_all, warp_above) = (warp_sum_u64(all), warp_sum_u64(above));
        if lane_id() == 0 {
            of_all.set(segment / WARP_SIZE, warp_all);
            of_above.set(segment / WARP_SIZE, warp_above);
        }
        // Its barrier separates these from their use too.
        let listed = Running::new(scratch, 0, count as u64);
        ranges.set(segment, (listed.before() as u32) << 16 | count);
        // Separates the ranges from their use.
        let exceeds_lists = sync_threads_or(count > SEGMENT_LISTED_MAX);
        let (mut total, mut total_above) = (0, 0);
        unroll!(warp in WARPS as usize => {
            total += of_all.get(warp as u32);
            total_above += of_above.get(warp as u32);
        });
        let is_listed = listed.total <= LISTED_MAX as u64;
        let target = self.nucleus.target(total);
        Sums { target, above: total_above, own_above: above, is_listed, exceeds_lists }
    }

    /// Reads the lists, and finds in them the item at which the running mass, best first, reaches
    /// what is `wanted`; none where all weigh less. For all threads of the block together; the same
    /// in all of them.
    #[inline(always)]
    fn sum_listed(&self, window: &Window, scale: f32, wanted: u64, sums: &Sums) -> Option<u64> {
        let Memory { bins, count, items, last, .. } = self.memory;
        if thread_idx_x() == 0 {
            count.set(0, 0);
        }
        bins.clear();
        let put = |at: u32, item: u64| {
            items.set(at, item);
            let value = E::value(element_of(item).1);
            bins.add(bin_of(value, window, scale), self.nucleus.mass(value));
        };
        self.gather(put);
        if sums.exceeds_lists {
            self.gather_again(window, put);
        }
        let found = bins.find(wanted)?;
        let last_bin = Bin { items, count: self.listed(), window, scale, bin: found.bin };
        last_bin.each_item::<E>(|item| {
            let at = count.fetch_add(0, 1);
            if at < MASS_THREADS {
                last.set(at, item);
            }
        });
        // Separates the items from their use.
        sync_threads();
        let left = wanted - found.before;
        if count.get(0) <= MASS_THREADS {
            return Some(self.last_of(count.get(0), left));
        }
        let elements = BinOf::<E> { bin: last_bin, element: core::marker::PhantomData };
        let range = Range::of::<E>(&elements, bins.scratch);
        block_descend::<E>(&elements, range, &bins, &self.nucleus, left)
    }

    /// Where a segment's listed items start among all, and how many they are: none, if it has more
    /// than were listed.
    #[inline(always)]
    fn listed_of(&self, segment: u32) -> (u32, u32) {
        let range = self.memory.ranges.get(segment);
        let count = range & 0xffff;
        (range >> 16, if count > SEGMENT_LISTED_MAX { 0 } else { count })
    }

    /// How many items the window has.
    #[inline(always)]
    fn listed(&self) -> u32 {
        let range = self.memory.ranges.get(MASS_THREADS - 1);
        (range >> 16) + (range & 0xffff)
    }

    /// Calls `put` with number and item of what segments have that have more than are listed.
    #[inline(always)]
    fn gather_again(&self, window: &Window, put: impl Fn(u32, u64)) {
        let (ranges, row) = (self.memory.ranges, self.look.row);
        let sieve = Sieve::before_top_p::<E>(&self.nucleus);
        let is_in = |index: u32, bits: u32| {
            let value = E::value(bits);
            window.has(value) && sieve.keeps(value, index)
        };
        let mut segment = thread_idx_x() / WARP_SIZE;
        while segment < self.look.segments.count {
            let (start, count) = (ranges.get(segment) >> 16, ranges.get(segment) & 0xffff);
            // The same in all lanes.
            if count > SEGMENT_LISTED_MAX {
                let mut own = 0;
                row.each(segment, |index, bits| own += is_in(index, bits) as u32);
                let mut at = start + warp_prefix_sum(own) - own;
                row.each(segment, |index, bits| {
                    if is_in(index, bits) {
                        put(at, item_of::<E>(index, bits).1);
                        at += 1;
                    }
                });
            }
            segment += block_dim_x() / WARP_SIZE;
        }
    }

    /// Calls `put` with number and item of what is listed. One at a time: a thread has one or two,
    /// and instructions that come once are waited for longer than lists.
    #[inline(always)]
    fn gather(&self, put: impl Fn(u32, u64)) {
        let mut at = thread_idx_x();
        while at < self.listed() {
            if let Some((segment, place)) = self.place_of(at) {
                put(at, self.lists.item(segment, place));
            }
            at += MASS_THREADS;
        }
    }

    /// The segment of the window's item number `at`, and its place in the segment's list; none
    /// where it is not listed.
    #[inline(always)]
    fn place_of(&self, at: u32) -> Option<(u32, u32)> {
        let (mut segment, mut step) = (0, MASS_THREADS / 2);
        // The last that starts there or before: those without items start where the next does.
        while step > 0 {
            if self.memory.ranges.get(segment + step) >> 16 <= at {
                segment += step;
            }
            step /= 2;
        }
        let (start, count) = self.listed_of(segment);
        if at - start < count { Some((segment, at - start)) } else { None }
    }

    /// The item among the `count` of the last bin at which the running mass, best first, reaches
    /// `wanted`. For all threads of the block together; the same in all of them.
    #[inline(always)]
    fn last_of(&self, count: u32, wanted: u64) -> u64 {
        let Memory { scratch, last, last_masses, .. } = self.memory;
        let (place, mut own, mut mass) = (thread_idx_x(), 0, 0);
        if place < count {
            own = last.get(place);
            mass = self.nucleus.mass(E::value(element_of(own).1));
            last_masses.set(place, mass);
        } else if place < count.next_multiple_of(AT_ONCE) {
            last.set(place, 0);
            last_masses.set(place, 0);
        }
        // Separates the masses, and earlier uses of the scratch memory, from their use.
        sync_threads();
        let (mut before, mut first) = (0, 0);
        while first < count && mass > 0 {
            unroll!(pair in AT_ONCE as usize / 2 => {
                let at = first + 2 * pair as u32;
                let (others, masses) = (last.get_pair(at), last_masses.get_pair(at));
                unroll!(i in 2 => { before += if others[i] > own { masses[i] } else { 0 }; });
            });
            first += AT_ONCE;
        }
        if before < wanted && wanted <= before + mass {
            scratch.set(0, own);
        }
        // Separates what was found from its use.
        sync_threads();
        scratch.get(0)
    }

    /// Writes down what is kept of each segment, where the prefix ends among what is listed; that
    /// of this thread's, of which so much is above the window. For all threads of the block
    /// together.
    #[inline(always)]
    fn keep(&self, cut: u64, own_above: u64) -> u64 {
        let Memory { bins: sums, items, .. } = self.memory;
        let (segments, segment) = (self.look.segments, thread_idx_x());
        sums.clear();
        let mut at = segment;
        while at < self.listed() {
            let item = items.get(at);
            if item >= cut {
                let (index, bits) = element_of(item);
                sums.add(index / SEGMENT, self.nucleus.mass(E::value(bits)));
            }
            at += MASS_THREADS;
        }
        // Separates the sums from their reads.
        sync_threads();
        let own = own_above + sums.mass(segment);
        if segment < segments.count {
            segments.set_sum(segment, own);
        }
        own
    }
}

/// What a look at all of a row found.
struct Sums {
    /// The mass at which the prefix ends.
    target: u64,
    /// The mass above the window.
    above: u64,
    /// That of this thread's segment.
    own_above: u64,
    /// Whether there is room for all of what is in the window.
    is_listed: bool,
    /// Whether a segment has more in the window than its list.
    exceeds_lists: bool,
}

/// The bin of a value in the window: greater ones come first.
#[inline(always)]
fn bin_of(value: f32, window: &Window, scale: f32) -> u32 {
    const LAST: f32 = (WINDOW_BINS - 1) as f32;
    let at = (window.high - value) * scale;
    // SAFETY: a number from 0 to the last bin: in a window nothing is above `high`.
    unsafe { if at < LAST { at } else { LAST }.to_int_unchecked() }
}

/// The elements of a row, or those in a window.
struct Inside<'a, E: Element> {
    look: &'a Look<E>,
    window: Option<Window>,
}

impl<E: Element> Elements for Inside<'_, E> {
    #[inline(always)]
    fn each(&self, mut f: impl FnMut(u32, u32)) {
        let (row, count) = (&self.look.row, self.look.segments.count);
        let mut segment = thread_idx_x() / WARP_SIZE;
        while segment < count {
            let next = segment + block_dim_x() / WARP_SIZE;
            if next < count {
                row.prefetch(next);
            }
            row.each(segment, |index, bits| {
                if self.window.is_none_or(|window| window.has(E::value(bits))) {
                    f(index, bits);
                }
            });
            segment = next;
        }
    }
}

/// The listed items of one bin.
#[derive(Clone, Copy)]
struct Bin<'a> {
    items: SharedArray<u64>,
    count: u32,
    window: &'a Window,
    scale: f32,
    bin: u32,
}

impl Bin<'_> {
    #[inline(always)]
    fn each_item<E: Element>(&self, mut f: impl FnMut(u64)) {
        let mut at = thread_idx_x();
        while at < self.count {
            let item = self.items.get(at);
            let value = E::value(element_of(item).1);
            if bin_of(value, self.window, self.scale) == self.bin {
                f(item);
            }
            at += block_dim_x();
        }
    }
}

/// The same as elements.
struct BinOf<'a, E: Element> {
    bin: Bin<'a>,
    element: core::marker::PhantomData<E>,
}

impl<E: Element> Elements for BinOf<'_, E> {
    #[inline(always)]
    fn each(&self, mut f: impl FnMut(u32, u32)) {
        self.bin.each_item::<E>(|item| {
            let (index, bits) = element_of(item);
            f(index, bits);
        });
    }
}
