//! Arguments that several commands share, and how their values are read.
use std::path::PathBuf;
use std::time::Duration;

use aikf_topk::{Backend, DeviceChoice, Dtype, KNOBS, Knob, KnobSpec, Legal, Runtime, TopK};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};
use topk_bench::Workloads;

use crate::error::Error;
use crate::terminal;

/// Where to run.
#[derive(Args, Clone, Copy, Debug)]
pub struct DeviceArg {
    /// Where to run: auto, cuda, cuda:N, cpu or emulator [env: AIKF_DEVICE]
    ///
    /// `auto` takes the first GPU, or the CPU on a machine without one. `emulator` runs the GPU's
    /// code path on any machine, slowly.
    #[arg(long)]
    device: Option<DeviceChoice>,
}

impl DeviceArg {
    /// What the flag says.
    pub fn choice(self) -> Option<DeviceChoice> {
        self.device
    }

    /// Opens the device of the flag, else of the environment, else the best there is.
    pub fn open(self) -> Result<Runtime, Error> {
        let runtime = match self.device {
            Some(device) => Runtime::open(device)?,
            None => Runtime::new()?,
        };
        runtime.tuned().warnings().iter().for_each(|warning| terminal::warning(warning));
        Ok(runtime)
    }
}

/// Which workloads of a list.
#[derive(Args, Debug)]
pub struct ListArgs {
    /// The list of workloads [default: the built-in one, bench/workloads.toml]
    #[arg(long, value_name = "FILE.toml")]
    workloads: Option<PathBuf>,
    /// Groups of the list [default: all]
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    group: Vec<String>,
    /// The elements' types [default: all of the list]
    #[arg(
        long,
        value_name = "DTYPE,...",
        value_delimiter = ',',
        value_parser = dtype()
    )]
    dtype: Vec<Dtype>,
}

impl ListArgs {
    /// All that the list has.
    pub fn whole(&self) -> Result<Workloads, Error> {
        Ok(Workloads::read(self.workloads.as_deref(), &[])?)
    }

    /// Those of the groups and types that are named; of all, where none is.
    pub fn chosen(&self) -> Result<Workloads, Error> {
        let list = Workloads::read(self.workloads.as_deref(), &self.group)?;
        let names = self.dtype.iter().map(|dtype| dtype.name()).collect::<Vec<_>>().join(",");
        let is_wanted = |dtype| self.dtype.is_empty() || self.dtype.contains(&dtype);
        Ok(list.retain(&format!("none is of --dtype {names}"), |w| is_wanted(w.dtype))?)
    }
}

/// One flag for every entry of [`KNOBS`].
#[derive(Clone, Debug, Default)]
pub struct KnobArgs {
    values: Vec<(Knob, String)>,
}

impl KnobArgs {
    /// Sets the knobs that have a flag; the others keep what the environment or the planner says.
    pub fn apply(&self, topk: TopK) -> Result<TopK, Error> {
        let set = |topk: TopK, (knob, value): &(Knob, String)| Ok(topk.knob(*knob, value)?);
        self.values.iter().try_fold(topk, set)
    }
}

impl Args for KnobArgs {
    fn augment_args(command: Command) -> Command {
        KNOBS.iter().fold(command, |command, spec| {
            let KnobSpec { doc, legal, default, variable, .. } = spec;
            let name = match legal {
                Legal::Words(_) => "WORD",
                _ => "N",
            };
            let arg = Arg::new(spec.key)
                .long(flag(spec))
                .value_name(name)
                .help_heading("Tuning knobs (they change speed, never an answer)")
                .help(format!("{doc} It is {legal} [default: {default}] [env: {variable}]"));
            command.arg(arg)
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for KnobArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut args = KnobArgs::default();
        args.update_from_arg_matches(matches)?;
        Ok(args)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        let given = |&knob: &Knob| Some((knob, matches.get_one(knob.spec().key).cloned()?));
        self.values = Knob::ALL.iter().filter_map(given).collect();
        Ok(())
    }
}

/// The name of a knob's flag, without dashes before it.
pub fn flag(spec: &KnobSpec) -> String {
    spec.key.replace('_', "-")
}

/// Reads the name of a backend.
pub fn backend() -> impl TypedValueParser<Value = Backend> {
    PossibleValuesParser::new(Backend::ALL.map(Backend::name)).try_map(|name| name.parse())
}

/// Reads the name of a backend that tunes are for.
pub fn tuned_backend() -> impl TypedValueParser<Value = Backend> {
    PossibleValuesParser::new(TUNED_BACKENDS.map(Backend::name)).try_map(|name| name.parse())
}

/// The backends that `auto` may take on a GPU.
pub const TUNED_BACKENDS: [Backend; 4] =
    [Backend::Stream, Backend::Singlepass, Backend::Streaming, Backend::Radix];

/// Reads the name of an element type.
pub fn dtype() -> impl TypedValueParser<Value = Dtype> {
    let named = |name: String| Dtype::ALL.into_iter().find(|dtype| dtype.name() == name);
    PossibleValuesParser::new(Dtype::ALL.map(Dtype::name))
        .try_map(move |name| named(name).ok_or("no such type"))
}

/// Reads a number of things.
pub fn count(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| "it must be a whole number of at least 0".to_string())
}

/// Reads the number of elements that a row has.
pub fn length(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| "it must be a whole number of at least 0".to_string())
}

/// Reads a number of things of which there must be some.
pub fn positive(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|&number: &usize| number > 0);
    number.ok_or_else(|| "it must be a whole number of at least 1".to_string())
}

/// Reads a number of things of which there must be some, and not too many.
pub fn up_to(most: usize) -> impl Fn(&str) -> Result<usize, String> + Clone {
    move |text| {
        let number = positive(text).ok().filter(|&number| number <= most);
        number.ok_or_else(|| format!("it must be a whole number of at least 1, at most {most}"))
    }
}

/// Reads a share in percent, with or without its sign.
pub fn percent(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').unwrap_or(text).trim().parse().ok();
    let legal = number.filter(|number: &f64| number.is_finite() && *number >= 0.0);
    legal.ok_or_else(|| "it must be a share in percent, like 5%".to_string())
}

/// Reads a duration: `90s`, `10m`, `1h`; without a unit seconds.
pub fn duration(text: &str) -> Result<Duration, String> {
    let units = [("s", 1), ("m", 60), ("h", 3600)];
    let unit = units.iter().find(|(name, _)| text.ends_with(name));
    let (name, seconds) = unit.unwrap_or(&("", 1));
    let number = text.strip_suffix(name).and_then(|number| number.parse::<u64>().ok());
    let legal = number.and_then(|number| number.checked_mul(*seconds));
    legal.map(Duration::from_secs).ok_or_else(|| "it must be like 90s, 10m or 1h".to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_bounds() {
        let read = up_to(3);
        assert_eq!((read("1"), read("3")), (Ok(1), Ok(3)));
        assert!(["0", "-1", "x", ""].iter().all(|text| read(text).is_err()));
        assert_eq!(read("4").unwrap_err(), "it must be a whole number of at least 1, at most 3");
    }

    #[test]
    fn shares_and_durations() {
        assert_eq!((percent("5%"), percent("2.5")), (Ok(5.0), Ok(2.5)));
        assert!(percent("-1%").is_err() && percent("NaN").is_err() && percent("").is_err());
        let seconds = |text| duration(text).map(|duration| duration.as_secs());
        assert_eq!([seconds("90s"), seconds("10m"), seconds("7")], [Ok(90), Ok(600), Ok(7)]);
        assert!(seconds("1d").is_err() && seconds("s").is_err() && seconds("-1s").is_err());
    }
}
