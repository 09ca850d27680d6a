//! Random calls of sampling, drawn on a device and by the host's cores, which must agree.
use aikf_topk::{
    Adjustments, DeviceChoice, DeviceSliceMut, Dtype, FilterOrder, History, Knob, LogprobKind,
    Problem, RowStatus, Rows, Runtime, Sampler, Samples, SamplingParams, StreamRef,
};
use cuda_loader::api::graph;
use cust::memory::{CopyDestination, DeviceBuffer};
use cust::stream::{Stream, StreamFlags};
use kernels_gpu::testkit::Pattern;

use super::TestElement;
use crate::with_type;

/// `SplitMix64`: the same calls in every run.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ x >> 31
    }

    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }

    pub fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1u64 << 24) as f32
    }

    pub fn one_of<V: Copy>(&mut self, values: &[V]) -> V {
        values[self.below(values.len())]
    }

    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

/// One call.
#[derive(Clone, Debug)]
pub struct Call {
    pub dtype: Dtype,
    pub pattern: Pattern,
    pub rows: usize,
    pub n: usize,
    pub row_stride: usize,
    pub data_seed: u64,
    pub lengths: Option<Vec<u32>>,
    pub params: Vec<SamplingParams>,
    pub sampler: Sampler,
    pub prompts: Vec<Vec<u32>>,
    pub outputs: Vec<Vec<u32>>,
    pub bias: Vec<(u32, u32, f32)>,
    pub allowed: Vec<u32>,
}

impl Call {
    /// A call of rows of at most `n_max` elements.
    pub fn random(random: &mut Random, n_max: usize) -> Call {
        let most = random.one_of(&[8, 40, 600, 3000, n_max]).min(n_max);
        let (rows, n) = (1 + random.below(4), 1 + random.below(most));
        let row_stride = n + if random.chance(20) { random.below(9) } else { 0 };
        let ragged = random.chance(20);
        let lengths = (0..rows).map(|_| random.below(n + 1) as u32).collect();
        let params: Vec<SamplingParams> = (0..rows).map(|_| params(random, n)).collect();
        let orders = [FilterOrder::HuggingFace, FilterOrder::Vllm, FilterOrder::LlamaCpp];
        let mut sampler = Sampler::new()
            .order(random.one_of(&orders))
            .num_samples(random.one_of(&[1, 1, 1, 2, 7]))
            .replacement(random.chance(60));
        if random.chance(40) {
            let kind = random.one_of(&[LogprobKind::Raw, LogprobKind::Processed]);
            sampler = sampler.logprobs(kind, random.one_of(&[0, 0, 1, 5, 50]).min(n));
        }
        let adjusted = random.chance(30);
        let tokens = |random: &mut Random| -> Vec<Vec<u32>> {
            let list = |random: &mut Random| {
                (0..random.below(20)).map(|_| random.below(n) as u32).collect()
            };
            if adjusted { (0..rows).map(|_| list(random)).collect() } else { vec![] }
        };
        let (prompts, outputs) = (tokens(random), tokens(random));
        let mut bias = vec![];
        for _ in 0..if adjusted { random.below(12) } else { 0 } {
            let value = random.one_of(&[-1.5, 0.25, 3.0, 20.0, f32::NEG_INFINITY]);
            bias.push((random.below(rows) as u32, random.below(n) as u32, value));
        }
        let words = if adjusted && random.chance(50) { rows * n.div_ceil(32) } else { 0 };
        let allowed = (0..words).map(|_| random.next() as u32 | random.next() as u32).collect();
        Call {
            dtype: random.one_of(&Dtype::ALL),
            pattern: random.one_of(&Pattern::ALL),
            rows,
            n,
            row_stride,
            data_seed: random.next(),
            lengths: ragged.then_some(lengths),
            params,
            sampler,
            prompts,
            outputs,
            bias,
            allowed,
        }
    }

    /// Draws.
    pub fn draw(&self, runtime: &Runtime) -> Samples {
        with_type!(self.dtype, draw_typed(self, runtime))
    }

