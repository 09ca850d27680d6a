//! `docs/knobs.md` is generated from the knobs' declarations, and fails here when it is stale.
use std::fmt::Write as _;
use std::path::Path;

use aikf_topk::{BACKEND_VARIABLE, Backend, DEVICE_VARIABLE, KNOBS, TUNED_VARIABLE};

fn document() -> String {
    let backends = Backend::ALL.map(Backend::name).join(", ");
    let mut text = format!(
        "# Settings\n\n\
        Generated from `host/src/knobs.rs`; `AIKF_BLESS=1 cargo test -p aikf-topk --test knobs` \
        writes it anew.\n\n\
        Precedence: a call of the program or a flag, then the environment, then the tuned table \
        ([tuning.md](tuning.md)), then the planner. An empty variable counts as unset. An illegal \
        value is an error that names the variable, the value and what is legal. \
        `topk select --explain` shows every value and where it came from. A knob may change \
        speed, never a result.\n\n\
        | variable | legal | default | meaning |\n|---|---|---|---|\n\
        | `{BACKEND_VARIABLE}` | {backends} | auto | the backend |\n\
        | `{DEVICE_VARIABLE}` | auto, cuda, cuda:N, cpu, emulator | auto | where to run |\n\
        | `{TUNED_VARIABLE}` | off, or a file | the user's, then the library's | the tuned table \
        |\n"
    );
    for spec in KNOBS {
        let (legal, default, doc) = (spec.legal, spec.default, spec.doc);
        let _ = writeln!(text, "| `{}` | {legal} | {default} | {doc} |", spec.variable);
    }
    text.push_str(
        "\nThe command line has a flag for each: the variable's name without `AIKF_`, in small \
        letters, with `-` for `_`.\n\n\
        Others read: `AIKF_REQUIRE_GPU=1` makes the absence of a GPU a failure in tests; \
        `AIKF_RUSTC` and `AIKF_PTX` steer the kernels' build; `AIKF_EMULATOR_SCHEDULE` and \
        `SIMT_REPLAY` the emulator.\n",
    );
    text
}

#[test]
fn the_document_is_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/knobs.md");
    if std::env::var("AIKF_BLESS").is_ok_and(|value| value == "1") {
        std::fs::write(&path, document()).expect("written");
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(found, document(), "docs/knobs.md is stale: run the test with AIKF_BLESS=1");
}

#[test]
fn flags_and_variables_have_the_same_names() {
    for spec in KNOBS {
        assert_eq!(format!("AIKF_{}", spec.key.to_uppercase()), spec.variable);
    }
}
