//! What happens to a logit before the filters: penalties, bias, mask.
use super::params::{FilterOrder, RowParams};

/// In a token's word of history: the token is in the prompt. The bits below count how often it was
/// generated.
pub const IN_PROMPT: u32 = 1 << 31;

/// A logit after the penalties for a token of this history.
///
/// The repetition penalty counts what is in the prompt or was generated, the other two what was
/// generated alone, as in vLLM.
#[inline(always)]
fn penalised(logit: f32, history: u32, row: &RowParams) -> f32 {
    let mut logit = logit;
    if history != 0 {
        let penalty = row.repetition_penalty;
        logit = if logit > 0.0 { logit / penalty } else { logit * penalty };
    }
    let count = history & !IN_PROMPT;
    if count != 0 {
        logit -= row.frequency_penalty * count as f32;
        logit -= row.presence_penalty;
    }
    logit
}

/// A logit after penalties and bias, in the order's order.
#[inline(always)]
pub fn adjusted(logit: f32, history: u32, bias: f32, row: &RowParams, order: FilterOrder) -> f32 {
    match order {
        FilterOrder::HuggingFace => penalised(logit, history, row) + bias,
        FilterOrder::Vllm | FilterOrder::LlamaCpp => penalised(logit + bias, history, row),
    }
}
