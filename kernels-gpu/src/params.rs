//! What the host tells a kernel: scalar parameters and the layout of shared memory.
//!
//! Buffers are pointer arguments of their own, first; every scalar travels in one struct, last.
//! The structs have fixed-width fields and no padding, so that both compilations agree.

/// The type of an input's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dtype {
    /// IEEE 754 single precision.
    F32,
    /// IEEE 754 half precision.
    F16,
    /// The upper half of an `f32`.
    Bf16,
}

impl Dtype {
    /// Every type.
    pub const ALL: [Dtype; 3] = [Dtype::F32, Dtype::F16, Dtype::Bf16];

    /// The name in kernel symbols and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Dtype::F32 => "f32",
            Dtype::F16 => "f16",
            Dtype::Bf16 => "bf16",
        }
    }

    /// Bytes of an element.
    pub const fn bytes(self) -> usize {
        match self {
            Dtype::F32 => 4,
            Dtype::F16 | Dtype::Bf16 => 2,
        }
    }

    /// The bits of `+inf`, in the upper end of a word.
    pub const fn infinity(self) -> u32 {
        match self {
            Dtype::F32 | Dtype::Bf16 => 0x7f80_0000,
            Dtype::F16 => 0x7c00_0000,
        }
    }

    /// Elements in a 16-byte vector.
    pub const fn per_vector(self) -> u32 {
        16 / self.bytes() as u32
    }
}

/// Which end of the order is wanted, as the word that is XORed onto keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Flip(u32);

impl Flip {
    /// The greatest first.
    pub const LARGEST: Flip = Flip(0);
    /// The smallest first.
    pub const SMALLEST: Flip = Flip(u32::MAX);

    /// The word itself.
    pub const fn mask(self) -> u32 {
        self.0
    }
}

/// Scalars of the kernel `select`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct SelectParams {
    /// Distance between the starts of two rows, in elements.
    pub row_stride: u64,
    /// Elements in a row, below 2^31.
    pub n: u32,
    /// Wanted elements a row, at least 1 and at most `n`.
    pub k: u32,
    /// Blocks that share a row, at least 1.
    pub pieces: u32,
    /// 16-byte vectors in a piece; the last piece may have fewer.
    pub piece_vectors: u32,
    /// Items that the block's queue holds.
    pub capacity: u32,
    /// Which end is wanted.
    pub flip: Flip,
    /// Elements that a piece gives at least, if it has them: what [`piece_k`] says, or `k`.
    pub piece_k: u32,
    /// Room for candidates that a piece has: [`piece_slots`]. Unused where a row is one
    /// piece.
    pub slots: u32,
    /// What happens to a piece's candidates.
    pub join: Join,
    /// The indices' type.
    pub index: Index,
    /// The answer's order.
    pub order: Order,
    /// Units that a warp surveys at once, at least 1 and at most [`CHUNK_UNITS_MAX`].
    pub chunk_units: u32,
    /// What [`list_tops`] says. Unused where a row is one piece. In `cluster`, how many groups of
    /// lanes a warp has, each with a key for the bound: a power of two, what [`team_groups`] says.
    pub tops: u32,
    /// 1 where a survey looks for a bound; 0 where everything is taken in: in rows of which much is
    /// wanted, looking costs more than it spares. For the `LARGE` instances only.
    pub bounded: u32,
}

/// The most units that a warp surveys at once: a bit each.
pub const CHUNK_UNITS_MAX: u32 = 32;

/// Keys that a survey of so many units a warp leaves in shared memory: one for each thread and
/// unit, the units rounded up to a multiple of 4.
pub const fn survey_keys(chunk_units: u32, threads: u32) -> u32 {
    chunk_units.next_multiple_of(4) * threads
}

/// In which order a row's answer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Order {
    /// Best first, equals by index.
    Best = 0,
    /// As in the row: by index.
    Index = 1,
}

