//! `topk sample`: what it draws, prints and checks.
mod common;

use common::topk;

const ROWS: &str = "sample --input random:7 --batch 2 --vocab 200 --seed 5 --device cpu";

fn records(args: &str) -> Vec<serde_json::Value> {
    let lines = topk(&format!("{args} --format json")).ok();
    lines.lines().map(|line| serde_json::from_str(line).expect("a JSON object")).collect()
}

#[test]
fn draws_are_a_function_of_seed_and_position() {
    let steps = records(&format!("{ROWS} --steps 3 --top-k 20"));
    assert_eq!(steps.len(), 6);
    assert_eq!(steps, records(&format!("{ROWS} --steps 3 --top-k 20")));
    let later = records(&format!("{ROWS} --position 2 --top-k 20"));
    assert_eq!(steps[4..], later, "step 2 is position 2");
    assert_eq!(steps[0]["status"], "ok");
}

#[test]
fn the_emulator_draws_what_the_cpu_draws() {
    for options in [
        "--temperature 0.8 --top-k 50 --top-p 0.9",
        "--top-p 0.8 --min-p 0.05 --order vllm",
        "--temperature 2 --order llama --num-samples 4 --without-replacement",
        "--temperature 0 --logprobs raw",
        "--repetition-penalty 1.3 --prompt 1,2 --history 3,3 --logit-bias 4:9.5,5:-inf",
        "--top-p 0.7 --logprobs processed --dtype bf16",
        "--lengths 300,20 --allow 3,5,7,19,200 --logprobs raw --top-logprobs 4",
    ] {
        let args = format!(
            "sample --input random:7 --batch 2 --vocab 300 --seed 5 --device emulator --check \
             --steps 2 {options}"
        );
        let run = topk(&args);
        assert!(run.stderr.contains("check: ok (2 steps)"), "{options}: {}", run.stderr);
        run.ok();
    }
}

#[test]
fn the_cpu_is_not_checked_against_itself() {
    let run = topk(&format!("{ROWS} --check"));
    assert!(run.stderr.contains("nothing to compare") && !run.stderr.contains("check: ok"));
    run.ok();
}

#[test]
fn lists_of_tokens_and_lengths() {
    let allowed = records(&format!("{ROWS} --allow 3,7 --steps 20"));
    assert!(allowed.iter().all(|draw| draw["token"] == 3 || draw["token"] == 7));
    let short = records(&format!("{ROWS} --lengths 1,0"));
    assert_eq!((&short[0]["token"], &short[1]["token"]), (&0.into(), &serde_json::Value::Null));
    assert_eq!(short[1]["status"], "all_masked");
    let best = records(&format!("{ROWS} --logprobs raw --top-logprobs 2"));
    let top = best[0]["top"].as_array().expect("a list");
    assert_eq!(top.len(), 2);
    assert!(top[0]["logprob"].as_f64() >= top[1]["logprob"].as_f64());
}

#[test]
fn it_explains_itself() {
    let args = "sample --input random:7 --batch 2 --vocab 200 --device emulator --explain";
    let run = topk(&format!("{args} --top-k 50 --seed 1"));
    assert!(run.stderr.contains("launch short_sample_f32_u"), "{}", run.stderr);
    assert!(!run.stderr.contains("launch full_"), "one launch: {}", run.stderr);
    let run = topk(&format!("{args} --top-p 0.9 --logit-bias 3:1 --seed 1"));
    for kernel in ["process_f32", "full_mass_f32", "full_guess_f32", "full_window_f32"] {
        assert!(run.stderr.contains(&format!("launch {kernel}")), "{kernel}: {}", run.stderr);
    }
}

#[test]
fn greedy_takes_the_greatest() {
    let greedy = records(&format!("{ROWS} --temperature 0 --logprobs processed"));
    let best =
        topk("select --input random:7 --batch 2 --vocab 200 --top-k 1 --device cpu --format json");
    let best = best.rows();
    for (draw, (indices, _)) in greedy.iter().zip(best) {
        assert_eq!(draw["token"], indices[0]);
        assert_eq!((&draw["logprob"], &draw["rank"]), (&serde_json::json!(0.0), &1.into()));
    }
}

