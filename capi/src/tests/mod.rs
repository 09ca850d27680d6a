//! The functions as C calls them, on the host's cores and the emulator. Nothing opens a GPU here: a
//! process has one driver, and here it is the emulator's.
mod sampler;
mod status;
mod topk;

use std::ffi::{CStr, CString, c_char, c_void};
use std::{mem, ptr};

use cuda_loader::DevicePtr;
use cuda_loader::api;

use crate::runtime::{aikf_runtime, aikf_runtime_close, aikf_runtime_open};
use crate::status::{aikf_last_error, aikf_status};

/// An open runtime.
struct Device(*mut aikf_runtime);

impl Device {
    fn open(name: &str) -> Device {
        let name = CString::new(name).unwrap();
        let mut runtime = ptr::null_mut();
        // SAFETY: both pointers are to live variables.
        let status = unsafe { aikf_runtime_open(name.as_ptr(), &mut runtime) };
        done(status);
        Device(runtime)
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        // SAFETY: opened above, and gone after this.
        unsafe { aikf_runtime_close(self.0) };
    }
}

/// Memory of the emulator.
struct Memory(DevicePtr, usize);

impl Memory {
    fn of<T: Copy>(data: &[T]) -> Memory {
        let memory = Memory::new(mem::size_of_val(data));
        let stream = api::stream_create().unwrap();
        // SAFETY: both sides have the bytes, and the stream is waited for.
        unsafe { api::memcpy_htod_async(memory.0, data.as_ptr().cast(), memory.1, stream) }
            .unwrap();
        wait(stream);
        memory
    }

    fn new(bytes: usize) -> Memory {
        Memory(api::mem_alloc(bytes).unwrap(), bytes)
    }

    fn pointer<T>(&self) -> *mut T {
        self.0.0 as *mut T
    }

    /// What is there once everything before is done.
    fn read<T: Copy + Default>(&self) -> Vec<T> {
        let mut data = vec![T::default(); self.1 / size_of::<T>()];
        let stream = api::stream_create().unwrap();
        // SAFETY: both sides have the bytes, and the stream is waited for.
        unsafe { api::memcpy_dtoh_async(data.as_mut_ptr().cast(), self.0, self.1, stream) }
            .unwrap();
        wait(stream);
        data
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: allocated above; the tests wait for what uses it.
        unsafe { api::mem_free(self.0) }.unwrap();
    }
}

/// Waits for a stream, and destroys it.
fn wait(stream: cuda_loader::Stream) {
    // SAFETY: the stream is live.
    unsafe { api::stream_synchronize(stream) }.unwrap();
    // SAFETY: as above, and it is not used again.
    unsafe { api::stream_destroy(stream) }.unwrap();
}

/// Runs `call` on a stream of the emulator, and waits for it.
fn on_stream(call: impl FnOnce(*mut c_void)) {
    let stream = api::stream_create().unwrap();
    call(stream.0);
    wait(stream);
}

fn text(pointer: *const c_char) -> String {
    assert!(!pointer.is_null());
    // SAFETY: the library's texts end in a zero byte.
    unsafe { CStr::from_ptr(pointer) }.to_str().unwrap().to_string()
}

/// The call went well, or its message is the test's.
fn done(status: aikf_status) {
    assert_eq!(status, aikf_status::Ok, "{}", text(aikf_last_error()));
}

/// The call failed so, with these words in its message.
fn failed(status: aikf_status, expected: aikf_status, words: &str) {
    let message = text(aikf_last_error());
    assert_eq!(status, expected, "{message}");
    assert!(message.contains(words), "{message:?} without {words:?}");
}

/// Numbers with many equals, the same in every run.
fn numbers(count: usize) -> Vec<f32> {
    (0..count).map(|i| (i * 7919 % 1009) as f32 / 100.0 - 5.0).collect()
}
