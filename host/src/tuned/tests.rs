//! What is read, what is left out, and what is found.
use super::*;
use crate::knobs::{Knob, Origin};
use crate::plan::Plan;
use crate::settings::Settings;

const HEAD: &str = "schema = 1\narchitecture = \"sm_90\"\nmultiprocessors = 132\n\
    [provenance]\ngpu = \"a\"\ndriver = \"b\"\ncompiler = \"c\"\nversion = \"d\"\ncommit = \"e\"\n\
    date = \"f\"\nworkloads = \"g\"\nscore = \"h\"\n";

fn device() -> DeviceLimits {
    DeviceLimits {
        name: "NVIDIA H200".into(),
        multiprocessors: 132,
        shared_bytes_max: 227 * 1024,
        compute_capability: 90,
    }
}

fn entry(dtype: Dtype, rows: usize, n: usize, k: usize) -> TunedEntry {
    let mut knobs = Knobs::default();
    knobs.set(Knob::Stage2Impl, "tiles", Origin::Tuned).unwrap();
    knobs.set(Knob::Stage1Warps, "8", Origin::Tuned).unwrap();
    let bucket = Bucket { dtype, rows, n, k };
    TunedEntry { bucket, backend: Backend::Stream, knobs, median_us: 7.25, planner_us: 9.5 }
}

/// An entry that leaves the choice to the planner.
fn kept(dtype: Dtype, rows: usize, n: usize, k: usize) -> TunedEntry {
    TunedEntry { backend: Backend::Auto, knobs: Knobs::default(), ..entry(dtype, rows, n, k) }
}

fn table(entries: Vec<TunedEntry>) -> TunedTable {
    let (table, _) = TunedTable::parse(HEAD).unwrap();
    TunedTable { entries, ..table }
}

/// The entry's text with one line changed.
fn changed(line: &str, to: &str) -> String {
    let text = table(vec![entry(Dtype::F32, 64, 1 << 17, 64)]).to_toml();
    let changed = text.replace(line, to);
    assert_ne!(changed, text, "{line} is not in it:\n{text}");
    changed
}

#[test]
fn shapes_are_rounded_to_the_nearest_power() {
    let sizes = [0, 1, 2, 3, 5, 6, 50, 90, 91, 50_000, 128_256, usize::MAX];
    let nearest = [1, 1, 2, 4, 4, 8, 64, 64, 128, 65_536, 131_072, usize::MAX];
    assert_eq!(sizes.map(nearest_power_of_two), nearest);
}

#[test]
fn a_table_reads_back() {
    let table = table(vec![entry(Dtype::F32, 64, 1 << 17, 64), kept(Dtype::Bf16, 1, 65_536, 64)]);
    let text = table.to_toml();
    assert!(
        text.contains("stage2_impl = \"tiles\"") && text.contains("stage1_warps = 8"),
        "{text}"
    );
    assert_eq!(TunedTable::parse(&text), Ok((table.clone(), vec![])));
    let strange = Provenance { gpu: "a \"b\"\n[c]".into(), ..Default::default() };
    let table = TunedTable { provenance: strange, ..table };
    assert_eq!(TunedTable::parse(&table.to_toml()), Ok((table, vec![])));
}

#[test]
fn a_wrong_entry_is_left_out_with_a_reason() {
    let cases = [
        ("stage1_warps = 8", "stage1_warp = 8", "there is no knob `stage1_warp`"),
        ("stage1_warps = 8", "stage1_warps = 7", "stage1_warps=7"),
        ("stage1_warps = 8", "stage1_warps = -8", "entry 1"),
        ("\"stream\"", "\"quick\"", "it must be one of auto"),
        ("\"stream\"", "\"cpu\"", "none that auto takes"),
        ("rows = 64", "rows = 63", "powers of two"),
        ("\"f32\"", "\"f64\"", "no type"),
        ("median_us = 7.25", "median_us = nan", "not above 0"),
        ("median_us = 7.25", "median = 7.25", "median"),
    ];
    for (line, to, reason) in cases {
        let (table, warnings) = TunedTable::parse(&changed(line, to)).expect("the head is right");
        assert!(table.entries.is_empty(), "{to}");
        assert!(warnings.len() == 1 && warnings[0].contains(reason), "{to}: {warnings:?}");
    }
    let twice = table(vec![entry(Dtype::F32, 1, 2, 2), entry(Dtype::F32, 1, 2, 2)]);
    let (table, warnings) = TunedTable::parse(&twice.to_toml()).unwrap();
    assert_eq!((table.entries.len(), warnings.len()), (1, 1));
}

#[test]
fn a_wrong_file_is_no_table() {
    for text in ["schema = ", "", "schema = 1", &HEAD.replace("schema = 1", "schema = 2")] {
        assert!(TunedTable::parse(text).is_err(), "{text}");
    }
    let error = TunedTable::parse(&HEAD.replace("schema = 1", "schema = 2")).unwrap_err();
    assert_eq!(error, "it has schema 2, and 1 is read");
}

#[test]
fn files_that_cannot_be_used_are_warnings() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table.toml");
    let warning = |text: Option<&str>| {
        if let Some(text) = text {
            std::fs::write(&path, text).unwrap();
        }
        let tables = TunedTables::from_file(&path, &device());
        assert_eq!(tables.tables().count(), 0);
        tables.warnings().join("\n")
    };
    assert!(warning(None).contains("there is no such file"));
    assert!(warning(Some("\0")).contains("table.toml"));
    let other = HEAD.replace("132", "114");
    assert!(warning(Some(&other)).contains("with 114 multiprocessors, and this is sm_90 with 132"));
    assert!(warning(Some(&HEAD.replace("sm_90", "sm_80"))).contains("it is of sm_80"));
}

