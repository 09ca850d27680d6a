//! What is wanted of a selection.
use std::ffi::c_char;

use aikf_topk::{Backend, Dtype, Index, Problem, TopK};

use super::arguments::{flag, knobs, one_of, reference, struct_size, text};
use super::status::Fault;

/// The type of the rows' elements.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum aikf_dtype {
    /// `float`.
    F32 = 0,
    /// IEEE's 16-bit float.
    F16 = 1,
    /// bfloat16.
    Bf16 = 2,
}

impl aikf_dtype {
    /// The type that a number stands for.
    pub(crate) fn read(number: u32) -> Result<Dtype, Fault> {
        let table = [
            (aikf_dtype::F32 as u32, Dtype::F32),
            (aikf_dtype::F16 as u32, Dtype::F16),
            (aikf_dtype::Bf16 as u32, Dtype::Bf16),
        ];
        let legal = "it must be AIKF_DTYPE_F32, AIKF_DTYPE_F16 or AIKF_DTYPE_BF16";
        one_of("options.dtype", number, &table, legal)
    }
}

/// The type of indices.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum aikf_index {
    /// `uint32_t`; no index is `UINT32_MAX`, which is -1 to those who read `int32_t`.
    U32 = 0,
    /// `int64_t`, as PyTorch has them; no index is -1.
    I64 = 1,
}

/// What is wanted of a selection. Zero is the default of every field from `row_stride` on, but for
/// `k`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct aikf_topk_options {
    /// `sizeof(aikf_topk_options)`.
    pub struct_size: usize,
    /// Rows.
    pub rows: usize,
    /// Elements in a row, below 2^31.
    pub n: usize,
    /// Elements from one row's start to the next; 0 stands for `n`.
    pub row_stride: usize,
    /// Wanted elements a row, 1 to `n`.
    pub k: usize,
    /// The elements' type, an `aikf_dtype`.
    pub dtype: u32,
    /// The indices' type, an `aikf_index`.
    pub index: u32,
    /// 1 for the smallest, 0 for the greatest. NaN is the greatest in both.
    pub smallest: u32,
    /// 1 spares the order of the answer: the same elements in an order that depends on `k` alone.
    pub unsorted: u32,
    /// "auto", "singlepass", "stream", "streaming", "radix", "torch" or "cpu"; NULL is what the
    /// environment says (AIKF_TOPK_IMPL), else "auto".
    pub backend: *const c_char,
    /// Tuning knobs, such as "stage1_warps=8,stage2_tile=512"; NULL for none. They change speed,
    /// never an answer.
    pub knobs: *const c_char,
}

/// Options as the library has them. Of `problem`, all counts.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub topk: TopK,
    pub problem: Problem,
}

impl Wish {
    /// Reads and checks the options.
    ///
    /// # Safety
    /// The pointer is null or that of live options, whose texts are null or end in a zero byte.
    pub(crate) unsafe fn read(options: *const aikf_topk_options) -> Result<Wish, Fault> {
        // SAFETY: the caller's duty, unchanged.
        let options = unsafe { reference("options", options) }?;
        struct_size::<aikf_topk_options>("options.struct_size", options.struct_size)?;
        let problem = options.problem()?;
        let mut topk = TopK::new(problem.k).largest(problem.largest).sorted(problem.sorted);
        // SAFETY: the caller's duty, unchanged.
        if let Some(name) = unsafe { text("options.backend", options.backend) }? {
            let backend = name.parse::<Backend>();
            let fault = |legal| Fault::argument("options.backend", format!("{name:?}"), legal);
            topk = topk.backend(backend.map_err(fault)?);
        }
        // SAFETY: the caller's duty, unchanged.
        let set = unsafe { text("options.knobs", options.knobs) }?;
        for (knob, value) in knobs(set.unwrap_or_default())? {
            topk = topk.knob(knob, value)?;
        }
        problem.validate()?;
        Ok(Wish { topk, problem })
    }
}

impl aikf_topk_options {
    fn problem(&self) -> Result<Problem, Fault> {
        let indices = [(aikf_index::U32 as u32, Index::U32), (aikf_index::I64 as u32, Index::I64)];
        let legal = "it must be AIKF_INDEX_U32 or AIKF_INDEX_I64";
        let dtype = aikf_dtype::read(self.dtype)?;
        Ok(Problem {
            row_stride: stride(self.row_stride, self.n),
            largest: !flag("options.smallest", self.smallest)?,
            sorted: !flag("options.unsorted", self.unsorted)?,
            index: one_of("options.index", self.index, &indices, legal)?,
            ..Problem::new(dtype, self.rows, self.n, self.k)
        })
    }
}

/// The distance of rows, where 0 stands for their length.
pub(crate) fn stride(given: usize, n: usize) -> usize {
    if given == 0 { n } else { given }
}
