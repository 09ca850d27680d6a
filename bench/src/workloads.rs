//! The list of workloads, as data: what `topk bench`, `topk compare --workloads` and `topk tune`
//! read.
//!
//! ```toml
//! [[group]]
//! name = "decode"
//! rows = [1, 8, 64]
//! n = [50257, 128256]
//! k = [50]
//! dtype = ["f32", "bf16"]
//! ```
//!
//! A group is every combination of its lists, but for those whose `k` exceeds `n` and those larger
//! than [`BYTES_MAX`]. A workload that two groups have counts once, where it comes first.
use std::fs;
use std::path::Path;

use aikf_topk::Dtype;
use serde::Deserialize;

use crate::error::Error;
use crate::random::SplitMix64;
use crate::workload::Workload;

/// The largest input that groups combine to.
pub const BYTES_MAX: usize = 1 << 28;

/// The list that this crate has.
const BUILT_IN: &str = include_str!("../workloads.toml");

/// Workloads, and where they come from.
#[derive(Clone, Debug, PartialEq)]
pub struct Workloads {
    /// The list, for people.
    pub name: String,
    /// What is in it.
    pub list: Vec<Workload>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    group: Vec<Group>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    name: String,
    rows: Vec<usize>,
    n: Vec<usize>,
    k: Vec<usize>,
    dtype: Vec<String>,
}

impl Workloads {
    /// The list of a file, or the one of this crate; of `groups` alone, if there are any.
    ///
    /// # Errors
    /// [`Error::File`], [`Error::Malformed`]; [`Error::NoWorkload`] where no group has such a name,
    /// or nothing that can be measured.
    pub fn read(path: Option<&Path>, groups: &[String]) -> Result<Workloads, Error> {
        let Some(path) = path else {
            return Workloads::parse("the built-in list", BUILT_IN, groups);
        };
        let text = fs::read_to_string(path).map_err(|reason| Error::File {
            verb: "read",
            path: path.to_path_buf(),
            reason,
        })?;
        Workloads::parse(&path.display().to_string(), &text, groups)
    }

    fn parse(name: &str, text: &str, groups: &[String]) -> Result<Workloads, Error> {
        let malformed = |reason: String| Error::Malformed { name: name.to_string(), reason };
        let file: File = toml::from_str(text).map_err(|error| malformed(in_words(text, &error)))?;
        let unknown = groups.iter().find(|group| file.group.iter().all(|g| g.name != **group));
        if let Some(unknown) = unknown {
            let names: Vec<&str> = file.group.iter().map(|g| g.name.as_str()).collect();
            let reason = format!("no group is called {unknown}; it has {}", names.join(", "));
            return Err(Error::NoWorkload { name: name.to_string(), reason });
        }
        let mut list = vec![];
        for group in &file.group {
            if groups.is_empty() || groups.contains(&group.name) {
                group.combine(&mut list).map_err(malformed)?;
            }
        }
        if list.is_empty() {
            let reason = format!("every shape has a k above n, or more than {BYTES_MAX} bytes");
            return Err(Error::NoWorkload { name: name.to_string(), reason });
        }
        Ok(Workloads { name: name.to_string(), list })
    }

    /// So many made-up shapes, each size uniform in its logarithm: rows from 1 to 16384, n from 256
    /// to 2^20, k from 1 to 4096, inputs of at most [`BYTES_MAX`]. The types take turns.
    pub fn random(count: usize, dtypes: &[Dtype], seed: u64) -> Workloads {
        let mut random = SplitMix64(seed);
        let mut list: Vec<Workload> = vec![];
        while list.len() < count && !dtypes.is_empty() {
            let dtype = dtypes[list.len() % dtypes.len()];
            let mut size =
                |least: f64, most: f64| (least * (most / least).powf(random.unit())) as usize;
            let (rows, n, k) = (size(1.0, 16_385.0), size(256.0, 1_048_577.0), size(1.0, 4097.0));
            let workload = Workload { rows, n, k, dtype };
            if k <= n && workload.bytes() <= BYTES_MAX {
                list.push(workload);
            }
        }
        Workloads { name: format!("random shapes of seed {seed}"), list }
    }

    /// Those of them that `keep` wants.
    ///
    /// # Errors
    /// [`Error::NoWorkload`] where that is none; `why` says what was asked for.
    pub fn retain(
        mut self,
        why: &str,
        keep: impl FnMut(&Workload) -> bool,
    ) -> Result<Workloads, Error> {
        self.list.retain(keep);
        match self.list.is_empty() {
            true => Err(Error::NoWorkload { name: self.name, reason: why.to_string() }),
            false => Ok(self),
        }
    }

    /// A hash of what is in the list (FNV-1a), in hexadecimal digits.
    pub fn hash(&self) -> String {
        let text: String = self.list.iter().map(|workload| format!("{workload}\n")).collect();
        let start = 0xcbf2_9ce4_8422_2325u64;
        let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        format!("{:016x}", text.bytes().fold(start, mix))
    }
}

