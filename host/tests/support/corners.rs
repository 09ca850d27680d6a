//! Corners of the knobs' space: a knob may change speed, never a result.
use aikf_topk::{Knob, Runtime};
use kernels_gpu::testkit::Case;

use super::{ON_GPU, assert_same, reference, select_on_device, topk_of};
use crate::with_type;

const CORNERS: [&[(Knob, &str)]; 10] = [
    &[(Knob::Stage1Warps, "1"), (Knob::Stage1Stages, "1")],
    &[(Knob::Stage1Warps, "32"), (Knob::Stage1Stages, "8")],
    &[(Knob::Stage1TargetCtas, "1"), (Knob::Stage2Impl, "default")],
    &[
        (Knob::Stage1TargetCtas, "65535"),
        (Knob::Stage1ParallelHint, "1"),
        (Knob::Stage1Warps, "1"),
        (Knob::Stage1Stages, "1"),
    ],
    &[(Knob::TargetStage2Candidates, "1"), (Knob::Stage2Warps, "1")],
    &[(Knob::Stage2Impl, "tiles"), (Knob::Stage2Tile, "64"), (Knob::Stage2Warps, "32")],
    &[(Knob::Stage2Impl, "tiles"), (Knob::Stage2Tile, "2048"), (Knob::Stage2Warps, "1")],
    &[(Knob::Stage2Impl, "default"), (Knob::Stage2Warps, "32"), (Knob::Stage1TargetCtas, "64")],
    &[(Knob::StreamingWarps, "4"), (Knob::StreamingBlockN, "256")],
    &[(Knob::StreamingWarps, "32"), (Knob::StreamingBlockN, "64")],
];

/// Every corner on every backend gives the reference's answer.
pub fn give_the_same_answer(runtime: &Runtime, case: &Case) {
    let right = reference(case);
    for (corner, backend) in CORNERS.into_iter().flat_map(|c| ON_GPU.map(|b| (c, b))) {
        let mut topk = topk_of(case).backend(backend);
        for (knob, value) in corner {
            topk = topk.knob(*knob, value).expect("a legal value");
        }
        let answer = with_type!(case.dtype, select_on_device(runtime, &topk, case));
        assert_same(&answer, &right, case.k, &(backend, corner, case));
    }
}
