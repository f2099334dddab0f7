//! Which tasks other threads woke: a bitmap of three levels, set by anyone, drained by the owner.
//!
//! A task's index is a bit of a word, a word is a bit of its chunk's summary, and a chunk is a bit
//! of `top`, which it shares with every 64th other. Chunks are added by the owner and never freed,
//! so the memory is bounded by the most tasks there ever were, however often they are woken.
//!
//! # The protocol
//!
//! A setter goes from the bottom to the top and stops at the first level that somebody else had
//! already set: word, summary, `top`. If it found its word empty it then notifies the owner
//! (`ParkState::notify`), last of all. The owner clears from the top to the bottom. So this holds
//! at any moment, for a word against its summary bit and for a summary against its bit of `top`:
//!
//! > What is not 0 below is marked above, or the setter that found it 0 is on its way to mark it
//! > and will notify afterwards, or the owner took the mark and is on its way down to it.
//!
//! A setter that finds its word in use may therefore leave at once: its bit is drained with the
//! others. For that it must find out by the read-modify-write that sets the bit, even if the bit
//! is set already. A plain load may be answered before the setter's earlier stores (the data it
//! wakes the task for) are seen; the owner then takes the bit, polls, misses the data and sleeps.
//!
//! # A potential race (is safely handled)
//!
//! Setter A fills a word and is held up before the summary. Setter B finds the word in use and
//! leaves without a notification. The owner sees no mark and goes to sleep with both bits set. It
//! is not a lost wake: A goes on, marks the summary and `top`, and wakes the owner, for B too.
//!
//! The owner clears a summary, and before it comes to the word setter C sets a bit there. If C was
//! first the owner takes the bit along. Else C found the word empty and marks the summary again:
//! after the owner cleared it, since the owner clears a word last. Bottom to top the owner would
//! wipe out C's fresh mark, and the bit would stay for ever with nobody to notify.
//!
//! # Recycling
//!
//! The next runtime in the same place inherits the bitmap. Words are not zeroed one by one: that
//! could break the invariant for a late waker of the runtime before. A drain whose results are
//! thrown away keeps it: what such a waker set and has not marked yet stays, and that waker itself
//! marks it and notifies the new owner, who polls some task once too often. The notification must
//! be reset before that drain, not after it, as with every drain (see `park.rs`).
//!
//! # Orderings
//!
//! A word or a summary is an `AcqRel` read-modify-write on both sides. Release to acquire upwards:
//! who takes a mark sees what it marks, and at the bottom what the waker wrote. Release to acquire
//! downwards: a setter that finds 0 because the owner cleared it comes after everything the owner
//! cleared before, so its mark is not wiped out. Nothing above `top` is cleared before it, so it
//! needs the first half only.
//!
//! loom gives every read-modify-write the newest value, so the models tell only the word's upward
//! half from something weaker. The other orderings stand on the argument above.

use std::array;
use std::iter;

use crate::sync::{AtomicU64, OnceLock, Ordering, WORDS};

const WORD_BITS: usize = 64;
const CHUNK_BITS: usize = WORDS * WORD_BITS;

/// Bits in `top`; a chunk's is its number modulo this.
const CLASSES: usize = 64;

/// As many as hold the chunks for every index of 32 bits.
const BUCKETS: usize = 32 - CHUNK_BITS.ilog2() as usize;

/// The tasks that other threads woke and the owner has not taken yet.
///
/// The first chunk's summary and first words share a cache line with `top`: a wake of one of the first
/// tasks, and its drain, fetch that line from the other processor and no more.
#[derive(Debug)]
#[repr(C, align(128))]
pub(crate) struct Bitmap {
    top: AtomicU64,
    first: Chunk,
    /// Bucket k holds 2^k chunks, so growing never moves one that a waker may be looking at.
    buckets: [OnceLock<Box<[Chunk]>>; BUCKETS],
}

#[derive(Debug)]
#[repr(C)]
struct Chunk {
    summary: AtomicU64,
    words: [AtomicU64; WORDS],
}

