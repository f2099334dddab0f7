//! `interval`: ticks at a steady period.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use super::{Instant, Sleep, sleep_until};

/// A tick that is late by no more than this is late because timers are, not because it was missed.
const TOLERANCE: Duration = Duration::from_millis(5);

/// Ticks every `period`, for the first time at once.
///
/// As tokio's `time::interval`, but ticks that were missed are left out by default: see
/// [`MissedTickBehavior`].
///
/// # Panics
///
/// If `period` is zero, and with no runtime on this thread.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// # runtime::block_on(async {
/// let mut interval = runtime::time::interval(Duration::from_millis(2));
/// let start = interval.tick().await; // at once
/// let second = interval.tick().await;
/// assert_eq!(second - start, Duration::from_millis(2));
/// # });
/// ```
#[track_caller]
#[inline]
pub fn interval(period: Duration) -> Interval {
    interval_at(Instant::now(), period)
}

/// Ticks every `period`, for the first time at `start`; one in the past is there at once. As [`interval`].
///
/// # Panics
///
/// If `period` is zero, and with no runtime on this thread.
#[track_caller]
#[inline]
pub fn interval_at(start: Instant, period: Duration) -> Interval {
    assert!(
        !period.is_zero(),
        "an interval's period must not be zero: it would tick without end; give at least 1 ns, or use \
         task::yield_now to let other tasks run"
    );
    Interval {
        delay: sleep_until(start),
        period,
        missed_tick_behavior: MissedTickBehavior::default(),
    }
}

/// What an [`Interval`] does with ticks that were missed because nobody asked for them in time.
///
/// With a period of 100 ms, and somebody who takes 250 ms over the tick at 0, the ticks come at
///
/// ```text
/// Burst   0   250 250 300 400     all of them, as fast as they are asked for
/// Delay   0   250 350 450 550     from there on, counted from the late one
/// Skip    0   250 300 400 500     the missed one is left out, the others are where they were
/// ```
///
/// As tokio's enum of the same name, but its default is `Burst`, which surprises its users: after the
/// process was stopped (SIGSTOP) for an hour, a tick each second comes 3,600 times in a row. Here the default
/// is `Skip`. A suspend of the machine does not count: see [`boottime`](crate::time::boottime).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum MissedTickBehavior {
    /// Makes up for missed ticks one after the other, until the count is right again.
    Burst,
    /// Ticks a whole period after the late tick, and so on from there.
    ///
    /// A tick is late for this if it was taken more than 5 ms after its time, or more than a period.
    Delay,
    /// Leaves missed ticks out and keeps to the multiples of the period; the default.
    #[default]
    Skip,
}

impl MissedTickBehavior {
    /// When the tick after the one that was due at `due` and is taken `now` is due.
    #[inline]
    fn next(self, due: Instant, now: Instant, period: Duration) -> Instant {
        let late = now.saturating_duration_since(due);
        match self {
            MissedTickBehavior::Delay if late > TOLERANCE.min(period) => now + period,
            MissedTickBehavior::Skip if late >= period => {
                // No longer than `late`, which fits 64 bits of nanoseconds.
                let into_period = (late.as_nanos() % period.as_nanos()) as u64;
                now + (period - Duration::from_nanos(into_period))
            }
            _ => due + period,
        }
    }
}

/// Ticks at a steady period; made by [`interval`] and [`interval_at`].
///
/// ```
/// use std::time::Duration;
/// use runtime::time::{Instant, MissedTickBehavior, interval, interval_at};
///
/// # runtime::Builder::new().start_paused(true).build().unwrap().block_on(async {
/// let start = Instant::now();
/// let second = Duration::from_secs(1);
/// let mut ticks = interval_at(start + second, second);
/// ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
/// assert_eq!(ticks.tick().await, start + second);
/// ticks.reset_after(5 * second); // not before five seconds from now
/// assert_eq!(ticks.tick().await, start + 6 * second);
/// ticks.reset_at(start + 7 * second);
/// assert_eq!(ticks.tick().await, start + 7 * second);
/// # });
/// ```
#[derive(Debug)]
pub struct Interval {
    /// Until the next tick.
    delay: Sleep,
    period: Duration,
    missed_tick_behavior: MissedTickBehavior,
}

impl Interval {
    /// Waits for the next tick, and says when it was due.
    ///
    /// # Cancel safety
    ///
    /// No tick is lost.
    #[inline]
    pub async fn tick(&mut self) -> Instant {
        poll_fn(|cx| self.poll_tick(cx)).await
    }

    /// Polls for the next tick; only the last task that polled is woken.
    #[inline]
    pub fn poll_tick(&mut self, cx: &mut Context<'_>) -> Poll<Instant> {
        ready!(Pin::new(&mut self.delay).poll(cx));
        let due = self.delay.deadline();
        self.reset_at(self.missed_tick_behavior.next(due, Instant::now(), self.period));
        Poll::Ready(due)
    }

    /// Has the next tick come a period from now.
    #[inline]
    pub fn reset(&mut self) {
        self.reset_after(self.period);
    }

    /// Has the next tick come at once.
    #[inline]
    pub fn reset_immediately(&mut self) {
        self.reset_at(Instant::now());
    }

    /// Has the next tick come when `after` has passed.
    #[inline]
    pub fn reset_after(&mut self, after: Duration) {
        self.reset_at(Instant::now() + after);
    }

    /// Has the next tick come at `deadline`, the others at the period from there.
    #[inline]
    pub fn reset_at(&mut self, deadline: Instant) {
        Pin::new(&mut self.delay).reset(deadline);
    }

    /// The time between ticks.
    #[inline]
    pub fn period(&self) -> Duration {
        self.period
    }

    /// What happens with missed ticks.
    #[inline]
    pub fn missed_tick_behavior(&self) -> MissedTickBehavior {
        self.missed_tick_behavior
    }

    /// Says what happens with missed ticks.
    #[inline]
    pub fn set_missed_tick_behavior(&mut self, behavior: MissedTickBehavior) {
        self.missed_tick_behavior = behavior;
    }
}
