//! Drawing tokens: what the sampling kernels share, and the kernels themselves.
//!
//! Rows whose candidates fit into shared memory (`top_k` of at most 1024, and greedy ones) are
//! drawn from by [`finish`], behind the selection of the kernel `sample` in `select.rs`, or by the
//! warp that holds the row ([`by_warp`]). The others go through the kernels of [`full`] and
//! [`digits`], which read the whole row. [`process`] comes before both where penalties, biases or
//! masks change the logits, [`score`] behind them where logarithms of probabilities are wanted.
pub mod by_warp;
pub mod candidates;
pub mod descent;
pub mod digits;
pub mod draw;
pub mod few;
pub mod finish;
pub mod full;
pub mod guess;
pub mod lists;
pub mod look;
pub mod outputs;
pub mod piece;
pub mod process;
pub mod rows;
pub mod score;
pub mod segment;
pub mod sieve;
pub mod walk;
pub mod window;
pub mod window_end;
