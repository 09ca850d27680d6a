//! `topk select`: files and random rows in, the reference's answer out.
mod common;

use std::io::Read;
use std::process::Stdio;

use common::{Folder, Run, bytes, command, npy, reference, run, select, topk};
use kernels_gpu::params::Dtype;
use kernels_gpu::testkit::{Pattern, reference::decode};
use safetensors::tensor::TensorView;

const ROWS: usize = 3;
const N: usize = 200;
const K: usize = 11;

/// The printed rows are the reference's: indices, and values as far as text can tell.
#[track_caller]
fn assert_right(run: Run, elements: &[u32], dtype: Dtype, n: usize, largest: bool) {
    let rows = run.rows();
    let right = reference(elements, dtype, n, K, largest);
    assert_eq!(rows.len(), right.len());
    for ((indices, values), right) in rows.into_iter().zip(right) {
        assert_eq!(indices, right.indices);
        for (value, bits) in values.iter().zip(right.values) {
            let right = decode(bits, dtype);
            match value.as_str() {
                Some("NaN") => assert!(right.is_nan()),
                Some(infinity) => assert_eq!(infinity.parse(), Ok(right)),
                None => assert_eq!(value.as_f64().map(|v| v as f32), Some(right as f32)),
            }
        }
    }
}

#[test]
fn npy_files_of_every_type() {
    let folder = Folder::new();
    let descriptions = [
        ("<f4", Dtype::F32, ""),
        ("<f2", Dtype::F16, ""),
        ("<f2", Dtype::F16, "--dtype f16"),
        ("<u2", Dtype::Bf16, "--dtype bf16"),
        ("|V2", Dtype::Bf16, "--dtype bf16"),
    ];
    for (descr, dtype, flags) in descriptions {
        for pattern in [Pattern::Normal, Pattern::AnyBits, Pattern::Infinities] {
            let elements = pattern.fill(dtype, ROWS, N, 5);
            let file = npy(descr, false, "(3, 200)", &bytes(&elements, dtype));
            let path = folder.write("x.npy", &file);
            let args = format!("--top-k {K} {flags} --format json --check");
            assert_right(select(&path, &args), &elements, dtype, N, true);
            let args = format!("{args} --smallest --device cpu --batch 3 --vocab 200");
            assert_right(select(&path, &args), &elements, dtype, N, false);
        }
    }
}

#[test]
fn npy_of_one_dimension_is_one_row() {
    let folder = Folder::new();
    let elements = Pattern::Ties.fill(Dtype::F32, 1, N, 1);
    for fortran in [false, true] {
        let file = npy("<f4", fortran, "(200,)", &bytes(&elements, Dtype::F32));
        let path = folder.write("row.npy", &file);
        let answer = select(&path, &format!("--top-k {K} --format json"));
        assert_right(answer, &elements, Dtype::F32, N, true);
    }
}

#[test]
fn safetensors_files_of_every_type() {
    use safetensors::Dtype as Stored;
    let folder = Folder::new();
    let types = [(Dtype::F32, Stored::F32), (Dtype::F16, Stored::F16), (Dtype::Bf16, Stored::BF16)];
    for (dtype, stored) in types {
        let elements = Pattern::Nans.fill(dtype, ROWS, N, 2);
        let data = bytes(&elements, dtype);
        // Three bytes before the rows: their elements are not aligned in the file.
        let odd = TensorView::new(Stored::U8, vec![3], &[1, 2, 3]).unwrap();
        let rows = TensorView::new(stored, vec![ROWS, N], &data).unwrap();
        let one = safetensors::serialize([("head:logits", rows.clone())], None).unwrap();
        let two = safetensors::serialize([("a", odd), ("head:logits", rows)], None).unwrap();
        let one = folder.write("one.safetensors", &one);
        let two = folder.write("two.safetensors", &two);
        for input in [one.clone(), format!("{one}:head:logits"), format!("{two}:head:logits")] {
            let answer = select(&input, &format!("--top-k {K} --format json --check"));
            assert_right(answer, &elements, dtype, N, true);
        }
    }
}

#[test]
fn random_rows_are_the_same_again() {
    let args = "select --input random:7 --batch 3 --vocab 500 --top-k 4 --dtype f16 --format csv";
    let first = topk(args).ok();
    assert_eq!(first, topk(args).ok());
    assert_ne!(first, topk(&args.replace("random:7", "random:8")).ok());
    // A row does not depend on the batch.
    let fewer = topk(&args.replace("--batch 3", "--batch 2")).ok();
    assert!(first.starts_with(&fewer), "{first}\n{fewer}");
}

#[test]
fn csv_has_a_line_an_entry() {
    let csv = topk("select --input random:1 --batch 2 --vocab 90 --top-k 3 --format csv").ok();
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines[0], "row,rank,index,value");
    assert_eq!(lines.len(), 1 + 2 * 3);
    for (at, line) in lines[1..].iter().enumerate() {
        let fields: Vec<&str> = line.split(',').collect();
        assert_eq!(fields[0], (at / 3).to_string());
        assert_eq!(fields[1], (at % 3).to_string());
        assert!(fields[2].parse::<u32>().unwrap() < 90);
        fields[3].parse::<f32>().unwrap();
    }
}

#[test]
fn a_table_is_cut_unless_all_is_wanted() {
    let args = "select --input random:1 --batch 5 --vocab 90 --top-k 12";
    let cut = topk(args);
    assert!(cut.stderr.contains("5 rows of 90 f32"), "{}", cut.stderr);
    assert!(cut.stderr.contains("backend "), "{}", cut.stderr);
    let cut = cut.ok();
    // Header, line, four rows of ten ranks, and the line that says what is missing.
    assert_eq!(cut.lines().count(), 2 + 40 + 1);
    assert!(cut.contains("and 20 more entries"), "{cut}");
    let all = topk(&format!("{args} --all")).ok();
    assert_eq!(all.lines().count(), 2 + 60);
    assert!(!all.contains('\x1b'), "colours on a pipe");
}

