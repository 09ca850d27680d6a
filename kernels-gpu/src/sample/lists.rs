//! The lists of what `full_window` found in a row's window, by segment.
use cuda_std::global::GlobalArrayMut;

use super::piece::Piece;
use crate::prim::element::Element;
use crate::sampling::launch::LIST_WORDS;
use crate::sampling::segment::segments;

/// Words of a segment's list before its items.
const LIST_HEAD: u32 = 2;
/// Items of a segment's list.
pub const SEGMENT_LISTED_MAX: u32 = LIST_WORDS - LIST_HEAD;

/// The lists of a row's segments.
#[derive(Clone, Copy)]
pub struct Lists {
    words: GlobalArrayMut<u64>,
    /// The row's first word.
    first: u64,
}

impl Lists {
    /// Those of the row of `piece`; a row has room for the segments of `n` elements.
    ///
    /// # Safety
    /// - *in bounds*: `words` points to [`LIST_WORDS`] for each segment, aligned;
    /// - *no concurrent writer*: a list is written by one warp, and read behind a barrier.
    #[inline(always)]
    pub unsafe fn new<E: Element>(words: *mut u64, piece: &Piece<E>, n: u32) -> Self {
        let segments = segments(n);
        // SAFETY: the caller vouches for them.
        let words = unsafe { GlobalArrayMut::new(words) };
        Lists { words, first: piece.number as u64 * segments as u64 * LIST_WORDS as u64 }
    }

    #[inline(always)]
    fn place(&self, segment: u32, at: u32) -> u64 {
        self.first + segment as u64 * LIST_WORDS as u64 + at as u64
    }

    /// How many items a segment has in the window, perhaps more than are listed.
    #[inline(always)]
    pub fn count(&self, segment: u32) -> u32 {
        self.words.get(self.place(segment, 0)) as u32
    }

    /// What all of a segment's tokens weigh.
    #[inline(always)]
    pub fn all(&self, segment: u32) -> u64 {
        self.words.get(self.place(segment, 1))
    }

    /// An item.
    #[inline(always)]
    pub fn item(&self, segment: u32, at: u32) -> u64 {
        self.words.get(self.place(segment, LIST_HEAD + at))
    }

    /// Writes an item, if there is room for it.
    #[inline(always)]
    pub fn put(&self, segment: u32, at: u32, item: impl FnOnce() -> u64) {
        if at < SEGMENT_LISTED_MAX {
            self.words.set(self.place(segment, LIST_HEAD + at), item());
        }
    }

    /// Writes how many items a segment has in the window, and what all of its tokens weigh.
    #[inline(always)]
    pub fn close(&self, segment: u32, count: u32, all: u64) {
        self.words.set(self.place(segment, 0), count as u64);
        self.words.set(self.place(segment, 1), all);
    }
}
