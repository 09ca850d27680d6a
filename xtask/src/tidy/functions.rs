//! How long functions are.

use super::{Faults, Tree};

const FUNCTION_LINES_MAX: usize = 70;

/// No function is longer than [`FUNCTION_LINES_MAX`] lines, its head and last brace included.
pub fn length(tree: &Tree, faults: &mut Faults) {
    for file in tree.rust() {
        for (name, line, lines) in functions(&file.code) {
            if lines > FUNCTION_LINES_MAX {
                let fault = format!("`{name}` has {lines} lines of at most {FUNCTION_LINES_MAX}");
                faults.push((file.path.clone(), line, fault));
            }
        }
    }
}

/// Name, first line and number of lines of each function that has a body.
fn functions(code: &[String]) -> Vec<(String, usize, usize)> {
    let mut found = Vec::new();
    for (at, line) in code.iter().enumerate() {
        for (start, _) in line.match_indices("fn ") {
            let before = line[..start].chars().last();
            let name: String = line[start + 3..]
                .chars()
                .take_while(|char| char.is_alphanumeric() || *char == '_')
                .collect();
            if name.is_empty() || before.is_some_and(|char| char.is_alphanumeric() || char == '_') {
                continue;
            }
            if let Some(lines) = body_lines(&code[at..], start) {
                found.push((name, at + 1, lines));
            }
        }
    }
    found
}

/// Lines from the function that begins at `start` of the first line to its last brace; none where
/// it has no body.
fn body_lines(code: &[String], start: usize) -> Option<usize> {
    let (mut in_head, mut depth) = (0usize, 0usize);
    for (number, line) in code.iter().enumerate() {
        let line = if number == 0 { &line[start..] } else { line };
        for char in line.chars() {
            match char {
                '(' | '[' if depth == 0 => in_head += 1,
                ')' | ']' if depth == 0 => in_head = in_head.saturating_sub(1),
                ';' if depth == 0 && in_head == 0 => return None,
                '{' if in_head == 0 => depth += 1,
                '}' if in_head == 0 && depth == 1 => return Some(number + 1),
                '}' if in_head == 0 => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::tests::found;
    use super::*;

    fn measured(text: &str) -> Vec<(String, usize, usize)> {
        let code: Vec<_> = text.lines().map(str::to_string).collect();
        functions(&code)
    }

    #[test]
    fn functions_are_measured_from_head_to_last_brace() {
        let text = "impl A {\n    pub fn a(\n        x: [u8; 3],\n    ) -> B\n    where\n        \
                    C: D,\n    {\n        if x {}\n    }\n}\ntrait T {\n    fn b(&self);\n    \
                    fn c() {}\n}\ntype F = fn(u32) -> u32;\n";
        let expected = [("a".to_string(), 2, 8), ("c".to_string(), 13, 1)];
        assert_eq!(measured(text), expected);
    }

    #[test]
    fn a_long_function_is_found() {
        let of_lines =
            |lines: usize| format!("//! A.\nfn f() {{\n{}}}\n", "g();\n".repeat(lines - 2));
        assert_eq!(found(&[("a.rs", &of_lines(71))]), ["function-length:2"]);
        assert!(found(&[("a.rs", &of_lines(70))]).is_empty());
    }
}
