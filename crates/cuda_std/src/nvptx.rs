//! The GPU back end: LLVM intrinsics for collectives, inline PTX for one thread's own operations.
//!
//! This is the only file of the workspace with device assembly in it. Loads that take an address
//! are safe functions here because the duty was taken over when the array was made
//! ([`crate::shared::SharedArray::new`], [`crate::global::GlobalArray::new`]).
use core::arch::asm;

#[cfg(not(sm80))]
use crate::float::{bf16_to_f32, pairs};

mod intrinsics {
    unsafe extern "C" {
        #[link_name = "llvm.nvvm.read.ptx.sreg.tid.x"]
        pub safe fn thread_index() -> u32;
        #[link_name = "llvm.nvvm.read.ptx.sreg.ctaid.x"]
        pub safe fn block_index() -> u32;
        #[link_name = "llvm.nvvm.read.ptx.sreg.ntid.x"]
        pub safe fn block_dim() -> u32;
        #[link_name = "llvm.nvvm.read.ptx.sreg.nctaid.x"]
        pub safe fn grid_dim() -> u32;
        #[link_name = "llvm.nvvm.read.ptx.sreg.laneid"]
        pub safe fn lane() -> u32;
        #[link_name = "llvm.nvvm.barrier.cta.sync.aligned.all"]
        pub safe fn barrier(id: u32);
        #[link_name = "llvm.nvvm.barrier.cta.red.popc.aligned.all"]
        pub safe fn barrier_count(id: u32, predicate: bool) -> u32;
        #[link_name = "llvm.nvvm.barrier.cta.red.or.aligned.all"]
        pub safe fn barrier_or(id: u32, predicate: bool) -> bool;
        #[link_name = "llvm.nvvm.barrier.cta.red.and.aligned.all"]
        pub safe fn barrier_and(id: u32, predicate: bool) -> bool;
        #[link_name = "llvm.nvvm.bar.warp.sync"]
        pub safe fn warp_sync(mask: u32);
        #[link_name = "llvm.nvvm.shfl.sync.idx.i32"]
        pub safe fn shuffle_idx(mask: u32, value: u32, lane: u32, clamp: u32) -> u32;
        #[link_name = "llvm.nvvm.shfl.sync.bfly.i32"]
        pub safe fn shuffle_xor(mask: u32, value: u32, lane_mask: u32, clamp: u32) -> u32;
        #[link_name = "llvm.nvvm.shfl.sync.up.i32"]
        pub safe fn shuffle_up(mask: u32, value: u32, delta: u32, clamp: u32) -> u32;
        #[link_name = "llvm.nvvm.shfl.sync.down.i32"]
        pub safe fn shuffle_down(mask: u32, value: u32, delta: u32, clamp: u32) -> u32;
        #[link_name = "llvm.nvvm.vote.ballot.sync"]
        pub safe fn ballot(mask: u32, predicate: bool) -> u32;
        #[link_name = "llvm.nvvm.match.any.sync.i32"]
        pub safe fn match_any(mask: u32, value: u32) -> u32;
        #[link_name = "llvm.fma.f32"]
        pub safe fn fma(a: f32, b: f32, c: f32) -> f32;
    }
    // From sm_90 on; a kernel that calls them says `since sm90`.
    unsafe extern "C" {
        #[link_name = "llvm.nvvm.read.ptx.sreg.cluster.ctarank"]
        pub safe fn cluster_rank() -> u32;
        #[link_name = "llvm.nvvm.read.ptx.sreg.cluster.nctarank"]
        pub safe fn cluster_size() -> u32;
        #[link_name = "llvm.nvvm.barrier.cluster.arrive.aligned"]
        pub safe fn cluster_arrive();
        #[link_name = "llvm.nvvm.barrier.cluster.wait.aligned"]
        pub safe fn cluster_wait();
        #[link_name = "llvm.nvvm.barrier.cluster.arrive.relaxed.aligned"]
        pub safe fn cluster_arrive_relaxed();
    }
    #[cfg(sm80)]
    unsafe extern "C" {
        #[link_name = "llvm.nvvm.redux.sync.add"]
        pub safe fn reduce_add(value: u32, mask: u32) -> u32;
        #[link_name = "llvm.nvvm.redux.sync.umax"]
        pub safe fn reduce_max(value: u32, mask: u32) -> u32;
        #[link_name = "llvm.nvvm.redux.sync.umin"]
        pub safe fn reduce_min(value: u32, mask: u32) -> u32;
        #[link_name = "llvm.nvvm.redux.sync.or"]
        pub safe fn reduce_or(value: u32, mask: u32) -> u32;
        #[link_name = "llvm.nvvm.redux.sync.and"]
        pub safe fn reduce_and(value: u32, mask: u32) -> u32;
    }
}

