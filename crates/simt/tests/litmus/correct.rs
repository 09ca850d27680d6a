//! Programs that must pass under every schedule.
use simt::collective::{
    Reduce, block_and, block_count, block_or, block_sync, warp_ballot, warp_match_any,
    warp_match_any_u64, warp_reduce, warp_shuffle, warp_sync,
};
use simt::index::{block_dim, block_index, grid_dim, lane, thread_index};
use simt::{Launch, global, launch, shared, yield_now};

use super::{ALL, SEEDS, passes, schedules};

#[test]
fn every_thread_knows_its_place() {
    let mut seen = vec![0u32; 5 * 48];
    let place = seen.as_mut_ptr();
    passes(&Launch::new(5, 48, 0), || {
        assert_eq!((block_dim(), grid_dim()), (48, 5));
        assert_eq!(lane(), thread_index() % 32);
        let index = (block_index() * block_dim() + thread_index()) as usize;
        let place = place.wrapping_add(index);
        // SAFETY: one element for each thread of the grid.
        unsafe { global::update(place, |count: u32| count + 1) };
    });
    assert!(seen.iter().all(|count| u64::from(*count) == SEEDS + 1));
}

#[test]
fn barriers_order_a_reversal() {
    passes(&Launch::new(3, 96, 4 * 96), || {
        let thread = thread_index();
        for round in 0..4 {
            shared::write(4 * thread, thread + round);
            block_sync();
            let mirrored: u32 = shared::read(4 * (95 - thread));
            assert_eq!(mirrored, 95 - thread + round);
            block_sync();
        }
    });
}

#[test]
fn block_votes() {
    passes(&Launch::new(2, 64, 0), || {
        let thread = thread_index();
        assert_eq!(block_count(thread < 10), 10);
        assert!(block_or(thread == 63));
        assert!(!block_or(false));
        assert!(block_and(true));
        assert!(!block_and(thread != 5));
    });
}

#[test]
fn warp_exchanges() {
    passes(&Launch::new(1, 64, 0), || {
        let lane = lane();
        assert_eq!(warp_shuffle(ALL, lane * 10, lane ^ 1), (lane ^ 1) * 10);
        assert_eq!(warp_ballot(ALL, lane < 4), 0b1111);
        assert_eq!(warp_match_any(ALL, lane % 2), 0x5555_5555 << (lane % 2));
        let wide = u64::from(lane / 16) << 40;
        assert_eq!(warp_match_any_u64(ALL, wide), 0xffff << (lane / 16 * 16));
        assert_eq!(warp_reduce(ALL, lane, Reduce::Add), 496);
        assert_eq!(warp_reduce(ALL, lane, Reduce::Max), 31);
        assert_eq!(warp_reduce(ALL, lane + 3, Reduce::Min), 3);
        assert_eq!(warp_reduce(ALL, lane, Reduce::Or), 31);
        assert_eq!(warp_reduce(ALL, lane | 8, Reduce::And), 8);
        assert_eq!(warp_reduce(ALL, 1 << lane, Reduce::Xor), ALL);
    });
}

/// A group may meet again before another group of the same line has met at all.
#[test]
fn disjoint_groups_share_a_source_line() {
    passes(&Launch::new(1, 32, 0), || {
        let group = warp_match_any(ALL, lane() % 3);
        for _ in 0..=lane() % 3 {
            assert_eq!(warp_reduce(group, 1, Reduce::Add), group.count_ones());
        }
        warp_sync(ALL);
    });
}

#[test]
fn warp_sync_orders_its_lanes() {
    passes(&Launch::new(1, 64, 4 * 64), || {
        let thread = thread_index();
        shared::write(4 * thread, thread);
        warp_sync(ALL);
        assert_eq!(shared::read::<u32>(4 * (thread ^ 1)), thread ^ 1);
        warp_sync(ALL);
        // Pairs of lanes, each with its own mask.
        let pair = 0b11 << (lane() & !1);
        shared::write(4 * (thread ^ 1), thread);
        warp_sync(pair);
        assert_eq!(shared::read::<u32>(4 * thread), thread ^ 1);
    });
}

