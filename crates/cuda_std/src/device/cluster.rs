//! Clusters: blocks of one launch that run at the same time and reach each other's shared memory.
//!
//! From compute capability 9.0 on a launch may join so many consecutive blocks to a cluster. A
//! block knows its rank in it, waits for the others with [`sync_cluster`], and writes to their
//! shared memory through a [`RemoteArray`]. Reading one's own memory after a barrier is an ordinary
//! [`SharedArray`] access. A kernel that uses any of it says `since sm90` ([`crate::kernels`]).
//!
//! | rule | why |
//! |---|---|
//! | no remote access before a barrier of the cluster | the other block may not have started |
//! | none behind a block's last barrier | the other block may have ended, and its memory with it |
use core::marker::PhantomData;

use crate::backend::{self, Word};
use crate::shared::SharedArray;

/// This block's number in its cluster.
#[inline(always)]
pub fn cluster_block_rank() -> u32 {
    backend::cluster_rank()
}

/// Blocks of the cluster.
#[inline(always)]
pub fn cluster_block_count() -> u32 {
    backend::cluster_size()
}

/// Tells the cluster's other blocks that this thread has come here; what it wrote before is visible
/// to whoever waits for it. Every thread of the cluster; followed by [`wait_for_cluster`].
#[inline(always)]
#[track_caller]
pub fn arrive_at_cluster() {
    backend::cluster_arrive();
}

/// As [`arrive_at_cluster`], but that nothing it wrote need be visible to anybody: spares a fence
/// where it wrote nothing yet. (The emulator makes no difference.)
#[inline(always)]
#[track_caller]
pub fn arrive_at_cluster_relaxed() {
    backend::cluster_arrive_relaxed();
}

/// Waits until every thread of the cluster has arrived. Every thread of the cluster.
#[inline(always)]
#[track_caller]
pub fn wait_for_cluster() {
    backend::cluster_wait();
}

/// A barrier of the cluster: shared memory written before it is visible to all its blocks after it.
/// Every thread of the cluster.
#[inline(always)]
#[track_caller]
pub fn sync_cluster() {
    backend::cluster_arrive();
    backend::cluster_wait();
}

/// An array in the shared memory of a block of the cluster, to be written.
#[derive(Clone, Copy)]
pub struct RemoteArray<T> {
    address: u32,
    element: PhantomData<*mut T>,
}

impl<T: Word> RemoteArray<T> {
    /// What `array` is in the shared memory of the block with this rank.
    ///
    /// # Safety
    /// - the cluster has a block of this rank;
    /// - *no concurrent writer*: between two barriers of the cluster a place is written by one
    ///   thread of it, and read by none. (Checked: simt.)
    #[inline(always)]
    pub unsafe fn new(array: SharedArray<T>, rank: u32) -> Self {
        RemoteArray { address: backend::cluster_map(array.address(), rank), element: PhantomData }
    }

    /// Sets element `index`.
    #[inline(always)]
    #[track_caller]
    pub fn set(self, index: u32, value: T) {
        T::cluster_store(self.address + index * size_of::<T>() as u32, value);
    }
}
