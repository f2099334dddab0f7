//! Tasks: from `spawn` to the outcome.
//!
//! ```text
//!            spawn                  Ready, panic or abort             handle asks or drops
//! (nothing) ───────► in the slab, ───────────────────────► complete ─────────────────────► (gone)
//!                    future in its box                     outcome in the same box
//!                      │  ▲
//!            next()    ▼  │  put_back()
//!                    taken out, being polled: nobody else can reach the future
//! ```
//!
//! The slab entry of a task belongs to the task until it has ended, and to its join handle until that
//! is dropped; only then is its index free for another. Other threads never touch any of this: they
//! leave a name in the inbox.

mod builder;
pub(crate) mod cell;
mod error;
pub(crate) mod id;
mod join;
pub(crate) mod remote_join;
pub(crate) mod scheduler;
mod untyped;
pub(crate) mod waker;
mod yield_now;

use std::future::Future;
use std::io::{self, Write};
use std::mem;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::process;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

pub use self::builder::Builder;
pub use self::error::JoinError;
pub use self::id::{Id, id, try_id};
pub use self::join::{AbortHandle, JoinHandle};
pub use self::yield_now::yield_now;
pub use crate::coop::{Unconstrained, consume_budget, has_budget_remaining, unconstrained};

pub(crate) use self::error::{Failure, Payload};

use self::cell::{BoxedTask, NewTask};
use self::join::TaskRef;
use self::scheduler::Ended;
use crate::builder::UnhandledPanic;
use crate::context::{self, Current};
use crate::coop;
use crate::core::Core;
use crate::name::Name;
use crate::observe::{Probe, Unwatched};
use crate::spans::{Serial, Span};

/// Where a task was spawned.
pub(crate) type Place = &'static Location<'static>;

/// Spawns a future on the current runtime.
///
/// The future need not be `Send`: it never leaves this thread. It starts to run when the runtime
/// comes to it, never inside this call. Dropping the handle detaches the task. As tokio's `spawn`,
/// without the bound.
///
/// # Panics
///
/// With no runtime on this thread, and where a runtime of another thread was entered by
/// [`Handle::enter`](crate::Handle::enter): a future that is not `Send` cannot go there, and
/// `Handle::spawn` takes those that are.
///
/// ```
/// # runtime::block_on(async {
/// let shared = std::rc::Rc::new(1);
/// let task = runtime::spawn({
///     let shared = shared.clone();
///     async move { *shared + 1 }
/// });
/// assert_eq!(task.await.unwrap(), 2);
/// # });
/// ```
#[track_caller]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    let mut future = Some(future);
    JoinHandle::of_task(spawn_here(&mut NewTask::of(&mut future), Location::caller()))
}

/// The part of `spawn` that does not depend on the future's type.
#[track_caller]
fn spawn_here(new: &mut NewTask<'_>, place: Place) -> TaskRef {
    let spawned = context::with_current(|current| match current {
        Current::Here(core) => Ok(core.spawn(new, place)),
        Current::Elsewhere(_) => Err(
            "spawn was called where a runtime of another thread is entered, and its future may not \
             be Send: use Handle::spawn, or Handle::spawn_with for a future made over there",
        ),
        Current::None => {
            Err("spawn was called with no runtime on this thread: call it inside block_on, \
             #[runtime::main] or under Runtime::enter, or use Runtime::spawn or Handle::spawn")
        }
    });
    match spawned {
        Ok(task) => task,
        Err(sentence) => panic!("{sentence}"),
    }
}

/// Runs a closure that blocks on a thread of the current runtime's pool.
///
/// As tokio's `spawn_blocking`. Threads start on demand and end when idle; the program does not wait
/// for them when it ends. A closure that has started cannot be aborted.
///
/// # Panics
///
/// With no runtime on this thread, and if the system refuses the pool's first thread, which is an error of
/// [`Builder::spawn_blocking`].
///
/// ```
/// # runtime::block_on(async {
/// let sum = runtime::spawn_blocking(|| (1..=10).sum::<u32>()).await.unwrap();
/// assert_eq!(sum, 55);
/// # });
/// ```
#[track_caller]
pub fn spawn_blocking<F, T>(function: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    match Builder::new().spawn_blocking(function) {
        Ok(handle) => handle,
        Err(error) => panic!("{error}"),
    }
}

