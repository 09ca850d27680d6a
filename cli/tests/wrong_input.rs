//! Everything that a user can get wrong: one sentence on standard error, and the right exit code.
mod common;

use common::{Folder, bytes, command, npy, run, select, topk};
use kernels_gpu::params::Dtype;
use safetensors::tensor::TensorView;

const RANDOM: &str = "select --input random:1 --batch 2 --vocab 30";
const BACKENDS: &str = "auto, stream, singlepass";

/// A right file of two rows of three.
fn two_by_three() -> Vec<u8> {
    npy("<f4", false, "(2, 3)", &[0; 24])
}

#[test]
fn wrong_k() {
    topk(&format!("{RANDOM} --top-k 0")).fails(2, &["k = 0", "n = 30"]);
    topk(&format!("{RANDOM} --top-k 31")).fails(2, &["k = 31", "30"]);
    topk(&format!("{RANDOM} --top-k -1")).fails(2, &["'-1'", "--top-k", "whole number"]);
    topk(&format!("{RANDOM} --top-k many")).fails(2, &["'many'", "--top-k"]);
    topk(RANDOM).fails(2, &["--top-k <K>"]);
    topk("compare --vocab 9 --top-k 10").fails(2, &["k = 10", "n = 9"]);
}

#[test]
fn more_than_there_is_memory_for() {
    let huge = "--batch 1000000 --vocab 1000000000 --device cpu";
    topk(&format!("compare --impls cpu {huge}")).fails(2, &["f32 elements do not fit into memory"]);
    let rows = topk(&format!("select --input random:1 --top-k 1 {huge}"));
    rows.fails(2, &["do not fit into memory", "--batch"]);
}

#[test]
fn wrong_lengths() {
    let lengths = |text| topk(&format!("{RANDOM} --top-k 3 --lengths {text}"));
    lengths("5").fails(2, &["--lengths", "1 numbers", "2 rows"]);
    lengths("5,6,7").fails(2, &["--lengths", "3 numbers", "2 rows"]);
    lengths("5,31").fails(2, &["a row's length = 31", "n = 30"]);
    lengths("5,-1").fails(2, &["'-1'", "--lengths", "whole number"]);
    lengths("5,").fails(2, &["--lengths", "whole number"]);
}

#[test]
fn random_rows_without_a_shape() {
    let text = "select --input random:1 --top-k 1";
    topk(text).fails(2, &["random:1", "--batch and --vocab"]);
    topk(&format!("{text} --vocab 3")).fails(2, &["--batch"]);
    topk(&format!("{text} --batch 3")).fails(2, &["--vocab"]);
    topk("select --input random:x --top-k 1").fails(2, &["random:x", "seed"]);
    let huge = "--batch 4611686018427387904 --vocab 2147483647";
    topk(&format!("{text} {huge}")).fails(2, &["4611686018427387904"]);
}

#[test]
fn names_that_do_not_exist() {
    topk(&format!("{RANDOM} --top-k 3 --impl quick")).fails(2, &["'quick'", BACKENDS]);
    topk("compare --impls cpu,quick").fails(2, &["'quick'", "stream, singlepass"]);
    topk("compare --random 0").fails(2, &["'0'", "at least 1"]);
    topk("compare --random 10001").fails(2, &["--random", "'10001'", "at most 10000"]);
    topk("compare --random 3 --batch 2").fails(2, &["--random", "--batch"]);
    topk("compare --fail-above 5%").fails(2, &["--baseline"]);
    topk(&format!("{RANDOM} --top-k 3 --device gpu")).fails(2, &["'gpu'", "cuda:N"]);
    topk(&format!("{RANDOM} --top-k 3 --dtype f64")).fails(2, &["'f64'", "f32, f16, bf16"]);
    topk(&format!("{RANDOM} --top-k 3 --format xml")).fails(2, &["'xml'", "table, json, csv"]);
    topk(&format!("{RANDOM} --topk 3")).fails(2, &["'--topk'", "'--top-k'"]);
    topk("pick").fails(2, &["'pick'"]);
    topk("select --input rows.csv --top-k 1").fails(2, &["rows.csv", "FILE.npy"]);
}

