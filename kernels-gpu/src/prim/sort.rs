//! Ordering a block's items: by counting for few, by a network for many.
use cuda_std::shared::SharedArray;
use cuda_std::thread::{block_dim_x, sync_threads, thread_idx_x};
use cuda_std::warp::{FULL_MASK, warp_shuffle_xor};

/// The most items that are ordered by counting: the work grows with their square.
const RANKED_MAX: u32 = 128;

/// How many items [`block_rank`] takes here: a thread each, at most.
#[inline(always)]
pub fn ranked_max() -> u32 {
    RANKED_MAX.min(block_dim_x())
}

/// Calls `put` with each item and its rank, the best one's is 0: an item's rank is the number of
/// better ones. Several neighbouring lanes share an item's counting, and one of them calls `put`.
/// No two items are equal. For all threads of the block together, behind a barrier.
#[inline(always)]
pub fn block_rank(items: SharedArray<u64>, count: u32, put: impl Fn(u32, u64)) {
    // Lanes an item: a power of two, such that all items are counted at once.
    let mut share = 1;
    while share < 32 && 2 * share * count <= block_dim_x() {
        share *= 2;
    }
    let (number, part) = (thread_idx_x() / share, thread_idx_x() & (share - 1));
    let item = if number < count { items.get(number) } else { 0 };
    let mut rank = 0;
    if number < count {
        let mut other = part;
        while other < count {
            rank += (items.get(other) > item) as u32;
            other += share;
        }
    }
    let mut distance = share / 2;
    while distance > 0 {
        rank += warp_shuffle_xor(FULL_MASK, rank, distance);
        distance /= 2;
    }
    if number < count && part == 0 {
        put(rank, item);
    }
}

/// Sorts the first `count` items, best first, in place: a bitonic network over the next power of
/// two, whose tail is filled with zeros. The array must have room for it. For all threads of the
/// block together; ends with a barrier.
///
/// # Source
/// K. Batcher, "Sorting networks and their applications", 1968.
#[inline(always)]
pub fn block_sort_descending(items: SharedArray<u64>, count: u32) {
    let length = count.next_power_of_two();
    let mut at = count + thread_idx_x();
    while at < length {
        items.set(at, 0);
        at += block_dim_x();
    }
    // Separates the items' writes, and the filling, from the network.
    sync_threads();
    let mut size = 2;
    while size <= length {
        let mut stride = size / 2;
        while stride > 0 {
            block_exchange(items, length, size, stride);
            // Separates one layer of the network from the next.
            sync_threads();
            stride /= 2;
        }
        size *= 2;
    }
}

/// One layer of the network: pairs `stride` apart, descending where the block of `size` is even.
#[inline(always)]
fn block_exchange(items: SharedArray<u64>, length: u32, size: u32, stride: u32) {
    let mut pair = thread_idx_x();
    while pair < length / 2 {
        let left = 2 * pair - (pair & (stride - 1));
        let (a, b) = (items.get(left), items.get(left + stride));
        if (a < b) == (left & size == 0) {
            items.set(left, b);
            items.set(left + stride, a);
        }
        pair += block_dim_x();
    }
}
