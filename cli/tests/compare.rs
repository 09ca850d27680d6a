//! `topk compare`: what it lists, and that it checks what it times.
mod common;

use common::{command, run, topk};

const SMALL: &str = "compare --batch 2 --vocab 600 --top-k 5 --iterations 4";

#[test]
fn lists_the_cpu_with_a_verified_answer() {
    let run = topk(&format!("{SMALL} --device cpu"));
    assert!(run.stderr.contains("backend stream is left out"), "{}", run.stderr);
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
        assert_eq!(backends, ["cpu", "stream"]);
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
fn a_k_that_only_the_cpu_can_do_leaves_the_gpu_out() {
    let run = topk("compare --vocab 40000 --top-k 39999 --iterations 1 --device emulator");
    assert!(run.stderr.contains("backend stream is left out"), "{}", run.stderr);
    assert!(run.stderr.contains("39999"), "{}", run.stderr);
    run.ok();
}
