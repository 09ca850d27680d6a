//! Philox4x32-10: random words that are a function of a key and a counter, with no state between.
//!
//! # Source
//! Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC'11.

const MULTIPLIERS: [u32; 2] = [0xd251_1f53, 0xcd9e_8d57];
const WEYL: [u32; 2] = [0x9e37_79b9, 0xbb67_ae85];
const ROUNDS: u32 = 10;

/// What the fourth word of the counter is for drawing tokens; other uses get other words.
const DOMAIN_TOKEN: u32 = u32::from_be_bytes(*b"TOKN");

/// The four words for a counter under a key.
#[inline(always)]
pub fn philox4x32_10(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    let ([mut a, mut b, mut c, mut d], [mut left, mut right]) = (counter, key);
    let mut round = 0;
    while round < ROUNDS {
        let first = MULTIPLIERS[0] as u64 * a as u64;
        let second = MULTIPLIERS[1] as u64 * c as u64;
        (a, b, c, d) = (
            (second >> 32) as u32 ^ b ^ left,
            second as u32,
            (first >> 32) as u32 ^ d ^ right,
            first as u32,
        );
        left = left.wrapping_add(WEYL[0]);
        right = right.wrapping_add(WEYL[1]);
        round += 1;
    }
    [a, b, c, d]
}

/// The random word of draw number `sample` at `position` under `seed`. The row's number is no part
/// of it: a row draws the same wherever it stands in a batch.
///
/// Key: the seed's halves, the lower first. Counter: the position's halves, the lower first, the
/// sample's number, a word for the purpose. Of the four words the first two are the result, the
/// first being its lower half.
#[inline(always)]
pub fn draw_word(seed: u64, position: u64, sample: u32) -> u64 {
    draw_words(seed, position, sample)[0]
}

/// As [`draw_word`], and a second word, of the last two of the four.
#[inline(always)]
pub fn draw_words(seed: u64, position: u64, sample: u32) -> [u64; 2] {
    let counter = [position as u32, (position >> 32) as u32, sample, DOMAIN_TOKEN];
    let [a, b, c, d] = philox4x32_10(counter, [seed as u32, (seed >> 32) as u32]);
    [(b as u64) << 32 | a as u64, (d as u64) << 32 | c as u64]
}
