//! The kernel `wide_cluster`: as [`crate::wide`], but the blocks of a cluster hold a row, of up to
//! eight times as many elements.
//!
//! # Idea
//!
//! ```text
//! load the block's part of the row into its registers
//! rank a sample of it; give the best of that to every block of the cluster; rank what is given
//! until k elements reach a step, and few more: count those that reach the next one to try,
//!     each warp's count to every block
//! put together what reaches it in the block's part; sort that
//! give it to every block
//! an item's place is the number of items in all blocks' lists that come before it: write it there,
//!     if that is one of the first k
//! ```
//!
//! What the real code does differently: where more equals of the best step that `k` elements reach
//! remain than there is room for, those behind the first that are needed are dropped. A row of
//! which there is room for all is sorted as it is. For an answer in the order of indices a block
//! counts those of its items that have such a place, which are its first, sorts them by index, and
//! writes them behind those of the blocks before.
//!
//! # Shapes
//! Input `[rows, n]`, rows `row_stride` elements apart, f32, f16 or bf16. Lengths `[rows]` of
//! `u32`, or null where every row has `n`. Values `[rows, k]` in the input's type, indices
//! `[rows, k]` of `u32` or `i64`.
//!
//! # Work split
//! A cluster a row; each block has as many of its vectors as the next, whatever the row's length,
//! in the order of the blocks' ranks. In a block they are split as in `wide`. The first block has
//! the elements before the row's first 16-byte boundary too, the last one those behind its last.
//!
//! # Shared memory
//! [`crate::params::WideClusterLayout`].
//!
//! # Invariants
//! - I1: at least `k` elements reach every bound that is taken, or the row has fewer: all elements
//!   are counted (checked: differential tests).
//! - I2: at most as many elements are put together as there is room for: equals beyond `k` are
//!   dropped.
//! - I3: every block has the same pivots and the same counts, and so takes the same turns.
//!
//! # Synchronisation
//! The cluster's barrier: before the first remote write, since the other block may not have
//! started; behind the pivots, each count, and the items that are given. Nothing is remote behind
//! the last. The block's: around its sample and its sorts.
//!
//! # Launch contract
//! [`crate::params::WIDE_WARPS_MAX`] warps; clusters of 2, 4 or 8 blocks, one a row; `k` is at most
//! [`crate::params::WIDE_K_MAX`].
//!
//! # Cost
//! Reads every element once. Rows in random order are counted one to three times; a count costs two
//! instructions an element of 32 bits, 1 of 16, and a barrier of the cluster. Each block sorts its
//! own items alone: rows in order, of which one block has all of the best, take longer.
//!
//! # Ties, NaN, tail
//! By key, then index. A row of fewer than k elements gets `-inf` (`+inf` for the smallest) and no
//! index in the places left.
//!
//! # Source
//! As `wide`. Places by searches in other lists: "Finding the maximum, merging, and sorting in a
//! parallel computation model" (Shiloach and Vishkin, 1981).
use cuda_std::Word;
use cuda_std::cluster::{
    RemoteArray, arrive_at_cluster_relaxed, cluster_block_count, cluster_block_rank, sync_cluster,
    wait_for_cluster,
};
use cuda_std::shared::SharedArray;
use cuda_std::thread::{block_dim_x, block_idx_x, sync_threads, thread_idx_x};
use cuda_std::unroll;
use cuda_std::warp::{FULL_MASK, WARP_SIZE, lane_id, warp_shuffle_xor};

use crate::params::{
    Order, ShortParams, WIDE_WARPS_MAX, WideClusterLayout, wide_cluster_items, wide_max,
};
use crate::prim::answer::{Answer, AnswerShape};
use crate::prim::census::{Census, ClusterCensus, Ranges};
use crate::prim::compact::Compact;
use crate::prim::element::Element;
use crate::prim::held::{HeldPart, HeldRow};
use crate::prim::merge_path::{Spread, block_sort_merged};
use crate::prim::pivots::Pivots;
use crate::prim::reaching::put_together;
use crate::prim::rows::{Row, row_length};
use crate::prim::warp_sort::Item;

