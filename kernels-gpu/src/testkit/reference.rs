//! The sorted reference: slow, obvious, and shared with no kernel.
use std::cmp::Ordering;

use crate::params::{Dtype, Order};

/// The right answer for one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Bit patterns of the chosen elements, best first.
    pub values: Vec<u32>,
    /// Their places in the row.
    pub indices: Vec<u32>,
}

impl Expected {
    /// The same elements in this order.
    pub fn in_order(self, order: Order) -> Expected {
        let Expected { values, indices } = self;
        let mut pairs: Vec<(u32, u32)> = indices.into_iter().zip(values).collect();
        if order == Order::Index {
            pairs.sort_unstable();
        }
        let (indices, values) = pairs.into_iter().unzip();
        Expected { values, indices }
    }
}

/// The best `k` of a row of bit patterns, by sorting all of it.
pub fn expected(row: &[u32], dtype: Dtype, k: usize, largest: bool) -> Expected {
    let values: Vec<f64> = row.iter().map(|&bits| decode(bits, dtype)).collect();
    let mut order: Vec<u32> = (0..row.len() as u32).collect();
    // The sort is stable, so equal elements stay in the order of their indices.
    order.sort_by(|&a, &b| {
        let ascending = compare(values[a as usize], values[b as usize]);
        if largest { ascending.reverse() } else { ascending }
    });
    order.truncate(k);
    Expected { values: order.iter().map(|&i| row[i as usize]).collect(), indices: order }
}

/// NaN is greatest, and all NaNs are equal; zeros of both signs are equal.
fn compare(a: f64, b: f64) -> Ordering {
    match (a.is_nan(), b.is_nan()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        (false, false) => a.partial_cmp(&b).expect("neither is a NaN"),
    }
}

/// The value of a bit pattern, by the definition of the format.
pub fn decode(bits: u32, dtype: Dtype) -> f64 {
    let (exponent_bits, mantissa_bits) = match dtype {
        Dtype::F32 => (8, 23),
        Dtype::F16 => (5, 10),
        Dtype::Bf16 => (8, 7),
    };
    let bias = (1 << (exponent_bits - 1)) - 1;
    let mantissa = f64::from(bits & ((1 << mantissa_bits) - 1));
    let exponent = (bits >> mantissa_bits & ((1 << exponent_bits) - 1)) as i32;
    let sign = if bits >> (exponent_bits + mantissa_bits) & 1 != 0 { -1.0 } else { 1.0 };
    let unit = f64::from(1 << mantissa_bits);
    if exponent == (1 << exponent_bits) - 1 {
        if mantissa == 0.0 { sign * f64::INFINITY } else { f64::NAN }
    } else if exponent == 0 {
        sign * mantissa / unit * 2f64.powi(1 - bias)
    } else {
        sign * (1.0 + mantissa / unit) * 2f64.powi(exponent - bias)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_known_patterns() {
        assert_eq!(decode(1.5f32.to_bits(), Dtype::F32), 1.5);
        assert_eq!(decode((-3.25e-40f32).to_bits(), Dtype::F32), f64::from(-3.25e-40f32));
        assert_eq!(decode(0x3c00, Dtype::F16), 1.0);
        assert_eq!(decode(0x0001, Dtype::F16), 2f64.powi(-24));
        assert_eq!(decode(0xfc00, Dtype::F16), f64::NEG_INFINITY);
        assert_eq!(decode(0xc000, Dtype::Bf16), -2.0);
        assert!(decode(0xffc1, Dtype::Bf16).is_nan());
    }

    #[test]
    fn orders_as_the_contract_says() {
        let row = [f32::NEG_INFINITY, -0.0, 0.0, f32::NAN, f32::INFINITY, -f32::NAN];
        let bits: Vec<u32> = row.iter().map(|v| v.to_bits()).collect();
        assert_eq!(expected(&bits, Dtype::F32, 6, true).indices, [3, 5, 4, 1, 2, 0]);
        assert_eq!(expected(&bits, Dtype::F32, 6, false).indices, [0, 1, 2, 4, 3, 5]);
    }
}
