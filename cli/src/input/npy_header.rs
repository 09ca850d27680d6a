//! The header of an `.npy` file.
//!
//! ```text
//! \x93NUMPY  major minor  length of the text, u16 or from version 2 on u32
//! {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
//! ```
//!
//! The text is a literal of Python. Of that language only what an array of plain elements needs is
//! read here, and nothing in it is trusted: a header comes from anywhere.

const MAGIC: &[u8] = b"\x93NUMPY";
/// Magic and version.
const PREFIX_BYTES: usize = 8;

/// What a header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NpyHeader {
    /// The elements' type, such as `<f4`; a structure's is a list.
    pub descr: String,
    /// Whether columns come first.
    pub fortran_order: bool,
    /// The array's shape.
    pub shape: Vec<u64>,
    /// Where the data begin.
    pub data_start: usize,
}

impl NpyHeader {
    /// Reads the header at the front of a file.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(file: &[u8]) -> Result<NpyHeader, String> {
        if !file.starts_with(MAGIC) {
            return Err("it does not begin with \\x93NUMPY".to_string());
        }
        let ends = || format!("it ends after {} bytes, inside its header", file.len());
        let major = *file.get(MAGIC.len()).ok_or_else(ends)?;
        let length_bytes = match major {
            1 => 2,
            2 | 3 => 4,
            _ => return Err(format!("its version is {major}; 1, 2 or 3 can be read")),
        };
        let start = PREFIX_BYTES + length_bytes;
        let length = file.get(PREFIX_BYTES..start).ok_or_else(ends)?;
        let length = length.iter().rev().fold(0, |length, &byte| length << 8 | usize::from(byte));
        let data_start = start + length;
        let text = file.get(start..data_start).ok_or_else(ends)?;
        let text = String::from_utf8_lossy(text);
        let wrong = |key: &str| format!("its header has no right {key:?}: {}", shortened(&text));
        Ok(NpyHeader {
            descr: descr(&text).ok_or_else(|| wrong("descr"))?,
            fortran_order: fortran_order(&text).ok_or_else(|| wrong("fortran_order"))?,
            shape: shape(&text).ok_or_else(|| wrong("shape"))?,
            data_start,
        })
    }
}

fn descr(text: &str) -> Option<String> {
    let value = value(text, "descr")?;
    if value.starts_with('[') {
        let (fields, _) = value.split_once(']')?;
        return Some(shortened(fields) + "]");
    }
    let quote = value.chars().next().filter(|c| ['\'', '"'].contains(c))?;
    let (name, _) = value[1..].split_once(quote)?;
    Some(name.to_string())
}

fn fortran_order(text: &str) -> Option<bool> {
    let value = value(text, "fortran_order")?;
    match (value.starts_with("True"), value.starts_with("False")) {
        (false, false) => None,
        (fortran, _) => Some(fortran),
    }
}

fn shape(text: &str) -> Option<Vec<u64>> {
    let (inside, _) = value(text, "shape")?.strip_prefix('(')?.split_once(')')?;
    let lengths = inside.split(',').map(str::trim).filter(|l| !l.is_empty());
    // Python 2 marked long numbers.
    lengths.map(|length| length.trim_end_matches('L').parse().ok()).collect()
}

/// What follows a key and its colon.
fn value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let (_, after) =
        ['\'', '"'].iter().find_map(|quote| text.split_once(&format!("{quote}{key}{quote}")))?;
    Some(after.trim_start().strip_prefix(':')?.trim_start())
}

/// As much of a text as fits into a message.
fn shortened(text: &str) -> String {
    const SHOWN_MAX: usize = 80;
    let text = text.trim_end();
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_string(),
    }
    .escape_debug()
    .to_string()
    .replace("\\'", "'")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(version: u8, text: &str) -> Result<NpyHeader, String> {
        let length = (text.len() as u32).to_le_bytes();
        let length = &length[..if version == 1 { 2 } else { 4 }];
        NpyHeader::parse(&[MAGIC, &[version, 0], length, text.as_bytes()].concat())
    }

    #[test]
    fn every_version_and_order_of_keys() {
        let text = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }  \n";
        let header = parse(1, text).unwrap();
        assert_eq!(header.descr, "<f4");
        assert!(!header.fortran_order);
        assert_eq!(header.shape, [3, 4]);
        assert_eq!(header.data_start, 10 + text.len());
        let text = r#"{"shape":(7L,),"fortran_order":True,"descr":"|V2"}"#;
        let header = parse(2, text).unwrap();
        assert_eq!((header.descr.as_str(), header.fortran_order), ("|V2", true));
        assert_eq!(header.shape, [7]);
        assert_eq!(header.data_start, 12 + text.len());
        let scalar = "{'descr': '<f2', 'fortran_order': False, 'shape': ()}";
        assert!(parse(3, scalar).unwrap().shape.is_empty());
    }

    #[test]
    fn a_structure_is_named() {
        let text = "{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (2,)}";
        assert_eq!(parse(1, text).unwrap().descr, "[('x', '<f4')]");
    }

    #[test]
    fn what_is_wrong_is_said() {
        let error = |version, text| parse(version, text).unwrap_err();
        assert!(error(9, "").contains("version is 9"));
        assert!(error(1, "").contains("descr"));
        assert!(error(1, "{'descr': 4}").contains("descr"));
        assert!(error(1, "{'descr': '<f4").contains("descr"));
        assert!(error(1, "{'descr': ''").contains("fortran_order"));
        let text = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 'x')}";
        assert!(error(1, text).contains("shape"));
        assert!(error(1, &text.replace("'x'", "-1")).contains("shape"));
        let long = NpyHeader::parse(b"\x93NUMPY\x02\x00\xff\xff\xff\xff{}").unwrap_err();
        assert!(long.contains("ends after 14 bytes"), "{long}");
        assert!(NpyHeader::parse(b"").unwrap_err().contains("NUMPY"));
    }

    #[test]
    fn a_message_is_one_short_line() {
        let text = shortened(&"a\n".repeat(200));
        assert!(text.ends_with("...") && !text.contains('\n'), "{text}");
        assert_eq!(shortened("{'é': 1}\n"), "{'é': 1}");
    }
}
