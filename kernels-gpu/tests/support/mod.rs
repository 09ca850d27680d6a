//! Runs the kernels in the emulator and compares with the reference.
use std::ffi::c_void;
use std::ops::Range;

use kernels_gpu::params::{Dtype, Flip, Join, MergeParams, QueueLayout, SelectParams, slots};
use kernels_gpu::testkit::{Case, expected};
use kernels_gpu::variants::EMULATED;
use simt::{Launch, Schedule};

/// How the work is cut up; must never change the answer.
#[derive(Clone, Debug)]
pub struct Shape {
    pub warps: u32,
    pub depth: u32,
    pub pieces: u32,
    pub merge: Merge,
    pub slack: u32,
}

/// Who merges the pieces' candidates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merge {
    AtOnce,
    Tiles,
    LastBlock,
}

impl Merge {
    pub const ALL: [Merge; 3] = [Merge::AtOnce, Merge::Tiles, Merge::LastBlock];
}

impl Default for Shape {
    fn default() -> Self {
        Shape {
            warps: 2,
            depth: 2,
            pieces: 2,
            merge: Merge::AtOnce,
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

/// The buffers between input and answer, poisoned but for the tickets.
struct Between {
    candidates: Vec<u64>,
    counts: Vec<u32>,
    tickets: Vec<u32>,
}

/// Runs the kernels on the case and asserts the reference's answer, bit for bit.
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
    let lists = rows * shape.pieces as usize;
    let between = Between {
        candidates: vec![0xa5a5_a5a5_a5a5_a5a5; lists * slots(k as u32) as usize],
        counts: vec![0xa5a5_a5a5; lists],
        tickets: vec![0; rows],
    };
    let values = vec![0xa5u8; rows * k * dtype.bytes()];
    let indices = vec![0xa5a5_a5a5u32; rows * k];
    let allocations = vec![
        input.range(),
        range_of(&between.candidates),
        range_of(&between.counts),
        range_of(&between.tickets),
        range_of(&values),
        range_of(&indices),
    ];
    let flip = if largest {
        Flip::LARGEST
    } else {
        Flip::SMALLEST
    };
    let vectors = (n as u32 / dtype.per_vector()).max(1);
    let layout = QueueLayout::new(k as u32, shape.slack);
    let select = SelectParams {
        row_stride: n as u64,
        n: n as u32,
        k: k as u32,
        pieces: shape.pieces,
        piece_vectors: vectors.div_ceil(shape.pieces),
        capacity: layout.capacity,
        flip,
        slots: slots(k as u32),
        join: if shape.merge == Merge::LastBlock {
            Join::LastBlock
        } else {
            Join::Later
        },
    };
    let (x, candidates, counts, tickets) = (
        input.start(),
        between.candidates.as_ptr(),
        between.counts.as_ptr(),
        between.tickets.as_ptr(),
    );
    let (values_at, indices_at) = (values.as_ptr(), indices.as_ptr());
    let launch = |grid, layout: QueueLayout| {
        Launch::new(grid, shape.warps * 32, layout.bytes())
            .schedule(schedule)
            .allocations(allocations.clone())
    };
    run(
        &format!("select_{}_u{}", dtype.name(), shape.depth),
        &launch(rows as u32 * shape.pieces, layout),
        &[
            pointer(&x),
            pointer(&candidates),
            pointer(&counts),
            pointer(&tickets),
            pointer(&values_at),
            pointer(&indices_at),
            pointer(&select),
        ],
    );
    assert!(
        between.tickets.iter().all(|&ticket| ticket == 0),
        "tickets start anew"
    );

    if shape.pieces > 1 && shape.merge != Merge::LastBlock {
        let all = shape.pieces * slots(k as u32);
        let at_once = shape.merge == Merge::AtOnce;
        let layout = QueueLayout::new(k as u32, if at_once { all } else { shape.slack });
        let merge = MergeParams {
            row_stride: n as u64,
            pieces: shape.pieces,
            slots: slots(k as u32),
            k: k as u32,
            capacity: layout.capacity,
            flip,
            reserved: 0,
        };
        let variant = if at_once { "default" } else { "tiles" };
        run(
            &format!("merge_{variant}_{}", dtype.name()),
            &launch(rows as u32, layout),
            &[
                pointer(&x),
                pointer(&candidates),
                pointer(&counts),
                pointer(&values_at),
                pointer(&indices_at),
                pointer(&merge),
            ],
        );
    }

    for row in 0..rows {
        let right = expected(&elements[row * n..][..n], dtype, k, largest);
        let got = &indices[row * k..][..k];
        assert_eq!(
            got, right.indices,
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
