//! Random words for what is made up: rows, shapes, their elements.

/// `SplitMix64` (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014), from
/// any state.
#[derive(Clone, Debug)]
pub struct SplitMix64(pub u64);

/// What its state grows by at each word.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

impl SplitMix64 {
    /// The generator of seed 0 before word number `i`, counted from 0.
    pub fn at(i: u64) -> SplitMix64 {
        SplitMix64(i.wrapping_mul(STEP))
    }

    /// The next word.
    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        mix(self.0)
    }

    /// A number from 0 on, below 1.
    pub fn unit(&mut self) -> f64 {
        (self.word() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Its output function: every bit of the answer depends on every bit of `x`, and no two numbers
/// have the same answer.
pub fn mix(x: u64) -> u64 {
    let x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ x >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_the_published_ones() {
        let mut random = SplitMix64(0);
        let words = [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4, 0x06c4_5d18_8009_454f];
        assert_eq!(words, [random.word(), random.word(), random.word()]);
        assert_eq!(SplitMix64::at(2).word(), words[2]);
    }

    #[test]
    fn units_lie_between_0_and_1() {
        let mut random = SplitMix64(1);
        let units: Vec<f64> = (0..1000).map(|_| random.unit()).collect();
        assert!(units.iter().all(|unit| (0.0..1.0).contains(unit)));
        assert!((units.iter().sum::<f64>() / 1000.0 - 0.5).abs() < 0.05);
    }
}