/// Lane 0 meets lane 1, then lane 1 meets lane 2: lane 2 may read what lane 0 wrote.
#[test]
fn order_goes_along_a_chain_of_warp_syncs() {
    let meet = |mask| warp_sync(mask);
    passes(&Launch::new(1, 32, 4), || match lane() {
        0 => {
            shared::write(0, 1u32);
            meet(0b011);
        }
        1 => {
            meet(0b011);
            meet(0b110);
        }
        2 => {
            meet(0b110);
            assert_eq!(shared::read::<u32>(0), 1);
        }
        _ => {}
    });
}

#[test]
fn atomics_do_not_race() {
    passes(&Launch::new(2, 128, 4 * 8), || {
        let thread = thread_index();
        if thread < 8 {
            shared::write(4 * thread, 0u32);
        }
        block_sync();
        shared::update(4 * (thread % 8), |count: u32| count + 1);
        block_sync();
        assert_eq!(shared::read::<u32>(4 * (thread % 8)), 16);
    });
}

#[test]
fn neighbouring_bytes_do_not_race() {
    passes(&Launch::new(1, 64, 64), || {
        let thread = thread_index();
        shared::write(thread, thread as u8);
        block_sync();
        let four: [u8; 4] = shared::read::<u32>(thread & !3).to_le_bytes();
        assert_eq!(u32::from(four[(thread & 3) as usize]), thread);
    });
}

#[test]
fn vectors_move_in_one_access() {
    passes(&Launch::new(1, 32, 16 * 32), || {
        let thread = thread_index();
        shared::write(16 * thread, [thread; 4]);
        warp_sync(ALL);
        assert_eq!(shared::read::<[u32; 4]>(16 * (31 - thread)), [31 - thread; 4]);
        assert_eq!(shared::read::<u32>(16 * (31 - thread) + 8), 31 - thread);
    });
}

/// A later block waits for an earlier ticket, whatever order the blocks start in.
#[test]
fn a_chain_of_blocks_by_tickets() {
    let (blocks, threads) = (12, 32);
    for schedule in schedules() {
        let mut words = [0u32; 2];
        let (ticket, turn) = (&raw mut words[0], &raw mut words[1]);
        let launch = Launch::new(blocks, threads, 4).schedule(schedule);
        let outcome = simt::launch(&launch, || {
            if thread_index() == 0 {
                // SAFETY: the word outlives the launch.
                let mine = unsafe { global::update(ticket, |ticket| ticket + 1) };
                // SAFETY: as above.
                while unsafe { global::load_acquire(turn) } != mine {}
                // SAFETY: as above.
                unsafe { global::store_release(turn, mine + 1) };
            }
            block_sync();
        });
        outcome.unwrap_or_else(|fault| panic!("{fault}"));
        assert_eq!(words, [blocks, blocks]);
    }
}

#[test]
fn waiting_by_yield() {
    let mut flag = 0u32;
    let place = &raw mut flag;
    passes(&Launch::new(1, 64, 0), || {
        if thread_index() == 63 {
            // SAFETY: the flag outlives the launch.
            unsafe { global::write(place, 1) };
        }
        // SAFETY: as above.
        while unsafe { global::read(place) } == 0 {
            yield_now();
        }
    });
}

#[test]
fn an_empty_grid_does_nothing() {
    let stats = launch(&Launch::new(0, 32, 0), || unreachable!()).unwrap();
    assert_eq!(stats, simt::Stats::default());
}

#[test]
fn stats_count() {
    let stats = launch(&Launch::new(6, 32, 128), || {
        shared::write(4 * thread_index(), 0u32);
        block_sync();
    })
    .unwrap();
    assert_eq!((stats.threads, stats.accesses), (6 * 32, 6 * 32));
    assert_eq!(stats.switches, 2 * 6 * 32);
}
