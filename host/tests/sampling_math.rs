//! The arithmetic of sampling against independent ones: Philox against another crate's and the
//! authors' vectors, exponential and logarithm against the host's, weights against their sum.
use kernels_gpu::sampling::math::{exp, fixed, ln, multiply_high, scale};
use kernels_gpu::sampling::philox::{draw_word, philox4x32_10};
use proptest::prelude::*;

/// Known answers: key, counter and words of Random123's file of known answers.
#[test]
fn philox_known_answers() {
    let pi = [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344];
    let answers = [
        ([0; 4], [0; 2], [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]),
        ([!0; 4], [!0; 2], [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]),
        (pi, [0xa409_3822, 0x299f_31d0], [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]),
    ];
    for (counter, key, words) in answers {
        assert_eq!(philox4x32_10(counter, key), words);
    }
}

proptest! {
    #[test]
    fn philox_is_another_crates(counter in any::<[u32; 4]>(), key in any::<[u32; 2]>()) {
        prop_assert_eq!(philox4x32_10(counter, key), rand_philox::philox4x32_10(counter, key));
    }

    /// The layout of key and counter is part of the contract: a change changes every token.
    #[test]
    fn a_draws_word_is_of_seed_position_and_sample(
        seed in any::<u64>(), position in any::<u64>(), sample in any::<u32>(),
    ) {
        let counter = [position as u32, (position >> 32) as u32, sample, 0x544f_4b4e];
        let words = rand_philox::philox4x32_10(counter, [seed as u32, (seed >> 32) as u32]);
        let word = u64::from(words[1]) << 32 | u64::from(words[0]);
        prop_assert_eq!(draw_word(seed, position, sample), word);
    }

    #[test]
    fn ln_is_the_hosts(x in 1e-30f64..1e30) {
        let (ours, right) = (ln(x), x.ln());
        prop_assert!((ours - right).abs() <= 1e-15 * right.abs().max(1e-3), "{x}: {ours} {right}");
    }

    #[test]
    fn products(a in any::<u64>(), b in any::<u64>()) {
        let right = (u128::from(a) * u128::from(b)) >> 64;
        prop_assert_eq!(u128::from(multiply_high(a, b)), right);
    }
}

/// Every 64th `f32` from -45 to 0, which is all that is ever asked for.
#[test]
fn exp_is_within_two_units() {
    let mut worst = 0.0f64;
    let mut checked = 0;
    for bits in (0..45f32.to_bits()).step_by(64) {
        let x = -f32::from_bits(bits);
        let right = f64::from(x).exp();
        let ours = exp(x);
        let unit =
            f64::from(f32::from_bits((right as f32).to_bits() + 1)) - f64::from(right as f32);
        worst = worst.max((f64::from(ours) - right).abs() / unit);
        checked += 1;
    }
    assert!(checked > 1_000_000);
    assert!(worst <= 2.0, "{worst} units in the last place");
}

#[test]
fn weights_of_a_row_cannot_overflow() {
    for n in [1u32, 2, 3, 5, 1000, 1024, 1025, 128_256, (1 << 31) - 1] {
        let one = fixed(1.0, scale(n));
        assert!(u128::from(one) * u128::from(n) <= 1 << 62, "{n}");
        assert!(u128::from(one) * u128::from(n) > 1 << 60, "{n}: bits are wasted");
    }
}

#[test]
fn a_weight_is_the_nearest() {
    for scale in [31, 45, 62] {
        for w in [1.0f32, 0.999_999_94, 0.3, 1e-3, 1e-9, 3e-12, 1e-19] {
            let right = f64::from(w) * 2f64.powi(scale as i32);
            let ours = fixed(w, scale) as f64;
            assert!((ours - right).abs() <= 0.5, "{w} at {scale}: {ours}, {right}");
        }
    }
}
