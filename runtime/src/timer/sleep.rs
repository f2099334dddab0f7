//! `Sleep`: the future that waits for a deadline.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use crate::context::{self, Current};
use crate::coop;
use crate::name::{Name, RuntimeName};
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
    let (home, now) = home("time::sleep");
    let wait = if duration.is_zero() { Wait::Elapsed } else { Wait::Unpolled };
    Sleep { deadline: now.saturating_add(duration), home, wait }
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
    let (home, now) = home("time::sleep_until");
    let wait = if deadline <= now { Wait::Elapsed } else { Wait::Unpolled };
    Sleep { deadline, home, wait }
}

/// The current runtime, and its time.
#[track_caller]
fn home(call: &str) -> (RuntimeName, Instant) {
    let home = context::with_current(|current| match current {
        Current::Here(core) => Some((core.name, core.timers.clock.now())),
        Current::Elsewhere(handle) => Some((handle.shared.name, Instant::now())),
        Current::None => None,
    });
    match home {
        Some(home) => home,
        None => panic!(
            "{call} was called with no runtime on this thread: call it inside block_on or \
             #[runtime::main], or under Runtime::enter"
        ),
    }
}

/// Where a sleep waits.
enum Wait {
    Unpolled,
    /// In the heap of a runtime, whose entry it owns.
    Registered(Name),
    /// Under an executor that is not ours: a task of the home runtime waits for it.
    Remote(JoinHandle<()>),
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
            Wait::Remote(task) => task.is_finished(),
            Wait::Elapsed => true,
        }
    }

    /// Moves the deadline, also after it has passed. No allocation.
    pub fn reset(self: Pin<&mut Self>, deadline: Instant) {
        let this = self.get_mut();
        this.deadline = deadline;
        if let Wait::Registered(name) = this.wait {
            let moved =
                context::local(name.runtime(), |core| core.timers.reset(name.index(), deadline));
            if moved.is_some() {
                return;
            }
        }
        this.cancel();
        this.wait = Wait::Unpolled;
    }

    /// Leaves the heap it is in.
    fn cancel(&mut self) {
        match std::mem::replace(&mut self.wait, Wait::Elapsed) {
            Wait::Registered(name) => {
                let key = name.index();
                if context::local(name.runtime(), |core| core.timers.remove(key)).is_none() {
                    // A runtime that is gone has dropped its timers.
                    let _ = wakeups::send(
                        name.runtime(),
                        Box::new(move |core| core.timers.remove(key)),
                    );
                }
            }
            Wait::Remote(task) => task.abort(),
            Wait::Unpolled | Wait::Elapsed => {}
        }
    }

    /// Starts to wait: in the heap of the runtime that polls, or of the home runtime.
    fn register(&mut self, cx: &mut Context<'_>) {
        let deadline = self.deadline;
        let name = context::with_current(|current| match current {
            Current::Here(core) => {
                Some(Name::new(core.name, core.timers.insert(deadline, cx.waker())))
            }
            Current::Elsewhere(_) | Current::None => None,
        });
        self.wait = match name {
            Some(name) => Wait::Registered(name),
            None => Wait::Remote(remote_join::spawn_on(
                self.home,
                move || sleep_until(deadline),
                Location::caller(),
            )),
        };
    }

    fn poll_wait(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            match &mut self.wait {
                Wait::Elapsed => return Poll::Ready(()),
                Wait::Unpolled => {
                    self.register(cx);
                    if let Wait::Registered(_) = self.wait {
                        return Poll::Pending;
                    }
                }
                Wait::Registered(name) => {
                    let name = *name;
                    let polled = context::turning(name.runtime(), |core| {
                        core.timers.poll(name.index(), cx.waker())
                    });
                    match polled {
                        Some(polled) => return polled,
                        // It was sent to another runtime, or its own is gone: it waits here now.
                        None => {
                            self.cancel();
                            self.wait = Wait::Unpolled;
                        }
                    }
                }
                Wait::Remote(task) => {
                    return match ready!(Pin::new(task).poll(cx)) {
                        Ok(()) => Poll::Ready(()),
                        Err(_) => panic!(
                            "a Sleep was polled on a thread without a runtime after its own had \
                             been dropped: nobody can wake it"
                        ),
                    };
                }
            }
        }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        ready!(coop::poll_proceed(cx));
        let this = self.get_mut();
        ready!(this.poll_wait(cx));
        coop::made_progress();
        this.cancel();
        Poll::Ready(())
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.cancel();
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}
