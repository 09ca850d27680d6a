//! The kernel `full_guess`: between which logits top-p's prefix of a whole row ends, but for what
//! rounding leaves open.
//!
//! # Idea
//!
//! ```text
//! for each token of the piece: add what it weighs to a bin, by its distance from the row's
//!     greatest
//! the row's last block: the bins at which the mass reaches a little less than top-p's share, and
//!     a little more; from the one's upper border to the other's lower one is the window
//! ```
//!
//! What the real code does differently: a token counts as a number of 13 bits, as its place in its
//! bin says, and the bin's own weight comes to it at the end, so that no exponential is taken
//! here. Where the bins have more tokens than a block can look at, and a sample says that they are
//! not all equal, tokens are taken to lie evenly in them, and the window is narrowed. What is
//! guessed changes the speed of `full_window`, never what it finds.
//!
//! # Shapes
//! As for `sample::full`, which leaves the row's greatest logit; sums by bin `[rows, GUESS_BINS]`
//! of `u32`, zero before and after.
//!
//! # Work split
//! As for `full_mass`.
//!
//! # Shared memory
//! [`crate::sampling::launch::GUESS_BYTES`]: masses of warps, and each bin [`COPIES`] times.
//!
//! # Invariants
//! - I1: sums of bins do not overflow: 13 bits for each of at most `2^18` tokens.
//! - I2: tickets and sums by bin are 0 between launches.
//!
//! # Synchronisation
//! As for `radix`.
//!
//! # Launch contract
//! [`MASS_THREADS`] threads; the shared memory above; pieces of whole segments; rows of at most
//! `2^18` elements.
//!
//! # Cost
//! Reads the row once; 10 instructions and an addition in shared memory a token.
//!
//! # Ties, NaN, tail
//! A NaN weighs nothing.
//!
//! # Source
//! The mass histogram of AIR Top-p, over logits rather than digits of keys.
use cuda_std::atomic::atomic_add_relaxed_u32_device;
use cuda_std::fused::fma;
use cuda_std::global::GlobalArrayMut;
use cuda_std::shared::SharedArray;
use cuda_std::thread::{sync_threads, thread_idx_x};
use cuda_std::unroll;
use cuda_std::warp::{FULL_MASK, WARP_SIZE, lane_id, warp_reduce_max, warp_reduce_min};

use super::draw::Running;
use super::piece::{Cut, Piece, RowState, Window};
use super::rows::RowTable;
use super::segment::SegmentedRow;
use crate::prim::element::Element;
use crate::sampling::launch::{
    FULL_BYTES, FullParams, GUESS_BINS, GUESS_COPIES as COPIES, LISTED_MAX, MASS_THREADS, State,
};
use crate::sampling::nucleus::Nucleus;
use crate::sampling::params::RowParams;
use crate::sampling::segment::WEIGHT_BITS;

/// Bins from one power of 2 in weight to the next.
const PER_OCTAVE: f32 = 32.0;
/// Bins that a thread sums.
const PER_THREAD: usize = (GUESS_BINS / MASS_THREADS) as usize;
/// Tokens in the bins at a prefix's end that are few enough for a block to look at, counted about.
const COUNT_MAX: u32 = LISTED_MAX - LISTED_MAX / 64;
/// Elements a thread has of a sample of the row.
const SAMPLE: usize = 2;
/// Of a bin: how far a token may have been rounded into its neighbour.
const ROUNDED: f32 = 1.0 / 64.0;
/// What a token at a bin's upper border counts as.
const WHOLE: f32 = 4096.0;
/// The same less what one at the lower border counts as: `WHOLE * (1 - 2^(-1 / 32))`.
const SLOPE: f32 = 87.768_5;
/// The middle of a bin: bins are told apart by rounding.
const MIDDLE: f32 = 0.5;
/// Added to a small number, it leaves that, rounded, in the lowest bits.
const WHOLE_NUMBERS: f32 = (3u32 << 22) as f32;
/// Bits that are taken off a token's weight so that a row's sum fits: 18 bits of tokens, 13 of what
/// each counts as, and 32 of that.
const LEFT_OFF: u32 = WEIGHT_BITS - 32;
/// A mass is right but for this part: of rounding, and of the line that stands for a power of 2.
const ROUNDING_BITS: u32 = 11;
/// Of a bin: how much wider a window is on each side where tokens are taken to lie evenly.
const MARGIN: f32 = 0.125;

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
    bins: *mut u32,
    state: *mut u64,
    tickets: *mut u32,
    params: FullParams,
) {
    let FullParams { row_stride, n, pieces, piece_elements, order, .. } = params;
    let cut = Cut { row_stride, n, pieces, piece_elements };
    // SAFETY: the caller's contract.
    let piece = unsafe { Piece::<E>::new(x, lengths, cut) };
    // SAFETY: the caller's contract on the input.
    let whole = unsafe { SegmentedRow::<E>::new(piece.start, piece.n) };
    // On its way while the row's parameters are read.
    whole.prefetch_first(piece.segments());
    let table = RowTable { rows, seeds: core::ptr::null(), positions: core::ptr::null() };
    // SAFETY: the caller's contract on `rows`.
    let row = unsafe { table.get(piece.number) };
    // SAFETY: the caller's contract on `state`.
    let state = unsafe { RowState::new(state, piece.number) };
    let greatest = state.max();
    if row.sorted_k() > 0 || row.top_p >= 1.0 || greatest == f32::NEG_INFINITY {
        return;
    }
    let nucleus = Nucleus::new(&row, order, greatest, piece.n);
    if nucleus.plain().is_none() {
        if piece.piece == 0 && thread_idx_x() == 0 {
            state.set(State::Key, 0);
        }
        return;
    }
    // SAFETY: the launch contract grants the memory.
    let scratch = unsafe { SharedArray::new(0) };
    // SAFETY: as above.
    let own = unsafe { SharedArray::new(FULL_BYTES) };
    let guess = Guess { greatest, nucleus, scratch, own, found: Found { words: own } };
    guess.sum(whole, piece.segments());
    let row_bins = bins.wrapping_add(piece.number as usize * GUESS_BINS as usize);
    guess.each_bin(|bin, sum| {
        if sum > 0 {
            // SAFETY: the caller's contract on `bins`.
            unsafe { atomic_add_relaxed_u32_device(row_bins.wrapping_add(bin as usize), sum) };
        }
    });
    // SAFETY: the caller's contract on `tickets`.
    if !unsafe { piece.is_last(tickets) } {
        return;
    }
    // SAFETY: the caller's contract on `bins`; the other blocks of the row are done with it.
    let word = guess.window(whole, unsafe { GlobalArrayMut::new(row_bins) }).to_word();
    if thread_idx_x() == 0 {
        state.set(State::Key, word);
    }
}

