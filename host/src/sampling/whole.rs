//! Rows that are drawn from in the order of indices: segments first, then in a segment.
use kernels_gpu::sampling::math::{ln, multiply_high};
use kernels_gpu::sampling::params::RowParams;
use kernels_gpu::sampling::philox::draw_words;
use kernels_gpu::sampling::segment::{SEGMENT, Weigher, in_units_of, row_mass};

/// A row, weighed segment by segment.
pub(super) struct Whole {
    /// The logits of what may be drawn; `-inf` for the others.
    logits: Vec<f32>,
    segments: Vec<Segment>,
    /// What the greatest logit's token weighs.
    greatest: u64,
}

/// A segment of a row.
struct Segment {
    /// How its tokens weigh.
    weigher: Weigher,
    /// What all of them weigh together.
    sum: u64,
    /// What that counts for in the row.
    share: u64,
}

impl Whole {
    /// The row of these logits, the greatest of which is `max`, above `-inf`. Those of a filtered
    /// row weigh against that, the others against their segment's.
    pub(super) fn new(logits: Vec<f32>, max: f32, params: &RowParams, is_filtered: bool) -> Whole {
        let weigher = Weigher::new(params.draw_temperature());
        let of_row = weigher.against(max);
        let of_segment = |part: &[f32]| {
            let top = part.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let weigher = if is_filtered { of_row } else { weigher.against(top) };
            let sum = if top == f32::NEG_INFINITY { 0 } else { weigher.sum(part) };
            Segment { weigher, sum, share: of_row.share(&weigher) }
        };
        let segments = logits.chunks(SEGMENT as usize).map(of_segment).collect();
        Whole { logits, segments, greatest: of_row.weight(max) }
    }

    /// The logarithm of what the row weighs.
    pub(super) fn log_total(&self) -> f64 {
        let total = (0..self.segments.len()).map(|segment| self.mass(segment)).sum();
        ln(in_units_of(self.greatest, total, self.segments.len() as u32))
    }

    /// Which tokens may be drawn.
    pub(super) fn kept(&self) -> impl Iterator<Item = bool> {
        self.logits.iter().map(|&logit| logit > f32::NEG_INFINITY)
    }

    /// What a segment weighs in the row.
    fn mass(&self, segment: usize) -> u64 {
        let Segment { sum, share, .. } = self.segments[segment];
        row_mass(sum, share, self.segments.len() as u32)
    }

    /// The tokens of all samples; `u32::MAX` where nothing is left.
    pub(super) fn draw(mut self, samples: u32, replacement: bool, params: &RowParams) -> Vec<u32> {
        let mut masses: Vec<u64> = (0..self.segments.len()).map(|at| self.mass(at)).collect();
        let mut total = masses.iter().sum();
        let draw = |sample| {
            if total == 0 {
                return u32::MAX;
            }
            let [word, second] = draw_words(params.seed, params.position, sample);
            let at = first_above(masses.iter().copied(), multiply_high(word, total));
            let (first, segment) = (at * SEGMENT as usize, &mut self.segments[at]);
            let weights = self.logits[first..].iter().take(SEGMENT as usize);
            let weights = weights.map(|&logit| segment.weigher.weight(logit));
            let token = first + first_above(weights, multiply_high(second, segment.sum));
            if !replacement {
                segment.sum -= segment.weigher.weight(self.logits[token]);
                self.logits[token] = f32::NEG_INFINITY;
                total -= masses[at];
                masses[at] = self.mass(at);
                total += masses[at];
            }
            token as u32
        };
        (0..samples).map(draw).collect()
    }
}

/// The first place at which the running sum exceeds a share, which is less than the sum of all.
fn first_above(mut weights: impl Iterator<Item = u64>, share: u64) -> usize {
    let mut sum = 0;
    let found = weights.position(|weight| {
        sum += weight;
        sum > share
    });
    found.expect("the share is less than the sum of all")
}
