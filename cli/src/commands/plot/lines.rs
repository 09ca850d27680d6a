//! A line for each backend: latency or bandwidth against a number of the problem, both axes
//! logarithmic.
use plotters::element::DashedPathElement;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::choose::{Axis, Chosen};
use super::record::Measured;
use super::style::{self, Area, DrawError, FONT, GRID, INK, LEGEND_WIDTH, PALE_INK, TITLE_HEIGHT};

const WIDTH: u32 = 980;
const HEIGHT: u32 = 600;
/// Width of the numbers left of the vertical axis, its title included.
const LEFT: u32 = 84;
const BOTTOM: u32 = 58;
/// How far below the fastest call the line of copy speed begins.
const COPY_BELOW: f64 = 4.0;

/// What is drawn upwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// Microseconds of a call.
    Latency,
    /// 10^9 bytes a second.
    Bandwidth,
}

impl Quantity {
    fn of(self, row: &Measured) -> f64 {
        match self {
            Quantity::Latency => row.median_us,
            Quantity::Bandwidth => row.gbs,
        }
    }

    /// From a tenth to nine tenths of the calls.
    fn spread(self, row: &Measured) -> (f64, f64) {
        match self {
            Quantity::Latency => (row.p10_us, row.p90_us),
            // A median of bytes over time is bytes over the median of time.
            Quantity::Bandwidth => {
                let gbs = |us: f64| row.gbs * row.median_us / us;
                (gbs(row.p90_us), gbs(row.p10_us))
            }
        }
    }

    /// What the same bytes would have at the speed of a copy.
    fn of_copy(self, row: &Measured, copy_gbs: f64) -> f64 {
        match self {
            Quantity::Latency => row.bytes() / (copy_gbs * 1e3),
            Quantity::Bandwidth => copy_gbs,
        }
    }

    fn title(self) -> &'static str {
        match self {
            Quantity::Latency => "time of a call, microseconds",
            Quantity::Bandwidth => "bytes of rows and answer, GB/s",
        }
    }

    fn copy_name(self) -> &'static str {
        match self {
            Quantity::Latency => "at copy speed",
            Quantity::Bandwidth => "copy speed",
        }
    }
}

/// A backend's line.
struct Series {
    backend: String,
    colour: RGBColor,
    rows: Vec<Measured>,
}

/// What is drawn.
pub struct Lines<'a> {
    /// The measurements.
    pub chosen: &'a Chosen,
    /// Upwards.
    pub quantity: Quantity,
    /// To the right.
    pub x: Axis,
    /// The device's copy bandwidth, where it is known.
    pub copy_gbs: Option<f64>,
}

