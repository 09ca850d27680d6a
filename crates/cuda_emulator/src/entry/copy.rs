//! Copies and fills, at once and on streams.
//!
//! The calls without a stream wait for the GPU, so a strict capture of the thread forbids them.

use super::entry_points;
use crate::state::{self, Outcome};
use crate::work::Place::{Device, Host};
use crate::work::{Place, Work, submit};

/// The default stream.
const DEFAULT: usize = 0;

/// Copies now.
fn copy_now(to: Place, from: Place, bytes: usize) -> Outcome {
    drop(state::enter_outside_capture()?);
    submit(DEFAULT, Work::Copy { to, from, bytes })
}

/// Enqueues a copy.
fn copy_on(stream: usize, to: Place, from: Place, bytes: usize) -> Outcome {
    submit(stream, Work::Copy { to, from, bytes })
}

/// The fill of `count` values of `N` bytes.
fn fill<const N: usize>(to: usize, value: [u8; N], count: usize) -> Work {
    let mut padded = [0; 4];
    padded[..N].copy_from_slice(&value);
    Work::Fill { to, value: padded, width: N, count }
}

/// Fills now.
fn fill_now<const N: usize>(to: usize, value: [u8; N], count: usize) -> Outcome {
    drop(state::enter_outside_capture()?);
    submit(DEFAULT, fill(to, value, count))
}

entry_points! {
    /// Copies from host to device.
    fn cuMemcpyHtoD_v2(to: usize, from: usize, bytes: usize) {
        copy_now(Device(to), Host(from), bytes)
    }

    /// Copies from device to host.
    fn cuMemcpyDtoH_v2(to: usize, from: usize, bytes: usize) {
        copy_now(Host(to), Device(from), bytes)
    }

    /// Copies within device memory.
    fn cuMemcpyDtoD_v2(to: usize, from: usize, bytes: usize) {
        copy_now(Device(to), Device(from), bytes)
    }

    /// Enqueues a copy from host to device.
    fn cuMemcpyHtoDAsync_v2(to: usize, from: usize, bytes: usize, stream: usize) {
        copy_on(stream, Device(to), Host(from), bytes)
    }

    /// Enqueues a copy from device to host.
    fn cuMemcpyDtoHAsync_v2(to: usize, from: usize, bytes: usize, stream: usize) {
        copy_on(stream, Host(to), Device(from), bytes)
    }

    /// Enqueues a copy within device memory.
    fn cuMemcpyDtoDAsync_v2(to: usize, from: usize, bytes: usize, stream: usize) {
        copy_on(stream, Device(to), Device(from), bytes)
    }

    /// Fills bytes.
    fn cuMemsetD8_v2(to: usize, value: u8, count: usize) {
        fill_now(to, [value], count)
    }

    /// Fills 16-bit words.
    fn cuMemsetD16_v2(to: usize, value: u16, count: usize) {
        fill_now(to, value.to_ne_bytes(), count)
    }

    /// Fills 32-bit words.
    fn cuMemsetD32_v2(to: usize, value: u32, count: usize) {
        fill_now(to, value.to_ne_bytes(), count)
    }

    /// Enqueues a fill of bytes.
    fn cuMemsetD8Async(to: usize, value: u8, count: usize, stream: usize) {
        submit(stream, fill(to, [value], count))
    }

    /// Enqueues a fill of 16-bit words.
    fn cuMemsetD16Async(to: usize, value: u16, count: usize, stream: usize) {
        submit(stream, fill(to, value.to_ne_bytes(), count))
    }

    /// Enqueues a fill of 32-bit words.
    fn cuMemsetD32Async(to: usize, value: u32, count: usize, stream: usize) {
        submit(stream, fill(to, value.to_ne_bytes(), count))
    }
}
