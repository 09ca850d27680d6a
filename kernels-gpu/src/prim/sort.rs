//! Sorting a block's items in shared memory.
use cuda_std::shared::SharedArray;
use cuda_std::thread::{block_dim_x, sync_threads, thread_idx_x};

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
