//! There are no kernels for `f64`.
use aikf_topk::{Error, Rows};

fn main() -> Result<(), Error> {
    let scores = [0.5f64, 2.0];
    Rows::new(&scores, 1, 2)?;
    Ok(())
}
