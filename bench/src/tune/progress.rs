//! What a tune knows so far: a table beside the one that it makes, `OUT.partial`, written anew
//! after every bucket. A file appears whole or not at all.
use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use aikf_topk::{Bucket, Provenance, TunedEntry, TunedTable};
use cuda_loader::api;
use tempfile::NamedTempFile;

use super::{Event, Options};
use crate::error::Error;

/// The table as far as it is known.
#[derive(Debug)]
pub struct Progress {
    table: TunedTable,
    out: PathBuf,
}

impl Progress {
    /// Begins with `head`, or goes on with the entries of an earlier tune under the same
    /// conditions.
    pub(super) fn open(
        options: &Options,
        head: TunedTable,
        tell: &mut dyn FnMut(Event),
    ) -> Result<Progress, Error> {
        let mut progress = Progress { table: head, out: options.out.clone() };
        if !options.resume {
            return Ok(progress);
        }
        let (partial, out) = (progress.partial(), progress.out.clone());
        let earlier = if partial.exists() { partial } else { out };
        if earlier.exists() {
            progress.table.entries = progress.entries_of(&earlier)?;
        }
        tell(Event::Resumed(progress.table.entries.len()));
        Ok(progress)
    }

    /// What a table has, if it can stand in this one. What cannot is somebody's work, and is not to
    /// be overwritten.
    fn entries_of(&self, path: &Path) -> Result<Vec<TunedEntry>, Error> {
        let refused = |reason: String| Error::Malformed {
            name: path.display().to_string(),
            reason: format!("{reason}; without --resume the tune starts anew"),
        };
        let text = fs::read_to_string(path).map_err(|error| refused(error.to_string()))?;
        let (table, _) = TunedTable::parse(&text).map_err(refused)?;
        match is_same_kind(&table, &self.table) {
            true => Ok(table.entries),
            false => Err(refused(
                "it is of another GPU, driver, build, commit or list of workloads".to_string(),
            )),
        }
    }

    /// Whether a bucket is done.
    pub(super) fn has(&self, bucket: &Bucket) -> bool {
        self.table.entries.iter().any(|entry| entry.bucket == *bucket)
    }

    /// Writes down that a bucket is done.
    pub(super) fn add(&mut self, entry: TunedEntry) -> Result<(), Error> {
        self.table.entries.push(entry);
        self.write(&self.partial())
    }

    /// The file beside the table.
    pub(super) fn partial(&self) -> PathBuf {
        let mut name = OsString::from(&self.out);
        name.push(".partial");
        name.into()
    }

    /// Makes the table of it; how many entries it has.
    pub(super) fn finish(mut self) -> Result<usize, Error> {
        let key = |entry: &TunedEntry| {
            let Bucket { dtype, rows, n, k } = entry.bucket;
            (dtype.name(), rows, n, k)
        };
        self.table.entries.sort_by_key(key);
        self.write(&self.out)?;
        match fs::remove_file(self.partial()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(written(&self.partial(), error))
            }
            _ => Ok(self.table.entries.len()),
        }
    }

    fn write(&self, path: &Path) -> Result<(), Error> {
        write_whole(path, self.table.to_toml().as_bytes())
    }
}

/// Writes a file that appears whole or not at all. Makes its folder.
///
/// # Errors
/// [`Error::File`].
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let write = || -> io::Result<()> {
        fs::create_dir_all(folder)?;
        let mut file = NamedTempFile::new_in(folder)?;
        file.write_all(bytes)?;
        file.persist(path)?;
        Ok(())
    };
    write().map_err(|error| written(path, error))
}

fn written(path: &Path, reason: io::Error) -> Error {
    Error::File { verb: "write", path: path.to_path_buf(), reason }
}

/// Whether times of two tables can stand in one.
fn is_same_kind(a: &TunedTable, b: &TunedTable) -> bool {
    let conditions = |table: &TunedTable| Provenance {
        // A tune may go on another day.
        date: String::new(),
        ..table.provenance.clone()
    };
    (&a.architecture, a.multiprocessors) == (&b.architecture, b.multiprocessors)
        && conditions(a) == conditions(b)
}

/// The driver's version as NVIDIA writes it, or the CUDA version that it supports.
pub(super) fn driver_version() -> String {
    let told = fs::read_to_string("/proc/driver/nvidia/version").unwrap_or_default();
    let is_version =
        |word: &&str| word.contains('.') && word.starts_with(|c: char| c.is_ascii_digit());
    match (told.split_whitespace().find(is_version), api::driver_version()) {
        (Some(version), _) => version.to_string(),
        (None, Ok(cuda)) => format!("CUDA {}.{}", cuda / 1000, cuda % 1000 / 10),
        (None, Err(_)) => "unknown".to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_as_a_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/file");
        write_whole(&path, b"one").unwrap();
        write_whole(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(
            fs::read_dir(path.parent().unwrap()).unwrap().count(),
            1,
            "nothing is left over"
        );
        assert!(matches!(write_whole(folder.path(), b""), Err(Error::File { .. })));
    }
}
