//! The kernels in the emulator against the sorted reference.
mod support;

use kernels_gpu::params::{CHUNK_UNITS_MAX, Dtype};
use kernels_gpu::testkit::{Case, Pattern, seed_table};
use proptest::prelude::*;
use support::{Merge, Shape, check};

#[test]
fn seed_table_in_order() {
    for case in seed_table() {
        check(&case, &Shape::default(), simt::Schedule::InOrder);
    }
}

#[test]
fn every_merge_and_every_depth() {
    for dtype in Dtype::ALL {
        for depth in [1, 2, 4, 8] {
            for merge in Merge::ALL {
                let case = Case {
                    pattern: Pattern::Ties,
                    dtype,
                    rows: 2,
                    n: 1500,
                    k: 70,
                    largest: true,
                    lead: 1,
                };
                let shape = Shape { depth, merge, pieces: 3, ..Shape::default() };
                check(&case, &shape, simt::Schedule::InOrder);
            }
        }
    }
}

#[test]
fn rows_of_several_lengths() {
    for merge in Merge::ALL {
        for largest in [false, true] {
            let (pattern, dtype) = (Pattern::AnyBits, Dtype::F16);
            let case = Case { pattern, dtype, rows: 10, n: 700, k: 60, largest, lead: 3 };
            let shape = Shape { merge, ragged: true, wide: true, ..Shape::default() };
            check(&case, &shape, simt::Schedule::InOrder);
        }
    }
}

/// The queue has the least slack there may be, so nearly every batch makes it crop.
#[test]
fn least_slack_changes_nothing() {
    for pattern in [Pattern::Ascending, Pattern::AllEqual, Pattern::Normal, Pattern::Masked] {
        let case =
            Case { pattern, dtype: Dtype::F32, rows: 1, n: 5000, k: 40, largest: true, lead: 0 };
        let shape = Shape { slack: 0, merge: Merge::Tiles, ..Shape::default() };
        check(&case, &shape, simt::Schedule::InOrder);
    }
}

fn pattern() -> impl Strategy<Value = Pattern> {
    proptest::sample::select(Pattern::ALL.to_vec())
}

fn dtype() -> impl Strategy<Value = Dtype> {
    proptest::sample::select(Dtype::ALL.to_vec())
}

prop_compose! {
    fn case()(n in 1usize..1500)(
        n in Just(n),
        k in prop_oneof![Just(1), Just(n), 1..=n],
        pattern in pattern(),
        dtype in dtype(),
        rows in 1usize..4,
        largest in any::<bool>(),
        lead in 0usize..8,
    ) -> Case {
        Case { pattern, dtype, rows, n, k, largest, lead }
    }
}

prop_compose! {
    fn shape()(
        warps in proptest::sample::select(vec![1u32, 2, 4]),
        depth in proptest::sample::select(vec![1u32, 2, 4, 8]),
        pieces in 1u32..5,
        merge in proptest::sample::select(Merge::ALL.to_vec()),
        slack in 0u32..2000,
        chunk_units in 1u32..=CHUNK_UNITS_MAX,
        ragged in any::<bool>(),
        wide in any::<bool>(),
        scant in any::<bool>(),
        large in any::<bool>(),
        all in any::<bool>(),
    ) -> Shape {
        Shape { warps, depth, pieces, merge, slack, chunk_units, ragged, wide, scant, large, all }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]
    #[test]
    fn equals_the_reference(case in case(), shape in shape(), seed in 0u64..4) {
        let schedule = match seed {
            0 => simt::Schedule::InOrder,
            seed => simt::Schedule::Random { seed },
        };
        check(&case, &shape, schedule);
    }
}
