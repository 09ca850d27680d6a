//! Inputs: patterns that have broken selection code before, and the seed table that every backend
//! runs through.
use crate::params::Dtype;

/// How a row is filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// Bell-shaped values.
    Normal,
    /// Any bit pattern whatever: NaNs of both signs and all payloads, subnormals, infinities.
    AnyBits,
    /// Few distinct values.
    Ties,
    /// Values, a quarter of them NaN, of both signs and several payloads.
    Nans,
    /// Values, infinities of both signs among them.
    Infinities,
    /// Nothing but zeros of both signs.
    SignedZeros,
    /// Smallest first.
    Ascending,
    /// Greatest first.
    Descending,
    /// One value everywhere.
    AllEqual,
    /// Nothing but NaNs.
    AllNan,
    /// `-inf` but for a few.
    Masked,
    /// Values of one exponent.
    Narrow,
    /// Subnormal values.
    Subnormal,
    /// Small values, and the greatest at every 37th place.
    Spikes,
    /// A sawtooth with the period of a warp's vectors: the best all lie in one lane.
    Sawtooth,
    /// Few great values, then a plateau of equals all over the row, then small ones.
    Plateau,
    /// Noise on a slope that rises along the row.
    Slope,
    /// The best lie together in the row's last sixteenth.
    LateWinners,
    /// The best lie together in the row's first sixteenth.
    EarlyWinners,
    /// The best are where a stretch's first vectors, which serve as a sample, are not.
    HiddenWinners,
    /// Values that fall as one over their rank, in random places.
    Zipf,
    /// Equal values and one that is greater.
    Outlier,
}

impl Pattern {
    /// Every pattern.
    pub const ALL: [Pattern; 22] = [
        Pattern::Normal,
        Pattern::AnyBits,
        Pattern::Ties,
        Pattern::Nans,
        Pattern::Infinities,
        Pattern::SignedZeros,
        Pattern::Ascending,
        Pattern::Descending,
        Pattern::AllEqual,
        Pattern::AllNan,
        Pattern::Masked,
        Pattern::Narrow,
        Pattern::Subnormal,
        Pattern::Spikes,
        Pattern::Sawtooth,
        Pattern::Plateau,
        Pattern::Slope,
        Pattern::LateWinners,
        Pattern::EarlyWinners,
        Pattern::HiddenWinners,
        Pattern::Zipf,
        Pattern::Outlier,
    ];

    /// Fills `rows` rows of `n` elements; the bit patterns, row after row.
    pub fn fill(self, dtype: Dtype, rows: usize, n: usize, seed: u64) -> Vec<u32> {
        let mut random = Random(seed);
        let mut elements = Vec::with_capacity(rows * n);
        for _ in 0..rows {
            let start = elements.len();
            elements.extend((0..n).map(|i| self.element(dtype, (i, n), &mut random)));
            match self {
                Pattern::Ascending => sort(&mut elements[start..], dtype),
                Pattern::Descending => {
                    sort(&mut elements[start..], dtype);
                    elements[start..].reverse();
                }
                _ => {}
            }
        }
        elements
    }

    fn element(self, dtype: Dtype, (i, n): (usize, usize), random: &mut Random) -> u32 {
        let infinity = infinity(dtype);
        let sign = 1 << (8 * dtype.bytes() - 1);
        match self {
            Pattern::Normal | Pattern::Ascending | Pattern::Descending => {
                encode(random.normal(), dtype)
            }
            Pattern::AnyBits => random.next() as u32 & (sign | (sign - 1)),
            Pattern::Ties => encode([-1.0, 0.5, 2.0][random.below(3)], dtype),
            Pattern::Nans if random.below(4) == 0 => {
                infinity
                    | (1 + random.below(60) as u32)
                    | if random.below(2) == 0 { sign } else { 0 }
            }
            Pattern::Infinities if random.below(8) == 0 => {
                infinity | if random.below(2) == 0 { sign } else { 0 }
            }
            Pattern::Nans | Pattern::Infinities => encode(random.normal(), dtype),
            Pattern::SignedZeros => {
                if random.below(2) == 0 {
                    sign
                } else {
                    0
                }
            }
            Pattern::AllEqual => encode(1.25, dtype),
            Pattern::AllNan => infinity | 1,
            Pattern::Masked if random.below(50) != 0 => infinity | sign,
            Pattern::Masked => encode(random.normal(), dtype),
            Pattern::Narrow => encode(128.6 + random.unit() / 10.0, dtype),
            Pattern::Subnormal => 1 + random.below(100) as u32,
            Pattern::Spikes if i % 37 == 5 => encode(1000.0, dtype),
            Pattern::Spikes => encode(random.unit(), dtype),
            Pattern::Sawtooth => encode((i % 256) as f32 + random.unit(), dtype),
            Pattern::Plateau => match random.below(100) {
                0 => encode(5.0 + random.unit(), dtype),
                1..40 => encode(3.0, dtype),
                _ => encode(random.unit(), dtype),
            },
            Pattern::Slope => encode(4.0 * i as f32 / n as f32 + random.normal(), dtype),
            Pattern::LateWinners => encode(random.unit() + raised(i >= n - n / 16), dtype),
            Pattern::EarlyWinners => encode(random.unit() + raised(i < n / 16), dtype),
            // A stretch is a sixteenth of a row where a block has the whole row.
            Pattern::HiddenWinners => {
                encode(random.unit() + raised(i % (n / 16 + 1) > n / 32), dtype)
            }
            Pattern::Zipf => encode(1.0 / (1 + random.below(n)) as f32, dtype),
            Pattern::Outlier => encode(1.0 + raised(i == n / 3), dtype),
        }
    }
}