impl Lines<'_> {
    /// Draws the picture as SVG.
    pub fn svg(&self, title: &str, subtitle: &str) -> Result<String, DrawError> {
        let mut svg = String::new();
        {
            let root = SVGBackend::with_string(&mut svg, (WIDTH, HEIGHT)).into_drawing_area();
            root.fill(&WHITE)?;
            style::title(&root, title, subtitle)?;
            let (_, below) = root.split_vertically(TITLE_HEIGHT);
            let (left, right) = below.split_horizontally(WIDTH as i32 - LEGEND_WIDTH);
            let series = self.series();
            let copy_seen = self.draw(&left, &series)?;
            self.legend(&right, &series, copy_seen)?;
            root.present()?;
        }
        Ok(svg)
    }

    /// The backends, in the order in which their lines end from top to bottom.
    fn series(&self) -> Vec<Series> {
        let mut names: Vec<String> =
            self.chosen.rows.iter().map(|row| row.backend.clone()).collect();
        names.dedup(); // they are sorted
        let colours = style::colours(&names);
        let of_backend = |(backend, colour): (String, RGBColor)| {
            let of_it = |row: &&Measured| row.backend == backend;
            let mut rows: Vec<Measured> = self.chosen.rows.iter().filter(of_it).cloned().collect();
            rows.sort_by_key(|row| self.x.of(row));
            Series { backend, colour, rows }
        };
        let mut series: Vec<Series> = names.into_iter().zip(colours).map(of_backend).collect();
        let end = |series: &Series| self.quantity.of(&series.rows[series.rows.len() - 1]);
        series.sort_by(|a, b| end(b).total_cmp(&end(a)));
        series
    }

    /// A row for each place on the horizontal axis.
    fn places(&self) -> Vec<&Measured> {
        let mut rows: Vec<&Measured> = self.chosen.rows.iter().collect();
        rows.sort_by_key(|row| self.x.of(row));
        rows.dedup_by_key(|row| self.x.of(row));
        rows
    }

    fn copy(&self) -> Vec<(f64, f64)> {
        let Some(gbs) = self.copy_gbs else { return vec![] };
        let point = |row: &Measured| (self.x.of(row) as f64, self.quantity.of_copy(row, gbs));
        self.places().into_iter().map(point).collect()
    }

    /// Draws axes and lines; says whether that of copy speed is among them.
    fn draw(&self, area: &Area<'_>, series: &[Series]) -> Result<bool, DrawError> {
        let xs: Vec<f64> = self.places().iter().map(|row| self.x.of(row) as f64).collect();
        let spreads = self.chosen.rows.iter().map(|row| self.quantity.spread(row));
        let medians = self.chosen.rows.iter().map(|row| self.quantity.of(row));
        let mut ys: Vec<f64> = spreads.flat_map(|(p10, p90)| [p10, p90]).chain(medians).collect();
        let ((left, right), (low, _)) = (padded(&xs, 1.15), padded(&ys, COPY_BELOW));
        // Few bytes at copy speed are far below all calls; of that line its end is enough.
        let copy = above(&self.copy(), low);
        ys.extend(copy.iter().map(|point| point.1));
        let (low, high) = padded(&ys, 1.3);
        let pixels = f64::from(area.dim_in_pixel().0 - LEFT) - 20.0;
        let x_ticks = style::spaced_ticks(&xs, left, right, pixels);
        let x = (left..right).log_scale().with_key_points(x_ticks);
        let y = (low..high).log_scale().with_key_points(style::round_ticks(low, high));
        let mut chart = ChartBuilder::on(area)
            .margin(10)
            .x_label_area_size(BOTTOM)
            .y_label_area_size(LEFT)
            .build_cartesian_2d(x, y)?;
        chart
            .configure_mesh()
            .bold_line_style(GRID)
            .light_line_style(TRANSPARENT)
            .axis_style(PALE_INK)
            .label_style((FONT, 13).into_font().color(&INK))
            .axis_desc_style((FONT, 14).into_font().color(&INK))
            .x_label_formatter(&|x| style::number(*x))
            .y_label_formatter(&|y| style::number(*y))
            .x_desc(self.x.title())
            .y_desc(self.quantity.title())
            .draw()?;
        let copy_seen = copy.len() > 1;
        if copy_seen {
            let dashes = DashedPathElement::new(copy, 7, 5, PALE_INK.stroke_width(2));
            chart.draw_series([dashes])?;
        }
        for Series { colour, rows, .. } in series {
            let point = |row: &Measured| (self.x.of(row) as f64, self.quantity.of(row));
            let bar = |row: &Measured| {
                let (low, high) = self.quantity.spread(row);
                let x = self.x.of(row) as f64;
                PathElement::new(vec![(x, low), (x, high)], colour.mix(0.45).stroke_width(3))
            };
            chart.draw_series(rows.iter().map(bar))?;
            let line: Vec<(f64, f64)> = rows.iter().map(point).collect();
            let dots = line.clone().into_iter().map(|at| Circle::new(at, 4, colour.filled()));
            chart.draw_series([PathElement::new(line, colour.stroke_width(2))])?;
            chart.draw_series(dots)?;
        }
        Ok(copy_seen)
    }

    fn legend(&self, area: &Area<'_>, series: &[Series], copy_seen: bool) -> Result<(), DrawError> {
        let name = style::text(14, INK, HPos::Left, VPos::Center);
        let mut y = 24;
        for Series { backend, colour, .. } in series {
            area.draw(&PathElement::new([(8, y), (34, y)], colour.stroke_width(2)))?;
            area.draw(&Circle::new((21, y), 4, colour.filled()))?;
            area.draw(&Text::new(backend.clone(), (42, y), name.clone()))?;
            y += 24;
        }
        let small = style::text(12, PALE_INK, HPos::Left, VPos::Center);
        if let Some(gbs) = self.copy_gbs.filter(|_| self.places().len() > 1) {
            y += 8;
            let dashes = [(8, y), (34, y)];
            area.draw(&DashedPathElement::new(dashes, 7, 5, PALE_INK.stroke_width(2)))?;
            area.draw(&Text::new(self.quantity.copy_name(), (42, y), name))?;
            let place = if copy_seen { "" } else { ": far below" };
            let text = format!("{} GB/s{place}", style::number(gbs));
            area.draw(&Text::new(text, (42, y + 18), small.clone()))?;
            y += 42;
        }
        y += 8;
        area.draw(&PathElement::new(
            [(21, y - 9), (21, y + 9)],
            PALE_INK.mix(0.6).stroke_width(3),
        ))?;
        Ok(area.draw(&Text::new("10 to 90 % of calls", (42, y), small))?)
    }
}

/// The least and the greatest, with room around them.
fn padded(values: &[f64], factor: f64) -> (f64, f64) {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let greatest = values.iter().copied().fold(0.0, f64::max);
    (least / factor, greatest * factor)
}

/// The part of a rising line that is not below `low`; between points it is straight where both axes
/// are logarithmic.
fn above(line: &[(f64, f64)], low: f64) -> Vec<(f64, f64)> {
    let first = line.iter().position(|point| point.1 >= low).unwrap_or(line.len());
    let mut part = line[first..].to_vec();
    if first > 0 && !part.is_empty() {
        let ((x0, y0), (x1, y1)) = (line[first - 1], line[first]);
        let share = (low / y0).ln() / (y1 / y0).ln();
        part.insert(0, (x0 * (x1 / x0).powf(share), low));
    }
    part
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_begins_where_the_picture_does() {
        let line = [(1.0, 1.0), (100.0, 100.0), (1000.0, 1000.0)];
        assert_eq!(above(&line, 0.5), line);
        let cut = above(&line, 10.0);
        assert!((cut[0].0 - 10.0).abs() < 1e-9 && cut[0].1 == 10.0, "{cut:?}");
        assert_eq!(cut[1..], line[1..]);
        assert!(above(&line, 2000.0).is_empty());
    }
}
