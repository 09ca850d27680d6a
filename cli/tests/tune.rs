//! `topk tune`, `topk bench` and `topk recommend` on the emulator: a table is made, read, and
//! followed.
mod common;

use std::fs;

use common::{Folder, Run, command, run, topk};

const WORKLOADS: &[u8] = b"[[group]]\nname = \"a\"\nrows = [2]\nn = [600, 500]\nk = [5]\n\
    dtype = [\"f32\", \"bf16\"]\n[[group]]\nname = \"b\"\nrows = [1]\nn = [600]\nk = [5]\n\
    dtype = [\"f32\"]\n";

/// Runs a command with a list of workloads and a tuned table.
fn with_table(args: &str, table: &str) -> Run {
    let mut command = command(&args.split_whitespace().collect::<Vec<_>>());
    command.env("AIKF_TUNED", table);
    run(command)
}

#[test]
fn a_table_is_made_and_followed() {
    let folder = Folder::new();
    let list = folder.write("list.toml", WORKLOADS);
    let out = folder.path().join("table.toml").display().to_string();
    let tune = format!(
        "tune --device emulator --workloads {list} --out {out} --commit abc --time-budget 2s"
    );
    let first = topk(&format!("{tune} --dtype f32 --backend singlepass,streaming"));
    assert_eq!(first.code, 0, "{}", first.stderr);
    assert!(first.stderr.contains("1/2 2x600:5:f32, 2x500:5:f32: "), "{}", first.stderr);
    assert!(first.stderr.contains(&format!("2 entries; AIKF_TUNED={out}")), "{}", first.stderr);

    // The rest, in another sitting.
    let second = topk(&format!("{tune} --resume"));
    assert!(second.stderr.contains("buckets that were done before: 2\n"), "{}", second.stderr);
    assert!(second.stderr.contains("3/3 2x600:5:bf16, 2x500:5:bf16: "), "{}", second.stderr);
    assert_eq!(second.code, 0);
    let text = fs::read_to_string(&out).expect("the table");
    assert_eq!(text.matches("planner_us = ").count(), 3, "{text}");
    for line in
        ["schema = 1", "architecture = \"sm_90\"", "multiprocessors = 4", "commit = \"abc\""]
    {
        assert!(text.contains(line), "{line}: {text}");
    }
    assert_eq!(fs::read_dir(folder.path()).expect("the folder").count(), 2, "nothing is left over");

    let select =
        "select --input random:3 --batch 2 --vocab 600 --top-k 5 --device emulator --check";
    let run = with_table(&format!("{select} --explain"), &out);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stderr.contains("by the tuned table"), "{}", run.stderr);
    assert!(run.stderr.contains("entry sm_90 f32 rows 2 n 512 k 4"), "{}", run.stderr);
    assert_eq!(run.stdout, topk(select).stdout, "a table changes no answer");

    let doctor = with_table("doctor --device emulator", &out).ok();
    let table =
        format!("emulator: auto asks the table {out}: 3 entries, measured on aikf emulator");
    assert!(doctor.contains(&table), "{doctor}");

    let args = "recommend --batch 1,2,512 --vocab 600 --top-k 5 --device emulator --format json";
    let lines = with_table(args, &out).ok();
    let expected: Vec<bool> = lines
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"))
        .map(|record| record["expected_us"].is_number())
        .collect();
    assert_eq!(expected, [true, true, false], "{lines}");
}

#[test]
fn a_tune_goes_on_where_it_stopped() {
    let folder = Folder::new();
    let list = folder.write("list.toml", WORKLOADS);
    let out = folder.path().join("table.toml").display().to_string();
    let tune = format!(
        "tune --device emulator --workloads {list} --backend streaming --out {out} --resume"
    );
    let stopped = topk(&format!("{tune} --time-budget 0s"));
    assert_eq!(stopped.code, 0, "{}", stopped.stderr);
    assert!(stopped.stderr.contains("0 of 3 buckets are done"), "{}", stopped.stderr);
    // More time than the clock can count.
    topk(&format!("{tune} --group b --time-budget 18446744073709551615s")).ok();
    let all = topk(&tune);
    assert!(all.stderr.contains("buckets that were done before: 1\n"), "{}", all.stderr);
    assert!(all.stderr.contains("3 entries"), "{}", all.stderr);

    let table = fs::read_to_string(&out).expect("the table");
    let changes = [
        ("schema = 1", "schema = 7", "schema 7"),
        ("provenance.commit = \"", "provenance.commit = \"not ", "another GPU"),
    ];
    for (line, wrong, reason) in changes {
        folder.write("table.toml.partial", table.replace(line, wrong).as_bytes());
        topk(&tune).fails(2, &["table.toml.partial", reason, "without --resume"]);
    }
    let kept = fs::read_to_string(&out).expect("the table");
    assert_eq!(kept, table, "nothing was overwritten");
}

#[test]
fn a_tune_says_what_is_missing() {
    let folder = Folder::new();
    topk("tune --device cpu").fails(3, &["a tune", "--device emulator"]);
    topk("tune --device emulator --group nothing").fails(2, &["no group is called nothing"]);
    topk("tune --time-budget soon").fails(2, &["10m"]);
    let list = folder.write("list.toml", WORKLOADS);
    let args = format!("tune --device emulator --workloads {list} --dtype f16");
    topk(&args).fails(2, &["list.toml", "--dtype f16"]);
    let mut command = command(&["tune", "--device", "emulator", "--out", "t.toml"]);
    command.env("AIKF_STAGE1_WARPS", "4");
    run(command).fails(2, &["stage1_warps=4", "unset"]);
}

#[test]
fn a_wrong_table_is_a_warning() {
    let folder = Folder::new();
    let table = folder.write("table.toml", b"schema = 1\narchitecture = 7");
    let args = "select --input random:3 --batch 2 --vocab 600 --top-k 5 --device emulator";
    let run = with_table(args, &table);
    assert!(run.stderr.starts_with("warning: the tuned table "), "{}", run.stderr);
    assert_eq!(run.stdout, topk(args).ok());
}

#[test]
fn a_list_is_measured_as_auto_does_it() {
    let folder = Folder::new();
    let list = folder.write("list.toml", WORKLOADS);
    let args = format!("bench --device emulator --workloads {list} --iters 2 --format json");
    let report: serde_json::Value = serde_json::from_str(&topk(&args).ok()).expect("JSON");
    let rows = report["rows"].as_array().expect("rows");
    assert_eq!(rows.len(), 5);
    for row in rows {
        assert_eq!((&row["backend"], &row["mode"]), (&"auto".into(), &"graph-cold".into()));
        assert_eq!((&row["ran"], &row["verified"]), (&"singlepass".into(), &true.into()));
    }
    let cpu = topk(&format!("bench --device cpu --workloads {list} --group b --iters 2"));
    assert!(cpu.ok().contains("auto (cpu)"));
}

#[test]
fn a_recommendation_needs_no_gpu() {
    let table = topk("recommend --device cpu --batch 1,64").ok();
    assert_eq!(table.matches("there is no GPU").count(), 2, "{table}");
    let csv = topk("recommend --device emulator --batch 1,64 --format csv").ok();
    let backends: Vec<&str> = csv.lines().skip(1).filter_map(|l| l.split(',').nth(4)).collect();
    assert_eq!(backends, ["singlepass", "streaming"]);
    topk("recommend --device cpu --top-k 0").fails(2, &["k = 0"]);
}
