//! Timers: the deadlines of one runtime, on its clock.
//!
//! They fire by the clock, each turn, never by the timerfd's event: setting a timerfd anew withdraws
//! an event that has not been taken. Nothing fires early.

pub(crate) mod boottime;
pub(crate) mod clock;
mod deadlines;
mod delay;
mod heap;
mod instant;
mod sleep;

use std::task::Waker;
use std::time::Duration;

pub use self::clock::{advance, pause, resume};
pub use self::instant::Instant;
pub use self::sleep::{Sleep, sleep, sleep_until};

pub(crate) use self::clock::Clock;
use self::clock::Hand;
use self::deadlines::Deadlines;
use crate::context::{self, Current};
use crate::core::Core;
use crate::dump::{Due, Wait};
use crate::sys::clock::{boottime_ns, monotonic_ns, saturating_ns};

/// How often a deadline on CLOCK_BOOTTIME is looked for when the kernel gives no timerfd for it.
const CHECK_NS: i64 = 1_000_000_000;

pub(crate) struct Timers {
    monotonic: Deadlines,
    boottime: Deadlines,
    pub(crate) clock: Clock,
}

/// One of the kernel's clocks: its deadlines, and how a runtime reads it.
trait Kind: 'static {
    fn deadlines(timers: &Timers) -> &Deadlines;
    fn hand(clock: &Clock) -> &Hand;
    fn real_now() -> i64;

    #[inline]
    fn now(clock: &Clock) -> i64 {
        Self::hand(clock).now(Self::real_now)
    }
}

/// CLOCK_MONOTONIC, which stands still while the machine is suspended.
struct Monotonic;

/// CLOCK_BOOTTIME, which does not.
struct Boottime;

impl Kind for Monotonic {
    #[inline]
    fn deadlines(timers: &Timers) -> &Deadlines {
        &timers.monotonic
    }

    #[inline]
    fn hand(clock: &Clock) -> &Hand {
        &clock.monotonic
    }

    #[inline]
    fn real_now() -> i64 {
        monotonic_ns()
    }
}

impl Kind for Boottime {
    fn deadlines(timers: &Timers) -> &Deadlines {
        &timers.boottime
    }

    fn hand(clock: &Clock) -> &Hand {
        &clock.boottime
    }

    fn real_now() -> i64 {
        boottime_ns()
    }
}

/// The time of the current runtime's clock, else of the system's.
#[inline]
fn now<K: Kind>() -> i64 {
    context::with_current(|current| match current {
        Current::Here(core) => K::now(&core.timers.clock),
        Current::Elsewhere(_) | Current::None => K::real_now(),
    })
}

/// When the kernel is to end a sleep, by each of its clocks.
#[derive(Clone, Copy, Default)]
pub(crate) struct Alarms {
    pub(crate) monotonic: Option<i64>,
    pub(crate) boottime: Option<i64>,
    /// The one after `monotonic`, where they follow each other closely.
    pub(crate) after: Option<i64>,
}

impl Alarms {
    #[inline]
    pub(crate) fn any(self) -> bool {
        self.monotonic.is_some() || self.boottime.is_some()
    }

    /// By CLOCK_MONOTONIC alone. How long the machine will be suspended nobody knows, so a deadline
    /// that counts it is looked for again and again.
    pub(crate) fn on_monotonic(self) -> Option<i64> {
        self.on_monotonic_within(CHECK_NS)
    }

    /// The same, unless the machine is suspended.
    pub(crate) fn while_up(self) -> Option<i64> {
        self.on_monotonic_within(i64::MAX)
    }

    fn on_monotonic_within(self, most: i64) -> Option<i64> {
        let by_boottime = self.boottime.map(|deadline| {
            let left = deadline.saturating_sub(boottime_ns()).clamp(0, most);
            monotonic_ns().saturating_add(left)
        });
        earlier(self.monotonic, by_boottime)
    }
}

fn earlier(one: Option<i64>, other: Option<i64>) -> Option<i64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

impl Timers {
    pub(crate) fn new(clock: Clock) -> Timers {
        Timers { monotonic: Deadlines::new(), boottime: Deadlines::new(), clock }
    }

    /// Whether there is no deadline.
    #[inline]
    fn is_idle(&self) -> bool {
        self.monotonic.is_idle() && self.boottime.is_idle()
    }

    /// Wakes everybody whose deadline has come.
    #[inline]
    pub(crate) fn fire(&self, core: &Core) {
        if !self.is_idle() {
            self.fire_on::<Monotonic>(core);
            self.fire_on::<Boottime>(core);
        }
    }

    fn fire_on<K: Kind>(&self, core: &Core) {
        let deadlines = K::deadlines(self);
        let Some(next) = deadlines.next() else { return };
        let now = K::now(&self.clock);
        if next <= now {
            deadlines.fire(core, K::hand(&self.clock), now);
        }
    }

    /// How far the test clock moves, if it is the one that does, during a sleep that would last for
    /// `limit`; `is_blocking` says whether blocking work is under way, which it waits for.
    #[inline]
    pub(crate) fn jump(
        &self,
        limit: Option<Duration>,
        is_blocking: impl FnOnce() -> bool,
    ) -> Option<i64> {
        if !self.clock.jumps() || is_blocking() {
            return None;
        }
        self.until_next(limit)
    }

    fn until_next(&self, limit: Option<Duration>) -> Option<i64> {
        fn left<K: Kind>(timers: &Timers) -> Option<i64> {
            let next = K::deadlines(timers).next_to_come()?;
            Some(next.saturating_sub(K::now(&timers.clock)).max(0))
        }
        let left = earlier(left::<Monotonic>(self), left::<Boottime>(self));
        earlier(left, limit.map(saturating_ns))
    }

    /// When timers want to be woken.
    #[inline]
    pub(crate) fn alarms(&self) -> Alarms {
        if self.is_idle() { Alarms::default() } else { self.alarms_of_some() }
    }

    /// Nobody knows while the clock is paused.
    fn alarms_of_some(&self) -> Alarms {
        if self.clock.is_paused() {
            return Alarms::default();
        }
        let monotonic = self.monotonic.alarm(&self.clock.monotonic);
        Alarms {
            monotonic,
            boottime: self.boottime.alarm(&self.clock.boottime),
            after: monotonic.and_then(|alarm| self.monotonic.alarm_after(alarm)),
        }
    }

    /// Shows every deadline that has not fired, and who waits for it. `see` must run no foreign code.
    #[cold]
    pub(crate) fn walk(&self, mut see: impl FnMut(Wait, &Waker)) {
        self.walk_on::<Monotonic>(false, &mut see);
        self.walk_on::<Boottime>(true, &mut see);
    }

    fn walk_on<K: Kind>(&self, counts_suspend: bool, see: &mut impl FnMut(Wait, &Waker)) {
        let now = K::now(&self.clock);
        K::deadlines(self).walk(|deadline, waker| {
            see(Wait::Deadline { due: Due::of(deadline, now), counts_suspend }, waker);
        });
    }

    /// Everybody who waits, at the end of the runtime.
    pub(crate) fn take_wakers(&self) -> Vec<Waker> {
        let mut wakers = self.monotonic.take_wakers();
        wakers.append(&mut self.boottime.take_wakers());
        wakers
    }
}
