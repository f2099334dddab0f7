//! `Interest` and `Ready`: what one waits for, and what the kernel has said.

use std::fmt;
use std::io;
use std::ops::{BitAnd, BitAndAssign, BitOr, BitOrAssign, Sub, SubAssign};
use std::os::fd::RawFd;

use crate::sys;
use crate::sys::epoll::Flags;

/// What to wait for. As tokio's `io::Interest`.
///
/// ```
/// use runtime::io::Interest;
/// let both = Interest::READABLE | Interest::WRITABLE;
/// assert!(both.is_readable() && both.is_writable());
/// assert_eq!(both.remove(Interest::READABLE), Some(Interest::WRITABLE));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Interest(u8);

impl Interest {
    /// Data to read, or the end of it.
    pub const READABLE: Interest = Interest(1);
    /// Room to write, or an error that a write would give.
    pub const WRITABLE: Interest = Interest(2);
    /// Urgent data (EPOLLPRI).
    pub const PRIORITY: Interest = Interest(4);
    /// An error (EPOLLERR), which the kernel reports whether asked or not.
    pub const ERROR: Interest = Interest(8);

    /// Whether this includes [`READABLE`](Interest::READABLE).
    #[inline]
    pub const fn is_readable(self) -> bool {
        self.0 & Interest::READABLE.0 != 0
    }

    /// Whether this includes [`WRITABLE`](Interest::WRITABLE).
    #[inline]
    pub const fn is_writable(self) -> bool {
        self.0 & Interest::WRITABLE.0 != 0
    }

    /// Whether this includes [`PRIORITY`](Interest::PRIORITY).
    #[inline]
    pub const fn is_priority(self) -> bool {
        self.0 & Interest::PRIORITY.0 != 0
    }

    /// Whether this includes [`ERROR`](Interest::ERROR).
    #[inline]
    pub const fn is_error(self) -> bool {
        self.0 & Interest::ERROR.0 != 0
    }

    /// Both.
    #[must_use = "this returns the sum and changes nothing"]
    #[inline]
    pub const fn add(self, other: Interest) -> Interest {
        Interest(self.0 | other.0)
    }

    /// This without `other`, or `None` if nothing is left.
    #[must_use = "this returns the rest and changes nothing"]
    #[inline]
    pub const fn remove(self, other: Interest) -> Option<Interest> {
        match self.0 & !other.0 {
            0 => None,
            rest => Some(Interest(rest)),
        }
    }

    /// What epoll is asked for.
    #[inline]
    pub(crate) const fn flags(self) -> Flags {
        let mut flags = Flags::EMPTY;
        if self.is_readable() {
            flags = flags.union(Flags::IN).union(Flags::RDHUP);
        }
        if self.is_writable() {
            flags = flags.union(Flags::OUT);
        }
        if self.is_priority() {
            flags = flags.union(Flags::PRI);
        }
        flags
    }

    /// What is waited for by who is answered by `mask`.
    #[cold]
    pub(super) fn answered_by(mask: Ready) -> Interest {
        let answers = [
            (Ready::READABLE, Interest::READABLE),
            (Ready::WRITABLE, Interest::WRITABLE),
            (Ready::PRIORITY, Interest::PRIORITY),
            (Ready::ERROR, Interest::ERROR),
        ];
        let asked = answers.iter().filter(|(answer, _)| mask.contains(*answer));
        Interest(asked.fold(0, |bits, (_, interest)| bits | interest.0))
    }

    /// What answers it.
    #[inline]
    pub(crate) const fn mask(self) -> Ready {
        let mut mask = Ready::EMPTY;
        if self.is_readable() {
            mask = mask.union(Ready::READABLE).union(Ready::READ_CLOSED);
        }
        if self.is_writable() {
            mask = mask.union(Ready::WRITABLE).union(Ready::WRITE_CLOSED);
        }
        if self.is_priority() {
            mask = mask.union(Ready::PRIORITY).union(Ready::READ_CLOSED);
        }
        if self.is_error() {
            mask = mask.union(Ready::ERROR);
        }
        mask
    }
}

impl BitOr for Interest {
    type Output = Interest;

    #[inline]
    fn bitor(self, other: Interest) -> Interest {
        self.add(other)
    }
}

impl BitOrAssign for Interest {
    #[inline]
    fn bitor_assign(&mut self, other: Interest) {
        *self = *self | other;
    }
}

impl fmt::Debug for Interest {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [
            (self.is_readable(), "READABLE"),
            (self.is_writable(), "WRITABLE"),
            (self.is_priority(), "PRIORITY"),
            (self.is_error(), "ERROR"),
        ];
        let names: Vec<_> = names.iter().filter(|(is, _)| *is).map(|(_, name)| *name).collect();
        f.write_str(&names.join(" | "))
    }
}

/// What a descriptor is ready for. As tokio's `io::Ready`.
///
/// ```
/// use runtime::io::Ready;
/// assert!((Ready::READABLE | Ready::WRITABLE).contains(Ready::READABLE));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ready(u8);