impl Order {
    /// The order of an answer of `k` elements that is wanted sorted or need not be. Few elements
    /// come best first in any case: that costs nothing there.
    pub const fn new(sorted: bool, k: u32) -> Order {
        if sorted || k <= BEST_FIRST_MAX { Order::Best } else { Order::Index }
    }
}

/// The greatest `k` whose answer comes best first even where it need not.
pub const BEST_FIRST_MAX: u32 = 128;

/// The most items that a block orders by counting: the work grows with their square.
pub const RANKED_MAX: u32 = 256;

/// The type of indices in the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Index {
    /// `u32`; `u32::MAX` where there is no element.
    #[default]
    U32 = 0,
    /// `i64`; -1 where there is no element.
    I64 = 1,
}

/// What becomes of the candidates of a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Join {
    /// They are left for the kernel `merge`.
    Later = 0,
    /// The last block of a row to be ready merges them.
    LastBlock = 1,
}

/// Scalars of the kernels `short`, `short_pair`, `medium`, `wide` and `wide_cluster`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct ShortParams {
    /// Distance between the starts of two rows, in elements.
    pub row_stride: u64,
    /// Rows.
    pub rows: u32,
    /// Elements in a row, at most [`short_max`], or [`wide_max`], or that of a cluster's blocks.
    pub n: u32,
    /// Wanted elements a row, at least 1 and at most [`SMALL_K_MAX`], or [`WIDE_K_MAX`].
    pub k: u32,
    /// Which end is wanted.
    pub flip: Flip,
    /// The indices' type.
    pub index: Index,
    /// The answer's order; with a `k` of at most [`SMALL_K_MAX`] best first.
    pub order: Order,
}

const _: () = assert!(size_of::<ShortParams>() == 32 && align_of::<ShortParams>() == 8);

/// Elements in a row that a warp of `short` holds, `vectors` vectors a lane: whatever its
/// alignment.
pub const fn short_max(dtype: Dtype, vectors: u32) -> u32 {
    32 * vectors * dtype.per_vector()
}

/// Items that a warp of `short` or `medium` has room for: twice `k`, at least 64.
pub const fn short_items(k: u32) -> u32 {
    if k > 32 { 2 * k } else { 64 }
}

/// Items that half a warp of `short_pair` has room for, a multiple of 4.
pub const PAIR_ITEMS: u32 = 32;

/// The greatest `k` of `short_pair`: the best 16 keys give a bound.
pub const PAIR_K_MAX: u32 = 16;

const _: () = assert!(2 * PAIR_ITEMS <= short_items(PAIR_K_MAX));

/// A lane has so many of them at most.
pub const SHORT_LANE_ITEMS: usize = (short_items(SMALL_K_MAX) / 32) as usize;

/// The most warps of a block of `wide`.
pub const WIDE_WARPS_MAX: u32 = 16;

/// The greatest `k` of `wide`.
pub const WIDE_K_MAX: u32 = 4096;

/// Items of a stretch that a thread of `wide` sorts, of at most two.
pub const WIDE_STRETCH: usize = 8;

/// The most items that a thread of `wide` sorts.
const WIDE_THREAD_ITEMS: u32 = 2 * WIDE_STRETCH as u32;

/// Items of which no more are sorted by merging alone. Measured on an H200: spreading these over
/// bins is not worth it.
pub const BIN_SORT_MIN: u32 = 512;

/// Bins that a thread has where a block spreads its items over bins.
pub const BINS_A_THREAD: u32 = 8;

/// Words that so many threads need to spread items over bins: these, and four numbers of each warp.
pub const fn bin_sort_words(threads: u32) -> u32 {
    BINS_A_THREAD * threads + 4 * 32
}

/// Elements of the sample in which `wide` looks for steps to try.
pub const PIVOTS: u32 = 256;

/// Half of them: what few warps take, and each block of a cluster.
pub const HALF_SAMPLE: u32 = PIVOTS / 2;

