//! The arithmetic of sampling, the same on the host and in kernels: from logits to fixed-point
//! weights, from weights to a draw. Pure; every operation is rounded by itself, and none is fused
//! but where the source says so, so that both compilations give the same bits.
//!
//! # Reading order
//!
//! 1. [`params`]: what a row's sampling is told, and what a row's draw is given as status.
//! 2. [`math`]: exponential, logarithm, fixed point.
//! 3. [`adjust`]: penalties and bias, which come before everything else.
//! 4. [`filter`]: which tokens stay, and what a token weighs.
//! 5. [`segment`]: what a token weighs in a draw from a whole row; [`nucleus`]: in its top-p.
//! 6. [`philox`]: the random words of a draw.
//!
//! # Why fixed point
//!
//! Sums of floats depend on their order, and so on the number of threads. A weight is an integer of
//! so many fractional bits that no sum can overflow: every order of summation gives the same sum,
//! and every decision (which token crosses `top_p`, which token is drawn) is a comparison of
//! integers.
pub mod adjust;
pub mod filter;
pub mod launch;
pub mod math;
pub mod nucleus;
pub mod params;
pub mod philox;
pub mod segment;