    /// Draws on the device and on the host's cores; the answer, if they agree.
    pub fn check(&self, runtime: &Runtime) -> Samples {
        let cpu = Runtime::open(DeviceChoice::Cpu).expect("the host's cores are always there");
        let (got, right) = (self.draw(runtime), self.draw(&cpu));
        assert_eq!(got, right, "{self:?}");
        got
    }
}

/// Parameters of every kind, the bounds of what is legal among them.
fn params(random: &mut Random, n: usize) -> SamplingParams {
    let tokens = [1, 2, 3, n / 2, n - 1, n, n + 7, 40, 1024, 1025, 2000];
    let (top_k, p) = (random.one_of(&tokens), random.unit().max(1e-6));
    SamplingParams {
        temperature: random.one_of(&[1.0, 0.0, 1e-5, 0.7, 1.3, 3.0, 1e-3, 1e6, 0.1]),
        top_k: if random.chance(50) { top_k as i64 } else { random.one_of(&[0, -1]) },
        top_p: if random.chance(50) { p } else { random.one_of(&[1.0, 1e-9, 0.9, 0.999_999_9]) },
        min_p: if random.chance(30) { p } else { random.one_of(&[0.0, 0.0, 1.0, 1e-30, 0.05]) },
        repetition_penalty: random.one_of(&[1.0, 1.2, 0.5]),
        frequency_penalty: random.one_of(&[0.0, 0.5, -2.0]),
        presence_penalty: random.one_of(&[0.0, 2.0, -0.3]),
        seed: Some(random.next()),
        position: random.one_of(&[0, 1, 77, u64::MAX]),
    }
}

fn draw_typed<T: TestElement>(call: &Call, runtime: &Runtime) -> Samples {
    let Call { rows, n, row_stride, .. } = *call;
    let bits = call.pattern.fill(call.dtype, 1, (rows - 1) * row_stride + n, call.data_seed);
    let data: Vec<T> = bits.into_iter().map(T::of_bits).collect();
    let mut view = Rows::with_stride(&data, rows, n, row_stride).expect("the data are as long");
    if let Some(lengths) = &call.lengths {
        view = view.with_lengths(lengths).expect("they are at most n");
    }
    let pairs = call.prompts.iter().zip(&call.outputs);
    let histories: Vec<History<'_>> =
        pairs.map(|(prompt, output)| History { prompt, output }).collect();
    let adjustments =
        Adjustments { histories: &histories, bias: &call.bias, allowed: &call.allowed };
    call.sampler
        .sample_adjusted(runtime, view, &call.params, &adjustments)
        .unwrap_or_else(|error| panic!("{error}: {call:?}"))
}

/// Random calls under corners of the knobs' space: a knob may change speed, never a token.
pub fn no_knob_changes_a_token(runtime: &Runtime, count: usize, n_max: usize) {
    // Of one to three rows, the blocks wanted are clusters of 2, 4 or 8 to a row.
    let corners: [&[(Knob, &str)]; 7] = [
        &[(Knob::Stage1Warps, "1"), (Knob::Stage1Stages, "1")],
        &[(Knob::Stage1Warps, "32"), (Knob::Stage1Stages, "8")],
        &[(Knob::Stage1TargetCtas, "1")],
        &[(Knob::Stage1TargetCtas, "8"), (Knob::Stage1Warps, "2")],
        &[(Knob::Stage1TargetCtas, "24"), (Knob::Stage1Warps, "4")],
        &[
            (Knob::Stage1TargetCtas, "65535"),
            (Knob::Stage1ParallelHint, "1"),
            (Knob::Stage1Warps, "1"),
            (Knob::Stage1Stages, "2"),
        ],
        &[(Knob::TargetStage2Candidates, "1"), (Knob::StreamingWarps, "4")],
    ];
    let mut random = Random(6);
    for corner in corners {
        for _ in 0..count {
            let mut call = Call::random(&mut random, n_max);
            for (knob, value) in corner {
                call.sampler = call.sampler.clone().knob(*knob, value).expect("a legal value");
            }
            call.check(runtime);
        }
    }
}

