//! How answers and measurements are printed: tables for people, JSON and CSV for programs. All of
//! it goes through one buffer, because a line a system call is slow for a million lines.
pub mod draws;
pub mod findings;
pub mod report;
pub mod selection;

use std::io::{self, BufWriter, StdoutLock, Write};

use aikf_topk::{Backend, Problem, Runtime};
use comfy_table::{Attribute, Cell, CellAlignment, LineStyle, Table, TableStyle};
use serde::Serialize;

use crate::error::Error;
use crate::terminal;

/// One line under the header, and no other: what is copied out of a terminal is text in columns.
const STYLE: TableStyle =
    TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// How an answer is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people
    Table,
    /// One JSON object a line
    Json,
    /// Comma-separated values under a header
    Csv,
}

/// A problem in words.
pub fn problem(problem: &Problem) -> String {
    let Problem { dtype, rows, n, k, largest, .. } = problem;
    let best = match (largest, rows) {
        (true, 1) => "the greatest",
        (false, 1) => "the smallest",
        (true, _) => "of each the greatest",
        (false, _) => "of each the smallest",
    };
    let s = if *rows == 1 { "" } else { "s" };
    format!("{rows} row{s} of {n} {}, {best} {k}", dtype.name())
}

/// What a backend runs on, for people.
pub fn device_name(backend: Backend, runtime: &Runtime) -> String {
    match runtime.gpu() {
        Some(gpu) if backend != Backend::Cpu => {
            format!("{} ({})", runtime.device(), gpu.limits().name)
        }
        _ => format!("cpu ({} threads)", rayon::current_num_threads()),
    }
}

/// A number of things in words: `1 entry`, `2 entries`.
pub fn counted(count: usize, one: &str, several: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { several })
}

/// Opens standard output, writes, and sees to it that all has arrived.
fn buffered(
    write: impl FnOnce(&mut BufWriter<StdoutLock<'static>>) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    write(&mut out)?;
    Ok(out.flush()?)
}

/// Text that was made elsewhere.
pub fn bytes(text: &[u8]) -> Result<(), Error> {
    buffered(|out| Ok(out.write_all(text)?))
}

/// A record as a line of JSON.
fn json_line(out: &mut impl Write, record: &impl Serialize) -> Result<(), Error> {
    serde_json::to_writer(&mut *out, record)?;
    Ok(out.write_all(b"\n")?)
}

/// An empty table. Columns are numbers, aligned to the right, but for the first `words`.
fn table(header: &[&str], words: usize) -> Table {
    let mut table = Table::new();
    table.load_style(STYLE);
    let bold = terminal::takes_colours(&io::stdout());
    if bold {
        table.enforce_styling(); // `--color always` holds for pipes too
    }
    table.set_header(header.iter().map(|name| match bold {
        true => Cell::new(name).add_attribute(Attribute::Bold),
        false => Cell::new(name),
    }));
    for column in table.column_iter_mut().skip(words) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// A value with as many digits as tell it from its neighbours.
fn number(value: f32) -> String {
    if value.is_nan() {
        "NaN".to_string() // whatever its sign
    } else {
        format!("{value:?}")
    }
}

/// A value in JSON, which has numbers for finite values alone.
#[derive(Serialize)]
#[serde(untagged)]
enum JsonValue {
    Finite(f32),
    Word(String),
}

impl JsonValue {
    fn new(value: f32) -> JsonValue {
        if value.is_finite() { JsonValue::Finite(value) } else { JsonValue::Word(number(value)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_text_and_json() {
        let texts = [
            (1.5, "1.5", "1.5"),
            (-0.0, "-0.0", "-0.0"),
            (1e-40, "1e-40", "1e-40"),
            (f32::NAN, "NaN", "\"NaN\""),
            (-f32::NAN, "NaN", "\"NaN\""),
            (f32::INFINITY, "inf", "\"inf\""),
            (f32::NEG_INFINITY, "-inf", "\"-inf\""),
        ];
        for (value, text, json) in texts {
            assert_eq!(number(value), text);
            assert_eq!(serde_json::to_string(&JsonValue::new(value)).unwrap(), json);
        }
    }
}
