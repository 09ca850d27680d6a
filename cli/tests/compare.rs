//! `topk compare`: what it lists, and that it checks what it times.
mod common;

use common::{Folder, command, run, topk};
use serde_json::Value;

const SMALL: &str = "compare --batch 2 --vocab 600 --top-k 5 --iterations 4";

/// The rows of a report in JSON.
fn rows(json: &str) -> Vec<Value> {
    let report: Value = serde_json::from_str(json).expect("JSON");
    assert_eq!(report["schema"], 1);
    assert!(report["date"].as_str().expect("text").starts_with("20"));
    report["rows"].as_array().expect("an array").clone()
}

fn backends(rows: &[Value]) -> Vec<&str> {
    rows.iter().filter_map(|row| row["backend"].as_str()).collect()
}

#[test]
fn lists_the_cpu_with_a_verified_answer() {
    let run = topk(&format!("{SMALL} --device cpu"));
    assert!(run.stderr.contains("left out without a GPU: stream, singlepass"), "{}", run.stderr);
    assert!(run.stderr.ends_with("the greatest 5; auto takes backend cpu\n"), "{}", run.stderr);
    let table = run.ok();
    let row = table.lines().find(|line| line.contains(" cpu ")).expect("a row");
    assert!(row.contains(" ok "), "{table}");
    assert!(!table.contains("best"), "there is nobody to be better than: {table}");
}

#[test]
fn the_fastest_of_several_is_marked() {
    let table = topk(&format!("{SMALL} --device emulator")).ok();
    assert!(table.lines().next().expect("a header").trim_end().ends_with("best"), "{table}");
    assert_eq!(table.lines().filter(|line| line.trim_end().ends_with('*')).count(), 1, "{table}");
}

#[test]
fn json_has_an_object_a_backend() {
    for dtype in ["f32", "f16", "bf16"] {
        let args = format!("{SMALL} --dtype {dtype} --device emulator --format json");
        let json = topk(&args).ok();
        let report: Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!(report["device"], "aikf emulator");
        assert_eq!(report["copy_gbs"], Value::Null);
        let rows = rows(&json);
        assert_eq!(backends(&rows), ["cpu", "stream", "singlepass", "streaming", "radix"]);
        for row in &rows {
            assert_eq!(row["verified"], true, "{row}");
            assert_eq!(row["samples"], 4, "{row}");
            assert_eq!([&row["rows"], &row["n"], &row["k"]], [2, 600, 5], "{row}");
            assert_eq!(row["dtype"], dtype);
            let time = |name: &str| row[name].as_f64().expect("a number");
            assert!(time("p10_us") <= time("median_us"));
            assert!(time("median_us") <= time("p90_us"));
            assert!(time("gbs") > 0.0);
        }
        assert_eq!((&rows[0]["mode"], &rows[1]["mode"]), (&"cpu".into(), &"eager".into()));
        assert_eq!(rows.iter().filter(|row| row["best"] == true).count(), 1);
    }
}

#[test]
fn lists_are_combined() {
    let args = "compare --batch 1,2 --vocab 20,700 --top-k 3,30 --dtype f32,bf16 --iters 1 \
                --impls singlepass,auto --device emulator --format json";
    let run = topk(args);
    assert!(run.stderr.contains("left out: 4 of 16 shapes, whose k exceeds n"), "{}", run.stderr);
    let rows = rows(&run.ok());
    assert_eq!(rows.len(), 24);
    assert_eq!(backends(&rows[..2]), ["singlepass", "auto"]);
    assert!(rows.iter().all(|row| row["verified"] == true && row["ran"] == "singlepass"));
}

#[test]
fn calls_may_stand_in_graphs() {
    for (flags, mode, cold) in [("", "graph-warm", false), (" --cold-l2", "graph-cold", true)] {
        let args = format!("{SMALL} --impls stream --device emulator --graph{flags} --format json");
        let rows = rows(&topk(&args).ok());
        assert_eq!(rows[0]["mode"], mode);
        assert_eq!(rows[0]["cold"], cold);
        assert_eq!(rows[0]["verified"], true);
    }
}

