//! The only list of kernel instances: one line, one symbol in the PTX.
use cuda_std::kernels;

#[cfg(any(sm90, feature = "emulator"))]
use crate::cluster::{cluster, cluster_sample};
use crate::params::{MergeParams, RadixParams, RunParams, SelectParams, ShortParams};
use crate::sampling::launch::{
    FullParams, ProcessParams, SampleParams, ScoreParams, WarpSampleParams,
};
use crate::sampling::params::RowParams;
#[cfg(any(sm90, feature = "emulator"))]
use crate::wide_cluster::wide_cluster;
#[cfg(any(target_arch = "nvptx64", feature = "emulator"))]
use crate::{
    medium::{medium, medium_sample},
    merge::merge,
    prim::element::{Bf16, F16, F32},
    radix::{radix_count, radix_emit, radix_rank},
    runs::{merge_run, sort_run, write_items},
    sample::digits::{full_cut, full_digit},
    sample::full::full_mass,
    sample::guess::full_guess,
    sample::process::process,
    sample::score::{count_ranks, write_logprobs},
    sample::window::full_window,
    select::{sample, select},
    short::{short, short_pair, short_sample},
    sift::sift,
    wide::wide,
};

/// How many vectors a lane of `select` may keep in flight, most first: the instances there are, as
/// far as a lane has at most 32 elements at hand.
pub const SELECT_DEPTHS: [u32; 4] = [8, 4, 2, 1];

/// How many vectors a lane of `short` may hold, fewest first: the instances there are.
pub const SHORT_VECTORS: [u32; 3] = [1, 2, 4];

/// How many elements a lane of `short_pair` may hold, fewest first: the instances there are.
pub const PAIR_ELEMENTS: [u32; 2] = [8, 16];

/// How many vectors a lane of `medium` may hold, fewest first: the instances there are.
pub const MEDIUM_VECTORS: [u32; 3] = [8, 16, 32];

