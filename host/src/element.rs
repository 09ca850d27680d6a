//! The element types of rows.
use half::{bf16, f16};
use kernels_gpu::order;
use kernels_gpu::params::{Dtype, Index};

mod sealed {
    pub trait Sealed {}
}

/// An element of a row: `f32`, [`half::f16`] or [`half::bf16`].
pub trait Element: sealed::Sealed + bytemuck::Pod + Send + Sync + std::fmt::Debug {
    /// The type's name.
    const DTYPE: Dtype;

    /// The bits, in the upper end of a word.
    #[doc(hidden)]
    fn raised(self) -> u32;

    /// The value as `f32`, exactly.
    fn to_f32(self) -> f32;

    /// What stands in places for which a row has no element: the worst there is but for NaN.
    #[doc(hidden)]
    fn filler(largest: bool) -> Self;

    /// The key that sorts as the contract says, the greatest last.
    #[doc(hidden)]
    #[inline(always)]
    fn key(self) -> u32 {
        order::key(self.raised(), Self::DTYPE.infinity())
    }
}

macro_rules! elements {
    ($($type:ty, $dtype:ident, |$x:ident| $raised:expr, $value:expr;)*) => { $(
        impl sealed::Sealed for $type {}
        impl Element for $type {
            const DTYPE: Dtype = Dtype::$dtype;
            #[inline(always)]
            fn raised(self) -> u32 {
                let $x = self;
                $raised
            }
            fn filler(largest: bool) -> Self {
                if largest { <$type>::NEG_INFINITY } else { <$type>::INFINITY }
            }
            #[inline]
            fn to_f32(self) -> f32 {
                let $x = self;
                $value
            }
        }
    )* };
}
elements! {
    f32, F32, |x| x.to_bits(), x;
    f16, F16, |x| u32::from(x.to_bits()) << 16, half::f16::to_f32(x);
    bf16, Bf16, |x| u32::from(x.to_bits()) << 16, half::bf16::to_f32(x);
}

/// A type of indices in a GPU's memory: `u32`, or `i64` as PyTorch has them.
pub trait IndexType: sealed::Sealed + bytemuck::Pod + Send + Sync {
    /// The type's name.
    #[doc(hidden)]
    const INDEX: Index;
}

impl sealed::Sealed for u32 {}
impl IndexType for u32 {
    const INDEX: Index = Index::U32;
}
impl sealed::Sealed for i64 {}
impl IndexType for i64 {
    const INDEX: Index = Index::I64;
}
