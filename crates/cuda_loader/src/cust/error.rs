//! Errors as cust takes them.
//!
//! cust reads the driver's code into a Rust enum, so a code that its enum lacks would be
//! undefined behaviour: [`for_cust`] lets only known ones through. And cust prints an error with
//! the text of `cuGetErrorString`, and panics if that call fails: ours never does.

use std::ffi::{CString, c_char};
use std::sync::OnceLock;

use crate::error::{self, code, no_driver_text};
use crate::provider::missing_reason;

/// The code that stands for `code` in cust 0.3: itself if cust's enum `cudaError_enum` has it.
///
/// "No driver" becomes "no device", because cust gives no error of its own to the former and
/// programs made for cust look for the latter.
pub(super) fn for_cust(code: u32) -> u32 {
    match code {
        code::STUB_LIBRARY => code::NO_DEVICE,
        0..=8 | 100..=102 | 200..=202 | 205..=224 | 300..=304 | 400 | 401 | 500 | 600 => code,
        700..=705 | 708..=720 | 800..=809 | 900..=911 => code,
        _ => code::UNKNOWN,
    }
}

/// Writes the meaning of `code` to `text`, and succeeds always.
///
/// # Safety
///
/// `text` is null or a place for a pointer.
pub(super) unsafe extern "C" fn error_string(code: u32, text: *mut *const c_char) -> u32 {
    if text.is_null() {
        return code::INVALID_VALUE;
    }
    // SAFETY: the caller vouches for the place, which is not null.
    unsafe { text.write(message(code)) };
    0
}

/// The text for `code`, which lives as long as the program.
fn message(code: u32) -> *const c_char {
    static NO_DRIVER: OnceLock<CString> = OnceLock::new();
    if code == code::NO_DEVICE && missing_reason().is_some() {
        // The system's own text has no zero byte, so the empty text is never made.
        let text = NO_DRIVER.get_or_init(|| CString::new(no_driver_text()).unwrap_or_default());
        return text.as_ptr();
    }
    leaked(code)
}

/// The meaning of `code` with a zero byte at its end, made once for each code and kept.
fn leaked(code: u32) -> *const c_char {
    use std::collections::BTreeMap;
    use std::sync::{Mutex, PoisonError};

    static TEXTS: Mutex<BTreeMap<u32, CString>> = Mutex::new(BTreeMap::new());
    let mut texts = TEXTS.lock().unwrap_or_else(PoisonError::into_inner);
    let make = || CString::new(error::meaning(code)).unwrap_or_default();
    // Entries are never removed or replaced, and a CString keeps its text on the heap, where the
    // map's own moves leave it in place.
    texts.entry(code).or_insert_with(make).as_ptr()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CStr;

    #[test]
    fn codes_outside_of_custs_enum_become_unknown() {
        for (code, expected) in [(0, 0), (34, 100), (719, 719), (912, 999), (204, 999), (46, 999)] {
            assert_eq!(for_cust(code), expected, "{code}");
        }
    }

    #[test]
    fn every_code_has_a_text() {
        for code in [0, 1, 100, 719, 999, 123_456] {
            let mut text = std::ptr::null();
            // SAFETY: the place is a local variable.
            assert_eq!(unsafe { error_string(code, &mut text) }, 0);
            // SAFETY: the call above succeeded, so the text is zero-terminated and lives on.
            assert!(!unsafe { CStr::from_ptr(text) }.is_empty());
        }
    }
}