pub use intrinsics::{
    cluster_arrive, cluster_arrive_relaxed, cluster_rank, cluster_size, cluster_wait,
};

/// The address of another block's shared memory, from that of the same place in one's own.
#[inline(always)]
pub fn cluster_map(address: u32, rank: u32) -> u32 {
    let mapped;
    // SAFETY: arithmetic between registers.
    unsafe {
        asm!("mapa.shared::cluster.u32 {0}, {1}, {2};", out(reg32) mapped, in(reg32) address,
             in(reg32) rank, options(pure, nomem, nostack, preserves_flags));
    }
    mapped
}

pub use intrinsics::{
    ballot, block_dim, block_index, fma, grid_dim, lane, match_any, thread_index, warp_sync,
};

#[inline(always)]
pub fn block_sync() {
    intrinsics::barrier(0);
}
#[inline(always)]
pub fn block_count(predicate: bool) -> u32 {
    intrinsics::barrier_count(0, predicate)
}
#[inline(always)]
pub fn block_or(predicate: bool) -> bool {
    intrinsics::barrier_or(0, predicate)
}
#[inline(always)]
pub fn block_and(predicate: bool) -> bool {
    intrinsics::barrier_and(0, predicate)
}

// The last operand of a shuffle bounds the source lane: 31 for a whole warp, 0 for `up`.
#[inline(always)]
pub fn shuffle_idx(mask: u32, value: u32, source: u32) -> u32 {
    intrinsics::shuffle_idx(mask, value, source, 31)
}
#[inline(always)]
pub fn shuffle_xor(mask: u32, value: u32, lane_mask: u32) -> u32 {
    intrinsics::shuffle_xor(mask, value, lane_mask, 31)
}
#[inline(always)]
pub fn shuffle_up(mask: u32, value: u32, delta: u32) -> u32 {
    intrinsics::shuffle_up(mask, value, delta, 0)
}
#[inline(always)]
pub fn shuffle_down(mask: u32, value: u32, delta: u32) -> u32 {
    intrinsics::shuffle_down(mask, value, delta, 31)
}

/// One `redux.sync` from sm_80 on; below, five shuffles, for which the lanes of `mask` must be all.
macro_rules! reduce {
    ($($name:ident: $op:expr;)*) => { $(
        #[inline(always)]
        pub fn $name(mask: u32, value: u32) -> u32 {
            #[cfg(sm80)]
            {
                intrinsics::$name(value, mask)
            }
            #[cfg(not(sm80))]
            {
                let op: fn(u32, u32) -> u32 = $op;
                let mut value = value;
                let mut distance = 16;
                while distance > 0 {
                    value = op(value, shuffle_xor(mask, value, distance));
                    distance >>= 1;
                }
                value
            }
        }
    )* };
}
reduce! {
    reduce_add: |a, b| a.wrapping_add(b);
    reduce_max: |a, b| a.max(b);
    reduce_min: |a, b| a.min(b);
    reduce_or: |a, b| a | b;
    reduce_and: |a, b| a & b;
}

#[inline(always)]
pub fn device_fence() {
    // SAFETY: a fence touches no memory of its own.
    unsafe { asm!("fence.acq_rel.gpu;", options(nostack, preserves_flags)) }
}

#[inline(always)]
pub fn shared_base() -> u32 {
    let base: u32;
    // SAFETY: reads the address of a symbol that `device_crate!` declares.
    unsafe {
        asm!("mov.u32 {0}, cuda_std_dynamic_shared;", out(reg32) base,
             options(pure, nomem, nostack, preserves_flags));
    }
    base
}

