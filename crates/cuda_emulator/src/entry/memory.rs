//! Allocations.

use std::sync::PoisonError;

use cuda_loader::error::code;

use super::{Out, entry_points, give};
use crate::memory::Kind;
use crate::state::{self, Outcome};
use crate::work::capture_of;

/// Allocates and gives the address. A call without a place for it allocates nothing.
fn allocate(address: Out<'_, usize>, bytes: usize, kind: Kind) -> Outcome {
    let place = address.ok_or(code::INVALID_VALUE)?;
    place.write(state::enter_outside_capture()?.memory.allocate(bytes, kind)?);
    Ok(())
}

/// Frees once the work under way is done.
fn free(address: usize, kind: Kind) -> Outcome {
    let _idle = state::running().write().unwrap_or_else(PoisonError::into_inner);
    state::enter_outside_capture()?.memory.free(address, kind)
}

/// Refuses allocations in stream order while the stream is being captured: they would become
/// part of the graph, which the emulator's graphs cannot hold.
fn refuse_capture(stream: usize) -> Outcome {
    let state = state::enter()?;
    match capture_of(&state, stream)? {
        Some(_) => Err(code::NOT_SUPPORTED),
        None => Ok(()),
    }
}

entry_points! {
    /// Allocates device memory.
    fn cuMemAlloc_v2(address: Out<'_, usize>, bytes: usize) {
        allocate(address, bytes, Kind::Device)
    }

    /// Frees device memory.
    fn cuMemFree_v2(address: usize) {
        // As with `free` in C, nothing at all may be freed.
        if address == 0 { Ok(()) } else { free(address, Kind::Device) }
    }

    /// Allocates device memory in stream order.
    fn cuMemAllocAsync(address: Out<'_, usize>, bytes: usize, stream: usize) {
        refuse_capture(stream)?;
        allocate(address, bytes, Kind::Device)
    }

    /// Frees device memory in stream order.
    fn cuMemFreeAsync(address: usize, stream: usize) {
        refuse_capture(stream)?;
        free(address, Kind::Device)
    }

    /// Allocates memory that host and device share: here, all memory is.
    fn cuMemAllocManaged(address: Out<'_, usize>, bytes: usize, _flags: u32) {
        allocate(address, bytes, Kind::Device)
    }

    /// Allocates host memory that the device can reach.
    fn cuMemAllocHost_v2(address: Out<'_, usize>, bytes: usize) {
        allocate(address, bytes, Kind::Host)
    }

    /// Allocates host memory that the device can reach.
    fn cuMemHostAlloc(address: Out<'_, usize>, bytes: usize, _flags: u32) {
        allocate(address, bytes, Kind::Host)
    }

    /// Frees host memory that the device can reach.
    fn cuMemFreeHost(address: usize) {
        free(address, Kind::Host)
    }

    /// Free and total bytes.
    fn cuMemGetInfo_v2(free: Out<'_, usize>, total: Out<'_, usize>) {
        give(free, state::enter()?.memory.free_bytes())?;
        give(total, crate::device::TOTAL_MEMORY)
    }

    /// Moves managed memory: it is here already.
    fn cuMemPrefetchAsync(address: usize, bytes: usize, _device: i32, _stream: usize) {
        let known = state::enter()?.memory.contains(address, bytes);
        if known { Ok(()) } else { Err(code::INVALID_VALUE) }
    }
}
