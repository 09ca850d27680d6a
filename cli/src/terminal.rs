//! Lines for people, on standard error. Standard output belongs to the answer.
use std::io::{self, IsTerminal, Write};
use std::sync::OnceLock;

/// The colour of what does not work.
pub const RED: &str = "1;31";
/// The colour of what may be a mistake.
pub const YELLOW: &str = "1;33";
/// The colour of what is right.
pub const GREEN: &str = "1;32";

/// `--color`, once it was read.
static WANTED: OnceLock<Color> = OnceLock::new();

/// Whether there are colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// In pipes and files too
    Always,
    /// Nowhere
    Never,
}

impl From<Color> for clap::ColorChoice {
    fn from(color: Color) -> clap::ColorChoice {
        match color {
            Color::Auto => clap::ColorChoice::Auto,
            Color::Always => clap::ColorChoice::Always,
            Color::Never => clap::ColorChoice::Never,
        }
    }
}

/// Takes over `--color`, before anything is printed.
pub fn set_color(color: Color) {
    // Whoever comes second says the same: there is one command line.
    let _ = WANTED.set(color);
}

/// What went wrong.
pub fn error(text: &str) {
    labelled("error:", RED, text);
}

/// What may be a mistake.
pub fn warning(text: &str) {
    labelled("warning:", YELLOW, text);
}

/// What was done.
pub fn note(text: &str) {
    // Where standard error is closed there is nobody to tell.
    let _ = writeln!(io::stderr(), "{text}");
}

/// Whether a stream takes colours: as `--color` says, else where it is a terminal, and nobody
/// objects (<https://no-color.org>).
pub fn takes_colours(stream: &impl IsTerminal) -> bool {
    match WANTED.get() {
        Some(Color::Always) => true,
        Some(Color::Never) => false,
        Some(Color::Auto) | None => {
            let objected = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
            stream.is_terminal() && !objected
        }
    }
}

/// A text in a colour, where the stream takes colours.
pub fn coloured(stream: &impl IsTerminal, colour: &str, text: &str) -> String {
    match takes_colours(stream) {
        true => format!("\x1b[{colour}m{text}\x1b[0m"),
        false => text.to_string(),
    }
}

fn labelled(label: &str, colour: &str, text: &str) {
    // A message may quote a file, and what a file holds must neither break the line nor steer the
    // terminal.
    let text = text.replace(char::is_control, " ");
    note(&format!("{} {text}", coloured(&io::stderr(), colour, label)));
}
