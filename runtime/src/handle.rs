//! `Handle`: a runtime as other threads see it, and the guards that make a runtime current.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::panic::Location;
use std::pin::pin;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use crate::blocking::Pool;
use crate::context::{self, Current, Entered};
use crate::name::RuntimeName;
use crate::observe::{Counters, Watch};
use crate::runtime;
use crate::sync::{Condvar, Mutex};
use crate::task::cell::NewTask;
use crate::task::{JoinHandle, remote_join};
use crate::wakeups::Block;

/// What a runtime shares with its handles.
pub(crate) struct Shared {
    pub(crate) name: RuntimeName,
    pub(crate) block: &'static Block,
    pub(crate) pool: Arc<Pool>,
    /// What a runtime has counted that does.
    pub(crate) counters: Counters,
    /// Which poll is under way, of a runtime that times them.
    pub(crate) watch: Option<Arc<Watch>>,
}

/// A reference to a runtime that may go to other threads, and may outlive it.
///
/// As tokio's `runtime::Handle`, but `spawn` asks for `Send` here, since the future may have to go to
/// the runtime's thread; [`spawn`](crate::task::spawn) on that thread does not.
///
/// ```
/// # runtime::block_on(async {
/// let handle = runtime::Handle::current();
/// let (tx, rx) = futures::channel::oneshot::channel();
/// std::thread::spawn(move || handle.spawn(async move { tx.send(7).unwrap() }));
/// assert_eq!(rx.await.unwrap(), 7);
/// # });
/// ```
#[derive(Clone)]
pub struct Handle {
    pub(crate) shared: Arc<Shared>,
}

impl Handle {
    /// The handle of the current runtime.
    ///
    /// # Panics
    ///
    /// With no runtime on this thread.
    #[track_caller]
    #[inline]
    pub fn current() -> Handle {
        match Handle::try_current() {
            Ok(handle) => handle,
            Err(_) => panic!(
                "Handle::current was called with no runtime on this thread: call it inside \
                 block_on or #[runtime::main], or under Runtime::enter"
            ),
        }
    }

    /// The handle of the current runtime, if there is one.
    ///
    /// # Errors
    ///
    /// With no runtime on this thread.
    #[inline]
    pub fn try_current() -> Result<Handle, TryCurrentError> {
        context::with_current(|current| match current {
            Current::Here(core) => Ok(Handle { shared: core.shared.clone() }),
            Current::Elsewhere(handle) => Ok(handle.clone()),
            Current::None => Err(TryCurrentError(())),
        })
    }

    /// Spawns a future on the runtime, from any thread.
    ///
    /// If the runtime is gone, the future is dropped here and the handle gives "cancelled". Work left
    /// for a runtime that nobody drives waits until somebody does.
    #[track_caller]
    #[inline]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let place = Location::caller();
        if !context::is_local(self.shared.name) {
            return remote_join::spawn_on(self.shared.name, move || future, place);
        }
        let mut future = Some(future);
        let new = &mut NewTask::of(&mut future);
        let task = context::local(self.shared.name, |core| core.spawn(new, place));
        JoinHandle::of_task(task.expect("the runtime was just seen on this thread"))
    }

    /// Spawns what a closure makes on the runtime's thread: a future that need not be `Send`.
    ///
    /// A panic in `make` is the task's panic.
    ///
    /// ```
    /// # runtime::block_on(async {
    /// let handle = runtime::Handle::current();
    /// let task = std::thread::spawn(move || {
    ///     handle.spawn_with(|| {
    ///         let local = std::rc::Rc::new(3);
    ///         async move { *local }
    ///     })
    /// });
    /// let task = runtime::spawn_blocking(|| task.join().unwrap()).await.unwrap();
    /// assert_eq!(task.await.unwrap(), 3);
    /// # });
    /// ```
    #[track_caller]
    #[inline]
    pub fn spawn_with<M, F>(&self, make: M) -> JoinHandle<F::Output>
    where
        M: FnOnce() -> F + Send + 'static,
        F: Future + 'static,
        F::Output: Send + 'static,
    {
        remote_join::spawn_on(self.shared.name, make, Location::caller())
    }

    /// Runs a closure that blocks on the runtime's pool; see
    /// [`spawn_blocking`](crate::task::spawn_blocking).
    ///
    /// # Panics
    ///
    /// If the system refuses the pool's first thread.
    #[track_caller]
    #[inline]
    pub fn spawn_blocking<F, T>(&self, function: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        match remote_join::spawn_blocking(&self.shared, function, Location::caller()) {
            Ok(handle) => handle,
            Err(error) => panic!("{error}"),
        }
    }

    /// Runs a future to its end on this thread, with this runtime current.
    ///
    /// On another thread the future's sockets and timers are served by the runtime, which somebody
    /// has to drive meanwhile, and this thread sleeps. On the runtime's own thread this drives it.
    ///
    /// # Panics
    ///
    /// Inside a runtime: it would block the tasks; `.await` the future there.
    #[track_caller]
    #[inline]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        runtime::assert_not_turning("Handle::block_on");
        match context::find(self.shared.name) {
            Some(core) => runtime::block_on_core(&core, future),
            None => {
                let _guard = self.enter();
                park_on(future)
            }
        }
    }

    /// Makes this runtime current on this thread until the guard is dropped.
    ///
    /// On another thread that is good for what is `Send`: timers, sockets, `spawn_blocking`,
    /// `Handle::current`. `spawn` panics there, and an `AsyncFd` cannot be made there.
    #[inline]
    pub fn enter(&self) -> EnterGuard<'_> {
        EnterGuard::new(match context::find(self.shared.name) {
            Some(core) => Entered::Here(core),
            None => Entered::Elsewhere(self.clone()),
        })
    }

    /// A number that tells runtimes apart, for the life of the process.
    #[inline]
    pub fn id(&self) -> Id {
        Id(self.shared.name.bits())
    }
}

