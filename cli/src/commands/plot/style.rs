//! Colours, sizes and numbers of the pictures.
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// Where a picture is drawn.
pub type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
/// Why a picture could not be drawn.
pub type DrawError = Box<dyn std::error::Error>;

/// The colour of text.
pub const INK: RGBColor = RGBColor(38, 38, 46);
/// The colour of text that matters less.
pub const PALE_INK: RGBColor = RGBColor(110, 110, 122);
/// The colour of lines behind the picture.
pub const GRID: RGBColor = RGBColor(228, 228, 233);
/// The typeface: whatever the reader has.
pub const FONT: &str = "sans-serif";
/// Height of title and subtitle together.
pub const TITLE_HEIGHT: i32 = 76;
/// Width of the legend.
pub const LEGEND_WIDTH: i32 = 170;

/// The backends' colours, which people who see colours differently can tell apart too.
const COLOURS: [(&str, RGBColor); 7] = [
    ("singlepass", RGBColor(0, 114, 178)),
    ("stream", RGBColor(230, 159, 0)),
    ("streaming", RGBColor(0, 158, 115)),
    ("radix", RGBColor(204, 121, 167)),
    ("torch", RGBColor(213, 94, 0)),
    ("cpu", RGBColor(86, 180, 233)),
    ("auto", RGBColor(38, 38, 46)),
];
/// For backends that have no colour of their own.
const OTHERS: [RGBColor; 3] =
    [RGBColor(120, 94, 240), RGBColor(148, 103, 51), RGBColor(127, 127, 127)];

/// A colour for each of these backends.
pub fn colours(backends: &[String]) -> Vec<RGBColor> {
    let mut others = OTHERS.into_iter().cycle();
    let own = |backend: &String| COLOURS.iter().find(|(name, _)| name == backend);
    let mut colour = |backend| own(backend).map(|(_, colour)| *colour).or_else(|| others.next());
    backends.iter().map(|backend| colour(backend).expect("a cycle has no end")).collect()
}

/// Text of a size and colour whose place is this point of it.
pub fn text(size: u32, colour: RGBColor, h: HPos, v: VPos) -> TextStyle<'static> {
    (FONT, size).into_font().color(&colour).pos(Pos::new(h, v))
}

/// Writes title and subtitle.
pub fn title(root: &Area<'_>, title: &str, subtitle: &str) -> Result<(), DrawError> {
    let bold: TextStyle<'_> = (FONT, 22, FontStyle::Bold).into_font().color(&INK);
    root.draw(&Text::new(title.to_string(), (24, 18), bold))?;
    let style = text(14, PALE_INK, HPos::Left, VPos::Top);
    Ok(root.draw(&Text::new(subtitle.to_string(), (24, 48), style))?)
}

/// A number without the digits that say nothing.
pub fn number(value: f64) -> String {
    let places = (2.0 - value.abs().max(1e-9).log10().floor()).clamp(0.0, 6.0) as usize;
    let text = format!("{value:.places$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_string(),
        false => text,
    }
}

/// Round numbers for a logarithmic axis: as many as can be read.
pub fn round_ticks(low: f64, high: f64) -> Vec<f64> {
    let decades = (high / low).log10();
    let steps: &[f64] = match decades {
        d if d <= 1.3 => &[1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0],
        d if d <= 3.5 => &[1.0, 2.0, 5.0],
        _ => &[1.0],
    };
    let exponents = low.log10().floor() as i32..=high.log10().ceil() as i32;
    let all = exponents.flat_map(|exponent| steps.iter().map(move |s| s * 10f64.powi(exponent)));
    all.filter(|tick| (low..=high).contains(tick)).collect()
}

/// Those of the sorted values whose labels do not touch on a logarithmic axis of so many pixels.
pub fn spaced_ticks(values: &[f64], low: f64, high: f64, pixels: f64) -> Vec<f64> {
    let place = |value: f64| (value / low).ln() / (high / low).ln() * pixels;
    let half_width = |value: f64| 4.0 * number(value).len() as f64 + 5.0;
    let mut kept: Vec<f64> = vec![];
    for &value in values {
        let free = |last: &f64| place(value) - place(*last) > half_width(value) + half_width(*last);
        if kept.last().is_none_or(free) {
            kept.push(value);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let shown = [(0.25, "0.25"), (5.0, "5"), (12.345, "12.3"), (128256.0, "128256")];
        for (value, text) in shown {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn ticks_are_round_and_inside() {
        assert_eq!(round_ticks(3.0, 250.0), [5.0, 10.0, 20.0, 50.0, 100.0, 200.0]);
        assert_eq!(round_ticks(0.5, 90_000.0), [1.0, 10.0, 100.0, 1000.0, 10_000.0]);
        assert!(round_ticks(4.1, 4.9).is_empty());
    }

    #[test]
    fn labels_do_not_touch() {
        let close = [1000.0, 1024.0, 4096.0, 128_256.0, 131_072.0];
        assert_eq!(spaced_ticks(&close, 1000.0, 131_072.0, 600.0), [1000.0, 4096.0, 128_256.0]);
    }

    #[test]
    fn every_backend_has_a_colour_of_its_own() {
        let names: Vec<String> = aikf_topk::Backend::ALL.map(|b| b.name().to_string()).to_vec();
        let colours = colours(&names);
        for (at, colour) in colours.iter().enumerate() {
            assert!(!colours[..at].contains(colour), "{}", names[at]);
        }
    }
}
