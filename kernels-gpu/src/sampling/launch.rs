//! What a launch passes to the sampling kernels by value, and how their shared memory is laid out.
use super::filter::RowFilter;
use super::params::{FilterOrder, RowParams};
use crate::params::{Dtype, RADIX_BINS, RADIX_SHIFTS, SelectParams, ShortParams};

/// Scalars of the kernel `sample`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct SampleParams {
    /// The selection that it ends: `k` is the most candidates of any row.
    pub select: SelectParams,
    /// The filters' order.
    pub order: FilterOrder,
    /// Draws a row.
    pub num_samples: u32,
    /// 1 where a token may be drawn more than once from a row, else 0.
    pub replacement: u32,
    /// Best tokens a row that are written, at most `k`.
    pub top: u32,
    /// Where the shared memory behind the queue starts, in bytes.
    pub scratch: u32,
    /// Zero.
    pub reserved: u32,
}

const _: () = assert!(size_of::<SampleParams>() == 88 && align_of::<SampleParams>() == 8);

/// Scalars of the kernels `short_sample` and `medium_sample`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct WarpSampleParams {
    /// The selection that it ends, of the greatest: `k` is the most candidates of any row.
    pub short: ShortParams,
    /// The filters' order, but not `LlamaCpp`.
    pub order: FilterOrder,
    /// Draws a row, at most 32, with replacement if more than one.
    pub num_samples: u32,
}

const _: () = assert!(size_of::<WarpSampleParams>() == 40 && align_of::<WarpSampleParams>() == 8);

/// Shared memory of `sample` behind the queue: the masses of 32 chunks of candidates.
pub const SAMPLE_SCRATCH_BYTES: u32 = 32 * 8;

/// What a full pass over the rows is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Phase {
    /// The first look at rows that are drawn from in index order; the draw from those that are not
    /// filtered.
    Draw = 0,
    /// The best `top_k` tokens, by number.
    TopK = 1,
    /// The best tokens that reach `top_p`, by mass.
    TopP = 2,
    /// The softmax of every row as it came, for logarithms alone.
    Raw = 3,
    /// The draw from rows that are filtered, when it is known what top-k and top-p leave.
    Cut = 4,
}

/// Scalars of the kernels that read whole rows: `full_*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct FullParams {
    /// Distance between the starts of two rows, in elements.
    pub row_stride: u64,
    /// Elements in a row, below 2^31.
    pub n: u32,
    /// Blocks that share a row, at least 1.
    pub pieces: u32,
    /// Elements in a piece; the last piece may have fewer. For `full_mass` whole segments.
    pub piece_elements: u32,
    /// What the pass is for.
    pub phase: Phase,
    /// The filters' order.
    pub order: FilterOrder,
    /// Draws a row.
    pub num_samples: u32,
    /// 1 where a token may be drawn more than once from a row, else 0.
    pub replacement: u32,
    /// The lowest bit of the pass's digit. `full_digit` only.
    pub shift: u32,
    /// Bits of the digits above it, which are decided. `full_digit` only.
    pub decided: u32,
    /// 1 where no digit follows, else 0. `full_digit` only.
    pub is_last: u32,
    /// 1 where rows with a min-p are drawn from in the phase `Cut`, else 0.
    pub cuts_min_p: u32,
    /// 1 where `full_window` finds what top-p keeps, else 0.
    pub has_window: u32,
}

const _: () = assert!(size_of::<FullParams>() == 56 && align_of::<FullParams>() == 8);

impl FullParams {
    /// Whether a row is drawn from in the phase [`Phase::Cut`].
    #[inline(always)]
    pub fn is_cut(&self, row: &RowParams) -> bool {
        row.has_cut() || row.has_min_p() && self.cuts_min_p != 0
    }

    /// Whether a row with a top-p is drawn from by `full_window`, where the launch behind it draws
    /// from others: top-p's masses are the draw's.
    #[inline(always)]
    pub fn draws_in_window(&self, row: &RowParams) -> bool {
        let keeps_alike = !row.has_min_p() || matches!(self.order, FilterOrder::Vllm);
        let draws_alike = keeps_alike && RowFilter::weighs_alike(row, self.order);
        self.has_window != 0 && row.has_cut() && draws_alike
    }
}

/// What the passes over a row leave for the next one: words of 64 bits, `[rows, STATE_WORDS]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum State {
    /// The greatest logit's bits.
    Max,
    /// The least composite that is kept; 0 keeps all.
    Cut,
    /// The key bits that are decided.
    Key,
    /// What is still wanted of the elements that have them: a number, or a mass.
    Wanted,
    /// The mass that is drawn from.
    Total,
}

/// Words of 64 bits of a row's [`State`].
pub const STATE_WORDS: u32 = 6;

/// Words of 32 bits in which a row's masses by digit lie, `[rows, MASS_WORDS]`: the lower halves,
/// then the upper.
pub const MASS_WORDS: u32 = 2 * RADIX_BINS;

