//! Sampling.
use std::ffi::c_void;
use std::{mem, ptr, slice};

use super::{Device, Memory, done, failed, numbers, on_stream, text};
use crate::sample_call::aikf_sample_call;
use crate::sampler::*;
use crate::sampler_options::*;
use crate::status::aikf_status;

const ROWS: usize = 4;
const N: usize = 700;
const DRAWS: usize = 3;
const TOP: usize = 5;

fn options() -> aikf_sampler_options {
    aikf_sampler_options {
        struct_size: size_of::<aikf_sampler_options>(),
        rows: ROWS,
        n: N,
        num_samples: DRAWS,
        top_logprobs: TOP,
        logprobs: aikf_logprobs::Processed as u32,
        adjusted: 1,
        // SAFETY: zeros are legal numbers, and a null pointer.
        ..unsafe { mem::zeroed() }
    }
}

fn params() -> aikf_sampling_params {
    aikf_sampling_params {
        temperature: 0.8,
        top_k: 40,
        top_p: 0.9,
        repetition_penalty: 1.3,
        presence_penalty: 0.5,
        seed: 7,
        has_seed: 1,
        ..aikf_sampling_params_default()
    }
}

fn no_call() -> aikf_sample_call {
    let struct_size = size_of::<aikf_sample_call>();
    // SAFETY: zeros are legal numbers, and null pointers.
    aikf_sample_call { struct_size, ..unsafe { mem::zeroed() } }
}

/// What a run gives.
#[derive(Debug, Default, PartialEq)]
struct Outcome {
    tokens: Vec<u32>,
    status: Vec<u32>,
    logprobs: Vec<f32>,
    ranks: Vec<u32>,
    top_tokens: Vec<u32>,
    top_logprobs: Vec<f32>,
}

impl Outcome {
    fn new() -> Outcome {
        Outcome {
            tokens: vec![9; ROWS * DRAWS],
            status: vec![9; ROWS],
            logprobs: vec![9.0; ROWS * DRAWS],
            ranks: vec![9; ROWS * DRAWS],
            top_tokens: vec![9; ROWS * TOP],
            top_logprobs: vec![9.0; ROWS * TOP],
        }
    }

    /// A call that writes here.
    fn call(&mut self) -> aikf_sample_call {
        aikf_sample_call {
            tokens: self.tokens.as_mut_ptr(),
            status: self.status.as_mut_ptr(),
            logprobs: self.logprobs.as_mut_ptr(),
            ranks: self.ranks.as_mut_ptr(),
            top_tokens: self.top_tokens.as_mut_ptr(),
            top_logprobs: self.top_logprobs.as_mut_ptr(),
            ..no_call()
        }
    }
}

/// Rows with everything that a call may come with.
struct Inputs {
    logits: Vec<f32>,
    lengths: Vec<u32>,
    seeds: Vec<u64>,
    positions: Vec<u64>,
    histories: Vec<u32>,
    bias: (Vec<u32>, Vec<u32>, Vec<f32>),
    allowed: Vec<u32>,
}

impl Inputs {
    fn new() -> Inputs {
        let mut histories = vec![0; ROWS * N];
        histories[3] = 2; // row 0: token 3 twice in the output
        histories[N + 8] = 1 << 31 | 1; // row 1: token 8 in both
        let words = N.div_ceil(32);
        let mut allowed = vec![u32::MAX; ROWS * words];
        allowed[3 * words..].fill(0); // row 3: none
        Inputs {
            logits: numbers(ROWS * N),
            lengths: vec![N as u32, N as u32, 50, N as u32],
            seeds: vec![1, 2, 3, 4],
            positions: vec![0, 5, 1 << 40, 7],
            histories,
            bias: (vec![0, 2, 2, 3, 3], vec![5, 6, 1], vec![9.5, f32::NEG_INFINITY, 1.0]),
            allowed,
        }
    }
}

/// Where a list's bytes lie for a call.
type Place<'a> = &'a mut dyn FnMut(&[u8]) -> *const u8;

/// In the host's memory: where they are.
const ON_HOST: fn(&[u8]) -> *const u8 = <[u8]>::as_ptr;

fn placed<T>(place: Place<'_>, list: &[T]) -> *const T {
    // SAFETY: plain numbers as their bytes.
    let bytes = unsafe { slice::from_raw_parts(list.as_ptr().cast(), size_of_val(list)) };
    place(bytes).cast()
}