/// Elements in a row that `warps` warps of `wide` hold, whatever its alignment.
pub const fn wide_max(dtype: Dtype, warps: u32) -> u32 {
    warps * short_max(dtype, 8)
}

/// Items that a block of `wide` has room for: a twentieth more than `k` and some, so that a bound
/// is found quickly; in whole runs of a warp, since others cost as much to sort.
pub const fn wide_items(k: u32) -> u32 {
    (k + k / 20 + 32).next_multiple_of(128)
}

/// As many of them as a row of `n` elements can have.
const fn wide_items_of(n: u32, k: u32) -> u32 {
    if n < wide_items(k) { n } else { wide_items(k) }
}

const _: () = {
    assert!(wide_items(WIDE_K_MAX) <= 32 * WIDE_WARPS_MAX * WIDE_THREAD_ITEMS);
    assert!(wide_max(Dtype::F16, WIDE_WARPS_MAX) <= 1 << 15);
};

/// Warps of a block of `wide` that hold a row of `n` elements and sort what reaches its bound: a
/// power of two, at most [`WIDE_WARPS_MAX`] where it will do. No thread sorts a second stretch
/// where more threads can share the work.
pub const fn wide_warps(dtype: Dtype, n: u32, k: u32) -> u32 {
    let hold = n.div_ceil(wide_max(dtype, 1));
    let sort = wide_items_of(n, k).div_ceil(32 * WIDE_STRETCH as u32);
    let warps = (if hold > sort { hold } else { sort }).next_power_of_two();
    if warps < WIDE_WARPS_MAX { warps } else { WIDE_WARPS_MAX }
}

/// Where a block of `wide` keeps its parts in shared memory, in bytes.
///
/// | part | type | lifetime |
/// |---|---|---|
/// | sample | `[u32; PIVOTS]` | until a bound is found |
/// | control | `[u32; 32]` | until the items are there: sums, their number, the warps' equals |
/// | items | `[u64]` or `[u32]` of [`wide_items`], spread | from the bound on |
/// | bins | `[u32]` of [`bin_sort_words`] | while more than [`BIN_SORT_MIN`] items are ordered |
pub struct WideLayout;

impl WideLayout {
    /// Offset of the control words.
    pub const CONTROL: u32 = 4 * PIVOTS;
    /// How many these are.
    pub const CONTROL_WORDS: u32 = 32;
    /// The first of a census's sums.
    pub const SUMS: u32 = 0;
    /// The number of items put together.
    pub const COUNTER: u32 = 4;
    /// The first of the warps' equals.
    pub const EQUALS: u32 = 8;
    /// Offset of the items.
    pub const ITEMS: u32 = Self::CONTROL + 4 * Self::CONTROL_WORDS;

    /// Whether there are more items than are sorted by merging alone: an instance for many.
    pub const fn has_bins(n: u32, k: u32) -> bool {
        wide_items_of(n, k) > BIN_SORT_MIN
    }

    /// Offset of the bins.
    pub const fn bins(dtype: Dtype, n: u32, k: u32) -> u32 {
        let item_bytes = 2 * dtype.bytes() as u32;
        let items = wide_items_of(n, k);
        // One is left out behind as many as the banks hold.
        Self::ITEMS + item_bytes * (items + items / (128 / item_bytes))
    }

    /// Bytes in all.
    pub const fn bytes(dtype: Dtype, n: u32, k: u32) -> u32 {
        let words =
            if Self::has_bins(n, k) { bin_sort_words(32 * wide_warps(dtype, n, k)) } else { 0 };
        Self::bins(dtype, n, k) + 4 * words
    }
}

const _: () = assert!(WideLayout::EQUALS + WIDE_WARPS_MAX <= WideLayout::CONTROL_WORDS);

/// Threads of a block of `sift`.
pub const SIFT_THREADS: u32 = 512;

/// Vectors of a row's sample in `sift`.
pub const SIFT_SAMPLE: u32 = 8 * SIFT_THREADS;

