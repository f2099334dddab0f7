//! What has come of one signal: a ring of records that handlers write and listeners read.
//!
//! A handler may run on several threads at once, and be held up at any point; it takes no lock. So
//! each record has a ticket from `head`, and is written in parts, each a word of its own beside the
//! ticket. A word only ever goes to a newer ticket. A listener wants the record of one ticket:
//!
//! - all parts have it: that is the record;
//! - a part has a newer one: the record has been overwritten, on to the next;
//! - a part has an older one, and none a newer: its handler is on the way. It notifies when it is
//!   done, so the listener waits for that.
//!
//! Nobody waits for a handler that was held up: when it goes on, after others have come round, it
//! finds newer tickets and leaves them.
//!
//! # Orderings
//!
//! A word is complete in itself, and the notification that follows orders the rest. `head` is release
//! to acquire, so that who sees a signal sees what the thread that it interrupted had done.

use crate::sync::{AtomicU64, Ordering};

/// The last `N` records, of so many parts each.
#[derive(Debug)]
pub(crate) struct Ring<const N: usize, const PARTS: usize> {
    /// The ticket of the newest record; the first is 1.
    head: AtomicU64,
    records: [[AtomicU64; PARTS]; N],
}

impl<const N: usize, const PARTS: usize> Ring<N, PARTS> {
    #[inline]
    pub(crate) fn new() -> Self {
        Self {
            head: AtomicU64::new(0),
            records: std::array::from_fn(|_| std::array::from_fn(|_| AtomicU64::new(0))),
        }
    }

    /// The ticket of the newest record.
    #[inline]
    pub(crate) fn head(&self) -> u64 {
        self.head.load(Ordering::Acquire)
    }

    /// Adds a record in the place of the oldest. Async-signal-safe.
    pub(crate) fn push(&self, record: [u32; PARTS]) {
        let ticket = self.head.fetch_add(1, Ordering::AcqRel) + 1;
        for (word, part) in self.words(ticket).iter().zip(record) {
            let new = u64::from(ticket as u32) << 32 | u64::from(part);
            // An error says that a newer record has the word already.
            let _ = word.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |old| {
                (age(old, ticket) < 0).then_some(new)
            });
        }
    }

    /// The oldest record after the ticket `seen` that is still there, and moves `seen` to it. `None` if
    /// there is none, or its handler is still at it.
    pub(crate) fn next(&self, seen: &mut u64) -> Option<[u32; PARTS]> {
        loop {
            let head = self.head();
            *seen = (*seen).max(head.saturating_sub(N as u64));
            if *seen == head {
                return None;
            }
            let ticket = *seen + 1;
            let words = self.words(ticket).each_ref().map(|word| word.load(Ordering::Relaxed));
            if words.iter().all(|&word| age(word, ticket) <= 0) {
                if words.iter().any(|&word| age(word, ticket) < 0) {
                    return None;
                }
                *seen = ticket;
                return Some(words.map(|word| word as u32));
            }
            *seen = ticket;
        }
    }

    fn words(&self, ticket: u64) -> &[AtomicU64; PARTS] {
        &self.records[(ticket % N as u64) as usize]
    }
}

/// By how much the ticket in `word`, of which it has the lower half, is newer than `ticket`.
#[inline]
fn age(word: u64, ticket: u64) -> i32 {
    ((word >> 32) as u32).wrapping_sub(ticket as u32) as i32
}
