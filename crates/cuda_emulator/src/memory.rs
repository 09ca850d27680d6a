//! Device memory: the host's own, with a list of what is allocated.
//!
//! A device address is a host address, so kernels follow it without translation. The list is what
//! makes the memory behave like a device's: an access outside of it is found.

use std::alloc::{self, Layout};
use std::collections::BTreeMap;
use std::ops::Range;
use std::ptr::NonNull;

use cuda_loader::error::code;

use crate::device::TOTAL_MEMORY;

/// What fresh memory holds: bytes that make neither a zero nor a plausible number.
const POISON: u8 = 0xA5;

/// The alignment that CUDA promises.
const ALIGNMENT: usize = 256;

/// Who may free an allocation, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `cuMemAlloc` and its kin.
    Device,
    /// `cuMemAllocHost`.
    Host,
}

/// One allocation, freed when dropped.
struct Block {
    start: NonNull<u8>,
    layout: Layout,
    kind: Kind,
}

// SAFETY: a block owns its memory alone, and no thread keeps anything of its own in it.
unsafe impl Send for Block {}

impl Block {
    /// Allocates `bytes`, more than 0, and fills them with poison.
    fn new(bytes: usize, kind: Kind) -> Option<Block> {
        let layout = Layout::from_size_align(bytes, ALIGNMENT).ok()?;
        // SAFETY: the callers ask for more than 0 bytes.
        let start = NonNull::new(unsafe { alloc::alloc(layout) })?;
        // SAFETY: the allocation has `bytes` bytes.
        unsafe { start.write_bytes(POISON, bytes) };
        Some(Block { start, layout, kind })
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: `start` was allocated with this layout, and this is its only release.
        unsafe { alloc::dealloc(self.start.as_ptr(), self.layout) };
    }
}

/// All live allocations, by address.
#[derive(Default)]
pub(crate) struct Memory {
    blocks: BTreeMap<usize, Block>,
    live_bytes: usize,
}

impl Memory {
    /// Allocates `bytes`; the address, or CUDA's code.
    pub(crate) fn allocate(&mut self, bytes: usize, kind: Kind) -> Result<usize, u32> {
        if bytes == 0 {
            return Err(code::INVALID_VALUE);
        }
        if bytes > self.free_bytes() {
            return Err(code::OUT_OF_MEMORY);
        }
        let block = Block::new(bytes, kind).ok_or(code::OUT_OF_MEMORY)?;
        let address = block.start.as_ptr().expose_provenance();
        self.blocks.insert(address, block);
        self.live_bytes += bytes;
        Ok(address)
    }

    /// Frees the allocation that starts at `address`.
    pub(crate) fn free(&mut self, address: usize, kind: Kind) -> Result<(), u32> {
        match self.blocks.get(&address) {
            Some(block) if block.kind == kind => {
                self.live_bytes -= block.layout.size();
                self.blocks.remove(&address);
                Ok(())
            }
            _ => Err(code::INVALID_VALUE),
        }
    }

    /// Bytes that can still be allocated.
    pub(crate) fn free_bytes(&self) -> usize {
        TOTAL_MEMORY.saturating_sub(self.live_bytes)
    }

    /// Whether these bytes lie within one live allocation.
    pub(crate) fn contains(&self, address: usize, bytes: usize) -> bool {
        let before = self.blocks.range(..=address).next_back();
        before.is_some_and(|(start, block)| {
            let offset = address - start;
            offset <= block.layout.size() && bytes <= block.layout.size() - offset
        })
    }

    /// The addresses of all live allocations.
    pub(crate) fn ranges(&self) -> Vec<Range<usize>> {
        self.blocks.iter().map(|(&start, block)| start..start + block.layout.size()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_those_of_one_allocation() {
        let mut memory = Memory::default();
        let start = memory.allocate(100, Kind::Device).expect("100 bytes");
        assert!(memory.contains(start, 100) && memory.contains(start + 99, 1));
        assert!(!memory.contains(start, 101) && !memory.contains(start + 100, 1));
        assert!(!memory.contains(start - 1, 1) && !memory.contains(start, usize::MAX));
        assert_eq!(memory.ranges(), vec![start..start + 100; 1]);
    }

    #[test]
    fn what_was_not_allocated_cannot_be_freed() {
        let mut memory = Memory::default();
        let start = memory.allocate(100, Kind::Device).expect("100 bytes");
        assert_eq!(memory.free(start + 1, Kind::Device), Err(1));
        assert_eq!(memory.free(start, Kind::Host), Err(1));
        assert_eq!(memory.free(start, Kind::Device), Ok(()));
        assert_eq!(memory.free(start, Kind::Device), Err(1));
        assert_eq!(memory.free_bytes(), TOTAL_MEMORY);
    }

    #[test]
    fn the_impossible_is_refused() {
        let mut memory = Memory::default();
        assert_eq!(memory.allocate(0, Kind::Device), Err(1));
        assert_eq!(memory.allocate(usize::MAX, Kind::Device), Err(2));
    }
}
