//! `Delay`: the wait for a deadline, on whichever clock and thread.

use std::future::Future;
use std::marker::PhantomData;
use std::mem::{self, ManuallyDrop};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use super::{Kind, now};
use crate::context::{self, Current};
use crate::coop;
use crate::core::Core;
use crate::name::{Name, RuntimeName};
use crate::sys::clock::saturating_ns;
use crate::task::{JoinHandle, remote_join};
use crate::wakeups;

/// The current runtime, and its time.
///
/// A call that gives both in registers. All else of making a delay is inlined where that is done: the
/// duration is a constant there as a rule, and the delay is made where it is to be.
#[inline(never)]
#[track_caller]
fn home<K: Kind>() -> (RuntimeName, i64) {
    let (home, now) = context::with_current(|current| match current {
        Current::Here(core) => (core.name, K::now(&core.timers.clock)),
        Current::Elsewhere(handle) => (handle.shared.name, K::real_now()),
        Current::None => (RuntimeName::NONE, 0),
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

/// The future of a deadline in nanoseconds of the clock `K`.
///
/// It waits on the runtime where it is polled, and on the one where it was made if another executor
/// polls it.
pub(super) struct Delay<K: Kind> {
    deadline: i64,
    home: RuntimeName,
    wait: Wait,
    /// The task that waits for it, there only while it is `Remote`. `leave` takes it out, so that dropping
    /// a delay that never was remote does not look.
    remote: ManuallyDrop<Option<Box<JoinHandle<()>>>>,
    clock: PhantomData<fn() -> K>,
}

impl<K: Kind> Delay<K> {
    #[inline]
    #[track_caller]
    pub(super) fn of(duration: Duration) -> Delay<K> {
        let (home, now) = home::<K>();
        let wait = if duration.is_zero() { Wait::Elapsed } else { Wait::Unpolled };
        Delay::new(now.saturating_add(saturating_ns(duration)), home, wait)
    }

    #[inline]
    #[track_caller]
    pub(super) fn until(deadline: i64) -> Delay<K> {
        let (home, now) = home::<K>();
        let wait = if deadline <= now { Wait::Elapsed } else { Wait::Unpolled };
        Delay::new(deadline, home, wait)
    }

    #[inline]
    fn new(deadline: i64, home: RuntimeName, wait: Wait) -> Delay<K> {
        Delay { deadline, home, wait, remote: ManuallyDrop::new(None), clock: PhantomData }
    }

    pub(super) fn deadline(&self) -> i64 {
        self.deadline
    }

    /// Whether it has ended.
    pub(super) fn is_elapsed(&self) -> bool {
        match &self.wait {
            Wait::Unpolled => false,
            Wait::Registered(name) => context::local(name.runtime(), |core| {
                K::deadlines(&core.timers).is_fired(name.index())
            })
            .unwrap_or_else(|| self.deadline <= now::<K>()),
            Wait::Remote => self.remote.as_ref().is_some_and(|task| task.is_finished()),
            Wait::Elapsed => true,
        }
    }

    /// Moves the deadline, also after it has passed. No allocation.
    pub(super) fn reset(&mut self, deadline: i64) {
        self.deadline = deadline;
        if let Wait::Registered(name) = self.wait {
            let moved = context::local(name.runtime(), |core| {
                K::deadlines(&core.timers).reset(name.index(), deadline);
                core.nudge();
            });
            if moved.is_some() {
                return;
            }
        }
        self.leave(Wait::Unpolled);
    }

    /// Leaves the heap it is in, for another state.
    #[inline(always)]
    fn leave(&mut self, next: Wait) {
        match mem::replace(&mut self.wait, next) {
            Wait::Registered(name) => remove::<K>(name),
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
            Current::Here(core) if K::hand(&core.timers.clock).stands_at(deadline) => Wait::Elapsed,
            Current::Here(core) => {
                let key = K::deadlines(&core.timers).insert(deadline, cx.waker());
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
            let wait = move || Delay::<K>::until(deadline);
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
                Some(K::deadlines(&core.timers).poll(name.index(), cx.waker()))
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
                    K::deadlines(&core.timers).poll(name.index(), cx.waker())
                });
                polled.unwrap_or_else(|| self.poll_outside(cx, name))
            }
            Wait::Remote => self.poll_remote(cx),
        }
    }
}

/// Frees the entry.
#[inline(never)]
fn remove<K: Kind>(name: Name) {
    match context::turning(name.runtime(), |core| K::deadlines(&core.timers).remove(name.index())) {
        Some(()) => {}
        None => remove_outside::<K>(name),
    }
}

/// Frees the entry in a runtime that is not turning here.
#[cold]
fn remove_outside<K: Kind>(name: Name) {
    let removed =
        context::local(name.runtime(), |core| K::deadlines(&core.timers).remove(name.index()));
    if removed.is_none() {
        remove_elsewhere::<K>(name);
    }
}

/// Frees the entry in a runtime of another thread; one that is gone has dropped its timers.
#[cold]
fn remove_elsewhere<K: Kind>(name: Name) {
    let key = name.index();
    let remove = move |core: &Core| K::deadlines(&core.timers).remove(key);
    let _ = wakeups::send(name.runtime(), Box::new(remove));
}

impl<K: Kind> Future for Delay<K> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        ready!(coop::poll(cx, |cx| this.poll_wait(cx)));
        this.leave(Wait::Elapsed);
        Poll::Ready(())
    }
}

impl<K: Kind> Drop for Delay<K> {
    #[inline]
    fn drop(&mut self) {
        self.leave(Wait::Elapsed);
    }
}