/// Groups of these.
pub const SIFT_GROUPS: u32 = 2 * SIFT_THREADS;

/// The greatest `k` of `sift`.
pub const SIFT_K_MAX: u32 = 2048;

/// Items that a block of `sift` has room for.
pub const SIFT_ITEMS: u32 = 8 * SIFT_THREADS;

/// Elements in a row of `sift` at most: places of its sample are worked out in 32 bits.
pub const SIFT_N_MAX: u32 = 1 << 23;

/// Where a block of `sift` keeps its parts in shared memory, in bytes.
///
/// | part | type | lifetime |
/// |---|---|---|
/// | sample | `[u32; SIFT_GROUPS]`, spread | until the items are there |
/// | control | `[u32; 64]` | the same: numbers of items, sums, the warps' equals of two turns |
/// | items | `[u64; SIFT_ITEMS]`, spread | from the sample on |
/// | bins | `[u32]` of [`bin_sort_words`] | while the items are ordered |
pub struct SiftLayout;

impl SiftLayout {
    /// Offset of the control words.
    pub const CONTROL: u32 = 4 * (SIFT_GROUPS + SIFT_GROUPS / 32);
    /// How many these are.
    pub const CONTROL_WORDS: u32 = 64;
    /// The number of items put together.
    pub const COUNTER: u32 = 0;
    /// The same, when it is done again.
    pub const LAST_COUNTER: u32 = 1;
    /// The first of a census's sums.
    pub const SUMS: u32 = 2;
    /// The first of the warps' equals.
    pub const EQUALS: u32 = 8;
    /// Offset of the items.
    pub const ITEMS: u32 = Self::CONTROL + 4 * Self::CONTROL_WORDS;
    /// Offset of the bins.
    pub const BINS: u32 = Self::ITEMS + 8 * (SIFT_ITEMS + SIFT_ITEMS / 16);
    /// Bytes in all.
    pub const BYTES: u32 = Self::BINS + 4 * bin_sort_words(SIFT_THREADS);
}

const _: () = assert!(SiftLayout::EQUALS + SIFT_THREADS / 16 <= SiftLayout::CONTROL_WORDS);
const _: () = assert!(SiftLayout::ITEMS.is_multiple_of(8));

/// The most blocks of a cluster that every GPU with clusters takes.
pub const CLUSTER_BLOCKS_MAX: u32 = 8;

/// Items that the blocks of a cluster of `wide_cluster` have room for together: twice `k`, and more
/// where that is little, less where it is much. A round of counts costs them more than a few items
/// more each.
pub const fn wide_cluster_items(k: u32) -> u32 {
    let more = if k < 608 { 608 } else { k };
    (k + if more > 2048 { 2048 } else { more }).next_multiple_of(128)
}

const _: () = {
    // One block may have all of them, and all of the best.
    let threads = 32 * WIDE_WARPS_MAX;
    assert!(wide_cluster_items(WIDE_K_MAX) <= threads * WIDE_THREAD_ITEMS);
    assert!(WIDE_K_MAX <= threads * WIDE_STRETCH as u32, "an answer by index");
};

/// Where a block of `wide_cluster` keeps its parts in shared memory, in bytes.
///
/// | part | type | lifetime |
/// |---|---|---|
/// | pivots | `[u32; HALF_SAMPLE]`: first of the block's part | until a bound is found |
/// | given | `[u32; HALF_SAMPLE]`: the best of the blocks' | until the pivots are in order |
/// | numbers | `[u32]`, two for each warp of the cluster | from the counts on |
/// | items | `[u64]` or `[u32]` of [`wide_cluster_items`], spread | from the bound on |
/// | lists | as many, those of all blocks | behind the items' order |
///
/// For an answer by index the block's own of the best `k` take the place of the lists, spread.
pub struct WideClusterLayout;

