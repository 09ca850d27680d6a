//! Where rows come from. Opening reads a header; elements are read, or made up, when asked for.
mod file;
mod npy;
mod npy_header;
mod random;
mod safetensors;

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use aikf_topk::{Dtype, Element};

use crate::error::Error;
use file::Span;

/// The input as it is named on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// `random:SEED`.
    Random(u64),
    /// `FILE.npy`.
    Npy(PathBuf),
    /// `FILE.safetensors:TENSOR`; the name may be missing.
    Safetensors(PathBuf, Option<String>),
}

impl FromStr for Source {
    type Err = String;

    fn from_str(text: &str) -> Result<Source, String> {
        const EXTENSION: &str = ".safetensors";
        if let Some(seed) = text.strip_prefix("random:") {
            let seed = seed.parse().map(Source::Random);
            return seed.map_err(|_| format!("the seed must be a number from 0 to {}", u64::MAX));
        }
        if let Some((stem, tensor)) = text.split_once(&format!("{EXTENSION}:")) {
            let path = PathBuf::from(format!("{stem}{EXTENSION}"));
            return Ok(Source::Safetensors(path, Some(tensor.to_string())));
        }
        match text {
            _ if text.ends_with(EXTENSION) => Ok(Source::Safetensors(text.into(), None)),
            _ if text.ends_with(".npy") => Ok(Source::Npy(text.into())),
            _ => Err("it must be FILE.npy, FILE.safetensors:TENSOR or random:SEED".to_string()),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Random(seed) => write!(f, "random:{seed}"),
            Source::Npy(path) | Source::Safetensors(path, None) => write!(f, "{}", path.display()),
            Source::Safetensors(path, Some(tensor)) => write!(f, "{}:{tensor}", path.display()),
        }
    }
}

/// What the flags say of the rows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    /// `--batch`.
    pub rows: Option<usize>,
    /// `--vocab`.
    pub n: Option<usize>,
    /// `--dtype`.
    pub dtype: Option<Dtype>,
}

/// Rows that are there, `[rows, n]`.
#[derive(Debug)]
pub struct Input {
    /// The elements' type.
    pub dtype: Dtype,
    /// Rows.
    pub rows: usize,
    /// Elements a row.
    pub n: usize,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Random(u64),
    File(Span),
}

/// What a file's header says.
struct Header {
    dtype: Dtype,
    shape: Vec<u64>,
    data: Span,
}

impl Input {
    /// Finds out type and shape, and that they agree with the flags.
    pub fn open(source: &Source, wanted: &Wanted) -> Result<Input, Error> {
        let header = match source {
            Source::Random(seed) => return Input::random(source, *seed, wanted),
            Source::Npy(path) => npy::open(path, wanted.dtype)?,
            Source::Safetensors(path, tensor) => {
                safetensors::open(path, tensor.as_deref(), wanted.dtype)?
            }
        };
        let (rows, n) = rows_of(source, &header.shape)?;
        agrees(source, "--batch", wanted.rows, rows, "rows")?;
        agrees(source, "--vocab", wanted.n, n, "elements a row")?;
        Ok(Input { dtype: header.dtype, rows, n, content: Content::File(header.data) })
    }

    fn random(source: &Source, seed: u64, wanted: &Wanted) -> Result<Input, Error> {
        let no_shape = |missing| Error::NoShape { input: source.to_string(), missing };
        let (rows, n) = match (wanted.rows, wanted.n) {
            (Some(rows), Some(n)) => (rows, n),
            (None, Some(_)) => return Err(no_shape("--batch")),
            (Some(_), None) => return Err(no_shape("--vocab")),
            (None, None) => return Err(no_shape("--batch and --vocab")),
        };
        Ok(Input {
            dtype: wanted.dtype.unwrap_or(Dtype::F32),
            rows,
            n,
            content: Content::Random(seed),
        })
    }

    /// The elements; `T` must be the type of [`Input::dtype`].
    pub fn elements<T: Element>(&self) -> Result<Cow<'_, [T]>, Error> {
        match &self.content {
            Content::Random(seed) => Ok(Cow::Owned(random::rows(*seed, self.rows, self.n)?)),
            Content::File(data) => Ok(data.elements()),
        }
    }
}

/// Rows and their length of an array that is a row, or rows.
fn rows_of(source: &Source, shape: &[u64]) -> Result<(usize, usize), Error> {
    // The data are in memory, so that a length beyond `usize` can only stand beside a 0.
    let length = |length: u64| usize::try_from(length).unwrap_or(usize::MAX);
    match shape {
        [n] => Ok((1, length(*n))),
        [rows, n] => Ok((length(*rows), length(*n))),
        _ => Err(Error::Dimensions { input: source.to_string(), shape: shape.to_vec() }),
    }
}

fn agrees(
    source: &Source,
    flag: &'static str,
    given: Option<usize>,
    actual: usize,
    what: &str,
) -> Result<(), Error> {
    match given {
        Some(given) if given != actual => Err(Error::ShapeDiffers {
            flag,
            given,
            input: source.to_string(),
            actual: format!("{actual} {what}"),
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_inputs() {
        let parse = |text: &str| text.parse::<Source>();
        assert_eq!(parse("random:7"), Ok(Source::Random(7)));
        assert!(parse("random:").unwrap_err().contains("seed"));
        assert_eq!(parse("a/b.npy"), Ok(Source::Npy("a/b.npy".into())));
        let tensor = Some("model:head".to_string());
        assert_eq!(
            parse("a:b.safetensors:model:head"),
            Ok(Source::Safetensors("a:b.safetensors".into(), tensor))
        );
        let only = Source::Safetensors("x.safetensors".into(), None);
        assert_eq!(parse("x.safetensors"), Ok(only));
        assert!(parse("x.csv").unwrap_err().contains("FILE.npy"));
    }

    #[test]
    fn random_rows_need_a_shape() {
        let source = Source::Random(1);
        let text = |wanted| Input::open(&source, &wanted).unwrap_err().to_string();
        let all = Wanted::default();
        assert!(text(all).ends_with("add --batch and --vocab"));
        let one = Wanted { rows: Some(1), ..all };
        assert!(text(one).ends_with("add --vocab"));
    }
}
