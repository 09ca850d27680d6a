//! The one helper through which tests call the library: a case goes in, the answer is compared
//! with the sorted reference bit for bit.
#![allow(dead_code)] // every test program uses its own part

pub mod clusters;
pub mod corners;
pub mod graph;
pub mod on_gpu;
pub mod options;
pub mod sampling;
pub mod short;
pub mod sift;
pub mod warps;
pub mod wide;
pub mod window;

use aikf_topk::{
    Backend, DeviceChoice, Dtype, Element, Problem, RawCall, Rows, Runtime, Selection, TopK,
};
use cust::memory::{CopyDestination, DeviceBuffer};
use cust::stream::{Stream, StreamFlags};
use half::{bf16, f16};
use kernels_gpu::testkit::{Case, Pattern, expected};

/// Element types that tests can make from bit patterns.
pub trait TestElement: Element {
    fn of_bits(bits: u32) -> Self;
    fn bits(self) -> u32;
}
impl TestElement for f32 {
    fn of_bits(bits: u32) -> Self {
        f32::from_bits(bits)
    }
    fn bits(self) -> u32 {
        self.to_bits()
    }
}
impl TestElement for f16 {
    fn of_bits(bits: u32) -> Self {
        f16::from_bits(bits as u16)
    }
    fn bits(self) -> u32 {
        self.to_bits().into()
    }
}
impl TestElement for bf16 {
    fn of_bits(bits: u32) -> Self {
        bf16::from_bits(bits as u16)
    }
    fn bits(self) -> u32 {
        self.to_bits().into()
    }
}

/// Calls a generic function with the element type that a [`Dtype`] names.
#[macro_export]
macro_rules! with_type {
    ($dtype:expr, $f:ident($($arg:expr),* $(,)?)) => {
        match $dtype {
            aikf_topk::Dtype::F32 => $f::<f32>($($arg),*),
            aikf_topk::Dtype::F16 => $f::<half::f16>($($arg),*),
            aikf_topk::Dtype::Bf16 => $f::<half::bf16>($($arg),*),
        }
    };
}

/// FNV-1a over words: one number for all answers of a table.
pub struct Digest(u64);

impl Digest {
    pub fn new() -> Digest {
        Digest(0xcbf2_9ce4_8422_2325)
    }

