//! The tuning knobs, declared once. From [`KNOBS`] derive the environment's variables, the command
//! line's flags, the checks, `docs/knobs.md`, the keys of tuned tables, and what `topk tune` tries.
//!
//! **A knob may change speed, never a result.** What a knob may be is part of its declaration; the
//! planner takes a legal value as a wish and says in `explain` where it could not grant it.
use std::fmt;

use crate::error::Error;
use crate::settings::Backend::{self, Radix, Singlepass, Stream, Streaming};

/// What values a knob may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Legal {
    /// A power of two between these.
    PowerOfTwo(u32, u32),
    /// A number between these.
    Range(u32, u32),
    /// One of these numbers.
    Numbers(&'static [u32]),
    /// One of these words; the value is the word's place.
    Words(&'static [&'static str]),
}

impl Legal {
    fn parse(self, text: &str) -> Option<u32> {
        match self {
            Legal::Words(words) => words.iter().position(|w| *w == text).map(|at| at as u32),
            Legal::PowerOfTwo(least, most) => text
                .parse()
                .ok()
                .filter(|v: &u32| v.is_power_of_two() && (least..=most).contains(v)),
            Legal::Range(least, most) => text.parse().ok().filter(|v| (least..=most).contains(v)),
            Legal::Numbers(numbers) => text.parse().ok().filter(|v| numbers.contains(v)),
        }
    }

    /// A legal value as one would write it: the word, where it is the place of one.
    pub fn show(self, value: u32) -> String {
        match self {
            Legal::Words(words) => match words.get(value as usize) {
                Some(word) => word.to_string(),
                None => value.to_string(),
            },
            _ => value.to_string(),
        }
    }
}

impl fmt::Display for Legal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Legal::PowerOfTwo(least, most) => write!(f, "a power of two from {least} to {most}"),
            Legal::Range(least, u32::MAX) => write!(f, "a number of at least {least}"),
            Legal::Range(least, most) => write!(f, "a number from {least} to {most}"),
            Legal::Numbers(numbers) => {
                let numbers: Vec<String> = numbers.iter().map(u32::to_string).collect();
                write!(f, "one of {}", numbers.join(", "))
            }
            Legal::Words(words) => write!(f, "one of {}", words.join(", ")),
        }
    }
}

/// Where a value came from, the strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A call of the program, or a flag of the command line.
    Builder,
    /// An environment variable.
    Environment,
    /// A tuned table.
    Tuned,
    /// The planner's own choice.
    Heuristic,
}

impl Origin {
    /// In words.
    pub const fn name(self) -> &'static str {
        match self {
            Origin::Builder => "set by the caller",
            Origin::Environment => "from the environment",
            Origin::Tuned => "from the tuned table",
            Origin::Heuristic => "chosen by the planner",
        }
    }
}

/// The declaration of one knob.
#[derive(Clone, Copy, Debug)]
pub struct KnobSpec {
    /// The key: the flag's name with `-` for `_`, and the key in files.
    pub key: &'static str,
    /// The environment variable.
    pub variable: &'static str,
    /// What it does, in a sentence.
    pub doc: &'static str,
    /// What it may be.
    pub legal: Legal,
    /// What it is where nobody sets it, in words.
    pub default: &'static str,
    /// The backends that heed it.
    pub backends: &'static [Backend],
    /// The values that are worth trying, in [`KnobSpec::legal`]'s numbers.
    pub trials: &'static [u32],
}

macro_rules! knobs {
    ($($(#[doc = $doc:literal])* $knob:ident = $key:literal, $variable:literal, $legal:expr,
       $default:literal, $backends:expr, $trials:expr;)*) => {
        /// A tuning knob.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Knob { $($(#[doc = $doc])* $knob,)* }

        /// Every knob's declaration, in the order of [`Knob`].
        pub const KNOBS: &[KnobSpec] = &[$(KnobSpec {
            key: $key,
            variable: $variable,
            doc: concat!($($doc),*).trim_ascii(),
            legal: $legal,
            default: $default,
            backends: &$backends,
            trials: &$trials,
        }),*];

        impl Knob {
            /// Every knob.
            pub const ALL: &'static [Knob] = &[$(Knob::$knob),*];
        }
    };
}

knobs! {
    /// `streaming`: 16-byte vectors that a warp reads at once.
    StreamingBlockN = "streaming_block_n", "AIKF_STREAMING_BLOCK_N",
        Legal::Numbers(&[64, 128, 256]),
        "up to 256 where a multiprocessor has one row, else up to 128; less for short rows and \
         a large k",
        [Streaming], [64, 128, 256];
    /// `streaming`: warps in a block.
    StreamingWarps = "streaming_warps", "AIKF_STREAMING_WARPS", Legal::Numbers(&[4, 8, 16, 32]),
        "16; 8 or 4 where a multiprocessor has several rows; fewer for short rows or a k up to 16; \
         32 for one above 2048",
        [Streaming], [4, 8, 16, 32];
    /// `stream`, `singlepass`: warps in a block that reads rows.
    Stage1Warps = "stage1_warps", "AIKF_STAGE1_WARPS", Legal::PowerOfTwo(1, 32),
        "16, fewer for short rows or a k up to 16; 32 for one above 2048", [Stream, Singlepass],
        [4, 8, 16, 32];
    /// `stream`, `singlepass`: 16-byte loads that a lane keeps in flight. Rounded down to 1, 2, 4
    /// or 8; with 32 warps it is 1.
    Stage1Stages = "stage1_stages", "AIKF_STAGE1_STAGES", Legal::Range(1, 8),
        "as many as a piece has for it, up to 8", [Stream, Singlepass], [1, 2, 4, 8];
    /// `stream`, `singlepass`, `radix`: wanted blocks over all rows.
    Stage1TargetCtas = "stage1_target_ctas", "AIKF_STAGE1_TARGET_CTAS", Legal::Range(1, 65535),
        "one a multiprocessor; two for `radix`",
        [Stream, Singlepass, Radix], [16, 32, 64, 132, 264, 528];
    /// `stream`, `singlepass`: 1 favours parallelism and may leave more candidates than wanted.
    Stage1ParallelHint = "stage1_parallel_hint", "AIKF_STAGE1_PARALLEL_HINT", Legal::Range(0, 1),
        "0", [Stream, Singlepass], [1];
    /// `stream`, `singlepass`: wanted candidates a row for the merge; raised to k where less.
    TargetStage2Candidates = "target_stage2_candidates", "AIKF_TARGET_STAGE2_CANDIDATES",
        Legal::Range(1, u32::MAX), "8192",
        [Stream, Singlepass], [2048, 4096, 16384];
    /// `stream`: the merge has room for all candidates, or for a tile of them at a time.
    Stage2Impl = "stage2_impl", "AIKF_STAGE2_IMPL", Legal::Words(&["default", "tiles"]),
        "`default`; `tiles` for more than 4096 candidates", [Stream], [0, 1];
    /// `stream`, merging in tiles: candidates gathered before the best k of them are kept.
    Stage2Tile = "stage2_tile", "AIKF_STAGE2_TILE", Legal::PowerOfTwo(64, 2048),
        "2048, or k where more", [Stream], [512, 1024, 2048];
    /// `stream`: warps in a block of the merge.
    Stage2Warps = "stage2_warps", "AIKF_STAGE2_WARPS", Legal::PowerOfTwo(1, 32),
        "16, fewer for few candidates", [Stream], [4, 8, 16, 32];
}

impl Knob {
    /// The knob's declaration.
    pub fn spec(self) -> &'static KnobSpec {
        &KNOBS[self as usize]
    }
}

