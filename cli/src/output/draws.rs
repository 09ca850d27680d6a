//! Draws: step, row, sample, token; or how often each token was drawn.
use std::collections::BTreeMap;
use std::io::Write;

use aikf_topk::{RowStatus, Samples};
use serde::Serialize;

use super::{Format, JsonValue, buffered, counted, json_line, number, table};
use crate::error::Error;

/// What a table shows of a long histogram: rows, and tokens of each.
const ROWS_SHOWN: usize = 4;
const TOKENS_SHOWN: usize = 20;

/// One draw.
#[derive(Serialize)]
struct Draw {
    position: u64,
    row: usize,
    sample: usize,
    token: Option<u32>,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprob: Option<JsonValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rank: Option<u32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    top: Vec<Best>,
}

/// One of a row's best tokens.
#[derive(Serialize)]
struct Best {
    token: Option<u32>,
    logprob: JsonValue,
}

/// How often a token of a row was drawn.
#[derive(Serialize)]
struct Count {
    row: usize,
    token: u32,
    count: u64,
    share: f64,
}

/// Prints every draw.
pub fn print(format: Format, position: u64, steps: &[Samples]) -> Result<(), Error> {
    let mut draws = steps.iter().enumerate().flat_map(|(step, samples)| {
        let position = position.wrapping_add(step as u64);
        (0..samples.tokens.len()).map(move |at| draw(position, samples, at))
    });
    buffered(|out| match format {
        Format::Json => draws.try_for_each(|(draw, _)| json_line(out, &draw)),
        Format::Csv => {
            writeln!(out, "{}", HEADER.join(","))?;
            draws.try_for_each(|(draw, lp)| Ok(writeln!(out, "{}", cells(&draw, lp).join(","))?))
        }
        Format::Table => {
            let mut table = table(&HEADER, 0);
            for (draw, logprob) in draws {
                table.add_row(cells(&draw, logprob));
            }
            Ok(writeln!(out, "{table}")?)
        }
    })
}

const HEADER: [&str; 7] = ["position", "row", "sample", "token", "status", "logprob", "rank"];

fn draw(position: u64, samples: &Samples, at: usize) -> (Draw, Option<f32>) {
    let (row, sample) = (at / samples.num_samples, at % samples.num_samples);
    let logprob = samples.logprobs.as_ref().map(|logprobs| logprobs.chosen[at]);
    let draw = Draw {
        position,
        row,
        sample,
        token: Some(samples.tokens[at]).filter(|&token| token != u32::MAX),
        status: match samples.status[row] {
            RowStatus::Ok => "ok",
            RowStatus::NanSeen => "nan_seen",
            RowStatus::AllMasked => "all_masked",
        },
        logprob: logprob.map(JsonValue::new),
        rank: samples.logprobs.as_ref().map(|logprobs| logprobs.ranks[at]),
        top: best(samples, row),
    };
    (draw, logprob)
}

/// The best tokens of a row, where they were asked for.
fn best(samples: &Samples, row: usize) -> Vec<Best> {
    let Some(logprobs) = &samples.logprobs else {
        return vec![];
    };
    let range = row * logprobs.top..(row + 1) * logprobs.top;
    let pairs = logprobs.top_tokens[range.clone()].iter().zip(&logprobs.top_logprobs[range]);
    let best = pairs.map(|(&token, &logprob)| Best {
        token: Some(token).filter(|&token| token != u32::MAX),
        logprob: JsonValue::new(logprob),
    });
    best.collect()
}

fn cells(draw: &Draw, logprob: Option<f32>) -> [String; 7] {
    [
        draw.position.to_string(),
        draw.row.to_string(),
        draw.sample.to_string(),
        draw.token.map_or(String::new(), |token| token.to_string()),
        draw.status.to_string(),
        logprob.map_or(String::new(), number),
        draw.rank.map_or(String::new(), |rank| rank.to_string()),
    ]
}

/// Prints how often each token was drawn, row by row, the most frequent first; a table is cut.
pub fn print_histogram(format: Format, steps: &[Samples]) -> Result<(), Error> {
    let rows = steps.first().map_or(0, |samples| samples.rows);
    let by_row: Vec<Vec<Count>> = (0..rows).map(|row| counts(row, steps)).collect();
    let mut all = by_row.iter().flatten();
    let header = ["row", "token", "count", "share"];
    let cells = |count: &Count| {
        let Count { row, token, count, share } = count;
        [row.to_string(), token.to_string(), count.to_string(), format!("{share:.6}")]
    };
    buffered(|out| match format {
        Format::Json => all.try_for_each(|count| json_line(out, count)),
        Format::Csv => {
            writeln!(out, "{}", header.join(","))?;
            all.try_for_each(|count| Ok(writeln!(out, "{}", cells(count).join(","))?))
        }
        Format::Table => {
            let mut table = table(&header, 0);
            for count in
                by_row.iter().take(ROWS_SHOWN).flat_map(|row| row.iter().take(TOKENS_SHOWN))
            {
                table.add_row(cells(count));
            }
            let hidden = all.count() - table.row_iter().count();
            writeln!(out, "{table}")?;
            if hidden > 0 {
                let rows = counted(rows, "row", "rows");
                writeln!(
                    out,
                    "and {hidden} more entries ({rows} in all): json and csv print them"
                )?;
            }
            Ok(())
        }
    })
}

fn counts(row: usize, steps: &[Samples]) -> Vec<Count> {
    let mut counted = BTreeMap::<u32, u64>::new();
    let drawn = steps.iter().flat_map(|samples| samples.row(row));
    for &token in drawn.filter(|&&token| token != u32::MAX) {
        *counted.entry(token).or_default() += 1;
    }
    let total: u64 = counted.values().sum();
    let of = |(token, count): (u32, u64)| Count {
        row,
        token,
        count,
        share: count as f64 / total as f64,
    };
    let mut counts: Vec<Count> = counted.into_iter().map(of).collect();
    counts.sort_by_key(|count| std::cmp::Reverse(count.count));
    counts
}
