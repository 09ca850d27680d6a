//! Rows that a warp holds, or half of one: every kernel for such, every pattern, against the
//! reference.
use aikf_topk::{Backend, Problem, Runtime};
use kernels_gpu::params::short_max;
use kernels_gpu::testkit::{Case, Pattern};
use kernels_gpu::variants::{MEDIUM_VECTORS, PAIR_ELEMENTS, SHORT_VECTORS};

use super::{DTYPES, assert_same, assert_same_of_lengths, reference, select_on_device, topk_of};
use crate::with_type;

/// Every pattern in rows of the greatest lengths that kernels hold; `k`, type, end and alignment
/// take turns. `rows` are more than there are multiprocessors.
pub fn give_the_same_answer(runtime: &Runtime, rows: usize) {
    let instances = SHORT_VECTORS.into_iter().chain(MEDIUM_VECTORS);
    for (at, vectors) in instances.enumerate() {
        for (number, pattern) in Pattern::ALL.into_iter().enumerate() {
            let turn = number + at;
            let dtype = DTYPES[turn % 3];
            let n = short_max(dtype, vectors) as usize - turn;
            let k = [50, 17, 96, 32, 64, 33, 90][turn % 7].min(n);
            let case = Case { pattern, dtype, rows, n, k, largest: turn % 5 > 0, lead: turn % 8 };
            assert_right(runtime, &case, "1 a warp");
        }
    }
}

/// As [`give_the_same_answer`], of rows of which a warp holds two; an odd number, so that one is
/// alone. The short ones have fewer vectors than there are lanes.
pub fn give_the_same_answer_in_pairs(runtime: &Runtime, rows: usize) {
    for (at, n) in PAIR_ELEMENTS.map(|elements| 16 * elements as usize).into_iter().enumerate() {
        for (number, pattern) in Pattern::ALL.into_iter().enumerate() {
            for (turn, dtype) in DTYPES.into_iter().enumerate() {
                let turn = turn + number + at;
                let n = if turn.is_multiple_of(4) { 35 + turn } else { n - turn % 9 };
                let k = [8, 10, 9, 1, 10, 7, 6][turn % 7];
                let largest = !turn.is_multiple_of(5);
                let case = Case { pattern, dtype, rows, n, k, largest, lead: turn % 8 };
                assert_right(runtime, &case, "2 a warp");
            }
        }
    }
    let (n, k) = (250, 8);
    assert_same_of_lengths(runtime, &[n, 0, 1, n, k, n, k - 1, k + 1, 40, n - 1, n], n, k);
}

/// The answer is the reference's, and comes of a plan that says this of its warps.
fn assert_right(runtime: &Runtime, case: &Case, said: &str) {
    let topk = topk_of(case).backend(Backend::Streaming);
    let problem = Problem::new(case.dtype, case.rows, case.n, case.k);
    let plan = topk.plan(runtime, &problem).expect("planned").explain();
    assert!(plan.contains(said), "{plan}");
    let answer = with_type!(case.dtype, select_on_device(runtime, &topk, case));
    assert_same(&answer, &reference(case), case.k, case);
}