impl Bitmap {
    /// The bits of the first chunk, and no allocation.
    pub(crate) fn new() -> Self {
        Self {
            top: AtomicU64::new(0),
            first: Chunk::new(),
            buckets: [const { OnceLock::new() }; BUCKETS],
        }
    }

    /// Makes the bits `0..bits` exist. For the owner, before it hands out a name with such an
    /// index; for the first chunk, and where they exist already, it is a few instructions.
    ///
    /// # Panics
    ///
    /// If `bits` is more than 2^32, the number of indices there are.
    pub(crate) fn grow(&self, bits: usize) {
        let Some(last) = bits.checked_sub(1) else { return };
        assert!(
            u32::try_from(last).is_ok(),
            "growing the wake bitmap: it has room for 2^32 tasks; keep fewer at a time"
        );
        let Some((bucket, _)) = place(last / CHUNK_BITS) else { return };
        // Buckets are filled from below, so the last one speaks for all.
        if self.buckets[bucket].get().is_none() {
            self.fill(bucket);
        }
    }

    #[cold]
    fn fill(&self, last: usize) {
        for (bucket, chunks) in self.buckets[..=last].iter().enumerate() {
            chunks.get_or_init(|| (0..1_usize << bucket).map(|_| Chunk::new()).collect());
        }
    }

    /// Sets a bit, from any thread. True if the caller must notify the owner now.
    ///
    /// A bit that does not exist is ignored: no name with that index was ever handed out.
    pub(crate) fn set(&self, index: u32) -> bool {
        let index = index as usize;
        let number = index / CHUNK_BITS;
        let Some(chunk) = self.chunk(number) else { return false };

        let word = index % CHUNK_BITS / WORD_BITS;
        if chunk.words[word].fetch_or(1 << (index % WORD_BITS), Ordering::AcqRel) != 0 {
            return false;
        }
        if chunk.summary.fetch_or(1 << word, Ordering::AcqRel) == 0 {
            self.top.fetch_or(1 << (number % CLASSES), Ordering::Release);
        }
        true
    }

    /// Takes the bits that are set and marked, for the owner, after `ParkState::take`. `f` must
    /// not panic: the bits of the words already cleared would be lost.
    ///
    /// One pass: a bit set again meanwhile may be left for the next drain, its setter notifies.
    pub(crate) fn drain(&self, mut f: impl FnMut(u32)) {
        for class in ones(self.top.swap(0, Ordering::Acquire)) {
            let mut number = class;
            while let Some(chunk) = self.chunk(number) {
                chunk.drain(|bit| f((number * CHUNK_BITS + bit) as u32));
                number += CLASSES;
            }
        }
    }

    fn chunk(&self, number: usize) -> Option<&Chunk> {
        match place(number) {
            None => Some(&self.first),
            Some((bucket, offset)) => self.buckets.get(bucket)?.get()?.get(offset),
        }
    }
}

impl Chunk {
    fn new() -> Self {
        Self { summary: AtomicU64::new(0), words: array::from_fn(|_| AtomicU64::new(0)) }
    }

    fn drain(&self, mut f: impl FnMut(usize)) {
        for word in ones(self.summary.swap(0, Ordering::AcqRel)) {
            for bit in ones(self.words[word].swap(0, Ordering::AcqRel)) {
                f(word * WORD_BITS + bit);
            }
        }
    }
}

/// The bucket of a chunk and its place there: bucket 0 holds chunk 1, bucket 1 chunks 2 and 3,
/// bucket 2 chunks 4 to 7. The first chunk, 0, is in none.
fn place(number: usize) -> Option<(usize, usize)> {
    let bucket = number.checked_ilog2()? as usize;
    Some((bucket, number - (1 << bucket)))
}

/// The positions of the set bits, lowest first.
fn ones(mut bits: u64) -> impl Iterator<Item = usize> {
    iter::from_fn(move || {
        let lowest = bits.trailing_zeros() as usize;
        // 0 has 64 trailing zeros.
        (lowest < WORD_BITS).then(|| {
            bits &= bits - 1;
            lowest
        })
    })
}
