//! `topk compare`: what it lists, and that it checks what it times.
mod common;

use common::{command, run, topk};

const SMALL: &str = "compare --batch 2 --vocab 600 --top-k 5 --iterations 4";

#[test]
fn lists_the_cpu_with_a_verified_answer() {
    let run = topk(&format!("{SMALL} --device cpu"));
    assert!(run.stderr.contains("left out without a GPU: stream, singlepass"), "{}", run.stderr);
    assert!(run.stderr.ends_with("auto takes backend cpu\n"), "{}", run.stderr);
    let table = run.ok();
    let row = table.lines().find(|line| line.trim_start().starts_with("cpu")).expect("a row");
    assert!(row.contains(" ok "), "{table}");
    assert!(row.contains("1.00x"), "{table}");
}

#[test]
fn json_has_an_object_a_backend() {
    for dtype in ["f32", "f16", "bf16"] {
        let args = format!("{SMALL} --dtype {dtype} --device emulator --format json");
        let lines = topk(&args).ok();
        let records: Vec<serde_json::Value> =
            lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        let backends: Vec<&str> = records.iter().filter_map(|r| r["backend"].as_str()).collect();
        assert_eq!(backends, ["cpu", "stream", "singlepass", "streaming", "radix"]);
        for record in &records {
            assert_eq!(record["ok"], true, "{record}");
            assert_eq!(record["samples"], 4, "{record}");
            let time = |name: &str| record[name].as_f64().expect("a number");
            assert!(time("p10_us") <= time("median_us"));
            assert!(time("median_us") <= time("p90_us"));
            assert!(time("gb_per_s") > 0.0);
        }
        assert_eq!(records[0]["speedup"], 1.0);
        assert!(records[1]["device"].as_str().expect("text").starts_with("emulator"));
    }
}

#[test]
fn csv_has_as_many_fields_as_its_header() {
    let csv = topk(&format!("{SMALL} --device cpu --format csv")).ok();
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines.len(), 2);
    assert!(lines[0].starts_with("backend,device,median_us"));
    assert_eq!(lines[0].split(',').count(), lines[1].split(',').count());
    assert!(lines[1].ends_with(",4,true"));
}

#[test]
fn the_environment_may_name_the_device() {
    let mut command = command(&SMALL.split_whitespace().collect::<Vec<_>>());
    command.env("AIKF_DEVICE", "emulator");
    let table = run(command).ok();
    assert!(table.lines().any(|line| line.contains("emulator")), "{table}");
}

#[test]
fn lists_the_backends_that_are_named() {
    let args = format!("{SMALL} --device emulator --format csv --impls singlepass,cpu,singlepass");
    let run = topk(&args);
    assert!(run.stderr.ends_with("auto takes backend singlepass\n"), "{}", run.stderr);
    let csv = run.ok();
    let backends: Vec<&str> = csv.lines().skip(1).filter_map(|l| l.split(',').next()).collect();
    assert_eq!(backends, ["singlepass", "cpu"]);
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
