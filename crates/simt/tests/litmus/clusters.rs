//! Clusters: what must pass, and planted bugs.
use simt::cluster::{self, arrive, rank, wait};
use simt::collective::block_sync;
use simt::index::{block_index, thread_index};
use simt::{FaultKind, Launch, shared};

use super::{fails, passes};

/// Four clusters of four blocks, a word of shared memory a block and a thread.
fn launch() -> Launch {
    Launch::new(16, 32, 4 * 4 * 32).cluster(4)
}

fn sync() {
    arrive();
    wait();
}

#[test]
fn blocks_write_to_each_other() {
    passes(&launch(), || {
        sync();
        for other in 0..4 {
            cluster::write(other, 4 * (32 * rank() + thread_index()), block_index());
        }
        sync();
        for other in 0..4u32 {
            let word: u32 = shared::read(4 * (32 * other + thread_index()));
            assert_eq!(word, block_index() / 4 * 4 + other);
        }
    });
}

#[test]
fn work_between_the_halves_is_done_before_the_others_write() {
    passes(&launch(), || {
        arrive();
        shared::write(4 * thread_index(), 0u32);
        block_sync();
        wait();
        let next = (rank() + 1) % 4;
        cluster::write(next, 4 * (32 + thread_index()), rank());
        sync();
        assert_eq!(shared::read::<u32>(4 * (32 + thread_index())), (rank() + 3) % 4);
    });
}

#[test]
fn finds_a_missing_barrier_behind_a_remote_write() {
    fails(FaultKind::Race, &["no barrier"], &launch(), || {
        let place = 4 * thread_index();
        shared::write(place, 0u32);
        sync();
        cluster::write((rank() + 1) % 4, place, 1u32);
        block_sync();
        let _: u32 = shared::read(place);
        sync();
    });
}

#[test]
fn finds_two_blocks_that_write_one_place() {
    fails(FaultKind::Race, &["writes shared bytes"], &launch(), || {
        sync();
        if thread_index() == 0 {
            cluster::write(0, 0, rank());
        }
        sync();
    });
}

#[test]
fn finds_a_write_before_the_others_have_started() {
    fails(FaultKind::Cluster, &["may not have started"], &launch(), || {
        cluster::write((rank() + 1) % 4, 4 * thread_index(), 1u32);
        sync();
    });
}

#[test]
fn finds_a_block_that_leaves_early() {
    fails(FaultKind::Cluster, &["ending"], &launch(), || {
        sync();
        if rank() > 0 {
            cluster::write(rank() - 1, 4 * thread_index(), 1u32);
            while thread_index() == 31 && rank() == 1 {
                simt::yield_now();
                cluster::write(0, 4 * thread_index(), 1u32);
            }
        }
    });
}

#[test]
fn finds_threads_that_do_not_come() {
    let words = ["wait for their cluster", "of block"];
    fails(FaultKind::Deadlock, &words, &Launch::new(2, 32, 0).cluster(2), || {
        if block_index() == 0 {
            sync();
        }
    });
}

#[test]
fn finds_halves_that_do_not_match() {
    let launch = Launch::new(2, 32, 0).cluster(2);
    fails(FaultKind::Cluster, &["twice"], &launch, || {
        arrive();
        arrive();
    });
    fails(FaultKind::Cluster, &["has not arrived"], &launch, || {
        wait();
    });
}
