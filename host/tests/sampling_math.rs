//! The arithmetic of sampling against independent ones: Philox against another crate's and the
//! authors' vectors, exponential and logarithm against the host's, weights against their sum.
use kernels_gpu::sampling::filter::{RowFilter, least_within, min_p_bound};
use kernels_gpu::sampling::math::{exp, fixed, fixed_exp, ln, multiply_high, scale};
use kernels_gpu::sampling::nucleus::Nucleus;
use kernels_gpu::sampling::params::{FilterOrder, RowParams};
use kernels_gpu::sampling::philox::{draw_word, draw_words, philox4x32_10};
use kernels_gpu::sampling::segment::{
    SEGMENT, WEIGHT_BITS, WHOLE_SHARE, Weigher, row_bits, row_mass, segments,
};
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

/// Parameters that change nothing.
const ROW: RowParams = RowParams {
    seed: 0,
    position: 0,
    temperature: 1.0,
    top_p: 1.0,
    min_p_bound: f32::NEG_INFINITY,
    repetition_penalty: 1.0,
    frequency_penalty: 0.0,
    presence_penalty: 0.0,
    top_k: 0,
    reserved: 0,
};

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
        let second = u64::from(words[3]) << 32 | u64::from(words[2]);
        prop_assert_eq!(draw_words(seed, position, sample), [word, second]);
    }

    /// Lanes that weigh several at once weigh them as others do.
    #[test]
    fn without_a_branch_an_exponential_is_the_same(x in -50.0f32..=0.0, scale in 31u32..=62) {
        for x in [x, x / 1e3, x * 1e3, -45.0, 0.0, -0.0, f32::NEG_INFINITY, f32::NAN] {
            prop_assert_eq!(fixed_exp(x, scale), fixed(exp(x), scale), "{}", x);
        }
    }

    /// What a top-p pass takes together weighs less than what top-p leaves out, so that the prefix
    /// ends before it.
    #[test]
    fn what_is_negligible_is_left_out(
        bits in prop::collection::vec(any::<u32>(), 1..2000),
        spread in 0.0f32..30.0,
        top_p in prop_oneof![0.0f32..1.0, 0.99f32..1.0, Just(0.999_999_94)],
    ) {
        let unit = |bits: u32| bits as f32 / 4_294_967_296.0;
        let row: Vec<f32> = bits.into_iter().map(|bits| -spread * unit(bits)).collect();
        let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let top_p = top_p.max(1e-9);
        let params = RowParams { top_p, ..ROW };
        let nucleus = Nucleus::new(&params, FilterOrder::HuggingFace, max, row.len() as u32);
        let total: u64 = row.iter().map(|&logit| nucleus.mass(logit)).sum();
        let small = |mass: &u64| *mass <= nucleus.negligible();
        let rest: u64 = row.iter().map(|&logit| nucleus.mass(logit)).filter(small).sum();
        prop_assert!(total - rest >= nucleus.target(total), "{total} {rest}");
    }

    /// A sum by words is the sum of the weights, whatever the logits.
    #[test]
    fn sums_are_of_the_weights(
        bits in prop::collection::vec(any::<u32>(), 1..200), temperature in 1e-5f32..1e6,
    ) {
        let row: Vec<f32> = bits.into_iter().map(f32::from_bits).collect();
        let top = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        prop_assume!(top > f32::NEG_INFINITY);
        let weigher = Weigher::new(temperature).against(top);
        let sum: u64 = row.iter().map(|&logit| weigher.weight(logit)).sum();
        prop_assert_eq!(weigher.sum(&row), sum);
        // The greatest alone weighs at least about a half.
        prop_assert!(sum > 7 << (WEIGHT_BITS - 4) && sum <= (row.len() as u64) << WEIGHT_BITS);
    }

    /// What min-p keeps is near the greatest of its segment, whichever that is.
    #[test]
    fn what_min_p_keeps_is_near(
        min_p in prop_oneof![0.0f32..=1.0, 0.0f32..1e-30, Just(1.0), Just(0.5), Just(1e-44)],
        temperature in prop_oneof![1e-5f32..3.0, 1e-5f32..3e38],
        greatest in prop_oneof![-50.0f32..50.0, any::<f32>()],
        below in prop_oneof![0.0f32..30.0, 0.0f32..1e-3],
        share in 0.0f32..=1.0,
        order in prop_oneof![Just(FilterOrder::HuggingFace), Just(FilterOrder::LlamaCpp)],
    ) {
        prop_assume!(greatest > f32::NEG_INFINITY);
        let bound = min_p_bound(min_p, temperature, order);
        let row = RowParams { min_p_bound: bound, temperature, ..ROW };
        let filter = RowFilter::new(&row, order, greatest, 1000);
        for logit in [greatest - below, greatest + bound, greatest + bound * share, greatest] {
            let between = logit + (greatest - logit) * share;
            for top in [logit, greatest, between] {
                let is_kept = filter.can_draw(logit) && logit <= top && top <= greatest;
                prop_assert!(!(is_kept && logit < least_within(top, bound)), "{} {}", logit, top);
            }
        }
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

/// Weights of whole rows against `f64`, in units of the reference's: within 4e-7 of the distance's
/// own rounding, and 0 where the definition has it so, at every temperature.
#[test]
fn weights_of_segments_are_the_exponentials() {
    let mut worst = 0.0f64;
    for temperature in [1e-5f32, 0.05, 0.7, 1.0, 1.3, 3.0, 1e6, 1e30, 1e37, f32::MAX] {
        for reference in [0.0f32, 4.5, -30.0, 1e4, -3e38, 3e38] {
            let weigher = Weigher::new(temperature).against(reference);
            let one = weigher.weight(reference);
            assert!(one > 7 << (WEIGHT_BITS - 4) && one <= 1 << WEIGHT_BITS, "{one}");
            assert_eq!(weigher.share(&weigher), WHOLE_SHARE);
            for nothing in [f32::NEG_INFINITY, f32::NAN, -f32::NAN] {
                assert_eq!(weigher.weight(nothing), 0, "{temperature} {reference}");
            }
            assert_eq!(weigher.share(&weigher.against(f32::NEG_INFINITY)), 0);
            for step in 1..3000 {
                let logit = reference - step as f32 * 0.01 * temperature;
                let distance = f64::from(logit) - f64::from(reference);
                let right = (distance / f64::from(temperature)).exp();
                let got = weigher.weight(logit) as f64 / one as f64;
                let other = weigher.against(logit);
                let share = weigher.share(&other) as f64 / WHOLE_SHARE as f64;
                let shared = share * other.weight(logit) as f64 / one as f64;
                let allowed = right * 1.3e-7 * (3.0 - right.max(1e-300).ln());
                let unit = 1.0 / one as f64;
                assert!(
                    (got - right).abs() <= allowed + unit,
                    "{logit} {temperature}: {got} {right}"
                );
                let is_there = right > 1e-17;
                assert!(
                    !is_there || (shared - right).abs() <= allowed,
                    "{logit}: {shared} {right}"
                );
                worst = worst.max((got - right).abs() / right.max(1e-6));
            }
        }
    }
    assert!(worst < 2e-6, "{worst}");
    let infinite = Weigher::new(0.7).against(f32::INFINITY);
    assert_eq!(infinite.weight(f32::INFINITY), 1 << WEIGHT_BITS);
    assert_eq!(infinite.weight(f32::MAX), 0);
    assert_eq!(infinite.share(&infinite.against(f32::MAX)), 0);
    assert_eq!(infinite.share(&infinite), WHOLE_SHARE);
}

/// As many whole segments as a row may have do not overflow, and the greatest's bits are right.
#[test]
fn masses_of_segments_cannot_overflow() {
    for n in [1u32, 2, 1024, 1025, 2048, 2049, 128_256, 1 << 20, (1 << 31) - 1] {
        let count = segments(n);
        let most = row_mass(u64::from(SEGMENT) << WEIGHT_BITS, WHOLE_SHARE, count);
        assert!(u128::from(most) * u128::from(count) <= 1 << 62, "{n}");
        let one = row_mass(1 << WEIGHT_BITS, WHOLE_SHARE, count);
        assert_eq!(one, 1 << row_bits(count), "{n}");
    }
    assert_eq!(row_bits(segments(128_256)), 44);
}
