//! Selections.
use std::ffi::{CStr, c_void};
use std::{mem, ptr};

use half::bf16;

use super::{Device, Memory, done, failed, numbers, on_stream, text};
use crate::status::aikf_status;
use crate::topk::*;
use crate::topk_options::{aikf_dtype, aikf_index, aikf_topk_options};

const ROWS: usize = 3;
const N: usize = 2500;
const K: usize = 17;

fn options(k: usize) -> aikf_topk_options {
    aikf_topk_options {
        struct_size: size_of::<aikf_topk_options>(),
        rows: ROWS,
        n: N,
        k,
        // SAFETY: zeros are legal numbers, and null pointers.
        ..unsafe { mem::zeroed() }
    }
}

/// `aikf_topk_select` on slices.
fn select<T: Copy + Default, I: Copy + Default>(
    device: &Device,
    options: &aikf_topk_options,
    input: &[T],
    lengths: Option<&[u32]>,
) -> (Vec<T>, Vec<I>) {
    let outputs = options.rows * options.k;
    let (mut values, mut indices) = (vec![T::default(); outputs], vec![I::default(); outputs]);
    let lengths = lengths.map_or(ptr::null(), <[u32]>::as_ptr);
    let (to_values, to_indices) = (values.as_mut_ptr().cast(), indices.as_mut_ptr().cast());
    let input = input.as_ptr().cast();
    // SAFETY: the slices have what the options say.
    done(unsafe { aikf_topk_select(device.0, options, input, lengths, to_values, to_indices) });
    (values, indices)
}

/// Prepares, lets `use_it` use the handle, and frees it.
fn prepared(device: &Device, options: &aikf_topk_options, use_it: impl FnOnce(*mut aikf_topk)) {
    let mut topk = ptr::null_mut();
    // SAFETY: all pointers are to live variables.
    done(unsafe { aikf_topk_prepare(device.0, options, &mut topk) });
    use_it(topk);
    // SAFETY: prepared above, and nothing is in flight.
    unsafe { aikf_topk_free(topk) };
}

/// Runs a prepared selection on the emulator's memory.
fn run<T: Copy + Default, I: Copy + Default>(
    topk: *mut aikf_topk,
    input: &[T],
) -> (Vec<T>, Vec<I>) {
    let input = Memory::of(input);
    let (values, indices) =
        (Memory::new(ROWS * K * size_of::<T>()), Memory::new(ROWS * K * size_of::<I>()));
    on_stream(|stream| {
        let (to_values, to_indices) = (values.pointer(), indices.pointer());
        // SAFETY: the memory is as large, and the stream is waited for.
        let run = |lengths| unsafe {
            aikf_topk_run(topk, input.pointer(), lengths, to_values, to_indices, stream)
        };
        done(run(ptr::null()));
        done(run(ptr::null())); // again, in the same workspace
    });
    (values.read(), indices.read())
}

#[test]
fn the_best_in_order_and_equals_by_index() {
    for name in ["cpu", "emulator"] {
        let device = Device::open(name);
        let rows = [1.0f32, 5.0, f32::NAN, 5.0, 0.5, -1.0, -2.0, -1.0];
        let largest = aikf_topk_options { rows: 2, n: 4, ..options(3) };
        let (values, indices) = select::<f32, u32>(&device, &largest, &rows, None);
        assert_eq!(indices, [2, 1, 3, 0, 1, 3]);
        assert!(values[0].is_nan());
        assert_eq!(values[1..], [5.0, 5.0, 0.5, -1.0, -1.0]);
        let smallest = aikf_topk_options { smallest: 1, index: aikf_index::I64 as u32, ..largest };
        let (values, indices) = select::<f32, i64>(&device, &smallest, &rows, Some(&[4, 2]));
        assert_eq!(indices, [0, 1, 3, 1, 0, -1], "{name}");
        assert_eq!(values, [1.0, 5.0, 5.0, -1.0, 0.5, f32::INFINITY]);
    }
}

