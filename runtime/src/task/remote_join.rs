//! Joining across threads: a slot shared by a task and its join handle.
//!
//! A blocking closure fills its slot itself. A task of a runtime fills its slot by a [`Forward`],
//! which is the task's joiner on its own thread: woken when the task ends, it takes the outcome
//! there and leaves it in the slot for whoever polls.
#![allow(unsafe_code)]

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use crate::blocking::SubmitError;
use crate::context::Current;
use crate::core::Core;
use crate::handle::Shared;
use crate::name::RuntimeName;
use crate::task::cell::{NewTask, Outcome};
use crate::task::join::{JoinHandle, TaskRef};
use crate::task::scheduler::Join;
use crate::task::{Failure, Id, JoinError, Place};
use crate::{context, fork, wakeups};

/// What does not depend on the output's type, for abort handles.
pub(crate) struct Remote {
    id: Id,
    aborted: AtomicBool,
    finished: AtomicBool,
    /// The task, once it exists; never set for a blocking closure.
    task: OnceLock<TaskRef>,
    /// The era of forks it was made in.
    era: u32,
}

impl Remote {
    fn new(id: Id) -> Arc<Remote> {
        Arc::new(Remote {
            id,
            aborted: AtomicBool::new(false),
            finished: AtomicBool::new(false),
            task: OnceLock::new(),
            era: fork::era(),
        })
    }

    pub(crate) fn id(&self) -> Id {
        self.id
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.finished.load(Ordering::Acquire) || self.is_of_parent()
    }

    /// Whether what was to be joined stayed with the process that forked this one.
    fn is_of_parent(&self) -> bool {
        self.era != fork::era()
    }

    /// Either this sees the task, or the task's maker sees the mark: each writes, fences and reads.
    pub(crate) fn abort(&self) {
        self.aborted.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if let Some(task) = self.task.get() {
            task.abort();
        }
    }

    fn is_aborted(&self) -> bool {
        fence(Ordering::SeqCst);
        self.aborted.load(Ordering::Relaxed)
    }
}

/// Where an outcome waits for its handle.
pub(crate) struct Slot<T> {
    pub(crate) remote: Arc<Remote>,
    state: Mutex<State<T>>,
}

struct State<T> {
    outcome: Option<Result<T, JoinError>>,
    waker: Option<Waker>,
}

impl<T> Slot<T> {
    fn new(id: Id) -> Arc<Slot<T>> {
        let state = Mutex::new(State { outcome: None, waker: None });
        Arc::new(Slot { remote: Remote::new(id), state })
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn complete(&self, outcome: Result<T, Failure>) {
        if self.remote.is_of_parent() {
            // A thread of the parent may have held the lock. Whoever asks here is told without this.
            return;
        }
        let waker = {
            let mut state = self.lock();
            state.outcome =
                Some(outcome.map_err(|failure| JoinError::new(self.remote.id, failure)));
            state.waker.take()
        };
        self.remote.finished.store(true, Ordering::Release);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<Result<T, JoinError>> {
        if self.remote.is_of_parent() {
            return Poll::Ready(self.take_in_child());
        }
        let waker = cx.waker().clone();
        let mut state = self.lock();
        if let Some(outcome) = state.outcome.take() {
            return Poll::Ready(outcome);
        }
        let replaced = state.waker.replace(waker);
        // A waker's drop may be foreign code, which must not find the lock held.
        drop(state);
        drop(replaced);
        Poll::Pending
    }

    /// What was there at the fork: nobody here adds to it, and a thread of the parent may have held
    /// the lock.
    #[cold]
    fn take_in_child(&self) -> Result<T, JoinError> {
        let outcome = self.state.try_lock().ok().and_then(|mut state| state.outcome.take());
        outcome.unwrap_or_else(|| Err(JoinError::new(self.remote.id, Failure::Cancelled)))
    }
}

impl<T: 'static> Slot<T> {
    /// A slot for the output of a task on another thread.
    pub(crate) fn following(task: &TaskRef) -> Arc<Slot<T>> {
        let slot = Slot::new(task.id());
        let _ = slot.remote.task.set(*task);
        let follow = AssertSend((Promise::new(&slot), *task));
        // If the runtime is gone, the promise in the command that comes back is broken here.
        let _ = wakeups::send(
            task.name().runtime(),
            Box::new(move |core| {
                let AssertSend((promise, task)) = follow.into_whole();
                forward(core, promise, task);
            }),
        );
        slot
    }
}

/// The duty to fill a slot: dropped unkept, it fills it with "cancelled".
struct Promise<T>(Option<Arc<Slot<T>>>);

impl<T> Promise<T> {
    fn new(slot: &Arc<Slot<T>>) -> Promise<T> {
        Promise(Some(slot.clone()))
    }

    fn keep(mut self, outcome: Result<T, Failure>) {
        if let Some(slot) = self.0.take() {
            slot.complete(outcome);
        }
    }

    fn slot(&self) -> &Slot<T> {
        self.0.as_deref().expect("a promise holds its slot until it is kept")
    }

