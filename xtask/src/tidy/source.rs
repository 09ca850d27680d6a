//! The files of the tree, and what of a Rust line is code, comment or string.

use std::fs;
use std::path::Path;

/// Folders that hold nothing of ours: build results, other tools' data.
const SKIPPED_FOLDERS: &[&str] = &["target", "corpus", "artifacts", "node_modules"];
/// Hidden folders that are ours all the same.
const HIDDEN_FOLDERS: &[&str] = &[".cargo", ".ci", ".config", ".github"];

/// A text file. `path` is relative to the root, with `/` on every system.
#[derive(Debug)]
pub struct File {
    /// Where it is.
    pub path: String,
    /// Its lines, whole.
    pub lines: Vec<String>,
    /// For a Rust file: each line without comments and without what strings say.
    pub code: Vec<String>,
    /// For a Rust file: what each line has of comments.
    pub comments: Vec<String>,
}

impl File {
    /// A file with this text.
    pub fn new(path: &str, text: &str) -> File {
        let split = |text: &str| text.lines().map(str::to_string).collect();
        let (code, comments) =
            if path.ends_with(".rs") { code_and_comments(text) } else { Default::default() };
        File {
            path: path.to_string(),
            lines: split(text),
            code: split(&code),
            comments: split(&comments),
        }
    }

    /// Whether it holds Rust.
    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Whether it lies in this folder, or is it.
    pub fn is_in(&self, folder: &str) -> bool {
        self.path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// Every text file of the tree, sorted by path.
pub fn files(root: &Path) -> Vec<File> {
    let mut files = Vec::new();
    collect(root, "", &mut files);
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

fn collect(folder: &Path, prefix: &str, files: &mut Vec<File>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        let hidden = name.starts_with('.') && !HIDDEN_FOLDERS.contains(&&*name);
        if kind.is_dir() && !hidden && !SKIPPED_FOLDERS.contains(&&*name) {
            collect(&entry.path(), &format!("{path}/"), files);
        } else if kind.is_file()
            && name != ".git" // a worktree's pointer to its repository, which is the machine's
            && let Ok(text) = fs::read_to_string(entry.path())
        {
            files.push(File::new(&path, &text));
        }
    }
}

/// What a place in Rust text is part of.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Code,
    LineComment,
    /// Nested so deep.
    BlockComment(usize),
    Str,
    /// With so many `#`.
    RawStr(usize),
}

/// The text twice, with the same lines: without comments and contents of strings, and with nothing
/// but comments.
fn code_and_comments(text: &str) -> (String, String) {
    let (mut code, mut comments) = (String::new(), String::new());
    let mut place = Place::Code;
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (next, length) = step(place, rest, code.chars().last());
        let (piece, after) = rest.split_at(length.max(first.len_utf8()));
        rest = after;
        // A brace in quotes is no brace.
        let is_char = place == Place::Code && piece.starts_with('\'') && piece.len() > 1;
        let piece = if is_char { "''" } else { piece };
        let commented = |place| matches!(place, Place::LineComment | Place::BlockComment(_));
        for char in piece.chars() {
            let to_comments = commented(place) || commented(next);
            let to_code = !to_comments && (place == Place::Code || next == Place::Code);
            code.extend((to_code || char == '\n').then_some(char));
            comments.extend((to_comments || char == '\n').then_some(char));
        }
        place = next;
    }
    (code, comments)
}

/// What comes after the first characters of `rest`, and how many bytes those are.
fn step(place: Place, rest: &str, before: Option<char>) -> (Place, usize) {
    match place {
        Place::Code => step_in_code(rest, before),
        Place::LineComment if rest.starts_with('\n') => (Place::Code, 1),
        Place::BlockComment(depth) if rest.starts_with("*/") => match depth {
            1 => (Place::Code, 2),
            _ => (Place::BlockComment(depth - 1), 2),
        },
        Place::BlockComment(depth) if rest.starts_with("/*") => (Place::BlockComment(depth + 1), 2),
        Place::Str if rest.starts_with('\\') => {
            let escaped = rest[1..].chars().next().map_or(0, char::len_utf8);
            (Place::Str, 1 + escaped)
        }
        Place::Str if rest.starts_with('"') => (Place::Code, 1),
        Place::RawStr(hashes) if rest.starts_with(&format!("\"{}", "#".repeat(hashes))) => {
            (Place::Code, 1 + hashes)
        }
        same => (same, 1),
    }
}

fn step_in_code(rest: &str, before: Option<char>) -> (Place, usize) {
    if rest.starts_with("//") {
        return (Place::LineComment, 2);
    }
    if rest.starts_with("/*") {
        return (Place::BlockComment(1), 2);
    }
    if rest.starts_with('"') {
        return (Place::Str, 1);
    }
    if rest.starts_with('\'') {
        return (Place::Code, char_length(rest));
    }
    let in_word = before.is_some_and(|char| char.is_alphanumeric() || char == '_');
    let raw = rest.strip_prefix("br").or(rest.strip_prefix("cr")).or(rest.strip_prefix('r'));
    if let Some(after) = raw.filter(|_| !in_word) {
        let hashes = after.len() - after.trim_start_matches('#').len();
        if after[hashes..].starts_with('"') {
            let prefix = rest.len() - after.len();
            return (Place::RawStr(hashes), prefix + hashes + 1);
        }
    }
    (Place::Code, 1)
}

/// Bytes of the character literal that `rest` begins with; 1 where it is a lifetime.
fn char_length(rest: &str) -> usize {
    let mut chars = rest.char_indices().skip(1);
    let (_, first) = chars.next().unwrap_or((0, '\''));
    if first == '\\' {
        // The escaped character itself may be a quote.
        return rest[3..].find('\'').map_or(1, |end| 3 + end + 1);
    }
    match chars.next() {
        Some((at, '\'')) => at + 1,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_and_comments_are_told_from_code() {
        let text =
            "let a = \"// no\"; // yes \"\nlet b = r#\"\"dbg\"#; /* c /* d */ e */ f('\"');\n";
        let file = File::new("a.rs", text);
        assert_eq!(file.code, ["let a = \"\"; ", "let b = r#\"\"#;  f('');"]);
        assert_eq!(file.comments, ["// yes \"", "/* c /* d */ e */"]);
    }

    #[test]
    fn lifetimes_and_escapes_confuse_nothing() {
        let text = "fn f<'a>(x: &'a str) { g('\\'', '\\u{1}', \"\\\"\"); } // end\n";
        let file = File::new("a.rs", text);
        assert_eq!(file.comments, ["// end"]);
        assert!(file.code[0].ends_with("\"\"); } "), "{:?}", file.code);
    }

    #[test]
    fn lines_stay_in_place() {
        let text = "/* a\n b */ c\n\"d\ne\" f\n";
        let file = File::new("a.rs", text);
        assert_eq!(file.code, ["", " c", "\"", "\" f"]);
        assert_eq!(file.lines.len(), 4);
    }
}
