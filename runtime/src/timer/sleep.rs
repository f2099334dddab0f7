//! `Sleep`: the future that waits for a deadline.

use std::fmt;
use std::future::Future;
use std::mem::{self, ManuallyDrop};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use crate::context::{self, Current};
use crate::coop;
use crate::name::{Name, RuntimeName};
use crate::sys::clock::monotonic_ns;
use crate::task::{JoinHandle, remote_join};
use crate::timer::Instant;
use crate::wakeups;

/// Waits until `duration` has passed.
///
/// As tokio's `time::sleep`, with nanosecond deadlines: never early, and as late as the kernel wakes
/// us, plus at most 50 us where many deadlines lie close. `Duration::MAX` never ends.
///
/// # Panics
///
/// With no runtime on this thread.
///
/// # Cancel safety
///
/// Dropping it cancels the wait.
///
/// ```
/// # runtime::block_on(async {
/// runtime::time::sleep(std::time::Duration::from_millis(1)).await;
/// # });
/// ```
#[track_caller]
pub fn sleep(duration: Duration) -> Sleep {
    let (home, now) = home();
    let wait = if duration.is_zero() { Wait::Elapsed } else { Wait::Unpolled };
    Sleep { deadline: now.saturating_add(duration), home, wait, remote: ManuallyDrop::new(None) }
}

/// Waits until `deadline`; one in the past is there at once. As [`sleep`].
///
/// # Panics
///
/// With no runtime on this thread.
///
/// # Cancel safety
///
/// Dropping it cancels the wait.
#[track_caller]
pub fn sleep_until(deadline: Instant) -> Sleep {
    let (home, now) = home();
    let wait = if deadline <= now { Wait::Elapsed } else { Wait::Unpolled };
    Sleep { deadline, home, wait, remote: ManuallyDrop::new(None) }
}

/// The current runtime, and its time.
#[inline]
#[track_caller]
fn home() -> (RuntimeName, Instant) {
    let (home, now) = context::with_current(|current| match current {
        Current::Here(core) => (core.name, core.timers.clock.now()),
        Current::Elsewhere(handle) => (handle.shared.name, Instant::from_nanos(monotonic_ns())),
        Current::None => (RuntimeName::NONE, Instant::from_nanos(0)),
    });
    if home == RuntimeName::NONE {
        no_runtime();
    }
    (home, now)
}

#[cold]
#[track_caller]
fn no_runtime() -> ! {
    panic!(
        "a timer was asked for with no runtime on this thread: call sleep, timeout and interval \
         inside block_on or #[runtime::main], or under Runtime::enter"
    )
}

/// Where a sleep waits.
#[derive(Clone, Copy)]
enum Wait {
    Unpolled,
    /// In the heap of a runtime, whose entry it owns.
    Registered(Name),
    /// Under an executor that is not ours: a task of the home runtime waits for it.
    Remote,
    Elapsed,
}

/// Waits for a deadline; made by [`sleep`] and [`sleep_until`].
///
/// It may be sent to other threads: it waits on the runtime where it is polled, and on the one where
/// it was made if another executor polls it.
#[must_use = "futures do nothing unless polled"]
pub struct Sleep {
    deadline: Instant,
    home: RuntimeName,
    wait: Wait,
    /// The task that waits for it, there only while it is `Remote`. `leave` takes it out, so that dropping
    /// a sleep that never was remote does not look.
    remote: ManuallyDrop<Option<Box<JoinHandle<()>>>>,
}

impl Sleep {
    /// When it ends.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Whether it has ended.
    pub fn is_elapsed(&self) -> bool {
        match &self.wait {
            Wait::Unpolled => false,
            Wait::Registered(name) => {
                context::local(name.runtime(), |core| core.timers.is_fired(name.index()))
                    .unwrap_or_else(|| self.deadline <= Instant::now())
            }
            Wait::Remote => self.remote.as_ref().is_some_and(|task| task.is_finished()),
            Wait::Elapsed => true,
        }
    }

    /// Moves the deadline, also after it has passed. No allocation.
    pub fn reset(self: Pin<&mut Self>, deadline: Instant) {
        let this = self.get_mut();
        this.deadline = deadline;
        if let Wait::Registered(name) = this.wait {
            let moved = context::local(name.runtime(), |core| {
                core.timers.reset(name.index(), deadline);
                core.nudge();
            });
            if moved.is_some() {
                return;
            }
        }
        this.leave(Wait::Unpolled);
    }