    pub fn add(&mut self, answer: &Answer) {
        for word in answer.values.iter().chain(&answer.indices) {
            self.0 = (self.0 ^ u64::from(*word)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    pub fn value(&self) -> u64 {
        self.0
    }
}

/// What every backend and device must answer to the whole seed table, values then indices.
pub const SEED_TABLE_DIGEST: u64 = 0xd906_23c8_ab0e_df8c;

/// Bit patterns and indices `[rows, k]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub values: Vec<u32>,
    pub indices: Vec<u32>,
}

/// The reference's answer.
pub fn reference(case: &Case) -> Answer {
    let mut answer = Answer { values: vec![], indices: vec![] };
    for row in case.elements().chunks(case.n) {
        let right = expected(row, case.dtype, case.k, case.largest);
        answer.values.extend(right.values);
        answer.indices.extend(right.indices);
    }
    answer
}

/// Asserts that two answers are the same, naming the first difference.
pub fn assert_same(got: &Answer, right: &Answer, k: usize, what: &dyn std::fmt::Debug) {
    let same = got.indices.iter().zip(&right.indices).position(|(a, b)| a != b);
    if let Some(at) = same {
        panic!(
            "index {} of row {}: {} instead of {}: {what:?}",
            at % k,
            at / k,
            got.indices[at],
            right.indices[at]
        );
    }
    assert_eq!(got.values, right.values, "values: {what:?}");
    assert_eq!(got.indices.len(), right.indices.len(), "{what:?}");
}

/// Through the host's memory: upload, selection, download.
pub fn select_from_host<T: TestElement>(runtime: &Runtime, topk: &TopK, case: &Case) -> Answer {
    let data: Vec<T> = case.elements().into_iter().map(T::of_bits).collect();
    let rows = Rows::new(&data, case.rows, case.n).expect("the data has the case's shape");
    let Selection { values, indices, .. } = topk.select(runtime, rows).expect("the case is legal");
    Answer { values: values.into_iter().map(T::bits).collect(), indices }
}

/// On the device, at the case's alignment, into poisoned outputs, on a stream of `cust`'s.
pub fn select_on_device<T: TestElement>(runtime: &Runtime, topk: &TopK, case: &Case) -> Answer {
    let size = size_of::<T>();
    let mut bytes = vec![0xffu8; case.lead * size];
    bytes.extend(case.elements().iter().flat_map(|e| e.to_le_bytes()[..size].to_vec()));
    let problem = Problem::new(T::DTYPE, case.rows, case.n, case.k);
    let outputs = problem.output_elements();

    let mut prepared = topk.prepare::<T>(runtime, case.rows, case.n).expect("the case is legal");
    let input = DeviceBuffer::from_slice(&bytes).expect("device memory");
    let values = DeviceBuffer::from_slice(&vec![0xa5u8; outputs * size]).expect("device memory");
    let indices = DeviceBuffer::from_slice(&vec![0xa5a5_a5a5u32; outputs]).expect("device memory");
    let stream = Stream::new(StreamFlags::DEFAULT, None).expect("a stream");
    let x = input.as_device_ptr().as_raw() + (case.lead * size) as u64;
    let (v, i) = (values.as_device_ptr().as_raw(), indices.as_device_ptr().as_raw());
    let call = RawCall { input: x, lengths: None, values: v, indices: i };
    // SAFETY: the buffers have room for the case and live until the stream was waited for.
    let enqueued = unsafe { prepared.enqueue_raw(call, stream.as_inner().cast()) };
    enqueued.expect("enqueued");
    stream.synchronize().expect("the kernels ran");

    let mut value_bytes = vec![0u8; outputs * size];
    values.copy_to(&mut value_bytes).expect("downloaded");
    let mut answer = Answer { values: vec![], indices: vec![0; outputs] };
    indices.copy_to(&mut answer.indices).expect("downloaded");
    answer.values = value_bytes
        .chunks_exact(size)
        .map(|c| c.iter().rev().fold(0, |word, byte| word << 8 | u32::from(*byte)))
        .collect();
    answer
}

/// A selection as the case wants it.
pub fn topk_of(case: &Case) -> TopK {
    TopK::new(case.k).largest(case.largest)
}

/// The first of the cases that `streaming` plans in a way whose explanation has these words.
pub fn first_planned(
    runtime: &Runtime,
    mut cases: impl Iterator<Item = Case>,
    words: &str,
) -> Case {
    let is_planned = |case: &Case| {
        let Case { dtype, rows, n, k, .. } = *case;
        let topk = topk_of(case).backend(Backend::Streaming);
        let plan = topk.plan(runtime, &Problem::new(dtype, rows, n, k)).expect("planned");
        plan.explain().contains(words)
    };
    cases.find(is_planned).expect("some case is planned so")
}

/// Every pattern, type and shape; asserts each answer, and all of them by their digest.
pub fn run_seed_table(mut answer_of: impl FnMut(&Case) -> Answer) {
    let mut digest = Digest::new();
    for case in kernels_gpu::testkit::seed_table() {
        let answer = answer_of(&case);
        assert_same(&answer, &reference(&case), case.k, &case);
        digest.add(&answer);
    }
    assert_eq!(digest.value(), SEED_TABLE_DIGEST, "the digest of all answers");
}

/// The backends that run on a GPU.
pub const ON_GPU: [Backend; 4] =
    [Backend::Stream, Backend::Singlepass, Backend::Streaming, Backend::Radix];

/// Every type.
pub const DTYPES: [Dtype; 3] = Dtype::ALL;

/// Compares the answers to rows of these lengths with the host's: rows padded by poison, answers in
/// either order, of either end.
pub fn assert_same_of_lengths(runtime: &Runtime, lengths: &[usize], n: usize, k: usize) {
    let rows = lengths.len();
    let lengths: Vec<u32> = lengths.iter().map(|&length| length as u32).collect();
    let cpu = Runtime::open(DeviceChoice::Cpu).expect("the host's cores are always there");
    for (pattern, largest, sorted) in [
        (Pattern::Normal, true, true),
        (Pattern::Normal, false, false),
        (Pattern::Ties, false, true),
        (Pattern::Ties, true, false),
    ] {
        let bits = pattern.fill(Dtype::F32, rows, n, 7);
        let mut data: Vec<f32> = bits.into_iter().map(f32::from_bits).collect();
        for (row, &length) in lengths.iter().enumerate() {
            data[row * n + length as usize..(row + 1) * n].fill(f32::NAN);
        }
        let view = Rows::new(&data, rows, n).and_then(|r| r.with_lengths(&lengths)).expect("legal");
        let topk = TopK::new(k).largest(largest).sorted(sorted);
        let right = topk.clone().backend(Backend::Cpu).select(&cpu, view).expect("selected");
        let got = topk.backend(Backend::Streaming).select(runtime, view).expect("selected");
        assert_eq!(got, right, "{pattern:?}, largest: {largest}, sorted: {sorted}");
    }
}
