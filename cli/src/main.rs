//! The topk command.
fn main() {}
