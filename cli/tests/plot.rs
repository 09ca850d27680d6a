//! `topk plot`: pictures that have what they must, and files that are none.
mod common;

use common::{Folder, Run, topk};
use serde_json::{Value, json};

const TYPES: [(&str, f64); 2] = [("f32", 4.0), ("bf16", 2.0)];

/// Measurements on two backends, in two types and two modes, with one wrong answer.
fn measurements() -> Value {
    let mut rows = vec![];
    for (dtype, bytes) in TYPES {
        for batch in [1u64, 8, 64] {
            for n in [1000u64, 128_256] {
                let floor_us = batch as f64 * n as f64 * bytes / 4.2e6;
                for (backend, us) in
                    [("stream", 9.0 + floor_us), ("streaming", 6.0 + 4.0 * floor_us)]
                {
                    rows.push(row(batch, n, dtype, backend, "graph-cold", us, true));
                }
                rows.push(row(batch, n, dtype, "cpu", "cpu", 500.0, true));
            }
        }
    }
    rows.push(row(1, 1000, "f32", "radix", "graph-cold", 0.1, false));
    json!({"schema": 1, "device": "GPU <&> Co", "copy_gbs": 4200.0, "date": "2026-01-02",
           "rows": rows})
}

fn row(
    batch: u64,
    n: u64,
    dtype: &str,
    backend: &str,
    mode: &str,
    us: f64,
    verified: bool,
) -> Value {
    json!({"rows": batch, "n": n, "k": 50, "dtype": dtype, "backend": backend, "mode": mode,
           "median_us": us, "p10_us": us * 0.9, "p90_us": us * 1.2, "gbs": 100.0,
           "of_copy": 0.02, "verified": verified})
}

/// Runs `topk plot` on measurements; what it wrote, if it did.
fn plot(measurements: &Value, args: &str) -> (Run, String) {
    let folder = Folder::new();
    let from = folder.write("bench.json", measurements.to_string().as_bytes());
    let output = folder.path().join("out.svg");
    let run = topk(&format!("plot --from {from} --output {} {args}", output.display()));
    (run, std::fs::read_to_string(output).unwrap_or_default())
}

/// The texts of a picture.
fn texts(svg: &str) -> Vec<&str> {
    let after = svg.split("<text ").skip(1);
    after.filter_map(|part| Some(part.split_once('>')?.1.split_once('<')?.0.trim())).collect()
}

#[test]
fn latency_has_lines_axes_legend_and_floor() {
    let (run, svg) = plot(&measurements(), "--dtype f32 --vocab 128256");
    assert!(run.stderr.contains("wrong answers: 1 of 37 measurements"), "{}", run.stderr);
    assert!(run.stderr.contains("the CPU's times are left out"), "{}", run.stderr);
    assert!(run.stderr.contains("6 measurements drawn"), "{}", run.stderr);
    run.ok();
    let texts = texts(&svg);
    for text in
        ["1", "8", "64", "stream", "streaming", "rows (batch)", "at copy speed", "4200 GB/s"]
    {
        assert!(texts.contains(&text), "{text}: {texts:?}");
    }
    let subtitle = "GPU &lt;&amp;&gt; Co, n = 128256, k = 50, f32, graph-cold, 2026-01-02";
    assert!(texts.contains(&subtitle), "{texts:?}");
    assert!(!texts.contains(&"radix") && !texts.contains(&"cpu"), "{texts:?}");
}

#[test]
fn bandwidth_against_vocab() {
    let (run, svg) = plot(&measurements(), "--kind bandwidth --x vocab --dtype bf16 --batch 8");
    run.ok();
    let texts = texts(&svg);
    for text in ["1000", "128256", "elements in a row (vocab)", "copy speed", "4200 GB/s"] {
        assert!(texts.contains(&text), "{text}: {texts:?}");
    }
}

#[test]
fn the_heat_map_names_the_winner_of_each_field() {
    let (run, svg) = plot(&measurements(), "--kind heatmap --dtype f32");
    run.ok();
    let texts = texts(&svg);
    // `stream` wins where there are most bytes.
    for text in ["streaming: 5", "stream: 1", "6 us", "by 1.50x", "rows (batch)"] {
        assert!(texts.contains(&text), "{text}: {texts:?}");
    }
}