impl Inputs {
    /// A call with these inputs.
    fn with(&self, call: aikf_sample_call, place: Place<'_>) -> aikf_sample_call {
        aikf_sample_call {
            input: placed(place, &self.logits).cast(),
            lengths: placed(place, &self.lengths),
            seeds: placed(place, &self.seeds),
            positions: placed(place, &self.positions),
            histories: placed(place, &self.histories),
            bias_starts: placed(place, &self.bias.0),
            bias_tokens: placed(place, &self.bias.1),
            bias_values: placed(place, &self.bias.2),
            allowed: placed(place, &self.allowed),
            ..call
        }
    }
}

/// Prepares, lets `use_it` use the handle, and frees it.
fn prepared(
    device: &Device,
    params: &[aikf_sampling_params],
    use_it: impl FnOnce(*mut aikf_sampler),
) {
    let (mut sampler, options) = (ptr::null_mut(), options());
    let (first, count) = (params.as_ptr(), params.len());
    // SAFETY: all pointers are to live variables.
    done(unsafe { aikf_sampler_prepare(device.0, &options, first, count, &mut sampler) });
    use_it(sampler);
    // SAFETY: prepared above, and nothing is in flight.
    unsafe { aikf_sampler_free(sampler) };
}

/// The outcome in the host's memory, by `aikf_sampler_sample` and by a prepared sampler.
fn on_host(device: &Device, inputs: &Inputs) -> Outcome {
    let (mut outcome, options) = (Outcome::new(), options());
    let call = inputs.with(outcome.call(), &mut { ON_HOST });
    // SAFETY: the lists have what the options say.
    done(unsafe { aikf_sampler_sample(device.0, &options, &params(), 1, &call) });
    outcome
}

/// The outcome of a prepared sampler on the emulator.
fn on_emulator(device: &Device, inputs: &Inputs) -> Outcome {
    let room = Outcome::new();
    let mut memory = vec![];
    let mut pointers = vec![];
    for bytes in [room.tokens.len(), ROWS, ROWS * DRAWS, ROWS * DRAWS, ROWS * TOP, ROWS * TOP] {
        memory.push(Memory::new(4 * bytes));
        pointers.push(memory.last().unwrap().pointer::<u32>());
    }
    let call = aikf_sample_call {
        tokens: pointers[0],
        status: pointers[1],
        logprobs: pointers[2].cast(),
        ranks: pointers[3],
        top_tokens: pointers[4],
        top_logprobs: pointers[5].cast(),
        ..no_call()
    };
    let mut kept = vec![];
    let call = inputs.with(call, &mut |bytes| {
        kept.push(Memory::of(bytes));
        kept.last().unwrap().pointer()
    });
    prepared(device, &[params(); ROWS], |sampler| {
        // SAFETY: the memory is as large, and the stream is waited for.
        on_stream(|stream| done(unsafe { aikf_sampler_run(sampler, &call, stream) }));
    });
    Outcome {
        tokens: memory[0].read(),
        status: memory[1].read(),
        logprobs: memory[2].read(),
        ranks: memory[3].read(),
        top_tokens: memory[4].read(),
        top_logprobs: memory[5].read(),
    }
}

#[test]
fn the_same_on_every_way() {
    let (cpu, emulator, inputs) = (Device::open("cpu"), Device::open("emulator"), Inputs::new());
    let expected = on_host(&cpu, &inputs);
    assert_eq!(expected.status, [0, 0, 0, aikf_row_status::AllMasked as u32]);
    assert_eq!(expected.tokens[3 * DRAWS..], [u32::MAX; DRAWS]);
    assert_eq!(expected.top_tokens[0], 5); // the bias of 9.5
    assert!(expected.tokens[2 * DRAWS..3 * DRAWS].iter().all(|&token| token < 50));
    assert_eq!(on_host(&emulator, &inputs), expected);
    assert_eq!(on_emulator(&emulator, &inputs), expected);
    let mut outcome = Outcome::new();
    let call = inputs.with(outcome.call(), &mut { ON_HOST });
    prepared(&cpu, &[params()], |sampler| {
        // SAFETY: the lists have what the options say.
        let run = |stream| unsafe { aikf_sampler_run(sampler, &call, stream) };
        failed(run(ptr::dangling_mut()), aikf_status::InvalidArgument, "have no streams");
        done(run(ptr::null_mut()));
    });
    assert_eq!(outcome, expected);
}

