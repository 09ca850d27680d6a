//! The kernels of the backend `radix`: the best k of a row for any k, by digits of the keys.
//!
//! # Idea
//!
//! ```text
//! for each digit of the key, from the top:                        (radix_count)
//!     count the digits of the elements that have the digits decided so far
//!     the row's last block: find the digit of the k-th best; decide it
//! now the k-th best's key is known, and how many of its equals are wanted
//! count, piece by piece, the better elements and the equal ones   (radix_rank)
//! write the better ones and the first of the equal ones, in index order          (radix_emit)
//! ```
//!
//! What the real code does differently: the counts of a digit are gathered in shared memory first;
//! the block that finds the digit also clears the counts for the next pass, so that nothing has to
//! be cleared between calls.
//!
//! # Shapes
//! Input `[rows, n]`, rows `row_stride` elements apart; lengths `[rows]` or null. Counts of digits
//! `[rows, RADIX_BINS]`, zero before and after; state `[rows, 2]`: decided key bits, and how many
//! of the elements that have them are still wanted; ranks `[rows, pieces, 2]`: better and equal
//! elements. Items `[rows, k]` of composites.
//!
//! # Work split
//! `rows * pieces` blocks; block `b` has the elements from `b % pieces * piece_elements` on of row
//! `b / pieces`, a thread an element at a time.
//!
//! # Shared memory
//! `radix_count`: the bins, `4 * RADIX_BINS` bytes. `radix_emit`: a word a warp and one more.
//!
//! # Invariants
//! - I1: after the last digit exactly `min(k, length) - wanted` elements have a greater key, and at
//!   least `wanted` have this one (checked: differential tests).
//! - I2: tickets and counts of digits are 0 between launches.
//!
//! # Synchronisation
//! Barriers separate clearing, counting and reading of the bins; the ticket, which acquires and
//! releases, the bins of all blocks from the last block's reads. Launches follow each other in the
//! stream. Nobody waits for another block.
//!
//! # Launch contract
//! Whole warps, at most the threads in `variants`; the shared memory above.
//!
//! # Cost
//! Reads the row five times, whatever it holds; bounded by that for every input.
//!
//! # Ties, NaN, tail
//! Equal keys in the order of their indices; a row of fewer than k elements is filled up with empty
//! items.
//!
//! # Source
//! Radix select as in "Fast k-selection algorithms for graphics processing units" (Alabi et al.,
//! 2012), with 11-bit digits as in CUB; the last block to arrive decides.
use core::marker::PhantomData;

use cuda_std::atomic::{atomic_add_relaxed_u32_device, atomic_fetch_inc_acq_rel_u32_device};
use cuda_std::global::GlobalArrayMut;
use cuda_std::shared::SharedArray;
use cuda_std::thread::{
    block_dim_x, block_idx_x, sync_threads, sync_threads_count, sync_threads_or, thread_idx_x,
};
use cuda_std::warp::{FULL_MASK, WARP_SIZE, lane_id, warp_vote_ballot};

use crate::order::{composite, empty};
use crate::params::{RADIX_BINS, RADIX_BITS, RadixParams};
use crate::prim::element::Element;
use crate::prim::rows::{Row, row_length};
use crate::prim::scan::warp_find_bin_of;

/// What all three kernels know of their block.
struct Piece<E: Element> {
    row: Row<E>,
    number: u32,
    piece: u32,
    first: u32,
    end: u32,
    /// Elements that the row's answer has.
    wanted: u32,
    params: RadixParams,
    element: PhantomData<E>,
}

impl<E: Element> Piece<E> {
    /// # Safety
    /// As for [`radix_count`], of `x` and `lengths`.
    #[inline(always)]
    unsafe fn new(x: *const E::Raw, lengths: *const u32, params: RadixParams) -> Self {
        // SAFETY: the launch contract; it spares the division's check.
        unsafe { core::hint::assert_unchecked(params.pieces != 0) };
        let (number, piece) = (block_idx_x() / params.pieces, block_idx_x() % params.pieces);
        let start = x.wrapping_add(number as usize * params.row_stride as usize);
        // SAFETY: the caller's contract on `lengths`.
        let n = unsafe { row_length(lengths, number, params.n) };
        // SAFETY: the caller's contract on `x`.
        let row = unsafe { Row::<E>::new(start, n) };
        let first = piece as u64 * params.piece_elements as u64;
        let end = (first + params.piece_elements as u64).min(n as u64) as u32;
        let first = first.min(n as u64) as u32;
        let wanted = params.k.min(n);
        Piece { row, number, piece, first, end, wanted, params, element: PhantomData }
    }

