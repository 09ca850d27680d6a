//! The backend `cpu`: the contract on the host, on every core.
//!
//! # Idea
//!
//! ```text
//! for each segment of a row:
//!     keep the composites that reach the bound
//!     when there are many, keep the best k and raise the bound to the k-th
//! join the segments' best, keep the best k, sort
//! ```
//!
//! Whole blocks of elements are turned away by comparing keys, which the compiler vectorises. Many
//! rows are spread over the cores; a few long rows are cut into segments instead.
use kernels_gpu::order::{composite, index_of};
use kernels_gpu::params::{Flip, Order};
use rayon::prelude::*;

use crate::element::Element;
use crate::problem::Problem;
use crate::rows::Rows;

/// Elements compared together before any is looked at.
const BLOCK: usize = 64;
/// The shortest segment worth another core.
const SEGMENT_ELEMENTS_MIN: usize = 32 * 1024;

/// Values and indices `[rows, k]`, in the problem's order; filled up where a row has fewer.
pub(crate) fn select<T: Element>(rows: &Rows<'_, T>, problem: &Problem) -> (Vec<T>, Vec<u32>) {
    let (k, count) = (problem.k, rows.rows);
    let (filler, none) = (T::filler(problem.largest), u32::MAX);
    let (mut values, mut indices) = (vec![filler; count * k], vec![none; count * k]);
    let places = values.par_chunks_mut(k).zip(indices.par_chunks_mut(k));
    places.enumerate().for_each(|(number, (values, indices))| {
        let row = rows.row(number);
        let mut best = select_row(row, count, k, problem.flip());
        match problem.order() {
            Order::Best => best.sort_unstable_by(|a, b| b.cmp(a)),
            Order::Index => best.sort_unstable_by_key(|&item| index_of(item)),
        }
        for ((value, index), item) in values.iter_mut().zip(indices).zip(best) {
            *index = index_of(item);
            *value = row[*index as usize];
        }
    });
    (values, indices)
}

/// The best `k` of a row.
fn select_row<T: Element>(row: &[T], rows: usize, k: usize, flip: Flip) -> Vec<u64> {
    let wanted = rayon::current_num_threads().div_ceil(rows.max(1));
    let segments = wanted.min(row.len().div_ceil(SEGMENT_ELEMENTS_MIN)).max(1);
    let length = row.len().div_ceil(segments).max(1);
    let mut best: Vec<u64> = row
        .par_chunks(length)
        .enumerate()
        .flat_map_iter(|(number, segment)| scan(segment, number * length, k, flip))
        .collect();
    keep_best(&mut best, k);
    best
}

/// The best `k` of a segment that starts at `offset`, unsorted.
fn scan<T: Element>(segment: &[T], offset: usize, k: usize, flip: Flip) -> Vec<u64> {
    let room = 2 * k + 1024;
    let mut best: Vec<u64> = Vec::with_capacity(room.min(segment.len()) + BLOCK);
    let mut bound = 0u64;
    for (number, block) in segment.chunks(BLOCK).enumerate() {
        let least = (bound >> 32) as u32;
        let mut any = false;
        for &element in block {
            any |= element.key() ^ flip.mask() >= least;
        }
        if !any {
            continue;
        }
        let first = (offset + number * BLOCK) as u32;
        best.extend(
            (first..)
                .zip(block)
                .map(|(index, &element)| composite(element.key(), index, flip))
                .filter(|&item| item >= bound),
        );
        if best.len() >= room {
            bound = keep_best(&mut best, k);
        }
    }
    keep_best(&mut best, k);
    best
}

/// Drops all but the best `k`; the least of them, where there were more.
fn keep_best(items: &mut Vec<u64>, k: usize) -> u64 {
    if items.len() <= k {
        return 0;
    }
    let (_, &mut kth, _) = items.select_nth_unstable_by(k - 1, |a, b| b.cmp(a));
    items.truncate(k);
    kth
}