/// # Safety
/// - *in bounds*: `x` points to the input; `lengths`, unless null, to the rows' lengths; `values`
///   and `indices` to the outputs; all aligned for their types;
/// - *no concurrent writer*: nothing else touches the outputs, nothing writes the inputs;
/// - `params` and the launch keep the launch contract above.
#[inline(always)]
pub unsafe fn wide_cluster<E: Compact>(
    x: *const E::Raw,
    lengths: *const u32,
    values: *mut E::Raw,
    indices: *mut u32,
    params: ShortParams,
) {
    arrive_at_cluster_relaxed();
    let ShortParams { k, flip, index, order, .. } = params;
    let (rank, blocks) = (cluster_block_rank(), cluster_block_count());
    let number = block_idx_x() >> blocks.trailing_zeros();
    let start = x.wrapping_add(number as usize * params.row_stride as usize);
    // SAFETY: the caller's contract on `lengths`.
    let n = unsafe { row_length(lengths, number, params.n) };
    // SAFETY: the caller's contract on `x`.
    let row = unsafe { Row::<E>::new(start, n) };
    // SAFETY: the launch contract grants the shared memory.
    let shared = unsafe { Shared::<E>::new(k) };
    let part = part_of_warp(&row, rank, blocks);
    let held = HeldRow::<E, 1>::load_part(&row, part, flip);
    // The others have started.
    wait_for_cluster();
    let mut census = ClusterCensus::new(shared.numbers, rank, blocks);
    let sample = || Pivots::of_cluster(&held, (shared.pivots, shared.given), (rank, blocks));
    // A block's sample stands for what a block holds.
    let held_max = wide_max(E::DTYPE, WIDE_WARPS_MAX);
    let (room, items) = (wide_cluster_items(k), shared.items);
    let count = put_together(&held, &mut census, sample, items, (k, room), (n, held_max));
    let own = census.of_block();
    let read = |item| E::ordered(item, flip, Order::Best);
    let items = block_sort_merged::<_, 2>(items, own, read);
    let shape = AnswerShape { k, flip, index, order };
    // SAFETY: the caller's contract on the outputs.
    let answer = unsafe { Answer::new(&row, values, indices, number, shape) };
    let sorted = Sorted { items, count: own, lists: shared.lists, rank, start: part.start };
    let chosen = match blocks {
        2 => sorted.find_places::<1>(&census, count, shape, &answer),
        4 => sorted.find_places::<2>(&census, count, shape, &answer),
        _ => sorted.find_places::<4>(&census, count, shape, &answer),
    };
    if order == Order::Index {
        census.sum(chosen);
        sorted.write_by_index(census.of_block(), census.before_block(), &answer);
    }
    if rank == 0 {
        answer.fill_up(count);
    }
}

/// The part of the row that this warp holds.
#[inline(always)]
fn part_of_warp<E: Element>(row: &Row<E>, rank: u32, blocks: u32) -> HeldPart {
    let (warp, count) = (thread_idx_x() / WARP_SIZE, row.vector_count());
    let vectors = (count + blocks - 1) >> blocks.trailing_zeros();
    // A warp's loads touch as few lines as they can where the row starts at one.
    let vectors = vectors.next_multiple_of(WARP_SIZE);
    let first = (rank * vectors).min(count);
    HeldPart {
        first: first + warp * WARP_SIZE * 8,
        end: first + vectors,
        start: if rank == 0 { 0 } else { row.index_of_vector(first) },
        has_head: rank == 0 && warp == 0,
        has_tail: rank == blocks - 1 && warp == WIDE_WARPS_MAX - 1,
    }
}

/// The block's shared memory.
#[derive(Clone, Copy)]
struct Shared<E: Compact> {
    pivots: SharedArray<u32>,
    given: SharedArray<u32>,
    numbers: SharedArray<u32>,
    items: SharedArray<E::Packed>,
    lists: SharedArray<E::Packed>,
}

impl<E: Compact> Shared<E> {
    /// # Safety
    /// - *in bounds*: the launch has [`WideClusterLayout::bytes`] of shared memory;
    /// - *no concurrent writer*: nothing else uses it.
    #[inline(always)]
    unsafe fn new(k: u32) -> Self {
        // SAFETY: the caller grants the memory, and the layout's parts do not overlap.
        let pivots = unsafe { SharedArray::new(0) };
        // SAFETY: as above.
        let given = unsafe { SharedArray::new(WideClusterLayout::GIVEN) };
        // SAFETY: as above.
        let numbers = unsafe { SharedArray::new(WideClusterLayout::NUMBERS) };
        // SAFETY: as above.
        let items = unsafe { SharedArray::new(WideClusterLayout::ITEMS) };
        // SAFETY: as above.
        let lists = unsafe { SharedArray::new(WideClusterLayout::lists(E::DTYPE, k)) };
        Shared { pivots, given, numbers, items, lists }
    }
}

/// A block's items, the best first.
struct Sorted<E: Compact> {
    items: Spread<E::Packed>,
    count: u32,
    /// Room for the items of all blocks.
    lists: SharedArray<E::Packed>,
    /// The block's number in its cluster.
    rank: u32,
    /// The element from which on indices are counted.
    start: u32,
}

