//! Launches, with the checks of the real driver.

use std::ffi::c_void;
use std::slice;

use cuda_loader::error::code;

use super::entry_points;
use crate::device::{MAX_THREADS, SHARED_OPT_IN};
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
fn check_shape(function: &Function, shape: Shape) -> Outcome {
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
    stream: usize,
    arguments: *const *const c_void,
) -> Outcome {
    let mut state = state::enter()?;
    let function = state.functions.get(function)?;
    let kernel = function.kernel;
    if let Err(code) = check_shape(function, shape) {
        spoil_capture(&mut state, stream)?;
        return Err(code);
    }
    drop(state);
    // SAFETY: the caller's duty.
    let arguments = unsafe { copy_arguments(kernel.parameter_bytes, arguments) }?;
    let (grid, block, shared_bytes) = (shape.grid[0], shape.block[0], shape.shared_bytes);
    submit(stream, Work::Launch(KernelLaunch { kernel, grid, block, shared_bytes, arguments }))
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

/// Checks the attributes of an extended launch. A cooperative launch needs nothing more, because
/// as many blocks are live as the GPU holds; a dependent launch may start late, and here it does.
fn check_attributes(attributes: &[Attribute]) -> Outcome {
    for Attribute { id, value, .. } in attributes {
        let cluster = *id == CLUSTER_DIMENSION && value[..3].iter().any(|&side| side > 1);
        if cluster {
            return Err(code::NOT_SUPPORTED);
        }
    }
    Ok(())
}

/// Enqueues a kernel whose blocks must all be live at once.
///
/// # Safety
///
/// As for [`launch`].
unsafe fn launch_cooperative(
    function: usize,
    shape: Shape,
    stream: usize,
    arguments: *const *const c_void,
) -> Outcome {
    let threads = shape.block.iter().product();
    let blocks = crate::device::occupancy(threads, shape.shared_bytes);
    if shape.grid[0] > blocks * crate::device::MULTIPROCESSORS {
        return Err(code::COOPERATIVE_LAUNCH_TOO_LARGE);
    }
    // SAFETY: the caller's duty.
    unsafe { launch(function, shape, stream, arguments) }
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
        unsafe { launch(function, Shape { grid, block, shared_bytes }, stream, arguments) }
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
        check_attributes(attributes)?;
        let cooperative =
            |attribute: &Attribute| attribute.id == COOPERATIVE && attribute.value[0] != 0;
        if attributes.iter().any(cooperative) {
            // SAFETY: the caller vouches for arguments and kernel.
            return unsafe { launch_cooperative(function, config.shape, config.stream, arguments) };
        }
        // SAFETY: the caller vouches for arguments and kernel.
        unsafe { launch(function, config.shape, config.stream, arguments) }
    }
}
