//! A small selection and a draw on a device, compared with the sorted reference and the CPU.
use std::time::Instant;

use aikf_topk::{DeviceChoice, Dtype, Problem, Rows, Runtime, SamplingParams, TopK, sample_logits};

use crate::check;
use crate::error::{Error, exit};
use crate::input::{Input, Source, Wanted};
use crate::output::findings::Finding;

const SECTION: &str = "Self-test";
const ROWS: usize = 2;
const N: usize = 2048;
const K: usize = 16;

/// Tries a device, as far as it could be opened. `wanted` is what was asked for: with `auto`, only
/// the first GPU has to work.
pub fn examine(
    device: DeviceChoice,
    opened: Result<Runtime, aikf_topk::Error>,
    wanted: DeviceChoice,
) -> Finding {
    let finding = match opened.map_err(Error::from).and_then(|runtime| tried(&runtime)) {
        Ok(finding) => finding,
        Err(error) => {
            let remedy = match error.exit_code() {
                exit::NO_DEVICE => "take another device; --device cpu is always there",
                _ => {
                    "see whether another program on this GPU works; if so, report this as a bug, \
                     with the output of `topk doctor --json`"
                }
            };
            let text = format!("{device}: {error}");
            Finding::failure(SECTION, error.exit_code(), text, remedy)
        }
    };
    let finding = finding.fact("device", device.to_string());
    let spare = wanted == DeviceChoice::Auto && matches!(device, DeviceChoice::Cuda(1..));
    if spare { finding.harmless() } else { finding }
}

/// What stands here where no device can be used.
pub fn left_out() -> Finding {
    let text = "left out, because nothing can be done with the failures above";
    Finding::warning(SECTION, text, "follow their remedies, and ask again")
}

fn tried(runtime: &Runtime) -> Result<Finding, Error> {
    let device = runtime.device();
    let wanted = Wanted { rows: Some(ROWS), n: Some(N), dtype: Some(Dtype::F32) };
    let input = Input::open(&Source::Random(7), &wanted)?;
    let elements = input.elements::<f32>()?;
    let rows = Rows::new(&elements, ROWS, N)?;
    let start = Instant::now();
    // The first time the driver compiles the kernels.
    once(runtime, rows)?;
    let first_ms = start.elapsed().as_secs_f64() * 1e3;
    let start = Instant::now();
    let (selection, tokens) = once(runtime, rows)?;
    let again_ms = start.elapsed().as_secs_f64() * 1e3;
    let problem = Problem::new(Dtype::F32, ROWS, N, K);
    if let Some(difference) = check::first_difference(&elements, None, &problem, &selection) {
        return Ok(wrong(format!("{device}: the selection is wrong: {difference}")));
    }
    let (_, right) = once(&Runtime::open(DeviceChoice::Cpu)?, rows)?;
    let best = |row: usize, token| selection.row(row).any(|(index, _)| index == token);
    if tokens != right || !tokens.iter().enumerate().all(|(row, &token)| best(row, token)) {
        let text = format!("{device}: the draw is wrong: tokens {tokens:?}, on the CPU {right:?}");
        return Ok(wrong(text));
    }
    let text = format!(
        "{device}: a selection and a draw are right; {again_ms:.2} ms, the first time \
         {first_ms:.1} ms"
    );
    Ok(Finding::ok(SECTION, text).fact("first_ms", first_ms).fact("again_ms", again_ms))
}

type Answer = (aikf_topk::Selection<f32>, Vec<u32>);

fn once(runtime: &Runtime, rows: Rows<'_, f32>) -> Result<Answer, Error> {
    let selection = TopK::new(K).select(runtime, rows)?;
    let params =
        SamplingParams { temperature: 0.8, top_k: K as i64, seed: Some(5), ..Default::default() };
    let samples = sample_logits(runtime, rows, &[params, params])?;
    Ok((selection, samples.tokens))
}

fn wrong(text: String) -> Finding {
    let remedy = "trust no answer of this device; report this as a bug, with the output of \
                  `topk doctor --json`";
    Finding::failure(SECTION, exit::MISMATCH, text, remedy)
}
