//! Modules: PTX text whose kernels are in the registry.

use std::ffi::{CStr, c_char, c_void};
use std::mem::MaybeUninit;
use std::slice;

use cuda_loader::error::code;

use super::{Out, entry_points, give};
use crate::device::SHARED_DEFAULT;
use crate::ptx;
use crate::state::{self, Function};

/// `CU_JIT_ERROR_LOG_BUFFER`: where complaints go.
const LOG_BUFFER: u32 = 5;
/// `CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES`: how much room there is.
const LOG_BUFFER_BYTES: u32 = 6;

/// Loads PTX text. Text that is none gives a code, and the reason for the log.
///
/// # Safety
///
/// `image` is null or zero-terminated text.
unsafe fn load(module: Out<'_, usize>, image: *const c_char) -> Result<(), (u32, String)> {
    let plain = |code| (code, String::new());
    let mut state = state::enter().map_err(plain)?;
    if image.is_null() {
        return Err(plain(code::INVALID_VALUE));
    }
    // SAFETY: the caller's duty, and it is not null.
    let text = unsafe { CStr::from_ptr(image) }.to_string_lossy();
    let names = ptx::entry_names(&text)?;
    give(module, state.modules.insert(names)).map_err(plain)
}

/// Writes `text` to the log buffer that the options of a load name, if they do.
///
/// # Safety
///
/// `options` and `values` are null or have `count` members each; where they name a log buffer, it
/// has the size they give.
unsafe fn write_log(text: &str, count: u32, options: *const u32, values: *const *mut c_void) {
    if count == 0 || options.is_null() || values.is_null() {
        return;
    }
    // SAFETY: the caller's duty, and it is not null.
    let options = unsafe { slice::from_raw_parts(options, count as usize) };
    // SAFETY: the caller's duty, and it is not null.
    let values = unsafe { slice::from_raw_parts(values, count as usize) };
    let value = |wanted| {
        let found = options.iter().position(|&option| option == wanted);
        found.map(|index| values[index])
    };
    let (Some(buffer), Some(room)) = (value(LOG_BUFFER), value(LOG_BUFFER_BYTES)) else {
        return;
    };
    // The size is passed in place of a pointer.
    let room = room.addr();
    if buffer.is_null() || room == 0 {
        return;
    }
    // SAFETY: the caller's duty, and it is not null.
    let buffer = unsafe { slice::from_raw_parts_mut(buffer.cast::<MaybeUninit<u8>>(), room) };
    for (to, byte) in buffer.iter_mut().zip(text.bytes().take(room - 1).chain([0])) {
        to.write(byte);
    }
}

entry_points! {
    /// Loads PTX text.
    fn cuModuleLoadData(module: Out<'_, usize>, image: *const c_char) {
        // SAFETY: the caller gives zero-terminated text.
        unsafe { load(module, image) }.map_err(|(code, _)| code)
    }

    /// Loads PTX text with options, of which the error log counts.
    fn cuModuleLoadDataEx(
        module: Out<'_, usize>,
        image: *const c_char,
        count: u32,
        options: *const u32,
        values: *const *mut c_void,
    ) {
        // SAFETY: the caller gives zero-terminated text.
        let loaded = unsafe { load(module, image) };
        loaded.map_err(|(code, log)| {
            // SAFETY: the caller gives arrays of `count` members and a buffer of the size told.
            unsafe { write_log(&log, count, options, values) };
            code
        })
    }

    /// Ends a module and its functions.
    fn cuModuleUnload(module: usize) {
        let mut state = state::enter()?;
        state.modules.remove(module)?;
        state.functions.retain(|function| function.module != module);
        Ok(())
    }

    /// A kernel by name: one that the PTX declares and the registry has.
    fn cuModuleGetFunction(function: Out<'_, usize>, module: usize, name: *const c_char) {
        let mut state = state::enter()?;
        if name.is_null() {
            return Err(code::INVALID_VALUE);
        }
        // SAFETY: the caller gives zero-terminated text, and it is not null.
        let name = unsafe { CStr::from_ptr(name) }.to_str().map_err(|_| code::NOT_FOUND)?;
        if !state.modules.get(module)?.contains(name) {
            return Err(code::NOT_FOUND);
        }
        let Some(kernel) = state.kernel(name) else {
            eprintln!("{}: the registry has no kernel {name}", crate::DRIVER_NAME);
            return Err(code::NOT_FOUND);
        };
        let max_dynamic_shared = SHARED_DEFAULT;
        let function_of =
            Function { module, kernel, max_dynamic_shared, large_clusters: false };
        give(function, state.functions.insert(function_of))
    }

    /// A variable by name: the emulator has none.
    fn cuModuleGetGlobal_v2(
        _address: Out<'_, usize>,
        _bytes: Out<'_, usize>,
        module: usize,
        _name: *const c_char,
    ) {
        state::enter()?.modules.get(module)?;
        Err(code::NOT_FOUND)
    }
}
