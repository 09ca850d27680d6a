//! Files in memory, without reading them: pages come as they are touched.
use std::borrow::Cow;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::Path;

use aikf_topk::Element;
use memmap2::Mmap;

use crate::error::Error;

/// Maps a file that is not empty.
pub fn map(path: &Path) -> Result<Mmap, Error> {
    let refused = |reason| Error::File { path: path.to_path_buf(), reason };
    let file = File::open(path).map_err(refused)?;
    let metadata = file.metadata().map_err(refused)?;
    if !metadata.is_file() {
        return Err(refused(io::Error::other("it is not a regular file")));
    }
    if metadata.len() == 0 {
        return Err(Error::Empty { path: path.to_path_buf() });
    }
    // SAFETY: the map is only read, and every bit pattern is a right element. What cannot be ruled
    // out is that somebody truncates the file meanwhile; the system then ends the process.
    #[allow(unsafe_code)]
    unsafe { Mmap::map(&file) }.map_err(refused)
}

/// The part of a file that holds the elements, little-endian.
#[derive(Debug)]
pub struct Span {
    map: Mmap,
    bytes: Range<usize>,
}

impl Span {
    /// These bytes of a file.
    ///
    /// # Panics
    /// Where the file does not have them.
    pub fn new(map: Mmap, bytes: Range<usize>) -> Span {
        assert!(bytes.start <= bytes.end && bytes.end <= map.len());
        Span { map, bytes }
    }

    /// The elements: in place where they are aligned for their type, else copied.
    pub fn elements<T: Element>(&self) -> Cow<'_, [T]> {
        let bytes = &self.map[self.bytes.clone()];
        match bytemuck::try_cast_slice(bytes) {
            Ok(elements) => Cow::Borrowed(elements),
            Err(_) => Cow::Owned(bytemuck::pod_collect_to_vec(bytes)),
        }
    }
}