    /// Leaves the heap it is in, for another state.
    #[inline]
    fn leave(&mut self, next: Wait) {
        match mem::replace(&mut self.wait, next) {
            Wait::Registered(name) => {
                let left = context::local(name.runtime(), |core| core.timers.remove(name.index()));
                if left.is_none() {
                    remove_elsewhere(name);
                }
            }
            Wait::Remote => self.leave_remote(),
            Wait::Unpolled | Wait::Elapsed => {}
        }
    }

    #[cold]
    fn leave_remote(&mut self) {
        if let Some(task) = self.remote.take() {
            task.abort();
        }
    }

    /// Starts to wait: in the heap of the runtime that polls, or of the home runtime.
    #[inline]
    fn register(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let deadline = self.deadline;
        let wait = context::with_current(|current| match current {
            Current::Here(core) if core.timers.clock.stands_at(deadline) => Wait::Elapsed,
            Current::Here(core) => {
                let key = core.timers.insert(deadline, cx.waker());
                core.nudge();
                Wait::Registered(Name::new(core.name, key))
            }
            Current::Elsewhere(_) | Current::None => Wait::Unpolled,
        });
        match wait {
            Wait::Unpolled => self.poll_remote(cx),
            wait => {
                self.wait = wait;
                if let Wait::Elapsed = self.wait { Poll::Ready(()) } else { Poll::Pending }
            }
        }
    }

    /// Has the home runtime wait.
    #[cold]
    fn poll_remote(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.wait = Wait::Remote;
        let (home, deadline) = (self.home, self.deadline);
        let task = self.remote.get_or_insert_with(|| {
            let wait = move || sleep_until(deadline);
            Box::new(remote_join::spawn_on(home, wait, Location::caller()))
        });
        match ready!(Pin::new(&mut **task).poll(cx)) {
            Ok(()) => Poll::Ready(()),
            Err(_) => self.poll_in_another_home(cx),
        }
    }

    /// Its home is gone: it waits with the runtime that is current.
    #[cold]
    fn poll_in_another_home(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let current = context::with_current(|current| match current {
            Current::Here(core) => core.name,
            Current::Elsewhere(handle) => handle.shared.name,
            Current::None => RuntimeName::NONE,
        });
        if current == RuntimeName::NONE || current == self.home {
            panic!(
                "a Sleep was polled on a thread without a runtime after its own had been dropped: \
                 nobody can wake it"
            );
        }
        self.home = current;
        self.leave(Wait::Unpolled);
        self.register(cx)
    }

    /// Polled while another loop turns, or none.
    #[cold]
    fn poll_outside(&mut self, cx: &mut Context<'_>, name: Name) -> Poll<()> {
        let polled = context::with_current(|current| match current {
            Current::Here(core) if core.name == name.runtime() => {
                Some(core.timers.poll(name.index(), cx.waker()))
            }
            _ => None,
        });
        polled.unwrap_or_else(|| {
            // It was sent to another runtime, or its own is gone: it waits here now.
            self.leave(Wait::Unpolled);
            self.register(cx)
        })
    }

    fn poll_wait(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self.wait {
            Wait::Elapsed => Poll::Ready(()),
            Wait::Unpolled => self.register(cx),
            Wait::Registered(name) => {
                let polled = context::turning(name.runtime(), |core| {
                    core.timers.poll(name.index(), cx.waker())
                });
                polled.unwrap_or_else(|| self.poll_outside(cx, name))
            }
            Wait::Remote => self.poll_remote(cx),
        }
    }
}

/// Frees the entry in a runtime of another thread; one that is gone has dropped its timers.
#[cold]
fn remove_elsewhere(name: Name) {
    let key = name.index();
    let _ = wakeups::send(name.runtime(), Box::new(move |core| core.timers.remove(key)));
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        ready!(coop::poll(cx, |cx| this.poll_wait(cx)));
        this.leave(Wait::Elapsed);
        Poll::Ready(())
    }
}

impl Drop for Sleep {
    #[inline]
    fn drop(&mut self) {
        self.leave(Wait::Elapsed);
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}
