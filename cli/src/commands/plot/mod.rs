//! `topk plot`: pictures of measurements.
mod choose;
mod heatmap;
mod lines;
mod record;
mod style;

use std::path::PathBuf;

use aikf_topk::Dtype;
use clap::{Args, ValueEnum};

use super::Outcome;
use crate::args;
use crate::error::Error;
use crate::output;
use crate::terminal;
use choose::Axis;
use lines::{Lines, Quantity};
use record::{Measured, Record};

/// The arguments of `topk plot`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct PlotArgs {
    /// The measurements: JSON of `topk bench` or `topk compare`
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
    /// What is drawn
    #[arg(long, value_enum, default_value_t = Kind::Latency)]
    kind: Kind,
    /// The horizontal axis of latency and bandwidth
    #[arg(long, value_enum, default_value_t = Axis::Batch)]
    x: Axis,
    /// The picture, an SVG file
    #[arg(long, value_name = "FILE.svg", value_parser = svg_file)]
    output: PathBuf,
    /// Only measurements of this type
    #[arg(long, value_parser = args::dtype())]
    dtype: Option<Dtype>,
    /// Only measurements that were timed like this: graph-cold, graph-warm, eager or cpu
    #[arg(long)]
    mode: Option<String>,
    /// Only measurements with so many rows
    #[arg(long, value_name = "B")]
    batch: Option<u64>,
    /// Only measurements with so many elements in a row
    #[arg(long, value_name = "N")]
    vocab: Option<u64>,
    /// Only measurements with so many wanted elements
    #[arg(long, value_name = "K")]
    top_k: Option<u64>,
}

/// What a picture shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// The time of a call, for each backend, and that of its bytes at the speed of a copy
    Latency,
    /// Bytes a second, for each backend, and those of a copy
    Bandwidth,
    /// The fastest backend for each batch and vocab
    Heatmap,
}

const EXAMPLES: &str = "\
Examples:
  Time against the number of rows:
    topk plot --from bench.json --vocab 128256 --top-k 50 --output latency.svg
  Bytes a second against the length of a row:
    topk plot --from bench.json --kind bandwidth --x vocab --batch 1 --output bandwidth.svg
  Who is fastest where:
    topk plot --from bench.json --kind heatmap --top-k 50 --dtype f32 --output winners.svg

A picture shows measurements that differ in its axes and in the backend alone. Where a file has
several types, modes or shapes beside, the command lists them and wants one chosen.";

/// Reads, chooses, draws and writes.
pub fn run(args: &PlotArgs) -> Result<Outcome, Error> {
    let mut record = Record::read(&args.from)?;
    if args.kind == Kind::Heatmap {
        // `auto` would win against its own choice by chance.
        record.rows = record.rows.into_iter().map(Measured::under_who_ran).collect();
    }
    let (device, date, copy_gbs) = (record.device.clone(), record.date.clone(), record.copy_gbs);
    let free: &[Axis] = match args.kind {
        Kind::Heatmap => &[Axis::Batch, Axis::Vocab],
        _ => &[args.x],
    };
    let chosen = choose::choose(args, record, free)?;
    let subtitle = format!("{device}, {}, {date}", chosen.common);
    let (title, quantity) = match args.kind {
        Kind::Heatmap => ("The fastest backend", None),
        Kind::Latency => ("Time of a top-k selection", Some(Quantity::Latency)),
        Kind::Bandwidth => ("Bandwidth of a top-k selection", Some(Quantity::Bandwidth)),
    };
    let svg = match quantity {
        None => heatmap::svg(&chosen, title, &subtitle),
        Some(quantity) => Lines {
            copy_gbs: copy_gbs.filter(|_| !chosen.on_cpu),
            chosen: &chosen,
            quantity,
            x: args.x,
        }
        .svg(title, &subtitle),
    };
    let written = |reason: String| Error::Picture { path: args.output.clone(), reason };
    let svg = svg.map_err(|error| written(error.to_string()))?;
    std::fs::write(&args.output, svg).map_err(|error| written(error.to_string()))?;
    let measurements = output::counted(chosen.rows.len(), "measurement", "measurements");
    terminal::note(&format!("{measurements} drawn: {}", args.output.display()));
    Ok(Outcome::Done)
}

/// Reads the name of a picture, which says that it is SVG.
fn svg_file(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    match path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("svg")) {
        true => Ok(path),
        false => Err("its name must end in .svg, which is what is written".to_string()),
    }
}
