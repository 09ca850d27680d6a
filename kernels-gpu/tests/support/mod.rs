//! Runs the backend `stream` in the emulator and compares with the reference.
use std::ffi::c_void;
use std::ops::Range;

use kernels_gpu::params::{Dtype, Flip, QueueLayout, STAGE2_VECTORS, Stage1Params, Stage2Params};
use kernels_gpu::testkit::{Case, expected};
use kernels_gpu::variants::EMULATED;
use simt::{Launch, Schedule};

/// How the work is cut up; must never change the answer.
#[derive(Clone, Debug)]
pub struct Shape {
    pub warps: u32,
    pub depth: u32,
    pub pieces: u32,
    pub tiles: bool,
    pub slack: u32,
}

impl Default for Shape {
    fn default() -> Self {
        Shape {
            warps: 2,
            depth: 2,
            pieces: 2,
            tiles: false,
            slack: 300,
        }
    }
}

/// A buffer whose first element stands `lead` elements behind a 16-byte boundary, with the smallest
/// number of bytes that hold it: what is read beyond is a fault.
struct Input {
    storage: Vec<u128>,
    lead_bytes: usize,
    bytes: usize,
}

impl Input {
    fn new(elements: &[u32], dtype: Dtype, lead: usize) -> Input {
        let (size, lead_bytes) = (dtype.bytes(), lead % (16 / dtype.bytes()) * dtype.bytes());
        let bytes: Vec<u8> = elements
            .iter()
            .flat_map(|e| e.to_le_bytes()[..size].to_vec())
            .collect();
        let mut padded = vec![0xff; lead_bytes];
        padded.extend(&bytes);
        padded.resize(padded.len().next_multiple_of(16), 0xff);
        let storage = padded
            .chunks_exact(16)
            .map(|c| u128::from_le_bytes(c.try_into().expect("16 bytes")))
            .collect();
        Input {
            storage,
            lead_bytes,
            bytes: bytes.len(),
        }
    }

    fn start(&self) -> *const u8 {
        self.storage
            .as_ptr()
            .cast::<u8>()
            .wrapping_add(self.lead_bytes)
    }

    fn range(&self) -> Range<usize> {
        self.start().addr()..self.start().addr() + self.bytes
    }
}

fn range_of<T>(v: &[T]) -> Range<usize> {
    v.as_ptr().addr()..v.as_ptr().addr() + size_of_val(v)
}

/// Launches the kernel of this name in the emulator.
fn run(name: &str, launch: &Launch, args: &[*const c_void]) {
    let kernel = EMULATED
        .iter()
        .find(|k| k.name == name)
        .unwrap_or_else(|| panic!("no {name}"));
    assert!(
        launch.block <= kernel.max_threads,
        "{name}: {} threads",
        launch.block
    );
    assert_eq!(args.len(), kernel.parameter_bytes.len());
    // SAFETY: the arguments are of the kernel's types, and the launch keeps its contract.
    let result = simt::launch(launch, || unsafe { (kernel.call)(args) });
    if let Err(fault) = result {
        panic!("{name}: {fault}");
    }
}

fn pointer<T>(value: &T) -> *const c_void {
    std::ptr::from_ref(value).cast()
}

/// Runs both stages on the case and asserts the reference's answer, bit for bit.
pub fn check(case: &Case, shape: &Shape, schedule: Schedule) {
    let Case {
        dtype,
        rows,
        n,
        k,
        largest,
        ..
    } = *case;
    let elements = case.elements();
    let input = Input::new(&elements, dtype, case.lead);
    let flip = if largest {
        Flip::LARGEST
    } else {
        Flip::SMALLEST
    };

    let vectors = (n as u32 + dtype.per_vector() - 1).div_ceil(dtype.per_vector());
    let piece_vectors = vectors.div_ceil(shape.pieces);
    let layout = QueueLayout::new(k as u32, shape.slack);
    let stage1 = Stage1Params {
        row_stride: n as u64,
        n: n as u32,
        k: k as u32,
        pieces: shape.pieces,
        piece_vectors,
        capacity: layout.capacity,
        flip,
    };
    let candidates = vec![0xa5a5_a5a5_a5a5_a5a5u64; rows * shape.pieces as usize * k];
    let (x, candidates_ptr) = (input.start(), candidates.as_ptr());
    let launch = Launch::new(rows as u32 * shape.pieces, shape.warps * 32, layout.bytes())
        .schedule(schedule.clone())
        .allocations(vec![input.range(), range_of(&candidates)]);
    run(
        &format!("stage1_{}_u{}", dtype.name(), shape.depth),
        &launch,
        &[pointer(&x), pointer(&candidates_ptr), pointer(&stage1)],
    );

    let total = shape.pieces * k as u32;
    let tile = STAGE2_VECTORS * shape.warps * 32;
    let slack = if shape.tiles { shape.slack } else { total };
    let layout = QueueLayout::new(k as u32, slack);
    let stage2 = Stage2Params {
        row_stride: n as u64,
        candidates: total,
        k: k as u32,
        tile,
        capacity: layout.capacity,
        flip,
        reserved: 0,
    };
    let values = vec![0xa5u8; rows * k * dtype.bytes()];
    let indices = vec![0xa5a5_a5a5u32; rows * k];
    let (values_ptr, indices_ptr) = (values.as_ptr(), indices.as_ptr());
    let launch = Launch::new(rows as u32, shape.warps * 32, layout.bytes())
        .schedule(schedule)
        .allocations(vec![
            input.range(),
            range_of(&candidates),
            range_of(&values),
            range_of(&indices),
        ]);
    let variant = if shape.tiles { "tiles" } else { "default" };
    run(
        &format!("stage2_{variant}_{}", dtype.name()),
        &launch,
        &[
            pointer(&x),
            pointer(&candidates_ptr),
            pointer(&values_ptr),
            pointer(&indices_ptr),
            pointer(&stage2),
        ],
    );

    for row in 0..rows {
        let right = expected(&elements[row * n..][..n], dtype, k, largest);
        assert_eq!(
            indices[row * k..][..k],
            right.indices,
            "indices of row {row}: {case:?} {shape:?}"
        );
        let got: Vec<u32> = (row * k..(row + 1) * k)
            .map(|i| element(&values, dtype, i))
            .collect();
        assert_eq!(got, right.values, "values of row {row}: {case:?} {shape:?}");
    }
}

fn element(bytes: &[u8], dtype: Dtype, i: usize) -> u32 {
    let mut word = [0; 4];
    word[..dtype.bytes()].copy_from_slice(&bytes[i * dtype.bytes()..][..dtype.bytes()]);
    u32::from_le_bytes(word)
}