impl<E: Compact> Sorted<E> {
    /// Finds out where the items belong among the `total` of all blocks, of which there are twice
    /// `L`, and writes those of the best `k` there if the answer has that order. How many of these
    /// this thread has found. For all threads of the cluster together; with a barrier of the
    /// cluster.
    ///
    /// Two neighbouring lanes have an item, and each of them half of the lists: `L`.
    #[inline(always)]
    fn find_places<const L: usize>(
        &self,
        census: &ClusterCensus,
        total: u32,
        shape: AnswerShape,
        answer: &Answer<'_, E>,
    ) -> u32 {
        self.give::<L>(census.before_block());
        let (half, pair) = (lane_id() % 2, lane_id() / 2);
        let first_list = half * L as u32;
        let ranges = census.ranges::<L>(first_list);
        let mut longest = 0;
        unroll!(i in L => { longest = longest.max(ranges.ends[i] - ranges.starts[i]); });
        longest = longest.max(warp_shuffle_xor(FULL_MASK, longest, 1));
        let (mut chosen, mut first) = (0, thread_idx_x() / WARP_SIZE * (WARP_SIZE / 2));
        while first < self.count {
            let at = first + pair;
            let item = self.items.get(at.min(self.count - 1));
            let bounds = self.bounds::<L>(item, first_list);
            let place = place_among(self.lists, &ranges, (longest, total), bounds);
            let place = place + warp_shuffle_xor(FULL_MASK, place, 1);
            if at < self.count && half == 0 && place < shape.k {
                chosen += 1;
                if shape.order == Order::Best {
                    answer.put_sorted(place, item, self.start);
                }
            }
            first += block_dim_x() / 2;
        }
        chosen
    }

    /// What the items of `L` lists from one on are greater than that come before one of this
    /// block's: of equals those of the blocks before.
    #[inline(always)]
    fn bounds<const L: usize>(&self, item: E::Packed, first_list: u32) -> [E::Packed; L] {
        let mut bounds = [item; L];
        unroll!(i in L => {
            let list = first_list + i as u32;
            if list < self.rank {
                bounds[i] = E::behind_equals(item);
            } else if list > self.rank {
                bounds[i] = E::before_equals(item);
            }
        });
        bounds
    }

    /// Writes the first `count` items by index, from a place on. For all threads of the block
    /// together, behind a barrier of the cluster: the lists are not needed any more.
    #[inline(always)]
    fn write_by_index(&self, count: u32, place: u32, answer: &Answer<'_, E>) {
        let mut at = thread_idx_x();
        while at < count {
            self.lists.set(at, self.items.get(at));
            at += block_dim_x();
        }
        // Separates the items from their order.
        sync_threads();
        let items = block_sort_merged::<_, 1>(self.lists, count, E::by_index);
        let mut at = thread_idx_x();
        while at < count {
            answer.put_sorted(place + at, items.get(at), self.start);
            at += block_dim_x();
        }
    }

    /// Writes the items to the lists of all blocks, twice `L`, from `start` on. For all threads of
    /// the cluster together; ends with a barrier of the cluster.
    #[inline(always)]
    fn give<const L: usize>(&self, start: u32) {
        let mut at = thread_idx_x();
        while at < self.count {
            let item = self.items.get(at);
            unroll!(block in 2 * L => {
                // SAFETY: there is a block of this rank; each block has places of its own there.
                let remote = unsafe { RemoteArray::new(self.lists, block as u32) };
                remote.set(start + at, item);
            });
            at += block_dim_x();
        }
        sync_cluster();
    }
}

/// How many items of `L` sorted lists are greater than these bounds, one for each list. The longest
/// list of all has `longest` items, all of them `total`. For the lanes of a warp together.
#[inline(always)]
fn place_among<T: Item + Word, const L: usize>(
    lists: SharedArray<T>,
    ranges: &Ranges<L>,
    (longest, total): (u32, u32),
    bounds: [T; L],
) -> u32 {
    let mut places = ranges.starts;
    let mut step = 1 << (31 - longest.leading_zeros());
    while step > 0 {
        // Behind a list's end there is another, or none.
        let mut found = bounds;
        unroll!(i in L => { found[i] = lists.get((places[i] + step).min(total) - 1); });
        unroll!(i in L => {
            if places[i] + step <= ranges.ends[i] && found[i] > bounds[i] {
                places[i] += step;
            }
        });
        step /= 2;
    }
    let mut count = 0;
    unroll!(i in L => { count += places[i] - ranges.starts[i]; });
    count
}
