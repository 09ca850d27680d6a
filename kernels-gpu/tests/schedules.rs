//! The same problem under many random schedules: the last block to arrive is another each time, and
//! warps meet the full queue in another order.
mod support;

use kernels_gpu::params::Dtype;
use kernels_gpu::testkit::{Case, Pattern};
use simt::Schedule;
use support::{Merge, Shape, check};

fn under_many_schedules(pattern: Pattern, shape: &Shape) {
    let (dtype, largest) = (Dtype::F32, true);
    let case = Case { pattern, dtype, rows: 2, n: 2600, k: 30, largest, lead: 1 };
    for seed in 1..=25 {
        check(&case, shape, Schedule::Random { seed });
    }
}

#[test]
fn the_last_block_merges_whoever_it_is() {
    let shape = Shape { warps: 2, pieces: 4, merge: Merge::LastBlock, ..Shape::default() };
    under_many_schedules(Pattern::Normal, &shape);
}

/// All equal, and the least slack: every warp waits for a crop again and again.
#[test]
fn warps_wait_for_crops_in_any_order() {
    let shape =
        Shape { warps: 4, pieces: 1, slack: 0, merge: Merge::LastBlock, ..Shape::default() };
    under_many_schedules(Pattern::AllEqual, &shape);
    under_many_schedules(Pattern::Ascending, &shape);
}
