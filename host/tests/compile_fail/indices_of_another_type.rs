//! Indices of these prepared calls are `u32`.
use aikf_topk::{DeviceSlice, DeviceSliceMut, Error, PreparedTopK, StreamRef};

fn call(
    topk: &mut PreparedTopK<f32>,
    input: DeviceSlice<f32>,
    values: DeviceSliceMut<f32>,
    indices: DeviceSliceMut<i64>,
    stream: StreamRef,
) -> Result<(), Error> {
    // SAFETY: it does not compile.
    unsafe { topk.enqueue(input, values, indices, stream) }
}

fn main() {}