#[test]
fn a_histogram_counts_every_draw() {
    let counts = records(&format!("{ROWS} --top-k 3 --steps 100 --num-samples 2 --histogram"));
    let of_row = |row| counts.iter().filter(move |count| count["row"] == row);
    for row in 0..2 {
        assert!(of_row(row).count() <= 3);
        assert_eq!(of_row(row).map(|count| count["count"].as_u64().unwrap()).sum::<u64>(), 200);
    }
}

/// Every row has its lines in a table, and what has none is counted.
#[test]
fn a_histograms_table_says_what_it_leaves_out() {
    let args = |rows| {
        format!(
            "sample --input random:7 --batch {rows} --vocab 200 --seed 5 --device cpu --histogram"
        )
    };
    let table = topk(&format!("{} --steps 100", args(2))).ok();
    let of_row = |row: &str| {
        table.lines().filter(|line| line.split_whitespace().next() == Some(row)).count()
    };
    assert_eq!((of_row("0"), of_row("1")), (20, 20), "{table}");
    let entries = records(&format!("{} --steps 100", args(2))).len();
    let told =
        format!("and {} more entries (2 rows in all): json and csv print them", entries - 40);
    assert!(table.contains(&told), "{told}: {table}");
    let many = topk(&args(9)).ok();
    assert!(many.contains("and 5 more entries (9 rows in all)"), "{many}");
    assert!(!topk(&args(4)).ok().contains("more entries"));
}

#[test]
fn csv_has_a_header_and_a_line_a_draw() {
    let lines = topk(&format!("{ROWS} --format csv")).ok();
    let lines: Vec<&str> = lines.lines().collect();
    assert_eq!(lines[0], "position,row,sample,token,status,logprob,rank");
    assert_eq!(lines.len(), 3);
    assert!(lines[1].starts_with("0,0,0,") && lines[1].ends_with(",ok,,"), "{}", lines[1]);
}

#[test]
fn without_a_seed_it_says_which_it_took() {
    let args = "sample --input random:7 --batch 1 --vocab 9 --device cpu";
    let run = topk(args);
    assert!(run.stderr.contains("draws the same again"), "{}", run.stderr);
    run.ok();
}

#[test]
fn wrong_values_are_refused() {
    let fails = |options: &str, words: &[&str]| topk(&format!("{ROWS} {options}")).fails(2, words);
    fails("--temperature -1", &["temperature = -1.0", "at least 0"]);
    fails("--top-p 0", &["top_p = 0.0", "above 0 and at most 1"]);
    fails("--min-p 2", &["min_p = 2.0"]);
    fails("--top-k -2", &["top_k = -2"]);
    fails("--logit-bias 3", &["--logit-bias", "TOKEN:BIAS"]);
    fails("--logit-bias 999:1", &["token of a bias = 999", "below 200"]);
    fails("--history 200", &["token of a history = 200"]);
    fails("--allow 200", &["--allow has the token 200", "below 200"]);
    fails("--lengths 5", &["--lengths has 1 numbers for 2 rows"]);
    fails("--top-logprobs 5", &["--logprobs"]);
    fails("--steps 1000001", &["--steps", "'1000001'", "at most 1000000"]);
    let many = "--steps 1000000 --num-samples 34";
    fails(many, &["1000000 steps of 2 rows with 34 tokens each", "67108864", "lower --steps"]);
    fails("--num-samples 2000", &["num_samples = 2000", "from 1 to 1024"]);
    // Without a word of the seed: nothing is drawn.
    let unseeded = "sample --input random:7 --batch 2 --vocab 200 --device cpu --top-p 0";
    topk(unseeded).fails(2, &["top_p = 0.0"]);
}