/// A type that one load or store moves.
pub trait Word: Copy {
    /// Reads shared memory.
    fn shared_load(address: u32) -> Self;
    /// Writes shared memory.
    fn shared_store(address: u32, value: Self);
    /// Writes shared memory of a block of the cluster.
    fn cluster_store(address: u32, value: Self);
    /// Reads global memory that the grid does not write.
    ///
    /// # Safety
    /// The place is live and aligned, and nobody races for it.
    unsafe fn global_load_const(place: *const Self) -> Self;
    /// Reads global memory.
    ///
    /// # Safety
    /// The place is live and aligned, and nobody races for it.
    unsafe fn global_load(place: *const Self) -> Self;
    /// Writes global memory.
    ///
    /// # Safety
    /// The place is live and aligned, and nobody races for it.
    unsafe fn global_store(place: *mut Self, value: Self);
}

macro_rules! word {
    ($($type:ty, $reg:ident, $suffix:literal;)*) => { $(
        impl Word for $type {
            #[inline(always)]
            fn shared_load(address: u32) -> Self {
                let value;
                // SAFETY: the array's maker vouches for the place.
                unsafe {
                    asm!(concat!("ld.shared.", $suffix, " {0}, [{1}];"), out($reg) value,
                         in(reg32) address, options(pure, readonly, nostack, preserves_flags));
                }
                value
            }
            #[inline(always)]
            fn shared_store(address: u32, value: Self) {
                // SAFETY: the array's maker vouches for the place.
                unsafe {
                    asm!(concat!("st.shared.", $suffix, " [{0}], {1};"), in(reg32) address,
                         in($reg) value, options(nostack, preserves_flags));
                }
            }
            #[inline(always)]
            fn cluster_store(address: u32, value: Self) {
                // SAFETY: the array's maker vouches for the place.
                unsafe {
                    asm!(concat!("st.shared::cluster.", $suffix, " [{0}], {1};"),
                         in(reg32) address, in($reg) value, options(nostack, preserves_flags));
                }
            }
            #[inline(always)]
            unsafe fn global_load_const(place: *const Self) -> Self {
                let value;
                // SAFETY: the caller vouches for the place and that nobody writes it.
                unsafe {
                    asm!(concat!("ld.global.nc.", $suffix, " {0}, [{1}];"), out($reg) value,
                         in(reg64) place, options(pure, readonly, nostack, preserves_flags));
                }
                value
            }
            #[inline(always)]
            unsafe fn global_load(place: *const Self) -> Self {
                let value;
                // SAFETY: the caller vouches for the place.
                unsafe {
                    asm!(concat!("ld.global.", $suffix, " {0}, [{1}];"), out($reg) value,
                         in(reg64) place, options(pure, readonly, nostack, preserves_flags));
                }
                value
            }
            #[inline(always)]
            unsafe fn global_store(place: *mut Self, value: Self) {
                // SAFETY: the caller vouches for the place.
                unsafe {
                    asm!(concat!("st.global.", $suffix, " [{0}], {1};"), in(reg64) place,
                         in($reg) value, options(nostack, preserves_flags));
                }
            }
        }
    )* };
}
word! {
    u16, reg16, "b16";
    u32, reg32, "b32";
    i32, reg32, "b32";
    f32, reg32, "b32";
    u64, reg64, "b64";
    i64, reg64, "b64";
}

#[inline(always)]
pub fn shared_load_vec4(address: u32) -> [u32; 4] {
    let (a, b, c, d);
    // SAFETY: the array's maker vouches for the place.
    unsafe {
        asm!("ld.shared.v4.b32 {{{0}, {1}, {2}, {3}}}, [{4}];", out(reg32) a, out(reg32) b,
             out(reg32) c, out(reg32) d, in(reg32) address,
             options(pure, readonly, nostack, preserves_flags));
    }
    [a, b, c, d]
}

#[inline(always)]
pub fn shared_store_words(address: u32, words: [u32; 2]) {
    // SAFETY: the array's maker vouches for the place.
    unsafe {
        asm!("st.shared.v2.b32 [{0}], {{{1}, {2}}};", in(reg32) address, in(reg32) words[0],
             in(reg32) words[1], options(nostack, preserves_flags));
    }
}

