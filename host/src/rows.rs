//! Rows in the host's memory, and the answer.
use crate::element::Element;
use crate::error::{Error, Violation};

/// A borrowed view of rows in the host's memory: `[rows, n]`, the last dimension contiguous.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a, T> {
    pub(crate) data: &'a [T],
    pub(crate) rows: usize,
    pub(crate) n: usize,
    pub(crate) row_stride: usize,
    pub(crate) lengths: Option<&'a [u32]>,
}

impl<'a, T: Element> Rows<'a, T> {
    /// `rows` rows of `n` elements that follow one another in `data`.
    ///
    /// # Errors
    /// [`Error::Buffer`] where `data` has fewer than `rows * n` elements.
    pub fn new(data: &'a [T], rows: usize, n: usize) -> Result<Self, Error> {
        Rows::with_stride(data, rows, n, n)
    }

    /// As [`Rows::new`], with `row_stride` elements from one row's start to the next.
    ///
    /// # Errors
    /// [`Error::Buffer`] where `data` ends before the last row does.
    pub fn with_stride(
        data: &'a [T],
        rows: usize,
        n: usize,
        row_stride: usize,
    ) -> Result<Self, Error> {
        let before_last = rows.saturating_sub(1).saturating_mul(row_stride);
        let needed = if rows == 0 { 0 } else { before_last.saturating_add(n) };
        if data.len() < needed {
            return Err(Error::Buffer { what: "the slice of rows", actual: data.len(), needed });
        }
        Ok(Rows { data, rows, n, row_stride, lengths: None })
    }

    /// The same rows, of which only the first so many elements each are there. Places of the answer
    /// for which a row has no element get `-inf` (`+inf` for the smallest) and index `u32::MAX`.
    ///
    /// # Errors
    /// [`Error::Buffer`] for fewer lengths than rows; [`Error::Problem`] for a length above `n`.
    pub fn with_lengths(self, lengths: &'a [u32]) -> Result<Self, Error> {
        if lengths.len() < self.rows {
            let (actual, needed) = (lengths.len(), self.rows);
            return Err(Error::Buffer { what: "the slice of lengths", actual, needed });
        }
        let too_long = lengths[..self.rows].iter().find(|&&length| length as usize > self.n);
        match too_long {
            Some(&length) => Err(Error::Problem(vec![Violation {
                field: "a row's length",
                value: length.into(),
                rule: format!("at most n = {}", self.n),
            }])),
            None => Ok(Rows { lengths: Some(&lengths[..self.rows]), ..self }),
        }
    }
}

impl<'a, T> Rows<'a, T> {
    /// How many rows there are.
    pub fn count(&self) -> usize {
        self.rows
    }

    /// The elements of a row that are there.
    pub(crate) fn row(&self, number: usize) -> &'a [T] {
        let length = self.lengths.map_or(self.n, |lengths| lengths[number] as usize);
        &self.data[number * self.row_stride..][..length]
    }
}

/// The answer: values and indices `[rows, k]`, each row best first, equals by index, unless
/// [`TopK::sorted`](crate::TopK::sorted) was turned off.
#[derive(Clone, Debug, PartialEq)]
pub struct Selection<T> {
    /// Rows.
    pub rows: usize,
    /// Elements a row.
    pub k: usize,
    /// The chosen elements, bit for bit.
    pub values: Vec<T>,
    /// Their places in their rows.
    pub indices: Vec<u32>,
}

impl<T: Copy> Selection<T> {
    /// Index and value of a row's elements, in the answer's order.
    ///
    /// # Panics
    /// Where there is no such row.
    pub fn row(&self, row: usize) -> impl Iterator<Item = (u32, T)> + '_ {
        let range = row * self.k..(row + 1) * self.k;
        self.indices[range.clone()].iter().copied().zip(self.values[range].iter().copied())
    }
}
