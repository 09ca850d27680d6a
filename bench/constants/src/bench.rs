//! The memory that the kernels work on, and what a kernel must have written.
use anyhow::{Result, ensure};
use constants_kernels::{BINS, FILL_FACTOR, PER_ROUND};
use cuda_loader::DevicePtr;
use cuda_loader::api::DeviceAttribute;

use crate::gpu::{Gpu, Launch, Time};

/// Words that kernels write to, enough for every thread of a block and every warp of a grid.
const OUT_WORDS: usize = 1 << 16;
/// Bytes of a vector.
pub const VECTOR_BYTES: u64 = 16;

/// How much is done.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Bytes that reads from memory take their windows from: many times what the cache holds.
    pub pool_bytes: u64,
    /// Bytes behind them that are read before each replay, so that the cache has nothing else.
    pub flush_bytes: u64,
    /// Launches in a graph.
    pub launches: usize,
    /// Replays that count.
    pub replays: usize,
    /// Rounds of a kernel.
    pub rounds: u32,
    /// No window is larger.
    pub window_bytes_max: u64,
    /// No grid has more blocks.
    pub blocks_max: u32,
}

impl Effort {
    /// For a GPU.
    pub const FULL: Effort = Effort {
        pool_bytes: 768 << 20,
        flush_bytes: 256 << 20,
        launches: 50,
        replays: 15,
        rounds: 64,
        window_bytes_max: 256 << 20,
        blocks_max: u32::MAX,
    };
    /// For the emulator: everything once or twice.
    pub const TINY: Effort = Effort {
        pool_bytes: 64 << 10,
        flush_bytes: 16 << 10,
        launches: 2,
        replays: 1,
        rounds: 2,
        window_bytes_max: 16 << 10,
        blocks_max: 3,
    };
}

/// A GPU and its memory, ready to measure.
#[derive(Debug)]
pub struct Bench {
    pub(crate) gpu: Gpu,
    pub(crate) effort: Effort,
    /// Multiprocessors, or fewer where the effort is small.
    pub(crate) multiprocessors: u32,
    /// `pool_bytes` and `flush_bytes`, filled.
    pool: DevicePtr,
    pub(crate) out: DevicePtr,
    pub(crate) parts: DevicePtr,
    pub(crate) tickets: DevicePtr,
}

impl Bench {
    /// Allocates and fills.
    pub fn new(gpu: Gpu, effort: Effort) -> Result<Bench> {
        let bytes = effort.pool_bytes + effort.flush_bytes;
        let (pool, out) = (gpu.memory(bytes as usize)?, gpu.memory(4 * OUT_WORDS)?);
        let (parts, tickets) = (gpu.memory(4 * OUT_WORDS)?, gpu.memory(4)?);
        let multiprocessors = gpu.attribute(DeviceAttribute::MULTIPROCESSOR_COUNT)?;
        let multiprocessors = multiprocessors.min(effort.blocks_max);
        let fill = Launch::new("fill", 4 * multiprocessors, 256, &[pool.0, bytes / 4]);
        // SAFETY: allocated just now, with one word.
        unsafe { gpu.clear(tickets, 4) }?;
        // SAFETY: the pool has that many bytes.
        unsafe { gpu.run(&[fill]) }?;
        Ok(Bench { gpu, effort, multiprocessors, pool, out, parts, tickets })
    }

    /// The time of one of these launches; with `flush`, the cache has nothing of theirs before.
    ///
    /// # Safety
    /// The launches keep the kernels' contracts.
    pub(crate) unsafe fn time(&self, launches: &[Launch], flush: bool) -> Result<Time> {
        let Effort { pool_bytes, flush_bytes, replays, .. } = self.effort;
        let other = self.read("read_u4", (2 * self.multiprocessors, 512), pool_bytes, flush_bytes);
        let before = if flush { vec![other] } else { vec![] };
        // SAFETY: the caller's duty; the flush reads what the pool has behind its windows.
        unsafe { self.gpu.time(launches, &before, replays) }
    }

