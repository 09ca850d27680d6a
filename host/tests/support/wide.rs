//! Rows that a block holds: every pattern, against the reference.
use aikf_topk::{Backend, DeviceChoice, Problem, Rows, Runtime, TopK};
use kernels_gpu::params::{wide_items, wide_max};
use kernels_gpu::testkit::{Case, Pattern};

use super::{DTYPES, assert_same, reference, select_on_device, topk_of};
use crate::with_type;

/// Every pattern in rows of about the greatest lengths that so many warps hold; `k`, type, end and
/// alignment take turns. `rows` are more than there are multiprocessors.
pub fn give_the_same_answer(runtime: &Runtime, rows: usize) {
    for (number, pattern) in Pattern::ALL.into_iter().enumerate() {
        for (at, warps) in [1, 2, 4, 8, 16].into_iter().enumerate() {
            let turn = number + at;
            let dtype = DTYPES[turn % 3];
            let n = wide_max(dtype, warps) as usize - turn;
            // Where a block would sort as many places as the row has, another is wanted.
            let is_held = |&k: &usize| {
                let items = wide_items(k as u32) as usize;
                k <= 2048.min(n) && (n <= items || items.next_power_of_two() < n)
            };
            let turns = [129, 1000, 256, 2048, n].into_iter().cycle();
            let k = turns.skip((number + 2 * at) % 5).find(is_held).expect("256 at least");
            let case = Case { pattern, dtype, rows, n, k, largest: turn % 4 > 0, lead: turn % 8 };
            let topk = topk_of(&case).backend(Backend::Streaming);
            let problem = Problem::new(dtype, rows, n, k);
            let plan = topk.plan(runtime, &problem).expect("planned").explain();
            assert!(plan.contains("a block holds"), "{plan}");
            let answer = with_type!(dtype, select_on_device(runtime, &topk, &case));
            assert_same(&answer, &reference(&case), k, &case);
        }
    }
}

/// Rows of several lengths, padded by poison; answers in either order, of either end.
pub fn ragged_rows(runtime: &Runtime, rows: usize) {
    let (n, k) = (2500, 300);
    let some = [0, 1, k - 1, k, k + 1, n - 1, n, n / 3, n / 2].map(|length| length as u32);
    let lengths: Vec<u32> = (0..rows).map(|row| some[row % some.len()]).collect();
    let cpu = Runtime::open(DeviceChoice::Cpu).expect("the host's cores are always there");
    for (pattern, largest, sorted) in [
        (Pattern::Normal, true, true),
        (Pattern::Normal, false, false),
        (Pattern::Ties, false, true),
        (Pattern::Ties, true, false),
    ] {
        let bits = pattern.fill(kernels_gpu::params::Dtype::F32, rows, n, 7);
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
