//! Rows that the blocks of a cluster share: every size of a cluster, every pattern, against the
//! reference.
use aikf_topk::{Backend, DeviceChoice, Dtype, Knob, Problem, Rows, Runtime, TopK};
use kernels_gpu::testkit::{Case, Pattern};

use super::{DTYPES, assert_same, reference, select_on_device, topk_of};
use crate::with_type;

/// Blocks of a cluster.
const SIZES: [usize; 3] = [2, 4, 8];

/// A call whose rows are shared by `size` blocks each, of `warps` warps.
fn in_clusters(topk: TopK, rows: usize, size: usize, warps: u32) -> TopK {
    let topk = topk.backend(Backend::Singlepass);
    let topk = topk.knob(Knob::Stage1TargetCtas, &(rows * size).to_string()).expect("legal");
    topk.knob(Knob::Stage1Warps, &warps.to_string()).expect("legal")
}

/// Every pattern in clusters of every size; `k`, type, end and alignment take turns. Rows have
/// about `n` elements.
pub fn give_the_same_answer(runtime: &Runtime, n: usize, warps: u32) {
    for (number, pattern) in Pattern::ALL.into_iter().enumerate() {
        for (at, size) in SIZES.into_iter().enumerate() {
            let turn = number + at;
            let case = Case {
                pattern,
                dtype: DTYPES[turn % 3],
                rows: 1 + turn % 2,
                n: n - turn,
                k: [48, 1, 96, 17][turn % 4],
                largest: turn % 5 > 0,
                lead: turn % 8,
            };
            let topk = in_clusters(topk_of(&case), case.rows, size, warps);
            let problem = Problem::new(case.dtype, case.rows, case.n, case.k);
            let plan = topk.plan(runtime, &problem).expect("planned").explain();
            assert!(plan.contains(&format!("in clusters of {size}")), "{plan}");
            let answer = with_type!(case.dtype, select_on_device(runtime, &topk, &case));
            assert_same(&answer, &reference(&case), case.k, &case);
        }
    }
}

/// Rows of several lengths, 0 and less than k among them.
pub fn ragged_rows(runtime: &Runtime, n: usize, warps: u32) {
    let (rows, k) = (7, 48);
    let lengths = [0, 1, k - 1, k + 1, n / 9, n / 2, n].map(|length| length as u32);
    let bits = Pattern::Ties.fill(Dtype::F32, rows, n, 3);
    let data: Vec<f32> = bits.into_iter().map(f32::from_bits).collect();
    let view = Rows::new(&data, rows, n).and_then(|r| r.with_lengths(&lengths)).expect("legal");
    let cpu = Runtime::open(DeviceChoice::Cpu).expect("the host's cores are always there");
    let right = TopK::new(k).backend(Backend::Cpu).select(&cpu, view).expect("selected");
    for size in SIZES {
        let got = in_clusters(TopK::new(k), rows, size, warps).select(runtime, view);
        assert_eq!(got.expect("selected"), right, "clusters of {size}");
    }
}
