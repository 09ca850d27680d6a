//! How problems of several shapes would be solved on a GPU, in words. None is needed to ask.
//!
//! Teaches: a plan is a pure function of problem, device and settings. The device here is written
//! down rather than opened; `TopK::plan` asks about the one that a runtime has open.
//!
//! Run it: `cargo run -p aikf-topk --example 06_explain`.
use aikf_topk::{Backend, DeviceLimits, Dtype, Error, Knob, Origin, Plan, Problem, Settings, Work};

fn main() -> Result<(), Error> {
    let device = DeviceLimits {
        name: "a GPU of 132 multiprocessors".to_string(),
        multiprocessors: 132,
        shared_bytes_max: 227 * 1024,
        compute_capability: 90,
    };
    let shapes = [
        ("one short row", Problem::new(Dtype::F32, 1, 4096, 50)),
        ("one long row", Problem::new(Dtype::F32, 1, 262_144, 50)),
        ("a batch of logits", Problem::new(Dtype::Bf16, 256, 128_256, 50)),
        ("more of them than a block has room for", Problem::new(Dtype::F32, 4, 500_000, 100_000)),
    ];
    for (what, problem) in &shapes {
        let plan = Plan::new(problem, Some(&device), &Settings::default())?;
        tell(what, &plan);
    }

    // What somebody has set comes before the planner's choice, and says where it came from.
    let mut settings = Settings { backend: Some(Backend::Stream), ..Settings::default() };
    settings.knobs.set(Knob::Stage1Warps, "8", Origin::Builder)?;
    tell("one long row, as asked for", &Plan::new(&shapes[1].1, Some(&device), &settings)?);

    // Without a GPU the same contract holds on the host's cores.
    let plan = Plan::new(&shapes[0].1, None, &Settings::default())?;
    assert_eq!(plan.work, Work::Cpu);
    tell("one short row, without a GPU", &plan);
    Ok(())
}

fn tell(what: &str, plan: &Plan) {
    let Problem { dtype, rows, n, k, .. } = plan.problem;
    println!("{what}: {rows} x {n} {}, the best {k}", dtype.name());
    for line in plan.explain().lines() {
        println!("    {line}");
    }
    println!();
}
