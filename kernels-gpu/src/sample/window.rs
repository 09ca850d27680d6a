//! The kernel `full_window`: where top-p's prefix of a whole row ends, and the draw from it.
//!
//! # Idea
//!
//! ```text
//! for each segment of the piece: what all of its tokens weigh, and those above the window that
//!     `full_guess` left; list those in the window
//! the row's last block: the mass that is wanted of the window
//!     the bin of the window's at which it is reached; in that the last item that is wanted
//!     what is kept of each segment: what is above the window, and of its list; draw
//! ```
//!
//! What the real code does differently: where the guess was wrong, or a list too long, the row's
//! last block finds the prefix's end alone, from all of the window or of the row
//! ([`super::descent`]). Where a token weighs otherwise in the draw than for top-p, the row is
//! weighed again: by `full_mass` in a launch behind, or where there is none by the last block.
//!
//! # Shapes
//! As for `sample::full`; lists `[rows, segments, LIST_WORDS]` of `u64`: how many, what all tokens
//! of the segment weigh, and the items.
//!
//! # Work split
//! As for `full_mass`.
//!
//! # Shared memory
//! [`WindowLayout`]: masses of warps, bins, ranges of lists, the last bin's items and their masses,
//! all items.
//!
//! # Invariants
//! - I1: what is kept is what `full_digit` and `full_cut` would keep (checked: both against the
//!   host's cores, `host/tests/support/sampling.rs`).
//! - I2: tickets are 0 before and after every launch.
//!
//! # Synchronisation
//! As for `full_mass`.
//!
//! # Launch contract
//! [`MASS_THREADS`] threads; the shared memory above; pieces of whole segments; rows of at most
//! `2^18` elements, none with a `top_k` above 1024.
//!
//! # Cost
//! Reads the row once, and what is in the window twice more; a draw reads a segment again.
//!
//! # Ties, NaN, tail
//! Equals in the order of their indices; a NaN counts as `-inf`.
//!
//! # Source
//! As for `full_guess`.
use cuda_std::global::GlobalArrayMut;
use cuda_std::shared::SharedArray;
use cuda_std::thread::{block_dim_x, sync_threads, sync_threads_or, thread_idx_x};
use cuda_std::unroll;
use cuda_std::warp::{FULL_MASK, WARP_SIZE, lane_id, warp_shuffle_idx};

use super::descent::{Bins, Elements, block_descend, element_of};
use super::draw::{Drawing, Running};
use super::look::{Look, Near};
use super::piece::{Cut, Piece, RowState, Window, item_of};
use super::rows::RowTable;
use super::sieve::Sieve;
use crate::prim::element::Element;
use crate::prim::mass::{block_sum_u64, warp_sum_u64};
use crate::prim::scan::warp_prefix_sum;
use crate::sampling::launch::{
    FullParams, LIST_WORDS, LISTED_MAX, MASS_THREADS, State, WINDOW_BINS, WindowLayout,
};
use crate::sampling::nucleus::Nucleus;
use crate::sampling::params::RowParams;
use crate::sampling::segment::Weigher;

/// Words of a segment's list before its items.
const LIST_HEAD: u32 = 2;
/// Items of a segment's list.
const SEGMENT_LISTED_MAX: u32 = LIST_WORDS - LIST_HEAD;
/// Lists that a warp reads at once, and rounds of its lanes that it has in flight of each.
const LISTS: usize = 4;
const ROUNDS: usize = 2;

