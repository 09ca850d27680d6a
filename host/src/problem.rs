//! What is asked: rows, their length, how many of the best, which end.
use kernels_gpu::params::{Dtype, Flip, Index, Order};

use crate::error::{Error, Violation};

/// The most elements a row may have: an index is a `u32` with its top bit to spare.
pub const ROW_ELEMENTS_MAX: usize = (1 << 31) - 1;

/// A selection problem: `rows` rows of `n` elements, of which the best `k` each are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Problem {
    /// The elements' type.
    pub dtype: Dtype,
    /// Rows.
    pub rows: usize,
    /// Elements in a row.
    pub n: usize,
    /// Elements from one row's start to the next.
    pub row_stride: usize,
    /// Wanted elements a row.
    pub k: usize,
    /// The greatest, or the smallest.
    pub largest: bool,
    /// Whether the answer is to be best first. Else it stands in an order that depends on `k`
    /// alone: best first up to a `k` of 128, by index beyond.
    pub sorted: bool,
    /// The indices' type.
    pub index: Index,
}

impl Problem {
    /// The greatest `k` of each of `rows` rows of `n` elements that follow one another.
    pub fn new(dtype: Dtype, rows: usize, n: usize, k: usize) -> Problem {
        Problem { dtype, rows, n, row_stride: n, k, largest: true, sorted: true, index: Index::U32 }
    }

    /// Checks every rule and reports all that are broken.
    ///
    /// # Errors
    /// [`Error::Problem`].
    pub fn validate(&self) -> Result<(), Error> {
        let mut broken = vec![];
        let mut rule = |field, value: usize, holds: bool, rule: String| {
            if !holds {
                broken.push(Violation { field, value: value as u64, rule });
            }
        };
        let Problem { rows, n, row_stride, k, .. } = *self;
        rule("k", k, k >= 1, format!("at least 1 element must be wanted; a row has n = {n}"));
        rule("k", k, k <= n, format!("a row has only n = {n} elements; ask for at most {n}"));
        rule("n", n, n <= ROW_ELEMENTS_MAX, format!("at most {ROW_ELEMENTS_MAX}; split the row"));
        rule("row_stride", row_stride, row_stride >= n, format!("at least n = {n}"));
        let bytes = rows.checked_mul(row_stride).and_then(|e| e.checked_mul(self.dtype.bytes()));
        let fits = bytes.is_some_and(|b| b <= isize::MAX as usize);
        rule("rows", rows, fits, format!("rows * row_stride = {rows} * {row_stride} overflows"));
        if broken.is_empty() { Ok(()) } else { Err(Error::Problem(broken)) }
    }

    /// Elements of the input, from the first row's first to the last row's last.
    pub fn input_elements(&self) -> usize {
        match self.rows {
            0 => 0,
            rows => (rows - 1) * self.row_stride + self.n,
        }
    }

    /// Elements of each output.
    pub fn output_elements(&self) -> usize {
        self.rows * self.k
    }

    /// The order of a row's answer.
    pub fn order(&self) -> Order {
        Order::new(self.sorted, self.k as u32)
    }

    pub(crate) fn flip(&self) -> Flip {
        if self.largest { Flip::LARGEST } else { Flip::SMALLEST }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_broken_rule_is_named_with_its_numbers() {
        let problem = Problem { row_stride: 3, ..Problem::new(Dtype::F32, 2, 5, 9) };
        let text = problem.validate().unwrap_err().to_string();
        assert_eq!(
            text,
            "k = 9: a row has only n = 5 elements; ask for at most 5; \
             row_stride = 3: at least n = 5"
        );
        let text = Problem::new(Dtype::F32, 1, 7, 0).validate().unwrap_err().to_string();
        assert_eq!(text, "k = 0: at least 1 element must be wanted; a row has n = 7");
        assert!(Problem::new(Dtype::F32, 1, 1 << 31, 1).validate().is_err());
        assert!(Problem::new(Dtype::F32, usize::MAX, 8, 1).validate().is_err());
        assert!(Problem::new(Dtype::F32, 0, 8, 8).validate().is_ok());
    }
}