    /// The key of an element, greater is better.
    #[inline(always)]
    fn key(&self, index: u32) -> u32 {
        E::key(self.row.element(index)) ^ self.params.flip.mask()
    }

    /// Number of the piece among all.
    #[inline(always)]
    fn list(&self) -> u64 {
        self.number as u64 * self.params.pieces as u64 + self.piece as u64
    }
}

/// Counts one digit, and decides it.
///
/// # Safety
/// - *in bounds*: the pointers are to arrays of the shapes above, aligned for their types;
///   `lengths` may be null;
/// - *no concurrent writer*: nothing else touches what is written, nothing writes what is read;
/// - `params` and the launch keep the launch contract above.
#[inline(always)]
pub unsafe fn radix_count<E: Element>(
    x: *const E::Raw,
    lengths: *const u32,
    digits: *mut u32,
    state: *mut u32,
    tickets: *mut u32,
    params: RadixParams,
) {
    // SAFETY: the caller's contract.
    let piece = unsafe { Piece::<E>::new(x, lengths, params) };
    // SAFETY: the launch contract grants the memory.
    let bins = unsafe { SharedArray::<u32>::new(0) };
    // SAFETY: the caller's contract on `state`; only the row's last block writes it.
    let state = unsafe { GlobalArrayMut::new(state) };
    let at = piece.number as u64 * 2;
    let (mut decided, mut rank) = (0, piece.wanted);
    if params.decided > 0 {
        (decided, rank) = (state.get(at), state.get(at + 1));
    }
    count_digits(&piece, bins, decided);
    let row_digits = digits.wrapping_add(piece.number as usize * RADIX_BINS as usize);
    each_bin(|bin| {
        let count = bins.get(bin);
        if count > 0 {
            // SAFETY: the caller's contract on `digits`.
            unsafe { atomic_add_relaxed_u32_device(row_digits.wrapping_add(bin as usize), count) };
        }
    });
    // Separates the block's counts from its ticket.
    sync_threads();
    let mut is_last = false;
    if thread_idx_x() == 0 {
        let ticket = tickets.wrapping_add(piece.number as usize);
        // SAFETY: the caller's contract on `tickets`.
        let earlier = unsafe { atomic_fetch_inc_acq_rel_u32_device(ticket, params.pieces - 1) };
        is_last = earlier == params.pieces - 1;
    }
    // Separates the ticket, and what it acquired, from the other threads' reads.
    if !sync_threads_or(is_last) {
        return;
    }
    // SAFETY: the caller's contract on `digits`; the other blocks of the row are done with it.
    let row_digits = unsafe { GlobalArrayMut::new(row_digits) };
    each_bin(|bin| {
        bins.set(bin, row_digits.get(bin as u64));
        row_digits.set(bin as u64, 0);
    });
    // Separates the row's counts from their use.
    sync_threads();
    if thread_idx_x() < WARP_SIZE {
        let found = warp_find_bin_of(bins, RADIX_BINS, rank);
        if lane_id() == 0 {
            state.set(at, decided | found.digit << params.shift);
            state.set(at + 1, rank - found.above);
        }
    }
}

/// Counts into the bins the digits of the piece's elements that have the decided bits. For all
/// threads of the block together; ends with a barrier.
#[inline(always)]
fn count_digits<E: Element>(piece: &Piece<E>, bins: SharedArray<u32>, decided: u32) {
    each_bin(|bin| bins.set(bin, 0));
    // Separates the cleared bins from the counts.
    sync_threads();
    let RadixParams { shift, decided: above, .. } = piece.params;
    let mut index = piece.first + thread_idx_x();
    while index < piece.end {
        let key = piece.key(index);
        if above == 0 || (key ^ decided) >> (32 - above) == 0 {
            bins.add(key << above >> above >> shift, 1);
        }
        index += block_dim_x();
    }
    // Separates the counts from their reads.
    sync_threads();
}

/// Calls `f` with this thread's bins.
#[inline(always)]
fn each_bin(f: impl Fn(u32)) {
    let mut bin = thread_idx_x();
    while bin < RADIX_BINS {
        f(bin);
        bin += block_dim_x();
    }
}

