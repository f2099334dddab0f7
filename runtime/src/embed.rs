//! A runtime in a host's loop: one descriptor to wait for, turns to take, and the park between them that
//! does not sleep.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::panic;
use std::time::Duration;

use crate::context;
use crate::core::Core;
use crate::runtime::Runtime;
use crate::wakeups::ASLEEP_IN_EPOLL;

/// Longer time-outs mean no end: the clock has 292 years.
const FOREVER: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// What [`Runtime::turn`] and [`Runtime::run_until_stalled`] have done.
///
/// ```
/// let runtime = runtime::Runtime::new()?;
/// runtime.spawn(async {});
/// let turn = runtime.turn(Some(std::time::Duration::ZERO))?;
/// assert_eq!(turn.tasks_polled(), 1);
/// assert!(!turn.more()); // all is done that could be
/// # std::io::Result::Ok(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Turn {
    tasks_polled: usize,
    events_taken: usize,
    more: bool,
}

impl Turn {
    /// How often tasks were polled, or dropped for an abort.
    #[inline]
    pub fn tasks_polled(&self) -> usize {
        self.tasks_polled
    }

    /// How many events came from the kernel. A wake-up from outside and the expiry of the timer are
    /// events too.
    #[inline]
    pub fn events_taken(&self) -> usize {
        self.events_taken
    }

    /// Whether there is more to do right now: the next turn would not wait.
    ///
    /// The descriptor is then readable anew, so a host need not ask; one that turns again at once spares
    /// itself a look at the descriptor.
    ///
    /// False is no promise: what the kernel has got since this turn looked, and deadlines that have come
    /// since, make the descriptor readable too.
    #[inline]
    pub fn more(&self) -> bool {
        self.more
    }
}

impl Runtime {
    /// Makes the descriptor that a host waits for ([`AsFd`](Runtime#impl-AsFd-for-Runtime)), if it is not
    /// there yet, with what is behind it: three descriptors in all.
    ///
    /// For those who want the error: `as_fd` panics with it. `turn` calls this too.
    ///
    /// # Errors
    ///
    /// When the process or the system has no descriptors left, and in a fork of the process that made
    /// the runtime.
    #[inline]
    pub fn prepare(&self) -> io::Result<()> {
        let core = &self.core;
        core.check_own_process()?;
        core.reactor.make_driver(core)?;
        if !core.hosted.replace(true) && !core.driving.get() {
            core.park_for_host();
        }
        Ok(())
    }

    /// One turn of the loop, for a host that has a loop of its own: takes events, fires timers, polls
    /// what is ready. It waits only if nothing is, and at most for `timeout`: with `Some(Duration::ZERO)`
    /// never, with `None` as long as it takes. It may return sooner, with nothing done. (Before Linux 5.11
    /// the kernel counts in milliseconds: a wait may then be up to one longer.)
    ///
    /// Its work is bounded: at most 256 events, the timers that are due, 64 commands of other threads and
    /// 64 polls ([`Builder::event_interval`](crate::Builder::event_interval)). How long a poll takes is up
    /// to the task.
    ///
    /// Between turns the runtime is its host's guest: [`spawn`](Runtime::spawn), wakes, and what is done
    /// under [`enter`](Runtime::enter) make the descriptor readable. `block_on` may come between.
    ///
    /// A paused test clock ([`pause`](crate::time::pause)) moves in a turn that would wait: to the next
    /// deadline, and no further than `timeout`. The descriptor does not become readable for it.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let runtime = runtime::Runtime::new()?;
    /// let task = runtime.spawn(async { 1 + 1 });
    /// let turn = runtime.turn(Some(Duration::ZERO))?;
    /// assert_eq!(turn.tasks_polled(), 1);
    /// assert!(task.is_finished() && !turn.more());
    /// # std::io::Result::Ok(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`prepare`](Runtime::prepare), and when other code has closed the descriptor.
    ///
    /// # Panics
    ///
    /// Inside a turn or `block_on` of the same runtime (a turn of another one inside a task is fine); and
    /// with a task's panic if the runtime was told to pass it on
    /// ([`Builder::unhandled_panic`](crate::Builder::unhandled_panic)).
    #[track_caller]
    #[inline]
    pub fn turn(&self, timeout: Option<Duration>) -> io::Result<Turn> {
        self.assert_not_driving("turn");
        self.prepare()?;
        let limit = timeout.filter(|timeout| *timeout < FOREVER);
        let turn = self.core.drive(|| self.core.turn_and_count(limit));
        self.core.pass_panic_on();
        turn
    }

