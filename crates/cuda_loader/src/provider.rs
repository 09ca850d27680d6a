//! Where the driver's functions come from.
//!
//! There is one driver in a process. It is chosen once, at the first use: the one given to
//! [`install`] if there is one, else the system's `libcuda`. Each function then has a `Slot`
//! that remembers its address, so that a call costs one atomic load more than a linked call.

use std::error::Error;
use std::ffi::{CStr, c_void};
use std::fmt;
use std::ptr::{self, NonNull};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, Ordering};

use crate::error::{DriverError, code};

/// Finds a driver function by its C name, such as `cuMemAlloc_v2`.
///
/// The address found must be that of an `extern "C"` function with the signature that the CUDA
/// header gives this name: callers trust it.
pub type Lookup = fn(name: &CStr) -> Option<NonNull<c_void>>;

/// The names under which systems keep the driver library, best first.
const LIBRARY_NAMES: &[&str] =
    if cfg!(windows) { &["nvcuda.dll"] } else { &["libcuda.so.1", "libcuda.so"] };

/// The driver of this process, once chosen.
static DRIVER: OnceLock<Driver> = OnceLock::new();

/// What the first use of the driver found.
enum Driver {
    /// A driver inside this process.
    Installed { lookup: Lookup, name: &'static str },
    /// The system's driver library, never unloaded.
    Library { library: libloading::Library, name: &'static str },
    /// None, and why.
    Missing { reason: String },
}

/// Why [`install`] refused: this process already uses another driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstallError {
    /// The driver that was to be installed.
    pub refused: &'static str,
    /// The driver in use.
    pub in_use: &'static str,
}

impl fmt::Display for InstallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let InstallError { refused, in_use } = self;
        write!(
            f,
            "cannot install the driver \"{refused}\": this process already uses \"{in_use}\"; \
             install before the first CUDA call"
        )
    }
}

impl Error for InstallError {}

/// Makes `lookup` the driver of this process, called `name` in messages.
///
/// An emulator calls this so that code written for a GPU runs on it, in the same process.
///
/// # Errors
///
/// [`InstallError`] if the process has already used or installed another driver. Installing the
/// same `lookup` again is fine.
pub fn install(lookup: Lookup, name: &'static str) -> Result<(), InstallError> {
    match DRIVER.get_or_init(|| Driver::Installed { lookup, name }) {
        Driver::Installed { lookup: present, .. } if ptr::fn_addr_eq(*present, lookup) => Ok(()),
        other => Err(InstallError { refused: name, in_use: other.name() }),
    }
}

/// Tells whether this process has a driver, and its name if so. This chooses the driver.
///
/// # Errors
///
/// A [`DriverError`] for which [`DriverError::is_no_driver`] holds, with the reason in its text.
pub fn library() -> Result<&'static str, DriverError> {
    match missing_reason() {
        None => Ok(driver_name()),
        Some(_) => Err(DriverError::new("driver library", code::STUB_LIBRARY)),
    }
}

/// The name of the driver in use: the library's file name, the name given to [`install`], or
/// `"none"`. This chooses the driver.
pub fn driver_name() -> &'static str {
    driver().name()
}

/// Whether the driver in use was given to [`install`], so that libraries which open `libcuda` on
/// their own work with another one. This chooses the driver.
pub fn is_installed() -> bool {
    matches!(driver(), Driver::Installed { .. })
}

/// Why there is no driver; nothing if there is one. This chooses the driver.
pub fn missing_reason() -> Option<&'static str> {
    match driver() {
        Driver::Missing { reason } => Some(reason),
        _ => None,
    }
}

/// The driver of this process, chosen now if it was not before.
fn driver() -> &'static Driver {
    DRIVER.get_or_init(|| Driver::load(LIBRARY_NAMES))
}

impl Driver {
    /// Opens the first library of `names` that there is.
    fn load(names: &[&'static str]) -> Driver {
        let mut failures = Vec::new();
        for &name in names {
            // SAFETY: opening the driver library runs its initialisers, which are made to be run
            // in any process and from any thread.
            match unsafe { libloading::Library::new(name) } {
                Ok(library) => return Driver::Library { library, name },
                Err(error) => failures.push(failure(name, &error)),
            }
        }
        Driver::Missing { reason: failures.join("; ") }
    }

    /// What messages call this driver.
    fn name(&self) -> &'static str {
        match self {
            Driver::Installed { name, .. } | Driver::Library { name, .. } => name,
            Driver::Missing { .. } => "none",
        }
    }

    /// The address of the function `name`, or the CUDA code that says why there is none.
    fn find(&self, name: &CStr) -> Result<NonNull<c_void>, u32> {
        let found = match self {
            Driver::Installed { lookup, .. } => lookup(name),
            Driver::Library { library, .. } => {
                // SAFETY: the symbol is read as an address only; who calls it gives it the type
                // that the CUDA header gives this name.
                let symbol = unsafe { library.get::<*mut c_void>(name.to_bytes_with_nul()) };
                symbol.ok().and_then(|address| NonNull::new(*address))
            }
            Driver::Missing { .. } => return Err(code::STUB_LIBRARY),
        };
        found.ok_or(code::SYMBOL_NOT_FOUND)
    }
}

/// Why the library `name` did not open, in the words of the system where it has any.
fn failure(name: &str, error: &libloading::Error) -> String {
    let text = error.source().map_or_else(|| error.to_string(), ToString::to_string);
    // Most systems start their text with the file's name, and some leave it out.
    if text.contains(name) { text } else { format!("{name}: {text}") }
}

/// One driver function: its C name and, from the first call on, its address.
pub(crate) struct Slot {
    name: &'static CStr,
    address: AtomicPtr<c_void>,
}

impl Slot {
    /// An empty slot for the function `name`, which ends with a zero byte.
    ///
    /// # Panics
    ///
    /// While compiling, if `name` has no zero byte at its end.
    pub(crate) const fn new(name: &'static str) -> Slot {
        match CStr::from_bytes_with_nul(name.as_bytes()) {
            Ok(name) => Slot { name, address: AtomicPtr::new(ptr::null_mut()) },
            Err(_) => panic!("the name of a driver function ends with one zero byte"),
        }
    }

    /// The function's address, or the CUDA code that says why there is none.
    ///
    /// The load is relaxed because the address points to code: code that was there before the
    /// program could ask for its address, and that nobody writes.
    #[inline]
    pub(crate) fn address(&self) -> Result<NonNull<c_void>, u32> {
        match NonNull::new(self.address.load(Ordering::Relaxed)) {
            Some(address) => Ok(address),
            None => self.resolve(),
        }
    }

    #[cold]
    fn resolve(&self) -> Result<NonNull<c_void>, u32> {
        let address = driver().find(self.name)?;
        self.address.store(address.as_ptr(), Ordering::Relaxed);
        Ok(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_library_names_every_file_tried() {
        let driver = Driver::load(&["libaikf-absent.so.1", "libaikf-absent.so"]);
        let Driver::Missing { reason } = &driver else { panic!("found {}", driver.name()) };
        assert!(reason.contains("libaikf-absent.so.1:"), "{reason}");
        assert!(reason.contains("libaikf-absent.so:"), "{reason}");
        assert_eq!(driver.name(), "none");
        assert_eq!(driver.find(c"cuInit"), Err(code::STUB_LIBRARY));
    }

    #[test]
    fn a_function_that_the_driver_lacks_is_symbol_not_found() {
        let driver = Driver::Installed { lookup: |_| None, name: "empty" };
        assert_eq!(driver.find(c"cuInit"), Err(code::SYMBOL_NOT_FOUND));
    }
}