/// The lowest bit of each digit of the keys of a type, highest digit first. The keys of 16-bit
/// elements, which stand in the upper half of a word, have two digits: what is below follows from
/// the sign.
pub const fn digit_shifts(dtype: Dtype) -> &'static [u32] {
    match dtype {
        Dtype::F32 => &RADIX_SHIFTS,
        Dtype::F16 | Dtype::Bf16 => &[21, 16],
    }
}

/// Shared memory of `full_digit`: a block's masses by digit.
pub const DIGIT_BYTES: u32 = 4 * MASS_WORDS;

/// Shared memory of the other passes: a mass a warp, and two words for what was found.
pub const FULL_BYTES: u32 = (32 + 2) * 8;

/// Threads of a block of `full_mass`.
pub const MASS_THREADS: u32 = 256;

/// The longest row of `full_guess` and `full_window`, in bits: an index and a key make a number of
/// 50 bits, no bit is left off a weight, and a block has a thread a segment.
pub const WINDOW_INDEX_BITS: u32 = 18;

/// Bins of `full_guess`.
pub const GUESS_BINS: u32 = 1024;

/// How many times a block of `full_guess` has each bin: lanes take turns, and wait less for each
/// other.
pub const GUESS_COPIES: u32 = 4;

/// Shared memory of `full_guess`: a mass a warp, and the bins.
pub const GUESS_BYTES: u32 = FULL_BYTES + 4 * GUESS_COPIES * GUESS_BINS;

/// Words of 64 bits of a segment's list of what is in the window.
pub const LIST_WORDS: u32 = 128;

/// The most items that a row may have in the window for them to be looked at in shared memory: as
/// many as there is room for on every GPU.
pub const LISTED_MAX: u32 = 7168;

/// Bins of the window.
pub const WINDOW_BINS: u32 = MASS_THREADS;

/// Where a block of `full_window` keeps its parts in shared memory, in bytes: behind what the draw
/// wants.
///
/// | part | type |
/// |---|---|
/// | bins | `[u32; 2 * 256]` |
/// | ranges | `[u32; 256]` |
/// | the last bin's items | `[u64; 256]` |
/// | their masses | `[u64; 256]` |
/// | their number | `[u32; 1]` |
/// | the window's items | `[u64; LISTED_MAX]` |
#[derive(Clone, Copy, Debug)]
pub struct WindowLayout;

impl WindowLayout {
    /// Offset of the bins.
    pub const BINS: u32 = FULL_BYTES;
    /// Offset of the segments' ranges.
    pub const RANGES: u32 = Self::BINS + 8 * WINDOW_BINS;
    /// Offset of the last bin's items.
    pub const LAST: u32 = Self::RANGES + 4 * MASS_THREADS;
    /// Offset of their masses.
    pub const LAST_MASSES: u32 = Self::LAST + 8 * MASS_THREADS;
    /// Offset of their number.
    pub const COUNT: u32 = Self::LAST_MASSES + 8 * MASS_THREADS;
    /// Offset of all items.
    pub const ITEMS: u32 = Self::COUNT + 16;
    /// Bytes in all.
    pub const BYTES: u32 = Self::ITEMS + 8 * LISTED_MAX;
}

const _: () = assert!(WindowLayout::BYTES <= 64 * 1024, "compute capability 7.5 has no more");

const _: () =
    assert!(WindowLayout::LAST.is_multiple_of(16) && WindowLayout::ITEMS.is_multiple_of(16));

/// What logarithms and ranks are taken of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum ScoreSource {
    /// What rows that are drawn from in index order were drawn from; the others are left alone.
    Processed = 0,
    /// The softmax of every row. Ranks of rows that have candidates are known already.
    Raw = 1,
    /// As `Raw`, but the rows were changed before the draw, and with them every rank.
    RawBeforeChanges = 2,
}

/// Scalars of the kernels `write_logprobs` and `count_ranks`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct ScoreParams {
    /// Distance between the starts of two rows, in elements.
    pub row_stride: u64,
    /// Elements in a row, below 2^31.
    pub n: u32,
    /// The filters' order.
    pub order: FilterOrder,
    /// What the logarithms are of.
    pub source: ScoreSource,
    /// Tokens of a row in the list.
    pub tokens: u32,
    /// Blocks that share a row. `count_ranks` only.
    pub pieces: u32,
    /// Elements in a piece. `count_ranks` only.
    pub piece_elements: u32,
}

const _: () = assert!(size_of::<ScoreParams>() == 32 && align_of::<ScoreParams>() == 8);

/// Scalars of the kernel `process`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct ProcessParams {
    /// Distance between the starts of two rows of the input, in elements.
    pub row_stride: u64,
    /// Elements in a row, below 2^31; rows of the output follow one another.
    pub n: u32,
    /// The filters' order.
    pub order: FilterOrder,
    /// Blocks that share a row, at least 1.
    pub pieces: u32,
    /// Elements in a piece; the last piece may have fewer.
    pub piece_elements: u32,
}

const _: () = assert!(size_of::<ProcessParams>() == 24 && align_of::<ProcessParams>() == 8);
