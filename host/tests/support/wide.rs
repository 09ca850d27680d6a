//! Rows that a block holds, or the blocks of a cluster: every pattern, against the reference.
use aikf_topk::{Backend, Problem, Runtime};
use kernels_gpu::params::wide_max;
use kernels_gpu::testkit::{Case, Pattern};

use super::{
    DTYPES, assert_same, assert_same_of_lengths, first_planned, reference, select_on_device,
    topk_of,
};
use crate::with_type;

/// Every pattern in rows of about the greatest lengths that so many warps hold; `k` of those for
/// which the kernel is planned, type, end and alignment take turns. `rows` are more than there are
/// multiprocessors.
pub fn give_the_same_answer(runtime: &Runtime, rows: usize) {
    for (number, pattern) in Pattern::ALL.into_iter().enumerate() {
        for (at, warps) in [1, 2, 4, 8, 16].into_iter().enumerate() {
            let turn = number + at;
            let dtype = DTYPES[turn % 3];
            let n = wide_max(dtype, warps) as usize - turn;
            let case =
                |k| Case { pattern, dtype, rows, n, k, largest: turn % 4 > 0, lead: turn % 8 };
            let turns = [129, 1000, 256, 4096, 2048, n].into_iter().cycle();
            let turns = turns.skip((number + 2 * at) % 6).take(6).filter(|&k| k <= 4096.min(n));
            let case = first_planned(runtime, turns.map(case), "a block holds");
            let topk = topk_of(&case).backend(Backend::Streaming);
            let answer = with_type!(dtype, select_on_device(runtime, &topk, &case));
            assert_same(&answer, &reference(&case), case.k, &case);
        }
    }
}

/// Patterns in rows that as many blocks hold as a cluster has; `k`, type, end and alignment
/// take turns, and whether rows are as long or as short as such are.
pub fn give_the_same_answer_in_clusters(runtime: &Runtime, patterns: &[Pattern], sizes: &[usize]) {
    for (number, &pattern) in patterns.iter().enumerate() {
        for (at, &size) in sizes.iter().enumerate() {
            let turn = number + at;
            let dtype = DTYPES[turn % 3];
            let most = size * wide_max(dtype, 16) as usize;
            let n = if turn % 4 == 0 { most - turn % 3 } else { most / 2 + 1 + 37 * turn };
            let k = [129, 4096, 2048, 300][(number + 3 * at) % 4];
            let rows = if size == 2 { 2 } else { 1 };
            let case = Case { pattern, dtype, rows, n, k, largest: turn % 5 > 0, lead: turn % 8 };
            let topk = topk_of(&case).backend(Backend::Singlepass);
            let plan = topk.plan(runtime, &Problem::new(dtype, rows, n, k)).expect("planned");
            let told = format!("{size} blocks of a cluster hold");
            assert!(plan.explain().contains(&told), "{}", plan.explain());
            let answer = with_type!(dtype, select_on_device(runtime, &topk, &case));
            assert_same(&answer, &reference(&case), k, &case);
        }
    }
}

/// Rows of several lengths that a block holds.
pub fn ragged_rows(runtime: &Runtime, rows: usize) {
    let (n, k) = (2500, 300);
    let some = [0, 1, k - 1, k, k + 1, n - 1, n, n / 3, n / 2];
    let lengths: Vec<usize> = (0..rows).map(|row| some[row % some.len()]).collect();
    assert_same_of_lengths(runtime, &lengths, n, k);
}

/// Rows of several lengths that the blocks of clusters hold, as many at a time as find room.
pub fn ragged_rows_in_clusters(runtime: &Runtime, n: usize, rows: usize) {
    let k = 1000;
    let some = [0, 3, k - 1, k, k + 1, 1600, 2100, n / 2, n / 3, n - 1, n, 127];
    for lengths in some.chunks(rows) {
        assert_same_of_lengths(runtime, lengths, n, k);
    }
}
