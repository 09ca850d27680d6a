//! Sorting a block's items: runs in the warps' registers, merged two by two in shared memory.
//!
//! A thread has the same places of every merge: it looks for the items of either run that belong
//! there, and merges them one by one into its registers. So runs are merged where they are.
//!
//! # Source
//! "GPU Merge Path" (Green, McColl, Bader, 2012).
use cuda_std::Word;
use cuda_std::shared::SharedArray;
use cuda_std::thread::{block_dim_x, sync_threads, thread_idx_x};
use cuda_std::unroll;
use cuda_std::warp::{WARP_SIZE, lane_id};

use super::warp_sort::{Item, warp_sort_descending};
use crate::params::WIDE_STRETCH;

/// Items in shared memory, so spread that lanes with neighbouring items find theirs in different
/// banks: there is a place unused behind as many as the banks hold.
#[derive(Clone, Copy)]
pub struct Spread<T> {
    words: SharedArray<T>,
}

impl<T: Word> Spread<T> {
    /// Of an array with room for the unused places too.
    #[inline(always)]
    pub fn new(words: SharedArray<T>) -> Self {
        Spread { words }
    }

    #[inline(always)]
    fn place(at: u32) -> u32 {
        at + at / (128 / size_of::<T>() as u32)
    }

    /// Item number `at`.
    #[inline(always)]
    #[track_caller]
    pub fn get(&self, at: u32) -> T {
        self.words.get(Self::place(at))
    }

    /// Replaces item number `at`.
    #[inline(always)]
    #[track_caller]
    pub fn set(&self, at: u32, item: T) {
        self.words.set(Self::place(at), item);
    }
}

/// As [`block_sort_spread`], of at most `C` stretches of [`WIDE_STRETCH`] items a thread, but of
/// shorter ones where these will do: more threads share the work.
#[inline(always)]
pub fn block_sort_merged<T: Item + Word + Default, const C: usize>(
    list: SharedArray<T>,
    count: u32,
    read: impl Fn(T) -> T,
) -> Spread<T> {
    let most = WIDE_STRETCH as u32 * block_dim_x();
    if count <= most / 2 {
        block_sort_spread::<_, { WIDE_STRETCH / 2 }, 1>(list, count, read)
    } else if C == 1 || count <= most {
        block_sort_spread::<_, WIDE_STRETCH, 1>(list, count, read)
    } else {
        block_sort_spread::<_, WIDE_STRETCH, C>(list, count, read)
    }
}

/// Sorts the `count` items that lie one behind the other in `list`, best first: where they were,
/// but spread. A thread has at most `C` stretches of `R` items, each a block's threads' apart.
/// `read` is what becomes of an item at first: greater comes first, and none is 0. For all threads
/// of the block together, behind a barrier; ends with one.
#[inline(always)]
pub fn block_sort_spread<T: Item + Word + Default, const R: usize, const C: usize>(
    list: SharedArray<T>,
    count: u32,
    read: impl Fn(T) -> T,
) -> Spread<T> {
    let spread = Spread::new(list);
    let mut items = [[T::default(); R]; C];
    unroll!(c in C => {
        let start = (c as u32 * block_dim_x() + thread_idx_x()) / WARP_SIZE * WARP_SIZE * R as u32;
        unroll!(i in R => {
            let at = start + i as u32 * WARP_SIZE + lane_id();
            if at < count {
                items[c][i] = read(list.get(at));
            }
        });
        if start < count {
            warp_sort_descending(&mut items[c]);
        }
    });
    // Separates the reads from the runs, which are spread.
    sync_threads();
    unroll!(c in C => { put(spread, &items[c], first_of_thread::<R>(c), count); });
    // Separates the runs from their merges.
    sync_threads();
    let mut run = WARP_SIZE * R as u32;
    while run < count {
        let mut is_merged = [false; C];
        unroll!(c in C => {
            is_merged[c] = merge(spread, run, first_of_thread::<R>(c), count, &mut items[c]);
        });
        // Separates the reads of a round from its result.
        sync_threads();
        unroll!(c in C => {
            if is_merged[c] {
                put(spread, &items[c], first_of_thread::<R>(c), count);
            }
        });
        // Separates one round of merges from the next.
        sync_threads();
        run *= 2;
    }
    spread
}

/// The number of the first item of a thread's stretch.
#[inline(always)]
fn first_of_thread<const R: usize>(stretch: usize) -> u32 {
    (stretch as u32 * block_dim_x() + thread_idx_x()) * R as u32
}

/// Puts items where they belong, from `first` on.
#[inline(always)]
fn put<T: Word, const R: usize>(spread: Spread<T>, items: &[T; R], first: u32, count: u32) {
    unroll!(i in R => {
        let at = first + i as u32;
        if at < count {
            spread.set(at, items[i]);
        }
    });
}

/// The items from `first` on of the merge of their run of `run` items (a power of two) with the
/// neighbour; whether there is something to merge. The last run of `count` items may be short.
#[inline(always)]
fn merge<T: Item + Word + Default, const R: usize>(
    spread: Spread<T>,
    run: u32,
    first: u32,
    count: u32,
    items: &mut [T; R],
) -> bool {
    let pair = first & !(2 * run - 1);
    let (middle, end) = (pair + run, count.min(pair + 2 * run));
    if first >= count || middle >= count {
        return false;
    }
    let (mut a, mut b) = cut(spread, (pair, middle, end), first - pair);
    let get = |at: u32, end: u32| if at < end { spread.get(at) } else { T::default() };
    // The best that is left of either, and which of them came last.
    let (mut best, mut is_left) = ([get(a, middle), get(b, end)], false);
    unroll!(i in R => {
        if i > 0 {
            a += is_left as u32;
            b += !is_left as u32;
            let (at, stop) = if is_left { (a, middle) } else { (b, end) };
            let next = get(at, stop);
            best = if is_left { [next, best[1]] } else { [best[0], next] };
        }
        is_left = best[0] > best[1];
        items[i] = if is_left { best[0] } else { best[1] };
    });
    true
}

/// Where the first `number` items of the merge of two runs, of which one starts at `pair`, the next
/// at `middle`, and ends at `end`, are at an end in either.
#[inline(always)]
fn cut<T: Item + Word>(
    spread: Spread<T>,
    (pair, middle, end): (u32, u32, u32),
    number: u32,
) -> (u32, u32) {
    let (mut low, mut high) = (number.saturating_sub(end - middle), number.min(middle - pair));
    while low < high {
        let tried = (low + high) / 2;
        if spread.get(pair + tried) > spread.get(middle + number - 1 - tried) {
            low = tried + 1;
        } else {
            high = tried;
        }
    }
    (pair + low, middle + number - low)
}