/// Random calls, a number of them.
pub fn random_calls(runtime: &Runtime, seed: u64, count: usize, n_max: usize) {
    let mut random = Random(seed);
    for _ in 0..count {
        Call::random(&mut random, n_max).check(runtime);
    }
}

/// Rows whose best all lie in their last piece, which gives fewer of them than are wanted: the
/// row's last block turns to the whole row, with NaNs in it.
pub fn scant_pieces(runtime: &Runtime) {
    let (rows, n, cpu) = (2, 70_000, Runtime::open(DeviceChoice::Cpu).expect("always there"));
    let bits = Pattern::Ascending.fill(Dtype::F32, rows, n, 4);
    let mut data: Vec<f32> = bits.into_iter().map(f32::from_bits).collect();
    data.iter_mut().step_by(97).for_each(|x| *x = f32::NAN);
    let view = Rows::new(&data, rows, n).expect("as long");
    for top_p in [1.0, 0.9] {
        let seed = Some(3);
        let params = SamplingParams { top_k: 1000, top_p, seed, ..Default::default() };
        let sampler = Sampler::new().num_samples(50).logprobs(LogprobKind::Processed, 0);
        let problem = Problem::new(Dtype::F32, rows, n, 1);
        let plan = sampler.plan(runtime, &problem, &[params]).expect("planned").explain();
        assert!(plan.contains("launch sample_large_"), "{plan}");
        assert!(!plan.contains("pieces a row: 1 "), "{plan}");
        let draw = |runtime| sampler.sample(runtime, view, &[params]).expect("legal");
        let drawn = draw(runtime);
        assert_eq!(drawn, draw(&cpu));
        assert_eq!(drawn.status, [RowStatus::NanSeen; 2]);
    }
}

/// Rows of few numbers among NaNs: vectors without a number lie beside those with the row's best.
pub fn mostly_nans(runtime: &Runtime) {
    for dtype in Dtype::ALL {
        for n in [40, 700, 6270, 20_000] {
            with_type!(dtype, mostly_nans_of(runtime, n));
        }
    }
}

fn mostly_nans_of<T: TestElement>(runtime: &Runtime, n: usize) {
    let (rows, cpu) = (4, Runtime::open(DeviceChoice::Cpu).expect("always there"));
    let mut random = Random(n as u64);
    let mut bits = Pattern::Normal.fill(T::DTYPE, rows, n, 5);
    let nan = Pattern::AllNan.fill(T::DTYPE, 1, 1, 0)[0];
    bits.iter_mut().filter(|_| !random.chance(12)).for_each(|bits| *bits = nan);
    let data: Vec<T> = bits.into_iter().map(T::of_bits).collect();
    let view = Rows::new(&data, rows, n).expect("as long");
    for top_k in [1, 20, 1000] {
        let params = SamplingParams { top_k, seed: Some(3), ..Default::default() };
        let sampler = Sampler::new().num_samples(3).logprobs(LogprobKind::Processed, 20);
        let draw = |runtime| sampler.sample(runtime, view, &[params]).expect("legal");
        assert_eq!(draw(runtime), draw(&cpu), "{:?} n {n} top_k {top_k}", T::DTYPE);
    }
}

