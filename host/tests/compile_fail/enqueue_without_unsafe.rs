//! Whoever enqueues vouches for the buffers.
use aikf_topk::{DeviceSlice, DeviceSliceMut, Error, PreparedTopK, StreamRef};

fn call(
    topk: &mut PreparedTopK<f32>,
    input: DeviceSlice<f32>,
    values: DeviceSliceMut<f32>,
    indices: DeviceSliceMut<u32>,
    stream: StreamRef,
) -> Result<(), Error> {
    topk.enqueue(input, values, indices, stream)
}

fn main() {}
