//! The kernels that find where a prefix of a whole row ends: `full_digit` by digits of the keys,
//! `full_cut` among equals.
//!
//! # Idea
//!
//! ```text
//! for each digit of the key, from the top:                              (full_digit)
//!     sum the masses by digit of the elements that have the digits decided so far
//!     the row's last block: find the digit at which the mass from the top reaches what is wanted
//! now the last key is known, and how much of its equals is wanted
//! count the equals, piece by piece                                      (full_cut)
//!     the row's last block: find the last of them that is wanted, and remember its composite
//! ```
//!
//! What the real code does differently: where all the equals are wanted, as in most rows of `f32`,
//! `full_cut` has nothing to do, and does not read. For top-k every element has the mass 1; for
//! top-p it is the fixed-point weight, and the first digit's masses give the sum of which `top_p`
//! is a share. A mass of 64 bits is added as two words: who adds to the lower one sees whether it
//! overflowed, and carries. Elements that are certainly left out, for all of them weigh less than
//! what is left out, are summed by threads, and their sum is given to digit 0, which stands for no
//! element that may be drawn.
//!
//! # Shapes
//! As for `sample::full`, which leaves the segments' greatest logits; masses by digit `[rows,
//! MASS_WORDS]` of `u32`, zero before and after.
//!
//! # Work split
//! `rows * pieces` blocks; block `b` has the segments of piece `b % pieces` of row `b / pieces`, a
//! warp a segment at a time.
//!
//! # Shared memory
//! `full_digit`: the masses by digit, [`crate::sampling::launch::DIGIT_BYTES`]. `full_cut`:
//! [`crate::sampling::launch::FULL_BYTES`].
//!
//! # Invariants
//! - I1: the elements above the key weigh less than what is wanted, and with its equals at least as
//!   much (checked: `host/tests/emulator_sampling.rs`).
//! - I2: tickets and masses by digit are 0 between launches.
//!
//! # Synchronisation
//! As for `radix`.
//!
//! # Launch contract
//! Whole warps, at most the threads in `variants`; the shared memory above; pieces of whole
//! segments.
//!
//! # Cost
//! The first digit reads the row once; the others, and `full_cut` where some equals are wanted and
//! some are not, the segments of which the greatest logit has the digits decided so far, or is
//! above. There are three digits, two of 16-bit elements.
//!
//! # Ties, NaN, tail
//! Equals in the order of their indices; a NaN counts as `-inf`.
//!
//! # Source
//! The mass histogram is that of AIR Top-p; digits and the last block as in `radix`.
use cuda_std::atomic::{atomic_add_relaxed_u32_device, atomic_fetch_add_relaxed_u32_device};
use cuda_std::global::GlobalArrayMut;
use cuda_std::shared::SharedArray;
use cuda_std::thread::{block_dim_x, sync_threads, thread_idx_x};
use cuda_std::warp::{WARP_SIZE, lane_id};

use super::look::Tops;
use super::piece::{Cut, Piece, RowState, item_of};
use super::rows::RowTable;
use super::segment::SegmentedRow;
use super::walk::Walk;
use crate::order::{bits_of_key, composite};
use crate::params::{Flip, RADIX_BINS};
use crate::prim::element::Element;
use crate::prim::mass::{block_sum_u64, warp_reach, warp_sum_u64};
use crate::sampling::launch::{FullParams, MASS_WORDS, Phase, State};
use crate::sampling::nucleus::Nucleus;
use crate::sampling::params::RowParams;

/// The last index that an element may have.
const INDEX_LAST: u32 = (1 << 31) - 1;

/// What both kernels know of their block.
struct Pass<E: Element> {
    piece: Piece<E>,
    row: SegmentedRow<E>,
    tops: Tops,
    state: RowState,
    nucleus: Nucleus,
    phase: Phase,
    /// The least composite that earlier filters kept.
    least: u64,
}

