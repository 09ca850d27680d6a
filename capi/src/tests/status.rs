//! Statuses, messages, panics.
use std::ptr;

use super::{Device, done, failed, text};
use crate::runtime::{aikf_runtime_close, aikf_runtime_device, aikf_runtime_open};
use crate::status::{aikf_last_error, aikf_status, guard};
use crate::{AIKF_ABI_VERSION, aikf_abi_version, aikf_version};

#[test]
fn a_status_keeps_its_number() {
    let statuses = [
        aikf_status::Ok,
        aikf_status::NullPointer,
        aikf_status::InvalidArgument,
        aikf_status::Problem,
        aikf_status::Parameter,
        aikf_status::Setting,
        aikf_status::Unsupported,
        aikf_status::Refused,
        aikf_status::Buffer,
        aikf_status::NoDevice,
        aikf_status::NoGpu,
        aikf_status::Torch,
        aikf_status::Driver,
        aikf_status::Panic,
        aikf_status::Other,
    ];
    for (number, status) in statuses.iter().enumerate() {
        assert_eq!(*status as usize, number);
    }
}

#[test]
fn a_panic_is_a_status_with_its_words() {
    let number = 7;
    failed(guard(|| panic!("in {number}")), aikf_status::Panic, "fault of its own: in 7");
    failed(guard(|| panic!("plain")), aikf_status::Panic, "plain");
}

#[test]
fn a_message_is_its_threads_own() {
    // SAFETY: null pointers are refused.
    let fail = || unsafe { aikf_runtime_open(ptr::null(), ptr::null_mut()) };
    let other = std::thread::spawn(|| text(aikf_last_error()));
    failed(fail(), aikf_status::NullPointer, "runtime is null");
    assert_eq!(other.join().unwrap(), "");
    done(guard(|| Ok(())));
    assert_eq!(text(aikf_last_error()), "runtime is null");
}

#[test]
fn versions() {
    assert_eq!(text(aikf_version()), env!("CARGO_PKG_VERSION"));
    assert_eq!(aikf_abi_version(), AIKF_ABI_VERSION);
}

#[test]
fn devices() {
    for name in ["cpu", "emulator"] {
        let device = Device::open(name);
        // SAFETY: the runtime is open.
        assert_eq!(text(unsafe { aikf_runtime_device(device.0) }), name);
    }
    let open = |name: &std::ffi::CStr| {
        let mut runtime = ptr::dangling_mut();
        // SAFETY: both pointers are to live variables.
        let status = unsafe { aikf_runtime_open(name.as_ptr(), &mut runtime) };
        assert!(runtime.is_null());
        status
    };
    failed(open(c"tpu"), aikf_status::InvalidArgument, "device is \"tpu\": it must be one of auto");
    failed(open(c"cu\xffda"), aikf_status::InvalidArgument, "UTF-8");
    // The emulator, which is this process's driver, has one GPU.
    failed(open(c"cuda:7"), aikf_status::NoDevice, "device cuda:7 is not available");
    // SAFETY: null is left alone.
    unsafe { aikf_runtime_close(ptr::null_mut()) };
    // SAFETY: null is refused.
    assert!(unsafe { aikf_runtime_device(ptr::null()) }.is_null());
    assert_eq!(text(aikf_last_error()), "runtime is null");
}
