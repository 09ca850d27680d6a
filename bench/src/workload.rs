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
        let size = |text: &str| text.parse().ok().filter(|&size: &usize| size < 1 << 31);
        let parse = || {
            let (shape, rest) = text.split_once(':')?;
            let (k, dtype) = rest.split_once(':')?;
            let (rows, n) = shape.split_once('x')?;
            Some(Workload {
                rows: size(rows).filter(|&rows| rows > 0)?,
                n: size(n).filter(|&n| n > 0)?,
                k: size(k)?,
                dtype: Dtype::ALL.into_iter().find(|d| d.name() == dtype)?,
            })
        };
        parse().ok_or_else(|| {
            format!(
                "`{text}` is not ROWSxN:K:DTYPE, like 64x128256:50:f32, with numbers below 2^31 \
                 and at least one row of one element"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_shown() {
        for name in ["64x128256:50:f32", "1x1:0:bf16", "2147483647x2147483647:1:f16"] {
            assert_eq!(name.parse::<Workload>().unwrap().to_string(), name);
        }
        for wrong in ["", "0x5:1:f32", "5x0:1:f32", "5x5:1:f64", "5x5:1", "5x2147483648:1:f32"] {
            let told = wrong.parse::<Workload>().unwrap_err();
            assert!(told.starts_with(&format!("`{wrong}` is not ROWSxN:K:DTYPE")), "{told}");
        }
    }
}
