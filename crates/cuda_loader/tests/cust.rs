//! The crate cust, linked against this crate's symbols rather than `libcuda`.
//!
//! cust's own functions are called here, so this program would not even link or start without
//! the forwarders on a machine without CUDA.

use cuda_loader as _;
use cust::error::{CudaError, CudaResult};
use cust::prelude::*;

/// Counts the GPUs, as a program would start.
fn devices() -> CudaResult<u32> {
    cust::init(CudaFlags::empty())?;
    Device::num_devices()
}

#[test]
fn a_machine_without_driver_gives_an_error_value_that_says_so() {
    let result = devices();
    if cuda_loader::library().is_ok() {
        println!("skipped: this machine has a driver, which answers {result:?}");
        return;
    }
    let error = result.expect_err("there is no driver");
    assert_eq!(error, CudaError::NoDevice);
    assert!(error.to_string().contains("no NVIDIA driver: libcuda.so.1"), "{error}");
}

#[test]
fn calls_without_a_driver_fail_one_by_one_and_never_panic() {
    if cuda_loader::library().is_ok() {
        println!("skipped: this machine has a driver");
        return;
    }
    assert!(Device::get_device(0).is_err());
    assert!(DeviceBuffer::<u32>::zeroed(4).is_err());
    assert!(Event::new(EventFlags::DEFAULT).is_err());
    assert!(Stream::new(StreamFlags::NON_BLOCKING, None).is_err());
    assert!(Module::from_ptx("", &[]).is_err());
}

#[test]
fn every_error_of_cust_prints() {
    for error in [CudaError::InvalidValue, CudaError::LaunchFailed, CudaError::UnknownError] {
        assert!(!error.to_string().is_empty());
    }
}
