//! The answer cannot be written over the rows it is chosen from.
use aikf_topk::{DeviceSlice, DeviceSliceMut, Error, PreparedTopK, StreamRef};
use cust::memory::DeviceBuffer;

fn call(
    topk: &mut PreparedTopK<f32>,
    rows: &mut DeviceBuffer<f32>,
    indices: &mut DeviceBuffer<u32>,
    stream: StreamRef,
) -> Result<(), Error> {
    let input = DeviceSlice::from(&*rows);
    let values = DeviceSliceMut::from(rows);
    // SAFETY: it does not compile.
    unsafe { topk.enqueue(input, values, indices, stream) }
}

fn main() {}