/// Rows whose lengths and starts lie around the borders of segments and vectors, at temperatures
/// and with values that are far apart, until nothing is left.
pub fn segment_borders(runtime: &Runtime) {
    let mut random = Random(12);
    let kinds = [
        (1.0, 0.0, 1.0),
        (0.05, 0.0, 1.0),
        (f32::MAX, 0.0, 1.0),
        (0.7, 0.1, 1.0),
        (1e31, 0.5, 1.0),
        (1.0, 0.0, 0.7),
        (0.3, 0.01, 0.999),
    ];
    for n in [1, 7, 40, 1023, 1024, 1025, 2049, 3072, 5000] {
        for (dtype, lead) in Dtype::ALL.into_iter().flat_map(|dtype| [(dtype, 0), (dtype, 1)]) {
            for (temperature, min_p, top_p) in kinds {
                let seed = Some(random.next());
                let params =
                    SamplingParams { temperature, min_p, top_p, seed, ..Default::default() };
                let kind = random.one_of(&[LogprobKind::Raw, LogprobKind::Processed]);
                let draws = if n <= 40 { n + 3 } else { 3 };
                let call = Call {
                    dtype,
                    pattern: random.one_of(&Pattern::ALL),
                    rows: 2,
                    n,
                    row_stride: n + lead,
                    lengths: None,
                    data_seed: random.next(),
                    params: vec![params],
                    sampler: Sampler::new()
                        .num_samples(draws)
                        .replacement(random.chance(30))
                        .logprobs(kind, 0),
                    prompts: vec![],
                    outputs: vec![],
                    bias: vec![],
                    allowed: vec![],
                };
                call.check(runtime);
            }
        }
    }
}

/// A captured draw, replayed with other positions in device memory, draws what those positions say.
pub fn graph_replays_with_new_positions(runtime: &Runtime) {
    let (rows, n, steps) = (3, 2000, 6u64);
    let data: Vec<f32> =
        Pattern::Normal.fill(Dtype::F32, rows, n, 9).into_iter().map(f32::from_bits).collect();
    let base = SamplingParams { temperature: 0.9, ..Default::default() };
    let params: Vec<SamplingParams> = [(0, 1.0), (40, 0.9), (0, 0.8)]
        .into_iter()
        .zip(11..)
        .map(|((top_k, top_p), seed)| SamplingParams { top_k, top_p, seed: Some(seed), ..base })
        .collect();
    let mut prepared =
        Sampler::new().prepare::<f32>(runtime, rows, n, &params).expect("the call is legal");
    let input = DeviceBuffer::from_slice(&data).expect("device memory");
    let mut positions = DeviceBuffer::<u64>::zeroed(rows).expect("device memory");
    let mut tokens = DeviceBuffer::<u32>::zeroed(rows).expect("device memory");
    let mut status = DeviceBuffer::<u32>::zeroed(rows).expect("device memory");
    let stream = Stream::new(StreamFlags::DEFAULT, None).expect("a stream");
    let raw = cuda_loader::Stream(stream.as_inner().cast());
    // SAFETY: the stream is live and nothing else uses it.
    unsafe { graph::stream_begin_capture(raw) }.expect("capturing");
    let at = Some((&positions).into());
    // SAFETY: the buffers outlive the graph, which is destroyed below.
    let enqueued =
        unsafe { prepared.enqueue(&input, at, &mut tokens, &mut status, StreamRef::from(&stream)) };
    // SAFETY: the capture was begun above.
    let captured = unsafe { graph::stream_end_capture(raw) }.expect("captured");
    enqueued.expect("enqueued");
    // SAFETY: captured just now.
    let exec = unsafe { graph::graph_instantiate(captured) }.expect("instantiated");
    let cpu = Runtime::open(DeviceChoice::Cpu).expect("the host's cores are always there");
    let view = Rows::new(&data, rows, n).expect("as long");
    let mut drawn = vec![];
    for step in 0..steps {
        positions.copy_from(&[step; 3]).expect("uploaded");
        // SAFETY: buffers, graph and stream are live.
        unsafe { graph::graph_launch(exec, raw) }.expect("replayed");
        stream.synchronize().expect("the kernels ran");
        let mut got = vec![0; rows];
        tokens.copy_to(&mut got).expect("downloaded");
        let moved: Vec<SamplingParams> =
            params.iter().map(|row| SamplingParams { position: step, ..*row }).collect();
        let right = Sampler::new().sample(&cpu, view, &moved).expect("legal");
        assert_eq!(got, right.tokens, "step {step}");
        drawn.push(got);
    }
    assert!(drawn.windows(2).any(|pair| pair[0] != pair[1]), "every step drew the same");
    // SAFETY: nothing is in flight, and neither is used again.
    unsafe { graph::graph_exec_destroy(exec) }.expect("destroyed");
    // SAFETY: as above.
    unsafe { graph::graph_destroy(captured) }.expect("destroyed");
}

