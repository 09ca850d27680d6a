//! From C's arguments to Rust's types, each checked as far as that can be.
use std::ffi::{CStr, c_char};
use std::slice;

use super::status::Fault;

/// What a pointer points to.
///
/// # Safety
/// The pointer is null, or that of a live value that nobody writes for the lifetime.
pub(crate) unsafe fn reference<'a, T>(
    name: &'static str,
    pointer: *const T,
) -> Result<&'a T, Fault> {
    // SAFETY: the caller's duty, unchanged.
    unsafe { pointer.as_ref() }.ok_or(Fault::Null(name))
}

/// What a handle points to.
///
/// # Safety
/// The pointer is null, or that of a live value that nobody else uses for the lifetime.
pub(crate) unsafe fn reference_mut<'a, T>(
    name: &'static str,
    pointer: *mut T,
) -> Result<&'a mut T, Fault> {
    // SAFETY: the caller's duty, unchanged.
    unsafe { pointer.as_mut() }.ok_or(Fault::Null(name))
}

/// Makes a value and gives it to the caller, who need not have initialised the room for it.
///
/// # Safety
/// `out` is null, or has room for the value.
pub(crate) unsafe fn put<T>(
    name: &'static str,
    out: *mut T,
    make: impl FnOnce() -> Result<T, Fault>,
) -> Result<(), Fault> {
    if out.is_null() {
        return Err(Fault::Null(name));
    }
    let value = make()?;
    // SAFETY: it is not null, and the caller vouches for the room.
    unsafe { out.write(value) };
    Ok(())
}

/// Makes a value and gives the caller a handle to it; null where that fails.
///
/// # Safety
/// `out` is null, or has room for a pointer.
pub(crate) unsafe fn give<T>(
    name: &'static str,
    out: *mut *mut T,
    make: impl FnOnce() -> Result<T, Fault>,
) -> Result<(), Fault> {
    // SAFETY: the caller's duty, unchanged.
    unsafe { put(name, out, || Ok(std::ptr::null_mut())) }?;
    let made = Box::new(make()?);
    // SAFETY: as above.
    unsafe { put(name, out, || Ok(Box::into_raw(made))) }
}

/// A text; none for null.
///
/// # Safety
/// The pointer is null, or that of a text that ends in a zero byte and that nobody writes for the
/// lifetime.
pub(crate) unsafe fn text<'a>(
    name: &'static str,
    pointer: *const c_char,
) -> Result<Option<&'a str>, Fault> {
    if pointer.is_null() {
        return Ok(None);
    }
    // SAFETY: the pointer is not null, and the caller vouches for the text.
    let text = unsafe { CStr::from_ptr(pointer) };
    let utf8 = text.to_str();
    utf8.map(Some).map_err(|_| Fault::argument(name, format!("{text:?}"), "it must be UTF-8"))
}

/// Elements in the host's memory; a null pointer will do for none of them.
///
/// # Safety
/// The pointer is null, or that of `count` elements that nobody writes for the lifetime.
pub(crate) unsafe fn elements<'a, T>(
    name: &'static str,
    pointer: *const T,
    count: usize,
) -> Result<&'a [T], Fault> {
    if count == 0 {
        return Ok(&[]);
    }
    check_host_address(name, pointer)?;
    // SAFETY: the pointer is neither null nor askew, and the caller vouches for the elements.
    Ok(unsafe { slice::from_raw_parts(pointer, count) })
}

/// Elements in the host's memory that are there or not.
///
/// # Safety
/// As for [`elements`].
pub(crate) unsafe fn optional_elements<'a, T>(
    name: &'static str,
    pointer: *const T,
    count: usize,
) -> Result<Option<&'a [T]>, Fault> {
    if pointer.is_null() {
        return Ok(None);
    }
    // SAFETY: the caller's duty, unchanged.
    unsafe { elements(name, pointer, count) }.map(Some)
}

/// Writes elements to the host's memory.
///
/// # Safety
/// The pointer is null, or has room for `source` that nobody else uses.
pub(crate) unsafe fn write<T: Copy>(
    name: &'static str,
    pointer: *mut T,
    source: &[T],
) -> Result<(), Fault> {
    if source.is_empty() {
        return Ok(());
    }
    check_host_address(name, pointer)?;
    // SAFETY: the pointer is neither null nor askew, and the caller vouches for the room.
    unsafe { pointer.copy_from_nonoverlapping(source.as_ptr(), source.len()) };
    Ok(())
}

fn check_host_address<T>(name: &'static str, pointer: *const T) -> Result<(), Fault> {
    if pointer.is_null() {
        return Err(Fault::Null(name));
    }
    match pointer.is_aligned() {
        true => Ok(()),
        false => Err(Fault::argument(
            name,
            format!("{pointer:?}"),
            format!("it must be a multiple of {}, as its elements demand", align_of::<T>()),
        )),
    }
}

/// Whether a flag is set.
pub(crate) fn flag(name: &'static str, value: u32) -> Result<bool, Fault> {
    match value {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Fault::argument(name, value, "it must be 0 or 1")),
    }
}

/// What a number of C stands for, in a table of numbers.
pub(crate) fn one_of<T: Copy>(
    name: &'static str,
    value: u32,
    table: &[(u32, T)],
    legal: &'static str,
) -> Result<T, Fault> {
    let found = table.iter().find(|(number, _)| *number == value);
    found.map(|(_, meaning)| *meaning).ok_or_else(|| Fault::argument(name, value, legal))
}

/// Whether a struct is of the size that this library knows.
pub(crate) fn struct_size<T>(name: &'static str, given: usize) -> Result<(), Fault> {
    let known = size_of::<T>();
    match given == known {
        true => Ok(()),
        false => Err(Fault::argument(
            name,
            given,
            format!(
                "this library knows one of {known} bytes; set it to sizeof of the struct, and \
                     build with the header of this library"
            ),
        )),
    }
}

/// Names and values of knobs, as in `stage1_warps=8,stage2_tile=512`.
pub(crate) fn knobs(text: &str) -> Result<Vec<(aikf_topk::Knob, &str)>, Fault> {
    let pairs = text.split(',').map(str::trim).filter(|pair| !pair.is_empty());
    pairs.map(knob).collect()
}

fn knob(pair: &str) -> Result<(aikf_topk::Knob, &str), Fault> {
    let split = pair.split_once('=').map(|(key, value)| (key.trim(), value.trim()));
    let all = || aikf_topk::Knob::ALL.iter().copied();
    let found = split.and_then(|(key, value)| {
        let knob = all().find(|knob| knob.spec().key == key)?;
        Some((knob, value))
    });
    found.ok_or_else(|| {
        let keys: Vec<_> = all().map(|knob| knob.spec().key).collect();
        let legal = format!("each must be KEY=VALUE, KEY being one of {}", keys.join(", "));
        Fault::argument("knobs", format!("{pair:?}"), legal)
    })
}

/// Takes a handle back and drops it.
///
/// # Safety
/// The pointer is null, or one of [`give`] that is not used again.
pub(crate) unsafe fn free<T>(pointer: *mut T) {
    if pointer.is_null() {
        return;
    }
    // SAFETY: it comes from `give`, and the caller gives it up.
    let owned = unsafe { Box::from_raw(pointer) };
    // There is no status to return: the message is what is left of a failure.
    super::status::guard(|| {
        drop(owned);
        Ok(())
    });
}
