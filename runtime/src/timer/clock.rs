//! The clock of a runtime: the real one, or the test clock that stands until it is moved.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::context::{self, Current};
use crate::sys::clock::monotonic_ns;
use crate::task::yield_now;
use crate::timer::Instant;

pub(crate) struct Clock {
    /// The time at which it stands, while it is paused.
    paused_at: Cell<Option<Instant>>,
    /// How far it has been moved ahead of the real one, in nanoseconds.
    ahead: Cell<i64>,
    auto_advance: bool,
    /// Whether it is paused, for the threads of the blocking pool.
    stands: Arc<AtomicBool>,
}

impl Clock {
    pub(crate) fn new(start_paused: bool, auto_advance: bool, stands: Arc<AtomicBool>) -> Clock {
        let (paused_at, ahead) = (Cell::new(None), Cell::new(0));
        let clock = Clock { paused_at, ahead, auto_advance, stands };
        if start_paused {
            clock.pause();
        }
        clock
    }

    #[inline]
    pub(crate) fn now(&self) -> Instant {
        match self.paused_at.get() {
            None => Instant::from_nanos(monotonic_ns().saturating_add(self.ahead.get())),
            Some(instant) => instant,
        }
    }

    /// A time of this clock on CLOCK_MONOTONIC, while it runs.
    pub(crate) fn real(&self, instant: Instant) -> i64 {
        instant.nanos().saturating_sub(self.ahead.get())
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.paused_at.get().is_some()
    }

    /// Whether it stands, and at `deadline` or after it: what is due is then ready at once, so that
    /// tests need not give it a turn.
    pub(crate) fn stands_at(&self, deadline: Instant) -> bool {
        self.paused_at.get().is_some_and(|now| deadline <= now)
    }

    /// Whether it moves by itself when there is nothing else to do.
    pub(crate) fn jumps(&self) -> bool {
        self.auto_advance && self.is_paused()
    }

    /// Moves a paused clock; never back.
    pub(crate) fn jump_to(&self, instant: Instant) {
        // The end of the range is never: what is due then is never due.
        let last = Instant::from_nanos(i64::MAX - 1);
        if let Some(now) = self.paused_at.get() {
            self.paused_at.set(Some(now.max(instant.min(last))));
        }
    }

    fn pause(&self) -> bool {
        let running = !self.is_paused();
        self.paused_at.set(Some(self.now()));
        self.stands.store(true, Ordering::Release);
        running
    }

    fn resume(&self) -> bool {
        let Some(now) = self.paused_at.take() else { return false };
        self.stands.store(false, Ordering::Release);
        self.ahead.set(now.nanos().saturating_sub(monotonic_ns()));
        true
    }
}

/// Runs `f` on the current runtime's clock, which has to be this thread's.
#[track_caller]
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

/// Stops the runtime's clock: [`Instant::now`] stands, and timers fire as the clock is moved.
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
pub async fn advance(duration: Duration) {
    with_clock("advance", |clock| {
        assert!(
            clock.is_paused(),
            "time::advance was called with the clock running: pause it first"
        );
        clock.jump_to(clock.now() + duration);
    });
    fire_due();
    yield_now().await;
}

/// Timers fire at the end of a turn as a rule; after `advance` the woken tasks go before its caller.
fn fire_due() {
    context::with_current(|current| {
        if let Current::Here(core) = current {
            core.timers.fire(core);
        }
    });
}
