//! What sampling gives.
use kernels_gpu::sampling::params::RowStatus;

/// The tokens of a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Samples {
    /// Rows.
    pub rows: usize,
    /// Draws a row.
    pub num_samples: usize,
    /// The drawn tokens, `[rows, num_samples]`; `u32::MAX` where there was none to be drawn.
    pub tokens: Vec<u32>,
    /// What became of each row.
    pub status: Vec<RowStatus>,
    /// Logarithms of probabilities, where they were asked for.
    pub logprobs: Option<Logprobs>,
}

/// Natural logarithms of probabilities, and ranks.
#[derive(Clone, Debug, PartialEq)]
pub struct Logprobs {
    /// Of the drawn tokens, `[rows, num_samples]`; `-inf` where there is no token.
    pub chosen: Vec<f32>,
    /// The drawn tokens' places among their rows' tokens, `[rows, num_samples]`: 1 is the best, and
    /// equals come by index; 0 where there is no token.
    pub ranks: Vec<u32>,
    /// Tokens a row that were asked for beside.
    pub top: usize,
    /// The rows' best tokens, `[rows, top]`; `u32::MAX` where a row has fewer.
    pub top_tokens: Vec<u32>,
    /// Their logarithms, `[rows, top]`.
    pub top_logprobs: Vec<f32>,
}

impl Samples {
    /// The tokens of a row.
    ///
    /// # Panics
    /// Where there is no such row.
    pub fn row(&self, row: usize) -> &[u32] {
        &self.tokens[row * self.num_samples..][..self.num_samples]
    }
}