impl WideClusterLayout {
    /// Offset of what is given for the pivots.
    pub const GIVEN: u32 = 4 * HALF_SAMPLE;
    /// Offset of the numbers.
    pub const NUMBERS: u32 = Self::GIVEN + 4 * HALF_SAMPLE;
    /// Offset of the items.
    pub const ITEMS: u32 = Self::NUMBERS + 2 * 4 * CLUSTER_BLOCKS_MAX * WIDE_WARPS_MAX;

    /// Offset of the lists.
    pub const fn lists(dtype: Dtype, k: u32) -> u32 {
        let (items, item_bytes) = (wide_cluster_items(k), 2 * dtype.bytes() as u32);
        // One is left out behind as many as the banks hold.
        Self::ITEMS + item_bytes * (items + items / (128 / item_bytes))
    }

    /// Bytes in all.
    pub const fn bytes(dtype: Dtype, k: u32) -> u32 {
        Self::lists(dtype, k) + 2 * dtype.bytes() as u32 * wide_cluster_items(k)
    }
}

/// Scalars of the kernel `merge`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct MergeParams {
    /// Distance between the starts of two rows, in elements.
    pub row_stride: u64,
    /// Lists of candidates a row.
    pub pieces: u32,
    /// Room that a list has.
    pub slots: u32,
    /// Wanted elements a row.
    pub k: u32,
    /// Items that the block's queue holds.
    pub capacity: u32,
    /// Which end is wanted.
    pub flip: Flip,
    /// The indices' type.
    pub index: Index,
    /// The answer's order.
    pub order: Order,
    /// What [`list_tops`] says.
    pub tops: u32,
}

/// Scalars of the kernels `radix_count`, `radix_rank` and `radix_emit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct RadixParams {
    /// Distance between the starts of two rows, in elements.
    pub row_stride: u64,
    /// Elements in a row, below 2^31.
    pub n: u32,
    /// Wanted elements a row, at least 1.
    pub k: u32,
    /// Blocks that share a row, at least 1.
    pub pieces: u32,
    /// Elements in a piece; the last piece may have fewer.
    pub piece_elements: u32,
    /// The lowest bit of the pass's digit. `radix_count` only.
    pub shift: u32,
    /// Bits of the digits above it, which are decided. `radix_count` only.
    pub decided: u32,
    /// Which end is wanted.
    pub flip: Flip,
    /// Zero.
    pub reserved: u32,
}

/// Scalars of the kernels `sort_runs`, `merge_runs` and `write_items`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct RunParams {
    /// Distance between the starts of two rows of the input, in elements. `write_items` only.
    pub row_stride: u64,
    /// Items a row.
    pub k: u32,
    /// Items that one block handles.
    pub tile: u32,
    /// Blocks a row.
    pub tiles: u32,
    /// Items in a sorted run. `merge_runs` only.
    pub run: u32,
    /// Which end is wanted. `write_items` only.
    pub flip: Flip,
    /// The indices' type. `write_items` only.
    pub index: Index,
}

const _: () = assert!(size_of::<RadixParams>() == 40 && align_of::<RadixParams>() == 8);
const _: () = assert!(size_of::<RunParams>() == 32 && align_of::<RunParams>() == 8);

/// Bits of a digit of the radix select over global memory.
pub const RADIX_BITS: u32 = 11;
/// Bins of its histogram.
pub const RADIX_BINS: u32 = 1 << RADIX_BITS;

/// The passes of a radix select over 32-bit keys: the lowest bit of each digit, highest digit
/// first.
pub const RADIX_SHIFTS: [u32; 3] = [21, 10, 0];

/// Items in a run that a block sorts in shared memory.
pub const RUN_ITEMS: u32 = 2048;

/// Shared memory for sorting a run: the items, and as much again.
pub const RUN_BYTES: u32 = 2 * 8 * RUN_ITEMS;

const _: () = assert!(size_of::<SelectParams>() == 64 && align_of::<SelectParams>() == 8);
const _: () = assert!(size_of::<MergeParams>() == 40 && align_of::<MergeParams>() == 8);

