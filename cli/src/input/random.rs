//! Made-up rows: bell-shaped, and a pure function of seed, row and place, so that a row is the
//! same whatever the batch, and on every machine.
use aikf_topk::{Dtype, Element};
use half::{bf16, f16};
use rayon::prelude::*;
use topk_bench::random::{SplitMix64, mix};

use crate::check::from_bits;
use crate::error::Error;

/// `rows` rows of `n` elements.
pub fn rows<T: Element>(seed: u64, rows: usize, n: usize) -> Result<Vec<T>, Error> {
    let too_large = || Error::TooLarge { rows, n, dtype: T::DTYPE.name() };
    let count = rows.checked_mul(n).ok_or_else(too_large)?;
    let mut elements: Vec<T> = vec![];
    elements.try_reserve_exact(count).map_err(|_| too_large())?;
    elements.resize(count, from_bits(0));
    if n > 0 {
        elements
            .par_chunks_mut(n)
            .enumerate()
            .for_each(|(row, elements)| fill(seed, row as u64, elements));
    }
    Ok(elements)
}

fn fill<T: Element>(seed: u64, row: u64, elements: &mut [T]) {
    let mut random = SplitMix64(mix(seed ^ mix(row + 1)));
    elements.fill_with(|| rounded(normal(&mut random)));
}

/// The nearest element of the type.
fn rounded<T: Element>(value: f32) -> T {
    from_bits(match T::DTYPE {
        Dtype::F32 => value.to_bits(),
        Dtype::F16 => f16::from_f32(value).to_bits().into(),
        Dtype::Bf16 => bf16::from_f32(value).to_bits().into(),
    })
}

/// Close to a standard normal: the sum of eight uniform numbers. The sum is one of whole numbers,
/// and neither logarithm nor sine is in it, so that every machine gets the same bits.
fn normal(random: &mut SplitMix64) -> f32 {
    const HALVES: u64 = 8;
    let sum: u64 = (0..HALVES / 2)
        .map(|_| random.word())
        .map(|word| (word >> 32) + (word & 0xffff_ffff))
        .sum();
    let unit = 2f64.powi(-32);
    let centred = sum as f64 * unit - HALVES as f64 / 2.0;
    // A uniform number's variance is 1/12.
    (centred / (HALVES as f64 / 12.0).sqrt()) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bell_shaped() {
        let x: Vec<f32> = rows(3, 4, 25_000).unwrap();
        let mean = x.iter().sum::<f32>() / 1e5;
        let variance = x.iter().map(|v| v * v).sum::<f32>() / 1e5;
        assert!(mean.abs() < 0.02, "{mean}");
        assert!((variance - 1.0).abs() < 0.02, "{variance}");
        assert!(x.iter().any(|&v| v > 3.5));
    }

    #[test]
    fn a_row_is_the_same_in_every_batch() {
        let few: Vec<f16> = rows(9, 2, 100).unwrap();
        let many: Vec<f16> = rows(9, 5, 100).unwrap();
        assert_eq!(few, many[..200]);
        assert_ne!(few[..100], few[100..]);
        assert_ne!(few, rows::<f16>(10, 2, 100).unwrap());
        let bits = few[100..103].iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits, [0x2e04, 0x4160, 0x3976], "rows of a seed stay what they are");
    }

    #[test]
    fn too_many_elements_are_refused() {
        assert!(rows::<f32>(1, usize::MAX, 2).is_err());
        assert!(rows::<f32>(1, usize::MAX / 8, 1).is_err());
        assert!(rows::<f32>(1, 5, 0).unwrap().is_empty());
    }
}