/// `auto` is no backend of its own: what it took wins.
#[test]
fn auto_counts_for_what_it_took() {
    let mut one = measurements();
    let mut auto = row(1, 1000, "f32", "auto", "graph-cold", 3.0, true);
    auto["ran"] = json!("radix");
    one["rows"] = json!([auto, row(1, 1000, "f32", "stream", "graph-cold", 6.0, true)]);
    let (run, svg) = plot(&one, "--kind heatmap");
    run.ok();
    let texts = texts(&svg);
    for text in ["radix: 1", "stream: 0", "by 2.00x"] {
        assert!(texts.contains(&text), "{text}: {texts:?}");
    }
}

/// A report of `bench/compare_torch.py`, which measures draws too, and then is none of selections.
#[test]
fn reports_of_compare_torch_are_drawn() {
    let text = include_str!("../../bench/fixtures/compare_torch.json");
    let mut report: Value = serde_json::from_str(text).expect("JSON");
    let (run, svg) = plot(&report, "--mode graph-cold --kind heatmap");
    run.ok();
    assert!(texts(&svg).contains(&"streaming: 1"), "{svg}");
    report["what"] = json!("sample");
    refused(&plot(&report, "").0, &["bench.json", "times of draws", "topk compare"]);
}

#[test]
fn the_cpu_has_no_gpus_floor() {
    let (run, svg) = plot(&measurements(), "--mode cpu --dtype f32 --vocab 1000");
    run.ok();
    let texts = texts(&svg);
    assert!(texts.contains(&"cpu") && !texts.contains(&"at copy speed"), "{texts:?}");
}

#[test]
fn one_measurement_is_drawn_too() {
    let mut one = measurements();
    one["rows"] = json!([row(1, 1000, "f32", "a new one", "eager", 3.0, true)]);
    one["copy_gbs"] = Value::Null;
    for kind in ["latency", "bandwidth", "heatmap"] {
        let (run, svg) = plot(&one, &format!("--kind {kind}"));
        run.ok();
        assert!(svg.contains("a new one"), "{kind}: {svg}");
    }
}

#[test]
fn what_is_not_chosen_is_not_mixed() {
    let fails = |args: &str, words: &[&str]| refused(&plot(&measurements(), args).0, words);
    fails("", &["several", "--dtype", "bf16, f32"]);
    fails("--dtype f32", &["several", "--vocab", "1000, 128256"]);
    fails("--dtype f16", &["nothing with --dtype f16", "bf16, f32"]);
    fails("--dtype f32 --mode eager", &["nothing with --mode eager", "cpu, graph-cold"]);
    fails("--dtype f32 --vocab 5", &["nothing with --vocab 5"]);
    fails("--dtype f32 --x vocab --batch 3", &["nothing with --batch 3", "1, 8, 64"]);
}

/// The run ended with exit code 2, and the last line of standard error has these words.
#[track_caller]
fn refused(run: &Run, words: &[&str]) {
    assert_eq!(run.code, 2, "{run:?}");
    let last = run.stderr.lines().last().expect("a line");
    assert!(last.starts_with("error: "), "{last}");
    for word in words {
        assert!(last.contains(word), "no {word:?} in: {last}");
    }
}

#[test]
fn files_that_are_no_measurements() {
    let folder = Folder::new();
    let output = folder.path().join("out.svg");
    let plot = |from: &str| topk(&format!("plot --from {from} --output {}", output.display()));
    plot("missing.json").fails(2, &["missing.json", "No such file"]);
    let text = folder.write("text.json", b"{\"schema\": 1,\n \"device\": 5}");
    plot(&text).fails(2, &["text.json", "line 2", "topk compare"]);
    let mut wrong = measurements();
    wrong["rows"][3]["median_us"] = json!(0);
    let wrong = folder.write("wrong.json", wrong.to_string().as_bytes());
    plot(&wrong).fails(2, &["wrong.json", "rows[3].median_us is 0", "above 0"]);
    topk(&format!("plot --from {wrong} --output a.png")).fails(2, &["a.png", ".svg"]);
    let right = folder.write("right.json", measurements().to_string().as_bytes());
    let mut false_ones = measurements();
    false_ones["rows"] = json!([row(1, 1000, "f32", "radix", "graph-cold", 0.1, false)]);
    let false_ones = folder.write("false.json", false_ones.to_string().as_bytes());
    let run = plot(&false_ones);
    refused(&run, &["false.json", "no right answer"]);
    let nowhere = folder.path().join("no/out.svg");
    let args = format!("plot --from {right} --mode cpu --dtype f32 --vocab 1000 --output");
    let run = topk(&format!("{args} {}", nowhere.display()));
    assert_eq!(run.code, 4, "{run:?}");
    assert!(run.stderr.contains("cannot write") && run.stderr.contains("no/out.svg"), "{run:?}");
}
