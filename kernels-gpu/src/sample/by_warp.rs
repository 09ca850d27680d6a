//! The end of kernels whose warps draw from the rows that they hold.
use cuda_std::shared::SharedArray;
use cuda_std::unroll;
use cuda_std::warp::{FULL_MASK, WARP_SIZE, lane_id, sync_warp};

use super::candidates::{Candidates, Found};
use super::outputs::{Outputs, RowOutputs};
use super::rows::RowTable;
use crate::params::Flip;
use crate::prim::answer::sort_of_warp;
use crate::prim::element::Element;
use crate::sampling::filter::RowFilter;
use crate::sampling::launch::WarpSampleParams;

/// What a launch draws by, and where to.
pub struct WarpSampling {
    /// The rows' parameters.
    pub table: RowTable,
    /// The outputs, of which the best tokens are not wanted.
    pub outputs: Outputs,
    /// The launch's scalars.
    pub params: WarpSampleParams,
}

impl WarpSampling {
    /// Whether row number `number` has candidates to draw from.
    ///
    /// # Safety
    /// As for [`WarpSampling::draw`].
    #[inline(always)]
    pub unsafe fn is_wanted(&self, number: u32) -> bool {
        // SAFETY: the caller vouches for the table.
        unsafe { self.table.sorted_k(number) > 0 }
    }

    /// Draws the tokens of row number `number`, of `n` elements, from its `count` candidates, which
    /// `order` puts in order. For the lanes of a warp together.
    ///
    /// # Safety
    /// - the launch keeps the contract of its kernel;
    /// - *in bounds*: table and outputs have the shapes of [`super::rows`] and [`super::outputs`],
    ///   aligned for their types, and a row of this number;
    /// - *no concurrent writer*: nothing writes the table, nothing else touches the row's outputs.
    #[inline(always)]
    pub unsafe fn draw<E: Element>(
        &self,
        (number, n): (u32, u32),
        items: SharedArray<u64>,
        count: u32,
        has_nan: bool,
        order: impl FnOnce(),
    ) {
        // On its way while the candidates are ordered.
        // SAFETY: the caller vouches for the table.
        let row = unsafe { self.table.get(number) };
        order();
        // SAFETY: the caller vouches for the outputs.
        let out = unsafe { RowOutputs::new(self.outputs, number, self.params.num_samples) };
        let wanted = row.sorted_k().min(self.params.short.k);
        let found = Found::new::<E>(items, count, wanted, has_nan);
        if lane_id() == 0 {
            out.put_status(found.status);
        }
        if found.count > 0 {
            let filter = RowFilter::new(&row, self.params.order, found.max, n);
            Candidates::<E>::new(items, filter).draw_few(&row, found.count, &out);
        } else {
            out.put_none(lane_id(), WARP_SIZE);
        }
    }
}

/// Writes a warp's `count` items to `list`, best first. `items` are this lane's, 0 where it lacks
/// one, of indices below 2^16; `list` is the same in all lanes. For the lanes of a warp together.
#[inline(always)]
pub fn put_in_order<E: Element, const R: usize>(
    items: [u64; R],
    list: SharedArray<u64>,
    count: u32,
) {
    let items = sort_of_warp::<E, R>(items, Flip::LARGEST);
    // Separates the list's reads from what is written there.
    sync_warp(FULL_MASK);
    unroll!(i in R => {
        let rank = lane_id() * R as u32 + i as u32;
        if rank < count {
            list.set(rank, items[i]);
        }
    });
    // Separates the ordered items from their use.
    sync_warp(FULL_MASK);
}
