//! Sorting a warp's items in its registers.
//!
//! # Source
//! K. Batcher, "Sorting networks and their applications", 1968.
use cuda_std::unroll;
use cuda_std::warp::{FULL_MASK, WARP_SIZE, lane_id, warp_shuffle_xor, warp_shuffle_xor_u64};

/// What a warp sorts.
pub trait Item: Copy + PartialOrd {
    /// Its place on a line: no greater item has less.
    fn line(self) -> u32;

    /// That of the lane whose number differs in the bits of `lanes`. For the lanes of a warp
    /// together.
    fn of_lane_xor(self, lanes: u32) -> Self;
}

impl Item for u32 {
    #[inline(always)]
    fn line(self) -> u32 {
        self
    }

    #[inline(always)]
    fn of_lane_xor(self, lanes: u32) -> u32 {
        warp_shuffle_xor(FULL_MASK, self, lanes)
    }
}

impl Item for u64 {
    #[inline(always)]
    fn line(self) -> u32 {
        (self >> 32) as u32
    }

    #[inline(always)]
    fn of_lane_xor(self, lanes: u32) -> u64 {
        warp_shuffle_xor_u64(FULL_MASK, self, lanes)
    }
}

/// Sorts items, the greatest to lane 0: the lane's own, at most 8, a power of two, follow each
/// other. For the lanes of a warp together.
#[inline(always)]
pub fn warp_sort_descending<T: Item, const R: usize>(items: &mut [T; R]) {
    unroll!(i in 3 => {
        let size = 2 << i;
        if size < R {
            sort_stretches(items, size / 2, |at| at & size == 0);
        } else if size == R {
            sort_stretches(items, size / 2, |_| lane_id() & 1 == 0);
        }
    });
    let mut lanes = 2;
    while lanes <= WARP_SIZE {
        let descends = lane_id() & lanes == 0;
        let mut distance = lanes / 2;
        while distance > 0 {
            // The lower lane of a pair takes the greater where the stretch is to descend.
            let takes_greater = (lane_id() & distance == 0) == descends;
            unroll!(i in R => {
                let other = items[i].of_lane_xor(distance);
                if (other > items[i]) == takes_greater {
                    items[i] = other;
                }
            });
            distance /= 2;
        }
        sort_stretches(items, R / 2, |_| descends);
        lanes *= 2;
    }
}

/// Sorts each bitonic stretch of twice `stride` of the lane's items; `descends` is asked which way,
/// by the number of an item.
#[inline(always)]
fn sort_stretches<T: Item, const R: usize>(
    items: &mut [T; R],
    stride: usize,
    descends: impl Fn(usize) -> bool,
) {
    unroll!(step in 3 => {
        let stride = stride >> step;
        unroll!(i in R => {
            if stride > 0 && i & stride == 0 {
                let (first, second) = (items[i], items[i + stride]);
                if (second > first) == descends(i) {
                    (items[i], items[i + stride]) = (second, first);
                }
            }
        });
    });
}
