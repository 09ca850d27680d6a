//! Wrong calls that the compiler refuses, each a file of `compile_fail/` with its error beside it.
//!
//! The errors are rustc's own words: after an update of rustc that changes them,
//! `TRYBUILD=overwrite` writes them anew.

#[test]
fn wrong_calls_do_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}
