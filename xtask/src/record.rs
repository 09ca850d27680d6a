//! `cargo xtask record REPORT.json`: writes a report of `topk bench` into the README, as the table
//! of times between the two lines that say so.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::repository;

const BEGIN: &str = "<!-- record:begin -->";
const END: &str = "<!-- record:end -->";
/// How the README's numbers are measured.
const MODE: &str = "graph-cold";

/// The arguments of `cargo xtask record`.
#[derive(clap::Args)]
pub struct Args {
    /// A report: `topk bench --format json --output REPORT.json`. Rows of backend torch, measured
    /// in the same way, get columns beside ours
    report: PathBuf,
    /// Change nothing; fail if the README's table is another one
    #[arg(long)]
    check: bool,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<()> {
    let text = fs::read_to_string(&args.report).context(args.report.display().to_string())?;
    let report: Value = serde_json::from_str(&text).context(args.report.display().to_string())?;
    let path = repository::root().join("README.md");
    let readme = fs::read_to_string(&path).context("README.md")?;
    let renewed = replaced(&readme, &table(&report)?)?;
    match (args.check, readme == renewed) {
        (_, true) => println!("README.md has these times"),
        (false, false) => {
            fs::write(&path, renewed).context("README.md")?;
            println!("README.md: the table is written anew");
        }
        (true, false) => bail!("README.md has other times; `cargo xtask record` writes them"),
    }
    Ok(())
}

/// The text with another table between the marks.
fn replaced(readme: &str, table: &str) -> Result<String> {
    let parts = readme.split_once(BEGIN).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(END)?;
        Some((before, after))
    });
    let (before, after) = parts.with_context(|| format!("README.md has no {BEGIN} ... {END}"))?;
    Ok(format!("{before}{BEGIN}\n{table}{END}{after}"))
}

/// A measurement, as far as the table has it.
struct Time {
    shape: String,
    dtype: String,
    is_torch: bool,
    median_us: f64,
}

/// The table: a line a shape, a column a type; where there are several of our backends, the best.
fn table(report: &Value) -> Result<String> {
    if report["schema"] != 1 {
        bail!("the report has schema {}, and 1 is read", report["schema"]);
    }
    if report["what"] == "sample" {
        bail!("the report has times of draws, and the table is of selections");
    }
    let rows = report["rows"].as_array().context("the report has no `rows`")?;
    let of_mode = rows.iter().filter(|row| row["mode"] == MODE);
    let times = of_mode.map(time).collect::<Result<Vec<Time>>>()?;
    let mut shapes: Vec<&str> = vec![];
    let mut columns: Vec<(&str, bool)> = vec![];
    for Time { shape, dtype, is_torch, .. } in &times {
        if !shapes.contains(&shape.as_str()) {
            shapes.push(shape);
        }
        if !columns.contains(&(dtype, *is_torch)) {
            columns.push((dtype, *is_torch));
        }
    }
    if shapes.is_empty() {
        bail!("the report has no rows of mode {MODE}");
    }
    // f32 before the types of 16 bits, and torch behind what it is compared with.
    columns.sort_by_key(|(dtype, is_torch)| (*dtype != "f32", *dtype, *is_torch));
    let name = |&(dtype, is_torch): &(&str, bool)| match is_torch {
        true => "torch.topk".to_string(),
        false => dtype.to_string(),
    };
    let names: Vec<String> = columns.iter().map(name).collect();
    let mut text = format!("| rows x n, k | {} |\n", names.join(" | "));
    text += &format!("|---|{}\n", "---|".repeat(names.len()));
    for shape in shapes {
        let cell = |(dtype, is_torch): &(&str, bool)| {
            let same = |t: &&Time| t.shape == shape && t.dtype == *dtype && t.is_torch == *is_torch;
            let least = times.iter().filter(same).map(|t| t.median_us).reduce(f64::min);
            least.map_or(String::new(), |us| format!("{us:.2}"))
        };
        let cells: Vec<String> = columns.iter().map(cell).collect();
        text += &format!("| {shape} | {} |\n", cells.join(" | "));
    }
    Ok(text)
}

fn time(row: &Value) -> Result<Time> {
    let number = |name: &str| row[name].as_u64().with_context(|| format!("`{name}` of {row}"));
    let word = |name: &str| row[name].as_str().with_context(|| format!("`{name}` of {row}"));
    if row["verified"] != true {
        bail!("the answer of {row} is not verified: its time is none");
    }
    Ok(Time {
        shape: format!("{} x {}, {}", number("rows")?, number("n")?, number("k")?),
        dtype: word("dtype")?.to_string(),
        is_torch: word("backend")? == "torch",
        median_us: row["median_us"].as_f64().with_context(|| format!("`median_us` of {row}"))?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(n: u64, dtype: &str, backend: &str, median_us: f64) -> Value {
        serde_json::json!({
            "rows": 1, "n": n, "k": 50, "dtype": dtype, "backend": backend, "mode": MODE,
            "median_us": median_us, "verified": true
        })
    }

    #[test]
    fn a_report_becomes_a_table() {
        let rows = vec![
            row(500, "bf16", "auto", 3.0),
            row(500, "f32", "auto", 4.0),
            row(500, "f32", "torch", 40.0),
            row(900, "f32", "stream", 6.0),
            row(900, "f32", "singlepass", 5.0),
        ];
        let report = serde_json::json!({ "schema": 1, "rows": rows });
        let right = "| rows x n, k | f32 | torch.topk | bf16 |\n|---|---|---|---|\n\
                     | 1 x 500, 50 | 4.00 | 40.00 | 3.00 |\n| 1 x 900, 50 | 5.00 |  |  |\n";
        assert_eq!(table(&report).expect("a table"), right);
    }

    #[test]
    fn what_cannot_stand_in_the_readme_is_refused() {
        let mut wrong = row(500, "f32", "auto", 4.0);
        wrong["verified"] = false.into();
        let draw = row(500, "f32", "auto", 4.0);
        for report in [
            serde_json::json!({ "schema": 2, "rows": [] }),
            serde_json::json!({ "schema": 1, "what": "sample", "rows": [draw] }),
            serde_json::json!({ "schema": 1, "rows": [] }),
            serde_json::json!({ "schema": 1, "rows": [wrong] }),
        ] {
            assert!(table(&report).is_err(), "{report}");
        }
    }

    #[test]
    fn the_readme_has_a_place_for_it() {
        let readme = fs::read_to_string(repository::root().join("README.md")).expect("README.md");
        let renewed = replaced(&readme, "| a |\n").expect("the marks");
        assert!(renewed.contains(&format!("{BEGIN}\n| a |\n{END}\n")));
        assert_eq!(replaced(&renewed, "| a |\n").expect("the marks"), renewed);
        assert!(replaced("no marks", "").is_err());
    }
}
