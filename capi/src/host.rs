//! Selections from rows in the host's memory.
use std::ffi::c_void;

use aikf_topk::{Element, IndexType, Problem, Rows, Runtime};

use super::arguments::{elements, optional_elements, write};
use super::calls::Call;
use super::status::Fault;
use super::topk_options::Wish;

/// An index as C gets it.
pub(crate) trait HostIndex: IndexType {
    /// From the library's, of which `u32::MAX` is none.
    fn of(index: u32) -> Self;
}

impl HostIndex for u32 {
    fn of(index: u32) -> u32 {
        index
    }
}

impl HostIndex for i64 {
    fn of(index: u32) -> i64 {
        if index == u32::MAX { -1 } else { index.into() }
    }
}

/// Selects on whatever device, and waits for the answer.
///
/// # Safety
/// The pointers of the call are null or the host's, of as many elements as the wish says.
pub(crate) unsafe fn select<T: Element, I: HostIndex>(
    runtime: &Runtime,
    wish: &Wish,
    call: &Call,
) -> Result<(), Fault> {
    let Wish { topk, problem } = wish;
    let Problem { rows, n, row_stride, .. } = *problem;
    if rows > 0 {
        call.check()?;
    }
    // SAFETY: the caller's duty, unchanged.
    let input = unsafe { elements("input", call.input.cast::<T>(), problem.input_elements()) }?;
    let mut view = Rows::with_stride(input, rows, n, row_stride)?;
    // SAFETY: the caller's duty, unchanged.
    if let Some(lengths) = unsafe { optional_elements("lengths", call.lengths, rows) }? {
        view = view.with_lengths(lengths)?;
    }
    let answer = topk.select(runtime, view)?;
    let indices: Vec<I> = answer.indices.iter().map(|&index| I::of(index)).collect();
    // SAFETY: the caller's duty, unchanged.
    unsafe { write("values", call.values.cast::<T>(), &answer.values) }?;
    // SAFETY: the caller's duty, unchanged.
    unsafe { write("indices", call.indices.cast::<I>(), &indices) }
}

/// There are no streams on the host's cores.
pub(crate) fn check_no_stream(stream: *mut c_void) -> Result<(), Fault> {
    match stream.is_null() {
        true => Ok(()),
        false => Err(Fault::argument(
            "stream",
            format!("{stream:?}"),
            "the host's cores have no streams; pass NULL",
        )),
    }
}
