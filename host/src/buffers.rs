//! Borrowed views of a GPU's memory and streams, from whichever library owns them.
//!
//! With the feature `cust`, its buffers and streams convert by `Into`. For others there are the
//! `from_raw` constructors: a device address and a `CUstream` are the same in every library, since
//! all share the device's primary context.
use std::ffi::c_void;
use std::marker::PhantomData;

use cuda_loader::{DevicePtr, Stream};

/// Elements in a GPU's memory that are read.
#[derive(Clone, Copy, Debug)]
pub struct DeviceSlice<'a, T> {
    address: DevicePtr,
    len: usize,
    owner: PhantomData<&'a [T]>,
}

/// Elements in a GPU's memory that are written.
#[derive(Debug)]
pub struct DeviceSliceMut<'a, T> {
    address: DevicePtr,
    len: usize,
    owner: PhantomData<&'a mut [T]>,
}

/// A stream of the caller's.
#[derive(Clone, Copy, Debug)]
pub struct StreamRef<'a> {
    raw: Stream,
    owner: PhantomData<&'a ()>,
}

impl<T> DeviceSlice<'_, T> {
    /// `len` elements from a device address on.
    ///
    /// # Safety
    /// The address is that of `len` live elements, aligned for their type, for the lifetime.
    pub unsafe fn from_raw(address: u64, len: usize) -> Self {
        DeviceSlice { address: DevicePtr(address), len, owner: PhantomData }
    }

    /// Elements.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn address(&self) -> DevicePtr {
        self.address
    }
}

impl<T> DeviceSliceMut<'_, T> {
    /// `len` elements from a device address on.
    ///
    /// # Safety
    /// The address is that of `len` live elements that nobody else uses, aligned for their type,
    /// for the lifetime.
    pub unsafe fn from_raw(address: u64, len: usize) -> Self {
        DeviceSliceMut { address: DevicePtr(address), len, owner: PhantomData }
    }

    /// Elements.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn address(&self) -> DevicePtr {
        self.address
    }
}

impl StreamRef<'_> {
    /// A `CUstream`; null is the default stream.
    ///
    /// # Safety
    /// The stream is live for the lifetime.
    pub unsafe fn from_raw(stream: *mut c_void) -> Self {
        StreamRef { raw: Stream(stream), owner: PhantomData }
    }

    pub(crate) fn raw(&self) -> Stream {
        self.raw
    }
}

#[cfg(feature = "cust")]
mod from_cust {
    //! `cust` has no type for `half` 2's floats, so its 16-bit rows are buffers of `u16`.
    use cust::memory::DeviceBuffer;
    use half::{bf16, f16};

    use super::*;

    macro_rules! buffers {
        ($($element:ty, $stored:ty;)*) => { $(
            impl<'a> From<&'a DeviceBuffer<$stored>> for DeviceSlice<'a, $element> {
                fn from(buffer: &'a DeviceBuffer<$stored>) -> Self {
                    let address = buffer.as_device_ptr().as_raw();
                    DeviceSlice {
                        address: DevicePtr(address),
                        len: buffer.len(),
                        owner: PhantomData,
                    }
                }
            }
            impl<'a> From<&'a mut DeviceBuffer<$stored>> for DeviceSliceMut<'a, $element> {
                fn from(buffer: &'a mut DeviceBuffer<$stored>) -> Self {
                    let address = buffer.as_device_ptr().as_raw();
                    DeviceSliceMut {
                        address: DevicePtr(address),
                        len: buffer.len(),
                        owner: PhantomData,
                    }
                }
            }
        )* };
    }
    buffers! {
        f32, f32;
        f16, u16;
        bf16, u16;
        u32, u32;
        i64, i64;
        u64, u64;
    }

    impl<'a> From<&'a cust::stream::Stream> for StreamRef<'a> {
        fn from(stream: &'a cust::stream::Stream) -> Self {
            StreamRef { raw: Stream(stream.as_inner().cast()), owner: PhantomData }
        }
    }
}