#[test]
fn greedy_and_a_mask_of_one() {
    let device = Device::open("cpu");
    let row = [0.5f32, 3.0, 3.0, 1.0];
    let options = aikf_sampler_options {
        rows: 1,
        n: 4,
        num_samples: 0,
        logprobs: aikf_logprobs::None as u32,
        ..options()
    };
    let greedy = aikf_sampling_params { temperature: 0.0, ..aikf_sampling_params_default() };
    let (mut token, mut status) = (9, 9);
    let plain = aikf_sample_call {
        input: row.as_ptr().cast(),
        tokens: &mut token,
        status: &mut status,
        ..no_call()
    };
    // SAFETY: all pointers are to live variables.
    let sample = |call| unsafe { aikf_sampler_sample(device.0, &options, &greedy, 1, call) };
    done(sample(&plain));
    assert_eq!((token, status), (1, 0));
    done(sample(&aikf_sample_call { allowed: &0b1001, ..plain }));
    assert_eq!(token, 3);
}

#[test]
fn other_parameters() {
    for name in ["cpu", "emulator"] {
        let device = Device::open(name);
        prepared(&device, &[params()], |sampler| {
            // SAFETY: all pointers are to live variables.
            let set = |params| unsafe { aikf_sampler_set_params(sampler, params, 1) };
            done(set(&aikf_sampling_params { top_k: 3, ..params() }));
            let wrong = aikf_sampling_params { top_p: 1.5, ..params() };
            failed(set(&wrong), aikf_status::Parameter, "top_p = 1.5");
            failed(set(ptr::null()), aikf_status::NullPointer, "params is null");
            // SAFETY: the handle is live.
            let explanation = text(unsafe { aikf_sampler_explain(sampler) });
            let word = if name == "cpu" { "the host's cores" } else { "launch sample" };
            assert!(explanation.contains(word), "{explanation}");
        });
    }
}

#[test]
fn workspaces() {
    let bytes_on = |name: &str| {
        let (device, mut bytes) = (Device::open(name), usize::MAX);
        let (options, params) = (options(), params());
        // SAFETY: all pointers are to live variables.
        done(unsafe { aikf_sampler_workspace_bytes(device.0, &options, &params, 1, &mut bytes) });
        bytes
    };
    assert_eq!(bytes_on("cpu"), 0);
    assert!(bytes_on("emulator") > 0);
}

#[test]
fn a_workspace_of_the_callers() {
    let (device, params) = (Device::open("emulator"), params());
    let options = aikf_sampler_options {
        num_samples: 1,
        logprobs: aikf_logprobs::None as u32,
        top_logprobs: 0,
        adjusted: 0,
        ..options()
    };
    let mut bytes = usize::MAX;
    // SAFETY: all pointers are to live variables.
    done(unsafe { aikf_sampler_workspace_bytes(device.0, &options, &params, 1, &mut bytes) });
    let memory = Memory::new(bytes + 8);
    let mut sampler = ptr::null_mut();
    let mut prepare = |workspace: *mut c_void, bytes| {
        let (device, sampler) = (device.0, &mut sampler);
        // SAFETY: the workspace is as large where it is not refused, and nobody else's.
        unsafe { aikf_sampler_prepare_in(device, &options, &params, 1, workspace, bytes, sampler) }
    };
    failed(prepare(ptr::null_mut(), bytes), aikf_status::NullPointer, "workspace is null");
    let askew = memory.pointer::<u8>().wrapping_add(4).cast();
    failed(prepare(askew, bytes), aikf_status::InvalidArgument, "multiple of 8");
    failed(prepare(memory.pointer(), bytes - 1), aikf_status::Buffer, "the workspace, in bytes,");
    done(prepare(memory.pointer(), bytes));
    let data = numbers(ROWS * N);
    let [mut expected, mut status] = [[0u32; ROWS]; 2];
    let call = aikf_sample_call {
        input: data.as_ptr().cast(),
        tokens: expected.as_mut_ptr(),
        status: status.as_mut_ptr(),
        ..no_call()
    };
    // SAFETY: the lists have what the options say.
    done(unsafe { aikf_sampler_sample(device.0, &options, &params, 1, &call) });
    let (input, tokens, status) = (Memory::of(&data), Memory::new(4 * ROWS), Memory::new(4 * ROWS));
    let (tokens_at, status_at) = (tokens.pointer(), status.pointer());
    let call = aikf_sample_call {
        input: input.pointer(),
        tokens: tokens_at,
        status: status_at,
        ..no_call()
    };
    // SAFETY: the memory is as large, and the stream is waited for.
    on_stream(|stream| done(unsafe { aikf_sampler_run(sampler, &call, stream) }));
    assert_eq!(tokens.read::<u32>(), expected);
    // SAFETY: prepared above, and nothing is in flight.
    unsafe { aikf_sampler_free(sampler) };
}