/// One entry of the seed table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    /// How rows are filled.
    pub pattern: Pattern,
    /// The elements' type.
    pub dtype: Dtype,
    /// Rows.
    pub rows: usize,
    /// Elements in a row.
    pub n: usize,
    /// Wanted elements a row.
    pub k: usize,
    /// The greatest, or the smallest.
    pub largest: bool,
    /// Elements that lie before the first row: sets the rows' alignment.
    pub lead: usize,
}

impl Case {
    /// The rows' bit patterns.
    pub fn elements(&self) -> Vec<u32> {
        let seed = (self.n * 31 + self.k) as u64;
        self.pattern.fill(self.dtype, self.rows, self.n, seed)
    }
}

/// Shapes around the edges of warps, vectors and tiles: rows, n, k, elements before the first row.
const SHAPES: [(usize, usize, usize, usize); 18] = [
    (1, 1, 1, 0),
    (3, 2, 1, 1),
    (2, 7, 7, 3),
    (1, 31, 5, 0),
    (2, 32, 32, 1),
    (3, 33, 8, 5),
    (1, 63, 50, 2),
    (2, 65, 64, 7),
    (1, 127, 1, 0),
    (2, 257, 100, 3),
    (1, 500, 500, 0),
    (2, 1000, 50, 1),
    (1, 1025, 128, 6),
    (1, 2049, 2000, 0),
    (3, 1777, 33, 1),
    (1, 4099, 300, 5),
    (5, 640, 17, 0),
    (2, 3000, 2048, 1),
];

/// Every pattern in every type on every shape, largest and smallest taking turns.
pub fn seed_table() -> Vec<Case> {
    let mut table = vec![];
    for (p, pattern) in Pattern::ALL.into_iter().enumerate() {
        for (s, (rows, n, k, lead)) in SHAPES.into_iter().enumerate() {
            let dtype = Dtype::ALL[(p + s) % 3];
            let largest = (p + s) % 4 != 1;
            table.push(Case { pattern, dtype, rows, n, k, largest, lead });
        }
    }
    table
}

/// The type's bits of a value; rounding towards zero is good enough for test data.
fn encode(value: f32, dtype: Dtype) -> u32 {
    let bits = value.to_bits();
    match dtype {
        Dtype::F32 => bits,
        Dtype::Bf16 => bits >> 16,
        Dtype::F16 => {
            let sign = bits >> 16 & 0x8000;
            let exponent = (bits >> 23 & 0xff) as i32 - 127 + 15;
            match exponent {
                ..=0 => sign,
                31.. => sign | 0x7bff,
                _ => sign | (exponent as u32) << 10 | bits >> 13 & 0x3ff,
            }
        }
    }
}

/// What lifts a winner above all others.
fn raised(wins: bool) -> f32 {
    if wins { 8.0 } else { 0.0 }
}

fn infinity(dtype: Dtype) -> u32 {
    match dtype {
        Dtype::F32 => 0x7f80_0000,
        Dtype::F16 => 0x7c00,
        Dtype::Bf16 => 0x7f80,
    }
}

fn sort(row: &mut [u32], dtype: Dtype) {
    row.sort_by(|&a, &b| {
        super::reference::decode(a, dtype).total_cmp(&super::reference::decode(b, dtype))
    });
}

/// SplitMix64 (Steele, Lea, Flood, 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ x >> 31
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() >> 33) as usize % end
    }

    fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1 << 24) as f32
    }

    /// The sum of twelve uniform values, less six: close to a standard normal.
    fn normal(&mut self) -> f32 {
        (0..12).map(|_| self.unit()).sum::<f32>() - 6.0
    }
}
