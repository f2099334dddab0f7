//! Timers: the deadlines of one runtime, on its clock.
//!
//! They fire by the clock, each turn, never by the timerfd's event: setting a timerfd anew withdraws
//! an event that has not been taken. Nothing fires early.

pub(crate) mod clock;
mod heap;
mod instant;
mod sleep;

use std::cell::{Cell, RefCell};
use std::task::{Poll, Waker};
use std::time::Duration;

pub use self::clock::{advance, pause, resume};
pub use self::instant::Instant;
pub use self::sleep::{Sleep, sleep, sleep_until};

pub(crate) use self::clock::Clock;
use self::heap::Heap;
use crate::core::Core;

/// Timer wake-ups are at least this far apart: deadlines that lie close fire together. A lone one
/// is exact. 100,000 sleeps spread over 2 s then cost about 28,000 wake-ups.
const SLACK_NS: i64 = 50_000;

pub(crate) struct Timers {
    deadlines: RefCell<Heap<Waker>>,
    pub(crate) clock: Clock,
    /// When timers last fired, on the real clock.
    last_fired: Cell<i64>,
}

/// What a runtime with nothing to run does next.
pub(crate) enum Idle {
    /// Sleep, at most until this time on CLOCK_MONOTONIC.
    SleepUntil(Option<i64>),
    /// Move the test clock to this time.
    JumpTo(Instant),
}

impl Timers {
    pub(crate) fn new(clock: Clock) -> Timers {
        Timers { deadlines: RefCell::new(Heap::new()), clock, last_fired: Cell::new(i64::MIN) }
    }

    /// Adds a deadline; the key is the caller's until it removes it.
    #[inline]
    pub(crate) fn insert(&self, deadline: Instant, waker: &Waker) -> u32 {
        let waker = waker.clone();
        self.deadlines.borrow_mut().insert(deadline.nanos(), waker)
    }

    /// Whether a deadline has fired; if not, `waker` is woken when it does.
    pub(crate) fn poll(&self, key: u32, waker: &Waker) -> Poll<()> {
        {
            let deadlines = self.deadlines.borrow();
            if deadlines.is_fired(key) {
                return Poll::Ready(());
            }
            if deadlines.get(key).is_some_and(|kept| kept.will_wake(waker)) {
                return Poll::Pending;
            }
        }
        let waker = waker.clone();
        let replaced = self.deadlines.borrow_mut().set(key, waker);
        drop(replaced);
        Poll::Pending
    }

    pub(crate) fn is_fired(&self, key: u32) -> bool {
        self.deadlines.borrow().is_fired(key)
    }

    /// Moves a deadline, also one that has fired.
    pub(crate) fn reset(&self, key: u32, deadline: Instant) {
        self.deadlines.borrow_mut().reset(key, deadline.nanos());
    }

    #[inline]
    pub(crate) fn remove(&self, key: u32) {
        let waker = self.deadlines.borrow_mut().remove(key);
        drop(waker);
    }

    /// Wakes everybody whose deadline has come.
    #[inline]
    pub(crate) fn fire(&self, core: &Core) {
        let Some(next) = self.deadlines.borrow().peek() else { return };
        let now = self.clock.now();
        if next <= now.nanos() {
            self.fire_due(core, now);
        }
    }

    fn fire_due(&self, core: &Core, now: Instant) {
        // A paused clock is nowhere on the real one, and one that has jumped is ahead of it.
        if !self.clock.is_paused() {
            self.last_fired.set(self.clock.real(now));
        }
        loop {
            let waker = {
                let deadlines = &mut *self.deadlines.borrow_mut();
                let Some((_key, waker)) = deadlines.pop_due(now.nanos()) else { return };
                waker
            };
            if let Some(waker) = waker {
                core.wake(waker);
            }
        }
    }

    /// What to do when no task is ready, for at most `limit`; `is_blocking` says whether blocking work
    /// is under way.
    pub(crate) fn when_idle(
        &self,
        limit: Option<Duration>,
        is_blocking: impl FnOnce() -> bool,
    ) -> Idle {
        match self.jump(limit) {
            Some(instant) if !is_blocking() => Idle::JumpTo(instant),
            _ => Idle::SleepUntil(self.next_wakeup()),
        }
    }

    /// Where the test clock is at the end of a sleep that would last for `limit`.
    fn jump(&self, limit: Option<Duration>) -> Option<Instant> {
        if !self.clock.jumps() {
            return None;
        }
        let end = limit.map(|limit| self.clock.now().saturating_add(limit).nanos());
        let next = self.next_deadline();
        next.into_iter().chain(end).min().map(Instant::from_nanos)
    }

    /// The earliest deadline. The end of the range never comes, and the test clock does not jump to
    /// it either.
    fn next_deadline(&self) -> Option<i64> {
        self.deadlines.borrow().peek().filter(|&next| next < i64::MAX)
    }

    /// When timers want to be woken, on CLOCK_MONOTONIC. Nobody knows while the clock is paused.
    pub(crate) fn next_wakeup(&self) -> Option<i64> {
        let next = self.next_deadline().filter(|_| !self.clock.is_paused())?;
        let real = self.clock.real(Instant::from_nanos(next));
        Some(real.max(self.last_fired.get().saturating_add(SLACK_NS)))
    }

    /// Everybody who waits, at the end of the runtime.
    pub(crate) fn take_wakers(&self) -> Vec<Waker> {
        self.deadlines.borrow_mut().take_values()
    }
}
