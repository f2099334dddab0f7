//! `Runtime`: from its making to the drop of everything it holds.

use std::fmt;
use std::future::Future;
use std::io;
use std::panic::{self, Location};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::builder::Builder;
use crate::context::{self, Entered};
use crate::core::Core;
use crate::handle::{EnterGuard, Handle};
use crate::signal;
use crate::spans::Span;
use crate::task::JoinHandle;
use crate::task::cell::NewTask;
use crate::turn::Root;

/// A single-threaded runtime: tasks, sockets, timers.
///
/// As tokio's `Runtime` of the `current_thread` kind, but it stays on its thread (it is not `Send`)
/// and so `spawn` takes any future. Dropping it drops every future it holds.
///
/// ```
/// let runtime = runtime::Runtime::new()?;
/// let task = runtime.spawn(async { 1 });
/// assert_eq!(runtime.block_on(task).unwrap(), 1);
/// # std::io::Result::Ok(())
/// ```
pub struct Runtime {
    pub(crate) core: Rc<Core>,
    handle: Handle,
}

/// Makes a runtime, runs a future on it to its end, and drops the runtime.
///
/// A future that waits for nothing costs no system call.
///
/// # Panics
///
/// Inside a runtime: `.await` the future there, or `spawn` it.
///
/// ```
/// assert_eq!(runtime::block_on(async { "hello" }), "hello");
/// ```
#[track_caller]
pub fn block_on<F: Future>(future: F) -> F::Output {
    assert_not_turning("block_on");
    let runtime = Builder::new().build().expect("making a runtime asks nothing of the system");
    runtime.block_on(future)
}

#[track_caller]
pub(crate) fn assert_not_turning(call: &str) {
    assert!(
        !context::is_turning_of_parent(),
        "{call} was called in a fork of the process inside whose runtime this thread is: call \
         runtime::after_fork() before"
    );
    assert!(
        !context::is_turning(),
        "{call} was called inside a runtime, where it would block every other task: `.await` the \
         future instead, or `spawn` it"
    );
}

impl Runtime {
    pub(crate) fn of(core: Rc<Core>) -> Runtime {
        let handle = Handle { shared: core.shared.clone() };
        Runtime { core, handle }
    }

    /// A runtime with the default options; see [`Builder`].
    ///
    /// # Errors
    ///
    /// None today; a `Result` as tokio's.
    pub fn new() -> io::Result<Runtime> {
        Builder::new().build()
    }

    /// Runs a future to its end, and the runtime's tasks beside it.
    ///
    /// Tasks that are not done stay where they are; a later call goes on with them.
    ///
    /// # Panics
    ///
    /// With the future's own panic, with that of a task nobody awaits if the runtime was told to
    /// ([`Builder::unhandled_panic`]), inside a runtime, and in a fork of the process that made it.
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        assert_not_turning("Runtime::block_on");
        block_on_core(&self.core, future)
    }

    /// Spawns a future on this runtime; it runs as soon as somebody drives it. See
    /// [`spawn`](crate::task::spawn).
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let place = Location::caller();
        JoinHandle::of_task(self.core.spawn(&mut NewTask::of(&mut Some(future)), place))
    }

    /// Runs a closure that blocks on the pool; see [`spawn_blocking`](crate::task::spawn_blocking).
    ///
    /// # Panics
    ///
    /// If the system refuses the pool's first thread.
    #[track_caller]
    pub fn spawn_blocking<F, T>(&self, function: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.handle.spawn_blocking(function)
    }

    /// The handle, for other threads.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Makes this runtime current until the guard is dropped, so that `spawn`, `sleep` and sockets
    /// find it outside of `block_on`.
    ///
    /// ```
    /// let runtime = runtime::Runtime::new()?;
    /// let task = {
    ///     let _guard = runtime.enter();
    ///     runtime::spawn(async { 5 })
    /// };
    /// assert_eq!(runtime.block_on(task).unwrap(), 5);
    /// # std::io::Result::Ok(())
    /// ```
    pub fn enter(&self) -> EnterGuard<'_> {
        EnterGuard::new(Entered::Here(self.core.clone()))
    }

    /// Drops the runtime and waits for blocking closures that have started, at most this long.
    ///
    /// Plain dropping does not wait for them.
    ///
    /// # Examples
    ///
    /// ```
    /// let runtime = runtime::Runtime::new()?;
    /// let (done, is_done) = std::sync::mpsc::channel();
    /// let started = runtime.spawn_blocking(move || done.send("written").unwrap());
    /// # while !started.is_finished() { runtime.run_until_stalled(); }
    /// runtime.shutdown_timeout(std::time::Duration::from_secs(5));
    /// assert_eq!(is_done.recv(), Ok("written"));
    /// # std::io::Result::Ok(())
    /// ```
    pub fn shutdown_timeout(self, timeout: Duration) {
        let pool = self.core.shared.pool.clone();
        let of_parent = self.core.is_of_parent();
        drop(self);
        if !of_parent {
            pool.shut_down(Some(timeout));
        }
    }

    /// Drops the runtime without waiting for blocking closures, as plain dropping does; for those
    /// who come from tokio.
    pub fn shutdown_background(self) {}
}

