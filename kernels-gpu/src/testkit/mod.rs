//! What every backend's tests share: the sorted reference and the inputs that hurt.
//!
//! Nothing here uses code of a kernel or of `prim`: the reference decodes elements, compares and
//! sorts in the plainest way there is.
pub mod cases;
pub mod reference;

pub use cases::{Case, Pattern, seed_table};
pub use reference::{Expected, expected};