#[inline(always)]
pub unsafe fn global_load_vec4_streaming(place: *const u32) -> [u32; 4] {
    let (a, b, c, d);
    // SAFETY: the caller vouches for the place and that nobody writes it.
    unsafe {
        asm!("ld.global.nc.L1::no_allocate.v4.b32 {{{0}, {1}, {2}, {3}}}, [{4}];", out(reg32) a,
             out(reg32) b, out(reg32) c, out(reg32) d, in(reg64) place,
             options(pure, readonly, nostack, preserves_flags));
    }
    [a, b, c, d]
}

#[inline(always)]
pub fn global_prefetch<T>(place: *const T) {
    // SAFETY: a hint; no address is a fault.
    unsafe {
        asm!("prefetch.global.L2 [{0}];", in(reg64) place,
             options(readonly, nostack, preserves_flags));
    }
}

#[inline(always)]
pub fn shared_fetch_add(address: u32, value: u32) -> u32 {
    let old;
    // SAFETY: the array's maker vouches for the place.
    unsafe {
        asm!("atom.shared.add.u32 {0}, [{1}], {2};", out(reg32) old, in(reg32) address,
             in(reg32) value, options(nostack, preserves_flags));
    }
    old
}

#[inline(always)]
pub fn shared_load_relaxed(address: u32) -> u32 {
    let value;
    // SAFETY: the array's maker vouches for the place. Not `pure`: others change it.
    unsafe {
        asm!("ld.relaxed.cta.shared.u32 {0}, [{1}];", out(reg32) value, in(reg32) address,
             options(nostack, preserves_flags));
    }
    value
}

macro_rules! shared_reduction {
    ($($name:ident = $op:literal;)*) => { $(
        #[inline(always)]
        pub fn $name(address: u32, value: u32) {
            // SAFETY: the array's maker vouches for the place.
            unsafe {
                asm!(concat!("red.shared.", $op, " [{0}], {1};"), in(reg32) address,
                     in(reg32) value, options(nostack, preserves_flags));
            }
        }
    )* };
}
shared_reduction! {
    shared_add = "add.u32";
    shared_min = "min.u32";
    shared_max = "max.u32";
    shared_or = "or.b32";
    shared_and = "and.b32";
}

#[inline(always)]
pub unsafe fn global_fetch_add_acq_rel(place: *mut u32, value: u32) -> u32 {
    let old;
    // SAFETY: the caller vouches for the place.
    unsafe {
        asm!("atom.acq_rel.gpu.global.add.u32 {0}, [{1}], {2};", out(reg32) old, in(reg64) place,
             in(reg32) value, options(nostack, preserves_flags));
    }
    old
}

#[inline(always)]
pub unsafe fn global_fetch_add_relaxed(place: *mut u32, value: u32) -> u32 {
    let old;
    // SAFETY: the caller vouches for the place.
    unsafe {
        asm!("atom.relaxed.gpu.global.add.u32 {0}, [{1}], {2};", out(reg32) old, in(reg64) place,
             in(reg32) value, options(nostack, preserves_flags));
    }
    old
}

#[inline(always)]
pub unsafe fn global_fetch_inc_acq_rel(place: *mut u32, last: u32) -> u32 {
    let old;
    // SAFETY: the caller vouches for the place.
    unsafe {
        asm!("atom.acq_rel.gpu.global.inc.u32 {0}, [{1}], {2};", out(reg32) old, in(reg64) place,
             in(reg32) last, options(nostack, preserves_flags));
    }
    old
}

#[inline(always)]
pub unsafe fn global_add_relaxed(place: *mut u32, value: u32) {
    // SAFETY: the caller vouches for the place.
    unsafe {
        asm!("red.relaxed.gpu.global.add.u32 [{0}], {1};", in(reg64) place, in(reg32) value,
             options(nostack, preserves_flags));
    }
}