    /// Nanoseconds of one of a kernel's things in a block of so many threads: of many rounds less
    /// those of none. `more` are its arguments behind output and rounds.
    pub(crate) fn thing_ns(
        &self,
        kernel: &'static str,
        threads: u32,
        more: &[u64],
        expected: impl Fn(u32) -> u32,
    ) -> Result<Time> {
        assert!(threads as usize <= OUT_WORDS);
        let time = |rounds: u32| -> Result<Time> {
            let arguments = [&[self.out.0, u64::from(rounds)], more].concat();
            let shared_bytes = 4 * BINS;
            let launch = Launch { shared_bytes, ..Launch::new(kernel, 1, threads, &arguments) };
            // SAFETY: the output has a word for each thread, and the block has its bins.
            let time = unsafe { self.time(&vec![launch; self.effort.launches], false) }?;
            self.check(kernel, 1, |_| expected(rounds * PER_ROUND))?;
            Ok(time)
        };
        let (none, many) = (time(0)?, time(self.effort.rounds)?);
        let things = f64::from(self.effort.rounds * PER_ROUND);
        let of_one = |many: f64, none: f64| (many - none) * 1e3 / things;
        Ok(Time {
            median_us: of_one(many.median_us, none.median_us),
            least_us: of_one(many.least_us, none.least_us),
        })
    }

    /// A launch that reads a window of the pool.
    fn read(
        &self,
        kernel: &'static str,
        (grid, block): (u32, u32),
        first_byte: u64,
        bytes: u64,
    ) -> Launch {
        let window = self.pool.byte_add(first_byte as usize);
        Launch::new(kernel, grid, block, &[window.0, self.out.0, bytes / VECTOR_BYTES])
    }

    /// The time of reading so many bytes: again and again the same, or others each time, from
    /// memory.
    pub(crate) fn read_time(
        &self,
        kernel: &'static str,
        shape: (u32, u32),
        bytes: u64,
        from_memory: bool,
    ) -> Result<Time> {
        let warps = shape.0 as usize * shape.1 as usize / 32;
        assert!(warps <= OUT_WORDS && bytes <= self.effort.pool_bytes);
        let windows = if from_memory { self.effort.pool_bytes / bytes } else { 1 };
        let first_byte = |number: usize| number as u64 % windows * bytes;
        let launch = |number| self.read(kernel, shape, first_byte(number), bytes);
        let launches: Vec<Launch> = (0..self.effort.launches).map(launch).collect();
        // SAFETY: the windows lie in the pool; the output has a word for each warp.
        let time = unsafe { self.time(&launches, from_memory) }?;
        // SAFETY: the output has that many words, and nothing runs.
        let sums = unsafe { self.gpu.download(self.out, warps) }?;
        let sum = sums.into_iter().fold(0, u32::wrapping_add);
        let right = sum_of_words(first_byte(launches.len() - 1) / 4, bytes / 4);
        ensure!(sum == right, "{kernel} {shape:?}: read {sum:#x}, and {right:#x} is there");
        Ok(time)
    }

    /// Whether a kernel has written what it must to the output's first words.
    pub(crate) fn check(
        &self,
        what: &str,
        words: usize,
        expected: impl Fn(usize) -> u32,
    ) -> Result<()> {
        // SAFETY: the output has more words, and nothing runs.
        let there = unsafe { self.gpu.download(self.out, words) }?;
        for (at, word) in there.into_iter().enumerate() {
            let right = expected(at);
            ensure!(word == right, "{what}: word {at} is {word:#x}, and must be {right:#x}");
        }
        Ok(())
    }
}

/// The sum of `count` words of the pool, from number `first` on.
fn sum_of_words(first: u64, count: u64) -> u32 {
    let (first, count) = (u128::from(first), u128::from(count));
    let numbers = count * first + count * count.saturating_sub(1) / 2;
    (numbers as u32).wrapping_mul(FILL_FACTOR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_of_the_words() {
        let word = |number: u64| (number as u32).wrapping_mul(FILL_FACTOR);
        for (first, count) in [(0, 0), (0, 1), (5, 1), (7, 1000), (1 << 28, 4096)] {
            let sum = (first..first + count).map(word).fold(0, u32::wrapping_add);
            assert_eq!(sum_of_words(first, count), sum, "{first} {count}");
        }
    }
}
