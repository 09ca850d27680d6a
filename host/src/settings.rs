//! Settings: which backend, which device, which knobs, and what the environment says of them.
//!
//! This is the only file of the library that reads the environment. Precedence: a call of the
//! program, then the environment, then the tuned table, then the planner.
use std::convert::Infallible;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::error::Error;
use crate::knobs::{KNOBS, Knob, Knobs, Origin};

/// How a selection is done. Every backend gives the same answer, bit for bit, but for
/// [`Backend::Torch`] among equals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Backend {
    /// The fastest for the problem and the device.
    #[default]
    Auto,
    /// Two kernels: stage 1 reduces pieces of a row to candidates, a merge makes the answer.
    Stream,
    /// One kernel: where several blocks share a row, the last to be ready merges.
    Singlepass,
    /// One kernel, one block a row.
    Streaming,
    /// Radix select over global memory, then a sort: any `k`.
    Radix,
    /// PyTorch's own `torch.topk` through LibTorch (cargo feature `torch`), to compare with. Which
    /// of equals it chooses, and in which order they come, is its own affair. [`Backend::Auto`]
    /// never takes it.
    Torch,
    /// The host's cores.
    Cpu,
}

impl Backend {
    /// Every backend.
    pub const ALL: [Backend; 7] = [
        Backend::Auto,
        Backend::Stream,
        Backend::Singlepass,
        Backend::Streaming,
        Backend::Radix,
        Backend::Torch,
        Backend::Cpu,
    ];

    /// The name in `AIKF_TOPK_IMPL` and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Backend::Auto => "auto",
            Backend::Stream => "stream",
            Backend::Singlepass => "singlepass",
            Backend::Streaming => "streaming",
            Backend::Radix => "radix",
            Backend::Torch => "torch",
            Backend::Cpu => "cpu",
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Backend {
    type Err = String;

    fn from_str(text: &str) -> Result<Backend, String> {
        let named = Backend::ALL.into_iter().find(|b| b.name() == text);
        named.ok_or_else(|| {
            format!("it must be one of {}", Backend::ALL.map(Backend::name).join(", "))
        })
    }
}

/// Where to run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DeviceChoice {
    /// The first GPU, or the CPU on a machine without one.
    #[default]
    Auto,
    /// The GPU of this number.
    Cuda(u32),
    /// The host's cores.
    Cpu,
    /// The SIMT emulator behind a stand-in driver: the GPU's code path, slowly, anywhere.
    Emulator,
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DeviceChoice::Auto => f.pad("auto"),
            DeviceChoice::Cuda(number) => f.pad(&format!("cuda:{number}")),
            DeviceChoice::Cpu => f.pad("cpu"),
            DeviceChoice::Emulator => f.pad("emulator"),
        }
    }
}

impl FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<DeviceChoice, String> {
        let number = text.strip_prefix("cuda:").map(str::parse::<u32>);
        match (text, number) {
            ("auto", _) => Ok(DeviceChoice::Auto),
            ("cuda", _) => Ok(DeviceChoice::Cuda(0)),
            ("cpu", _) => Ok(DeviceChoice::Cpu),
            ("emulator", _) => Ok(DeviceChoice::Emulator),
            (_, Some(Ok(number))) => Ok(DeviceChoice::Cuda(number)),
            _ => Err("it must be one of auto, cuda, cuda:N, cpu, emulator".to_string()),
        }
    }
}

/// Which tuned table counts (see [`TunedTables`](crate::TunedTables)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TunedChoice {
    /// None.
    Off,
    /// That of a file.
    File(PathBuf),
}

impl fmt::Display for TunedChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TunedChoice::Off => f.pad("off"),
            TunedChoice::File(path) => f.pad(&path.to_string_lossy()),
        }
    }
}

impl FromStr for TunedChoice {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<TunedChoice, Infallible> {
        Ok(match text {
            "off" => TunedChoice::Off,
            path => TunedChoice::File(path.into()),
        })
    }
}

/// The variable that names the backend.
pub const BACKEND_VARIABLE: &str = "AIKF_TOPK_IMPL";
/// The variable that names the device.
pub const DEVICE_VARIABLE: &str = "AIKF_DEVICE";
/// The variable that names a tuned table, or `off`.
pub const TUNED_VARIABLE: &str = "AIKF_TUNED";
/// Variables with our prefix that others read: the tests, the build script and the emulator.
const FOREIGN_VARIABLES: [&str; 5] =
    ["AIKF_REQUIRE_GPU", "AIKF_REQUIRE_PTX", "AIKF_RUSTC", "AIKF_PTX", "AIKF_EMULATOR_SCHEDULE"];

/// What somebody has chosen; the rest is the planner's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// The backend.
    pub backend: Option<Backend>,
    /// The device.
    pub device: Option<DeviceChoice>,
    /// The knobs.
    pub knobs: Knobs,
    /// The tuned table; else the user's own, then the one that the library has.
    pub tuned: Option<TunedChoice>,
}

impl Settings {
    /// What the environment says.
    ///
    /// # Errors
    /// [`Error::Setting`] for an illegal value. An empty variable counts as unset.
    pub fn from_env() -> Result<Settings, Error> {
        Settings::from_vars(std::env::vars_os().filter_map(|(name, value)| {
            let name = name.into_string().ok()?;
            name.starts_with("AIKF_").then(|| (name, value.to_string_lossy().into_owned()))
        }))
    }