kernels! {
    select_f32_u1[threads 1024, blocks 1](x: *const u32, lengths: *const u32, candidates: *mut u64, list_tops: *mut u32, tickets: *mut u32, values: *mut u32, indices: *mut u32, params: SelectParams) = select::<F32, 1, false>;
    select_large_f32_u1[threads 1024, blocks 1](x: *const u32, lengths: *const u32, candidates: *mut u64, list_tops: *mut u32, tickets: *mut u32, values: *mut u32, indices: *mut u32, params: SelectParams) = select::<F32, 1, true>;
    select_f32_u2[threads 512, blocks 2](x: *const u32, lengths: *const u32, candidates: *mut u64, list_tops: *mut u32, tickets: *mut u32, values: *mut u32, indices: *mut u32, params: SelectParams) = select::<F32, 2, false>;
    select_large_f32_u2[threads 512, blocks 2](x: *const u32, lengths: *const u32, candidates: *mut u64, list_tops: *mut u32, tickets: *mut u32, values: *mut u32, indices: *mut u32, params: SelectParams) = select::<F32, 2, true>;
    select_f32_u4[threads 512, blocks 2](x: *const u32, lengths: *const u32, candidates: *mut u64, list_tops: *mut u32, tickets: *mut u32, values: *mut u32, indices: *mut u32, params: SelectParams) = select::<F32, 4, false>;
    select_large_f32_u4[threads 512, blocks 2](x: *const u32, lengths: *const u32, candidates: *mut u64, list_tops: *mut u32, tickets: *mut u32, values: *mut u32, indices: *mut u32, params: SelectParams) = select::<F32, 4, true>;
    select_f32_u8[threads 512, blocks 1](x: *const u32, lengths: *const u32, candidates: *mut u64, list_tops: *mut u32, tickets: *mut u32, values: *mut u32, indices: *mut u32, params: SelectParams) = select::<F32, 8, false>;
    merge_f32[threads 1024, blocks 1](x: *const u32, candidates: *mut u64, list_tops: *mut u32, values: *mut u32, indices: *mut u32, params: MergeParams) = merge::<F32>;
    select_f16_u1[threads 1024, blocks 1](x: *const u16, lengths: *const u32, candidates: *mut u64, list_tops: *mut u32, tickets: *mut u32, values: *mut u16, indices: *mut u32, params: SelectParams) = select::<F16, 1, false>;
    select_large_f16_u1[threads 1024, blocks 1](x: *const u16, lengths: *const u32, candidates: *mut u64, list_tops: *mut u32, tickets: *mut u32, values: *mut u16, indices: *mut u32, params: SelectParams) = select::<F16, 1, true>;
    select_f16_u2[threads 512, blocks 2](x: *const u16, lengths: *const u32, candidates: *mut u64, list_tops: *mut u32, tickets: *mut u32, values: *mut u16, indices: *mut u32, params: SelectParams) = select::<F16, 2, false>;
    select_large_f16_u2[threads 512, blocks 2](x: *const u16, lengths: *const u32, candidates: *mut u64, list_tops: *mut u32, tickets: *mut u32, values: *mut u16, indices: *mut u32, params: SelectParams) = select::<F16, 2, true>;
    select_f16_u4[threads 512, blocks 2](x: *const u16, lengths: *const u32, candidates: *mut u64, list_tops: *mut u32, tickets: *mut u32, values: *mut u16, indices: *mut u32, params: SelectParams) = select::<F16, 4, false>;
    select_large_f16_u4[threads 512, blocks 2](x: *const u16, lengths: *const u32, candidates: *mut u64, list_tops: *mut u32, tickets: *mut u32, values: *mut u16, indices: *mut u32, params: SelectParams) = select::<F16, 4, true>;
    merge_f16[threads 1024, blocks 1](x: *const u16, candidates: *mut u64, list_tops: *mut u32, values: *mut u16, indices: *mut u32, params: MergeParams) = merge::<F16>;
    select_bf16_u1[threads 1024, blocks 1](x: *const u16, lengths: *const u32, candidates: *mut u64, list_tops: *mut u32, tickets: *mut u32, values: *mut u16, indices: *mut u32, params: SelectParams) = select::<Bf16, 1, false>;
    select_large_bf16_u1[threads 1024, blocks 1](x: *const u16, lengths: *const u32, candidates: *mut u64, list_tops: *mut u32, tickets: *mut u32, values: *mut u16, indices: *mut u32, params: SelectParams) = select::<Bf16, 1, true>;
    select_bf16_u2[threads 512, blocks 2](x: *const u16, lengths: *const u32, candidates: *mut u64, list_tops: *mut u32, tickets: *mut u32, values: *mut u16, indices: *mut u32, params: SelectParams) = select::<Bf16, 2, false>;
    select_large_bf16_u2[threads 512, blocks 2](x: *const u16, lengths: *const u32, candidates: *mut u64, list_tops: *mut u32, tickets: *mut u32, values: *mut u16, indices: *mut u32, params: SelectParams) = select::<Bf16, 2, true>;
    select_bf16_u4[threads 512, blocks 2](x: *const u16, lengths: *const u32, candidates: *mut u64, list_tops: *mut u32, tickets: *mut u32, values: *mut u16, indices: *mut u32, params: SelectParams) = select::<Bf16, 4, false>;
    select_large_bf16_u4[threads 512, blocks 2](x: *const u16, lengths: *const u32, candidates: *mut u64, list_tops: *mut u32, tickets: *mut u32, values: *mut u16, indices: *mut u32, params: SelectParams) = select::<Bf16, 4, true>;
    merge_bf16[threads 1024, blocks 1](x: *const u16, candidates: *mut u64, list_tops: *mut u32, values: *mut u16, indices: *mut u32, params: MergeParams) = merge::<Bf16>;
    radix_count_f32[threads 512, blocks 2](x: *const u32, lengths: *const u32, digits: *mut u32, state: *mut u32, tickets: *mut u32, params: RadixParams) = radix_count::<F32>;
    radix_rank_f32[threads 512, blocks 2](x: *const u32, lengths: *const u32, state: *mut u32, ranks: *mut u32, params: RadixParams) = radix_rank::<F32>;
    radix_emit_f32[threads 512, blocks 2](x: *const u32, lengths: *const u32, state: *mut u32, ranks: *mut u32, items: *mut u64, params: RadixParams) = radix_emit::<F32>;
    write_items_f32[threads 512, blocks 2](x: *const u32, items: *mut u64, values: *mut u32, indices: *mut u32, params: RunParams) = write_items::<F32>;
    radix_count_f16[threads 512, blocks 2](x: *const u16, lengths: *const u32, digits: *mut u32, state: *mut u32, tickets: *mut u32, params: RadixParams) = radix_count::<F16>;
    radix_rank_f16[threads 512, blocks 2](x: *const u16, lengths: *const u32, state: *mut u32, ranks: *mut u32, params: RadixParams) = radix_rank::<F16>;
    radix_emit_f16[threads 512, blocks 2](x: *const u16, lengths: *const u32, state: *mut u32, ranks: *mut u32, items: *mut u64, params: RadixParams) = radix_emit::<F16>;
    write_items_f16[threads 512, blocks 2](x: *const u16, items: *mut u64, values: *mut u16, indices: *mut u32, params: RunParams) = write_items::<F16>;
    radix_count_bf16[threads 512, blocks 2](x: *const u16, lengths: *const u32, digits: *mut u32, state: *mut u32, tickets: *mut u32, params: RadixParams) = radix_count::<Bf16>;
    radix_rank_bf16[threads 512, blocks 2](x: *const u16, lengths: *const u32, state: *mut u32, ranks: *mut u32, params: RadixParams) = radix_rank::<Bf16>;
    radix_emit_bf16[threads 512, blocks 2](x: *const u16, lengths: *const u32, state: *mut u32, ranks: *mut u32, items: *mut u64, params: RadixParams) = radix_emit::<Bf16>;
    write_items_bf16[threads 512, blocks 2](x: *const u16, items: *mut u64, values: *mut u16, indices: *mut u32, params: RunParams) = write_items::<Bf16>;
    short_f32_u1[threads 256, blocks 4](x: *const u32, lengths: *const u32, values: *mut u32, indices: *mut u32, params: ShortParams) = short::<F32, 1>;
    short_f32_u2[threads 256, blocks 4](x: *const u32, lengths: *const u32, values: *mut u32, indices: *mut u32, params: ShortParams) = short::<F32, 2>;
    short_f32_u4[threads 256, blocks 4](x: *const u32, lengths: *const u32, values: *mut u32, indices: *mut u32, params: ShortParams) = short::<F32, 4>;
    short_pair_f32_u2[threads 256, blocks 4](x: *const u32, lengths: *const u32, values: *mut u32, indices: *mut u32, params: ShortParams) = short_pair::<F32, 2, 1>;
    short_pair_f32_u4[threads 256, blocks 4](x: *const u32, lengths: *const u32, values: *mut u32, indices: *mut u32, params: ShortParams) = short_pair::<F32, 4, 2>;
    short_f16_u1[threads 256, blocks 4](x: *const u16, lengths: *const u32, values: *mut u16, indices: *mut u32, params: ShortParams) = short::<F16, 1>;
    short_f16_u2[threads 256, blocks 4](x: *const u16, lengths: *const u32, values: *mut u16, indices: *mut u32, params: ShortParams) = short::<F16, 2>;
    short_f16_u4[threads 256, blocks 4](x: *const u16, lengths: *const u32, values: *mut u16, indices: *mut u32, params: ShortParams) = short::<F16, 4>;
    short_pair_f16_u1[threads 256, blocks 4](x: *const u16, lengths: *const u32, values: *mut u16, indices: *mut u32, params: ShortParams) = short_pair::<F16, 1, 1>;
    short_pair_f16_u2[threads 256, blocks 4](x: *const u16, lengths: *const u32, values: *mut u16, indices: *mut u32, params: ShortParams) = short_pair::<F16, 2, 1>;
    short_bf16_u1[threads 256, blocks 4](x: *const u16, lengths: *const u32, values: *mut u16, indices: *mut u32, params: ShortParams) = short::<Bf16, 1>;
    short_bf16_u2[threads 256, blocks 4](x: *const u16, lengths: *const u32, values: *mut u16, indices: *mut u32, params: ShortParams) = short::<Bf16, 2>;
    short_bf16_u4[threads 256, blocks 4](x: *const u16, lengths: *const u32, values: *mut u16, indices: *mut u32, params: ShortParams) = short::<Bf16, 4>;
    short_pair_bf16_u1[threads 256, blocks 4](x: *const u16, lengths: *const u32, values: *mut u16, indices: *mut u32, params: ShortParams) = short_pair::<Bf16, 1, 1>;
    short_pair_bf16_u2[threads 256, blocks 4](x: *const u16, lengths: *const u32, values: *mut u16, indices: *mut u32, params: ShortParams) = short_pair::<Bf16, 2, 1>;
    medium_f32_u8[threads 128, blocks 8](x: *const u32, lengths: *const u32, values: *mut u32, indices: *mut u32, params: ShortParams) = medium::<F32, 1>;
    medium_f32_u16[threads 128, blocks 5](x: *const u32, lengths: *const u32, values: *mut u32, indices: *mut u32, params: ShortParams) = medium::<F32, 2>;
    medium_f32_u32[threads 128, blocks 3](x: *const u32, lengths: *const u32, values: *mut u32, indices: *mut u32, params: ShortParams) = medium::<F32, 4>;
    medium_f16_u8[threads 128, blocks 8](x: *const u16, lengths: *const u32, values: *mut u16, indices: *mut u32, params: ShortParams) = medium::<F16, 1>;
    medium_f16_u16[threads 128, blocks 5](x: *const u16, lengths: *const u32, values: *mut u16, indices: *mut u32, params: ShortParams) = medium::<F16, 2>;
    medium_f16_u32[threads 128, blocks 3](x: *const u16, lengths: *const u32, values: *mut u16, indices: *mut u32, params: ShortParams) = medium::<F16, 4>;
    medium_bf16_u8[threads 128, blocks 8](x: *const u16, lengths: *const u32, values: *mut u16, indices: *mut u32, params: ShortParams) = medium::<Bf16, 1>;
    medium_bf16_u16[threads 128, blocks 5](x: *const u16, lengths: *const u32, values: *mut u16, indices: *mut u32, params: ShortParams) = medium::<Bf16, 2>;
    medium_bf16_u32[threads 128, blocks 3](x: *const u16, lengths: *const u32, values: *mut u16, indices: *mut u32, params: ShortParams) = medium::<Bf16, 4>;
    short_sample_f32_u1[threads 256, blocks 4](x: *const u32, lengths: *const u32, rows: *const RowParams, seeds: *const u64, positions: *const u64, tokens: *mut u32, status: *mut u32, logprobs: *mut u32, ranks: *mut u32, params: WarpSampleParams) = short_sample::<F32, 1>;
    short_sample_f32_u2[threads 256, blocks 4](x: *const u32, lengths: *const u32, rows: *const RowParams, seeds: *const u64, positions: *const u64, tokens: *mut u32, status: *mut u32, logprobs: *mut u32, ranks: *mut u32, params: WarpSampleParams) = short_sample::<F32, 2>;
    short_sample_f32_u4[threads 256, blocks 4](x: *const u32, lengths: *const u32, rows: *const RowParams, seeds: *const u64, positions: *const u64, tokens: *mut u32, status: *mut u32, logprobs: *mut u32, ranks: *mut u32, params: WarpSampleParams) = short_sample::<F32, 4>;
    short_sample_f16_u1[threads 256, blocks 4](x: *const u16, lengths: *const u32, rows: *const RowParams, seeds: *const u64, positions: *const u64, tokens: *mut u32, status: *mut u32, logprobs: *mut u32, ranks: *mut u32, params: WarpSampleParams) = short_sample::<F16, 1>;
    short_sample_f16_u2[threads 256, blocks 4](x: *const u16, lengths: *const u32, rows: *const RowParams, seeds: *const u64, positions: *const u64, tokens: *mut u32, status: *mut u32, logprobs: *mut u32, ranks: *mut u32, params: WarpSampleParams) = short_sample::<F16, 2>;
    short_sample_f16_u4[threads 256, blocks 4](x: *const u16, lengths: *const u32, rows: *const RowParams, seeds: *const u64, positions: *const u64, tokens: *mut u32, status: *mut u32, logprobs: *mut u32, ranks: *mut u32, params: WarpSampleParams) = short_sample::<F16, 4>;
    short_sample_bf16_u1[threads 256, blocks 4](x: *const u16, lengths: *const u32, rows: *const RowParams, seeds: *const u64, positions: *const u64, tokens: *mut u32, status: *mut u32, logprobs: *mut u32, ranks: *mut u32, params: WarpSampleParams) = short_sample::<Bf16, 1>;
    short_sample_bf16_u2[threads 256, blocks 4](x: *const u16, lengths: *const u32, rows: *const RowParams, seeds: *const u64, positions: *const u64, tokens: *mut u32, status: *mut u32, logprobs: *mut u32, ranks: *mut u32, params: WarpSampleParams) = short_sample::<Bf16, 2>;
    short_sample_bf16_u4[threads 256, blocks 4](x: *const u16, lengths: *const u32, rows: *const RowParams, seeds: *const u64, positions: *const u64, tokens: *mut u32, status: *mut u32, logprobs: *mut u32, ranks: *mut u32, params: WarpSampleParams) = short_sample::<Bf16, 4>;
    medium_sample_f32_u8[threads 128, blocks 8](x: *const u32, lengths: *const u32, rows: *const RowParams, seeds: *const u64, positions: *const u64, tokens: *mut u32, status: *mut u32, logprobs: *mut u32, ranks: *mut u32, params: WarpSampleParams) = medium_sample::<F32, 1>;
    medium_sample_f32_u16[threads 128, blocks 5](x: *const u32, lengths: *const u32, rows: *const RowParams, seeds: *const u64, positions: *const u64, tokens: *mut u32, status: *mut u32, logprobs: *mut u32, ranks: *mut u32, params: WarpSampleParams) = medium_sample::<F32, 2>;
    medium_sample_f32_u32[threads 128, blocks 3](x: *const u32, lengths: *const u32, rows: *const RowParams, seeds: *const u64, positions: *const u64, tokens: *mut u32, status: *mut u32, logprobs: *mut u32, ranks: *mut u32, params: WarpSampleParams) = medium_sample::<F32, 4>;
    medium_sample_f16_u8[threads 128, blocks 8](x: *const u16, lengths: *const u32, rows: *const RowParams, seeds: *const u64, positions: *const u64, tokens: *mut u32, status: *mut u32, logprobs: *mut u32, ranks: *mut u32, params: WarpSampleParams) = medium_sample::<F16, 1>;
    medium_sample_f16_u16[threads 128, blocks 5](x: *const u16, lengths: *const u32, rows: *const RowParams, seeds: *const u64, positions: *const u64, tokens: *mut u32, status: *mut u32, logprobs: *mut u32, ranks: *mut u32, params: WarpSampleParams) = medium_sample::<F16, 2>;
    medium_sample_f16_u32[threads 128, blocks 3](x: *const u16, lengths: *const u32, rows: *const RowParams, seeds: *const u64, positions: *const u64, tokens: *mut u32, status: *mut u32, logprobs: *mut u32, ranks: *mut u32, params: WarpSampleParams) = medium_sample::<F16, 4>;
    medium_sample_bf16_u8[threads 128, blocks 8](x: *const u16, lengths: *const u32, rows: *const RowParams, seeds: *const u64, positions: *const u64, tokens: *mut u32, status: *mut u32, logprobs: *mut u32, ranks: *mut u32, params: WarpSampleParams) = medium_sample::<Bf16, 1>;
    medium_sample_bf16_u16[threads 128, blocks 5](x: *const u16, lengths: *const u32, rows: *const RowParams, seeds: *const u64, positions: *const u64, tokens: *mut u32, status: *mut u32, logprobs: *mut u32, ranks: *mut u32, params: WarpSampleParams) = medium_sample::<Bf16, 2>;
    medium_sample_bf16_u32[threads 128, blocks 3](x: *const u16, lengths: *const u32, rows: *const RowParams, seeds: *const u64, positions: *const u64, tokens: *mut u32, status: *mut u32, logprobs: *mut u32, ranks: *mut u32, params: WarpSampleParams) = medium_sample::<Bf16, 4>;
    sift_f32[threads 512, blocks 2](x: *const u32, lengths: *const u32, values: *mut u32, indices: *mut u32, params: ShortParams) = sift::<F32>;
    sift_f16[threads 512, blocks 2](x: *const u16, lengths: *const u32, values: *mut u16, indices: *mut u32, params: ShortParams) = sift::<F16>;
    sift_bf16[threads 512, blocks 2](x: *const u16, lengths: *const u32, values: *mut u16, indices: *mut u32, params: ShortParams) = sift::<Bf16>;
    wide_f32[threads 512, blocks 2](x: *const u32, lengths: *const u32, values: *mut u32, indices: *mut u32, params: ShortParams) = wide::<F32, false>;
    wide_large_f32[threads 512, blocks 2](x: *const u32, lengths: *const u32, values: *mut u32, indices: *mut u32, params: ShortParams) = wide::<F32, true>;
    wide_f16[threads 512, blocks 2](x: *const u16, lengths: *const u32, values: *mut u16, indices: *mut u32, params: ShortParams) = wide::<F16, false>;
    wide_large_f16[threads 512, blocks 2](x: *const u16, lengths: *const u32, values: *mut u16, indices: *mut u32, params: ShortParams) = wide::<F16, true>;
    wide_bf16[threads 512, blocks 2](x: *const u16, lengths: *const u32, values: *mut u16, indices: *mut u32, params: ShortParams) = wide::<Bf16, false>;
    wide_large_bf16[threads 512, blocks 2](x: *const u16, lengths: *const u32, values: *mut u16, indices: *mut u32, params: ShortParams) = wide::<Bf16, true>;
    wide_cluster_f32[threads 512, blocks 2, since sm90](x: *const u32, lengths: *const u32, values: *mut u32, indices: *mut u32, params: ShortParams) = wide_cluster::<F32>;
    wide_cluster_f16[threads 512, blocks 2, since sm90](x: *const u16, lengths: *const u32, values: *mut u16, indices: *mut u32, params: ShortParams) = wide_cluster::<F16>;
    wide_cluster_bf16[threads 512, blocks 2, since sm90](x: *const u16, lengths: *const u32, values: *mut u16, indices: *mut u32, params: ShortParams) = wide_cluster::<Bf16>;
    cluster_f32_u2[threads 512, blocks 2, since sm90](x: *const u32, lengths: *const u32, values: *mut u32, indices: *mut u32, params: SelectParams) = cluster::<F32, 2>;
    cluster_f32_u4[threads 512, blocks 1, since sm90](x: *const u32, lengths: *const u32, values: *mut u32, indices: *mut u32, params: SelectParams) = cluster::<F32, 4>;
    cluster_f32_u8[threads 512, blocks 1, since sm90](x: *const u32, lengths: *const u32, values: *mut u32, indices: *mut u32, params: SelectParams) = cluster::<F32, 8>;
    cluster_f16_u2[threads 512, blocks 2, since sm90](x: *const u16, lengths: *const u32, values: *mut u16, indices: *mut u32, params: SelectParams) = cluster::<F16, 2>;
    cluster_f16_u4[threads 512, blocks 1, since sm90](x: *const u16, lengths: *const u32, values: *mut u16, indices: *mut u32, params: SelectParams) = cluster::<F16, 4>;
    cluster_bf16_u2[threads 512, blocks 2, since sm90](x: *const u16, lengths: *const u32, values: *mut u16, indices: *mut u32, params: SelectParams) = cluster::<Bf16, 2>;
    cluster_bf16_u4[threads 512, blocks 1, since sm90](x: *const u16, lengths: *const u32, values: *mut u16, indices: *mut u32, params: SelectParams) = cluster::<Bf16, 4>;
    cluster_sample_f32_u2[threads 512, blocks 2, since sm90](x: *const u32, lengths: *const u32, rows: *const RowParams, seeds: *const u64, positions: *const u64, tokens: *mut u32, status: *mut u32, logprobs: *mut u32, ranks: *mut u32, top_tokens: *mut u32, top_logprobs: *mut u32, params: SampleParams) = cluster_sample::<F32, 2>;
    cluster_sample_f32_u4[threads 512, blocks 1, since sm90](x: *const u32, lengths: *const u32, rows: *const RowParams, seeds: *const u64, positions: *const u64, tokens: *mut u32, status: *mut u32, logprobs: *mut u32, ranks: *mut u32, top_tokens: *mut u32, top_logprobs: *mut u32, params: SampleParams) = cluster_sample::<F32, 4>;
    cluster_sample_f32_u8[threads 512, blocks 1, since sm90](x: *const u32, lengths: *const u32, rows: *const RowParams, seeds: *const u64, positions: *const u64, tokens: *mut u32, status: *mut u32, logprobs: *mut u32, ranks: *mut u32, top_tokens: *mut u32, top_logprobs: *mut u32, params: SampleParams) = cluster_sample::<F32, 8>;
    cluster_sample_f16_u2[threads 512, blocks 2, since sm90](x: *const u16, lengths: *const u32, rows: *const RowParams, seeds: *const u64, positions: *const u64, tokens: *mut u32, status: *mut u32, logprobs: *mut u32, ranks: *mut u32, top_tokens: *mut u32, top_logprobs: *mut u32, params: SampleParams) = cluster_sample::<F16, 2>;
    cluster_sample_f16_u4[threads 512, blocks 1, since sm90](x: *const u16, lengths: *const u32, rows: *const RowParams, seeds: *const u64, positions: *const u64, tokens: *mut u32, status: *mut u32, logprobs: *mut u32, ranks: *mut u32, top_tokens: *mut u32, top_logprobs: *mut u32, params: SampleParams) = cluster_sample::<F16, 4>;
    cluster_sample_bf16_u2[threads 512, blocks 2, since sm90](x: *const u16, lengths: *const u32, rows: *const RowParams, seeds: *const u64, positions: *const u64, tokens: *mut u32, status: *mut u32, logprobs: *mut u32, ranks: *mut u32, top_tokens: *mut u32, top_logprobs: *mut u32, params: SampleParams) = cluster_sample::<Bf16, 2>;
    cluster_sample_bf16_u4[threads 512, blocks 1, since sm90](x: *const u16, lengths: *const u32, rows: *const RowParams, seeds: *const u64, positions: *const u64, tokens: *mut u32, status: *mut u32, logprobs: *mut u32, ranks: *mut u32, top_tokens: *mut u32, top_logprobs: *mut u32, params: SampleParams) = cluster_sample::<Bf16, 4>;
    sort_runs[threads 512, blocks 2](items: *mut u64, params: RunParams) = sort_run;
    merge_runs[threads 512, blocks 2](from: *mut u64, to: *mut u64, params: RunParams) = merge_run;
    sample_f32_u4[threads 512, blocks 2](x: *const u32, lengths: *const u32, candidates: *mut u64, list_tops: *mut u32, tickets: *mut u32, nans: *mut u32, rows: *const RowParams, seeds: *const u64, positions: *const u64, tokens: *mut u32, status: *mut u32, logprobs: *mut u32, ranks: *mut u32, top_tokens: *mut u32, top_logprobs: *mut u32, params: SampleParams) = sample::<F32, 4, false>;
    sample_large_f32_u4[threads 512, blocks 2](x: *const u32, lengths: *const u32, candidates: *mut u64, list_tops: *mut u32, tickets: *mut u32, nans: *mut u32, rows: *const RowParams, seeds: *const u64, positions: *const u64, tokens: *mut u32, status: *mut u32, logprobs: *mut u32, ranks: *mut u32, top_tokens: *mut u32, top_logprobs: *mut u32, params: SampleParams) = sample::<F32, 4, true>;
    sample_f32_u8[threads 512, blocks 1](x: *const u32, lengths: *const u32, candidates: *mut u64, list_tops: *mut u32, tickets: *mut u32, nans: *mut u32, rows: *const RowParams, seeds: *const u64, positions: *const u64, tokens: *mut u32, status: *mut u32, logprobs: *mut u32, ranks: *mut u32, top_tokens: *mut u32, top_logprobs: *mut u32, params: SampleParams) = sample::<F32, 8, false>;
    full_mass_f32[threads 256, blocks 3](x: *const u32, lengths: *const u32, rows: *const RowParams, seeds: *const u64, positions: *const u64, tops: *mut u32, masses: *mut u64, near: *mut u32, state: *mut u64, tickets: *mut u32, tokens: *mut u32, status: *mut u32, params: FullParams) = full_mass::<F32>;
    full_digit_f32[threads 512, blocks 2](x: *const u32, lengths: *const u32, rows: *const RowParams, tops: *mut u32, masses: *mut u32, state: *mut u64, tickets: *mut u32, params: FullParams) = full_digit::<F32>;
    full_cut_f32[threads 512, blocks 2](x: *const u32, lengths: *const u32, rows: *const RowParams, tops: *mut u32, partial: *mut u64, state: *mut u64, tickets: *mut u32, params: FullParams) = full_cut::<F32>;
    full_guess_f32[threads 256, blocks 3](x: *const u32, lengths: *const u32, rows: *const RowParams, bins: *mut u32, state: *mut u64, tickets: *mut u32, params: FullParams) = full_guess::<F32>;
    full_window_f32[threads 256, blocks 3](x: *const u32, lengths: *const u32, rows: *const RowParams, seeds: *const u64, positions: *const u64, tops: *mut u32, masses: *mut u64, lists: *mut u64, state: *mut u64, tickets: *mut u32, tokens: *mut u32, params: FullParams) = full_window::<F32>;
    write_logprobs_f32[threads 512, blocks 2](x: *const u32, lengths: *const u32, rows: *const RowParams, state: *mut u64, list: *mut u32, logprobs: *mut u32, ranks: *mut u32, params: ScoreParams) = write_logprobs::<F32>;
    count_ranks_f32[threads 512, blocks 2](x: *const u32, lengths: *const u32, rows: *const RowParams, list: *mut u32, ranks: *mut u32, params: ScoreParams) = count_ranks::<F32>;
    process_f32[threads 512, blocks 2](x: *const u32, lengths: *const u32, rows: *const RowParams, histories: *const u32, bias_starts: *const u32, bias_tokens: *const u32, bias_values: *const u32, allowed: *const u32, output: *mut u32, params: ProcessParams) = process::<F32>;
    sample_f16_u4[threads 512, blocks 2](x: *const u16, lengths: *const u32, candidates: *mut u64, list_tops: *mut u32, tickets: *mut u32, nans: *mut u32, rows: *const RowParams, seeds: *const u64, positions: *const u64, tokens: *mut u32, status: *mut u32, logprobs: *mut u32, ranks: *mut u32, top_tokens: *mut u32, top_logprobs: *mut u32, params: SampleParams) = sample::<F16, 4, false>;
    sample_large_f16_u4[threads 512, blocks 2](x: *const u16, lengths: *const u32, candidates: *mut u64, list_tops: *mut u32, tickets: *mut u32, nans: *mut u32, rows: *const RowParams, seeds: *const u64, positions: *const u64, tokens: *mut u32, status: *mut u32, logprobs: *mut u32, ranks: *mut u32, top_tokens: *mut u32, top_logprobs: *mut u32, params: SampleParams) = sample::<F16, 4, true>;
    full_mass_f16[threads 256, blocks 3](x: *const u16, lengths: *const u32, rows: *const RowParams, seeds: *const u64, positions: *const u64, tops: *mut u32, masses: *mut u64, near: *mut u32, state: *mut u64, tickets: *mut u32, tokens: *mut u32, status: *mut u32, params: FullParams) = full_mass::<F16>;
    full_digit_f16[threads 512, blocks 2](x: *const u16, lengths: *const u32, rows: *const RowParams, tops: *mut u32, masses: *mut u32, state: *mut u64, tickets: *mut u32, params: FullParams) = full_digit::<F16>;
    full_cut_f16[threads 512, blocks 2](x: *const u16, lengths: *const u32, rows: *const RowParams, tops: *mut u32, partial: *mut u64, state: *mut u64, tickets: *mut u32, params: FullParams) = full_cut::<F16>;
    full_guess_f16[threads 256, blocks 3](x: *const u16, lengths: *const u32, rows: *const RowParams, bins: *mut u32, state: *mut u64, tickets: *mut u32, params: FullParams) = full_guess::<F16>;
    full_window_f16[threads 256, blocks 3](x: *const u16, lengths: *const u32, rows: *const RowParams, seeds: *const u64, positions: *const u64, tops: *mut u32, masses: *mut u64, lists: *mut u64, state: *mut u64, tickets: *mut u32, tokens: *mut u32, params: FullParams) = full_window::<F16>;
    write_logprobs_f16[threads 512, blocks 2](x: *const u16, lengths: *const u32, rows: *const RowParams, state: *mut u64, list: *mut u32, logprobs: *mut u32, ranks: *mut u32, params: ScoreParams) = write_logprobs::<F16>;
    count_ranks_f16[threads 512, blocks 2](x: *const u16, lengths: *const u32, rows: *const RowParams, list: *mut u32, ranks: *mut u32, params: ScoreParams) = count_ranks::<F16>;
    process_f16[threads 512, blocks 2](x: *const u16, lengths: *const u32, rows: *const RowParams, histories: *const u32, bias_starts: *const u32, bias_tokens: *const u32, bias_values: *const u32, allowed: *const u32, output: *mut u32, params: ProcessParams) = process::<F16>;
    sample_bf16_u4[threads 512, blocks 2](x: *const u16, lengths: *const u32, candidates: *mut u64, list_tops: *mut u32, tickets: *mut u32, nans: *mut u32, rows: *const RowParams, seeds: *const u64, positions: *const u64, tokens: *mut u32, status: *mut u32, logprobs: *mut u32, ranks: *mut u32, top_tokens: *mut u32, top_logprobs: *mut u32, params: SampleParams) = sample::<Bf16, 4, false>;
    sample_large_bf16_u4[threads 512, blocks 2](x: *const u16, lengths: *const u32, candidates: *mut u64, list_tops: *mut u32, tickets: *mut u32, nans: *mut u32, rows: *const RowParams, seeds: *const u64, positions: *const u64, tokens: *mut u32, status: *mut u32, logprobs: *mut u32, ranks: *mut u32, top_tokens: *mut u32, top_logprobs: *mut u32, params: SampleParams) = sample::<Bf16, 4, true>;
    full_mass_bf16[threads 256, blocks 3](x: *const u16, lengths: *const u32, rows: *const RowParams, seeds: *const u64, positions: *const u64, tops: *mut u32, masses: *mut u64, near: *mut u32, state: *mut u64, tickets: *mut u32, tokens: *mut u32, status: *mut u32, params: FullParams) = full_mass::<Bf16>;
    full_digit_bf16[threads 512, blocks 2](x: *const u16, lengths: *const u32, rows: *const RowParams, tops: *mut u32, masses: *mut u32, state: *mut u64, tickets: *mut u32, params: FullParams) = full_digit::<Bf16>;
    full_cut_bf16[threads 512, blocks 2](x: *const u16, lengths: *const u32, rows: *const RowParams, tops: *mut u32, partial: *mut u64, state: *mut u64, tickets: *mut u32, params: FullParams) = full_cut::<Bf16>;
    full_guess_bf16[threads 256, blocks 3](x: *const u16, lengths: *const u32, rows: *const RowParams, bins: *mut u32, state: *mut u64, tickets: *mut u32, params: FullParams) = full_guess::<Bf16>;
    full_window_bf16[threads 256, blocks 3](x: *const u16, lengths: *const u32, rows: *const RowParams, seeds: *const u64, positions: *const u64, tops: *mut u32, masses: *mut u64, lists: *mut u64, state: *mut u64, tickets: *mut u32, tokens: *mut u32, params: FullParams) = full_window::<Bf16>;
    write_logprobs_bf16[threads 512, blocks 2](x: *const u16, lengths: *const u32, rows: *const RowParams, state: *mut u64, list: *mut u32, logprobs: *mut u32, ranks: *mut u32, params: ScoreParams) = write_logprobs::<Bf16>;
    count_ranks_bf16[threads 512, blocks 2](x: *const u16, lengths: *const u32, rows: *const RowParams, list: *mut u32, ranks: *mut u32, params: ScoreParams) = count_ranks::<Bf16>;
    process_bf16[threads 512, blocks 2](x: *const u16, lengths: *const u32, rows: *const RowParams, histories: *const u32, bias_starts: *const u32, bias_tokens: *const u32, bias_values: *const u32, allowed: *const u32, output: *mut u32, params: ProcessParams) = process::<Bf16>;
}
