//! The owner's sleep, and who has to wake it: one word, which is also what the futex waits on.
//!
//! # Roles
//!
//! One **owner** runs, looks at its inbox (the wake bitmap, the command queue), and sleeps: on a
//! futex, or in `epoll_wait` once it has an epoll. Any number of **notifiers** first put something
//! into the inbox and then call `notify`. At most one of them per sleep is told to make a system
//! call.
//!
//! # Transitions
//!
//! ```text
//!              notify                        take
//!   RUNNING ------------> NOTIFIED ----------------------> RUNNING
//!   RUNNING -- prepare_park --> ASLEEP_* -- unpark ------> RUNNING
//!   ASLEEP_* ------------> NOTIFIED      (unpark leaves it; take follows)
//!              notify, owes a system call
//! ```
//!
//! The owner's round, in this order:
//!
//! 1. `take`, and if it says so, drain the inbox.
//! 2. Run until nothing is runnable; `is_notified` leads back to 1.
//! 3. `prepare_park`; if it refuses, back to 1.
//! 4. Sleep. Then `unpark`, whatever ended the sleep, and back to 1.
//!
//! A sleep may end for nothing: the one who owes the system call may be late with it, after
//! something else ended the sleep it was meant for.
//!
//! # A potential race (is safely handled)
//!
//! Between the owner's last look into the inbox and its sleep a notifier may put something in. It
//! notifies afterwards. Either it swaps before `prepare_park`, which then finds `NOTIFIED` and
//! refuses, for it is a compare-and-swap; a plain store would wipe out the notification. Or it
//! swaps after it, finds the owner asleep and owes the system call. That this may come before the
//! owner really sleeps is no loss: the futex waits only while the word is unchanged, and an eventfd
//! that was written stays readable.
//!
//! `take` comes before the drain. After it, the notification of something put in between the two
//! would be thrown away with that something still inside. And it is a swap: a load and a store
//! could drop the notification of a second notifier without seeing what that one put in.

use crate::sync::{AtomicU32, Ordering};

/// The owner is awake and has looked, or will look, before it sleeps.
pub(crate) const RUNNING: u32 = 0;
/// Something was put into the inbox since the last `take`.
pub(crate) const NOTIFIED: u32 = 1;
/// The owner sleeps on the futex, or is about to.
pub(crate) const ASLEEP_ON_FUTEX: u32 = 2;
/// The owner sleeps in `epoll_wait`, or is about to, or leaves the sleeping to a host's loop.
pub(crate) const ASLEEP_IN_EPOLL: u32 = 4;

/// Whether the owner sleeps, and where.
///
/// On a cache line of its own: an owner that spins reads it all the time, and who is about to notify it would
/// fetch what it shares the line with again and again.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct ParkState(AtomicU32);

/// The system call that a notifier owes the owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the owner sleeps on unless the system call is made"]
pub(crate) enum Wake {
    /// None: the owner is awake, or another notifier owes it.
    None,
    /// Wake the futex.
    Futex,
    /// Write to the eventfd.
    Epoll,
}

impl ParkState {
    pub(crate) fn new() -> Self {
        Self(AtomicU32::new(RUNNING))
    }

    /// Says that something is in the inbox, from any thread, after it was put there.
    pub(crate) fn notify(&self) -> Wake {
        // Release: what was put in is seen by whoever takes the notification. Acquire: the eventfd
        // that the owner made before it went to sleep in epoll is seen here.
        match self.0.swap(NOTIFIED, Ordering::AcqRel) {
            ASLEEP_ON_FUTEX => Wake::Futex,
            ASLEEP_IN_EPOLL => Wake::Epoll,
            _ => Wake::None,
        }
    }

    /// Whether there is something to `take`: a plain load, cheap enough for every turn. It may be
    /// late, never for good: `prepare_park` looks again.
    pub(crate) fn is_notified(&self) -> bool {
        self.0.load(Ordering::Acquire) == NOTIFIED
    }

    /// Whether a sleep is announced that nobody has ended.
    pub(crate) fn is_asleep(&self) -> bool {
        matches!(self.0.load(Ordering::Relaxed), ASLEEP_ON_FUTEX | ASLEEP_IN_EPOLL)
    }

    /// Takes the notification, for the owner, before it drains the inbox. True if there was one.
    pub(crate) fn take(&self) -> bool {
        // Acquire: of every notifier so far, since their swaps form one release sequence.
        self.0.swap(RUNNING, Ordering::Acquire) == NOTIFIED
    }

    /// Announces a sleep, `ASLEEP_ON_FUTEX` or `ASLEEP_IN_EPOLL`. False if a notification came
    /// first: the owner must not sleep then.
    pub(crate) fn prepare_park(&self, how: u32) -> bool {
        debug_assert!(how == ASLEEP_ON_FUTEX || how == ASLEEP_IN_EPOLL);
        // Release: see `notify`. A refusal reads nothing else; the `take` that follows acquires.
        self.0.compare_exchange(RUNNING, how, Ordering::Release, Ordering::Relaxed).is_ok()
    }

    /// Ends a sleep, for the owner, whatever ended it. A notification is left for `take`.
    pub(crate) fn unpark(&self) {
        // Keeps NOTIFIED and turns every other state into RUNNING, in a step no notifier can come
        // between. Relaxed: a read-modify-write does not break the notifiers' release sequence.
        self.0.fetch_and(NOTIFIED, Ordering::Relaxed);
    }

    /// The word for the futex to wait on, as long as it is `ASLEEP_ON_FUTEX`.
    pub(crate) fn word(&self) -> &AtomicU32 {
        &self.0
    }
}