    /// Whether the handle that would ask has been dropped.
    fn is_unwanted(&self) -> bool {
        self.0.as_ref().is_some_and(|slot| Arc::strong_count(slot) == 1)
    }
}

impl<T> Drop for Promise<T> {
    fn drop(&mut self) {
        if let Some(slot) = self.0.take() {
            slot.complete(Err(Failure::Cancelled));
        }
    }
}

/// Moves between threads what the compiler cannot see to be `Send`.
struct AssertSend<T>(T);

// SAFETY: wrapped are promises for a `T` and the like, which only need `T: Send` to move. They are
// sent to another thread only by `Slot::following`, for a join handle that is polled on a thread
// other than its runtime's; it was made on the runtime's, so it was sent, so it is `Send`, which
// `JoinHandle<T>` is only for `T: Send`. A handle that never left finds its runtime on its own
// thread, or finds that it is gone: then `wakeups::send` gives the command back, undelivered.
unsafe impl<T> Send for AssertSend<T> {}

impl<T> AssertSend<T> {
    /// A method, so that a closure captures the whole and not the field.
    fn into_whole(self) -> AssertSend<T> {
        self
    }
}

/// The joiner of a task that has a slot: delivers the outcome on the task's own thread.
struct Forward<T> {
    promise: Mutex<Option<Promise<T>>>,
    task: TaskRef,
}

// SAFETY: a `Waker` must be `Send + Sync`, but this one stays on its runtime's thread: `forward` makes
// it there, its one clone lies in the task's entry there, and it is woken or dropped there. The type
// `T` in its promise is `Send` for those made by `Handle::spawn`, and for the others by the argument
// at `AssertSend`.
unsafe impl<T> Send for Forward<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for Forward<T> {}

impl<T: 'static> Wake for Forward<T> {
    fn wake(self: Arc<Self>) {
        context::local(self.task.name().runtime(), |core| core.deliver(&self, Waker::noop()));
    }
}

/// Makes a task of this thread fill a slot when it ends.
fn forward<T: 'static>(core: &Core, promise: Promise<T>, task: TaskRef) {
    let forward = Arc::new(Forward { promise: Mutex::new(Some(promise)), task });
    let waker = Waker::from(forward.clone());
    core.deliver(&forward, &waker);
}

impl Core {
    /// Hands over the outcome of a task that has ended; else leaves `waker` for when it has.
    fn deliver<T: 'static>(&self, forward: &Forward<T>, waker: &Waker) {
        let (index, id) = (forward.task.index(), forward.task.id());
        let origin = self.scheduler.origin(index, id);
        let mut outcome: Option<Outcome<T>> = None;
        let join = self.scheduler.poll_join(index, id, waker, &mut outcome);
        if let Join::Pending = join {
            return;
        }
        let promise = forward.promise.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(promise) = promise else { return };
        match (outcome, origin) {
            (Some(Err(Failure::Panicked(payload))), Some((place, name)))
                if promise.is_unwanted() =>
            {
                self.unhandled_panic(payload, place, name.as_deref());
            }
            (Some(outcome), _) => promise.keep(outcome),
            // There is no such task: the promise is broken, which says "cancelled".
            (None, _) => drop(promise),
        }
    }
}

/// Has a future made and run on the runtime `to`, from any thread.
pub(crate) fn spawn_on<F, M>(to: RuntimeName, make: M, place: Place) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: Send + 'static,
    M: FnOnce() -> F + Send + 'static,
{
    let slot = Slot::new(Id::alone());
    let promise = Promise::new(&slot);
    // If the runtime is gone, the command comes back and is dropped here: future and promise.
    let _ = wakeups::send(
        to,
        Box::new(move |core| {
            let remote = promise.slot().remote.clone();
            let future = match catch_unwind(AssertUnwindSafe(make)) {
                Ok(future) => future,
                Err(payload) => return promise.keep(Err(Failure::Panicked(payload))),
            };
            let task = core.spawn_with_id(NewTask::of(&mut Some(future)), remote.id, place);
            let _ = remote.task.set(task);
            if remote.is_aborted() {
                task.abort();
            }
            forward(core, promise, task);
        }),
    );
    JoinHandle::of_slot(slot)
}

/// As `spawn_blocking`, but a system that refuses a thread is an error; `None` with no runtime on this
/// thread.
pub fn try_spawn_blocking<F, T>(function: F) -> Option<io::Result<JoinHandle<T>>>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    context::with_current(|current| match current {
        Current::Here(core) => Some(spawn_blocking(&core.shared, function)),
        Current::Elsewhere(handle) => Some(spawn_blocking(&handle.shared, function)),
        Current::None => None,
    })
}

/// Runs a closure on the runtime's pool. In a fork of its process there are no threads of that pool:
/// the closure is dropped, which says "cancelled".
pub(crate) fn spawn_blocking<F, T>(shared: &Shared, function: F) -> io::Result<JoinHandle<T>>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let slot = Slot::new(Id::alone());
    let promise = Promise::new(&slot);
    let job = Box::new(move || {
        if promise.slot().remote.is_aborted() {
            return;
        }
        let outcome = catch_unwind(AssertUnwindSafe(function)).map_err(Failure::Panicked);
        promise.keep(outcome);
    });
    if !shared.block.is_of_this_process() {
        drop(job);
        return Ok(JoinHandle::of_slot(slot));
    }
    match shared.pool.submit(job) {
        Ok(()) => Ok(JoinHandle::of_slot(slot)),
        Err(SubmitError::ShutDown(job)) => {
            // With its promise, which says "cancelled".
            drop(job);
            Ok(JoinHandle::of_slot(slot))
        }
        // Not by the kind of the system's error, which for a read would say "try again later".
        Err(SubmitError::NoThread(error, _job)) => Err(io::Error::other(format!(
            "spawn_blocking could not start a thread and has none: {error}; raise the limit on \
             threads (ulimit -u) or free some"
        ))),
    }
}