#[inline(always)]
pub unsafe fn global_load_acquire(place: *const u32) -> u32 {
    let value;
    // SAFETY: the caller vouches for the place. Not `pure`: a loop that waits must read anew.
    unsafe {
        asm!("ld.acquire.gpu.global.u32 {0}, [{1}];", out(reg32) value, in(reg64) place,
             options(nostack, preserves_flags));
    }
    value
}

#[inline(always)]
pub unsafe fn global_store_release(place: *mut u32, value: u32) {
    // SAFETY: the caller vouches for the place.
    unsafe {
        asm!("st.release.gpu.global.u32 [{0}], {1};", in(reg64) place, in(reg32) value,
             options(nostack, preserves_flags));
    }
}

#[inline(always)]
pub fn f16_to_f32(bits: u16) -> f32 {
    let value;
    // SAFETY: a conversion between registers.
    unsafe {
        asm!("cvt.f32.f16 {0}, {1};", out(reg32) value, in(reg16) bits,
             options(pure, nomem, nostack, preserves_flags));
    }
    value
}

/// A comparison and an addition under its predicate; of the same in Rust, compilers make half as
/// many instructions again.
macro_rules! count {
    ($($name:ident($type:ty, $reg:ident) = $compare:literal;)*) => { $(
        #[inline(always)]
        pub fn $name(count: u32, a: $type, b: $type) -> u32 {
            let mut count = count;
            // SAFETY: arithmetic between registers.
            unsafe {
                // One line: whoever takes a kernel out of the PTX looks for its closing brace.
                asm!(concat!("{{ .reg .pred holds; ", $compare,
                             " holds, {1}, {2}; @holds add.u32 {0}, {0}, 1; }}"),
                     inout(reg32) count, in($reg) a, in($reg) b,
                     options(pure, nomem, nostack, preserves_flags));
            }
            count
        }
    )* };
}
count! {
    count_at_least(u32, reg32) = "setp.ge.u32";
    count_above(u64, reg64) = "setp.gt.u64";
}

#[inline(always)]
pub fn shared_load_pair(address: u32) -> [u64; 2] {
    let (a, b);
    // SAFETY: the array's maker vouches for the place.
    unsafe {
        asm!("ld.shared.v2.b64 {{{0}, {1}}}, [{2}];", out(reg64) a, out(reg64) b,
             in(reg32) address, options(pure, readonly, nostack, preserves_flags));
    }
    [a, b]
}

/// A comparison of floats, and a bit under its predicate; as for `count!`.
macro_rules! mark {
    ($($name:ident = $compare:literal;)*) => { $(
        #[inline(always)]
        pub fn $name(mask: u32, bit: u32, a: f32, b: f32) -> u32 {
            let mut mask = mask;
            // SAFETY: arithmetic between registers.
            unsafe {
                asm!(concat!("{{ .reg .pred holds; ", $compare,
                             " holds, {1}, {2}; @holds or.b32 {0}, {0}, {3}; }}"),
                     inout(reg32) mask, in(reg32) a, in(reg32) b, in(reg32) bit,
                     options(pure, nomem, nostack, preserves_flags));
            }
            mask
        }
    )* };
}
mark! {
    mark_above_or_nan = "setp.gtu.f32";
    mark_at_most = "setp.le.f32";
    mark_not_below = "setp.geu.f32";
    mark_not_above = "setp.leu.f32";
}

/// `sum`, and `word` too unless `a < b`.
#[inline(always)]
pub fn add_not_below(sum: u32, word: u32, a: f32, b: f32) -> u32 {
    let mut sum = sum;
    // SAFETY: arithmetic between registers.
    unsafe {
        asm!("{{ .reg .pred holds; setp.geu.f32 holds, {1}, {2}; @holds add.u32 {0}, {0}, {3}; }}",
             inout(reg32) sum, in(reg32) a, in(reg32) b, in(reg32) word,
             options(pure, nomem, nostack, preserves_flags));
    }
    sum
}

