//! An installed driver answers in place of `libcuda`.

use std::ffi::{CStr, c_void};
use std::ptr::NonNull;

use cuda_loader::api;

/// A driver that can start, has no GPU, and nothing else.
fn lookup(name: &CStr) -> Option<NonNull<c_void>> {
    extern "C" fn init(_flags: u32) -> u32 {
        0
    }
    extern "C" fn device_count(count: &mut i32) -> u32 {
        *count = 0;
        100
    }
    match name.to_bytes() {
        b"cuInit" => NonNull::new(init as *mut c_void),
        b"cuDeviceGetCount" => NonNull::new(device_count as *mut c_void),
        _ => None,
    }
}

#[test]
fn the_installed_driver_answers_and_what_it_lacks_is_an_error() {
    cuda_loader::install(lookup, "test driver").expect("first use");
    cuda_loader::install(lookup, "test driver").expect("the same again");
    assert!(cuda_loader::install(|_| None, "other").is_err());
    assert_eq!(cuda_loader::library(), Ok("test driver"));

    api::init().expect("the test driver starts");
    let error = api::device_count().expect_err("it has no GPU");
    assert!(error.is_no_device() && !error.is_no_driver());
    let error = api::driver_version().expect_err("it lacks this function");
    assert_eq!((error.call, error.code), ("cuDriverGetVersion", 302));
    assert!(error.to_string().contains("too old"), "{error}");
}