/// Counts a piece's elements that are better than the k-th best, and its equals.
///
/// # Safety
/// As for [`radix_count`].
#[inline(always)]
pub unsafe fn radix_rank<E: Element>(
    x: *const E::Raw,
    lengths: *const u32,
    state: *mut u32,
    ranks: *mut u32,
    params: RadixParams,
) {
    // SAFETY: the caller's contract.
    let piece = unsafe { Piece::<E>::new(x, lengths, params) };
    // SAFETY: the caller's contract on `state`; nobody writes it here.
    let state = unsafe { GlobalArrayMut::new(state) };
    // SAFETY: the caller's contract on `ranks`; a place is written by one block.
    let ranks = unsafe { GlobalArrayMut::new(ranks) };
    let kth = state.get(piece.number as u64 * 2);
    let (mut better, mut equal) = (0, 0);
    let mut base = piece.first;
    while base < piece.end {
        let index = base + thread_idx_x();
        let key = if index < piece.end { Some(piece.key(index)) } else { None };
        better += sync_threads_count(key.is_some_and(|key| key > kth));
        equal += sync_threads_count(key.is_some_and(|key| key == kth));
        base += block_dim_x();
    }
    if thread_idx_x() == 0 {
        ranks.set(piece.list() * 2, better);
        ranks.set(piece.list() * 2 + 1, equal);
    }
}

/// Writes a piece's chosen elements, in index order, where they belong among the row's.
///
/// # Safety
/// As for [`radix_count`].
#[inline(always)]
pub unsafe fn radix_emit<E: Element>(
    x: *const E::Raw,
    lengths: *const u32,
    state: *mut u32,
    ranks: *mut u32,
    items: *mut u64,
    params: RadixParams,
) {
    // SAFETY: the caller's contract.
    let piece = unsafe { Piece::<E>::new(x, lengths, params) };
    // SAFETY: the caller's contract on `state`; nobody writes it here.
    let state = unsafe { GlobalArrayMut::new(state) };
    // SAFETY: the caller's contract on `ranks`; nobody writes it here.
    let ranks = unsafe { GlobalArrayMut::new(ranks) };
    // SAFETY: the caller's contract on `items`; a place is written by one thread.
    let items = unsafe { GlobalArrayMut::new(items) };
    // SAFETY: the launch contract grants a word a warp and one more.
    let totals = unsafe { SharedArray::<u32>::new(0) };
    let at = piece.number as u64 * 2;
    let (kth, equals_wanted) = (state.get(at), state.get(at + 1));
    let (mut better, mut equal) = (0, 0);
    let mut earlier = piece.list() - piece.piece as u64;
    while earlier < piece.list() {
        better += ranks.get(earlier * 2);
        equal += ranks.get(earlier * 2 + 1);
        earlier += 1;
    }
    let row_base = piece.number as u64 * params.k as u64;
    let mut base = piece.first;
    while base < piece.end {
        let index = base + thread_idx_x();
        let key = if index < piece.end { Some(piece.key(index)) } else { None };
        let is_better = key.is_some_and(|key| key > kth);
        let is_equal = key.is_some_and(|key| key == kth);
        let (better_before, better_here) = block_rank_flag(totals, is_better);
        let (equal_before, equal_here) = block_rank_flag(totals, is_equal);
        let (better_at, equal_at) = (better + better_before, equal + equal_before);
        if let Some(key) = key
            && (is_better || is_equal && equal_at < equals_wanted)
        {
            let slot = better_at + equal_at.min(equals_wanted);
            let item = composite(key ^ params.flip.mask(), index, params.flip);
            items.set(row_base + slot as u64, item);
        }
        better += better_here;
        equal += equal_here;
        base += block_dim_x();
    }
    let mut slot = piece.wanted + thread_idx_x();
    while piece.piece == 0 && slot < params.k {
        items.set(row_base + slot as u64, empty(slot));
        slot += block_dim_x();
    }
}

/// How many threads before this one have the flag, and how many of the block. For all threads of
/// the block together; `totals` has a word a warp.
#[inline(always)]
fn block_rank_flag(totals: SharedArray<u32>, flag: bool) -> (u32, u32) {
    let votes = warp_vote_ballot(FULL_MASK, flag);
    let (warp, warps) = (thread_idx_x() / WARP_SIZE, block_dim_x() / WARP_SIZE);
    // Separates the last use of the totals from their new values.
    sync_threads();
    if lane_id() == 0 {
        totals.set(warp, votes.count_ones());
    }
    // Separates the totals from their use.
    sync_threads();
    let (mut before, mut here, mut other) = (0, 0, 0);
    while other < warps {
        let total = totals.get(other);
        here += total;
        if other < warp {
            before += total;
        }
        other += 1;
    }
    (before + (votes & ((1 << lane_id()) - 1)).count_ones(), here)
}

const _: () = assert!(RADIX_BITS == 11, "three digits make 32 bits: 11, 11 and 10");
