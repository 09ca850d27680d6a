//! Multiplication and addition rounded once: on the GPU one instruction, elsewhere the host's own.
//! Unlike the device functions it is there on every host, so that arithmetic that both sides do can
//! use it.

/// `a * b + c`, rounded once.
#[inline(always)]
pub fn fma(a: f32, b: f32, c: f32) -> f32 {
    #[cfg(target_arch = "nvptx64")]
    {
        crate::backend::fma(a, b, c)
    }
    #[cfg(not(target_arch = "nvptx64"))]
    {
        a.mul_add(b, c)
    }
}

/// The same, not below 0 and not above 1; 0 for a NaN. As fast.
#[inline(always)]
#[allow(clippy::manual_clamp)] // of a NaN `clamp` makes a NaN
pub fn fma_clamped(a: f32, b: f32, c: f32) -> f32 {
    #[cfg(target_arch = "nvptx64")]
    {
        crate::backend::fma_clamped(a, b, c)
    }
    #[cfg(not(target_arch = "nvptx64"))]
    {
        a.mul_add(b, c).max(0.0).min(1.0)
    }
}

/// Runs `work` where its [`fma`]s are instructions, if the machine has them and the compiler puts
/// `work` in line. Its answer is the same anywhere: an `fma` is exact without them too, but slow.
#[inline]
pub fn with_fma<R>(work: impl FnOnce() -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("fma") && std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the machine has what the function is compiled for.
        return unsafe { on_x86(work) };
    }
    work()
}

/// # Safety
/// The machine has the features.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "fma,avx2")]
unsafe fn on_x86<R>(work: impl FnOnce() -> R) -> R {
    work()
}
