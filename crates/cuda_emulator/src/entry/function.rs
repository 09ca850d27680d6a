//! The attributes of kernels, and how many of their blocks fit.

use cuda_loader::api::FunctionAttribute as A;
use cuda_loader::error::code;

use super::{Out, entry_points, give};
use crate::device::{self, ARCHITECTURE, REGISTERS, SHARED_OPT_IN};
use crate::state::{self, Outcome};

/// The blocks of a kernel that a multiprocessor holds at once. Like the real driver it does not
/// ask whether the kernel may have so many threads.
fn max_active_blocks(
    blocks: Out<'_, i32>,
    function: usize,
    threads: i32,
    shared_bytes: usize,
) -> Outcome {
    let state = state::enter()?;
    state.functions.get(function)?;
    let threads = u32::try_from(threads).map_err(|_| code::INVALID_VALUE)?;
    if threads == 0 {
        return Err(code::INVALID_VALUE);
    }
    let shared_bytes = u32::try_from(shared_bytes).unwrap_or(u32::MAX);
    give(blocks, device::occupancy(threads, shared_bytes) as i32)
}

entry_points! {
    /// Sets a number about a kernel. Preferences are accepted and mean nothing.
    fn cuFuncSetAttribute(function: usize, attribute: i32, value: i32) {
        let mut state = state::enter()?;
        let function = state.functions.get_mut(function)?;
        match A(attribute) {
            A::MAX_DYNAMIC_SHARED => {
                let bytes = u32::try_from(value).map_err(|_| code::INVALID_VALUE)?;
                if bytes > SHARED_OPT_IN {
                    return Err(code::INVALID_VALUE);
                }
                function.max_dynamic_shared = bytes;
                Ok(())
            }
            A::NON_PORTABLE_CLUSTER => {
                function.large_clusters = value != 0;
                Ok(())
            }
            // The share of shared memory in the cache.
            A(9) => Ok(()),
            _ => Err(code::INVALID_VALUE),
        }
    }

    /// A number about a kernel.
    fn cuFuncGetAttribute(value: Out<'_, i32>, attribute: i32, function: usize) {
        let state = state::enter()?;
        let function = state.functions.get(function)?;
        give(value, match A(attribute) {
            A::MAX_THREADS_PER_BLOCK => function.kernel.max_threads as i32,
            A::NUM_REGISTERS => REGISTERS as i32,
            A::PTX_VERSION | A::BINARY_VERSION => ARCHITECTURE,
            A::MAX_DYNAMIC_SHARED => function.max_dynamic_shared as i32,
            A::NON_PORTABLE_CLUSTER => function.large_clusters.into(),
            // Memory that the kernel declares itself, preferences, clusters: none.
            A(1..=15) => 0,
            _ => return Err(code::INVALID_VALUE),
        })
    }

    /// A preference, which means nothing here.
    fn cuFuncSetCacheConfig(function: usize, _config: u32) {
        state::enter()?.functions.get(function)?;
        Ok(())
    }

    /// The blocks of a kernel that a multiprocessor holds at once.
    fn cuOccupancyMaxActiveBlocksPerMultiprocessor(
        blocks: Out<'_, i32>,
        function: usize,
        threads: i32,
        shared_bytes: usize,
    ) {
        max_active_blocks(blocks, function, threads, shared_bytes)
    }

    /// The same, with flags that mean nothing here.
    fn cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(
        blocks: Out<'_, i32>,
        function: usize,
        threads: i32,
        shared_bytes: usize,
        _flags: u32,
    ) {
        max_active_blocks(blocks, function, threads, shared_bytes)
    }
}