impl Core {
    /// Takes in a task; what comes back names it. On a runtime that is being dropped the name is
    /// of nothing: joining it gives "cancelled".
    ///
    /// A call, so that what it gives is in registers: written to memory by halves and read back as a whole
    /// it stalled the processor.
    #[inline(never)]
    pub(crate) fn spawn(&self, new: &mut NewTask<'_>, place: Place) -> TaskRef {
        let id = self.scheduler.next_id();
        self.spawn_with_id(new, id, place, Span::of_task(id, None, place))
    }

    /// As `spawn`, for a task that may have a name.
    #[inline]
    pub(crate) fn spawn_named(
        &self,
        new: &mut NewTask<'_>,
        place: Place,
        name: Option<&str>,
    ) -> TaskRef {
        let id = self.scheduler.next_id();
        let task = self.spawn_with_id(new, id, place, Span::of_task(id, name, place));
        if let Some(name) = name {
            self.scheduler.set_name(task.index(), id, Rc::from(name));
        }
        task
    }

    #[inline(always)]
    pub(crate) fn spawn_with_id(
        &self,
        new: &mut NewTask<'_>,
        id: Id,
        place: Place,
        span: Span,
    ) -> TaskRef {
        match self.scheduler.insert(new, id, place) {
            Some(index) => {
                self.spans.put(index, span);
                if index >= self.reachable.get() {
                    self.make_reachable(index);
                }
                self.nudge();
                TaskRef::new(Name::new(self.name, index), id)
            }
            None => TaskRef::new(Name::new(self.name, scheduler::ROOT), id),
        }
    }

    /// Lets other threads wake tasks up to `index`, and as many again, so that it is rarely called.
    #[cold]
    fn make_reachable(&self, index: u32) {
        let reachable = index.saturating_mul(2).max(64);
        self.shared.block.grow(reachable);
        self.reachable.set(reachable + 1);
    }

    /// Polls a task once.
    #[inline]
    pub(crate) fn poll_task<P: Probe>(
        &self,
        probe: P,
        index: u32,
        serial: u64,
        task: &mut BoxedTask,
    ) -> Poll<()> {
        let waker = waker::of(Name::new(self.name, index));
        context::begin_poll(serial, coop::BUDGET);
        let _entered = self.spans.enter(index);
        probe.poll_begins(self, index, serial);
        let polled = task.as_mut().poll(&mut Context::from_waker(&waker));
        probe.poll_ends(self, index);
        polled
    }

    /// Drops a task's future for its abort, or for the end of the runtime.
    pub(crate) fn cancel_task(&self, index: u32, serial: u64, task: BoxedTask) {
        context::begin_poll(serial, coop::UNLIMITED);
        self.fail_task(index, task, Failure::Cancelled);
        context::begin_poll(0, coop::UNLIMITED);
    }

    /// Drops the future and ends the task with `failure`, or with the panic of that drop.
    #[cold]
    pub(crate) fn fail_task(&self, index: u32, mut task: BoxedTask, failure: Failure) {
        let dropped = self.watch_drop(index, || {
            catch_unwind(AssertUnwindSafe(|| {
                let _entered = self.spans.enter(index);
                task.as_mut().fail(failure);
            }))
        });
        if let Err(payload) = dropped {
            // The future is gone all the same and the first failure kept; the later panic wins
            // only over a cancellation, which says less.
            if task.as_mut().panic().is_none() {
                self.drop_payload(catch_unwind(AssertUnwindSafe(|| {
                    task.as_mut().fail(Failure::Panicked(payload));
                })));
            } else {
                self.drop_payload(Err(payload));
            }
        }
        if self.observer.watches() {
            self.observer.task_ends(self, index);
        }
        self.end_task(Unwatched, index, task);
    }

