//! Rows in the host's memory: the best five of each, on the best device there is.
//!
//! Teaches: a runtime, a view of rows, the answer, and what is best where elements are special.
//!
//! Run it: `cargo run -p aikf-topk --example 01_topk`. `AIKF_DEVICE=cpu`, `cuda` or `emulator`
//! chooses the device; the answer does not depend on it.
use aikf_topk::{Error, Rows, Runtime, TopK};
use half::bf16;

fn main() -> Result<(), Error> {
    let runtime = Runtime::new()?; // the first GPU, or the host's cores
    println!("on {}", runtime.device());

    // Two rows of 1000 logits, one behind the other.
    let logits: Vec<f32> = (0..2000).map(|i| (i * 7919 % 1000) as f32 / 100.0).collect();
    let top = TopK::new(5).select(&runtime, Rows::new(&logits, 2, 1000)?)?;
    for row in 0..top.rows {
        println!("row {row}: index and value, best first");
        for (index, value) in top.row(row) {
            println!("  {index:>4} {value}");
        }
    }

    // NaN is greatest, equals come by index, and a mask of -inf is a value like any other.
    let special = [1.5, f32::NEG_INFINITY, f32::NAN, 1.5].map(bf16::from_f32);
    let row = Rows::new(&special, 1, 4)?;
    let greatest = TopK::new(4).select(&runtime, row)?;
    assert_eq!(greatest.indices, [2, 0, 3, 1]);
    let smallest = TopK::new(4).largest(false).select(&runtime, row)?;
    assert_eq!(smallest.indices, [1, 0, 3, 2]); // NaN is greatest here too, so it is last

    // A wrong call gets its numbers back, before anything is allocated.
    let error = TopK::new(9).select(&runtime, row).expect_err("a row has only 4");
    println!("as it must be, refused: {error}");
    Ok(())
}
