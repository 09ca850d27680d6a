//! The kernel `full_guess`: between which logits top-p's prefix of a whole row ends, as far as a
//! sample can tell.
//!
//! # Idea
//!
//! ```text
//! heavy segments = those of which the greatest logit weighs much of what all segments' do
//! masses by distance from the row's greatest: of all elements of heavy segments, and of one vector
//!     in 8 of the others
//! the bin at which the mass reaches top-p's share, and so many bins about it as the sample's
//!     variance asks for
//! ```
//!
//! What is guessed changes the speed of `full_window`, never what it finds.
//!
//! # Shapes
//! As for `sample::full`, which leaves the segments' greatest logits and the row's.
//!
//! # Work split
//! A block a row; a bin, and before that a segment, a thread.
//!
//! # Shared memory
//! [`crate::sampling::launch::GUESS_BYTES`]: masses of warps, bins, the heavy segments.
//!
//! # Invariants
//! None: a wrong guess is found out.
//!
//! # Synchronisation
//! Barriers of the block.
//!
//! # Launch contract
//! [`MASS_THREADS`] threads; the shared memory above; rows of at most 256 segments.
//!
//! # Cost
//! Reads an eighth of the row, and at most 31 segments.
//!
//! # Ties, NaN, tail
//! A NaN weighs nothing.
//!
//! # Source
//! Sampled splitters, as in sample sort (Frazer and McKellar, 1970).
use cuda_std::shared::SharedArray;
use cuda_std::thread::{block_dim_x, sync_threads, thread_idx_x};
use cuda_std::unroll;
use cuda_std::warp::{FULL_MASK, WARP_SIZE, lane_id, warp_shuffle_xor};

use super::draw::Running;
use super::look::Tops;
use super::piece::{Cut, Piece, RowState, Window};
use super::rows::RowTable;
use super::segment::SegmentedRow;
use crate::prim::element::Element;
use crate::prim::mass::block_sum_u64;
use crate::sampling::launch::{FULL_BYTES, FullParams, MASS_THREADS, State, WINDOW_INDEX_BITS};
use crate::sampling::nucleus::Nucleus;
use crate::sampling::params::RowParams;
use crate::sampling::segment::{SEGMENT, WEIGHT_BITS, segments};

/// Bins, each of a sixteenth of a power of 2 in weight; the last has all that is farther.
const BINS: u32 = MASS_THREADS;
const PER_OCTAVE: u32 = 16;
/// One vector of so many is in the sample.
const SAMPLED: u32 = 8;
/// Vectors that a thread keeps in flight.
const DEPTH: usize = 4;
/// A segment is heavy where its greatest logit weighs more than this part of all segments'.
const HEAVY_PARTS: u64 = 32;
/// Bits that are left in a bin of the weight at which its octave starts.
const BITS: u32 = 12;
/// Standard deviations from the guess to the window's borders.
const DEVIATIONS: f32 = 5.0;
/// How exact a bin's mass is.
const ROUNDING: f32 = 1.0 / 2048.0;

/// Places in shared memory, in words behind the masses of warps.
const SAMPLE: u32 = 0;
const EXACT: u32 = BINS;
const IS_HEAVY: u32 = 2 * BINS;
const HEAVY: u32 = 3 * BINS;
const HEAVY_COUNT: u32 = HEAVY + HEAVY_PARTS as u32;
/// The window's borders, a number's bits.
const HIGH: u32 = HEAVY_COUNT + 1;
const LOW: u32 = HEAVY_COUNT + 2;

const _: () = assert!(1 << WINDOW_INDEX_BITS <= MASS_THREADS * SEGMENT, "a segment a thread");

