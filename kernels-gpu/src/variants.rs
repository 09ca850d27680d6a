//! The only list of kernel instances: one line, one symbol in the PTX.
use cuda_std::kernels;

use crate::params::{Stage1Params, Stage2Params};
#[cfg(any(target_arch = "nvptx64", feature = "emulator"))]
use crate::{
    prim::element::{Bf16, F16, F32},
    stage1::stage1,
    stage2::{stage2_default, stage2_tiles},
};

/// How many vectors a thread of stage 1 may keep in flight, best first: the instances there are.
pub const STAGE1_DEPTHS: [u32; 4] = [8, 4, 2, 1];

/// The most threads a block of any kernel has.
pub const MAX_THREADS: u32 = 1024;

kernels! {
    stage1_f32_u1[threads 1024, blocks 1](x: *const u32, candidates: *mut u64, params: Stage1Params) = stage1::<F32, 1>;
    stage1_f32_u2[threads 512, blocks 1](x: *const u32, candidates: *mut u64, params: Stage1Params) = stage1::<F32, 2>;
    stage1_f32_u4[threads 512, blocks 1](x: *const u32, candidates: *mut u64, params: Stage1Params) = stage1::<F32, 4>;
    stage1_f32_u8[threads 512, blocks 1](x: *const u32, candidates: *mut u64, params: Stage1Params) = stage1::<F32, 8>;
    stage1_f16_u1[threads 1024, blocks 1](x: *const u16, candidates: *mut u64, params: Stage1Params) = stage1::<F16, 1>;
    stage1_f16_u2[threads 512, blocks 1](x: *const u16, candidates: *mut u64, params: Stage1Params) = stage1::<F16, 2>;
    stage1_f16_u4[threads 512, blocks 1](x: *const u16, candidates: *mut u64, params: Stage1Params) = stage1::<F16, 4>;
    stage1_f16_u8[threads 512, blocks 1](x: *const u16, candidates: *mut u64, params: Stage1Params) = stage1::<F16, 8>;
    stage1_bf16_u1[threads 1024, blocks 1](x: *const u16, candidates: *mut u64, params: Stage1Params) = stage1::<Bf16, 1>;
    stage1_bf16_u2[threads 512, blocks 1](x: *const u16, candidates: *mut u64, params: Stage1Params) = stage1::<Bf16, 2>;
    stage1_bf16_u4[threads 512, blocks 1](x: *const u16, candidates: *mut u64, params: Stage1Params) = stage1::<Bf16, 4>;
    stage1_bf16_u8[threads 512, blocks 1](x: *const u16, candidates: *mut u64, params: Stage1Params) = stage1::<Bf16, 8>;
    stage2_default_f32[threads 1024, blocks 1](x: *const u32, candidates: *const u64, values: *mut u32, indices: *mut u32, params: Stage2Params) = stage2_default::<F32>;
    stage2_default_f16[threads 1024, blocks 1](x: *const u16, candidates: *const u64, values: *mut u16, indices: *mut u32, params: Stage2Params) = stage2_default::<F16>;
    stage2_default_bf16[threads 1024, blocks 1](x: *const u16, candidates: *const u64, values: *mut u16, indices: *mut u32, params: Stage2Params) = stage2_default::<Bf16>;
    stage2_tiles_f32[threads 1024, blocks 1](x: *const u32, candidates: *const u64, values: *mut u32, indices: *mut u32, params: Stage2Params) = stage2_tiles::<F32>;
    stage2_tiles_f16[threads 1024, blocks 1](x: *const u16, candidates: *const u64, values: *mut u16, indices: *mut u32, params: Stage2Params) = stage2_tiles::<F16>;
    stage2_tiles_bf16[threads 1024, blocks 1](x: *const u16, candidates: *const u64, values: *mut u16, indices: *mut u32, params: Stage2Params) = stage2_tiles::<Bf16>;
}
