//! Rows that a warp holds: every kernel for such, every pattern, against the reference.
use aikf_topk::{Backend, Problem, Runtime};
use kernels_gpu::params::short_max;
use kernels_gpu::testkit::{Case, Pattern};
use kernels_gpu::variants::{MEDIUM_VECTORS, SHORT_VECTORS};

use super::{DTYPES, assert_same, reference, select_on_device, topk_of};
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
            let k = [50, 1, 96, 17, 64, 33, 90][turn % 7].min(n);
            let case = Case { pattern, dtype, rows, n, k, largest: turn % 5 > 0, lead: turn % 8 };
            let topk = topk_of(&case).backend(Backend::Streaming);
            let problem = Problem::new(dtype, rows, n, k);
            let plan = topk.plan(runtime, &problem).expect("planned").explain();
            assert!(plan.contains("a warp each"), "{plan}");
            let answer = with_type!(dtype, select_on_device(runtime, &topk, &case));
            assert_same(&answer, &reference(&case), k, &case);
        }
    }
}
