//! Lines for people, on standard error. Standard output belongs to the answer.
use std::io::{self, IsTerminal, Write};

const RED: &str = "1;31";
const YELLOW: &str = "1;33";

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

/// Whether a stream takes colours: a terminal, and nobody objects (<https://no-color.org>).
pub fn takes_colours(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

fn labelled(label: &str, colour: &str, text: &str) {
    // A message may quote a file, and what a file holds must neither break the line nor steer the
    // terminal.
    let text = text.replace(char::is_control, " ");
    if takes_colours(&io::stderr()) {
        note(&format!("\x1b[{colour}m{label}\x1b[0m {text}"));
    } else {
        note(&format!("{label} {text}"));
    }
}