impl Ready {
    /// Nothing.
    pub const EMPTY: Ready = Ready(0);
    /// A read would not block.
    pub const READABLE: Ready = Ready(1);
    /// A write would not block.
    pub const WRITABLE: Ready = Ready(2);
    /// The other side will write no more.
    pub const READ_CLOSED: Ready = Ready(4);
    /// A write would fail.
    pub const WRITE_CLOSED: Ready = Ready(8);
    /// Urgent data is there.
    pub const PRIORITY: Ready = Ready(16);
    /// There is an error to fetch.
    pub const ERROR: Ready = Ready(32);
    /// All of it.
    pub const ALL: Ready = Ready(63);

    /// Whether there is nothing.
    #[inline]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether a read would not block: data, or the end of it.
    #[inline]
    pub const fn is_readable(self) -> bool {
        self.intersects(Ready::READABLE.union(Ready::READ_CLOSED))
    }

    /// Whether a write would not block: room, or an error.
    #[inline]
    pub const fn is_writable(self) -> bool {
        self.intersects(Ready::WRITABLE.union(Ready::WRITE_CLOSED))
    }

    /// Whether the other side will write no more.
    #[inline]
    pub const fn is_read_closed(self) -> bool {
        self.contains(Ready::READ_CLOSED)
    }

    /// Whether a write would fail.
    #[inline]
    pub const fn is_write_closed(self) -> bool {
        self.contains(Ready::WRITE_CLOSED)
    }

    /// Whether urgent data is there.
    #[inline]
    pub const fn is_priority(self) -> bool {
        self.contains(Ready::PRIORITY)
    }

    /// Whether there is an error to fetch.
    #[inline]
    pub const fn is_error(self) -> bool {
        self.contains(Ready::ERROR)
    }

    /// Whether this includes all of `other`.
    #[inline]
    pub const fn contains(self, other: Ready) -> bool {
        self.0 & other.0 == other.0
    }

    #[inline]
    pub(crate) const fn intersects(self, other: Ready) -> bool {
        self.0 & other.0 != 0
    }

    #[inline]
    pub(crate) const fn union(self, other: Ready) -> Ready {
        Ready(self.0 | other.0)
    }

    /// What the kernel says now, without an event.
    #[cold]
    pub(crate) fn now(fd: RawFd, flags: Flags) -> io::Result<Ready> {
        sys::poll::now(fd, flags).map(Ready::of)
    }

    /// What an event says. A hang-up or an error makes both directions ready, so that whoever waits
    /// meets it in the operation.
    #[inline]
    pub(crate) fn of(flags: Flags) -> Ready {
        Ready::of_directions(flags) | Ready::of_rare(flags)
    }

    #[inline]
    pub(super) fn of_directions(flags: Flags) -> Ready {
        let mut ready = Ready::EMPTY;
        if flags.contains(Flags::IN) {
            ready |= Ready::READABLE;
        }
        if flags.contains(Flags::OUT) {
            ready |= Ready::WRITABLE;
        }
        ready
    }

    #[cold]
    pub(super) fn of_rare(flags: Flags) -> Ready {
        let mut ready = Ready::EMPTY;
        if flags.contains(Flags::PRI) {
            ready |= Ready::PRIORITY | Ready::READABLE;
        }
        if flags.contains(Flags::RDHUP) {
            ready |= Ready::READABLE | Ready::READ_CLOSED;
        }
        if flags.contains(Flags::HUP) {
            ready |= Ready::READABLE | Ready::READ_CLOSED | Ready::WRITABLE | Ready::WRITE_CLOSED;
        }
        if flags.contains(Flags::ERR) {
            ready |= Ready::READABLE | Ready::WRITABLE | Ready::WRITE_CLOSED | Ready::ERROR;
        }
        ready
    }
}

/// What makes short reads prove nothing from then on.
pub(crate) const RARE: Flags = Flags::RDHUP.union(Flags::HUP).union(Flags::ERR).union(Flags::PRI);

impl BitOr for Ready {
    type Output = Ready;

    #[inline]
    fn bitor(self, other: Ready) -> Ready {
        self.union(other)
    }
}

impl BitOrAssign for Ready {
    #[inline]
    fn bitor_assign(&mut self, other: Ready) {
        self.0 |= other.0;
    }
}

impl BitAnd for Ready {
    type Output = Ready;

    #[inline]
    fn bitand(self, other: Ready) -> Ready {
        Ready(self.0 & other.0)
    }
}

impl BitAndAssign for Ready {
    #[inline]
    fn bitand_assign(&mut self, other: Ready) {
        self.0 &= other.0;
    }
}

impl Sub for Ready {
    type Output = Ready;

    #[inline]
    fn sub(self, other: Ready) -> Ready {
        Ready(self.0 & !other.0)
    }
}

impl SubAssign for Ready {
    #[inline]
    fn sub_assign(&mut self, other: Ready) {
        self.0 &= !other.0;
    }
}

impl fmt::Debug for Ready {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [
            (Ready::READABLE, "READABLE"),
            (Ready::WRITABLE, "WRITABLE"),
            (Ready::READ_CLOSED, "READ_CLOSED"),
            (Ready::WRITE_CLOSED, "WRITE_CLOSED"),
            (Ready::PRIORITY, "PRIORITY"),
            (Ready::ERROR, "ERROR"),
        ];
        if self.is_empty() {
            return f.write_str("EMPTY");
        }
        let names: Vec<_> =
            names.iter().filter(|(bit, _)| self.contains(*bit)).map(|(_, name)| *name).collect();
        f.write_str(&names.join(" | "))
    }
}
