//! Runs the kernels in the emulator and compares with the reference.
#![allow(dead_code)] // every test program uses its own part

use std::ffi::c_void;
use std::ops::Range;

use kernels_gpu::params::{
    CUT_WORDS, Dtype, Flip, Index, Join, MergeParams, Order, QueueLayout, SMALL_K_MAX,
    SelectParams, list_tops, piece_slots, slots, survey_keys,
};
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
    /// Units that a warp surveys at once.
    pub chunk_units: u32,
    /// Rows of several lengths.
    pub ragged: bool,
    /// Indices of 64 bits.
    pub wide: bool,
    /// Pieces that give no more than their share, so that it often does not suffice.
    pub scant: bool,
    /// The kernels for any `k`, where those for few would do.
    pub large: bool,
    /// Taking in everything rather than looking for a bound.
    pub all: bool,
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

impl Shape {
    /// What a piece gives for the best `k`.
    fn piece_k(&self, k: u32) -> u32 {
        match self.merge {
            Merge::LastBlock
                if self.pieces > 1 && self.scant && (self.large || k > SMALL_K_MAX) =>
            {
                k.div_ceil(self.pieces)
            }
            _ => k,
        }
    }
}

impl Default for Shape {
    fn default() -> Self {
        Shape {
            warps: 2,
            depth: 2,
            pieces: 2,
            merge: Merge::AtOnce,
            slack: 300,
            chunk_units: 3,
            ragged: false,
            wide: false,
            scant: false,
            large: false,
            all: false,
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
        let bytes: Vec<u8> =
            elements.iter().flat_map(|e| e.to_le_bytes()[..size].to_vec()).collect();
        let mut padded = vec![0xff; lead_bytes];
        padded.extend(&bytes);
        padded.resize(padded.len().next_multiple_of(16), 0xff);
        let storage = padded
            .chunks_exact(16)
            .map(|c| u128::from_le_bytes(c.try_into().expect("16 bytes")))
            .collect();
        Input { storage, lead_bytes, bytes: bytes.len() }
    }

    fn start(&self) -> *const u8 {
        self.storage.as_ptr().cast::<u8>().wrapping_add(self.lead_bytes)
    }

    fn range(&self) -> Range<usize> {
        self.start().addr()..self.start().addr() + self.bytes
    }
}

fn range_of<T>(v: &[T]) -> Range<usize> {
    v.as_ptr().addr()..v.as_ptr().addr() + size_of_val(v)
}

/// Runs the kernels on the case and asserts the reference's answer, bit for bit.
pub fn check(case: &Case, shape: &Shape, schedule: Schedule) {
    check_elements(case, case.elements(), shape, schedule);
}

/// As [`check`], on these bit patterns instead of the case's.
pub fn check_elements(case: &Case, elements: Vec<u32>, shape: &Shape, schedule: Schedule) {
    let bench = Bench::new(case, elements, shape, schedule);
    bench.select();
    assert!(bench.tickets.iter().all(|&ticket| ticket == 0), "tickets start anew");
    if shape.pieces > 1 && shape.merge != Merge::LastBlock {
        bench.merge();
    }
    bench.assert_right();
}

/// A case's buffers: those between input and answer are poisoned but for the tickets, and so is
/// the answer.
struct Bench<'a> {
    case: &'a Case,
    shape: &'a Shape,
    schedule: Schedule,
    elements: Vec<u32>,
    input: Input,
    lengths: Vec<u32>,
    candidates: Vec<u64>,
    tops: Vec<u32>,
    tickets: Vec<u32>,
    values: Vec<u8>,
    /// Room for either type of indices.
    indices: Vec<u64>,
}

impl<'a> Bench<'a> {
    fn new(case: &'a Case, elements: Vec<u32>, shape: &'a Shape, schedule: Schedule) -> Self {
        let Case { dtype, rows, n, k, .. } = *case;
        let lists = rows * shape.pieces as usize;
        // From nothing to everything, and around k.
        let length = |row: usize| [0, n, k.saturating_sub(1), k, n / 2][row % 5] as u32;
        Bench {
            case,
            shape,
            schedule,
            input: Input::new(&elements, dtype, case.lead),
            elements,
            lengths: (0..rows).map(length).collect(),
            candidates: vec![
                0xa5a5_a5a5_a5a5_a5a5;
                lists
                    * piece_slots(k as u32, shape.piece_k(k as u32), shape.pieces)
                        as usize
            ],
            tops: vec![
                0xa5a5_a5a5;
                lists * (list_tops(k as u32, shape.pieces) + CUT_WORDS) as usize
            ],
            tickets: vec![0; rows],
            values: vec![0xa5; rows * k * dtype.bytes()],
            indices: vec![0xa5a5_a5a5_a5a5_a5a5; rows * k],
        }
    }

    fn flip(&self) -> Flip {
        if self.case.largest { Flip::LARGEST } else { Flip::SMALLEST }
    }

    fn index(&self) -> Index {
        if self.shape.wide { Index::I64 } else { Index::U32 }
    }

