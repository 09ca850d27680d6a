//! What the emulated GPU says of itself.
//!
//! It poses as a small Hopper: compute capability 9.0, so that host code takes the paths of a
//! current GPU, but with four multiprocessors, so that its launches stay small enough to emulate.

use cuda_loader::api::DeviceAttribute;

/// The GPU's name.
pub(crate) const NAME: &str = "aikf emulator";
/// The CUDA version that the driver claims: 13.0.
pub(crate) const DRIVER_VERSION: i32 = 13_000;
/// Bytes of device memory, if the host has them.
pub(crate) const TOTAL_MEMORY: usize = 16 << 30;
/// The GPU's identity.
pub(crate) const UUID: [u8; 16] = *b"aikf-emulator-00";

/// Threads of a block, at most.
pub(crate) const MAX_THREADS: u32 = 1024;
/// Blocks of a cluster, at most, on every GPU that has clusters.
pub(crate) const CLUSTER_MAX_PORTABLE: u32 = 8;
/// Blocks of a cluster, at most, of a kernel that allows more.
pub(crate) const CLUSTER_MAX: u32 = 16;
/// Bytes of shared memory of a block that does not opt in to more.
pub(crate) const SHARED_DEFAULT: u32 = 48 << 10;
/// Bytes of shared memory of a block that does.
pub(crate) const SHARED_OPT_IN: u32 = 227 << 10;
/// Bytes of shared memory of a multiprocessor.
const SHARED_PER_MULTIPROCESSOR: u32 = 228 << 10;
/// Bytes of shared memory that the driver takes of every block.
const SHARED_RESERVED: u32 = 1 << 10;
/// Threads that a multiprocessor holds.
const THREADS_PER_MULTIPROCESSOR: u32 = 2048;
/// Blocks that a multiprocessor holds.
const BLOCKS_PER_MULTIPROCESSOR: u32 = 32;
/// Threads of a warp.
const WARP: u32 = 32;
/// The multiprocessors.
pub(crate) const MULTIPROCESSORS: u32 = 4;
/// Registers that every kernel claims for a thread.
pub(crate) const REGISTERS: u32 = 32;
/// The architecture, as function attributes give it.
pub(crate) const ARCHITECTURE: i32 = 90;

/// The value of a device attribute; nothing for numbers that CUDA does not define.
pub(crate) fn attribute(number: i32) -> Option<i32> {
    use DeviceAttribute as A;
    let value = match DeviceAttribute(number) {
        A::MAX_THREADS_PER_BLOCK | DeviceAttribute(2 | 3) => MAX_THREADS,
        DeviceAttribute(4) => 64, // threads of a block in z
        A::MAX_GRID_DIM_X => i32::MAX as u32,
        DeviceAttribute(6 | 7) => 1, // blocks of a grid in y and z
        A::MAX_SHARED_MEMORY_PER_BLOCK => SHARED_DEFAULT,
        A::WARP_SIZE => WARP,
        A::MAX_REGISTERS_PER_BLOCK | A::MAX_REGISTERS_PER_MULTIPROCESSOR => 64 << 10,
        A::CLOCK_RATE | A::MEMORY_CLOCK_RATE => 1_000_000,
        A::MULTIPROCESSOR_COUNT => MULTIPROCESSORS,
        A::GLOBAL_MEMORY_BUS_WIDTH => 64,
        A::L2_CACHE_SIZE => 4 << 20,
        A::MAX_THREADS_PER_MULTIPROCESSOR => THREADS_PER_MULTIPROCESSOR,
        DeviceAttribute(41 | 83 | 89) => 1, // unified addresses, managed memory
        A::COMPUTE_CAPABILITY_MAJOR => 9,
        A::MAX_SHARED_MEMORY_PER_MULTIPROCESSOR => SHARED_PER_MULTIPROCESSOR,
        A::MAX_SHARED_MEMORY_PER_BLOCK_OPTIN => SHARED_OPT_IN,
        A::MAX_BLOCKS_PER_MULTIPROCESSOR => BLOCKS_PER_MULTIPROCESSOR,
        A::RESERVED_SHARED_MEMORY_PER_BLOCK => SHARED_RESERVED,
        A::CLUSTER_LAUNCH => 1,
        // All else that CUDA defines is absent from this GPU.
        DeviceAttribute(1..=150) => 0,
        DeviceAttribute(_) => return None,
    };
    Some(value as i32)
}

/// How many blocks of this shape a multiprocessor holds at once.
pub(crate) fn occupancy(threads: u32, shared_bytes: u32) -> u32 {
    if threads == 0 || threads > MAX_THREADS || shared_bytes > SHARED_OPT_IN {
        return 0;
    }
    let by_threads = THREADS_PER_MULTIPROCESSOR / threads.next_multiple_of(WARP);
    let by_shared = SHARED_PER_MULTIPROCESSOR / (shared_bytes + SHARED_RESERVED);
    by_threads.min(by_shared).min(BLOCKS_PER_MULTIPROCESSOR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn occupancy_is_bound_by_threads_shared_memory_and_blocks() {
        assert_eq!(occupancy(1024, 0), 2);
        assert_eq!(occupancy(33, 0), 32);
        assert_eq!(occupancy(32, SHARED_OPT_IN), 1);
        assert_eq!(occupancy(32, 100 << 10), 2);
        assert_eq!(occupancy(1025, 0), 0);
    }
}