// A panic in a task ends there, and leaves nothing of the runtime half-changed.
impl std::panic::UnwindSafe for Handle {}
impl std::panic::RefUnwindSafe for Handle {}

impl fmt::Debug for Handle {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("id", &self.id()).finish_non_exhaustive()
    }
}

/// Identifies a runtime; see [`Handle::id`].
///
/// ```
/// let (one, other) = (runtime::Runtime::new()?, runtime::Runtime::new()?);
/// assert_ne!(one.handle().id(), other.handle().id());
/// # std::io::Result::Ok(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Id(u32);

impl fmt::Display for Id {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0 >> 16, self.0 & 0xffff)
    }
}

/// Keeps a runtime current on this thread; made by [`Handle::enter`].
///
/// The runtime may be dropped while this is alive: it is then current and closed. Guards may be
/// dropped in any order: the innermost that is left counts.
///
/// ```
/// let runtime = runtime::Runtime::new()?;
/// let sleep = {
///     let _guard = runtime.enter();
///     runtime::time::sleep(std::time::Duration::from_millis(1)) // would panic without
/// };
/// runtime.block_on(sleep);
/// # std::io::Result::Ok(())
/// ```
#[must_use = "the runtime is current only as long as this guard lives"]
pub struct EnterGuard<'a> {
    // The `Drop` is the field's, which has no lifetime, so that the runtime that was borrowed can
    // be dropped before the guard.
    _leave: Leave,
    _borrow: PhantomData<&'a Handle>,
}

struct Leave {
    serial: u64,
    /// Guards belong to the thread whose context they set.
    _not_send: PhantomData<*const ()>,
}

impl EnterGuard<'_> {
    #[inline]
    pub(crate) fn new(entered: Entered) -> Self {
        let serial = context::enter(entered);
        EnterGuard { _leave: Leave { serial, _not_send: PhantomData }, _borrow: PhantomData }
    }
}

impl Drop for Leave {
    #[inline]
    fn drop(&mut self) {
        context::leave(self.serial);
    }
}

impl fmt::Debug for EnterGuard<'_> {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnterGuard").finish_non_exhaustive()
    }
}

/// Why [`Handle::try_current`] found no runtime.
///
/// As tokio's. The thread-local behind it has no destructor, so it is never found destroyed.
///
/// ```
/// assert!(runtime::Handle::try_current().unwrap_err().is_missing_context());
/// ```
#[derive(Debug)]
pub struct TryCurrentError(());

impl TryCurrentError {
    /// Whether no runtime is current on this thread.
    #[inline]
    pub fn is_missing_context(&self) -> bool {
        true
    }

    /// Whether the thread is past the point where a runtime could be found: never.
    #[inline]
    pub fn is_thread_local_destroyed(&self) -> bool {
        false
    }
}

impl fmt::Display for TryCurrentError {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "there is no runtime on this thread: call this inside block_on or #[runtime::main], or \
             under Runtime::enter",
        )
    }
}

impl std::error::Error for TryCurrentError {}

/// Wakes a thread that waits for a future outside of any runtime.
#[derive(Default)]
struct Parker {
    woken: Mutex<bool>,
    wake: Condvar,
}

impl Wake for Parker {
    #[inline]
    fn wake(self: Arc<Self>) {
        *self.woken.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.wake.notify_one();
    }
}

/// Runs a future on this thread, which sleeps whenever it waits.
#[inline]
fn park_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let parker = Arc::new(Parker::default());
    let waker = Waker::from(parker.clone());
    let mut cx = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
        let mut woken = parker.woken.lock().unwrap_or_else(PoisonError::into_inner);
        while !*woken {
            woken = parker.wake.wait(woken).unwrap_or_else(PoisonError::into_inner);
        }
        *woken = false;
    }
}