impl Group {
    fn combine(&self, list: &mut Vec<Workload>) -> Result<(), String> {
        let Group { name, rows, n, k, dtype } = self;
        let of_name = |text: &String| {
            let known = Dtype::ALL.into_iter().find(|dtype| dtype.name() == text);
            known.ok_or_else(|| format!("group {name}: {text} is none of f32, f16, bf16"))
        };
        let dtypes = dtype.iter().map(of_name).collect::<Result<Vec<Dtype>, String>>()?;
        for dtype in dtypes {
            for (&rows, &n, &k) in combinations(rows, n, k) {
                if rows == 0 || n == 0 || k == 0 {
                    return Err(format!("group {name}: rows, n and k are at least 1"));
                }
                let bytes = rows.saturating_mul(n).saturating_mul(dtype.bytes());
                let workload = Workload { rows, n, k, dtype };
                if k <= n && bytes <= BYTES_MAX && !list.contains(&workload) {
                    list.push(workload);
                }
            }
        }
        Ok(())
    }
}

fn combinations<'a>(
    rows: &'a [usize],
    n: &'a [usize],
    k: &'a [usize],
) -> impl Iterator<Item = (&'a usize, &'a usize, &'a usize)> {
    let of_row = move |r| n.iter().flat_map(move |n| k.iter().map(move |k| (r, n, k)));
    rows.iter().flat_map(of_row)
}

/// An error of the parser in one line, with the number of the line that it is about.
fn in_words(text: &str, error: &toml::de::Error) -> String {
    let start = error.span().map_or(0, |span| span.start.min(text.len()));
    let line = 1 + text.as_bytes()[..start].iter().filter(|&&byte| byte == b'\n').count();
    format!("line {line}: {}", error.message().lines().collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "[[group]]\nname = \"a\"\nrows = [1, 2]\nn = [8, 64]\nk = [1, 9]\n\
                        dtype = [\"f32\"]\n[[group]]\nname = \"b\"\nrows = [2]\nn = [64]\nk = [9]\n\
                        dtype = [\"f32\", \"bf16\"]\n";

    fn parse(text: &str, groups: &[&str]) -> Result<Vec<String>, String> {
        let groups: Vec<String> = groups.iter().map(|group| group.to_string()).collect();
        let workloads = Workloads::parse("a list", text, &groups).map_err(|e| e.to_string())?;
        Ok(workloads.list.iter().map(Workload::to_string).collect())
    }

    #[test]
    fn groups_are_combined_and_joined() {
        let of_a =
            ["1x8:1:f32", "1x64:1:f32", "1x64:9:f32", "2x8:1:f32", "2x64:1:f32", "2x64:9:f32"];
        assert_eq!(parse(TEXT, &["a"]).unwrap(), of_a);
        assert_eq!(parse(TEXT, &[]).unwrap(), [&of_a[..], &["2x64:9:bf16"]].concat());
        assert_eq!(parse(TEXT, &["b"]).unwrap(), ["2x64:9:f32", "2x64:9:bf16"]);
    }

    #[test]
    fn what_is_wrong_is_said() {
        assert!(parse(TEXT, &["c"]).unwrap_err().ends_with("no group is called c; it has a, b"));
        assert!(parse(&TEXT.replace("bf16", "f64"), &[]).unwrap_err().contains("f64 is none of"));
        assert!(parse(&TEXT.replace("[1, 9]", "[0]"), &[]).unwrap_err().contains("at least 1"));
        assert!(parse(&TEXT.replace("rows", "row"), &[]).unwrap_err().contains("unknown field"));
        let torn = parse("[[group]]\nname = 5\n", &[]).unwrap_err();
        assert!(torn.contains("line 2: invalid type") && !torn.contains('\n'), "{torn}");
        let all = Workloads::parse("a list", TEXT, &[]).unwrap();
        let none = all.clone().retain("--dtype f16", |w| w.dtype == Dtype::F16);
        assert_eq!(none.unwrap_err().to_string(), "no workload of a list is left: --dtype f16");
        let too_large = parse(&TEXT.replace("[8, 64]", "[536870912]"), &["a"]).unwrap_err();
        assert!(too_large.contains("no workload of a list is left: every shape"), "{too_large}");
        assert_ne!(all.hash(), Workloads::parse("", TEXT, &["a".into()]).unwrap().hash());
    }

    #[test]
    fn random_shapes_are_legal_and_follow_the_seed() {
        let of_seed = |seed| Workloads::random(200, &[Dtype::F32, Dtype::Bf16], seed).list;
        let list = of_seed(1);
        assert_eq!(list, of_seed(1));
        assert_ne!(list, of_seed(2));
        assert_eq!(
            [list[0].to_string(), list[1].to_string()],
            ["244x126552:3218:f32", "74x10305:570:bf16"]
        );
        assert_eq!((list.len(), list[1].dtype), (200, Dtype::Bf16));
        for w in &list {
            assert!((1..=16_384).contains(&w.rows) && (256..=1 << 20).contains(&w.n), "{w}");
            assert!((1..=4096).contains(&w.k) && w.k <= w.n && w.bytes() <= BYTES_MAX, "{w}");
        }
        assert!(list.iter().any(|w| w.rows < 8) && list.iter().any(|w| w.rows > 1000));
    }

    #[test]
    fn the_built_in_list_is_right() {
        let all = Workloads::read(None, &[]).unwrap();
        let has = |text: &str| all.list.contains(&text.parse().unwrap());
        assert!(has("1x50000:50:f32") && has("16384x256:8:bf16") && has("1x1048576:100:f32"));
        assert!(all.list.iter().all(|w| w.k <= w.n && w.bytes() <= BYTES_MAX));
    }
}
