//! Where a call's tokens go, and a row's places there.
use cuda_std::global::GlobalArrayMut;

use crate::sampling::params::RowStatus;

/// Where a call's tokens go; what is null is not wanted.
#[derive(Clone, Copy)]
pub struct Outputs {
    /// `[rows, num_samples]`.
    pub tokens: *mut u32,
    /// `[rows]`.
    pub status: *mut u32,
    /// Logarithms of the drawn tokens' probabilities, `[rows, num_samples]`.
    pub logprobs: *mut u32,
    /// The drawn tokens' places among the candidates, `[rows, num_samples]`.
    pub ranks: *mut u32,
    /// The best tokens, `[rows, top]`.
    pub top_tokens: *mut u32,
    /// Logarithms of their probabilities, `[rows, top]`.
    pub top_logprobs: *mut u32,
}

impl Outputs {
    /// Nothing is wanted.
    pub const NONE: Outputs = {
        let none = core::ptr::null_mut();
        Outputs {
            tokens: none,
            status: none,
            logprobs: none,
            ranks: none,
            top_tokens: none,
            top_logprobs: none,
        }
    };
}

/// A sample, as it is written.
#[derive(Clone, Copy)]
pub struct Drawn {
    /// The token.
    pub token: u32,
    /// Its place among the candidates, from 1.
    pub rank: u32,
    /// The logarithm of its probability.
    pub logprob: f32,
}

impl Drawn {
    /// No token.
    pub const NONE: Drawn = Drawn { token: u32::MAX, rank: 0, logprob: f32::NEG_INFINITY };
}

/// The places of one row.
pub struct RowOutputs {
    outputs: Outputs,
    number: u32,
    num_samples: u32,
}

impl RowOutputs {
    /// Those of row number `number`, of which so many samples are drawn.
    ///
    /// # Safety
    /// - *in bounds*: the outputs have the shapes above, aligned for their types; what is written
    ///   is at places below their widths;
    /// - *no concurrent writer*: nothing else touches the row's places, and each is written by one
    ///   thread.
    #[inline(always)]
    pub unsafe fn new(outputs: Outputs, number: u32, num_samples: u32) -> Self {
        RowOutputs { outputs, number, num_samples }
    }

    /// Draws of the row.
    #[inline(always)]
    pub fn num_samples(&self) -> u32 {
        self.num_samples
    }

    /// Whether logarithms of the drawn tokens' probabilities are wanted.
    #[inline(always)]
    pub fn wants_logprobs(&self) -> bool {
        !self.outputs.logprobs.is_null()
    }

    /// Whether logarithms of the best tokens' probabilities are wanted.
    #[inline(always)]
    pub fn wants_top_logprobs(&self) -> bool {
        !self.outputs.top_logprobs.is_null()
    }

    /// Writes one word of an output, where it is wanted.
    #[inline(always)]
    fn put(&self, output: *mut u32, width: u32, at: u32, word: u32) {
        if !output.is_null() {
            // SAFETY: `new`'s caller vouches for the outputs; a place is written by one thread.
            let output = unsafe { GlobalArrayMut::new(output) };
            output.set(self.number as u64 * width as u64 + at as u64, word);
        }
    }

    /// Writes what became of the row. By one thread.
    #[inline(always)]
    pub fn put_status(&self, status: RowStatus) {
        self.put(self.outputs.status, 1, 0, status as u32);
    }

    /// Writes a sample. By one thread.
    #[inline(always)]
    pub fn put_drawn(&self, sample: u32, drawn: Drawn) {
        let width = self.num_samples;
        self.put(self.outputs.tokens, width, sample, drawn.token);
        self.put(self.outputs.ranks, width, sample, drawn.rank);
        self.put(self.outputs.logprobs, width, sample, drawn.logprob.to_bits());
    }

    /// Writes that nothing can be drawn, by so many threads, of which this is number `first`.
    #[inline(always)]
    pub fn put_none(&self, first: u32, threads: u32) {
        let mut sample = first;
        while sample < self.num_samples {
            self.put_drawn(sample, Drawn::NONE);
            sample += threads;
        }
    }

    /// Writes one of the row's `width` best tokens. By one thread.
    #[inline(always)]
    pub fn put_top(&self, width: u32, at: u32, token: u32, logprob: f32) {
        self.put(self.outputs.top_tokens, width, at, token);
        self.put(self.outputs.top_logprobs, width, at, logprob.to_bits());
    }
}
