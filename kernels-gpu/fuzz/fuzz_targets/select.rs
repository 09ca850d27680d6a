//! Any bytes become a problem and a way to cut it up; the kernels must give the reference's answer
//! without a fault of the emulator's.
//!
//! `cargo fuzz run --sanitizer none select` in `kernels-gpu`, with cargo-fuzz and a nightly
//! toolchain. The address sanitizer does not know the emulator's stacks.
#![no_main]

#[path = "../../tests/support/mod.rs"]
mod support;

use arbitrary::Arbitrary;
use kernels_gpu::params::Dtype;
use kernels_gpu::testkit::{Case, Pattern};
use libfuzzer_sys::fuzz_target;
use support::{Merge, Shape, check_elements};

#[derive(Arbitrary, Debug)]
struct Input {
    elements: Vec<u16>,
    k: u16,
    rows: u8,
    dtype: u8,
    shape: u16,
    slack: u8,
    seed: u8,
}

fuzz_target!(|input: Input| {
    let rows = usize::from(input.rows % 4) + 1;
    let n = (input.elements.len() / rows).min(1200);
    if n == 0 {
        return;
    }
    let dtype = Dtype::ALL[usize::from(input.dtype % 3)];
    // Two 16-bit words make an f32 whose upper half, and so its order, the fuzzer controls.
    let widen = |&word: &u16| match dtype {
        Dtype::F32 => u32::from(word) << 16 | u32::from(word),
        _ => u32::from(word),
    };
    let elements: Vec<u32> = input.elements[..rows * n].iter().map(widen).collect();
    let bits = |at: u16, count: u16| usize::from(input.shape >> at & (count - 1));
    let shape = Shape {
        warps: [1, 2, 4, 1][bits(0, 4)],
        depth: [1, 2, 4, 8][bits(2, 4)],
        pieces: bits(4, 4) as u32 + 1,
        merge: Merge::ALL[bits(6, 4) % 3],
        slack: 8 * u32::from(input.slack),
        chunk_units: [1, 2, 5, 32][bits(14, 4)],
        ragged: bits(8, 2) == 1,
        wide: bits(9, 2) == 1,
        scant: bits(10, 2) == 1,
        large: bits(11, 2) == 1,
        all: bits(12, 2) == 1,
    };
    let k = usize::from(input.k) % n + 1;
    let (pattern, largest, lead) = (Pattern::AnyBits, bits(10, 2) == 1, bits(11, 8));
    let case = Case { pattern, dtype, rows, n, k, largest, lead };
    let schedule = match input.seed {
        0 => simt::Schedule::InOrder,
        seed => simt::Schedule::Random { seed: seed.into() },
    };
    check_elements(&case, elements, &shape, schedule);
});