/// A comparison whose result is a number, 1 or 0, and an addition: on Hopper half as long as a
/// predicate and an addition under it, which are one pipe's.
macro_rules! tally {
    ($($name:ident = $compare:literal, $add:literal;)*) => { $(
        #[inline(always)]
        pub fn $name(tally: u32, a: u32, b: u32) -> u32 {
            let mut tally = tally;
            // SAFETY: arithmetic between registers.
            unsafe {
                asm!(concat!("{{ .reg .b32 ones; ", $compare, " ones, {1}, {2}; ", $add,
                             " {0}, {0}, ones; }}"),
                     inout(reg32) tally, in(reg32) a, in(reg32) b,
                     options(pure, nomem, nostack, preserves_flags));
            }
            tally
        }
    )* };
}
tally! {
    tally_f32_above_or_nan = "set.gtu.f32.f32", "add.rn.f32";
    tally_f32_at_most = "set.le.f32.f32", "add.rn.f32";
    tally_f16_above_or_nan = "set.gtu.f16x2.f16x2", "add.rn.f16x2";
    tally_f16_at_most = "set.le.f16x2.f16x2", "add.rn.f16x2";
}
#[cfg(sm90)]
tally! {
    tally_bf16_above_or_nan = "set.gtu.bf16x2.bf16x2", "add.rn.bf16x2";
    tally_bf16_at_most = "set.le.bf16x2.bf16x2", "add.rn.bf16x2";
}

/// Before sm_90 no instruction compares two `bf16` at once.
#[cfg(not(sm90))]
mod bf16_tally {
    use crate::count::halves;
    use crate::float::bf16_to_f32;

    #[inline(always)]
    pub fn tally_bf16_above_or_nan(tally: u32, a: u32, b: u32) -> u32 {
        halves::above_or_nan(tally, a, b, bf16_to_f32)
    }
    #[inline(always)]
    pub fn tally_bf16_at_most(tally: u32, a: u32, b: u32) -> u32 {
        halves::at_most(tally, a, b, bf16_to_f32)
    }
}
#[cfg(not(sm90))]
pub use bf16_tally::{tally_bf16_above_or_nan, tally_bf16_at_most};

/// The same word, of which the compiler knows nothing.
#[inline(always)]
pub fn opaque(word: u32) -> u32 {
    let mut word = word;
    // SAFETY: it does nothing.
    unsafe { asm!("/* {0} */", inout(reg32) word, options(nomem, nostack, preserves_flags)) };
    word
}

/// `a * b + c`, rounded once, and clamped to 0..=1; 0 for a NaN.
#[inline(always)]
pub fn fma_clamped(a: f32, b: f32, c: f32) -> f32 {
    let clamped;
    // SAFETY: arithmetic between registers.
    unsafe {
        asm!("fma.rn.sat.f32 {0}, {1}, {2}, {3};", out(reg32) clamped, in(reg32) a, in(reg32) b,
             in(reg32) c, options(pure, nomem, nostack, preserves_flags));
    }
    clamped
}

/// One instruction from sm_80 on; below, its equal in several.
macro_rules! pick {
    ($($name:ident($type:ty) = $op:literal, $otherwise:expr;)*) => { $(
        #[inline(always)]
        pub fn $name(a: $type, b: $type) -> $type {
            #[cfg(sm80)]
            {
                let picked;
                // SAFETY: arithmetic between registers.
                unsafe {
                    asm!(concat!($op, " {0}, {1}, {2};"), out(reg32) picked, in(reg32) a,
                         in(reg32) b, options(pure, nomem, nostack, preserves_flags));
                }
                picked
            }
            #[cfg(not(sm80))]
            {
                let otherwise: fn($type, $type) -> $type = $otherwise;
                otherwise(a, b)
            }
        }
    )* };
}
pick! {
    f32_max_nan(f32) = "max.NaN.f32", |a, b| if a.is_nan() || a > b { a } else { b };
    f16x2_max_nan(u32) = "max.NaN.f16x2", |a, b| pairs::max_nan(a, b, f16_to_f32);
    f16x2_min(u32) = "min.f16x2", |a, b| pairs::min(a, b, f16_to_f32);
    bf16x2_max_nan(u32) = "max.NaN.bf16x2", |a, b| pairs::max_nan(a, b, bf16_to_f32);
    bf16x2_min(u32) = "min.bf16x2", |a, b| pairs::min(a, b, bf16_to_f32);
}