/// A workspace of the caller's, poisoned, then used again by draws of other kinds.
pub fn in_a_lent_workspace(runtime: &Runtime) {
    let (rows, n) = (3, 2500);
    let data: Vec<f32> =
        Pattern::Normal.fill(Dtype::F32, rows, n, 9).into_iter().map(f32::from_bits).collect();
    let cpu = Runtime::open(DeviceChoice::Cpu).expect("the host's cores are always there");
    let view = Rows::new(&data, rows, n).expect("as long");
    let input = DeviceBuffer::from_slice(&data).expect("device memory");
    let mut tokens = DeviceBuffer::<u32>::zeroed(rows).expect("device memory");
    let mut status = DeviceBuffer::<u32>::zeroed(rows).expect("device memory");
    let stream = Stream::new(StreamFlags::DEFAULT, None).expect("a stream");
    let workspace = DeviceBuffer::from_slice(&vec![0xffu8; 1 << 20]).expect("device memory");
    let address = workspace.as_device_ptr().as_raw();
    let problem = Problem::new(Dtype::F32, rows, n, 1);
    let sampler = Sampler::new();
    for (top_k, top_p, min_p) in [(40, 0.9, 0.1), (0, 1.0, 0.2), (0, 0.9, 0.0), (2000, 1.0, 0.0)] {
        let row = SamplingParams { top_k, top_p, min_p, seed: Some(3), ..Default::default() };
        let plan = sampler.plan(runtime, &problem, &[row]).expect("planned");
        let needed = plan.workspace().bytes;
        assert!((1..=1 << 20).contains(&needed), "{}", plan.explain());
        let prepare = |bytes| {
            // SAFETY: the workspace outlives the calls, which take turns, and is as large where it
            // is not refused.
            unsafe { sampler.prepare_in::<f32>(runtime, &problem, &[row], address, bytes) }
        };
        let text = prepare(needed - 1).expect_err("too small").to_string();
        assert!(text.contains(&format!("{needed} are needed")), "{text}");
        let mut prepared = prepare(needed).expect("large enough");
        for position in 0..2 {
            let row = SamplingParams { position, ..row };
            prepared.set_params(&[row]).expect("of the same kind");
            // SAFETY: the buffers live until the stream was waited for.
            unsafe { prepared.enqueue(&input, None, &mut tokens, &mut status, &stream) }
                .expect("enqueued");
            stream.synchronize().expect("the kernels ran");
            let mut got = vec![0; rows];
            tokens.copy_to(&mut got).expect("downloaded");
            let right = sampler.sample(&cpu, view, &[row]).expect("legal");
            assert_eq!(got, right.tokens, "{row:?}");
        }
    }
}