#[test]
fn csv_has_as_many_fields_as_its_header() {
    let csv = topk(&format!("{SMALL} --device cpu --format csv")).ok();
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines.len(), 2);
    assert!(lines[0].starts_with("rows,n,k,dtype,backend"));
    assert_eq!(lines[0].split(',').count(), lines[1].split(',').count());
    assert!(lines[1].ends_with(",4,true"));
}

#[test]
fn markdown_is_a_table() {
    let text = topk(&format!("{SMALL} --device cpu --format markdown")).ok();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("| rows | n | k | type | backend |"), "{text}");
    assert!(lines[1].starts_with("|---|---|") && lines.len() == 3, "{text}");
    assert!(!text.contains("vs torch"), "a column in which nothing stands is left out: {text}");
}

#[test]
fn the_environment_may_name_the_device() {
    let mut command = command(&format!("{SMALL} --format json").split(' ').collect::<Vec<_>>());
    command.env("AIKF_DEVICE", "emulator");
    assert!(run(command).ok().contains("aikf emulator"));
}

#[test]
fn lists_the_backends_that_are_named() {
    let args = format!("{SMALL} --device emulator --format json --impls singlepass,cpu,singlepass");
    let run = topk(&args);
    assert!(run.stderr.ends_with("auto takes backend singlepass\n"), "{}", run.stderr);
    let rows = rows(&run.ok());
    assert_eq!(
        backends(&rows),
        ["cpu", "singlepass"],
        "the host's cores are not timed beside a GPU"
    );
}

#[test]
fn auto_follows_the_shape_whatever_the_environment_asks_for() {
    let args = "compare --batch 9 --vocab 50 --top-k 3 --iterations 1 --device emulator";
    let mut command = command(&args.split_whitespace().collect::<Vec<_>>());
    command.env("AIKF_TOPK_IMPL", "stream");
    let run = run(command);
    assert!(run.stderr.ends_with("auto takes backend streaming\n"), "{}", run.stderr);
    run.ok();
}

/// The planner takes another way there, and the measurement goes on.
#[test]
fn a_k_beyond_shared_memory_is_measured_too() {
    let args = "compare --vocab 40000 --top-k 39999 --iterations 1 --device emulator --format csv";
    let csv = topk(args).ok();
    let verified = csv.lines().filter(|line| line.ends_with(",1,true"));
    assert_eq!(verified.count(), 2, "{csv}");
}

#[test]
fn times_are_compared_with_a_baseline() {
    let folder = Folder::new();
    let before = folder.path().join("before.json").display().to_string();
    let args = format!("{SMALL} --device cpu --format json");
    let written = topk(&format!("{args} --output {before}"));
    assert_eq!(written.ok(), "", "the report is in the file");
    let with = |text: &str, percent: &str| {
        let baseline = folder.write("baseline.json", text.as_bytes());
        topk(&format!("{args} --baseline {baseline} --fail-above {percent}"))
    };
    let report = std::fs::read_to_string(&before).expect("the report");
    let same = with(&report, "1000000%");
    assert_eq!(same.code, 0, "{}", same.stderr);
    assert!(same.stderr.contains("1 of 1 times compared, 0 longer"), "{}", same.stderr);

    let mut faster: Value = serde_json::from_str(&report).expect("JSON");
    faster["rows"][0]["median_us"] = 1e-6.into();
    let slower = with(&faster.to_string(), "5%");
    assert_eq!(slower.code, 1, "{}", slower.stderr);
    assert!(slower.stderr.contains("baseline: 2x600:5:f32 cpu cpu: "), "{}", slower.stderr);

    let auto = topk(
        "compare --random 2 --seed 3 --dtype bf16 --impls auto,cpu --iters 1 --device cpu \
         --auto-within 5% --format csv",
    );
    assert!(auto.stderr.contains("auto: 0 workloads compared"), "{}", auto.stderr);
    assert_eq!(auto.ok().lines().count(), 5);

    with("{}", "5%").fails(2, &["baseline.json", "is not right"]);
    topk(&format!("{args} --baseline nowhere.json")).fails(2, &["cannot read nowhere.json"]);
}