#[test]
fn words_for_what_json_has_no_number_for() {
    let folder = Folder::new();
    let row = [f32::NEG_INFINITY, f32::NAN, f32::INFINITY, -0.0];
    let file = npy("<f4", false, "(4,)", bytemuck::cast_slice(&row));
    let path = folder.write("x.npy", &file);
    let json = select(&path, "--top-k 4 --format json").ok();
    let right = r#"{"row":0,"indices":[1,2,3,0],"values":["NaN","inf",-0.0,"-inf"]}"#;
    assert_eq!(json.trim_end(), right);
}

/// What stands behind a row's length is greater than all of it, and must not be chosen.
#[test]
fn rows_of_several_lengths() {
    let folder = Folder::new();
    let rows = [1f32, 3.0, 2.0, f32::NAN, 5.0, 9.0, 9.0, 9.0];
    let file = npy("<f4", false, "(2, 4)", bytemuck::cast_slice(&rows));
    let path = folder.write("x.npy", &file);
    for device in ["cpu", "emulator"] {
        let with = |args: &str| {
            let args = format!("--top-k 2 --lengths 3,1 --check --device {device} {args}");
            let run = select(&path, &args);
            assert!(run.stderr.contains("check: ok (2 rows)"), "{}", run.stderr);
            run.ok()
        };
        let right = "row,rank,index,value\n0,0,1,3.0\n0,1,2,2.0\n1,0,0,5.0\n1,1,,-inf\n";
        assert_eq!(with("--format csv"), right);
        let json = with("--format json --smallest");
        assert_eq!(
            json.lines().last(),
            Some(r#"{"row":1,"indices":[0,null],"values":[5.0,"inf"]}"#)
        );
        let table = with("");
        let words: Vec<&str> = table.lines().last().expect("a row").split_whitespace().collect();
        assert_eq!(words, ["1", "1", "-", "-inf"]);
    }
}

#[test]
fn check_says_how_many_rows_are_right() {
    let run = topk("select --input random:3 --batch 4 --vocab 700 --top-k 9 --check");
    assert!(run.stderr.contains("check: ok (4 rows)"), "{}", run.stderr);
    run.ok();
}

#[test]
fn the_emulator_runs_the_code_of_the_gpu() {
    let run = topk(
        "select --input random:3 --batch 2 --vocab 300 --top-k 20 --device emulator --check \
         --impl stream --explain --stage2-impl tiles --stage1-warps 2",
    );
    for words in [
        "check: ok (2 rows)",
        "backend stream",
        "emulator",
        "merge_f32",
        "stage1_warps: 2",
        "stage2_impl: tiles, set by the caller",
    ] {
        assert!(run.stderr.contains(words), "no {words:?} in {}", run.stderr);
    }
    run.ok();
}

#[test]
fn a_flag_comes_before_the_environment() {
    let args =
        "select --input random:3 --batch 1 --vocab 300 --top-k 2 --explain --device emulator";
    let with = |args: &str| {
        let mut command = command(&args.split_whitespace().collect::<Vec<_>>());
        command.env("AIKF_STAGE1_WARPS", "4").env("AIKF_TOPK_IMPL", "cpu");
        run(command)
    };
    let environment = with(args);
    assert!(environment.stderr.contains("backend cpu"), "{}", environment.stderr);
    let flags = with(&format!("{args} --impl stream --stage1-warps 2"));
    assert!(flags.stderr.contains("stage1_warps: 2"), "{}", flags.stderr);
    flags.ok();
}

#[test]
fn an_unknown_variable_is_a_warning() {
    let mut command = command(&["select", "--input", "random:3", "--batch", "1", "--vocab", "9"]);
    command.args(["--top-k", "2"]).env("AIKF_STAGE1_WARP", "4");
    let run = run(command);
    let warnings: Vec<&str> = run.stderr.lines().filter(|l| l.starts_with("warning: ")).collect();
    assert_eq!(warnings.len(), 1, "{}", run.stderr);
    assert!(warnings[0].contains("AIKF_STAGE1_WARP "));
    assert!(warnings[0].contains("AIKF_STAGE1_WARPS?"));
    run.ok();
}

#[test]
fn unsorted_is_by_index_beyond_128() {
    for (k, by_index) in [(128, false), (129, true)] {
        let args = format!("--batch 1 --vocab 700 --top-k {k} --unsorted --check --format json");
        let run = select("random:3", &args);
        assert!(run.stderr.contains("check: ok (1 row"), "{}", run.stderr);
        let (indices, _) = run.rows().remove(0);
        assert_eq!(indices.is_sorted(), by_index, "k = {k}");
    }
}

#[test]
fn no_rows_give_no_answer() {
    let csv = topk("select --input random:1 --batch 0 --vocab 9 --top-k 3 --format csv --check");
    assert_eq!(csv.ok(), "row,rank,index,value\n");
}

#[test]
fn a_reader_that_has_enough_is_no_error() {
    let args = ["select", "--input", "random:1", "--batch", "40", "--vocab", "5000"];
    let mut command = command(&args);
    command.args(["--top-k", "5000", "--format", "csv", "--impl", "cpu"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut start = [0; 16];
    child.stdout.take().unwrap().read_exact(&mut start).unwrap();
    // The pipe is closed now, with megabytes still to come.
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
}
