//! `topk doctor`: on machines without a GPU, with the emulator, and where something is wrong.
mod common;

use common::{Run, command, run, topk};
use serde_json::Value;

fn with(args: &[&str], variables: &[(&str, &str)]) -> Run {
    let mut command = command(args);
    command.envs(variables.iter().copied());
    run(command)
}

fn findings(run: &Run) -> Vec<Value> {
    let report: Value = serde_json::from_str(&run.stdout).expect("one JSON object");
    assert_eq!(report["schema"], 1);
    assert_eq!(report["exit_code"], run.code);
    report["findings"].as_array().expect("a list").clone()
}

fn of_section<'a>(findings: &'a [Value], section: &str) -> Vec<&'a Value> {
    findings.iter().filter(|finding| finding["section"] == section).collect()
}

/// With or without a driver: this machine is fine.
#[test]
fn any_machine_is_well() {
    let run = topk("doctor");
    assert_eq!(run.stderr, "");
    let text = run.ok();
    assert!(text.contains("Self-test\n  ok"), "{text}");
    assert!(!text.contains('\x1b'), "no colours in a pipe: {text}");
    assert!(!text.contains("failure"), "{text}");
}

#[test]
fn the_cpu_needs_no_driver() {
    let run = topk("doctor --device cpu --json");
    let findings = findings(&run);
    assert!(of_section(&findings, "Driver").is_empty());
    assert!(findings.iter().all(|finding| finding["status"] == "ok"), "{findings:?}");
    assert_eq!(of_section(&findings, "Self-test")[0]["device"], "cpu");
}

#[test]
fn the_emulator_is_looked_at_like_a_gpu() {
    let run = topk("doctor --device emulator --json");
    let findings = findings(&run);
    assert_eq!(run.code, 0, "{findings:?}");
    let gpus = of_section(&findings, "GPUs");
    assert_eq!(gpus.len(), 2, "{gpus:?}");
    assert!(gpus[0]["multiprocessors"].as_u64() > Some(0), "{gpus:?}");
    assert!(gpus[1]["ptx"].as_u64() >= Some(75), "{gpus:?}");
    assert_eq!(of_section(&findings, "Self-test")[0]["status"], "ok");
}

#[test]
fn every_setting_is_there_with_its_origin() {
    let run = with(
        &["doctor", "--json"],
        &[("AIKF_DEVICE", "cpu"), ("AIKF_STAGE1_WARPS", "8"), ("AIKF_STAGE2_IMPL", "tiles")],
    );
    let findings = findings(&run);
    let of = |key: &str| findings.iter().find(|finding| finding["setting"] == key).expect(key);
    for spec in aikf_topk::KNOBS {
        assert_eq!(of(spec.key)["variable"], spec.variable);
    }
    let (key, value, origin) = ("stage1_warps", "8", "from the environment");
    assert_eq!((&of(key)["value"], &of(key)["origin"]), (&value.into(), &origin.into()));
    assert_eq!(of("stage2_impl")["value"], "tiles");
    assert_eq!(of("device")["value"], "cpu");
    assert_eq!(of("tuned")["variable"], "AIKF_TUNED");
    assert_eq!(of("stage2_warps")["origin"], "chosen by the planner");
}

#[test]
fn the_tuned_tables_that_count_are_named() {
    let text = |run: &Run| -> Vec<String> {
        let findings = findings(run);
        let of_tables = of_section(&findings, "Tuned tables");
        of_tables.iter().map(|finding| finding["text"].as_str().unwrap().to_string()).collect()
    };
    let doctor = ["doctor", "--json", "--device", "emulator"];
    let off = with(&doctor, &[("AIKF_TUNED", "off")]);
    assert_eq!(text(&off), ["emulator: none, because AIKF_TUNED is off"]);
    let missing = with(&doctor, &[("AIKF_TUNED", "not/there.toml")]);
    assert_eq!(missing.code, 0, "a table changes speed alone");
    assert_eq!(text(&missing).len(), 2, "{missing:?}");
    assert!(text(&missing)[0].contains("not/there.toml is not used: there is no such file"));
}

#[test]
fn a_variable_that_nobody_knows_is_a_warning() {
    let run = with(&["doctor", "--device", "cpu"], &[("AIKF_STAGE1_WARP", "8")]);
    assert_eq!(run.stderr, "", "the report has it");
    let text = run.ok();
    assert!(text.contains("warning  the environment variable AIKF_STAGE1_WARP"), "{text}");
    assert!(text.contains("remedy: AIKF_STAGE1_WARPS has the nearest name"), "{text}");
    assert!(text.ends_with("It works, with 1 warning.\n"), "{text}");
}

#[test]
fn illegal_settings_are_all_listed() {
    let variables =
        [("AIKF_STAGE1_WARPS", "3"), ("AIKF_TOPK_IMPL", "quick"), ("AIKF_STAGE2_IMPL", "tile")];
    let run = with(&["doctor"], &variables);
    assert_eq!(run.code, 2, "{run:?}");
    for (name, value) in variables {
        assert!(run.stdout.contains(&format!("{name}={value}")), "{}", run.stdout);
        assert!(run.stdout.contains(&format!("remedy: unset {name}")), "{}", run.stdout);
    }
    assert!(run.stdout.contains("3 failures"), "{}", run.stdout);
}

#[test]
fn a_demanded_gpu_that_is_not_there_is_a_failure_with_a_remedy() {
    let run = topk("doctor --device cuda:99");
    assert_eq!(run.code, 3, "{run:?}");
    let lines: Vec<&str> = run.stdout.lines().collect();
    let failures = lines.windows(2).filter(|pair| pair[0].starts_with("  failure"));
    for pair in failures.clone() {
        assert!(pair[1].trim_start().starts_with("remedy: "), "{pair:?}");
    }
    assert_eq!(failures.count(), 1, "{lines:?}");
    assert!(run.stdout.contains("left out"), "{lines:?}");
}

#[test]
fn colours_come_when_they_are_asked_for() {
    let text = topk("doctor --device cpu --color always").ok();
    assert!(text.contains("\x1b[1;32mok\x1b[0m"), "{text}");
    let text = with(&["doctor", "--color=always", "--device=cpu"], &[("NO_COLOR", "1")]).ok();
    assert!(text.contains('\x1b'), "the flag comes before the variable");
    topk("doctor --color loud").fails(2, &["'loud'", "auto, always, never"]);
}
