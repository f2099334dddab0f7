//! What the loop shows the watchdog: the poll that is under way, and whether there can be one at all.
//!
//! # Roles
//!
//! The **loop** says when it runs and when it rests, and of each poll when it begins and ends. The **watchdog**
//! looks, and sleeps until what it has seen would be a stall. Neither waits for the other. A poll costs the
//! loop plain stores: no lock, no read-modify-write, no question whether the watchdog sleeps.
//!
//! # Which poll
//!
//! `sequence` is odd while a poll is under way. Time and index are written while it is even; so who finds the
//! same odd number before and after it has read them has read those of one poll. Names and places do not fit
//! into words: they lie in a table by index, which is changed while `sequence` is even too, once for each task,
//! and read only when there is a stall.
//!
//! # Sleeping
//!
//! ```text
//!              rests                 sleep (by the watchdog)
//!   RUNNING ----------> RESTING -------------------------------> RESTING_UNWATCHED
//!      ^                   |                                            |
//!      +------- runs ------+------- runs, owes it a wake-up ------------+
//!
//!   any -- end --> ENDED
//! ```
//!
//! While the loop runs the watchdog sleeps for a threshold at most: a poll that it has not seen began after it
//! looked. When the loop rests it sleeps for good. Between its look at RESTING and its sleep the loop may run
//! again: both changes are read-modify-writes, so that either it finds RUNNING and does not sleep for good, or
//! the loop finds that it does and wakes it. A store is enough to rest, since RUNNING is changed by the loop alone.

use std::panic::Location;
use std::sync::{Arc, PoisonError};

use crate::sync::{AtomicU32, AtomicU64, Mutex, Ordering};

const RUNNING: u32 = 0;
/// No poll is under way, and none will be before the loop runs again.
const RESTING: u32 = 1;
/// The same, and the watchdog sleeps for good.
const RESTING_UNWATCHED: u32 = 2;
/// The runtime is gone.
const ENDED: u32 = 3;

/// A task as a stall is told of it.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    /// The task's id, 0 of the future of `block_on`.
    pub(crate) serial: u64,
    pub(crate) place: &'static Location<'static>,
    pub(crate) name: Option<Arc<str>>,
}

/// What the loop and the watchdog share. Times are in nanoseconds of the monotonic clock.
pub(crate) struct Watch {
    /// How old a poll has to be for the watchdog to tell of it.
    threshold: i64,
    state: AtomicU32,
    sequence: AtomicU64,
    since: AtomicU64,
    index: AtomicU32,
    /// By index, of tasks that have been polled. Locked for a copy of some words.
    origins: Mutex<Vec<Option<Origin>>>,
}

/// A poll that was under way when somebody looked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sighting {
    sequence: u64,
    pub(crate) since: i64,
    index: u32,
}

/// What the watchdog does next.
#[derive(Debug)]
pub(crate) enum Step {
    Report(Sighting),
    SleepUntil(i64),
    SleepForGood,
    End,
}

/// Which poll the watchdog has told of, and how often.
#[derive(Default)]
pub(crate) struct Told {
    sequence: u64,
    times: u32,
}

impl Watch {
    pub(crate) fn new(threshold: i64) -> Watch {
        Watch {
            threshold,
            state: AtomicU32::new(RESTING),
            sequence: AtomicU64::new(0),
            since: AtomicU64::new(0),
            index: AtomicU32::new(0),
            origins: Mutex::new(Vec::new()),
        }
    }

    /// The loop runs from here on. True if the watchdog has to be woken.
    pub(crate) fn runs(&self) -> bool {
        self.state.swap(RUNNING, Ordering::AcqRel) == RESTING_UNWATCHED
    }

    /// The loop rests. The watchdog is left to see it when it comes.
    pub(crate) fn rests(&self) {
        self.state.store(RESTING, Ordering::Release);
    }

    /// Whether the loop rests, for itself.
    pub(crate) fn is_resting(&self) -> bool {
        self.state.load(Ordering::Relaxed) != RUNNING
    }