#[test]
fn prepared_on_the_emulator_as_on_the_hosts_cores() {
    let (cpu, emulator) = (Device::open("cpu"), Device::open("emulator"));
    let data = numbers(ROWS * N);
    let wide = aikf_topk_options { index: aikf_index::I64 as u32, ..options(K) };
    let expected = select::<f32, i64>(&cpu, &wide, &data, None);
    for backend in [c"auto", c"stream", c"radix"] {
        let named = aikf_topk_options { backend: backend.as_ptr(), ..wide };
        prepared(&emulator, &named, |topk| assert_eq!(run(topk, &data), expected));
    }
    let halves: Vec<bf16> = data.iter().copied().map(bf16::from_f32).collect();
    let narrow = aikf_topk_options { dtype: aikf_dtype::Bf16 as u32, ..options(K) };
    let expected = select::<bf16, u32>(&cpu, &narrow, &halves, None);
    prepared(&emulator, &narrow, |topk| assert_eq!(run(topk, &halves), expected));
}

#[test]
fn prepared_on_the_hosts_cores() {
    let (device, options, data) = (Device::open("cpu"), options(K), numbers(ROWS * N));
    let expected = select::<f32, u32>(&device, &options, &data, None);
    prepared(&device, &options, |topk| {
        let (mut values, mut indices) = (vec![0f32; ROWS * K], vec![0u32; ROWS * K]);
        let (to_values, to_indices) = (values.as_mut_ptr().cast(), indices.as_mut_ptr().cast());
        // SAFETY: the slices have what the options say.
        let run = |stream| unsafe {
            let input = data.as_ptr().cast();
            aikf_topk_run(topk, input, ptr::null(), to_values, to_indices, stream)
        };
        failed(run(ptr::dangling_mut()), aikf_status::InvalidArgument, "have no streams");
        done(run(ptr::null_mut()));
        assert_eq!((values, indices), expected);
    });
}

#[test]
fn a_workspace_of_the_callers() {
    let device = Device::open("emulator");
    // `radix` needs one, whatever the shape.
    let options = aikf_topk_options { backend: c"radix".as_ptr(), ..options(K) };
    let mut bytes = usize::MAX;
    // SAFETY: all pointers are to live variables.
    done(unsafe { aikf_topk_workspace_bytes(device.0, &options, &mut bytes) });
    assert!(bytes > 0 && bytes < 1 << 30);
    let memory = Memory::new(bytes + 8);
    let mut topk = ptr::null_mut();
    let mut prepare = |workspace: *mut c_void, bytes| {
        // SAFETY: the workspace is as large where it is not refused, and nobody else's.
        unsafe { aikf_topk_prepare_in(device.0, &options, workspace, bytes, &mut topk) }
    };
    failed(prepare(ptr::null_mut(), bytes), aikf_status::NullPointer, "workspace is null");
    let askew = memory.pointer::<u8>().wrapping_add(4).cast();
    failed(prepare(askew, bytes), aikf_status::InvalidArgument, "multiple of 8");
    failed(prepare(memory.pointer(), bytes - 1), aikf_status::Buffer, "the workspace, in bytes,");
    done(prepare(memory.pointer(), bytes));
    let data = numbers(ROWS * N);
    let expected = select::<f32, u32>(&device, &options, &data, None);
    assert_eq!(run(topk, &data), expected);
    // SAFETY: prepared above, and nothing is in flight.
    unsafe { aikf_topk_free(topk) };
}

#[test]
fn knobs_and_what_is_explained() {
    let device = Device::open("emulator");
    let knobs = c"stage1_warps=4, stage2_tile=512";
    let (knobs, backend) = (knobs.as_ptr(), c"stream".as_ptr());
    prepared(&device, &aikf_topk_options { knobs, backend, ..options(K) }, |topk| {
        // SAFETY: the handle is live.
        let explanation = text(unsafe { aikf_topk_explain(topk) });
        assert!(explanation.contains("backend stream: asked for"), "{explanation}");
        assert!(explanation.contains("set by the caller"), "{explanation}");
    });
}