#[test]
fn the_nearest_entry_is_found() {
    let tables = TunedTables::of(
        "a test",
        table(vec![
            kept(Dtype::F32, 64, 1 << 17, 64),
            kept(Dtype::F32, 64, 1 << 15, 64),
            kept(Dtype::Bf16, 64, 1 << 17, 64),
            kept(Dtype::F32, 1024, 1 << 12, 64),
        ]),
    );
    let find = |dtype, rows, n, k| {
        let hit = tables.find(&Problem::new(dtype, rows, n, k), &device());
        hit.map(|hit| (hit.entry.bucket.n, hit.is_own_bucket))
    };
    assert_eq!(find(Dtype::F32, 64, 128_256, 50), Some((1 << 17, true)));
    assert_eq!(find(Dtype::F32, 50, 100_000, 90), Some((1 << 17, true)));
    assert_eq!(find(Dtype::F32, 64, 262_144, 50), Some((1 << 17, false)));
    assert_eq!(find(Dtype::F32, 64, 128_256, 100), Some((1 << 17, false)));
    assert_eq!(find(Dtype::F32, 64, 262_144, 100), None, "two steps away");
    // Two neighbours as near as one another: the smaller.
    assert_eq!(find(Dtype::F32, 64, 65_536, 50), Some((1 << 15, false)));
    assert_eq!(find(Dtype::F32, 64, 1 << 19, 50), None);
    assert_eq!(find(Dtype::F32, 128, 128_256, 50), None, "rows decide how blocks are shared");
    assert_eq!(find(Dtype::F32, 2048, 4096, 50), Some((1 << 12, false)), "not where all have one");
    assert_eq!(find(Dtype::F16, 64, 128_256, 50), Some((1 << 17, false)), "bf16 stands for f16");
    assert_eq!(find(Dtype::F16, 64, 4096, 50), None);
    let other = DeviceLimits { multiprocessors: 114, ..device() };
    assert!(tables.find(&Problem::new(Dtype::F32, 64, 128_256, 50), &other).is_none());
}

#[test]
fn a_gain_counts_for_no_other_shape() {
    let tables = TunedTables::of("a test", table(vec![entry(Dtype::Bf16, 64, 1 << 17, 64)]));
    let found = |dtype, n| tables.find(&Problem::new(dtype, 64, n, 50), &device()).is_some();
    assert!(found(Dtype::Bf16, 128_256));
    assert!(found(Dtype::F16, 128_256), "bf16 stands for f16");
    assert!(!found(Dtype::Bf16, 1 << 16));
}

#[test]
fn where_neighbours_differ_the_planner_decides() {
    let entries = vec![entry(Dtype::F32, 64, 1 << 15, 64), kept(Dtype::F32, 64, 1 << 17, 64)];
    let tables = TunedTables::of("a test", table(entries));
    let hit = tables.find(&Problem::new(Dtype::F32, 64, 1 << 16, 50), &device()).unwrap();
    assert_eq!(hit.entry.backend, Backend::Auto);
}

#[test]
fn a_plan_takes_the_tables_word_where_nobody_else_has_said_one() {
    let tables = TunedTables::of("a test", table(vec![entry(Dtype::F32, 64, 1 << 17, 64)]));
    let problem = Problem::new(Dtype::F32, 64, 128_256, 50);
    let plan = |settings: &Settings| {
        Plan::with_tables(&problem, Some(&device()), settings, &tables).unwrap()
    };
    let tuned = plan(&Settings::default());
    assert_eq!(tuned.backend, Backend::Stream);
    let text = tuned.explain();
    let why = "backend stream: by the tuned table (a test): entry sm_90 f32 rows 64 n 131072 k 64";
    assert!(text.starts_with(why), "{text}");
    assert!(text.contains("stage1_warps: 8, from the tuned table"), "{text}");

    let mut settings = Settings::default();
    settings.knobs.set(Knob::Stage1Warps, "4", Origin::Environment).unwrap();
    let text = plan(&settings).explain();
    assert!(text.contains("stage1_warps: 4, from the environment"), "{text}");
    assert!(text.contains("stage2_impl: tiles, from the tuned table"), "{text}");

    let named = Settings { backend: Some(Backend::Stream), ..Settings::default() };
    assert_eq!(plan(&named), Plan::new(&problem, Some(&device()), &named).unwrap());
}

#[test]
fn where_nothing_was_faster_the_planner_keeps_its_choice() {
    let best = TunedEntry {
        backend: Backend::Auto,
        knobs: Knobs::default(),
        ..entry(Dtype::F32, 64, 1 << 17, 64)
    };
    let tables = TunedTables::of("a test", table(vec![best]));
    let problem = Problem::new(Dtype::F32, 64, 128_256, 50);
    let settings = Settings::default();
    let tuned = Plan::with_tables(&problem, Some(&device()), &settings, &tables).unwrap();
    let plain = Plan::new(&problem, Some(&device()), &settings).unwrap();
    assert_eq!((tuned.backend, &tuned.work), (plain.backend, &plain.work));
    assert!(tuned.explain().contains("nothing was faster, by the tuned table"));
}