/// Weighs and lists; ends the prefix, and draws.
///
/// # Safety
/// - *in bounds*: the pointers are to arrays of the shapes above, aligned for their types;
///   `lengths` may be null;
/// - *no concurrent writer*: nothing else touches what is written, nothing writes what is read;
/// - `params` and the launch keep the launch contract above.
#[inline(always)]
#[allow(clippy::too_many_arguments)] // a kernel's buffers are arguments of their own
pub unsafe fn full_window<E: Element>(
    x: *const E::Raw,
    lengths: *const u32,
    rows: *const RowParams,
    seeds: *const u64,
    positions: *const u64,
    tops: *mut u32,
    masses: *mut u64,
    lists: *mut u64,
    state: *mut u64,
    tickets: *mut u32,
    tokens: *mut u32,
    params: FullParams,
) {
    let FullParams { row_stride, n, pieces, piece_elements, order, .. } = params;
    // SAFETY: the caller's contract.
    let piece =
        unsafe { Piece::<E>::new(x, lengths, Cut { row_stride, n, pieces, piece_elements }) };
    let table = RowTable { rows, seeds, positions };
    // SAFETY: the caller's contract on the table.
    let row = unsafe { table.get(piece.number) };
    // SAFETY: the caller's contract on `state`.
    let state = unsafe { RowState::new(state, piece.number) };
    let greatest = state.max();
    if row.sorted_k() > 0 || row.top_p >= 1.0 || greatest == f32::NEG_INFINITY {
        return;
    }
    // SAFETY: nothing is near where nobody is to know.
    let near = unsafe { Near::new(core::ptr::null_mut(), piece.number, n) };
    let search = Search {
        // SAFETY: the caller's contract on the input and the segments.
        look: unsafe { Look::new(&piece, tops, masses, near, &row, &params) },
        nucleus: Nucleus::new(&row, order, greatest, piece.n),
        // SAFETY: the caller's contract on `lists`; a segment's is written by one warp.
        lists: unsafe { Lists::new(lists, &piece, n) },
        // SAFETY: the launch contract grants the memory.
        memory: unsafe { Memory::new() },
    };
    let window = Window::of_word(state.get(State::Key));
    if let (Some(window), Some(weigher)) = (window, search.nucleus.plain()) {
        search.weigh(piece.segments(), &window, &weigher);
    }
    // SAFETY: the caller's contract on `tickets`.
    if !unsafe { piece.is_last(tickets) } {
        return;
    }
    let End { cut, is_listed } = search.end(window);
    if thread_idx_x() == 0 {
        state.set(State::Cut, cut);
    }
    let is_known = is_listed && params.draws_in_window(&row);
    if !is_known && params.cuts_min_p != 0 && !params.draws_in_window(&row) {
        return;
    }
    let mut look = search.look;
    look.filter(&row, order, greatest, cut);
    search.sum_kept(&look, cut, is_known);
    let scratch = search.memory.scratch;
    let running = Running::of_segments(&look, scratch);
    if thread_idx_x() == 0 {
        state.set(State::Total, running.total);
    }
    // SAFETY: the caller's contract on `tokens`; the row's are this block's.
    let tokens = unsafe { GlobalArrayMut::new(tokens) };
    let base = piece.number as u64 * params.num_samples as u64;
    Drawing { look: &look, row: &row, tokens, base, scratch }.draw(running, &params);
}

/// Writes down what the filters keep of each segment. For all threads of the block together.
#[inline(always)]
fn sum_filtered<E: Element>(look: &Look<E>) {
    let mut segment = thread_idx_x() / WARP_SIZE;
    while segment < look.segments.count {
        let sum = look.filtered_sum(segment);
        if lane_id() == 0 {
            look.segments.set_sum(segment, sum);
        }
        segment += block_dim_x() / WARP_SIZE;
    }
}

/// The lists of a row's segments.
#[derive(Clone, Copy)]
struct Lists {
    words: GlobalArrayMut<u64>,
    /// The row's first word.
    first: u64,
}

impl Lists {
    /// Those of the row of `piece`; a row has room for the segments of `n` elements.
    ///
    /// # Safety
    /// - *in bounds*: `words` points to [`LIST_WORDS`] for each segment, aligned;
    /// - *no concurrent writer*: a list is written by one warp, and read behind a barrier.
    #[inline(always)]
    unsafe fn new<E: Element>(words: *mut u64, piece: &Piece<E>, n: u32) -> Self {
        let segments = crate::sampling::segment::segments(n);
        // SAFETY: the caller vouches for them.
        let words = unsafe { GlobalArrayMut::new(words) };
        Lists { words, first: piece.number as u64 * segments as u64 * LIST_WORDS as u64 }
    }

    #[inline(always)]
    fn place(&self, segment: u32, at: u32) -> u64 {
        self.first + segment as u64 * LIST_WORDS as u64 + at as u64
    }

    /// How many items a segment has in the window, perhaps more than are listed.
    #[inline(always)]
    fn count(&self, segment: u32) -> u32 {
        self.words.get(self.place(segment, 0)) as u32
    }

    /// What all of a segment's tokens weigh.
    #[inline(always)]
    fn all(&self, segment: u32) -> u64 {
        self.words.get(self.place(segment, 1))
    }

