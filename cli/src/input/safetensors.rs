//! `.safetensors` files: named tensors behind one header.
use std::path::Path;

use ::safetensors::tensor::TensorInfo;
use ::safetensors::{Dtype as Stored, SafeTensorError, SafeTensors};
use aikf_topk::Dtype;
use memmap2::Mmap;

use super::file::{self, Span};
use super::{Header, Source};
use crate::error::Error;

/// Bytes of the length that comes before the header.
const PREFIX_BYTES: usize = 8;

/// Finds the tensor; without a name, the only one there is.
pub fn open(path: &Path, tensor: Option<&str>, wanted: Option<Dtype>) -> Result<Header, Error> {
    let map = file::map(path)?;
    let (header_bytes, metadata) =
        SafeTensors::read_metadata(&map).map_err(|error| malformed(path, &map, error))?;
    let tensors = metadata.tensors();
    let mut names: Vec<String> = tensors.keys().cloned().collect();
    names.sort();
    let unclear =
        |problem: String| Error::Tensor { path: path.to_path_buf(), problem, names: names.clone() };
    let name = match (tensor, &names[..]) {
        (Some(name), _) => name,
        (None, [only]) => only,
        (None, _) => return Err(unclear("needs :TENSOR behind its name".to_string())),
    };
    let info: &TensorInfo =
        tensors.get(name).ok_or_else(|| unclear(format!("has no tensor {name:?}")))?;
    let input = Source::Safetensors(path.to_path_buf(), Some(name.to_string())).to_string();
    let dtype = dtype(input, info.dtype, wanted)?;
    let shape = info.shape.iter().map(|&length| length as u64).collect();
    let base = PREFIX_BYTES + header_bytes;
    let (start, end) = info.data_offsets;
    let data = Span::new(map, base + start..base + end);
    Ok(Header { dtype, shape, data })
}

fn dtype(input: String, stored: Stored, wanted: Option<Dtype>) -> Result<Dtype, Error> {
    let dtype = match stored {
        Stored::F32 => Dtype::F32,
        Stored::F16 => Dtype::F16,
        Stored::BF16 => Dtype::Bf16,
        other => {
            return Err(Error::Dtype {
                input,
                actual: other.to_string(),
                advice: "convert it first",
            });
        }
    };
    match wanted {
        Some(given) if given != dtype => Err(Error::DtypeDiffers {
            given,
            input,
            actual: stored.to_string(),
            advice: "leave --dtype out",
        }),
        _ => Ok(dtype),
    }
}

/// The library tells what is wrong with a header, but not by how much a file is too short.
fn malformed(path: &Path, map: &Mmap, error: SafeTensorError) -> Error {
    let reason = match error {
        SafeTensorError::MetadataIncompleteBuffer | SafeTensorError::InvalidHeaderLength => {
            format!("its header does not fit the {} bytes that it has; is it truncated?", map.len())
        }
        other => other.to_string(),
    };
    Error::Malformed { path: path.to_path_buf(), kind: ".safetensors", reason }
}