impl<E: Element> Pass<E> {
    /// None where the phase has nothing to do for the row: the same in all threads.
    ///
    /// # Safety
    /// As for [`full_digit`].
    #[inline(always)]
    unsafe fn new(
        x: *const E::Raw,
        lengths: *const u32,
        rows: *const RowParams,
        tops: *mut u32,
        state: *mut u64,
        params: &FullParams,
    ) -> Option<Self> {
        let FullParams { row_stride, n, pieces, piece_elements, phase, .. } = *params;
        let cut = Cut { row_stride, n, pieces, piece_elements };
        // SAFETY: the caller's contract.
        let piece = unsafe { Piece::<E>::new(x, lengths, cut) };
        let table = RowTable { rows, seeds: core::ptr::null(), positions: core::ptr::null() };
        // SAFETY: the caller's contract on `rows`.
        let row = unsafe { table.get(piece.number) };
        let is_off = if phase == Phase::TopK { row.top_k == 0 } else { row.top_p >= 1.0 };
        // SAFETY: the caller's contract on `state`.
        let state = unsafe { RowState::new(state, piece.number) };
        if row.sorted_k() > 0 || is_off || state.max() == f32::NEG_INFINITY {
            return None;
        }
        let nucleus = Nucleus::new(&row, params.order, state.max(), piece.n);
        let least = state.get(State::Cut);
        // SAFETY: the caller's contract on `x`.
        let whole = unsafe { SegmentedRow::new(piece.start, piece.n) };
        // SAFETY: the caller's contract on `tops`.
        let tops = unsafe { Tops::new(tops, piece.number, n) };
        Some(Pass { piece, row: whole, tops, state, nucleus, phase, least })
    }

    /// What an element of this key weighs, unless earlier filters turned it away.
    #[inline(always)]
    fn mass_of_key(&self, key: u32) -> u64 {
        match self.phase {
            Phase::TopK => 1,
            _ => self.nucleus.mass(E::value(bits_of_key(key))).max(1),
        }
    }

    /// Ends the prefix with all elements of the last key, which weigh `mass`, where all of them are
    /// `wanted`; else leaves it to `full_cut`. By one thread.
    #[inline(always)]
    fn end(&self, key: u32, wanted: u64, mass: u64) {
        if wanted + self.mass_of_key(key) > mass {
            self.state.set(State::Cut, composite(key, INDEX_LAST, Flip::LARGEST).max(self.least));
            self.state.set(State::Wanted, 0);
        }
    }

    /// Calls `f` with index and bits of this lane's elements of the piece's segments, but for those
    /// that `skips`, which is the same in all lanes.
    #[inline(always)]
    fn each(&self, mut skips: impl FnMut(u32) -> bool, mut f: impl FnMut(u32, u32)) {
        let (first, end) = self.piece.segments();
        let mut segment = first + thread_idx_x() / WARP_SIZE;
        while segment < end {
            if !skips(segment) {
                self.row.each(segment, &mut f);
            }
            segment += block_dim_x() / WARP_SIZE;
        }
    }

    /// The mass of an element that has this composite.
    #[inline(always)]
    fn mass(&self, item: u64, bits: u32) -> u64 {
        if item < self.least {
            0
        } else if self.phase == Phase::TopK {
            1
        } else {
            self.nucleus.mass(E::value(bits))
        }
    }
}