/// The most keys that are ranked by counting.
pub const RANKED_KEYS_MAX: u32 = 256;

/// The most keys that a piece leaves for the bound of its row.
pub const LIST_TOPS_MAX: u32 = 32;

/// The most items of a bin that are ranked by counting.
pub const BIN_MAX: u32 = 128;

/// How many keys each of `parts` parts gives where the best `k` of all are looked for: a quarter
/// more than it has of them on average; a multiple of 4.
pub const fn tops_of(k: u32, parts: u32) -> u32 {
    (5 * k).div_ceil(4 * parts).next_multiple_of(4)
}

/// How many of its best keys each of `pieces` pieces leaves, so that a bound of the row's best `k`
/// can be found among them all: a multiple of 4, or 0 where they would be too many or too few.
pub const fn list_tops(k: u32, pieces: u32) -> u32 {
    let wanted = tops_of(k, pieces);
    let room = RANKED_KEYS_MAX / pieces / 4 * 4;
    let most = if room < LIST_TOPS_MAX { room } else { LIST_TOPS_MAX };
    let tops = if wanted < most { wanted } else { most };
    if tops * pieces < k { 0 } else { tops }
}

/// Into how many groups of lanes each of `warps` warps is divided where the bound of a row's best
/// `k` is looked for among the groups' best keys: such that there are twice as many groups as
/// wanted elements, if they may be so many. The k-th best of `g` such keys is reached by some `-g
/// ln(1 - k / g)` elements of a row in random order: of twice as many as `k`, by 1.4 `k`.
pub const fn team_groups(k: u32, warps: u32) -> u32 {
    let mut groups = 1;
    while groups * warps < 2 * k && 2 * groups * warps <= RANKED_KEYS_MAX && groups < 32 {
        groups *= 2;
    }
    groups
}

/// Words of 64 bits that the other blocks of a cluster of `blocks` give to the first: a list each,
/// and a note.
pub const fn team_words(blocks: u32, slots: u32) -> u32 {
    (blocks - 1) * (slots + 1)
}

/// Words of the composite that a list has beside its best keys.
pub const CUT_WORDS: u32 = 2;

/// How many elements each of `pieces` pieces gives for the best `k` of a row: a piece's share and
/// six standard deviations more, which for rows in random order is enough but once in millions of
/// pieces. The merge finds out where it was not, and then takes those pieces whole. Few elements
/// are given in full, so that no order of a row can cost that.
pub const fn piece_k(k: u32, pieces: u32) -> u32 {
    let share = k.div_ceil(pieces);
    let given = share + 6 * share.isqrt() + 16;
    if k <= SMALL_K_MAX || given > k { k } else { given }
}

/// The greatest `k` of the kernels for few elements.
pub const SMALL_K_MAX: u32 = 128;

const _: () = assert!(SMALL_K_MAX <= RANKED_MAX);

/// Room for the candidates of a piece: the best `k`, and as many more as a survey's bound may admit
/// of the units that it was found in. A piece with more is cropped.
pub const fn slots(k: u32) -> u32 {
    k + bound_spare(k) + 4
}

/// Room for the candidates of each of so many pieces, which give their best `piece_k`, or where
/// that makes lists no longer to speak of, the row's best `k` if they have them at hand.
pub const fn piece_slots(k: u32, piece_k: u32, pieces: u32) -> u32 {
    let most = slots(k);
    if pieces * most <= LISTS_MAX { most } else { slots(piece_k) }
}

/// Places in the lists of a row that the last block reads in a few rounds.
const LISTS_MAX: u32 = 4096;

/// By how many more than `k` elements a bound may let through.
pub const fn bound_spare(k: u32) -> u32 {
    k / 2 + 8
}

/// The most elements that are looked at where no more parts than that reach a bound, each with so
/// many elements.
pub const fn looked_at(k: u32, part: u32) -> u32 {
    (k + bound_spare(k)).saturating_mul(part)
}

