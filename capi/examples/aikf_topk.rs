//! The library once more, for the tests in C and Python: cargo makes examples before it runs tests,
//! with the dependencies that they share, but never a `cdylib`.
#[path = "../src/lib.rs"]
pub mod library;
