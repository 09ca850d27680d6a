//! What functions return, and the message behind it.
use std::any::Any;
use std::cell::RefCell;
use std::ffi::{CString, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use aikf_topk::Error;

/// What functions return. A number keeps its meaning for ever; numbers may be added, so treat one
/// that you do not know as a failure. `aikf_last_error` has the message.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum aikf_status {
    /// It was done, or enqueued.
    Ok = 0,
    /// A pointer is null that must not be.
    NullPointer = 1,
    /// An argument is none of the values that it may have.
    InvalidArgument = 2,
    /// The problem is not one: k above n, a stride below n, sizes that overflow.
    Problem = 3,
    /// A parameter of sampling has a value that it cannot have.
    Parameter = 4,
    /// A knob, a backend or an environment variable has a value that it cannot have.
    Setting = 5,
    /// A right problem that this backend cannot do on this device.
    Unsupported = 6,
    /// A backend that is not in this build, or a call that it does not take.
    Refused = 7,
    /// A buffer is too small or missing.
    Buffer = 8,
    /// The device or the driver is not there.
    NoDevice = 9,
    /// It needs a GPU, and the runtime has none.
    NoGpu = 10,
    /// LibTorch failed.
    Torch = 11,
    /// The CUDA driver refused a call.
    Driver = 12,
    /// A fault of the library. Free the handles that the call had, and report the message.
    Panic = 13,
    /// Any other error of the library.
    Other = 14,
}

/// Why a function fails.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error("{0} is null")]
    Null(&'static str),
    #[error("{name} is {value}: {legal}")]
    Argument { name: &'static str, value: String, legal: String },
    #[error(transparent)]
    Library(#[from] Error),
    #[error("the library panicked, which is a fault of its own: {0}")]
    Panic(String),
}

impl Fault {
    pub(crate) fn argument(
        name: &'static str,
        value: impl ToString,
        legal: impl Into<String>,
    ) -> Fault {
        Fault::Argument { name, value: value.to_string(), legal: legal.into() }
    }

    fn status(&self) -> aikf_status {
        match self {
            Fault::Null(_) => aikf_status::NullPointer,
            Fault::Argument { .. } => aikf_status::InvalidArgument,
            Fault::Panic(_) => aikf_status::Panic,
            Fault::Library(error) => status_of(error),
        }
    }
}

fn status_of(error: &Error) -> aikf_status {
    match error {
        Error::NoGpu { .. } => aikf_status::NoGpu,
        error if error.is_missing_device() => aikf_status::NoDevice,
        Error::Problem(_) => aikf_status::Problem,
        Error::Parameter { .. } => aikf_status::Parameter,
        Error::Setting { .. } => aikf_status::Setting,
        Error::Unsupported { .. } => aikf_status::Unsupported,
        Error::Refused { .. } => aikf_status::Refused,
        Error::Buffer { .. } => aikf_status::Buffer,
        Error::Torch(_) => aikf_status::Torch,
        Error::Driver(_) => aikf_status::Driver,
        _ => aikf_status::Other,
    }
}

thread_local! {
    static LAST_ERROR: RefCell<CString> = RefCell::default();
}

/// The message of the call that failed last on this thread; empty where none did. It says what was
/// given, what is allowed and what to do next. It lives until the next call that fails on this
/// thread; a call that succeeds leaves it alone.
#[unsafe(no_mangle)]
pub extern "C" fn aikf_last_error() -> *const c_char {
    // A thread that is coming to its end has no message any more.
    LAST_ERROR.try_with(|message| message.borrow().as_ptr()).unwrap_or(c"".as_ptr())
}

/// Runs a function's body: its status, and its message for `aikf_last_error`.
pub(crate) fn guard(body: impl FnOnce() -> Result<(), Fault>) -> aikf_status {
    match caught(body) {
        Ok(()) => aikf_status::Ok,
        Err(fault) => {
            remember(&fault);
            fault.status()
        }
    }
}

/// As [`guard`], for functions that return a text of a handle: null where they fail.
pub(crate) fn guard_text(body: impl FnOnce() -> Result<*const c_char, Fault>) -> *const c_char {
    caught(body).unwrap_or_else(|fault| {
        remember(&fault);
        ptr::null()
    })
}

fn caught<T>(body: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|panic| Err(Fault::Panic(words(&*panic))))
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()
}

fn remember(fault: &Fault) {
    let message = c_text(&fault.to_string());
    // As above: there may be nowhere to keep it.
    let _ = LAST_ERROR.try_with(|last| last.replace(message));
}

/// A text for C, which ends at the first zero byte.
pub(crate) fn c_text(text: &str) -> CString {
    let before_zero = text.split('\0').next().unwrap_or_default();
    CString::new(before_zero).expect("what stands before the first zero has none")
}