#[test]
fn wrong_options_get_their_numbers_back() {
    use aikf_status::{Buffer, InvalidArgument, Problem};
    let wrong = [
        (aikf_sampler_options { n: 0, ..options() }, Problem, "n = 0"),
        (aikf_sampler_options { rows: usize::MAX, ..options() }, Problem, "overflows"),
        (aikf_sampler_options { num_samples: 2000, ..options() }, Problem, "num_samples = 2000"),
        (aikf_sampler_options { top_logprobs: 701, ..options() }, Problem, "logprobs = 701"),
        (aikf_sampler_options { order: 3, ..options() }, InvalidArgument, "order is 3"),
        (aikf_sampler_options { dtype: 7, ..options() }, InvalidArgument, "dtype is 7"),
        (aikf_sampler_options { logprobs: 5, ..options() }, InvalidArgument, "logprobs is 5"),
        (aikf_sampler_options { adjusted: 2, ..options() }, InvalidArgument, "adjusted is 2"),
        (aikf_sampler_options { reserved: 1, ..options() }, InvalidArgument, "must be 0"),
        (aikf_sampler_options { struct_size: 0, ..options() }, InvalidArgument, "sizeof"),
    ];
    let params = [params(); 2];
    for name in ["cpu", "emulator"] {
        let device = Device::open(name);
        let prepare = |options: &aikf_sampler_options, count| {
            let mut sampler = ptr::dangling_mut();
            let params = params.as_ptr();
            // SAFETY: all pointers are to live variables.
            let status =
                unsafe { aikf_sampler_prepare(device.0, options, params, count, &mut sampler) };
            assert!(sampler.is_null());
            status
        };
        for (options, status, words) in &wrong {
            failed(prepare(options, 1), *status, words);
        }
        failed(prepare(&options(), 2), Buffer, "one, or one a row");
        failed(prepare(&options(), 0), Buffer, "one, or one a row");
    }
}

#[test]
fn wrong_calls_are_refused() {
    let (device, inputs, mut outcome) = (Device::open("cpu"), Inputs::new(), Outcome::new());
    let good = inputs.with(outcome.call(), &mut { ON_HOST });
    let (starts, words) = ([3u32, 0, 0, 0, 3], vec![u32::MAX; ROWS * N]);
    let null = aikf_status::NullPointer;
    let wrong = aikf_status::InvalidArgument;
    let calls = [
        (aikf_sample_call { input: ptr::null(), ..good }, null, "call.input"),
        (aikf_sample_call { tokens: ptr::null_mut(), ..good }, null, "call.tokens"),
        (aikf_sample_call { status: ptr::null_mut(), ..good }, null, "call.status"),
        (aikf_sample_call { ranks: ptr::null_mut(), ..good }, null, "call.ranks"),
        (aikf_sample_call { top_tokens: ptr::null_mut(), ..good }, null, "call.top_tokens"),
        (aikf_sample_call { bias_values: ptr::null(), ..good }, null, "bias_values"),
        (aikf_sample_call { struct_size: 3, ..good }, wrong, "call.struct_size is 3"),
        (aikf_sample_call { bias_starts: starts.as_ptr(), ..good }, wrong, "call.bias_starts"),
        (aikf_sample_call { histories: words.as_ptr(), ..good }, wrong, "at most 67108864"),
        (
            aikf_sample_call { input: good.input.wrapping_byte_add(2), ..good },
            wrong,
            "a multiple of 4",
        ),
    ];
    prepared(&device, &[params()], |sampler| {
        for (call, status, words) in &calls {
            // SAFETY: what is followed is live: the rest is refused.
            failed(unsafe { aikf_sampler_run(sampler, call, ptr::null_mut()) }, *status, words);
        }
        // SAFETY: null is refused.
        failed(unsafe { aikf_sampler_run(sampler, ptr::null(), ptr::null_mut()) }, null, "call");
    });
    let plain = aikf_sampler_options { adjusted: 0, ..options() };
    // SAFETY: the call is refused.
    let status = unsafe { aikf_sampler_sample(device.0, &plain, &params(), 1, &good) };
    failed(status, wrong, "call.histories is given: it must be NULL unless options.adjusted is 1");
}
