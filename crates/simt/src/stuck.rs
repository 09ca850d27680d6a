//! Why nobody can run: who waits where, and for whom.
use std::fmt::Write;

use crate::fault::FaultKind;
use crate::memory::WARP;
use crate::rendezvous::{Group, Warp};
use crate::world::World;

impl World {
    /// Nobody can run: records why.
    pub(crate) fn record_stuck(&self) {
        match self.crossed_groups() {
            Some(message) => self.record(FaultKind::Divergence, message),
            None => {
                self.record(FaultKind::Deadlock, format!("no thread can run{}", who_waits(self)))
            }
        }
    }

    /// Two groups of one warp of which each waits for a lane in the other.
    fn crossed_groups(&self) -> Option<String> {
        for (place, block) in self.blocks.iter().enumerate() {
            for (number, warp) in block.warps.borrow().iter().enumerate() {
                let Some((a, b)) = warp.crossed() else {
                    continue;
                };
                let lane_zero = place as u32 * self.block_dim + number as u32 * WARP;
                let side = |group: &Group| {
                    let waiting = lane_zero + group.arrived.trailing_zeros();
                    let Group { op, mask, site, .. } = group;
                    format!("{} is in {op} with mask {mask:#010x} at {site}", self.name(waiting))
                };
                return Some(format!(
                    "{}, {}; each mask names lanes that wait in the other collective",
                    side(a),
                    side(b)
                ));
            }
        }
        None
    }
}

impl Warp {
    /// Two groups of which each waits for a lane in the other.
    fn crossed(&self) -> Option<(&Group, &Group)> {
        self.groups.iter().enumerate().find_map(|(place, a)| {
            let crosses = |b: &&Group| a.mask & b.arrived != 0 && b.mask & a.arrived != 0;
            self.groups[place + 1..].iter().find(crosses).map(|b| (a, b))
        })
    }
}

/// The places where threads wait, with how many wait there, as the end of a sentence.
pub(crate) fn who_waits(world: &World) -> String {
    let mut places: Vec<(String, u32)> = Vec::new();
    let mut add = |place: String, count: u32| match places.iter_mut().find(|known| known.0 == place)
    {
        Some(known) => known.1 += count,
        None => places.push((place, count)),
    };
    for block in &world.blocks {
        let barrier = block.barrier.borrow();
        let id = block.id.get();
        if let Some((op, site, _)) = barrier.first {
            add(format!("of block {id} wait in {op} at {site}"), barrier.arrived);
        }
        for group in block.warps.borrow().iter().flat_map(|warp| &warp.groups) {
            let Group { op, mask, site, .. } = group;
            add(
                format!("of block {id} wait in {op} with mask {mask:#010x} at {site}"),
                group.arrived.count_ones(),
            );
        }
        if block.ended.get() > 0 {
            add(format!("of block {id} have ended"), block.ended.get());
        }
    }
    for cluster in &world.clusters {
        for (slot, site) in cluster.waiting.borrow().iter() {
            let id = world.blocks[world.block_of(*slot) as usize].id.get();
            add(format!("of block {id} wait for their cluster at {site}"), 1);
        }
    }
    let mut text = String::new();
    for (place, count) in places {
        let _ = write!(text, "; {count} threads {place}");
    }
    if world.waiting_blocks.get() > 0 {
        let (waiting, resident) = (world.waiting_blocks.get(), world.blocks.len());
        let _ = write!(text, "; {waiting} blocks have not started, as {resident} can be resident");
    }
    text
}
