//! `.npy` files: a header in text, then the elements.
//!
//! NumPy has no bf16. Programs save it as the raw 16-bit words, of type `V2` or `uint16`, which
//! `--dtype bf16` says how to read.
use std::path::Path;

use aikf_topk::Dtype;

use super::file::{self, Span};
use super::npy_header::NpyHeader;
use super::{Header, Source};
use crate::error::Error;

/// Reads the header, and checks that the elements it promises are there.
pub fn open(path: &Path, wanted: Option<Dtype>) -> Result<Header, Error> {
    let map = file::map(path)?;
    let input = Source::Npy(path.to_path_buf()).to_string();
    let NpyHeader { descr, fortran_order, shape, data_start } = NpyHeader::parse(&map)
        .map_err(|reason| Error::Malformed { path: path.to_path_buf(), kind: ".npy", reason })?;
    let dtype = dtype(&input, &descr, wanted)?;
    let several = shape.iter().filter(|&&length| length > 1).count() > 1;
    if fortran_order && several {
        return Err(Error::ColumnMajor { input });
    }
    let needed = bytes(dtype, &shape);
    let actual = map.len() - data_start;
    if needed > actual as u64 {
        return Err(Error::Truncated { input, needed, actual: actual as u64 });
    }
    let data = Span::new(map, data_start..data_start + needed as usize);
    Ok(Header { dtype, shape, data })
}

/// Bytes of the elements; where that overflows, more than any file has.
fn bytes(dtype: Dtype, shape: &[u64]) -> u64 {
    if shape.contains(&0) {
        return 0;
    }
    let times = |bytes: u64, &length: &u64| bytes.saturating_mul(length);
    shape.iter().fold(dtype.bytes() as u64, times)
}

/// The elements' type, from the file's and the wanted one.
fn dtype(input: &str, stored: &str, wanted: Option<Dtype>) -> Result<Dtype, Error> {
    let differs = |given, advice| Error::DtypeDiffers {
        given,
        input: input.to_string(),
        actual: stored.to_string(),
        advice,
    };
    let refused =
        |advice| Error::Dtype { input: input.to_string(), actual: stored.to_string(), advice };
    match (meaning(stored), wanted) {
        (Meaning::Float(dtype), None) => Ok(dtype),
        (Meaning::Float(dtype), Some(given)) if dtype == given => Ok(dtype),
        (Meaning::Float(_), Some(given)) => Err(differs(given, "leave --dtype out")),
        (Meaning::Words, Some(Dtype::Bf16)) => Ok(Dtype::Bf16),
        (Meaning::Words, Some(given)) => Err(differs(given, "only bf16 is stored like that")),
        (Meaning::Words, None) => Err(refused("add --dtype bf16 if that is what it holds")),
        (Meaning::Other, _) => Err(refused("convert it with numpy's astype(\"<f4\")")),
    }
}

/// What a type of NumPy is here.
enum Meaning {
    Float(Dtype),
    /// 16 bits of something: bf16 where somebody says so.
    Words,
    Other,
}

fn meaning(stored: &str) -> Meaning {
    match stored {
        "<f4" => Meaning::Float(Dtype::F32),
        "<f2" => Meaning::Float(Dtype::F16),
        "<u2" | "|V2" | "<V2" => Meaning::Words,
        _ => Meaning::Other,
    }
}
