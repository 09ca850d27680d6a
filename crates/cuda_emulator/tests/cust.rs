//! The crate cust, unchanged, on the emulator.

mod common;

use cuda_loader as _;
use cust::error::CudaError;
use cust::prelude::*;

#[test]
fn buffers_kernels_streams_and_events_work() {
    cuda_emulator::install(common::KERNELS).expect("the first driver of this process");
    let _context = cust::quick_init().expect("a context");
    let device = Device::get_device(0).expect("a GPU");
    assert_eq!(device.name().as_deref(), Ok("aikf emulator"));

    let mut data = DeviceBuffer::from_slice(&[1u32, 2, 3, 4]).expect("upload");
    let stream = Stream::new(StreamFlags::NON_BLOCKING, None).expect("a stream");
    let start = Event::new(EventFlags::DEFAULT).expect("an event");
    let end = Event::new(EventFlags::DEFAULT).expect("an event");
    let module = Module::from_ptx(common::PTX, &[]).expect("a module");
    let add = module.get_function("add_u32").expect("a kernel");

    start.record(&stream).expect("record");
    let (pointer, amount, count) = (data.as_device_ptr(), 5u32, 4u32);
    // SAFETY: the arguments are those that the kernel declares, and `data` has four words.
    let launched = unsafe { launch!(add<<<1, 32, 0, stream>>>(pointer, amount, count)) };
    launched.expect("a valid launch");
    end.record(&stream).expect("record");
    stream.synchronize().expect("no fault");
    end.synchronize().expect("no fault");

    assert!(end.elapsed_time_f32(&start).expect("both were recorded") >= 0.0);
    assert_eq!(data.as_host_vec().expect("download"), [6, 7, 8, 9]);
    data.copy_from(&[0; 4]).expect("upload");
    assert_eq!(DeviceBuffer::<u32>::zeroed(3).and_then(|b| b.as_host_vec()), Ok(vec![0; 3]));
    assert_eq!(module.get_function("absent").err(), Some(CudaError::NotFound));
    assert_eq!(Module::from_ptx(".version 8.0", &[]).err(), Some(CudaError::InvalidPtx));
    assert!(CudaError::InvalidPtx.to_string().contains("does not assemble"));
}