/// What the block knows of its row.
struct Guess {
    greatest: f32,
    nucleus: Nucleus,
    scratch: SharedArray<u64>,
    /// Sums by bin, the copies of a bin side by side.
    own: SharedArray<u32>,
    /// In the same place, when those are not used any more.
    found: Found,
}

impl Guess {
    /// Logits of a bin.
    #[inline(always)]
    fn width(&self) -> f32 {
        self.nucleus.octave() * (1.0 / PER_OCTAVE)
    }

    /// The upper border of a bin, or what is so far from there.
    #[inline(always)]
    fn border(&self, bin: f32) -> f32 {
        self.greatest - bin * self.width()
    }

    /// Sums the tokens of the segments from `first` on by bin. For all threads of the block
    /// together; ends with a barrier.
    #[inline(always)]
    fn sum<E: Element>(&self, row: SegmentedRow<E>, (first, end): (u32, u32)) {
        let (thread, warps) = (thread_idx_x(), MASS_THREADS / WARP_SIZE);
        let mut place = thread;
        while place < COPIES * GUESS_BINS {
            self.own.set(place, 0);
            place += MASS_THREADS;
        }
        // Separates the cleared bins from the sums.
        sync_threads();
        let per_logit = 1.0 / self.width();
        let reach = (GUESS_BINS - 1) as f32;
        let reach = match self.nucleus.is_filtered() {
            true => {
                reach.min(-self.nucleus.filter().min_p_bound().1 * per_logit - MIDDLE + ROUNDED)
            }
            false => reach,
        };
        let own = self.own.at(lane_id() % COPIES);
        let mut segment = first + thread / WARP_SIZE;
        while segment < end {
            if segment + warps < end {
                row.prefetch(segment + warps);
            }
            row.held(segment).each_value(|value| {
                let at = fma(self.greatest - value, per_logit, -MIDDLE);
                // No NaN is.
                if at < reach {
                    let rounded = at + WHOLE_NUMBERS;
                    let inside = at - (rounded - WHOLE_NUMBERS);
                    let counts = fma(inside, -SLOPE, WHOLE - SLOPE * MIDDLE + WHOLE_NUMBERS);
                    let bin = rounded.to_bits() - WHOLE_NUMBERS.to_bits();
                    own.add(COPIES * bin, counts.to_bits() - WHOLE_NUMBERS.to_bits());
                }
            });
            segment += warps;
        }
        // Separates the sums from their reads.
        sync_threads();
    }

    /// Calls `f` with this thread's bins, and the block's sums of them.
    #[inline(always)]
    fn each_bin(&self, f: impl Fn(u32, u32)) {
        let mut bin = thread_idx_x();
        while bin < GUESS_BINS {
            let copies = self.own.get_vec4(COPIES * bin);
            f(bin, copies[0] + copies[1] + copies[2] + copies[3]);
            bin += MASS_THREADS;
        }
    }

    /// What a bin's tokens weigh.
    #[inline(always)]
    fn mass(&self, bin: u32, sum: u32) -> u64 {
        (self.nucleus.mass(self.border(bin as f32)) >> LEFT_OFF) * sum as u64
    }

