//! What is measured: shapes, types and data.
use std::fmt;
use std::str::FromStr;

use aikf_topk::Dtype;

/// One problem to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Workload {
    /// Rows.
    pub rows: usize,
    /// Elements a row.
    pub n: usize,
    /// Wanted elements a row.
    pub k: usize,
    /// The elements' type.
    pub dtype: Dtype,
}

impl Workload {
    /// Elements of one input.
    pub fn elements(&self) -> usize {
        self.rows * self.n
    }

    /// Bytes of one input.
    pub fn bytes(&self) -> usize {
        self.elements() * self.dtype.bytes()
    }

    /// Bytes of one input and its answer.
    pub fn bytes_in_all(&self) -> usize {
        self.bytes() + self.rows * self.k * (self.dtype.bytes() + size_of::<u32>())
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}:{}:{}", self.rows, self.n, self.k, self.dtype.name())
    }
}

impl FromStr for Workload {
    type Err = String;

    /// `ROWSxN:K:DTYPE`, as it is displayed.
    fn from_str(text: &str) -> Result<Workload, String> {
        let parse = || {
            let (shape, rest) = text.split_once(':')?;
            let (k, dtype) = rest.split_once(':')?;
            let (rows, n) = shape.split_once('x')?;
            Some(Workload {
                rows: rows.parse().ok()?,
                n: n.parse().ok()?,
                k: k.parse().ok()?,
                dtype: Dtype::ALL.into_iter().find(|d| d.name() == dtype)?,
            })
        };
        parse().ok_or_else(|| format!("`{text}` is not ROWSxN:K:DTYPE, like 64x128256:50:f32"))
    }
}
