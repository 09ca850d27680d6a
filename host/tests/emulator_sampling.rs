//! Sampling through the GPU's code path on the stand-in driver: the same tokens as the host's
//! cores, for every kind of row and parameter.
mod support;

use aikf_topk::{DeviceChoice, Runtime};

fn emulator() -> Runtime {
    Runtime::open(DeviceChoice::Emulator).expect("the emulator is built in")
}

#[test]
fn random_calls() {
    support::sampling::random_calls(&emulator(), 1, 400, 12_000);
}

#[test]
fn segment_borders() {
    support::sampling::segment_borders(&emulator());
}

#[test]
fn ends_of_prefixes() {
    support::window::ends_of_prefixes(&emulator(), 120, 20_000);
}

#[test]
fn end_of_a_long_row() {
    support::window::end_of_a_long_row(&emulator());
}

#[test]
fn scant_pieces() {
    support::sampling::scant_pieces(&emulator());
}

#[test]
fn mostly_nans() {
    support::sampling::mostly_nans(&emulator());
}

#[test]
fn drawn_by_warps() {
    support::warps::drawn_by_warps(&emulator(), 10);
}

#[test]
fn no_knob_changes_a_token() {
    support::sampling::no_knob_changes_a_token(&emulator(), 40, 9000);
}

#[test]
fn replayed_with_new_positions() {
    support::sampling::graph_replays_with_new_positions(&emulator());
}

#[test]
fn in_a_lent_workspace() {
    support::sampling::in_a_lent_workspace(&emulator());
}

#[test]
fn other_parameters_without_preparing() {
    support::sampling::other_parameters(&emulator());
}

#[test]
fn tiny_rows_in_clusters() {
    support::sampling::tiny_rows_in_clusters(&emulator());
}