/// Bins of one histogram of the queue: one digit of 8 bits.
pub const BINS: u32 = 256;

/// Items that a warp appends to a queue at once: one a lane.
pub const WARP_ITEMS: u32 = 32;

/// Words of bookkeeping that a queue keeps in shared memory.
pub const CONTROL_WORDS: u32 = 96;

/// Where a block's queue keeps its parts in shared memory, in bytes.
///
/// | part | type | lifetime |
/// |---|---|---|
/// | items | `[u64; capacity]` | the whole kernel |
/// | histograms | `[u32; 2 * 256]` | while a bound is looked for |
/// | control | `[u32; 96]` | the whole kernel |
/// | keys | `[u32; survey_keys]` | a chunk's keys, then its list of parts; an order's bins |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueLayout {
    /// Items that fit.
    pub capacity: u32,
    /// Keys that a survey leaves: one for each unit that a thread surveys at once.
    pub survey_keys: u32,
}

impl QueueLayout {
    /// A queue for the best `k` with room for at least `slack` items more.
    ///
    /// A warp appends up to [`WARP_ITEMS`] items at once and waits for a crop where they do not
    /// fit. A crop leaves `k` items, so with that much slack every crop lets some warp go on: the
    /// queue can neither overflow nor stand still, whatever the input. More slack means fewer
    /// crops. The final sort moves `k` items to and fro, so there is room for `2 * k`, and padding.
    pub const fn new(k: u32, slack: u32, survey_keys: u32) -> QueueLayout {
        let slack = if slack > WARP_ITEMS { slack } else { WARP_ITEMS };
        let slack = if slack > k + 4 { slack } else { k + 4 };
        QueueLayout { capacity: (k + slack).next_multiple_of(2), survey_keys }
    }

    /// Offset of the histograms.
    pub const fn histograms(self) -> u32 {
        8 * self.capacity
    }

    /// Offset of the control words.
    pub const fn control(self) -> u32 {
        self.histograms() + 2 * BINS * 4
    }

    /// Offset of the keys.
    pub const fn keys(self) -> u32 {
        self.control() + CONTROL_WORDS * 4
    }

    /// Bytes of shared memory in all.
    pub const fn bytes(self) -> u32 {
        (self.keys() + 4 * self.survey_keys).next_multiple_of(16)
    }
}

/// The words of bookkeeping, by place.
#[derive(Clone, Copy)]
#[repr(u32)]
#[cfg(any(target_arch = "nvptx64", feature = "emulator"))]
pub(crate) enum Control {
    /// Slots handed out.
    Count,
    /// Slots in use when a batch did not fit.
    Filled,
    /// The bin that a search found: digit, items above it, items in it.
    Found,
    /// The range of a search's items, for two searches by turns: least and greatest upper word,
    /// least and greatest lower word.
    Range = 8,
    /// The key that a ranking found.
    Surveyed = 16,
    /// Two sums over the block.
    Sums,
    /// Whether anything was noted.
    Noted = 19,
    /// Parts of units that were listed.
    Parts,
    /// The index from which equals of the least wanted key are left out, by whether that is above
    /// the bound's.
    LeftOut,
    /// Lanes of each warp whose best equals the bound.
    Ties = 32,
    /// The best keys of a survey.
    BestTops = 64,
}

#[cfg(any(target_arch = "nvptx64", feature = "emulator"))]
impl Control {
    /// What stands in a word when a queue of `count` items starts.
    #[inline(always)]
    pub(crate) const fn start_value(word: u32, count: u32) -> u32 {
        const RANGE: u32 = Control::Range as u32;
        if word == Control::Count as u32 {
            count
        } else if word == Control::Filled as u32
            || word == RANGE
            || word == RANGE + 2
            || word == Control::LeftOut as u32
            || word == Control::LeftOut as u32 + 1
        {
            u32::MAX
        } else {
            0
        }
    }
}