#[test]
fn wrong_options_get_their_numbers_back() {
    let device = Device::open("emulator");
    let with_text = |backend: &'static CStr, knobs: &'static CStr| aikf_topk_options {
        backend: backend.as_ptr(),
        knobs: knobs.as_ptr(),
        ..options(K)
    };
    use aikf_status::{InvalidArgument, NoGpu, Problem, Refused, Setting};
    let wrong = [
        (options(N + 1), Problem, "k = 2501: a row has only n = 2500 elements"),
        (options(0), Problem, "k = 0: at least 1"),
        (aikf_topk_options { row_stride: 9, ..options(K) }, Problem, "row_stride = 9"),
        (aikf_topk_options { rows: usize::MAX, ..options(K) }, Problem, "overflows"),
        (aikf_topk_options { dtype: 3, ..options(K) }, InvalidArgument, "dtype is 3: it must be"),
        (aikf_topk_options { index: 2, ..options(K) }, InvalidArgument, "index is 2"),
        (aikf_topk_options { smallest: 2, ..options(K) }, InvalidArgument, "must be 0 or 1"),
        (aikf_topk_options { unsorted: 9, ..options(K) }, InvalidArgument, "unsorted is 9"),
        (aikf_topk_options { struct_size: 8, ..options(K) }, InvalidArgument, "struct_size is 8"),
        (with_text(c"quick", c""), InvalidArgument, "backend is \"quick\": it must be one of auto"),
        (with_text(c"torch", c""), Refused, "--features torch"),
        (with_text(c"cpu", c""), NoGpu, "backend cpu reads the host's memory"),
        (with_text(c"auto", c"warps=4"), InvalidArgument, "stage1_warps, "),
        (with_text(c"auto", c"stage1_warps"), InvalidArgument, "KEY=VALUE"),
        (with_text(c"auto", c"stage1_warps=3"), Setting, "a power of two from 1 to 32"),
    ];
    for (options, status, words) in wrong {
        let mut topk = ptr::dangling_mut();
        // SAFETY: all pointers are to live variables.
        failed(unsafe { aikf_topk_prepare(device.0, &options, &mut topk) }, status, words);
        assert!(topk.is_null());
    }
}

#[test]
fn null_pointers_are_refused() {
    let null = aikf_status::NullPointer;
    let (device, some) = (Device::open("emulator"), options(K));
    let (mut topk, mut bytes) = (ptr::null_mut(), 0);
    let data = numbers(ROWS * N);
    // SAFETY: what is not null is live.
    let prepare = |runtime, options, out| unsafe { aikf_topk_prepare(runtime, options, out) };
    failed(prepare(ptr::null(), &some, &mut topk), null, "runtime is null");
    failed(prepare(device.0, ptr::null(), &mut topk), null, "options is null");
    failed(prepare(device.0, &some, ptr::null_mut()), null, "topk is null");
    // SAFETY: as above.
    let room = |runtime, out| unsafe { aikf_topk_workspace_bytes(runtime, &some, out) };
    failed(room(ptr::null(), &mut bytes), null, "runtime is null");
    failed(room(device.0, ptr::null_mut()), null, "bytes is null");
    // SAFETY: as above.
    let run = |topk, input| unsafe {
        let none = ptr::null_mut();
        aikf_topk_run(topk, input, ptr::null(), none, none, none)
    };
    failed(run(ptr::null_mut(), ptr::null()), null, "topk is null");
    prepared(&device, &some, |topk| {
        failed(run(topk, ptr::null()), null, "input is null");
        failed(run(topk, data.as_ptr().cast()), null, "values is null");
    });
    // SAFETY: as above.
    let select = |input| unsafe {
        aikf_topk_select(device.0, &some, input, ptr::null(), ptr::null_mut(), ptr::null_mut())
    };
    failed(select(ptr::null()), null, "input is null");
    failed(select(data.as_ptr().cast()), null, "values is null");
    // SAFETY: null is refused, or left alone.
    assert!(unsafe { aikf_topk_explain(ptr::null()) }.is_null());
    // SAFETY: as above.
    unsafe { aikf_topk_free(ptr::null_mut()) };
}

#[test]
fn no_rows_are_no_work() {
    for name in ["cpu", "emulator"] {
        let device = Device::open(name);
        prepared(&device, &aikf_topk_options { rows: 0, ..options(K) }, |topk| {
            let (input, none) = (ptr::null(), ptr::null_mut());
            // SAFETY: there is nothing to read or write.
            done(unsafe { aikf_topk_run(topk, input, ptr::null(), none, none, none) });
        });
    }
}