/// Guesses.
///
/// # Safety
/// - *in bounds*: the pointers are to arrays of the shapes above, aligned for their types;
///   `lengths` may be null;
/// - *no concurrent writer*: nothing else touches what is written, nothing writes what is read;
/// - `params` and the launch keep the launch contract above.
#[inline(always)]
pub unsafe fn full_guess<E: Element>(
    x: *const E::Raw,
    lengths: *const u32,
    rows: *const RowParams,
    tops: *mut u32,
    state: *mut u64,
    params: FullParams,
) {
    let FullParams { row_stride, n, order, .. } = params;
    let cut = Cut { row_stride, n, pieces: 1, piece_elements: n };
    // SAFETY: the caller's contract.
    let piece = unsafe { Piece::<E>::new(x, lengths, cut) };
    let table = RowTable { rows, seeds: core::ptr::null(), positions: core::ptr::null() };
    // SAFETY: the caller's contract on `rows`.
    let row = unsafe { table.get(piece.number) };
    // SAFETY: the caller's contract on `state`.
    let state = unsafe { RowState::new(state, piece.number) };
    if row.sorted_k() > 0 || row.top_p >= 1.0 || state.max() == f32::NEG_INFINITY {
        return;
    }
    let guess = Guess {
        // SAFETY: the caller's contract on the input.
        row: unsafe { SegmentedRow::<E>::new(piece.start, piece.n) },
        // SAFETY: the caller's contract on `tops`.
        tops: unsafe { Tops::new(tops, piece.number, n) },
        greatest: state.max(),
        nucleus: Nucleus::new(&row, order, state.max(), piece.n),
        top_p: row.top_p,
        // SAFETY: the launch contract grants the memory.
        scratch: unsafe { SharedArray::new(0) },
        // SAFETY: as above.
        words: unsafe { SharedArray::new(FULL_BYTES) },
    };
    guess.sum();
    let word = guess.window().map_or(0, Window::to_word);
    if thread_idx_x() == 0 {
        state.set(State::Key, word);
    }
}

/// What the block knows of its row.
struct Guess<E: Element> {
    row: SegmentedRow<E>,
    tops: Tops,
    greatest: f32,
    nucleus: Nucleus,
    top_p: f32,
    scratch: SharedArray<u64>,
    words: SharedArray<u32>,
}

impl<E: Element> Guess<E> {
    /// Logits of a bin.
    #[inline(always)]
    fn width(&self) -> f32 {
        self.nucleus.octave() * (1.0 / PER_OCTAVE as f32)
    }

    /// The upper border of a bin, about.
    #[inline(always)]
    fn border(&self, bin: u32) -> f32 {
        self.greatest - bin as f32 * self.width()
    }

    /// Adds what a logit weighs to its bin.
    #[inline(always)]
    fn add(&self, bins: u32, value: f32, per_unit: f32) {
        const LAST: f32 = (BINS - 1) as f32;
        let at = (self.greatest - value) * per_unit;
        // SAFETY: a number from 0 to the last bin; the greatest is the least distance.
        let bin: u32 = unsafe { if at < LAST { at } else { LAST }.to_int_unchecked() };
        let shift = WEIGHT_BITS - BITS - bin / PER_OCTAVE;
        self.words.add(bins + bin, (self.nucleus.mass(value) >> shift) as u32);
    }

    /// Sums the masses by bin. For all threads of the block together; ends with a barrier.
    #[inline(always)]
    fn sum(&self) {
        let (words, thread) = (self.words, thread_idx_x());
        let mut weight = 0;
        if thread < segments(self.row.len()) {
            weight = self.nucleus.mass(self.tops.top(thread));
        }
        words.set(SAMPLE + thread, 0);
        words.set(EXACT + thread, 0);
        if thread == 0 {
            words.set(HEAVY_COUNT, 0);
            words.set(HIGH, (self.greatest + self.width()).to_bits());
            words.set(LOW, f32::NAN.to_bits());
        }
        let all = block_sum_u64(self.scratch, weight);
        let is_heavy = weight > all / HEAVY_PARTS;
        words.set(IS_HEAVY + thread, is_heavy as u32);
        if is_heavy {
            words.set(HEAVY + words.fetch_add(HEAVY_COUNT, 1), thread);
        }
        // Separates the cleared bins, and the list, from their use.
        sync_threads();
        let per_unit = 1.0 / self.width();
        let mut number = thread;
        let count = self.row.vector_count() / SAMPLED;
        while number < count {
            let mut vectors = [[0; 4]; DEPTH];
            unroll!(u in DEPTH => {
                let at = number + u as u32 * block_dim_x();
                if at < count {
                    vectors[u] = self.row.vector(self.sampled(at));
                }
            });
            unroll!(u in DEPTH => {
                let at = number + u as u32 * block_dim_x();
                let index = self.row.index_of_vector(self.sampled(at));
                if at < count && words.get(IS_HEAVY + index / SEGMENT) == 0 {
                    unroll!(part in E::PER_VECTOR => {
                        self.add(SAMPLE, E::value(E::part(&vectors[u], part)), per_unit);
                    });
                }
            });
            number += DEPTH as u32 * block_dim_x();
        }
        let mut heavy = thread / WARP_SIZE;
        while heavy < words.get(HEAVY_COUNT) {
            let segment = words.get(HEAVY + heavy);
            self.row.each(segment, |_, bits| self.add(EXACT, E::value(bits), per_unit));
            heavy += block_dim_x() / WARP_SIZE;
        }
        // Separates the sums from their reads.
        sync_threads();
    }