    fn select(&self) {
        let Case { dtype, rows, n, k, .. } = *self.case;
        let vectors = (n as u32 / dtype.per_vector()).max(1);
        let chunk_units = self.shape.chunk_units;
        let layout = QueueLayout::new(
            k as u32,
            self.shape.slack,
            survey_keys(chunk_units, self.shape.warps * 32),
        );
        let last_block = self.shape.merge == Merge::LastBlock;
        let shape_k = self.shape.piece_k(k as u32);
        let params = SelectParams {
            row_stride: n as u64,
            n: n as u32,
            k: k as u32,
            pieces: self.shape.pieces,
            piece_vectors: vectors.div_ceil(self.shape.pieces),
            capacity: layout.capacity,
            flip: self.flip(),
            piece_k: shape_k,
            slots: piece_slots(k as u32, shape_k, self.shape.pieces),
            join: if last_block { Join::LastBlock } else { Join::Later },
            index: self.index(),
            order: Order::Best,
            chunk_units,
            tops: if self.shape.pieces > 1 { list_tops(k as u32, self.shape.pieces) } else { 0 },
            bounded: u32::from(!self.shape.all),
        };
        let lengths = if self.shape.ragged { self.lengths.as_ptr() } else { std::ptr::null() };
        let large = if k as u32 > SMALL_K_MAX || self.shape.large { "large_" } else { "" };
        let instance = |depth: u32| format!("select_{large}{}_u{depth}", dtype.name());
        let is_built = |depth: &u32| EMULATED.iter().any(|k| k.name == instance(*depth));
        let depths = (1..=self.shape.depth).rev();
        let depth = depths.into_iter().find(is_built).expect("a depth of 1 is built");
        self.run(
            &instance(depth),
            rows as u32 * self.shape.pieces,
            layout,
            &[
                pointer(&self.input.start()),
                pointer(&lengths),
                pointer(&self.candidates.as_ptr()),
                pointer(&self.tops.as_ptr()),
                pointer(&self.tickets.as_ptr()),
                pointer(&self.values.as_ptr()),
                pointer(&self.indices.as_ptr()),
                pointer(&params),
            ],
        );
    }

    fn merge(&self) {
        let Case { dtype, rows, n, k, .. } = *self.case;
        let all = self.shape.pieces * slots(k as u32);
        let at_once = self.shape.merge == Merge::AtOnce;
        let layout = QueueLayout::new(k as u32, if at_once { all } else { self.shape.slack }, 0);
        let params = MergeParams {
            row_stride: n as u64,
            pieces: self.shape.pieces,
            slots: slots(k as u32),
            k: k as u32,
            capacity: layout.capacity,
            flip: self.flip(),
            index: self.index(),
            order: Order::Best,
            tops: list_tops(k as u32, self.shape.pieces),
        };
        self.run(
            &format!("merge_{}", dtype.name()),
            rows as u32,
            layout,
            &[
                pointer(&self.input.start()),
                pointer(&self.candidates.as_ptr()),
                pointer(&self.tops.as_ptr()),
                pointer(&self.values.as_ptr()),
                pointer(&self.indices.as_ptr()),
                pointer(&params),
            ],
        );
    }

    /// Launches the kernel of this name in the emulator.
    fn run(&self, name: &str, grid: u32, layout: QueueLayout, args: &[*const c_void]) {
        let kernel = EMULATED.iter().find(|k| k.name == name).expect("a kernel of this name");
        let launch = Launch::new(grid, self.shape.warps * 32, layout.bytes())
            .schedule(self.schedule)
            .allocations(vec![
                self.input.range(),
                range_of(&self.lengths),
                range_of(&self.candidates),
                range_of(&self.tops),
                range_of(&self.tickets),
                range_of(&self.values),
                range_of(&self.indices),
            ]);
        assert!(launch.block <= kernel.max_threads, "{name}: {} threads", launch.block);
        assert_eq!(args.len(), kernel.parameter_bytes.len());
        // SAFETY: the arguments are of the kernel's types, and the launch keeps its contract.
        let result = simt::launch(&launch, || unsafe { (kernel.call)(args) });
        if let Err(fault) = result {
            panic!("{name}: {fault}");
        }
    }

    fn assert_right(&self) {
        let Case { dtype, rows, n, k, largest, .. } = *self.case;
        let none = if self.shape.wide { u64::MAX } else { u64::from(u32::MAX) };
        let sign = if largest { 1 << (8 * dtype.bytes() - 1) } else { 0 };
        let filler = dtype.infinity() >> (32 - 8 * dtype.bytes()) | sign;
        for row in 0..rows {
            let length = if self.shape.ragged { self.lengths[row] as usize } else { n };
            let right = expected(&self.elements[row * n..][..length], dtype, k, largest);
            let mut indices: Vec<u64> = right.indices.iter().map(|&i| u64::from(i)).collect();
            let mut values = right.values;
            indices.resize(k, none);
            values.resize(k, filler);
            let places = row * k..(row + 1) * k;
            let got: Vec<u64> = places.clone().map(|at| self.got_index(at)).collect();
            assert_eq!(got, indices, "indices of row {row}: {:?} {:?}", self.case, self.shape);
            let got: Vec<u32> = places.map(|at| element(&self.values, dtype, at)).collect();
            assert_eq!(got, values, "values of row {row}: {:?} {:?}", self.case, self.shape);
        }
    }

    fn got_index(&self, at: usize) -> u64 {
        match self.index() {
            Index::I64 => self.indices[at],
            Index::U32 => self.indices[at / 2] >> (32 * (at % 2)) & 0xffff_ffff,
        }
    }
}

fn pointer<T>(value: &T) -> *const c_void {
    std::ptr::from_ref(value).cast()
}

fn element(bytes: &[u8], dtype: Dtype, i: usize) -> u32 {
    let mut word = [0; 4];
    word[..dtype.bytes()].copy_from_slice(&bytes[i * dtype.bytes()..][..dtype.bytes()]);
    u32::from_le_bytes(word)
}