/// Sums the masses of one digit, and decides it.
///
/// # Safety
/// - *in bounds*: the pointers are to arrays of the shapes above, aligned for their types;
///   `lengths` may be null;
/// - *no concurrent writer*: nothing else touches what is written, nothing writes what is read;
/// - `params` and the launch keep the launch contract above.
#[inline(always)]
#[allow(clippy::too_many_arguments)] // a kernel's buffers are arguments of their own
pub unsafe fn full_digit<E: Element>(
    x: *const E::Raw,
    lengths: *const u32,
    rows: *const RowParams,
    tops: *mut u32,
    masses: *mut u32,
    state: *mut u64,
    tickets: *mut u32,
    params: FullParams,
) {
    // SAFETY: the caller's contract.
    let Some(pass) = (unsafe { Pass::<E>::new(x, lengths, rows, tops, state, &params) }) else {
        return;
    };
    // SAFETY: the launch contract grants the memory.
    let bins = unsafe { SharedArray::<u32>::new(0) };
    // An earlier phase's key is not this one's.
    let key = if params.decided == 0 { 0 } else { pass.state.get(State::Key) as u32 };
    sum_digits(&pass, bins, key, &params);
    let row_masses = masses.wrapping_add(pass.piece.number as usize * MASS_WORDS as usize);
    each(RADIX_BINS, |bin| {
        let (low, high) = (bins.get(bin), bins.get(bin + RADIX_BINS));
        if low | high != 0 {
            let place = row_masses.wrapping_add(bin as usize);
            // SAFETY: the caller's contract on `masses`.
            let before = unsafe { atomic_fetch_add_relaxed_u32_device(place, low) };
            let carry = before.overflowing_add(low).1 as u32;
            let place = place.wrapping_add(RADIX_BINS as usize);
            // SAFETY: as above.
            unsafe { atomic_add_relaxed_u32_device(place, high + carry) };
        }
    });
    // SAFETY: the caller's contract on `tickets`.
    if !unsafe { pass.piece.is_last(tickets) } {
        return;
    }
    // SAFETY: the caller's contract on `masses`; the other blocks of the row are done with it.
    let row_masses = unsafe { GlobalArrayMut::new(row_masses) };
    each(MASS_WORDS, |word| {
        bins.set(word, row_masses.get(word as u64));
        row_masses.set(word as u64, 0);
    });
    // Separates the row's masses from their use.
    sync_threads();
    if thread_idx_x() < WARP_SIZE {
        let digits = Digits { bins, count: 1 << (32 - params.decided - params.shift) };
        let own = digits.mass_of_lane();
        let wanted = match params.phase {
            // The first digit's masses are those of all: their share is what is wanted.
            Phase::TopP if params.decided == 0 => pass.nucleus.target(warp_sum_u64(own)),
            _ => pass.state.get(State::Wanted),
        };
        let found = digits.warp_find(own, wanted);
        let is_last = params.is_last != 0;
        let key = whole_key(key | found.digit << params.shift, params.shift, is_last);
        let wanted = wanted - found.above;
        if lane_id() == 0 {
            pass.state.set(State::Key, key as u64);
            pass.state.set(State::Wanted, wanted);
            if is_last {
                pass.end(key, wanted, found.mass);
            }
        }
    }
}

/// Sums into the bins the masses of the piece's elements that have the decided bits. For all
/// threads of the block together; ends with a barrier.
#[inline(always)]
fn sum_digits<E: Element>(
    pass: &Pass<E>,
    bins: SharedArray<u32>,
    decided: u32,
    params: &FullParams,
) {
    each(MASS_WORDS, |word| bins.set(word, 0));
    // Separates the cleared bins from the sums.
    sync_threads();
    let FullParams { shift, decided: above, .. } = *params;
    // Only the first digit's masses are a row's; a later one's are of few elements.
    let is_first = above == 0 && pass.phase == Phase::TopP;
    let negligible = if is_first { pass.nucleus.negligible() } else { 0 };
    let least = E::value(bits_of_key(decided));
    let mut rest = 0;
    let skips = |segment| above > 0 && pass.tops.top(segment) < least;
    pass.each(skips, |index, bits| {
        let (_, item) = item_of::<E>(index, bits);
        let key = (item >> 32) as u32;
        if above == 0 || (key ^ decided) >> (32 - above) == 0 {
            let mass = pass.mass(item, bits);
            if mass > negligible {
                add_mass(bins, key << above >> above >> shift, mass);
            } else {
                rest += mass;
            }
        }
    });
    rest = warp_sum_u64(rest);
    if rest > 0 && lane_id() == 0 {
        add_mass(bins, 0, rest);
    }
    // Separates the sums from their reads.
    sync_threads();
}

/// Adds to the mass of a digit.
#[inline(always)]
fn add_mass(bins: SharedArray<u32>, digit: u32, mass: u64) {
    let before = bins.fetch_add(digit, mass as u32);
    let carry = before.overflowing_add(mass as u32).1 as u32;
    let high = (mass >> 32) as u32 + carry;
    if high > 0 {
        bins.add(digit + RADIX_BINS, high);
    }
}

/// A key of which the last digit is known: what is below it is 0 in the keys of positive elements,
/// and ones in those of negative.
#[inline(always)]
fn whole_key(key: u32, shift: u32, is_last: bool) -> u32 {
    let is_negative = key >> 31 == 0;
    if is_last && is_negative { key | ((1 << shift) - 1) } else { key }
}

/// A row's masses by digit.
#[derive(Clone, Copy)]
struct Digits {
    bins: SharedArray<u32>,
    /// How many digits there are: a multiple of the warp's lanes.
    count: u32,
}