/// Prepared calls take other parameters of the same kind, and refuse those of another.
pub fn other_parameters(runtime: &Runtime) {
    let (rows, n) = (2, 500);
    let data: Vec<f32> =
        Pattern::Normal.fill(Dtype::F32, rows, n, 9).into_iter().map(f32::from_bits).collect();
    let of = |top_k, seed| SamplingParams { top_k, seed: Some(seed), ..Default::default() };
    let mut prepared =
        Sampler::new().prepare::<f32>(runtime, rows, n, &[of(40, 1)]).expect("legal");
    let input = DeviceBuffer::from_slice(&data).expect("device memory");
    let mut tokens = DeviceBuffer::<u32>::zeroed(rows).expect("device memory");
    let mut status = DeviceBuffer::<u32>::zeroed(rows).expect("device memory");
    let stream = Stream::new(StreamFlags::DEFAULT, None).expect("a stream");
    let cpu = Runtime::open(DeviceChoice::Cpu).expect("the host's cores are always there");
    let view = Rows::new(&data, rows, n).expect("as long");
    for params in [of(40, 1), of(7, 2), of(1, 3), SamplingParams::greedy()] {
        prepared.set_params(&[params]).expect("of the same kind");
        // SAFETY: the buffers live until the stream was waited for.
        unsafe { prepared.enqueue(&input, None, &mut tokens, &mut status, &stream) }
            .expect("enqueued");
        stream.synchronize().expect("the kernels ran");
        let mut got = vec![0; rows];
        tokens.copy_to(&mut got).expect("downloaded");
        let right = Sampler::new().sample(&cpu, view, &[params]).expect("legal");
        assert_eq!(got, right.tokens, "{params:?}");
    }
    // Rows of which none had a min-p when they were prepared.
    let whole = |seed, min_p| SamplingParams { min_p, ..of(0, seed) };
    let mut plain = Sampler::new().prepare::<f32>(runtime, rows, n, &[of(0, 1)]).expect("legal");
    for params in [whole(1, 0.0), whole(2, 0.3), whole(3, 1e-3), whole(4, 1.0)] {
        plain.set_params(&[params]).expect("of the same kind");
        // SAFETY: the buffers live until the stream was waited for.
        unsafe { plain.enqueue(&input, None, &mut tokens, &mut status, &stream) }
            .expect("enqueued");
        stream.synchronize().expect("the kernels ran");
        let mut got = vec![0; rows];
        tokens.copy_to(&mut got).expect("downloaded");
        let right = Sampler::new().sample(&cpu, view, &[params]).expect("legal");
        assert_eq!(got, right.tokens, "{params:?}");
    }
    let mut refused = |top_k| {
        let error = prepared.set_params(&[of(top_k, 1)]).expect_err("of another kind");
        error.to_string()
    };
    assert_eq!(
        refused(41),
        "top_k = 41: these calls were prepared for a top_k of at most 40; prepare others"
    );
    assert!(refused(0).starts_with("top_k = 0: these calls were prepared for rows with a top_k"));
    let mut scoring = Sampler::new().logprobs(LogprobKind::Raw, 0);
    scoring = scoring.num_samples(3);
    let mut told = scoring.prepare::<f32>(runtime, rows, n, &[of(40, 1)]).expect("legal");
    let mut three = DeviceBuffer::<u32>::zeroed(3 * rows).expect("device memory");
    // SAFETY: refused, because there is no room for the logarithms.
    let refused = unsafe { told.enqueue(&input, None, &mut three, &mut status, &stream) };
    let text = refused.expect_err("no room").to_string();
    assert_eq!(text, "the logarithms' buffer has room for 0 elements, and 6 are needed");
    // SAFETY: the address is never used: the call is refused for its length.
    let one = unsafe { DeviceSliceMut::<u32>::from_raw(256, 1) };
    // SAFETY: as above.
    let short = unsafe { prepared.enqueue(&input, None, one, &mut status, &stream) };
    let text = short.expect_err("too short").to_string();
    assert_eq!(text, "the tokens' buffer has room for 1 elements, and 2 are needed");
}

/// Rows of a few vectors and some elements beside them, shared by a cluster of whose blocks most
/// threads have nothing: all masked, so that the first are wanted.
pub fn tiny_rows_in_clusters(runtime: &Runtime) {
    let cpu = Runtime::open(DeviceChoice::Cpu).expect("the host's cores are always there");
    for (n, warps, blocks) in [(14, "4", "24"), (14, "1", "8"), (9, "2", "32"), (30, "4", "16")] {
        let rows = 4;
        let data = vec![f32::NAN; rows * n];
        let view = Rows::new(&data, rows, n).expect("as long");
        let of = |top_k| SamplingParams { top_k, seed: Some(1), ..Default::default() };
        let params = [of(3), of(2), of(1), of(-1)];
        let sampler = Sampler::new().logprobs(LogprobKind::Processed, 5);
        let sampler = sampler.knob(Knob::Stage1TargetCtas, blocks).expect("legal");
        let sampler = sampler.knob(Knob::Stage1Warps, warps).expect("legal");
        let draw = |runtime| sampler.sample(runtime, view, &params).expect("legal");
        assert_eq!(draw(runtime), draw(&cpu), "n = {n}, {warps} warps, {blocks} blocks");
    }
}