    #[inline(always)]
    pub(crate) fn end_task<P: Probe>(&self, probe: P, index: u32, task: BoxedTask) {
        probe.task_ends(self, index);
        let span = self.spans.take(index);
        match self.scheduler.end(index, task, self.name) {
            Ok(joiner) => {
                self.close(span);
                if let Some(joiner) = joiner {
                    self.wake_foreign(joiner);
                }
            }
            Err(unwanted) => self.drop_unwanted(unwanted, span),
        }
    }

    /// Closes a span, which may be foreign code: its panic is not the loop's.
    #[inline(always)]
    fn close(&self, span: Span) {
        if !span.is_none() {
            self.drop_caught(span);
        }
    }

    /// The join handle was dropped: what it leaves behind is dropped here, where a panic is caught.
    #[inline]
    pub(crate) fn detach_task(&self, index: u32, id: Id) {
        let (unwanted, joiner) = self.scheduler.detach(index, id);
        drop(joiner);
        if let Some(unwanted) = unwanted {
            self.drop_unwanted(unwanted, Span::none());
        }
    }

    /// Drops a finished task nobody will ask about, and reports its panic if it ended by one: within its
    /// span, if that is still there.
    pub(crate) fn drop_unwanted(&self, ended: Ended, span: Span) {
        let Ended { mut task, serial, place, name } = ended;
        let name = name.as_deref();
        let unhandled = |payload| self.unhandled_panic(payload, serial, place, name, &span);
        if let Some(failure) = task.as_mut().panic() {
            if let Failure::Panicked(payload) = mem::replace(failure, Failure::Cancelled) {
                unhandled(payload);
            }
        }
        // Emptied before the box goes, or is kept.
        let emptied = catch_unwind(AssertUnwindSafe(|| task.as_mut().empty()));
        if let Err(payload) = emptied {
            unhandled(payload);
        }
        self.scheduler.keep_box(task);
        self.close(span);
    }

    /// Does with a panic that nobody looks at what the builder was told.
    fn unhandled_panic(
        &self,
        payload: Payload,
        serial: Serial,
        place: Place,
        name: Option<&str>,
        span: &Span,
    ) {
        let words = error::message(&payload).unwrap_or("(no message)");
        self.contain(|| span.report_panic(serial, name, place, words));
        let named = name.map(|name| format!(" {name:?}")).unwrap_or_default();
        let report = format!(
            "runtime: the task{named} spawned at {place} panicked and nobody awaits it: {words}\n"
        );
        // In one piece; and a stderr that is gone is no reason to panic here.
        let log = || drop(io::stderr().write_all(report.as_bytes()));
        match self.options.unhandled_panic {
            UnhandledPanic::Log => log(),
            UnhandledPanic::Abort => {
                log();
                process::abort();
            }
            // The first of several is the one that tells.
            UnhandledPanic::Resume if self.resume.borrow().is_some() => {}
            UnhandledPanic::Resume => {
                self.resume.replace(Some(payload));
                self.nudge();
                return;
            }
        }
        self.drop_payload(Err(payload));
    }

    /// Drops a panic's payload, whose own drop may panic: then that one is leaked.
    fn drop_payload(&self, result: Result<(), Payload>) {
        if let Err(payload) = result {
            if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
                mem::forget(second);
            }
        }
    }

    /// Runs what may be foreign code; a panic is caught and dropped (the hook has shown it).
    pub(crate) fn contain(&self, run: impl FnOnce()) {
        self.drop_payload(catch_unwind(AssertUnwindSafe(run)));
    }

    /// Drops what foreign code is in, as `contain`.
    pub(crate) fn drop_caught<T>(&self, value: T) {
        self.contain(|| drop(value));
    }

    /// Wakes who waits for an event or a deadline. One of our own tasks' wakers is a push on the run queue;
    /// any other may be foreign code, whose panic does not end the loop.
    #[inline(always)]
    pub(crate) fn wake(&self, waker: Waker) {
        match waker::name_of(&waker) {
            Some(name) if name.runtime() == self.name => {
                self.scheduler.wake_from_afar(name.index());
            }
            _ => self.wake_foreign(waker),
        }
    }

    #[cold]
    fn wake_foreign(&self, waker: Waker) {
        self.contain(|| waker.wake());
    }
}