    /// An item.
    #[inline(always)]
    fn item(&self, segment: u32, at: u32) -> u64 {
        self.words.get(self.place(segment, LIST_HEAD + at))
    }
}

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
        unsafe {
            let scratch = SharedArray::new(0);
            let words = SharedArray::new(WindowLayout::BINS);
            Memory {
                scratch,
                bins: Bins { words, scratch },
                count: SharedArray::new(WindowLayout::COUNT),
                ranges: SharedArray::new(WindowLayout::RANGES),
                last: SharedArray::new(WindowLayout::LAST),
                last_masses: SharedArray::new(WindowLayout::LAST_MASSES),
                items: SharedArray::new(WindowLayout::ITEMS),
            }
        }
    }
}

/// Where a prefix ends.
struct End {
    /// The least composite that is kept.
    cut: u64,
    /// Whether the items of the window lie in shared memory.
    is_listed: bool,
}

/// What a block knows of its row, to find where top-p's prefix ends.
struct Search<E: Element> {
    look: Look<E>,
    nucleus: Nucleus,
    lists: Lists,
    memory: Memory,
}

impl<E: Element> Search<E> {
    /// Weighs the segments from `first` on, a warp at one at a time: all, and what is above the
    /// window; lists what is in it.
    #[inline(always)]
    fn weigh(&self, (first, end): (u32, u32), window: &Window, weigher: &Weigher) {
        let sieve = Sieve::new::<E>(self.nucleus.filter(), 0);
        let Look { row, segments, .. } = &self.look;
        let warps = MASS_THREADS / WARP_SIZE;
        let mut segment = first + thread_idx_x() / WARP_SIZE;
        while segment < end {
            if segment + warps < end {
                row.prefetch(segment + warps);
            }
            let mut held = row.held(segment);
            if self.nucleus.is_filtered() || segments.has_nan(segment) {
                held.filter(&sieve);
            }
            let about = held.weigh_about(weigher, window.low, window.high);
            let (mut within, stray) = (about.within, about.stray);
            let own = within.count_ones() + stray.is_some() as u32;
            let through = warp_prefix_sum(own);
            let count = warp_shuffle_idx(FULL_MASK, through, WARP_SIZE - 1);
            let mut at = through - own;
            let list = |at: u32, index: u32| {
                if at < SEGMENT_LISTED_MAX {
                    let (_, item) = item_of::<E>(index, row.element(index));
                    self.lists.words.set(self.lists.place(segment, LIST_HEAD + at), item);
                }
            };
            if let Some(index) = stray {
                list(at, index);
                at += 1;
            }
            while within != 0 {
                list(at, row.index(segment, within.trailing_zeros()));
                within &= within - 1;
                at += 1;
            }
            if lane_id() == 0 {
                segments.set_sum(segment, about.above);
                self.lists.words.set(self.lists.place(segment, 0), count as u64);
                self.lists.words.set(self.lists.place(segment, 1), about.all);
            }
            segment += warps;
        }
    }

