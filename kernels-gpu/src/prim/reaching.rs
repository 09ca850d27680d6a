//! What reaches the bound of a row that a block holds, or the blocks of a cluster, put together in
//! shared memory.
use cuda_std::shared::SharedArray;
use cuda_std::thread::sync_threads;

use super::census::Census;
use super::compact::Compact;
use super::held::{HeldRow, Places};
use super::pivots::{Bound, Pivots, find_bound};

/// Puts elements together among which are the best `k` of a row of `n`, at most `room`; all where
/// the row has no more. Each block puts its own, from the first place of `list` on. How many they
/// are in all. `sample` takes the row's sample, and those who hold the row have room for
/// `held_max`. For them all together; ends with a barrier of the block.
#[inline(always)]
pub fn put_together<E: Compact>(
    held: &HeldRow<'_, E, 1>,
    census: &mut impl Census,
    sample: impl FnOnce() -> Pivots,
    list: SharedArray<E::Packed>,
    (k, room): (u32, u32),
    (n, held_max): (u32, u32),
) -> u32 {
    let mut count = n;
    if n <= room {
        let slot = census.slot_of_new(held.own_reaching(0));
        held.put_reaching(0, slot, list);
    } else {
        let pivots = sample();
        let bound = find_bound::<E, _>(held, held.flip, &pivots, census, (k, room), (n, held_max));
        if bound.count <= room {
            // What was counted last.
            let slot = census.slot(bound.own);
            held.put_reaching(bound.step, slot, list);
            count = bound.count;
        } else {
            let chosen = better_and_first(held, census, bound, k);
            let slot = census.slot_of_new(chosen.own_count());
            held.put(&chosen, slot, list);
            count = k;
        }
    }
    // Separates the items from their order.
    sync_threads();
    count
}

/// The elements that are better than the bound, and the first of its equals, `k` in all. For all
/// who hold the row together, with a barrier.
#[inline(always)]
fn better_and_first<E: Compact>(
    held: &HeldRow<'_, E, 1>,
    census: &mut impl Census,
    bound: Bound,
    k: u32,
) -> Places<1> {
    let better = if bound.better > 0 { held.places_reaching(bound.step + 1) } else { Places::NONE };
    let equal = held.places_reaching(bound.step).without(&better);
    let count = equal.count();
    let needed = (k - bound.better).saturating_sub(census.before(count));
    if needed == 0 {
        better
    } else if count <= needed {
        better.with(&equal)
    } else {
        better.with(&held.first_of(&equal, needed))
    }
}
