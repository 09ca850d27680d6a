//! A row's parameters, as they lie in global memory.
use cuda_std::global::GlobalArray;

use crate::sampling::params::RowParams;

/// Words of a [`RowParams`].
const WORDS: u64 = size_of::<RowParams>() as u64 / 4;

/// Where the rows' parameters come from.
#[derive(Clone, Copy)]
pub struct RowTable {
    /// `[rows]`.
    pub rows: *const RowParams,
    /// `[rows]`, or null where the parameters' own seeds count.
    pub seeds: *const u64,
    /// `[rows]`, or null where the parameters' own positions count.
    pub positions: *const u64,
}

impl RowTable {
    /// How many candidates row number `number` has, as [`RowParams::sorted_k`] says.
    ///
    /// # Safety
    /// As for [`RowTable::get`].
    #[inline(always)]
    pub unsafe fn sorted_k(&self, number: u32) -> u32 {
        // SAFETY: the caller vouches for the parameters.
        let words = unsafe { GlobalArray::<u32>::new(self.rows.cast()) };
        let word = number as u64 * WORDS;
        RowParams::sorted_k_of(f32::from_bits(words.get(word + 4)), words.get(word + 10))
    }

    /// The parameters of row number `number`.
    ///
    /// # Safety
    /// - *in bounds*: the arrays have the shapes above, aligned for their types;
    /// - *no concurrent writer*: nothing writes them while the grid runs.
    #[inline(always)]
    pub unsafe fn get(&self, number: u32) -> RowParams {
        // SAFETY: the caller vouches for the parameters.
        let words = unsafe { GlobalArray::<u32>::new(self.rows.cast()) };
        // SAFETY: as above; a struct's first 16 bytes are two words of 64 bits.
        let longs = unsafe { GlobalArray::<u64>::new(self.rows.cast()) };
        let (word, long) = (number as u64 * WORDS, number as u64 * (WORDS / 2));
        let float = |at| f32::from_bits(words.get(word + at));
        RowParams {
            // SAFETY: the caller vouches for the seeds.
            seed: unsafe { or_own(self.seeds, number, || longs.get(long)) },
            // SAFETY: the caller vouches for the positions.
            position: unsafe { or_own(self.positions, number, || longs.get(long + 1)) },
            temperature: float(4),
            top_p: float(5),
            min_p_bound: float(6),
            repetition_penalty: float(7),
            frequency_penalty: float(8),
            presence_penalty: float(9),
            top_k: words.get(word + 10),
            reserved: 0,
        }
    }
}

/// An entry of an array, or the row's own where there is none.
///
/// # Safety
/// `list` is null, or *in bounds* for the entry, aligned, and has *no concurrent writer*.
#[inline(always)]
unsafe fn or_own(list: *const u64, number: u32, own: impl FnOnce() -> u64) -> u64 {
    if list.is_null() {
        return own();
    }
    // SAFETY: the caller vouches for the array.
    let list = unsafe { GlobalArray::new(list) };
    list.get(number as u64)
}