    /// Where the prefix ends. For all threads of the block together, the row's last; the same in
    /// all of them.
    #[inline(always)]
    fn end(&self, window: Option<Window>) -> End {
        let bins = self.memory.bins;
        let (mut wanted, mut inside) = (None, None);
        if let (Some(window), Some(_)) = (window, self.nucleus.plain()) {
            let Sums { target, above, is_listed } = self.sums();
            let left = target.saturating_sub(above);
            wanted = Some(target);
            if left > 0 && is_listed {
                let scale = WINDOW_BINS as f32 / (window.high - window.low);
                let found = self.sum_listed(&window, scale, left);
                if let Some(cut) = found {
                    return End { cut, is_listed: true };
                }
            } else if left > 0 {
                inside = Some((window, left));
            }
        }
        if let Some((window, left)) = inside {
            let elements = Inside { look: &self.look, window: Some(window) };
            if let Some(cut) = block_descend::<E>(&elements, &bins, &self.nucleus, left) {
                return End { cut, is_listed: false };
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
        // All weigh what is wanted: there is an end.
        let cut = block_descend::<E>(&elements, &bins, &self.nucleus, wanted).unwrap_or(0);
        End { cut, is_listed: false }
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
        let is_long = sync_threads_or(count > SEGMENT_LISTED_MAX);
        let listed = Running::new(scratch, 0, count as u64);
        let is_listed = !is_long && listed.total <= LISTED_MAX as u64;
        ranges.set(segment, (listed.before() as u32) << 16 | count);
        let target = self.nucleus.target(block_sum_u64(scratch, all));
        Sums { target, above: block_sum_u64(scratch, above), is_listed }
    }

    /// Reads the lists, and finds in them the item at which the running mass, best first, reaches
    /// what is `wanted`; none where all weigh less. For all threads of the block together; the same
    /// in all of them.
    #[inline(always)]
    fn sum_listed(&self, window: &Window, scale: f32, wanted: u64) -> Option<u64> {
        let Memory { bins, count, items, last, .. } = self.memory;
        if thread_idx_x() == 0 {
            count.set(0, 0);
        }
        bins.clear();
        self.each_listed(|place, item| {
            let value = E::value(element_of(item).1);
            items.set(place, item);
            bins.add(bin_of(value, window, scale), self.nucleus.mass(value));
        });
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
        block_descend::<E>(&elements, &bins, &self.nucleus, left)
    }

    /// How many items are listed.
    #[inline(always)]
    fn listed(&self) -> u32 {
        let range = self.memory.ranges.get(MASS_THREADS - 1);
        (range >> 16) + (range & 0xffff)
    }

    /// Calls `f` with each listed item of this thread's, and its place among all.
    #[inline(always)]
    fn each_listed(&self, mut f: impl FnMut(u32, u64)) {
        let ranges = self.memory.ranges;
        let mut first = thread_idx_x() / WARP_SIZE * LISTS as u32;
        while first < self.look.segments.count {
            let mut held = [[0; ROUNDS]; LISTS];
            unroll!(u in LISTS => {
                let segment = first + u as u32;
                let count = ranges.get(segment) & 0xffff;
                unroll!(round in ROUNDS => {
                    let at = round as u32 * WARP_SIZE + lane_id();
                    if at < count {
                        held[u][round] = self.lists.item(segment, at);
                    }
                });
            });
            unroll!(u in LISTS => {
                let segment = first + u as u32;
                let (start, count) = (ranges.get(segment) >> 16, ranges.get(segment) & 0xffff);
                unroll!(round in ROUNDS => {
                    let at = round as u32 * WARP_SIZE + lane_id();
                    if at < count {
                        f(start + at, held[u][round]);
                    }
                });
                let mut at = ROUNDS as u32 * WARP_SIZE + lane_id();
                while at < count {
                    f(start + at, self.lists.item(segment, at));
                    at += WARP_SIZE;
                }
            });
            first += block_dim_x() / WARP_SIZE * LISTS as u32;
        }
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
        }
        // Separates the masses, and earlier uses of the scratch memory, from their use.
        sync_threads();
        let (mut before, mut other) = (0, 0);
        while other < count && mass > 0 {
            if last.get(other) > own {
                before += last_masses.get(other);
            }
            other += 1;
        }
        if before < wanted && wanted <= before + mass {
            scratch.set(0, own);
        }
        // Separates what was found from its use.
        sync_threads();
        scratch.get(0)
    }

    /// Writes down what is kept of each segment, for `look`, which filters: from what is listed,
    /// where that is known to tell. For all threads of the block together; ends with a barrier.
    #[inline(always)]
    fn sum_kept(&self, look: &Look<E>, cut: u64, is_known: bool) {
        match is_known {
            true => self.keep(cut),
            false => sum_filtered(look),
        }
        // Separates the segments' sums from their use.
        sync_threads();
    }

    /// Writes down what is kept of each segment, where the prefix ends among what is listed. For
    /// all threads of the block together.
    #[inline(always)]
    fn keep(&self, cut: u64) {
        let Memory { ranges, items, .. } = self.memory;
        let segments = self.look.segments;
        let mut segment = thread_idx_x() / WARP_SIZE;
        while segment < segments.count {
            let (start, count) = (ranges.get(segment) >> 16, ranges.get(segment) & 0xffff);
            let (mut sum, mut at) = (0, lane_id());
            while at < count {
                let item = items.get(start + at);
                if item >= cut {
                    sum += self.nucleus.mass(E::value(element_of(item).1));
                }
                at += WARP_SIZE;
            }
            sum = warp_sum_u64(sum);
            if lane_id() == 0 {
                segments.set_sum(segment, segments.sum(segment) + sum);
            }
            segment += block_dim_x() / WARP_SIZE;
        }
    }
}

/// What a look at all of a row found.
struct Sums {
    /// The mass at which the prefix ends.
    target: u64,
    /// The mass above the window.
    above: u64,
    /// Whether all of what is in the window is listed.
    is_listed: bool,
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
        let mut segment = thread_idx_x() / WARP_SIZE;
        while segment < self.look.segments.count {
            self.look.row.each(segment, |index, bits| {
                if self.window.is_none_or(|window| window.has(E::value(bits))) {
                    f(index, bits);
                }
            });
            segment += block_dim_x() / WARP_SIZE;
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
