//! Where tuned tables lie: the file that `AIKF_TUNED` names, or the user's own and the library's.
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;

use super::{TunedTable, TunedTables};
use crate::plan::DeviceLimits;
use crate::settings::TunedChoice;

/// The tables that the library has, by architecture.
const SHIPPED: &[(&str, &str)] = &[("sm_90", include_str!("../../tuned/sm_90.toml"))];

impl TunedTables {
    /// The tables that count for a device.
    pub(crate) fn load(choice: Option<&TunedChoice>, device: &DeviceLimits) -> TunedTables {
        let mut tables = TunedTables::default();
        match choice {
            Some(TunedChoice::Off) => {}
            Some(TunedChoice::File(path)) => add_file(&mut tables, path, device),
            None => {
                if let Some(path) = user_file(device).filter(|path| path.exists()) {
                    add_file(&mut tables, &path, device);
                }
                add_shipped(&mut tables, device);
            }
        }
        tables
    }
}

/// See [`TunedTables::user_file`].
pub fn user_file(device: &DeviceLimits) -> Option<PathBuf> {
    let cache = etcetera::choose_base_strategy().ok()?.cache_dir();
    let name = format!("{}-{}.toml", device.architecture(), device.multiprocessors);
    Some(cache.join("aikf-topk").join(name))
}

/// Adds the table of a file, if it is one for the device.
pub fn add_file(tables: &mut TunedTables, path: &Path, device: &DeviceLimits) {
    let source = path.display().to_string();
    let text = fs::read_to_string(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => "there is no such file".to_string(),
        _ => error.to_string(),
    });
    let parsed = text.and_then(|text| TunedTable::parse(&text));
    match parsed {
        Err(reason) => tables.warn(&source, "is not used", &reason),
        Ok((table, _)) if !table.is_for(device) => {
            let TunedTable { architecture, multiprocessors, .. } = table;
            let of = format!("it is of {architecture} with {multiprocessors} multiprocessors");
            let (here, count) = (device.architecture(), device.multiprocessors);
            tables.warn(&source, "is not used", &format!("{of}, and this is {here} with {count}"));
        }
        Ok((table, warnings)) => {
            warnings.iter().for_each(|warning| tables.warn(&source, "is used in part", warning));
            tables.tables.push((source, table));
        }
    }
}

/// Adds the library's own table, if it has one for the device. A test says that all can be read.
fn add_shipped(tables: &mut TunedTables, device: &DeviceLimits) {
    let architecture = device.architecture();
    let shipped = SHIPPED.iter().filter(|(name, _)| *name == architecture);
    for (_, text) in shipped {
        if let Ok((table, _)) = TunedTable::parse(text)
            && table.is_for(device)
        {
            tables.tables.push(("of the library".to_string(), table));
        }
    }
}

impl TunedTables {
    fn warn(&mut self, source: &str, consequence: &str, reason: &str) {
        self.warnings.push(format!("the tuned table {source} {consequence}: {reason}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_has_tables_that_can_be_read() {
        for (architecture, text) in SHIPPED {
            let (table, warnings) = TunedTable::parse(text).expect("a table");
            assert_eq!(table.architecture, *architecture);
            assert_eq!(warnings, [""; 0]);
        }
    }
}
