//! Kernel launches.
//!
//! [`launch_kernel`] is the hot path: one atomic load, then the driver. [`launch_kernel_ex`] adds
//! what Hopper brought: clusters of blocks, and kernels that start before their predecessor ends.

use std::ffi::c_void;
use std::ptr;

use super::raw;
use crate::error::DriverError;
use crate::handle::{Function, Stream};

/// The shape of a launch, and where it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaunchConfig {
    /// Blocks in x, y and z.
    pub grid: [u32; 3],
    /// Threads of a block in x, y and z.
    pub block: [u32; 3],
    /// Bytes of dynamic shared memory of a block.
    pub shared_bytes: u32,
    /// The stream to enqueue on.
    pub stream: Stream,
}

/// What a launch can have on GPUs of compute capability 9.0 and later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LaunchExtras {
    /// Blocks of a cluster in x, y and z; none for launches without clusters.
    pub cluster: Option<[u32; 3]>,
    /// Whether the kernel may start before its predecessor in the stream has ended
    /// (programmatic dependent launch). The kernel itself then waits for its inputs.
    pub programmatic: bool,
}

/// `CUlaunchConfig`.
#[repr(C)]
pub struct RawLaunchConfig {
    grid: [u32; 3],
    block: [u32; 3],
    shared_bytes: u32,
    stream: Stream,
    attributes: *const RawLaunchAttribute,
    count: u32,
}

/// `CUlaunchAttribute`: a number, padding, and a union of 64 bytes.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
struct RawLaunchAttribute {
    id: u32,
    padding: u32,
    value: [u32; 16],
}

const _: () = assert!(size_of::<RawLaunchAttribute>() == 72);
#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<RawLaunchConfig>() == 56);

/// `CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION`.
const CLUSTER_DIMENSION: u32 = 4;
/// `CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION`.
const PROGRAMMATIC_STREAM_SERIALIZATION: u32 = 6;

impl RawLaunchAttribute {
    /// The attribute `id` whose union starts with `head`.
    fn new(id: u32, head: [u32; 3]) -> RawLaunchAttribute {
        let mut value = [0; 16];
        value[..3].copy_from_slice(&head);
        RawLaunchAttribute { id, padding: 0, value }
    }
}

/// Enqueues a kernel. The arguments are copied before the call returns.
///
/// # Safety
///
/// - `function` and `config.stream` are live (the stream may be [`Stream::NULL`]).
/// - `arguments` has one pointer for each parameter of the kernel, in order, to a value of the
///   parameter's size.
/// - What the kernel does with them is sound until it ends: its addresses stay allocated, and
///   nothing else uses the memory it writes.
#[inline]
pub unsafe fn launch_kernel(
    function: Function,
    config: &LaunchConfig,
    arguments: &[*const c_void],
) -> Result<(), DriverError> {
    let LaunchConfig { grid, block, shared_bytes, stream } = *config;
    // The driver only reads the array; its C type has no `const`.
    let arguments = arguments.as_ptr() as *mut *mut c_void;
    // SAFETY: the caller vouches for handles, arguments and the kernel; the driver checks the
    // shape.
    unsafe {
        raw::cuLaunchKernel(
            function,
            grid[0],
            grid[1],
            grid[2],
            block[0],
            block[1],
            block[2],
            shared_bytes,
            stream,
            arguments,
            ptr::null_mut(),
        )
    }
}

/// Enqueues a kernel with clusters or a programmatic dependent launch.
///
/// # Errors
///
/// 302 (symbol not found) with drivers before CUDA 11.8; 912 for clusters that do not fit.
///
/// # Safety
///
/// As for [`launch_kernel`]. A kernel launched with `programmatic` must wait for its
/// predecessor itself (`griddepcontrol.wait`) before it touches what that one writes or reads.
pub unsafe fn launch_kernel_ex(
    function: Function,
    config: &LaunchConfig,
    extras: &LaunchExtras,
    arguments: &[*const c_void],
) -> Result<(), DriverError> {
    let (attributes, count) = raw_attributes(extras);
    let config = RawLaunchConfig {
        grid: config.grid,
        block: config.block,
        shared_bytes: config.shared_bytes,
        stream: config.stream,
        attributes: attributes.as_ptr(),
        count,
    };
    let arguments = arguments.as_ptr() as *mut *mut c_void;
    // SAFETY: the caller vouches for handles, arguments and the kernel; the configuration has
    // `count` attributes, which outlive the call.
    unsafe { raw::cuLaunchKernelEx(&config, function, arguments, ptr::null_mut()) }
}

/// The attributes of `extras`, and how many of the array's members they take.
fn raw_attributes(extras: &LaunchExtras) -> ([RawLaunchAttribute; 2], u32) {
    let cluster = extras.cluster.map(|shape| RawLaunchAttribute::new(CLUSTER_DIMENSION, shape));
    let programmatic = extras
        .programmatic
        .then(|| RawLaunchAttribute::new(PROGRAMMATIC_STREAM_SERIALIZATION, [1, 0, 0]));
    let mut attributes = [RawLaunchAttribute::new(0, [0; 3]); 2];
    let mut count = 0;
    for attribute in [cluster, programmatic].into_iter().flatten() {
        attributes[count] = attribute;
        count += 1;
    }
    (attributes, count as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extras_become_attributes_without_gaps() {
        let both = LaunchExtras { cluster: Some([4, 1, 1]), programmatic: true };
        let (attributes, count) = raw_attributes(&both);
        assert_eq!((count, attributes[0].id, attributes[1].id), (2, 4, 6));
        assert_eq!(attributes[0].value[..3], [4, 1, 1]);

        let (attributes, count) = raw_attributes(&LaunchExtras { cluster: None, ..both });
        assert_eq!((count, attributes[0].id, attributes[0].value[0]), (1, 6, 1));
        assert_eq!(raw_attributes(&LaunchExtras::default()).1, 0);
    }
}