/// A digit, from the top digit down.
struct Found {
    digit: u32,
    /// What those above it weigh.
    above: u64,
    /// What it weighs.
    mass: u64,
}

impl Digits {
    /// The mass of a digit.
    #[inline(always)]
    fn mass(self, digit: u32) -> u64 {
        (self.bins.get(digit + RADIX_BINS) as u64) << 32 | self.bins.get(digit) as u64
    }

    /// The digit of this lane's stretch that is looked at as number `at`; lane 0 has the top ones.
    #[inline(always)]
    fn of_lane(self, lane: u32, at: u32) -> u32 {
        self.count - 1 - lane * (self.count / WARP_SIZE) - at
    }

    /// The mass of this lane's digits.
    #[inline(always)]
    fn mass_of_lane(self) -> u64 {
        let (mut sum, mut at) = (0, 0);
        while at < self.count / WARP_SIZE {
            sum += self.mass(self.of_lane(lane_id(), at));
            at += 1;
        }
        sum
    }

    /// The digit at which the masses, from the top digit down, reach `wanted`, where the lane's
    /// weigh `own`. For the lanes of a warp together; the same in all of them.
    #[inline(always)]
    fn warp_find(self, own: u64, wanted: u64) -> Found {
        let place = warp_reach(own, wanted);
        let (mut digit, mut above) = (self.of_lane(place.at, 0), place.before);
        let last = self.of_lane(place.at, self.count / WARP_SIZE - 1);
        while digit > last && above + self.mass(digit) < wanted {
            above += self.mass(digit);
            digit -= 1;
        }
        Found { digit, above, mass: self.mass(digit) }
    }
}

/// Calls `f` with this thread's of `count` numbers.
#[inline(always)]
fn each(count: u32, f: impl Fn(u32)) {
    let mut at = thread_idx_x();
    while at < count {
        f(at);
        at += block_dim_x();
    }
}

/// Finds the last of the equals that is wanted: what is behind it in the row's order is out.
///
/// # Safety
/// As for [`full_digit`]; `partial` has a word a piece, `[rows, pieces]`.
#[inline(always)]
#[allow(clippy::too_many_arguments)] // a kernel's buffers are arguments of their own
pub unsafe fn full_cut<E: Element>(
    x: *const E::Raw,
    lengths: *const u32,
    rows: *const RowParams,
    tops: *mut u32,
    partial: *mut u64,
    state: *mut u64,
    tickets: *mut u32,
    params: FullParams,
) {
    // SAFETY: the caller's contract.
    let Some(pass) = (unsafe { Pass::<E>::new(x, lengths, rows, tops, state, &params) }) else {
        return;
    };
    if pass.state.get(State::Wanted) == 0 {
        return;
    }
    // SAFETY: the caller's contract on `partial`; a place is written by one block.
    let partial = unsafe { GlobalArrayMut::new(partial) };
    // SAFETY: the launch contract grants a mass a warp, and two more.
    let scratch = unsafe { SharedArray::<u64>::new(0) };
    let last = pass.state.get(State::Key) as u32;
    let is_equal = |index, bits| {
        let (_, item) = item_of::<E>(index, bits);
        ((item >> 32) as u32 == last && pass.mass(item, bits) > 0) as u64
    };
    let mut count = 0;
    let least = E::value(bits_of_key(last));
    let skips = |segment| pass.tops.top(segment) < least;
    pass.each(skips, |index, bits| count += is_equal(index, bits));
    count = block_sum_u64(scratch, count);
    if thread_idx_x() == 0 {
        partial.set(pass.piece.list(), count);
    }
    // SAFETY: the caller's contract on `tickets`.
    if !unsafe { pass.piece.is_last(tickets) } {
        return;
    }
    // All of one key weigh the same.
    let wanted = pass.state.get(State::Wanted).div_ceil(pass.mass_of_key(last)).max(1);
    let walk = Walk { piece: &pass.piece, partial, scratch, pieces: params.pieces };
    let index = walk.reach(wanted, |index| is_equal(index, pass.piece.element(index)));
    if thread_idx_x() == 0 {
        pass.state.set(State::Cut, composite(last, index, Flip::LARGEST));
    }
}
