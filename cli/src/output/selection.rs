//! A selection: row, rank, index, value. A place for which the row has no element has no index.
use std::io::Write;

use aikf_topk::{Element, Selection};
use serde::Serialize;

use super::{Format, JsonValue, buffered, json_line, number, table};
use crate::error::Error;

/// What a table shows of a large answer.
const ROWS_SHOWN: usize = 4;
const RANKS_SHOWN: usize = 10;

/// A row of the answer in JSON.
#[derive(Serialize)]
struct Record {
    row: usize,
    indices: Vec<Option<u32>>,
    values: Vec<JsonValue>,
}

/// Prints the answer; a table is cut unless `all` is wanted.
pub fn print<T: Element>(format: Format, all: bool, answer: &Selection<T>) -> Result<(), Error> {
    buffered(|out| match format {
        Format::Table => as_table(out, all, answer),
        Format::Json => as_json(out, answer),
        Format::Csv => as_csv(out, answer),
    })
}

fn as_table<T: Element>(
    out: &mut impl Write,
    all: bool,
    answer: &Selection<T>,
) -> Result<(), Error> {
    let (rows, ranks) = match all {
        true => (answer.rows, answer.k),
        false => (answer.rows.min(ROWS_SHOWN), answer.k.min(RANKS_SHOWN)),
    };
    let mut table = table(&["row", "rank", "index", "value"], 0);
    for row in 0..rows {
        for (rank, (index, value)) in answer.row(row).take(ranks).enumerate() {
            table.add_row([
                row.to_string(),
                rank.to_string(),
                place(index).map_or("-".to_string(), |place| place.to_string()),
                number(value.to_f32()),
            ]);
        }
    }
    writeln!(out, "{table}")?;
    let hidden = answer.rows * answer.k - rows * ranks;
    if hidden > 0 {
        writeln!(
            out,
            "and {hidden} more entries ({} rows of {}): --all prints them, so do json and csv",
            answer.rows, answer.k
        )?;
    }
    Ok(())
}

fn as_json<T: Element>(out: &mut impl Write, answer: &Selection<T>) -> Result<(), Error> {
    for row in 0..answer.rows {
        let range = row * answer.k..(row + 1) * answer.k;
        let values = answer.values[range.clone()].iter();
        json_line(
            out,
            &Record {
                row,
                indices: answer.indices[range].iter().map(|&index| place(index)).collect(),
                values: values.map(|v| JsonValue::new(v.to_f32())).collect(),
            },
        )?;
    }
    Ok(())
}

fn as_csv<T: Element>(out: &mut impl Write, answer: &Selection<T>) -> Result<(), Error> {
    writeln!(out, "row,rank,index,value")?;
    for row in 0..answer.rows {
        for (rank, (index, value)) in answer.row(row).enumerate() {
            let index = place(index).map_or(String::new(), |place| place.to_string());
            writeln!(out, "{row},{rank},{index},{}", number(value.to_f32()))?;
        }
    }
    Ok(())
}

/// The index, unless it stands for no element.
fn place(index: u32) -> Option<u32> {
    (index != u32::MAX).then_some(index)
}
