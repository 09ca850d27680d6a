//! What reading costs: by one block, by all of them, from the cache and from memory.
use cuda_std::global::{GlobalArray, GlobalArrayMut};
use cuda_std::thread::{block_dim_x, block_idx_x, grid_dim_x, thread_idx_x};
use cuda_std::unroll;
use cuda_std::warp::{FULL_MASK, WARP_SIZE, lane_id, warp_reduce_add};

use crate::FILL_FACTOR;

/// Writes to each word its number times [`FILL_FACTOR`].
///
/// # Safety
/// - *in bounds*: `x` has `words` words;
/// - *no concurrent writer*: nothing else touches it.
#[inline(always)]
pub unsafe fn fill(x: *mut u32, words: u64) {
    // SAFETY: the caller's contract; each word has one writer.
    let x = unsafe { GlobalArrayMut::new(x) };
    let mut at = first();
    while at < words {
        x.set(at, (at as u32).wrapping_mul(FILL_FACTOR));
        at += threads();
    }
}

/// Adds up all words, `U` loads of a thread in flight. A word of `out` for each warp has its part
/// of the sum: to put the parts together would cost more than small reads.
///
/// # Safety
/// - *in bounds*: `x` has `vectors` times 16 bytes, aligned for them; `out` a word for each warp;
/// - *no concurrent writer*: nothing writes `x`, nothing else touches `out`.
#[inline(always)]
pub unsafe fn read<const U: usize>(x: *const u32, out: *mut u32, vectors: u64) {
    // SAFETY: the caller's contract.
    let x = unsafe { GlobalArray::new(x) };
    // SAFETY: the caller's contract; each word has one writer.
    let out = unsafe { GlobalArrayMut::new(out) };
    let (mut at, mut sum) = (first(), 0u32);
    while at + threads() * (U as u64 - 1) < vectors {
        let mut words = [[0; 4]; U];
        unroll!(u in U => { words[u] = x.get_vec4_streaming(4 * (at + threads() * u as u64)); });
        unroll!(u in U => { sum = sum.wrapping_add(sum_of(words[u])); });
        at += threads() * U as u64;
    }
    while at < vectors {
        sum = sum.wrapping_add(sum_of(x.get_vec4_streaming(4 * at)));
        at += threads();
    }
    let sum = warp_reduce_add(FULL_MASK, sum);
    if lane_id() == 0 {
        out.set(first() / WARP_SIZE as u64, sum);
    }
}

#[inline(always)]
fn sum_of([a, b, c, d]: [u32; 4]) -> u32 {
    a.wrapping_add(b).wrapping_add(c.wrapping_add(d))
}

/// This thread's number in the grid.
#[inline(always)]
fn first() -> u64 {
    (block_idx_x() * block_dim_x() + thread_idx_x()) as u64
}

/// Threads of the grid.
#[inline(always)]
fn threads() -> u64 {
    (grid_dim_x() * block_dim_x()) as u64
}