#[test]
fn knobs_out_of_range() {
    let flag = topk(&format!("{RANDOM} --top-k 3 --stage1-warps 3"));
    flag.fails(2, &["--stage1-warps \"3\"", "a power of two from 1 to 32"]);
    let flag = topk(&format!("{RANDOM} --top-k 3 --stage2-impl tile"));
    flag.fails(2, &["--stage2-impl \"tile\"", "default, tiles"]);
    let variables = [
        ("AIKF_STAGE1_STAGES", "9", "from 1 to 8"),
        ("AIKF_TOPK_IMPL", "quick", BACKENDS),
        ("AIKF_DEVICE", "gpu", "cuda:N"),
    ];
    for (name, value, legal) in variables {
        let args = format!("{RANDOM} --top-k 3");
        let mut command = command(&args.split_whitespace().collect::<Vec<_>>());
        command.env(name, value);
        run(command).fails(2, &[&format!("{name}={value}"), "environment", legal]);
    }
}

#[test]
fn a_device_that_is_not_there() {
    topk(&format!("{RANDOM} --top-k 3 --device cuda:99")).fails(3, &["device cuda:99 is not"]);
    topk("compare --device cuda:99").fails(3, &["cuda:99"]);
    let stream = topk(&format!("{RANDOM} --top-k 3 --device cpu --impl stream"));
    stream.fails(3, &["no GPU for backend stream", "emulator"]);
    let named = topk("compare --device cpu --impls cpu,radix");
    named.fails(3, &["no GPU for backend radix", "emulator"]);
}

#[cfg(not(feature = "torch"))]
#[test]
fn a_backend_that_is_not_in_this_build() {
    let needed = ["backend torch is not in this build", "--features torch", "LIBTORCH"];
    for device in ["auto", "cpu", "emulator"] {
        let text = format!("--device {device} --top-k 3");
        topk(&format!("{RANDOM} {text} --impl torch")).fails(2, &needed);
        topk(&format!("compare --vocab 30 {text} --impls cpu,torch")).fails(2, &needed);
    }
}

#[test]
fn files_that_cannot_be_read() {
    let folder = Folder::new();
    let missing = folder.path().join("missing.npy");
    select(missing.to_str().unwrap(), "--top-k 1").fails(2, &["missing.npy", "No such file"]);
    let empty = folder.write("empty.npy", b"");
    select(&empty, "--top-k 1").fails(2, &["empty.npy is empty"]);
    let empty = folder.write("empty.safetensors", b"");
    select(&empty, "--top-k 1").fails(2, &["empty.safetensors is empty"]);
    std::fs::create_dir(folder.path().join("folder.npy")).unwrap();
    let directory = folder.path().join("folder.npy");
    select(directory.to_str().unwrap(), "--top-k 1").fails(2, &["not a regular file"]);
}

#[test]
fn npy_files_that_are_none() {
    let folder = Folder::new();
    let text = folder.write("text.npy", b"1.0, 2.0, 3.0\n");
    select(&text, "--top-k 1").fails(2, &["text.npy", "\\x93NUMPY"]);
    let whole = two_by_three();
    for length in [6, 8, 9, 10, 40, 127] {
        let cut = folder.write("cut.npy", &whole[..length]);
        select(&cut, "--top-k 1").fails(2, &["cut.npy"]);
    }
    let cut = folder.write("cut.npy", &whole[..whole.len() - 5]);
    select(&cut, "--top-k 1").fails(2, &["truncated", "24 bytes", "19"]);
    let liar = npy("<f4", false, "(4611686018427387904, 4611686018427387904)", &[0; 24]);
    let liar = folder.write("liar.npy", &liar);
    select(&liar, "--top-k 1").fails(2, &["truncated"]);
    let odd = npy("<f4", false, "(2, 'x')", &[0; 24]);
    select(&folder.write("odd.npy", &odd), "--top-k 1").fails(2, &["odd.npy"]);
}

