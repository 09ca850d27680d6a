//! Measurements and recommendations: a table for people, JSON, CSV, or Markdown.
use std::io::Write;
use std::path::Path;

use comfy_table::CellAlignment;
use serde::Serialize;
use topk_bench::Report;
use topk_bench::report::Row;
use topk_bench::tune::progress::write_whole;

use super::{buffered, counted, json_line, table};
use crate::error::Error;
use crate::terminal;

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people
    Table,
    /// For programs
    Json,
    /// Comma-separated values under a header
    Csv,
    /// A table for documents
    Markdown,
}

/// A column: its name, and what it has of a row.
#[derive(Debug)]
pub struct Column<R> {
    name: &'static str,
    /// Words stand to the left, numbers to the right.
    is_word: bool,
    show: fn(&R) -> String,
}

/// A column of words.
pub const fn word<R>(name: &'static str, show: fn(&R) -> String) -> Column<R> {
    Column { name, is_word: true, show }
}

/// A column of numbers.
pub const fn number<R>(name: &'static str, show: fn(&R) -> String) -> Column<R> {
    Column { name, is_word: false, show }
}

/// The column that marks the fastest of a workload.
const BEST: &str = "best";

const COLUMNS: [Column<Row>; 14] = [
    number("rows", |r| r.rows.to_string()),
    number("n", |r| r.n.to_string()),
    number("k", |r| r.k.to_string()),
    word("type", |r| r.dtype.clone()),
    word("backend", backend),
    word("mode", |r| r.mode.clone()),
    word("answer", |r| if r.verified { "ok" } else { "WRONG" }.to_string()),
    number("median", |r| time(r.median_us)),
    number("p10", |r| time(r.p10_us)),
    number("p90", |r| time(r.p90_us)),
    number("GB/s", |r| digits(r.gbs)),
    number("of copy", |r| {
        r.of_copy.map_or(String::new(), |share| format!("{:.1} %", 100.0 * share))
    }),
    number("vs torch", |r| r.vs_torch.map_or(String::new(), |times| format!("{}x", digits(times)))),
    number(BEST, |r| if r.best { "*" } else { "" }.to_string()),
];

/// All that is known of a row, for programs.
const FIELDS: [Column<Row>; 17] = [
    number("rows", |r| r.rows.to_string()),
    number("n", |r| r.n.to_string()),
    number("k", |r| r.k.to_string()),
    word("dtype", |r| r.dtype.clone()),
    word("backend", |r| r.backend.clone()),
    word("ran", |r| r.ran.clone()),
    word("mode", |r| r.mode.clone()),
    number("cold", |r| r.cold.to_string()),
    number("median_us", |r| format!("{:.3}", r.median_us)),
    number("p10_us", |r| format!("{:.3}", r.p10_us)),
    number("p90_us", |r| format!("{:.3}", r.p90_us)),
    number("gbs", |r| format!("{:.3}", r.gbs)),
    number("of_copy", |r| r.of_copy.map_or(String::new(), |share| format!("{share:.4}"))),
    number("vs_torch", |r| r.vs_torch.map_or(String::new(), |times| format!("{times:.3}"))),
    number(BEST, |r| r.best.to_string()),
    number("samples", |r| r.samples.to_string()),
    number("verified", |r| r.verified.to_string()),
];

fn backend(row: &Row) -> String {
    match row.backend == row.ran {
        true => row.backend.clone(),
        false => format!("{} ({})", row.backend, row.ran),
    }
}

/// Writes a report to a file, which appears whole or not at all, or to standard output.
pub fn write(format: Format, path: Option<&Path>, report: &Report) -> Result<(), Error> {
    let Some(path) = path else {
        return buffered(|out| as_text(out, format, report));
    };
    let mut text = vec![];
    as_text(&mut text, format, report)?;
    write_whole(path, &text)?;
    let measurements = counted(report.rows.len(), "measurement", "measurements");
    terminal::note(&format!("{measurements} written: {}", path.display()));
    Ok(())
}