    /// The window of the row of which these are the sums by bin; clears them. For all threads of
    /// the block together; the same in all of them.
    #[inline(always)]
    #[allow(unused_assignments)] // the last part written out moves `before` for nobody
    fn window<E: Element>(&self, row: SegmentedRow<E>, bins: GlobalArrayMut<u32>) -> Window {
        let first_bin = thread_idx_x() * PER_THREAD as u32;
        let (mut sums, mut masses) = ([0; PER_THREAD], [0; PER_THREAD]);
        let mut own = 0;
        unroll!(i in PER_THREAD => {
            let bin = first_bin + i as u32;
            sums[i] = bins.get(bin as u64);
            bins.set(bin as u64, 0);
            masses[i] = self.mass(bin, sums[i]);
            own += masses[i];
        });
        if thread_idx_x() == 0 {
            self.found.put(HIGH, Border { bin: 0, inside: 0.0 });
            self.found.put(LOW, Border { bin: GUESS_BINS, inside: 0.0 });
            self.found.words.set(COUNT, 0);
        }
        let running = Running::new(self.scratch, 0, own);
        let target = self.nucleus.target(running.total);
        let apart = running.total >> ROUNDING_BITS;
        let mut before = running.before();
        unroll!(i in PER_THREAD => {
            let (bin, through) = (first_bin + i as u32, before + masses[i]);
            let reaches = |target: u64| before < target && target <= through;
            let inside = |target: u64| (target - before) as f32 / masses[i] as f32;
            let (first, last) = (target.saturating_sub(apart), running.total.min(target + apart));
            if reaches(first) {
                self.found.put(HIGH, Border { bin, inside: inside(first) });
            }
            if reaches(last) {
                self.found.put(LOW, Border { bin, inside: inside(last) });
            }
            before = through;
        });
        // Separates the borders from their use.
        sync_threads();
        let (high, low) = (self.found.get(HIGH), self.found.get(LOW));
        let mut count = 0;
        unroll!(i in PER_THREAD => {
            let bin = first_bin + i as u32;
            count += if high.bin <= bin && bin <= low.bin { sums[i] / WHOLE as u32 } else { 0 };
        });
        if count > 0 {
            self.found.words.add(COUNT, count);
        }
        // Separates the count from its use.
        sync_threads();
        let whole = self.between(high.bin as f32 - ROUNDED, (low.bin + 1) as f32 + ROUNDED);
        if self.found.words.get(COUNT) <= COUNT_MAX || self.is_of_equals(row, whole) {
            return whole;
        }
        self.between(high.place() - MARGIN, low.place() + MARGIN)
    }

    /// The window between two borders.
    #[inline(always)]
    fn between(&self, high: f32, low: f32) -> Window {
        Window { low: self.border(low).next_down(), high: self.border(high).next_up() }
    }

    /// Whether what a sample of the row has in a window is of one value. For all threads of the
    /// block together; the same in all of them.
    #[inline(always)]
    fn is_of_equals<E: Element>(&self, row: SegmentedRow<E>, window: Window) -> bool {
        // Distances from the greatest are positive: their bits are in their order.
        let (mut least, mut most) = (u32::MAX, 0);
        unroll!(i in SAMPLE => {
            let place = i as u32 * MASS_THREADS + thread_idx_x();
            let index = place as u64 * row.len() as u64 / (SAMPLE as u64 * MASS_THREADS as u64);
            let value = E::value(row.element(index as u32));
            if window.has(value) {
                let distance = (self.greatest - value).to_bits();
                (least, most) = (least.min(distance), most.max(distance));
            }
        });
        (least, most) = (warp_reduce_min(FULL_MASK, least), warp_reduce_max(FULL_MASK, most));
        if lane_id() == 0 {
            self.scratch.set(thread_idx_x() / WARP_SIZE, (least as u64) << 32 | most as u64);
        }
        // Separates the warps' ranges from their use.
        sync_threads();
        let mut warp = 0;
        while warp < MASS_THREADS / WARP_SIZE {
            let range = self.scratch.get(warp);
            (least, most) = (least.min((range >> 32) as u32), most.max(range as u32));
            warp += 1;
        }
        least >= most
    }
}

/// Where a prefix of some mass ends.
#[derive(Clone, Copy)]
struct Border {
    bin: u32,
    /// The part of the bin's mass that the prefix has.
    inside: f32,
}

impl Border {
    /// The distance from the greatest in bins, if tokens lie evenly.
    #[inline(always)]
    fn place(&self) -> f32 {
        self.bin as f32 + self.inside
    }
}

/// What threads find of the window.
#[derive(Clone, Copy)]
struct Found {
    words: SharedArray<u32>,
}

impl Found {
    #[inline(always)]
    fn put(&self, at: u32, border: Border) {
        self.words.set(at, border.bin);
        self.words.set(at + 1, border.inside.to_bits());
    }

    #[inline(always)]
    fn get(&self, at: u32) -> Border {
        Border { bin: self.words.get(at), inside: f32::from_bits(self.words.get(at + 1)) }
    }
}

/// Places among what threads find: the borders, and how many tokens lie between them.
const HIGH: u32 = 0;
const LOW: u32 = 2;
const COUNT: u32 = 4;