#[test]
fn arrays_of_the_wrong_shape() {
    let folder = Folder::new();
    let cube = npy("<f4", false, "(1, 2, 3)", &[0; 24]);
    let cube = folder.write("cube.npy", &cube);
    select(&cube, "--top-k 1").fails(2, &["3 dimensions", "[1, 2, 3]", "[rows, n]"]);
    let scalar = folder.write("scalar.npy", &npy("<f4", false, "()", &[0; 4]));
    select(&scalar, "--top-k 1").fails(2, &["0 dimensions"]);
    let fortran = folder.write("fortran.npy", &npy("<f4", true, "(2, 3)", &[0; 24]));
    select(&fortran, "--top-k 1").fails(2, &["Fortran", "ascontiguousarray"]);
    let hollow = folder.write("hollow.npy", &npy("<f4", false, "(2, 0)", &[]));
    select(&hollow, "--top-k 1").fails(2, &["k = 1", "n = 0"]);
    let right = folder.write("right.npy", &two_by_three());
    select(&right, "--top-k 1 --batch 3").fails(2, &["--batch 3", "right.npy", "2 rows"]);
    select(&right, "--top-k 1 --vocab 6").fails(2, &["--vocab 6", "right.npy", "3 elements"]);
}

#[test]
fn npy_elements_of_the_wrong_type() {
    let folder = Folder::new();
    let right = folder.write("right.npy", &two_by_three());
    select(&right, "--top-k 1 --dtype f16").fails(2, &["--dtype f16", "right.npy", "<f4"]);
    for descr in ["<f8", ">f4", "<i4", "|V4", "|b1"] {
        let other = folder.write("other.npy", &npy(descr, false, "(2,)", &[0; 16]));
        select(&other, "--top-k 1").fails(2, &["other.npy", descr, "f32, f16 or bf16"]);
    }
    let words = folder.write("words.npy", &npy("<u2", false, "(2,)", &[0; 4]));
    select(&words, "--top-k 1").fails(2, &["words.npy", "<u2", "--dtype bf16"]);
    select(&words, "--top-k 1 --dtype f16").fails(2, &["--dtype f16", "<u2"]);
    // The helper quotes the type, and a structure's is a list.
    let structured = npy("?", false, "(2,)", &[0; 8]);
    let text = String::from_utf8_lossy(&structured[10..128]).replacen("'?'", "[0]", 1);
    let structured = [&structured[..10], text.as_bytes(), &structured[128..]].concat();
    select(&folder.write("s.npy", &structured), "--top-k 1").fails(2, &["s.npy", "type [0],"]);
}

#[test]
fn wrong_tensors() {
    use safetensors::Dtype as Stored;
    let folder = Folder::new();
    let data = bytes(&[0; 6], Dtype::F32);
    let rows = TensorView::new(Stored::F32, vec![2, 3], &data).unwrap();
    let wide = TensorView::new(Stored::F64, vec![3], &data).unwrap();
    let file = safetensors::serialize([("alpha", rows), ("beta", wide)], None).unwrap();
    let path = folder.write("x.safetensors", &file);
    select(&path, "--top-k 1").fails(2, &[":TENSOR", "alpha, beta"]);
    select(&format!("{path}:gamma"), "--top-k 1").fails(2, &["\"gamma\"", "alpha, beta"]);
    select(&format!("{path}:beta"), "--top-k 1").fails(2, &["x.safetensors:beta", "F64"]);
    let differs = select(&format!("{path}:alpha"), "--top-k 1 --dtype bf16");
    differs.fails(2, &["--dtype bf16", "F32"]);
    let batch = select(&format!("{path}:alpha"), "--top-k 1 --batch 5");
    batch.fails(2, &["--batch 5", "2 rows"]);
    for length in [1, 8, 30, file.len() - 1] {
        let cut = folder.write("cut.safetensors", &file[..length]);
        select(&format!("{cut}:alpha"), "--top-k 1").fails(2, &["cut.safetensors"]);
    }
    let none = safetensors::serialize(Vec::<(&str, TensorView)>::new(), None).unwrap();
    let none = folder.write("none.safetensors", &none);
    select(&none, "--top-k 1").fails(2, &["no tensors at all"]);
}

#[test]
fn help_is_no_error_and_teaches() {
    for args in ["--help", "select --help", "compare --help", "--version"] {
        let run = topk(args);
        assert_eq!(run.stderr, "");
        let text = run.ok();
        if args.len() > 10 {
            assert!(text.contains("Examples:"), "{text}");
            // One flag a knob, from the library's own list.
            for spec in aikf_topk::KNOBS {
                assert!(text.contains(&format!("--{}", spec.key.replace('_', "-"))));
                assert!(text.contains(spec.variable));
            }
        }
    }
    assert_eq!(topk("").code, 2);
}