/// The knobs that somebody has set, each with its origin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Knobs {
    values: [Option<(u32, Origin)>; KNOBS.len()],
}

impl Knobs {
    /// Sets a knob from text.
    ///
    /// # Errors
    /// [`Error::Setting`] where the text is no legal value.
    pub fn set(&mut self, knob: Knob, text: &str, origin: Origin) -> Result<(), Error> {
        let spec = knob.spec();
        let value = spec.legal.parse(text).ok_or_else(|| Error::Setting {
            name: match origin {
                Origin::Environment => spec.variable,
                _ => spec.key,
            },
            knob: Some(knob),
            value: text.to_string(),
            origin,
            legal: format!("it must be {}", spec.legal),
        })?;
        self.values[knob as usize] = Some((value, origin));
        Ok(())
    }

    /// The value that somebody set.
    pub fn get(&self, knob: Knob) -> Option<u32> {
        self.values[knob as usize].map(|(value, _)| value)
    }

    /// Where the knob's value comes from.
    pub fn origin(&self, knob: Knob) -> Origin {
        self.values[knob as usize].map_or(Origin::Heuristic, |(_, origin)| origin)
    }

    /// The knobs that somebody set, each with its value.
    pub fn iter(&self) -> impl Iterator<Item = (Knob, u32)> + '_ {
        Knob::ALL.iter().filter_map(|&knob| Some((knob, self.get(knob)?)))
    }

    /// These knobs, with those of `weaker` where these have none.
    pub fn or(&self, weaker: &Knobs) -> Knobs {
        let mut merged = self.clone();
        for (mine, theirs) in merged.values.iter_mut().zip(&weaker.values) {
            *mine = mine.or(*theirs);
        }
        merged
    }
}

/// As flags would set them, without the dashes: `stage1_warps=8 stage1_stages=4`.
impl fmt::Display for Knobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.iter().map(|(knob, value)| {
            let spec = knob.spec();
            format!("{}={}", spec.key, spec.legal.show(value))
        });
        f.pad(&shown.collect::<Vec<_>>().join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shown_value_reads_back() {
        let values = |legal| match legal {
            Legal::PowerOfTwo(least, most) => vec![least, most],
            Legal::Range(least, most) => vec![least, most],
            Legal::Numbers(numbers) => numbers.to_vec(),
            Legal::Words(words) => (0..words.len() as u32).collect(),
        };
        for KnobSpec { key, legal, .. } in KNOBS {
            for value in values(*legal) {
                assert_eq!(legal.parse(&legal.show(value)), Some(value), "{key}");
            }
        }
        assert_eq!(Knob::Stage2Impl.spec().legal.show(1), "tiles");
        assert_eq!(Knob::Stage2Tile.spec().legal.show(64), "64");
    }

    #[test]
    fn what_is_worth_trying_is_legal() {
        for KnobSpec { key, legal, trials, backends, .. } in KNOBS {
            assert!(!trials.is_empty() && !backends.is_empty(), "{key}");
            for &value in *trials {
                assert_eq!(legal.parse(&legal.show(value)), Some(value), "{key}");
            }
        }
    }

    #[test]
    fn an_illegal_value_is_named_as_its_setter_knows_it() {
        let text = |origin| {
            let error = Knobs::default().set(Knob::Stage1Warps, "3", origin);
            error.unwrap_err().to_string()
        };
        assert_eq!(
            text(Origin::Builder),
            "stage1_warps=3 (set by the caller) is not legal: \
             it must be a power of two from 1 to 32"
        );
        let named = "AIKF_STAGE1_WARPS=3 (from the environment) is not legal: ";
        assert!(text(Origin::Environment).starts_with(named));
    }
}
