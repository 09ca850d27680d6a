//! What measured inputs hold.
use std::str::FromStr;

use crate::random::SplitMix64;

/// The values of an input, all finite unless it says otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Data {
    /// Bell-shaped, of unit variance.
    #[default]
    Bell,
    /// One value.
    Equal,
    /// Ten values, in no order.
    Few,
    /// Each row rises.
    Ascending,
    /// Each row falls.
    Descending,
    /// Bell-shaped, of which one in sixteen is there; `-inf` for the others, as masks leave it.
    Masked,
    /// The reciprocals of even numbers: few are great, many are small.
    Heavy,
    /// NaN.
    Nan,
}

impl Data {
    /// Every kind, with its name.
    pub const ALL: [(&str, Data); 8] = [
        ("bell", Data::Bell),
        ("equal", Data::Equal),
        ("few", Data::Few),
        ("ascending", Data::Ascending),
        ("descending", Data::Descending),
        ("masked", Data::Masked),
        ("heavy", Data::Heavy),
        ("nan", Data::Nan),
    ];

    /// Element number `i` of rows of `n`, one behind the other.
    pub fn value(self, i: u64, n: usize) -> f32 {
        let place = (i % n.max(1) as u64) as f32;
        match self {
            Data::Bell => bell(mixed(i)),
            Data::Equal => 1.0,
            Data::Few => (mixed(i) % 10) as f32,
            Data::Ascending => place,
            Data::Descending => -place,
            Data::Masked if mixed(i) >> 60 > 0 => f32::NEG_INFINITY,
            Data::Masked => bell(mixed(!i)),
            Data::Heavy => 1.0 / ((mixed(i) >> 40) as f32 + 1.0),
            Data::Nan => f32::NAN,
        }
    }
}

impl FromStr for Data {
    type Err = String;

    fn from_str(name: &str) -> Result<Data, String> {
        let found = Data::ALL.iter().find(|(known, _)| *known == name);
        let names = || Data::ALL.map(|(known, _)| known).join(", ");
        found
            .map(|&(_, data)| data)
            .ok_or_else(|| format!("no data is called {name:?}; there are {}", names()))
    }
}

/// A number's bits, mixed.
fn mixed(i: u64) -> u64 {
    SplitMix64::at(i).word()
}

/// The sum of four uniform values, scaled to unit variance.
fn bell(x: u64) -> f32 {
    let sum: f32 = (0..4).map(|part| (x >> (16 * part) & 0xffff) as f32 / 65536.0).sum();
    (sum - 2.0) * 1.732
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_what_its_name_says() {
        let row = |data: Data| (0..64).map(|i| data.value(64 + i, 64)).collect::<Vec<_>>();
        assert!(row(Data::Ascending).is_sorted());
        assert!(row(Data::Descending).iter().rev().is_sorted());
        assert!(row(Data::Nan).iter().all(|x| x.is_nan()));
        let few = row(Data::Few);
        assert!(few.iter().all(|&x| (0.0..10.0).contains(&x) && x.fract() == 0.0));
        let masked = row(Data::Masked);
        assert!(masked.contains(&f32::NEG_INFINITY) && masked.iter().any(|x| x.is_finite()));
        assert_eq!("heavy".parse(), Ok(Data::Heavy));
        assert!("smooth".parse::<Data>().unwrap_err().contains("bell, equal"));
    }
}
