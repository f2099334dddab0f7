//! The table of registered fds. An entry is its registration's from `insert` to `remove`.
//!
//! A slab of our own: the `slab` crate asks at each look whether there is an entry, and a round trip has
//! five of them.

use std::os::fd::RawFd;

use crate::reactor::readiness::Ready;
use crate::reactor::registration::Wanted;
use crate::reactor::waiters::{FOREIGN, Ticket, UNUSED, Waiters};
use crate::sys::epoll::Flags;

/// One registered fd.
pub(super) struct Entry {
    /// [`VACANT`] in an entry that is nobody's.
    pub(super) fd: RawFd,
    /// Changes when the entry goes, so that events which are late are not taken for the next one's.
    generation: u32,
    /// The directions that epoll watches.
    pub(super) armed: Flags,
    /// Changes with each event, so that a guard clears only the readiness it has seen.
    pub(super) tick: u32,
    pub(super) ready: Ready,
    /// Set by the first hang-up, error or urgent data: from then on a short read proves nothing.
    pub(super) exact: bool,
    /// The next vacant entry, in a vacant one.
    next_vacant: u32,
    pub(super) waiters: Waiters,
}

const VACANT: RawFd = -1;

impl Entry {
    /// Whether the last word of the kernel on a watched direction was `EAGAIN`.
    #[inline]
    pub(super) fn is_blocked(&self, wanted: Wanted) -> bool {
        self.armed.contains(wanted.flags()) && !self.ready.intersects(wanted.mask())
    }

    /// Takes back a ticket whose waiter an event has taken: there is nothing left to forget. A foreign one
    /// may be on its way still.
    #[inline]
    pub(super) fn settle(&self, ticket: &mut Ticket) {
        if *ticket > UNUSED && *ticket < FOREIGN && self.waiters.is_empty() {
            *ticket = UNUSED;
        }
    }
}

#[derive(Default)]
pub(super) struct Table {
    entries: Vec<Entry>,
    /// The first vacant entry, if there is one.
    vacant: u32,
    used: usize,
}

impl Table {
    pub(super) fn is_empty(&self) -> bool {
        self.used == 0
    }

    #[inline]
    pub(super) fn used(&self) -> usize {
        self.used
    }

    pub(super) fn insert(&mut self, fd: RawFd, armed: Flags) -> u32 {
        self.used += 1;
        let index = self.vacant;
        if index as usize == self.entries.len() {
            self.vacant = index.checked_add(1).expect("a process has fewer descriptors");
            let (ready, exact, waiters) = (Ready::EMPTY, false, Waiters::default());
            let (generation, tick, next_vacant) = (0, 0, 0);
            let entry = Entry { fd, generation, armed, tick, ready, exact, next_vacant, waiters };
            self.entries.push(entry);
            return index;
        }
        let entry = &mut self.entries[index as usize];
        self.vacant = entry.next_vacant;
        (entry.fd, entry.armed) = (fd, armed);
        (entry.ready, entry.exact) = (Ready::EMPTY, false);
        index
    }

    /// Frees an entry. Its fd comes back, and who waits for it: their wakers may be foreign code.
    pub(super) fn remove(&mut self, index: u32) -> Option<(RawFd, Waiters)> {
        let vacant = self.vacant;
        let entry = self.get(index)?;
        let fd = std::mem::replace(&mut entry.fd, VACANT);
        entry.generation = entry.generation.wrapping_add(1);
        entry.next_vacant = vacant;
        let waiters = std::mem::take(&mut entry.waiters);
        self.vacant = index;
        self.used -= 1;
        Some((fd, waiters))
    }

    /// An entry that may be gone.
    pub(super) fn get(&mut self, index: u32) -> Option<&mut Entry> {
        self.entries.get_mut(index as usize).filter(|entry| entry.fd != VACANT)
    }

    /// As [`at`](Self::at), for where a panic in its place would cost: with a cell borrowed it takes a
    /// frame.
    #[inline]
    pub(super) fn look(&mut self, index: u32) -> Option<&mut Entry> {
        self.entries.get_mut(index as usize)
    }

    /// An entry that is its caller's.
    #[inline]
    pub(super) fn at(&mut self, index: u32) -> &mut Entry {
        &mut self.entries[index as usize]
    }

    /// What the user data of an event names, if it is not gone.
    #[inline]
    pub(super) fn named(&mut self, token: u64) -> Option<&mut Entry> {
        let entry = self.entries.get_mut(index_of(token) as usize)?;
        (entry.generation == (token >> 32) as u32).then_some(entry)
    }

    /// The user data for an entry: `[generation 32 | index 32]`.
    pub(super) fn token(&self, index: u32) -> u64 {
        u64::from(self.entries[index as usize].generation) << 32 | u64::from(index)
    }

    /// Whether another entry than this has the fd.
    pub(super) fn has_another(&self, index: u32, fd: RawFd) -> bool {
        let mut entries = self.entries.iter().enumerate();
        entries.any(|(other, entry)| entry.fd == fd && other != index as usize)
    }

    /// Those that are somebody's, with their indices.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &Entry)> {
        let entries = self.entries.iter().enumerate().filter(|(_, entry)| entry.fd != VACANT);
        entries.map(|(index, entry)| (index as u32, entry))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Entry> {
        self.entries.iter_mut()
    }
}

/// The entry that the user data of an event is about.
#[inline]
pub(super) fn index_of(token: u64) -> u32 {
    token as u32
}
