//! Long rows that a block reads once: every pattern, against the reference.
use aikf_topk::{Backend, Runtime};
use kernels_gpu::params::{WIDE_WARPS_MAX, wide_max};
use kernels_gpu::testkit::{Case, Pattern};

use super::{
    DTYPES, assert_same, assert_same_of_lengths, first_planned, reference, select_on_device,
    topk_of,
};
use crate::with_type;

/// Every pattern in rows a little longer than a block holds, and `factor` times as long; `k` of
/// those for which the kernel is planned, type, end and alignment take turns. `rows` are so many
/// that no clusters hold them.
pub fn give_the_same_answer(runtime: &Runtime, rows: usize, factor: usize) {
    for (turn, pattern) in Pattern::ALL.into_iter().cycle().take(2 * Pattern::ALL.len()).enumerate()
    {
        let dtype = DTYPES[turn % 3];
        let shortest = wide_max(dtype, WIDE_WARPS_MAX) as usize + 1;
        let n = if turn % 2 == 0 { shortest + turn } else { shortest * factor + 9 * turn };
        let case = |k| Case { pattern, dtype, rows, n, k, largest: turn % 5 > 0, lead: turn % 8 };
        let turns = [209, 1000, 2048, 300].into_iter().cycle().skip(turn % 4).take(4);
        let case = first_planned(runtime, turns.map(case), "a sample says");
        let topk = topk_of(&case).backend(Backend::Streaming);
        let answer = with_type!(dtype, select_on_device(runtime, &topk, &case));
        assert_same(&answer, &reference(&case), case.k, &case);
    }
}

/// Rows of several lengths, down to those of which a block has room for all.
pub fn ragged_rows(runtime: &Runtime, rows: usize) {
    let (n, k) = (20_000, 700);
    let some = [n, 0, k - 1, k + 1, 4096, 4097, n - 1, n / 2, n / 3];
    let lengths: Vec<usize> = (0..rows).map(|row| some[row % some.len()]).collect();
    assert_same_of_lengths(runtime, &lengths, n, k);
}
