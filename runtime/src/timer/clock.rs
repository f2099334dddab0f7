//! The clock of a runtime: the real one, or the test clock that stands until it is moved.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::context::{self, Current};
use crate::sys::clock::{boottime_ns, monotonic_ns, saturating_ns};
use crate::task::yield_now;

/// What a runtime's timers read: both of the kernel's clocks, which stop and are moved together.
pub(crate) struct Clock {
    pub(super) monotonic: Hand,
    pub(super) boottime: Hand,
    auto_advance: bool,
    /// Whether it is paused, for the threads of the blocking pool.
    stands: Arc<AtomicBool>,
}

/// One of the kernel's clocks as a runtime sees it, in nanoseconds.
#[derive(Default)]
pub(super) struct Hand {
    /// The time at which it stands, while it is paused.
    stands_at: Cell<Option<i64>>,
    /// How far it has been moved ahead of the kernel's.
    ahead: Cell<i64>,
}

impl Hand {
    /// Its time; `real` reads the kernel's.
    #[inline]
    pub(super) fn now(&self, real: impl FnOnce() -> i64) -> i64 {
        match self.stands_at.get() {
            None => real().saturating_add(self.ahead.get()),
            Some(time) => time,
        }
    }

    /// A time of its on the kernel's clock, while it runs.
    pub(super) fn real(&self, time: i64) -> i64 {
        time.saturating_sub(self.ahead.get())
    }

    pub(super) fn stands(&self) -> bool {
        self.stands_at.get().is_some()
    }

    /// Whether it stands, and at `deadline` or after it: what is due is then ready at once, so that
    /// tests need not give it a turn.
    pub(super) fn stands_at(&self, deadline: i64) -> bool {
        self.stands_at.get().is_some_and(|now| deadline <= now)
    }

    fn stop(&self, real: impl FnOnce() -> i64) {
        self.stands_at.set(Some(self.now(real)));
    }

    /// Runs on from where it stands.
    fn run(&self, real: impl FnOnce() -> i64) {
        if let Some(time) = self.stands_at.take() {
            self.ahead.set(time.saturating_sub(real()));
        }
    }

    /// Moves it ahead while it stands.
    fn advance(&self, ns: i64) {
        // The end of the range is never: what is due then is never due.
        let moved = |now: i64| now.max(now.saturating_add(ns).min(i64::MAX - 1));
        self.stands_at.set(self.stands_at.get().map(moved));
    }
}

impl Clock {
    pub(crate) fn new(start_paused: bool, auto_advance: bool, stands: Arc<AtomicBool>) -> Clock {
        let (monotonic, boottime) = (Hand::default(), Hand::default());
        let clock = Clock { monotonic, boottime, auto_advance, stands };
        if start_paused {
            clock.pause();
        }
        clock
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.monotonic.stands()
    }

    /// Whether it moves by itself when there is nothing else to do.
    pub(crate) fn jumps(&self) -> bool {
        self.auto_advance && self.is_paused()
    }

    /// Moves a paused clock ahead.
    pub(crate) fn advance(&self, ns: i64) {
        self.monotonic.advance(ns);
        self.boottime.advance(ns);
    }

    /// Moves a paused clock as a suspended machine does.
    pub(super) fn suspend(&self, ns: i64) {
        self.boottime.advance(ns);
    }

    #[inline]
    fn pause(&self) -> bool {
        let running = !self.is_paused();
        self.monotonic.stop(monotonic_ns);
        self.boottime.stop(boottime_ns);
        self.stands.store(true, Ordering::Release);
        running
    }

    #[inline]
    fn resume(&self) -> bool {
        let paused = self.is_paused();
        self.stands.store(false, Ordering::Release);
        self.monotonic.run(monotonic_ns);
        self.boottime.run(boottime_ns);
        paused
    }
}

/// Runs `f` on the current runtime's clock, which has to be this thread's.
#[track_caller]
#[inline]
fn with_clock<R>(call: &str, f: impl FnOnce(&Clock) -> R) -> R {
    let result = context::with_current(|current| match current {
        Current::Here(core) => {
            let result = f(&core.timers.clock);
            core.nudge();
            Some(result)
        }
        Current::Elsewhere(_) | Current::None => None,
    });
    match result {
        Some(result) => result,
        None => panic!(
            "time::{call} was called with no runtime of this thread current: call it inside block_on \
             or #[runtime::test]"
        ),
    }
}

/// Stops the runtime's clock: [`Instant::now`](crate::time::Instant::now) stands, and timers fire as the
/// clock is moved.
///
/// For tests; as tokio's `time::pause`. When the runtime has nothing else to do, no task ready,
/// nothing from the kernel and no blocking closure under way, the clock jumps to the next deadline
/// (unless `Builder::auto_advance(false)`).
///
/// # Panics
///
/// If the clock is paused already, or with no runtime on this thread.
///
/// ```
/// # use std::time::Duration;
/// # runtime::block_on(async {
/// runtime::time::pause();
/// let start = runtime::time::Instant::now();
/// runtime::time::sleep(Duration::from_secs(3600)).await; // at once
/// assert_eq!(start.elapsed(), Duration::from_secs(3600));
/// # });
/// ```
#[track_caller]
#[inline]
pub fn pause() {
    let paused = with_clock("pause", Clock::pause);
    assert!(paused, "time::pause was called with the clock paused already");
}

/// Lets a paused clock run on from where it stands. As tokio's `time::resume`.
///
/// # Panics
///
/// If the clock is not paused, or with no runtime on this thread.
#[track_caller]
#[inline]
pub fn resume() {
    let resumed = with_clock("resume", Clock::resume);
    assert!(resumed, "time::resume was called with the clock running: call time::pause before");
}

/// Moves a paused clock ahead by `duration` and lets the tasks whose deadlines have come run.
///
/// As tokio's `time::advance`: the other tasks get one turn before this returns (with a seeded order,
/// `Builder::rng_seed`, some of them may come after).
///
/// # Panics
///
/// If the clock is not paused, or with no runtime on this thread.
///
/// # Cancel safety
///
/// The clock has moved once this was polled.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use runtime::time;
///
/// # runtime::block_on(async {
/// time::pause();
/// let hour = runtime::spawn(time::sleep(Duration::from_secs(3600)));
/// runtime::task::yield_now().await; // it sleeps now
/// time::advance(Duration::from_secs(3599)).await;
/// assert!(!hour.is_finished());
/// time::advance(Duration::from_secs(1)).await;
/// assert!(hour.is_finished());
/// time::resume();
/// # });
/// ```
#[inline]
pub fn advance(duration: Duration) -> impl Future<Output = ()> {
    move_by("advance", duration, Clock::advance)
}

/// Moves a paused clock and lets the tasks whose deadlines have come run.
#[inline]
pub(super) async fn move_by(call: &str, duration: Duration, by: fn(&Clock, i64)) {
    with_clock(call, |clock| {
        assert!(
            clock.is_paused(),
            "time::{call} was called with the clock running: pause it first"
        );
        by(clock, saturating_ns(duration));
    });
    fire_due();
    yield_now().await;
}

/// Timers fire at the end of a turn as a rule; the tasks woken here go before the caller.
#[inline]
fn fire_due() {
    context::with_current(|current| {
        if let Current::Here(core) = current {
            core.timers.fire(core);
        }
    });
}
