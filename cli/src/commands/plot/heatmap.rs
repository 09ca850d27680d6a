//! Who is fastest where: a field for each batch and vocab, in the winner's colour, with its time.
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::choose::Chosen;
use super::record::Measured;
use super::style::{self, Area, DrawError, INK, LEGEND_WIDTH, PALE_INK, TITLE_HEIGHT};

const FIELD_WIDTH: i32 = 76;
const FIELD_HEIGHT: i32 = 44;
const LEFT: i32 = 96;
const BOTTOM: i32 = 64;
/// Title and subtitle need that much, however few columns there are.
const WIDTH_MIN: i32 = 640;
/// The vertical axis' name needs that much, however few lines there are.
const NAME_HEIGHT: i32 = 180;

/// The winner of a field.
struct Winner<'a> {
    row: &'a Measured,
    /// How many times as long the next one takes, where there is one.
    lead: Option<f64>,
}

/// Draws the picture as SVG.
pub fn svg(chosen: &Chosen, title: &str, subtitle: &str) -> Result<String, DrawError> {
    let batches = distinct(chosen.rows.iter().map(|row| row.rows));
    let vocabs = distinct(chosen.rows.iter().map(|row| row.n));
    let mut backends: Vec<String> = chosen.rows.iter().map(|row| row.backend.clone()).collect();
    backends.dedup(); // they are sorted
    let colours = style::colours(&backends);
    let fields = (batches.len() as i32 * FIELD_WIDTH, vocabs.len() as i32 * FIELD_HEIGHT);
    let width = (LEFT + fields.0 + LEGEND_WIDTH + 20).max(WIDTH_MIN);
    let height =
        TITLE_HEIGHT + fields.1.max(30 * backends.len() as i32 + 60).max(NAME_HEIGHT) + BOTTOM;
    let mut svg = String::new();
    {
        let size = (width as u32, height as u32);
        let root = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        root.fill(&WHITE)?;
        style::title(&root, title, subtitle)?;
        let mut wins = vec![0; backends.len()];
        for (column, &rows) in batches.iter().enumerate() {
            for (line, &n) in vocabs.iter().rev().enumerate() {
                let corner =
                    (LEFT + column as i32 * FIELD_WIDTH, TITLE_HEIGHT + line as i32 * FIELD_HEIGHT);
                if let Some(winner) = winner(chosen, rows, n) {
                    let who = backends.iter().position(|name| *name == winner.row.backend);
                    let who = who.expect("every row's backend is listed");
                    wins[who] += 1;
                    field(&root, corner, &winner, colours[who])?;
                }
            }
        }
        axes(&root, &batches, &vocabs)?;
        let (_, right) = root.split_horizontally(LEFT + fields.0 + 16);
        legend(&right, &backends, &colours, &wins)?;
        root.present()?;
    }
    Ok(svg)
}

fn distinct(values: impl Iterator<Item = u64>) -> Vec<u64> {
    let mut values: Vec<u64> = values.collect();
    values.sort_unstable();
    values.dedup();
    values
}

fn winner(chosen: &Chosen, rows: u64, n: u64) -> Option<Winner<'_>> {
    let here = |row: &&Measured| (row.rows, row.n) == (rows, n);
    let mut candidates: Vec<&Measured> = chosen.rows.iter().filter(here).collect();
    candidates.sort_by(|a, b| a.median_us.total_cmp(&b.median_us));
    let row = *candidates.first()?;
    Some(Winner { row, lead: candidates.get(1).map(|next| next.median_us / row.median_us) })
}

fn field(
    root: &Area<'_>,
    (x, y): (i32, i32),
    winner: &Winner<'_>,
    colour: RGBColor,
) -> Result<(), DrawError> {
    let corners = [(x + 1, y + 1), (x + FIELD_WIDTH - 1, y + FIELD_HEIGHT - 1)];
    root.draw(&Rectangle::new(corners, colour.filled()))?;
    let RGBColor(red, green, blue) = colour;
    let light = 0.3 * f64::from(red) + 0.59 * f64::from(green) + 0.11 * f64::from(blue) > 135.0;
    let ink = if light { INK } else { WHITE };
    let middle = x + FIELD_WIDTH / 2;
    let time = style::text(14, ink, HPos::Center, VPos::Center);
    let (time_y, lead_y) = (y + FIELD_HEIGHT / 2 - 7, y + FIELD_HEIGHT / 2 + 10);
    root.draw(&Text::new(microseconds(winner.row.median_us), (middle, time_y), time))?;
    if let Some(lead) = winner.lead {
        let small = style::text(11, ink, HPos::Center, VPos::Center);
        root.draw(&Text::new(format!("by {lead:.2}x"), (middle, lead_y), small))?;
    }
    Ok(())
}

/// A time that fits into a field.
fn microseconds(us: f64) -> String {
    match us {
        us if us < 9_999.5 => format!("{} us", style::number(us)),
        us => format!("{} ms", style::number(us / 1e3)),
    }
}

fn axes(root: &Area<'_>, batches: &[u64], vocabs: &[u64]) -> Result<(), DrawError> {
    let bottom = TITLE_HEIGHT + vocabs.len() as i32 * FIELD_HEIGHT;
    let below = style::text(13, INK, HPos::Center, VPos::Top);
    for (column, rows) in batches.iter().enumerate() {
        let x = LEFT + column as i32 * FIELD_WIDTH + FIELD_WIDTH / 2;
        root.draw(&Text::new(rows.to_string(), (x, bottom + 8), below.clone()))?;
    }
    let beside = style::text(13, INK, HPos::Right, VPos::Center);
    for (line, n) in vocabs.iter().rev().enumerate() {
        let y = TITLE_HEIGHT + line as i32 * FIELD_HEIGHT + FIELD_HEIGHT / 2;
        root.draw(&Text::new(n.to_string(), (LEFT - 10, y), beside.clone()))?;
    }
    let title = style::text(14, INK, HPos::Center, VPos::Top);
    let middle = LEFT + batches.len() as i32 * FIELD_WIDTH / 2;
    root.draw(&Text::new("rows (batch)", (middle, bottom + 34), title.clone()))?;
    let upright = title.transform(FontTransform::Rotate270);
    let middle = TITLE_HEIGHT + (vocabs.len() as i32 * FIELD_HEIGHT).max(NAME_HEIGHT) / 2;
    Ok(root.draw(&Text::new("elements in a row (vocab)", (14, middle), upright))?)
}

fn legend(
    area: &Area<'_>,
    backends: &[String],
    colours: &[RGBColor],
    wins: &[usize],
) -> Result<(), DrawError> {
    let name = style::text(14, INK, HPos::Left, VPos::Center);
    let small = style::text(12, PALE_INK, HPos::Left, VPos::Center);
    let mut y = TITLE_HEIGHT + 12;
    for ((backend, colour), wins) in backends.iter().zip(colours).zip(wins) {
        area.draw(&Rectangle::new([(8, y - 8), (24, y + 8)], colour.filled()))?;
        let text = format!("{backend}: {wins}");
        area.draw(&Text::new(text, (34, y), name.clone()))?;
        y += 26;
    }
    area.draw(&Text::new("fields won; in a field its", (8, y + 8), small.clone()))?;
    Ok(area.draw(&Text::new("time, and its lead", (8, y + 24), small))?)
}
