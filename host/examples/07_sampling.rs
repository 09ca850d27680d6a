//! Tokens from logits: a batch whose rows each have parameters of their own.
//!
//! Teaches: `Sampler`, `SamplingParams`, statuses, logarithms of probabilities; that a draw is a
//! function of seed, position, row and parameters, and of nothing else.
//!
//! Run it: `cargo run -p aikf-topk --example 07_sampling`. `AIKF_DEVICE=cpu`, `cuda` or `emulator`
//! chooses the device; the tokens do not depend on it.
use aikf_topk::{Error, LogprobKind, RowStatus, Rows, Runtime, Sampler, SamplingParams};

const N: usize = 1000;

fn main() -> Result<(), Error> {
    let runtime = Runtime::new()?; // the first GPU, or the host's cores
    println!("on {}", runtime.device());

    // Four rows of logits, the last of which nobody may choose from.
    let mut logits: Vec<f32> = (0..4 * N).map(|i| (i * 7919 % 1000) as f32 / 100.0).collect();
    logits[3 * N..].fill(f32::NEG_INFINITY);
    let rows = Rows::new(&logits, 4, N)?;
    let seeded = |seed| SamplingParams { seed: Some(seed), ..Default::default() };
    let params = [
        SamplingParams { temperature: 0.8, top_k: 50, top_p: 0.95, ..seeded(1) },
        SamplingParams { temperature: 1.2, min_p: 0.1, ..seeded(2) },
        SamplingParams::greedy(),
        seeded(4),
    ];
    let sampler = Sampler::new().num_samples(3).logprobs(LogprobKind::Raw, 0);
    let samples = sampler.sample(&runtime, rows, &params)?;
    let logprobs = samples.logprobs.as_ref().expect("they were asked for");
    for row in 0..samples.rows {
        let logprobs = &logprobs.chosen[row * 3..][..3];
        println!("row {row}: {:?} {:?} {logprobs:?}", samples.status[row], samples.row(row));
    }
    assert_eq!(samples.status[3], RowStatus::AllMasked);
    assert_eq!(samples.row(3), [u32::MAX; 3]);

    // Alone, a row draws what it drew among others; at another position it draws anew.
    let alone = Rows::new(&logits[N..2 * N], 1, N)?;
    let again = sampler.sample(&runtime, alone, &params[1..2])?;
    assert_eq!(again.row(0), samples.row(1));
    let moved = SamplingParams { position: 1, ..params[1] };
    println!("at position 1: {:?}", sampler.sample(&runtime, alone, &[moved])?.row(0));
    Ok(())
}