fn as_text(out: &mut impl Write, format: Format, report: &Report) -> Result<(), Error> {
    if format == Format::Json {
        return Ok(out.write_all(report.to_json().as_bytes())?);
    }
    if format == Format::Csv {
        return columns(out, format, &FIELDS.iter().collect::<Vec<_>>(), &report.rows);
    }
    // A mark that no row has, or every row, as where each workload has one backend, tells nothing.
    let is_alone = report.rows.iter().all(|row| row.best);
    let has = |column: &&Column<Row>| report.rows.iter().any(|row| !(column.show)(row).is_empty());
    let tells = |column: &&Column<Row>| has(column) && !(is_alone && column.name == BEST);
    let used: Vec<&Column<Row>> = COLUMNS.iter().filter(tells).collect();
    columns(out, format, &used, &report.rows)
}

/// Writes rows to standard output; as JSON an object a line.
pub fn rows<R: Serialize>(format: Format, all: &[Column<R>], rows: &[R]) -> Result<(), Error> {
    buffered(|out| match format {
        Format::Json => rows.iter().try_for_each(|row| json_line(out, row)),
        _ => columns(out, format, &all.iter().collect::<Vec<_>>(), rows),
    })
}

fn columns<R>(
    out: &mut impl Write,
    format: Format,
    columns: &[&Column<R>],
    rows: &[R],
) -> Result<(), Error> {
    let names: Vec<&str> = columns.iter().map(|column| column.name).collect();
    let cells = |row: &R| -> Vec<String> { columns.iter().map(|c| (c.show)(row)).collect() };
    match format {
        Format::Csv => {
            writeln!(out, "{}", names.join(","))?;
            for row in rows {
                let quoted: Vec<String> = cells(row).iter().map(|cell| quoted(cell)).collect();
                writeln!(out, "{}", quoted.join(","))?;
            }
        }
        Format::Markdown => {
            writeln!(out, "| {} |", names.join(" | "))?;
            writeln!(out, "|{}", "---|".repeat(names.len()))?;
            for row in rows {
                writeln!(out, "| {} |", cells(row).join(" | "))?;
            }
        }
        _ => {
            let mut table = table(&names, names.len());
            for row in rows {
                table.add_row(cells(row));
            }
            let of_numbers = table.column_iter_mut().zip(columns).filter(|(_, c)| !c.is_word);
            of_numbers.for_each(|(cells, _)| cells.set_cell_alignment(CellAlignment::Right));
            writeln!(out, "{table}")?;
        }
    }
    Ok(())
}

/// A number with two places, or with three digits where that would leave too few.
fn digits(value: f64) -> String {
    let zeros = (-value.log10()).floor().clamp(0.0, 4.0) as usize;
    format!("{value:.*}", 2 + zeros)
}

/// A time with two places, in the unit that suits it.
fn time(microseconds: f64) -> String {
    match microseconds {
        us if us < 1e3 => format!("{us:.2} us"),
        us if us < 1e6 => format!("{:.2} ms", us / 1e3),
        us => format!("{:.2} s", us / 1e6),
    }
}

/// A field of CSV: in quotes where it has a comma, a quote or a line's end (RFC 4180).
fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_fitting_units() {
        assert_eq!(time(12.345), "12.35 us");
        assert_eq!(time(1234.5), "1.23 ms");
        assert_eq!(time(2_500_000.0), "2.50 s");
    }

    #[test]
    fn small_numbers_keep_their_digits() {
        assert_eq!(digits(4811.123), "4811.12");
        assert_eq!(digits(1.0), "1.00");
        assert_eq!(digits(0.0123456), "0.012");
        assert_eq!(digits(0.0), "0.000000");
    }

    #[test]
    fn fields_of_csv() {
        assert_eq!(quoted("NVIDIA H200"), "NVIDIA H200");
        assert_eq!(quoted("a,\"b\""), "\"a,\"\"b\"\"\"");
    }
}
