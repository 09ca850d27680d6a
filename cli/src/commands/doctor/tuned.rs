//! The tuned tables that `auto` asks on a device.
use aikf_topk::{Runtime, TUNED_VARIABLE, TunedChoice, TunedTable};

use crate::output;
use crate::output::findings::Finding;

const SECTION: &str = "Tuned tables";

/// The tables of a device, the strongest first, and what is wrong with their files.
pub fn examine(runtime: &Runtime) -> Vec<Finding> {
    let device = runtime.device().to_string();
    let tuned = runtime.tuned();
    let remedy =
        format!("make a table with `topk tune`, or set {TUNED_VARIABLE} to another or off");
    let warnings = tuned
        .warnings()
        .iter()
        .map(|text| Finding::warning(SECTION, format!("{device}: {text}"), remedy.clone()));
    let mut findings: Vec<Finding> = warnings.collect();
    let tables = tuned.tables().enumerate();
    findings.extend(tables.map(|(place, (source, table))| of_table(&device, place, source, table)));
    if tuned.tables().next().is_none() {
        let why = none_because(runtime);
        findings.push(Finding::ok(SECTION, format!("{device}: none, {why}")).fact("entries", 0));
    }
    findings.into_iter().map(|finding| finding.fact("device", device.as_str())).collect()
}

fn of_table(device: &str, place: usize, source: &str, table: &TunedTable) -> Finding {
    let TunedTable { entries, provenance, .. } = table;
    let count = match entries.len() {
        0 => "no entries".to_string(),
        many => {
            let entries = output::counted(many, "entry", "entries");
            format!("{entries}, measured on {} on {}", provenance.gpu, provenance.date)
        }
    };
    let order = if place == 0 { "auto asks" } else { "then" };
    Finding::ok(SECTION, format!("{device}: {order} the table {source}: {count}"))
        .fact("source", source)
        .fact("entries", entries.len())
        .fact("date", provenance.date.as_str())
}

fn none_because(runtime: &Runtime) -> String {
    match (runtime.gpu(), &runtime.settings().tuned) {
        (None, _) => "and none is needed: there is one backend for it".to_string(),
        (Some(_), Some(TunedChoice::Off)) => format!("because {TUNED_VARIABLE} is off"),
        (Some(_), _) => "the planner decides; `topk tune` makes one".to_string(),
    }
}