    /// There will be no more polls. The watchdog has to be woken.
    pub(crate) fn end(&self) {
        self.state.swap(ENDED, Ordering::AcqRel);
    }

    /// Whose polls those at `index` are from here on. For the loop, while no poll is under way.
    #[cold]
    pub(crate) fn introduce(&self, index: u32, origin: Origin) {
        let index = index as usize;
        let mut origins = self.origins.lock().unwrap_or_else(PoisonError::into_inner);
        if origins.len() <= index {
            origins.resize(index + 1, None);
        }
        origins[index] = Some(origin);
    }

    #[inline(always)]
    pub(crate) fn poll_begins(&self, index: u32, since: i64) {
        // Release: who reads one of these finds `sequence` even, or later.
        self.since.store(since as u64, Ordering::Release);
        self.index.store(index, Ordering::Release);
        let next = self.sequence.load(Ordering::Relaxed) + 1;
        // Release: who reads this finds those.
        self.sequence.store(next, Ordering::Release);
    }

    /// Returns when the poll began that was under way, if one was.
    #[inline(always)]
    pub(crate) fn poll_ends(&self) -> Option<i64> {
        let sequence = self.sequence.load(Ordering::Relaxed);
        if sequence % 2 == 0 {
            return None;
        }
        self.sequence.store(sequence + 1, Ordering::Release);
        Some(self.since.load(Ordering::Relaxed) as i64)
    }

    /// The index of the poll that is under way, for the loop itself.
    pub(crate) fn index(&self) -> u32 {
        self.index.load(Ordering::Relaxed)
    }

    /// The poll that is under way. If that ends meanwhile, what is seen may be of two: see [`origin`](Watch::origin).
    pub(crate) fn look(&self) -> Option<Sighting> {
        let sequence = self.sequence.load(Ordering::Acquire);
        if sequence % 2 == 0 {
            return None;
        }
        let since = self.since.load(Ordering::Acquire) as i64;
        let index = self.index.load(Ordering::Acquire);
        Some(Sighting { sequence, since, index })
    }

    /// Whose poll it is; `None` if it has ended meanwhile.
    pub(crate) fn origin(&self, sighting: &Sighting) -> Option<Origin> {
        let origin = {
            let origins = self.origins.lock().unwrap_or_else(PoisonError::into_inner);
            origins.get(sighting.index as usize)?.clone()
        };
        // Else time and index may be the next poll's, and the origin the next task's.
        origin.filter(|_| self.sequence.load(Ordering::Relaxed) == sighting.sequence)
    }

    /// What the watchdog does next, at the time `now`, which was read before.
    pub(crate) fn step(&self, now: i64, told: &mut Told) -> Step {
        if self.state.load(Ordering::Acquire) == ENDED {
            return Step::End;
        }
        if let Some(sighting) = self.look() {
            if told.sequence != sighting.sequence {
                *told = Told { sequence: sighting.sequence, times: 0 };
            }
            let due = sighting.since.saturating_add(told.patience(self.threshold));
            if now < due {
                return Step::SleepUntil(due);
            }
            told.times += 1;
            return Step::Report(sighting);
        }
        let slept = self.state.compare_exchange(
            RESTING,
            RESTING_UNWATCHED,
            Ordering::AcqRel,
            Ordering::Acquire,
        );
        match slept {
            Ok(_) | Err(RESTING_UNWATCHED) => Step::SleepForGood,
            // A poll that has begun since then is a stall no sooner. An end comes with a wake-up.
            Err(_) => Step::SleepUntil(now.saturating_add(self.threshold)),
        }
    }
}

impl Told {
    /// How old a poll has to be for the next report: the threshold, then twice as old each time.
    fn patience(&self, threshold: i64) -> i64 {
        match self.times {
            times @ 0..62 => threshold.saturating_mul(1 << times),
            _ => i64::MAX,
        }
    }
}
