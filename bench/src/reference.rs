//! Answers against the sorted reference, which shares no code with what it checks.
use aikf_topk::{Backend, Element, Selection};
use kernels_gpu::testkit::{Expected, expected};
use rayon::prelude::*;

use crate::workload::Workload;

/// Rows that are looked at: sorting all of a large batch takes longer than measuring it.
const ROWS_MAX: usize = 8;

/// The right answer for some rows of an input.
#[derive(Debug)]
pub struct Reference {
    rows: Vec<(usize, Expected)>,
}

impl Reference {
    /// Sorts up to eight rows, from the first on, spread over the batch.
    pub fn new<T: Element>(input: &[T], workload: &Workload) -> Reference {
        let Workload { rows, n, k, dtype } = *workload;
        let numbers: Vec<usize> = (0..rows).step_by(rows.div_ceil(ROWS_MAX).max(1)).collect();
        let right = |&row: &usize| {
            let bits: Vec<u32> = input[row * n..][..n].iter().map(|&x| bits(x)).collect();
            (row, expected(&bits, dtype, k, true))
        };
        Reference { rows: numbers.par_iter().map(right).collect() }
    }

    /// Where an answer first differs, in words. Of backend `torch` the values count alone: which of
    /// equals it takes is its own affair.
    pub fn difference<T: Element>(
        &self,
        answer: &Selection<T>,
        backend: Backend,
    ) -> Option<String> {
        let is_same = |actual: (u32, u32), right: (u32, u32)| match backend {
            Backend::Torch => actual.1 == right.1,
            _ => actual == right,
        };
        self.rows.iter().find_map(|(row, right)| {
            let k = answer.k;
            let indices = &answer.indices[row * k..][..k];
            let values = &answer.values[row * k..][..k];
            (0..k).find_map(|rank| {
                let actual = (indices[rank], bits(values[rank]));
                let right = (right.indices[rank], right.values[rank]);
                let ((index, value), (right_index, right_value)) = (actual, right);
                (!is_same(actual, right)).then(|| {
                    format!(
                        "row {row}, rank {rank}: the answer has index {index} with bits \
                         {value:#x}, the reference has index {right_index} with bits \
                         {right_value:#x}"
                    )
                })
            })
        })
    }
}

/// The bit pattern, in the lower end of a word.
fn bits<T: Element>(value: T) -> u32 {
    let mut word = [0; 4];
    word[..size_of::<T>()].copy_from_slice(bytemuck::bytes_of(&value));
    u32::from_le_bytes(word)
}

#[cfg(test)]
mod tests {
    use aikf_topk::Dtype;

    use super::*;

    #[test]
    fn a_difference_names_row_rank_and_both_sides() {
        let input = [1.0f32, 3.0, 3.0, 0.5, 0.25, 0.75];
        let workload = Workload { rows: 2, n: 3, k: 2, dtype: Dtype::F32 };
        let reference = Reference::new(&input, &workload);
        let mut answer = Selection {
            rows: 2,
            k: 2,
            values: vec![3.0f32, 3.0, 0.75, 0.5],
            indices: vec![1, 2, 2, 0],
        };
        assert_eq!(reference.difference(&answer, Backend::Stream), None);
        answer.indices.swap(0, 1);
        let told = reference.difference(&answer, Backend::Stream).expect("a difference");
        assert!(told.starts_with("row 0, rank 0: the answer has index 2 with"), "{told}");
        assert!(told.ends_with("the reference has index 1 with bits 0x40400000"), "{told}");
        assert_eq!(
            reference.difference(&answer, Backend::Torch),
            None,
            "equals are its own affair"
        );
        answer.values[3] = 0.25;
        assert!(
            reference.difference(&answer, Backend::Torch).unwrap().starts_with("row 1, rank 1")
        );
    }
}
