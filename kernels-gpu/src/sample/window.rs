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
use cuda_std::thread::{sync_threads, thread_idx_x};
use cuda_std::warp::{FULL_MASK, WARP_SIZE, lane_id, warp_shuffle_idx};

use super::draw::{Drawing, OF_SEGMENTS, Running};
use super::lists::Lists;
use super::look::{Look, Near, Segments};
use super::piece::{Cut, Piece, RowState, Window, item_of};
use super::rows::RowTable;
use super::segment::SegmentedRow;
use super::sieve::Sieve;
use super::window_end::{End, Search};
use crate::prim::element::Element;
use crate::prim::scan::warp_prefix_sum;
use crate::sampling::launch::{FullParams, MASS_THREADS, State};
use crate::sampling::nucleus::Nucleus;
use crate::sampling::params::RowParams;
use crate::sampling::segment::Weigher;

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
    // SAFETY: the caller's contract on the input.
    let whole = unsafe { SegmentedRow::<E>::new(piece.start, piece.n) };
    // On its way while the row's parameters are read.
    whole.prefetch_first(piece.segments());
    let table = RowTable { rows, seeds, positions };
    // Read again where it is needed, so that it takes no registers while the row is read.
    // SAFETY: the caller's contract on the table.
    let row = || unsafe { table.get(piece.number) };
    // SAFETY: the caller's contract on `state`.
    let state = unsafe { RowState::new(state, piece.number) };
    let window = || Window::of_word(state.get(State::Key));
    // SAFETY: the caller's contract on the segments.
    let segments = unsafe { Segments::new(&piece, tops, masses, n) };
    // SAFETY: the caller's contract on `lists`; a segment's is written by one warp.
    let lists = unsafe { Lists::new(lists, &piece, n) };
    let own = row();
    if own.sorted_k() > 0 || own.top_p >= 1.0 || state.max() == f32::NEG_INFINITY {
        return;
    }
    let nucleus = Nucleus::new(&own, order, state.max(), piece.n);
    if let (Some(window), Some(weigher)) = (window(), nucleus.plain()) {
        let (is_filtered, sieve) = (nucleus.is_filtered(), Sieve::before_top_p::<E>(&nucleus));
        let weighing =
            Weighing { row: whole, segments, lists, window, weigher, is_filtered, sieve };
        weighing.weigh(piece.segments());
    }
    // SAFETY: the caller's contract on `tickets`.
    if !unsafe { piece.is_last(tickets) } {
        return;
    }
    let row = row();
    // SAFETY: nothing is near where nobody is to know.
    let near = unsafe { Near::new(core::ptr::null_mut(), piece.number, n) };
    // SAFETY: the caller's contract on the input and the segments.
    let mut look = unsafe { Look::new(&piece, tops, masses, near, &row, &params) };
    let nucleus = Nucleus::new(&row, order, state.max(), piece.n);
    // SAFETY: the launch contract grants the memory.
    let search = unsafe { Search::new(look, nucleus, lists) };
    // SAFETY: the caller's contract on `tokens`; the row's are this block's.
    let tokens = unsafe { GlobalArrayMut::new(tokens) };
    let base = piece.number as u64 * params.num_samples as u64;
    let end = search.end(window());
    Ending { look: &mut look, row: &row, state, tokens, base, scratch: search.scratch() }
        .draw(end, &params);
}

/// What a row's last block needs for the draw.
struct Ending<'a, E: Element> {
    look: &'a mut Look<E>,
    row: &'a RowParams,
    state: RowState,
    tokens: GlobalArrayMut<u32>,
    /// The row's first token.
    base: u64,
    scratch: SharedArray<u64>,
}

impl<E: Element> Ending<'_, E> {
    /// Draws from what is kept, if that is known or cheap to find out; else a launch behind does.
    /// For all threads of the block together.
    #[inline(always)]
    fn draw(self, End { cut, kept }: End, params: &FullParams) {
        let Ending { look, row, state, tokens, base, scratch } = self;
        if thread_idx_x() == 0 {
            state.set(State::Cut, cut);
        }
        let draws_here = params.draws_in_window(row);
        if params.cuts_min_p != 0 && !draws_here {
            return;
        }
        look.filter(row, params.order, state.max(), cut);
        let own = match kept {
            Some(sum) if draws_here => look.filtered_mass(sum),
            _ => {
                look.filtered_sums(0, look.segments.count);
                // Separates the segments' sums from their use.
                sync_threads();
                look.own_mass()
            }
        };
        // Separates the last use of the scratch memory from this.
        sync_threads();
        let running = Running::new(scratch, OF_SEGMENTS, own);
        if thread_idx_x() == 0 {
            state.set(State::Total, running.total);
        }
        Drawing { look, row, tokens, base, scratch }.draw(running, params);
    }
}

/// What a block looks at of its row.
struct Weighing<E: Element> {
    row: SegmentedRow<E>,
    segments: Segments,
    lists: Lists,
    window: Window,
    weigher: Weigher,
    /// Whether what the sieve turns away weighs nothing.
    is_filtered: bool,
    sieve: Sieve,
}

impl<E: Element> Weighing<E> {
    /// Weighs the segments from `first` on, a warp at one at a time: all, and what is above the
    /// window; lists what is in it.
    #[inline(always)]
    fn weigh(&self, (first, end): (u32, u32)) {
        let Weighing { row, segments, window, weigher, is_filtered, sieve, .. } = self;
        let warps = MASS_THREADS / WARP_SIZE;
        let mut segment = first + thread_idx_x() / WARP_SIZE;
        while segment < end {
            if segment + warps < end {
                row.prefetch(segment + warps);
            }
            let mut held = row.held(segment);
            if *is_filtered || segments.has_nan(segment) {
                held.filter(sieve);
            }
            let about = held.weigh_about(weigher, window.low, window.high);
            let (mut within, stray) = (about.within, about.stray);
            let own = within.count_ones() + stray.is_some() as u32;
            let through = warp_prefix_sum(own);
            let count = warp_shuffle_idx(FULL_MASK, through, WARP_SIZE - 1);
            let mut at = through - own;
            let list = |at: u32, index: u32| {
                self.lists.put(segment, at, || item_of::<E>(index, row.element(index)).1);
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
                self.lists.close(segment, count, about.all);
            }
            segment += warps;
        }
    }
}
