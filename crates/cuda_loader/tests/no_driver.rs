//! What a machine without a driver is told, through the public functions.

use cuda_loader::api;

#[test]
fn init_says_that_there_is_no_driver() {
    let Err(missing) = cuda_loader::library() else {
        println!("skipped: this machine has the driver {}", cuda_loader::driver_name());
        return;
    };
    assert!(missing.is_no_driver());
    assert_eq!(cuda_loader::driver_name(), "none");

    let error = api::init().expect_err("there is no driver");
    assert!(error.is_no_driver() && !error.is_no_device());
    let text = error.to_string();
    assert!(text.starts_with("cuInit failed: no NVIDIA driver: libcuda.so.1 could not"), "{text}");
    assert!(text.contains("install the NVIDIA driver"), "{text}");
}

#[test]
fn a_driver_cannot_be_installed_once_another_is_in_use() {
    let in_use = cuda_loader::driver_name();
    let refused = cuda_loader::install(|_| None, "late").expect_err("the driver is chosen");
    assert_eq!((refused.refused, refused.in_use), ("late", in_use));
    assert!(refused.to_string().contains("install before the first CUDA call"), "{refused}");
}