    /// A vector of the sample.
    #[inline(always)]
    fn sampled(&self, number: u32) -> u32 {
        number * SAMPLED + (number.wrapping_mul(0x9e37_79b1) >> (32 - SAMPLED.trailing_zeros()))
    }

    /// The window, if the sample can tell. For all threads of the block together; the same in all
    /// of them.
    #[inline(always)]
    fn window(&self) -> Option<Window> {
        self.nucleus.plain()?;
        let (words, bin) = (self.words, thread_idx_x());
        let octave = bin / PER_OCTAVE;
        let scaled = |sum: u32| (sum as u64) << (WEIGHT_BITS - BITS - octave);
        let sampled = scaled(words.get(SAMPLE + bin)) * SAMPLED as u64;
        let running = Running::new(self.scratch, 0, sampled + scaled(words.get(EXACT + bin)));
        let target = self.nucleus.target(running.total);
        // What sampling this bin makes uncertain, squared, of what is above the guess less its
        // share of all.
        let factor = if running.through() < target { 1.0 - self.top_p } else { self.top_p };
        // In the middle of the bin; the level is half an octave above the greatest, about.
        let part = (bin % PER_OCTAVE) as f32 * (-0.5 / PER_OCTAVE as f32) + 0.7;
        let weight = (1u64 << (WEIGHT_BITS - octave)) as f32 * part;
        let spread = sampled as f32 * weight * SAMPLED as f32 * factor * factor;
        let variance = block_sum_f32(self.scratch, spread);
        let apart = DEVIATIONS * root(variance) + running.total as f32 * ROUNDING;
        // A whole number, of what is at most `2^62`.
        let apart = apart.min(running.total as f32) as u64;
        // Where in the bin its mass reaches a target, if that is evenly spread.
        let place = |target: u64| {
            let (inside, mass) = (target - running.before(), running.through() - running.before());
            self.border(bin) - inside as f32 / mass as f32 * self.width()
        };
        let (first, last) = (target.saturating_sub(apart), target + apart);
        if first > 0 && running.reaches(first) {
            words.set(HIGH, place(first).to_bits());
        }
        // The last bin has all that is farther.
        if running.reaches(last) && bin + 1 < BINS {
            words.set(LOW, place(last).to_bits());
        }
        // Separates the borders from their use.
        sync_threads();
        let (low, high) = (f32::from_bits(words.get(LOW)), f32::from_bits(words.get(HIGH)));
        if low < high { Some(Window { low, high }) } else { None }
    }
}

/// A square root, to three digits or so.
#[inline(always)]
fn root(square: f32) -> f32 {
    if square <= f32::MIN_POSITIVE {
        return 0.0;
    }
    // Half the exponent, then Newton's step.
    let first = f32::from_bits((square.to_bits() >> 1) + 0x1fbd_1df5);
    0.5 * (first + square / first)
}

/// The sum over the block, in all threads. For all threads of the block together; `totals` has a
/// word a warp.
#[inline(always)]
fn block_sum_f32(totals: SharedArray<u64>, value: f32) -> f32 {
    let mut sum = value;
    unroll!(step in 5 => {
        sum += f32::from_bits(warp_shuffle_xor(FULL_MASK, sum.to_bits(), 1 << step));
    });
    // Separates the last use of the totals from their new values.
    sync_threads();
    if lane_id() == 0 {
        totals.set(thread_idx_x() / WARP_SIZE, sum.to_bits() as u64);
    }
    // Separates the totals from their use.
    sync_threads();
    let (mut all, mut warp) = (0.0, 0);
    while warp < block_dim_x() / WARP_SIZE {
        all += f32::from_bits(totals.get(warp) as u32);
        warp += 1;
    }
    all
}
