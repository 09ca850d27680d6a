//! Every setting with its value and where that comes from.
use aikf_topk::{
    BACKEND_VARIABLE, DEVICE_VARIABLE, DeviceChoice, Knob, KnobSpec, Origin, Settings,
    TUNED_VARIABLE, unknown_variables,
};

use crate::error::exit;
use crate::output::findings::Finding;

const SECTION: &str = "Settings";
/// What `AIKF_TUNED` means where it is not set.
const TUNED_DEFAULT: &str = "your own table, then the library's";

/// The device that counts, and what is to be said of all settings.
pub fn examine(flag: Option<DeviceChoice>) -> (DeviceChoice, Vec<Finding>) {
    let (settings, mut findings) = legal();
    let device = flag.or(settings.device).unwrap_or_default();
    let device_origin = match (flag, settings.device) {
        (Some(_), _) => Origin::Builder,
        (None, Some(_)) => Origin::Environment,
        (None, None) => Origin::Heuristic,
    };
    let backend = settings.backend.unwrap_or_default();
    let backend_origin = settings.backend.map_or(Origin::Heuristic, |_| Origin::Environment);
    findings.push(setting("device", DEVICE_VARIABLE, &device.to_string(), device_origin));
    findings.push(setting("backend", BACKEND_VARIABLE, backend.name(), backend_origin));
    let tuned_origin = settings.tuned.as_ref().map_or(Origin::Heuristic, |_| Origin::Environment);
    let tuned = settings.tuned.as_ref().map_or(TUNED_DEFAULT.to_string(), ToString::to_string);
    findings.push(setting("tuned", TUNED_VARIABLE, &tuned, tuned_origin));
    findings.extend(Knob::ALL.iter().map(|&knob| of_knob(knob, &settings)));
    findings.extend(unknown());
    (device, findings)
}

/// What the environment says, without the variables whose values are illegal: these are failures.
fn legal() -> (Settings, Vec<Finding>) {
    let mut variables: Vec<(String, String)> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
        .map(|(name, value)| (name, value.to_string_lossy().into_owned()))
        .collect();
    variables.sort();
    let mut findings = vec![];
    variables.retain(|variable| match Settings::from_vars([variable.clone()]) {
        Ok(_) => true,
        Err(error) => {
            let (name, value) = variable;
            let remedy = format!("unset {name}, or give it a value that is legal");
            let finding = Finding::failure(SECTION, exit::USAGE, error.to_string(), remedy);
            findings.push(finding.fact("variable", name.as_str()).fact("value", value.as_str()));
            false
        }
    });
    (Settings::from_vars(variables).unwrap_or_default(), findings)
}

fn setting(name: &str, variable: &str, value: &str, origin: Origin) -> Finding {
    let of = match origin {
        Origin::Builder => "from the command line".to_string(),
        Origin::Environment => format!("{}, {variable}", origin.name()),
        _ => format!("the default; {variable} sets another"),
    };
    Finding::ok(SECTION, format!("{name}: {value} ({of})"))
        .fact("setting", name)
        .fact("variable", variable)
        .fact("value", value)
        .fact("origin", origin.name())
}

fn of_knob(knob: Knob, settings: &Settings) -> Finding {
    let KnobSpec { key, variable, default, legal, .. } = knob.spec();
    let origin = settings.knobs.origin(knob);
    let value = settings.knobs.get(knob).map(|value| legal.show(value));
    let text = match &value {
        Some(value) => format!("{key}: {value} ({}, {variable})", origin.name()),
        None => format!("{key}: {default} ({})", origin.name()),
    };
    Finding::ok(SECTION, text)
        .fact("setting", *key)
        .fact("variable", *variable)
        .fact("value", value)
        .fact("origin", origin.name())
}

/// Variables that look like ours and are not.
fn unknown() -> Vec<Finding> {
    let mut unknown = unknown_variables();
    unknown.sort();
    let of_one = |(name, nearest): (String, &'static str)| {
        let text = format!("the environment variable {name} means nothing here");
        let remedy =
            format!("{nearest} has the nearest name; if it was meant, set that, else unset {name}");
        Finding::warning(SECTION, text, remedy).fact("variable", name).fact("nearest", nearest)
    };
    unknown.into_iter().map(of_one).collect()
}

#[cfg(test)]
mod tests {
    use aikf_topk::KNOBS;

    use super::*;

    #[test]
    fn every_setting_has_a_line() {
        let (_, findings) = examine(Some(DeviceChoice::Cpu));
        let settings = findings.iter().filter(|finding| finding.facts.contains_key("setting"));
        assert_eq!(settings.count(), KNOBS.len() + 3);
    }
}
