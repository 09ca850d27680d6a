//! Every row over a small alphabet, every k, both ends: nothing is left to chance where rows are
//! short.
mod support;

use kernels_gpu::params::Dtype;
use kernels_gpu::testkit::{Case, Pattern};
use simt::Schedule;
use support::{Merge, Shape, check_elements};

/// A NaN of either sign, infinities, zeros of both signs, and two numbers, as `bf16`.
const ALPHABET: [u32; 8] = [0x7fc1, 0xffc0, 0x7f80, 0xff80, 0x0000, 0x8000, 0x3f80, 0xbf80];

/// The rows of `n` letters, as many as there are, in one batch.
fn all_rows(letters: &[u32], n: usize) -> Vec<u32> {
    let count = letters.len().pow(n as u32);
    let letter =
        |row: usize, at: usize| letters[row / letters.len().pow(at as u32) % letters.len()];
    (0..count).flat_map(|row| (0..n).map(move |at| letter(row, at))).collect()
}

fn check_all(letters: &[u32], n: usize, shape: &Shape) {
    let elements = all_rows(letters, n);
    for k in 1..=n {
        for largest in [true, false] {
            let (pattern, dtype) = (Pattern::AnyBits, Dtype::Bf16);
            let rows = elements.len() / n;
            let case = Case { pattern, dtype, rows, n, k, largest, lead: 0 };
            check_elements(&case, elements.clone(), shape, Schedule::InOrder);
        }
    }
}

#[test]
fn every_letter_in_rows_of_up_to_three() {
    let shape = Shape { warps: 1, depth: 1, pieces: 1, ..Shape::default() };
    for n in 1..=3 {
        check_all(&ALPHABET, n, &shape);
    }
}

/// Rows of nine have a whole vector at some alignments, and two pieces share it.
#[test]
fn two_letters_in_rows_of_nine() {
    for merge in [Merge::LastBlock, Merge::Tiles] {
        let shape = Shape { warps: 1, depth: 1, pieces: 2, merge, ..Shape::default() };
        check_all(&[0x3f80, 0xff80], 9, &shape);
    }
}