    /// Turns, never waiting, until nothing is ready: no task, no event, no timer that is due. Of what
    /// comes back `more()` is false.
    ///
    /// It is not bounded: as long as tasks wake each other it goes on. It makes no descriptors, and a paused
    /// test clock stands.
    ///
    /// ```
    /// let runtime = runtime::Runtime::new()?;
    /// let task = runtime.spawn(async {
    ///     runtime::task::yield_now().await;
    ///     "done"
    /// });
    /// runtime.run_until_stalled();
    /// assert!(task.is_finished());
    /// # std::io::Result::Ok(())
    /// ```
    ///
    /// # Panics
    ///
    /// As [`turn`](Runtime::turn), and with its errors.
    #[track_caller]
    #[inline]
    pub fn run_until_stalled(&self) -> Turn {
        self.assert_not_driving("run_until_stalled");
        let turned = self.core.drive(|| self.core.turn_until_stalled());
        self.core.pass_panic_on();
        turned.unwrap_or_else(|error| panic!("Runtime::run_until_stalled: {error}"))
    }

    #[track_caller]
    #[inline]
    fn assert_not_driving(&self, call: &str) {
        assert!(
            !self.core.driving.get(),
            "Runtime::{call} was called inside of the runtime's own loop, which turns already: call it \
             from the host's loop"
        );
    }
}

/// The descriptor that a host waits for: readable (`POLLIN`) when a turn has something to do, be it for
/// I/O, for a timer, or for a wake from this thread or another. It is an epoll instance; all a host does
/// with it is to wait for it, level- or edge-triggered.
///
/// It is made at the first call. It stays the same, and open until the runtime is dropped: take it out of
/// the host's loop before.
///
/// # Panics
///
/// `as_fd` panics where [`Runtime::prepare`] fails.
impl AsFd for Runtime {
    #[track_caller]
    #[inline]
    fn as_fd(&self) -> BorrowedFd<'_> {
        let prepared = self.prepare();
        match (self.core.reactor.driver(), prepared) {
            // In a fork's child too, where the number is good for taking it out of a loop.
            (Some(driver), _) => driver.epoll().as_fd(),
            (None, Err(error)) => panic!("Runtime::as_fd: {error}"),
            (None, Ok(())) => unreachable!("a prepared runtime has its driver"),
        }
    }
}

/// As [`as_fd`](AsFd::as_fd).
impl AsRawFd for Runtime {
    #[track_caller]
    #[inline]
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl Core {
    /// Runs `f` inside the loop, between the end of the park that a host was left with and the next; the
    /// latter also when `f` panics.
    #[inline]
    pub(crate) fn drive<R>(&self, f: impl FnOnce() -> R) -> R {
        struct HandBack<'a>(&'a Core);
        impl Drop for HandBack<'_> {
            #[inline]
            fn drop(&mut self) {
                self.0.driving.set(false);
                if self.0.hosted.get() {
                    self.0.park_for_host();
                }
            }
        }
        self.driving.set(true);
        if self.hosted.get() {
            self.shared.block.unpark();
        }
        let _hand_back = HandBack(self);
        context::turn_scope(self, f)
    }

    /// Goes on with the panic that a turn has left, if it has.
    #[inline]
    pub(crate) fn pass_panic_on(&self) {
        if self.resume.borrow().is_some() {
            self.resume_panic();
        }
    }

    #[cold]
    fn resume_panic(&self) {
        if let Some(payload) = self.resume.take() {
            panic::resume_unwind(payload);
        }
    }

    #[inline]
    fn turn_and_count(&self, limit: Option<Duration>) -> io::Result<Turn> {
        let done = self.turn_for_host(limit)?;
        Ok(Turn {
            tasks_polled: done.polled,
            events_taken: done.events,
            more: self.has_more() || self.shared.block.is_notified(),
        })
    }

    #[inline]
    fn turn_until_stalled(&self) -> io::Result<Turn> {
        let mut sum = Turn { tasks_polled: 0, events_taken: 0, more: true };
        // A panic that is to be passed on ends it too.
        while sum.more && self.resume.borrow().is_none() {
            let had_work = self.has_work() || self.shared.block.is_notified();
            let turn = self.turn_and_count(Some(Duration::ZERO))?;
            sum.tasks_polled += turn.tasks_polled;
            sum.events_taken += turn.events_taken;
            // What ran may have made an event, also what another thread had asked for: one more look.
            sum.more = turn.more || had_work || turn.tasks_polled + turn.events_taken > 0;
        }
        Ok(sum)
    }

    /// Whether work is left that no descriptor of the driver's will report.
    #[inline]
    fn has_more(&self) -> bool {
        self.has_work() || self.reactor.driver().is_some_and(|driver| driver.is_full())
    }

    /// The park that does not sleep: from here on the descriptor is readable once there is something to
    /// do. The host may be edge-triggered, and one turn for each edge is enough: what is left is
    /// announced by an edge of its own.
    #[inline]
    fn park_for_host(&self) {
        let Some(driver) = self.reactor.driver() else { return };
        if self.is_of_parent() {
            return;
        }
        let block = self.shared.block;
        // A timer that cannot be set is looked at in turn after turn, which is late for nothing.
        let unset = driver.arm(self.timers.alarms()).is_some();
        if unset || self.has_more() || !block.prepare_park(ASLEEP_IN_EPOLL) {
            block.signal();
        }
    }
}
