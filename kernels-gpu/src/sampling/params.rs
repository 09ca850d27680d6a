//! What the host tells a sampling kernel, and what it is told of a row.

/// The most that `top_k` may be for a row's candidates to be ordered in shared memory. Such rows
/// are drawn from best first; rows with a greater `top_k`, or none, in the order of indices.
pub const SORTED_K_MAX: u32 = 1024;

/// A temperature below this is greedy.
pub const GREEDY_BELOW: f32 = 1e-5;

/// The sampling of one row. An array `[rows]` of these lies in the device's memory.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C)]
pub struct RowParams {
    /// The key of the row's random words.
    pub seed: u64,
    /// The place of the draw in the row's stream of words.
    pub position: u64,
    /// What logits are divided by; greedy below [`GREEDY_BELOW`].
    pub temperature: f32,
    /// The share of the mass that is kept, above 0 and at most 1, which keeps all.
    pub top_p: f32,
    /// The least distance from the greatest logit that min-p keeps, at most 0; `-inf` keeps all.
    pub min_p_bound: f32,
    /// What the logits of tokens that occurred are divided by (or multiplied, where negative).
    pub repetition_penalty: f32,
    /// What a token's logit loses each time that it was generated.
    pub frequency_penalty: f32,
    /// What a token's logit loses where it was generated.
    pub presence_penalty: f32,
    /// Tokens that are kept; 0 keeps all.
    pub top_k: u32,
    /// Zero.
    pub reserved: u32,
}

const _: () = assert!(size_of::<RowParams>() == 48 && align_of::<RowParams>() == 8);

impl RowParams {
    /// Whether the row takes the greatest logit, without a draw.
    #[inline(always)]
    pub fn is_greedy(&self) -> bool {
        self.temperature < GREEDY_BELOW
    }

    /// How many candidates the row has that are ordered and drawn from best first; 0 for rows that
    /// are drawn from in the order of indices.
    #[inline(always)]
    pub fn sorted_k(&self) -> u32 {
        Self::sorted_k_of(self.temperature, self.top_k)
    }

    /// The same of a row with this temperature and `top_k`.
    #[inline(always)]
    pub fn sorted_k_of(temperature: f32, top_k: u32) -> u32 {
        if temperature < GREEDY_BELOW {
            1
        } else if top_k <= SORTED_K_MAX {
            top_k
        } else {
            0
        }
    }

    /// Whether a row that is drawn from in index order is cut to its best by number or mass.
    #[inline(always)]
    pub fn has_cut(&self) -> bool {
        self.top_k > 0 || self.top_p < 1.0
    }

    /// Whether the row has a min-p.
    #[inline(always)]
    pub fn has_min_p(&self) -> bool {
        self.min_p_bound > f32::NEG_INFINITY
    }

    /// The temperature of the draw, above 0.
    #[inline(always)]
    pub fn draw_temperature(&self) -> f32 {
        if self.is_greedy() { 1.0 } else { self.temperature }
    }

    /// Whether any penalty changes a logit.
    #[inline(always)]
    pub fn has_penalty(&self) -> bool {
        self.repetition_penalty != 1.0
            || self.frequency_penalty != 0.0
            || self.presence_penalty != 0.0
    }
}

/// The order in which a row's filters are applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum FilterOrder {
    /// Penalties, bias, temperature, top-k, top-p, min-p.
    #[default]
    HuggingFace = 0,
    /// Bias, penalties, temperature, min-p, top-k, top-p.
    Vllm = 1,
    /// Bias, penalties, top-k, top-p, min-p, temperature.
    LlamaCpp = 2,
}

/// What became of a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum RowStatus {
    /// A token was drawn.
    #[default]
    Ok = 0,
    /// A token was drawn; some logit was a NaN, and counted as masked.
    NanSeen = 1,
    /// There is no token that may be drawn; its place holds `u32::MAX`.
    AllMasked = 2,
}

impl RowStatus {
    /// The status of a row, of which the greatest logit that is no NaN is `max`.
    #[inline(always)]
    pub fn of(max: f32, has_nan: bool) -> RowStatus {
        if max == f32::NEG_INFINITY {
            RowStatus::AllMasked
        } else if has_nan {
            RowStatus::NanSeen
        } else {
            RowStatus::Ok
        }
    }
}
