//! Launches, with the checks of the real driver.

use std::ffi::c_void;
use std::slice;

use cuda_loader::error::code;

use super::entry_points;
use crate::device::{self, CLUSTER_MAX, CLUSTER_MAX_PORTABLE, MAX_THREADS, SHARED_OPT_IN};
use crate::state::{self, Function, Outcome};
use crate::work::{Argument, KernelLaunch, Work, spoil_capture, submit};

/// The shape of a launch as the driver's functions take it.
#[repr(C)]
#[derive(Clone, Copy)]
struct Shape {
    grid: [u32; 3],
    block: [u32; 3],
    shared_bytes: u32,
}

/// What the attributes of a launch ask for.
#[derive(Clone, Copy)]
struct Extras {
    /// Blocks of a cluster.
    cluster: u32,
    /// Whether all blocks must be live at once.
    is_cooperative: bool,
}

impl Extras {
    const NONE: Extras = Extras { cluster: 1, is_cooperative: false };
}

/// `CUlaunchConfig`.
#[repr(C)]
struct Config {
    shape: Shape,
    stream: usize,
    attributes: *const Attribute,
    count: u32,
}

/// `CUlaunchAttribute`.
#[repr(C, align(8))]
struct Attribute {
    id: u32,
    padding: u32,
    value: [u32; 16],
}

/// `CU_LAUNCH_ATTRIBUTE_COOPERATIVE`.
const COOPERATIVE: u32 = 2;
/// `CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION`.
const CLUSTER_DIMENSION: u32 = 4;

/// Checks a launch as the driver does, before it looks at the arguments.
fn check_shape(function: &Function, shape: Shape, is_cooperative: bool) -> Outcome {
    let Shape { grid, block, shared_bytes } = shape;
    let threads = block.iter().try_fold(1u32, |product, &side| product.checked_mul(side));
    let threads = threads.filter(|&threads| (1..=MAX_THREADS).contains(&threads));
    let threads = threads.ok_or(code::INVALID_VALUE)?;
    if grid.contains(&0) || shared_bytes > SHARED_OPT_IN {
        return Err(code::INVALID_VALUE);
    }
    if threads > function.kernel.max_threads || shared_bytes > function.max_dynamic_shared {
        return Err(code::INVALID_VALUE);
    }
    if grid[1..] != [1, 1] || block[1..] != [1, 1] {
        return Err(code::NOT_SUPPORTED);
    }
    let live = device::occupancy(threads, shared_bytes) * device::MULTIPROCESSORS;
    if is_cooperative && grid[0] > live {
        return Err(code::COOPERATIVE_LAUNCH_TOO_LARGE);
    }
    Ok(())
}

/// Enqueues a kernel.
///
/// # Safety
///
/// `arguments` is null or has one pointer for each parameter of the kernel, to a value of the
/// parameter's type, and the kernel is sound with them when it runs.
unsafe fn launch(
    function: usize,
    shape: Shape,
    extras: Extras,
    stream: usize,
    arguments: *const *const c_void,
) -> Outcome {
    let mut state = state::enter()?;
    let function = state.functions.get(function)?;
    let kernel = function.kernel;
    let Extras { cluster, is_cooperative } = extras;
    let checked = check_shape(function, shape, is_cooperative)
        .and_then(|()| check_cluster(function, shape, cluster));
    if let Err(code) = checked {
        spoil_capture(&mut state, stream)?;
        return Err(code);
    }
    drop(state);
    // SAFETY: the caller's duty.
    let arguments = unsafe { copy_arguments(kernel.parameter_bytes, arguments) }?;
    let (grid, block, shared_bytes) = (shape.grid[0], shape.block[0], shape.shared_bytes);
    let launch = KernelLaunch { kernel, grid, block, shared_bytes, cluster, arguments };
    submit(stream, Work::Launch(launch))
}

/// Copies arguments of these sizes.
///
/// # Safety
///
/// `arguments` is null or has one pointer for each size, each valid for reads of that size.
unsafe fn copy_arguments(
    sizes: &[usize],
    arguments: *const *const c_void,
) -> Result<Vec<Argument>, u32> {
    if sizes.is_empty() {
        return Ok(Vec::new());
    }
    if arguments.is_null() {
        return Err(code::INVALID_VALUE);
    }
    // SAFETY: the caller's duty, and it is not null.
    let pointers = unsafe { slice::from_raw_parts(arguments, sizes.len()) };
    let copies = pointers.iter().zip(sizes).map(|(&from, &bytes)| {
        // SAFETY: the caller's duty.
        unsafe { Argument::copy(from, bytes) }
    });
    Ok(copies.collect())
}

/// Reads the attributes of an extended launch. A dependent launch may start late, and here it does.
fn read_attributes(attributes: &[Attribute]) -> Result<Extras, u32> {
    let mut extras = Extras::NONE;
    for Attribute { id, value, .. } in attributes {
        match *id {
            COOPERATIVE => extras.is_cooperative = value[0] != 0,
            CLUSTER_DIMENSION if value[1..3] != [1, 1] => return Err(code::NOT_SUPPORTED),
            CLUSTER_DIMENSION => extras.cluster = value[0],
            _ => {}
        }
    }
    Ok(extras)
}

/// Checks a cluster as the driver does: so many whole ones, no larger than the kernel may have.
fn check_cluster(function: &Function, shape: Shape, cluster: u32) -> Outcome {
    let most = if function.large_clusters { CLUSTER_MAX } else { CLUSTER_MAX_PORTABLE };
    if cluster == 0 || !shape.grid[0].is_multiple_of(cluster) {
        return Err(code::INVALID_VALUE);
    }
    if cluster > most {
        return Err(code::INVALID_CLUSTER_SIZE);
    }
    Ok(())
}

entry_points! {
    /// Enqueues a kernel.
    fn cuLaunchKernel(
        function: usize,
        grid_x: u32,
        grid_y: u32,
        grid_z: u32,
        block_x: u32,
        block_y: u32,
        block_z: u32,
        shared_bytes: u32,
        stream: usize,
        arguments: *const *const c_void,
        _extra: *const c_void,
    ) {
        let (grid, block) = ([grid_x, grid_y, grid_z], [block_x, block_y, block_z]);
        // SAFETY: the caller vouches for arguments and kernel.
        unsafe {
            launch(function, Shape { grid, block, shared_bytes }, Extras::NONE, stream, arguments)
        }
    }

    /// Enqueues a kernel with attributes.
    fn cuLaunchKernelEx(
        config: Option<&Config>,
        function: usize,
        arguments: *const *const c_void,
        _extra: *const c_void,
    ) {
        let config = config.ok_or(code::INVALID_VALUE)?;
        let mut attributes = &[][..];
        if config.count > 0 && !config.attributes.is_null() {
            // SAFETY: the caller gives `count` attributes, and the pointer is not null.
            attributes =
                unsafe { slice::from_raw_parts(config.attributes, config.count as usize) };
        }
        let extras = read_attributes(attributes)?;
        // SAFETY: the caller vouches for arguments and kernel.
        unsafe { launch(function, config.shape, extras, config.stream, arguments) }
    }
}