    /// As [`Settings::from_env`], from pairs of name and value.
    ///
    /// # Errors
    /// [`Error::Setting`] for an illegal value.
    pub fn from_vars(vars: impl IntoIterator<Item = (String, String)>) -> Result<Settings, Error> {
        let mut settings = Settings::default();
        for (name, value) in vars {
            if value.is_empty() {
                continue;
            }
            match name.as_str() {
                BACKEND_VARIABLE => settings.backend = Some(parse(BACKEND_VARIABLE, &value)?),
                DEVICE_VARIABLE => settings.device = Some(parse(DEVICE_VARIABLE, &value)?),
                TUNED_VARIABLE => settings.tuned = value.parse().ok(),
                _ => {
                    if let Some(&knob) = Knob::ALL.iter().find(|k| k.spec().variable == name) {
                        settings.knobs.set(knob, &value, Origin::Environment)?;
                    }
                }
            }
        }
        Ok(settings)
    }

    /// These settings, with those of `weaker` where these have none.
    pub fn or(&self, weaker: &Settings) -> Settings {
        Settings {
            backend: self.backend.or(weaker.backend),
            device: self.device.or(weaker.device),
            knobs: self.knobs.or(&weaker.knobs),
            tuned: self.tuned.clone().or_else(|| weaker.tuned.clone()),
        }
    }
}

/// The `AIKF_` variables in the environment that nobody knows, each with the nearest known name.
pub fn unknown_variables() -> Vec<(String, &'static str)> {
    let known: Vec<&'static str> = KNOBS
        .iter()
        .map(|spec| spec.variable)
        .chain([BACKEND_VARIABLE, DEVICE_VARIABLE, TUNED_VARIABLE])
        .chain(FOREIGN_VARIABLES)
        .collect();
    std::env::vars_os()
        .filter_map(|(name, _)| name.into_string().ok())
        .filter(|name| name.starts_with("AIKF_") && !known.contains(&name.as_str()))
        .map(|name| {
            let nearest = known.iter().min_by_key(|known| distance(known, &name));
            (name.clone(), *nearest.expect("some variable is known"))
        })
        .collect()
}

fn parse<T: FromStr<Err = String>>(name: &'static str, value: &str) -> Result<T, Error> {
    value.parse().map_err(|legal| Error::Setting {
        name,
        knob: None,
        value: value.to_string(),
        origin: Origin::Environment,
        legal,
    })
}

/// Levenshtein's distance: how many letters to change, add or drop.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, right) in b.bytes().enumerate() {
            let change = diagonal + usize::from(left != right);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> Result<Settings, Error> {
        Settings::from_vars(pairs.iter().map(|(n, v)| (n.to_string(), v.to_string())))
    }

    #[test]
    fn reads_every_kind_of_variable() {
        let s = settings(&[
            ("AIKF_TOPK_IMPL", "stream"),
            ("AIKF_DEVICE", "cuda:3"),
            ("AIKF_STAGE1_WARPS", "8"),
            ("AIKF_STAGE2_IMPL", "tiles"),
            ("AIKF_STAGE2_TILE", ""),
            ("AIKF_TUNED", "a/b.toml"),
        ])
        .unwrap();
        assert_eq!(s.tuned, Some(TunedChoice::File("a/b.toml".into())));
        assert_eq!(settings(&[("AIKF_TUNED", "off")]).unwrap().tuned, Some(TunedChoice::Off));
        assert_eq!(s.tuned.as_ref().unwrap().to_string(), "a/b.toml");
        assert_eq!(TunedChoice::Off.to_string(), "off");
        assert_eq!(s.backend, Some(Backend::Stream));
        assert_eq!(s.device, Some(DeviceChoice::Cuda(3)));
        assert_eq!(s.knobs.get(Knob::Stage1Warps), Some(8));
        assert_eq!(s.knobs.get(Knob::Stage2Impl), Some(1));
        assert_eq!(s.knobs.get(Knob::Stage2Tile), None);
        assert_eq!(s.knobs.origin(Knob::Stage1Warps), Origin::Environment);
    }

    #[test]
    fn an_illegal_value_names_variable_value_and_what_is_legal() {
        let text = |pairs| settings(pairs).unwrap_err().to_string();
        assert_eq!(
            text(&[("AIKF_STAGE1_WARPS", "NaN")]),
            "AIKF_STAGE1_WARPS=NaN (from the environment) is not legal: \
             it must be a power of two from 1 to 32"
        );
        assert_eq!(
            text(&[("AIKF_TOPK_IMPL", "quick")]),
            "AIKF_TOPK_IMPL=quick (from the environment) is not legal: \
             it must be one of auto, stream, singlepass, streaming, radix, torch, cpu"
        );
        assert!(text(&[("AIKF_STAGE1_STAGES", "9")]).contains("from 1 to 8"));
        assert!(text(&[("AIKF_DEVICE", "cuda:x")]).contains("cuda:N"));
        assert!(text(&[("AIKF_STAGE2_IMPL", "tile")]).contains("default, tiles"));
    }

    #[test]
    fn the_nearest_name_is_near() {
        assert_eq!(distance("AIKF_STAGE1_WARP", "AIKF_STAGE1_WARPS"), 1);
        assert_eq!(distance("", "abc"), 3);
    }
}
