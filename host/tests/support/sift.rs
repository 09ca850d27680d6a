//! Long rows that a block reads once: every pattern, against the reference.
use aikf_topk::{Backend, DeviceChoice, Dtype, Problem, Rows, Runtime, TopK};
use kernels_gpu::params::{WIDE_WARPS_MAX, wide_max};
use kernels_gpu::testkit::{Case, Pattern};

use super::{DTYPES, assert_same, reference, select_on_device, topk_of};
use crate::with_type;

/// Every pattern in rows a little longer than a block holds, and `factor` times as long; `k`, type,
/// end and alignment take turns. `rows` are so many that no clusters hold them.
pub fn give_the_same_answer(runtime: &Runtime, rows: usize, factor: usize) {
    for (turn, pattern) in Pattern::ALL.into_iter().cycle().take(2 * Pattern::ALL.len()).enumerate()
    {
        let dtype = DTYPES[turn % 3];
        let shortest = wide_max(dtype, WIDE_WARPS_MAX) as usize + 1;
        let n = if turn % 2 == 0 { shortest + turn } else { shortest * factor + 9 * turn };
        let k = [129, 1000, 2048, 300][turn % 4];
        let case = Case { pattern, dtype, rows, n, k, largest: turn % 5 > 0, lead: turn % 8 };
        let topk = topk_of(&case).backend(Backend::Streaming);
        let problem = Problem::new(dtype, rows, n, k);
        let plan = topk.plan(runtime, &problem).expect("planned").explain();
        assert!(plan.contains("a sample says"), "{plan}");
        let answer = with_type!(dtype, select_on_device(runtime, &topk, &case));
        assert_same(&answer, &reference(&case), k, &case);
    }
}

/// Rows of several lengths, padded by poison; answers in either order, of either end.
pub fn ragged_rows(runtime: &Runtime, rows: usize) {
    let (n, k) = (20_000, 700);
    let some = [n, 0, k - 1, k + 1, 4096, 4097, n - 1, n / 2, n / 3].map(|length| length as u32);
    let lengths: Vec<u32> = (0..rows).map(|row| some[row % some.len()]).collect();
    let cpu = Runtime::open(DeviceChoice::Cpu).expect("the host's cores are always there");
    for (pattern, largest, sorted) in [
        (Pattern::Normal, true, true),
        (Pattern::Normal, false, false),
        (Pattern::Ties, false, true),
        (Pattern::Ties, true, false),
    ] {
        let bits = pattern.fill(Dtype::F32, rows, n, 7);
        let mut data: Vec<f32> = bits.into_iter().map(f32::from_bits).collect();
        for (row, &length) in lengths.iter().enumerate() {
            data[row * n + length as usize..(row + 1) * n].fill(f32::NAN);
        }
        let view = Rows::new(&data, rows, n).and_then(|r| r.with_lengths(&lengths)).expect("legal");
        let topk = TopK::new(k).largest(largest).sorted(sorted);
        let right = topk.clone().backend(Backend::Cpu).select(&cpu, view).expect("selected");
        let got = topk.backend(Backend::Streaming).select(runtime, view).expect("selected");
        assert_eq!(got, right, "{pattern:?}, largest: {largest}, sorted: {sorted}");
    }
}
