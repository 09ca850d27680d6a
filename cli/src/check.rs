//! Answers against the sorted reference, bit for bit.
use std::fmt;
use std::iter::repeat;

use aikf_topk::{Dtype, Element, Problem, Selection};
use kernels_gpu::testkit::expected;
use rayon::prelude::*;

/// The first place where an answer is not what it must be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// The row.
    pub row: usize,
    /// The place in the row's answer, from 0.
    pub rank: usize,
    /// What the answer has there.
    pub actual: Chosen,
    /// What the reference has there.
    pub expected: Chosen,
}

/// One chosen element.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Chosen {
    index: u32,
    value: f32,
    bits: u32,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Difference { row, rank, actual, expected } = self;
        write!(f, "row {row}, rank {rank}: the answer has {actual}, the reference has {expected}")
    }
}

impl fmt::Display for Chosen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Chosen { index, value, bits } = self;
        if *index == u32::MAX {
            return write!(f, "no element, and {value:?} (bits {bits:#x}) in its place");
        }
        write!(f, "index {index} with {value:?} (bits {bits:#x})")
    }
}

/// Sorts every row of `elements`, which follow one another, and finds where the answer first
/// differs. With `lengths`, a row has only so many elements, and the answer's places without one
/// are filled up.
pub fn first_difference<T: Element>(
    elements: &[T],
    lengths: Option<&[u32]>,
    problem: &Problem,
    answer: &Selection<T>,
) -> Option<Difference> {
    let Problem { n, k, largest, .. } = *problem;
    (0..answer.rows).into_par_iter().find_map_first(|row| {
        let length = lengths.map_or(n, |lengths| lengths[row] as usize);
        let patterns: Vec<u32> = elements[row * n..][..length].iter().map(|&x| bits(x)).collect();
        let right = expected(&patterns, T::DTYPE, k, largest).in_order(problem.order());
        let filler = (u32::MAX, filler(T::DTYPE, largest));
        let right = right.indices.into_iter().zip(right.values).chain(repeat(filler));
        let pairs = answer.row(row).zip(right).enumerate();
        pairs
            .map(|(rank, (actual, (index, bits)))| Difference {
                row,
                rank,
                actual: chosen(actual.0, actual.1),
                expected: chosen(index, from_bits::<T>(bits)),
            })
            .find(|d| (d.actual.index, d.actual.bits) != (d.expected.index, d.expected.bits))
    })
}

/// The bits of what stands where a row has no element: `-inf`, or `+inf` beside the smallest.
fn filler(dtype: Dtype, largest: bool) -> u32 {
    let (infinity, sign) = match dtype {
        Dtype::F32 => (0x7f80_0000, 0x8000_0000),
        Dtype::F16 => (0x7c00, 0x8000),
        Dtype::Bf16 => (0x7f80, 0x8000),
    };
    if largest { infinity | sign } else { infinity }
}

fn chosen<T: Element>(index: u32, value: T) -> Chosen {
    Chosen { index, value: value.to_f32(), bits: bits(value) }
}

/// The bit pattern, in the lower end of a word.
fn bits<T: Element>(value: T) -> u32 {
    let mut word = [0; 4];
    word[..size_of::<T>()].copy_from_slice(bytemuck::bytes_of(&value));
    u32::from_le_bytes(word)
}

/// The element with a bit pattern.
pub fn from_bits<T: Element>(bits: u32) -> T {
    bytemuck::pod_read_unaligned(&bits.to_le_bytes()[..size_of::<T>()])
}

#[cfg(test)]
mod tests {
    use half::{bf16, f16};

    use super::*;

    #[test]
    fn bits_and_back() {
        assert_eq!(bits(f16::from_f32(1.0)), 0x3c00);
        assert_eq!(bits(bf16::from_f32(-2.0)), 0xc000);
        assert_eq!(bits(1.5f32), 1.5f32.to_bits());
        assert_eq!(from_bits::<f16>(0x3c00), f16::from_f32(1.0));
        assert_eq!(from_bits::<f32>(0x3fc0_0000), 1.5);
    }

    fn two_of(dtype: Dtype, rows: usize) -> Problem {
        Problem::new(dtype, rows, 3, 2)
    }

    #[test]
    fn finds_the_first_difference() {
        let elements = [1.0f32, 3.0, 2.0, 0.0, -0.0, f32::NAN];
        let mut answer = Selection {
            rows: 2,
            k: 2,
            values: vec![3.0, 2.0, f32::NAN, 0.0],
            indices: vec![1, 2, 2, 0],
        };
        assert_eq!(first_difference(&elements, None, &two_of(Dtype::F32, 2), &answer), None);
        // Equal in order, but not the same zero.
        (answer.values[3], answer.indices[3]) = (-0.0, 1);
        let difference =
            first_difference(&elements, None, &two_of(Dtype::F32, 2), &answer).unwrap();
        assert_eq!((difference.row, difference.rank), (1, 1));
        assert_eq!(
            difference.to_string(),
            "row 1, rank 1: the answer has index 1 with -0.0 (bits 0x80000000), \
             the reference has index 0 with 0.0 (bits 0x0)"
        );
    }

    #[test]
    fn places_without_an_element_are_checked_too() {
        let elements = [1.0f32, 3.0, 2.0].map(bf16::from_f32);
        let lengths = Some(&[1][..]);
        let smallest = Problem { largest: false, ..two_of(Dtype::Bf16, 1) };
        let values = [1.0, f32::INFINITY].map(bf16::from_f32).to_vec();
        let mut answer = Selection { rows: 1, k: 2, values, indices: vec![0, u32::MAX] };
        assert_eq!(first_difference(&elements, lengths, &smallest, &answer), None);
        let difference =
            first_difference(&elements, lengths, &two_of(Dtype::Bf16, 1), &answer).unwrap();
        assert_eq!(difference.rank, 1);
        assert!(difference.to_string().contains("the reference has no element, and -inf"));
        answer.indices[1] = 1;
        assert!(first_difference(&elements, lengths, &smallest, &answer).is_some());
    }
}