// As `Handle`.
impl panic::UnwindSafe for Runtime {}
impl panic::RefUnwindSafe for Runtime {}

impl fmt::Debug for Runtime {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime").field("id", &self.handle.id()).finish_non_exhaustive()
    }
}

/// Drives `core` until `future` is done.
#[track_caller]
pub(crate) fn block_on_core<F: Future>(core: &Rc<Core>, future: F) -> F::Output {
    let place = Location::caller();
    core.drive(|| {
        // Pinned inside of the scope, so that it is dropped there too.
        let mut future = pin!(future);
        let mut output = None;
        let mut poll = |cx: &mut Context<'_>| match future.as_mut().poll(cx) {
            Poll::Ready(value) => {
                output = Some(value);
                Poll::Ready(())
            }
            Poll::Pending => Poll::Pending,
        };
        core.run(&mut Root::new(&mut poll), place);
        output.expect("the root is done when it has left its output")
    })
}

impl Drop for Runtime {
    fn drop(&mut self) {
        context::turn_scope(&self.core, || self.core.tear_down());
    }
}

impl Core {
    /// Drops every future, in one walk over the indices, with the reactor and the timers still
    /// usable from their destructors; then closes the inbox, and wakes who waits here from elsewhere.
    fn tear_down(&self) {
        self.scheduler.close();
        let mut from = 0;
        while let Some((index, serial, task)) = self.scheduler.next_alive(from) {
            self.cancel_task(index, serial, task);
            from = index + 1;
        }
        // The outcomes that join handles have not taken: they may panic in their drops too.
        let mut from = 0;
        while let Some((index, unwanted)) = self.scheduler.next_complete(from) {
            self.drop_unwanted(unwanted, Span::none());
            from = index + 1;
        }
        let resume = self.resume.take();
        self.drop_caught(resume);
        if self.is_of_parent() {
            // Nothing here is ours but the memory: the locks may be held by the parent's threads.
            return;
        }
        self.torn_down.set(true);
        self.shared.counters.holds_nothing();
        let (commands, epoll) = self.shared.block.close();
        self.commands.borrow_mut().extend(commands);
        while let Some(command) = self.next_command() {
            self.drop_caught(command);
        }
        drop(epoll);
        let mut waiting = self.reactor.take_wakers();
        waiting.append(&mut self.timers.take_wakers());
        waiting.append(&mut signal::close(self.name));
        for waker in waiting {
            self.wake(waker);
        }
        self.shared.pool.shut_down(None);
        // A guard may keep it, but for its handles it is gone from here on.
        context::disown(self);
    }
}
