//! Joining across threads: a slot shared by a task and its join handle.
//!
//! What comes into a slot is the task's box with the outcome in it, or why there is none; so none of this
//! is compiled for each type of output. A blocking closure is put into such a box too, and its slot is
//! filled by the thread that runs it. A task of a runtime fills its slot by a [`Forward`], which is the
//! task's joiner on its own thread: woken when the task ends, it takes the box there and leaves it in the
//! slot for whoever polls.
#![allow(unsafe_code)]

use std::io;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use crate::blocking::SubmitError;
use crate::context::Current;
use crate::core::Core;
use crate::handle::Shared;
use crate::name::RuntimeName;
use crate::spans::Span;
use crate::sync::{AtomicBool, Mutex, MutexGuard, OnceLock, Ordering, fence};
use crate::task::cell::{BoxedTask, NewTask};
use crate::task::join::{JoinHandle, TaskRef};
use crate::task::untyped::Untyped;
use crate::task::{Failure, Id, Place};
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

/// What a task comes to: its box with the outcome in it, or a failure before there was one.
type End = Result<BoxedTask, Failure>;

/// Where an outcome waits for its handle.
pub(crate) struct Slot {
    pub(crate) remote: Arc<Remote>,
    state: Mutex<State>,
}

struct State {
    ended: Option<End>,
    waker: Option<Waker>,
}

// SAFETY: of what a slot holds only the box of a task that has ended may not be `Send`, and of the user's
// there is only the output in it: the future is gone. Slots are shared by a join handle and a promise.
// `spawn_on` and `spawn_blocking` make them for outputs that are `Send`. `Slot::following` makes the others,
// for a join handle that is polled on a thread other than its runtime's; it was made on the runtime's, so it
// was sent, so it is `Send`, which `JoinHandle<T>` is only for `T: Send`. A handle that never left finds its
// runtime on its own thread, or finds that it is gone: then `wakeups::send` gives the command back, and
// nothing comes into the slot.
unsafe impl Send for Slot {}
// SAFETY: as above; the box is reached under the lock alone, as in a `Mutex` of something `Send`.
unsafe impl Sync for Slot {}

impl Slot {
    fn new(id: Id) -> Arc<Slot> {
        let state = Mutex::new(State { ended: None, waker: None });
        Arc::new(Slot { remote: Remote::new(id), state })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn complete(&self, ended: End) {
        if self.remote.is_of_parent() {
            // A thread of the parent may have held the lock. Whoever asks here is told without this.
            return;
        }
        let waker = {
            let mut state = self.lock();
            state.ended = Some(ended);
            // Under the lock: who has the outcome is told that it has ended, and who is told has the outcome.
            self.remote.finished.store(true, Ordering::Release);
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Moves the outcome into `into`, of an `Outcome<T>`, if the task has ended; an error says that
    /// there is none, and why.
    pub(crate) fn poll(
        &self,
        cx: &mut Context<'_>,
        into: &mut Untyped<'_>,
    ) -> Poll<Result<(), Failure>> {
        if self.remote.is_of_parent() {
            return Poll::Ready(self.take_in_child().map(|mut task| task.as_mut().take(into)));
        }
        let waker = cx.waker().clone();
        let mut state = self.lock();
        if let Some(ended) = state.ended.take() {
            return Poll::Ready(ended.map(|mut task| task.as_mut().take(into)));
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
    fn take_in_child(&self) -> End {
        let ended = self.state.try_lock().ok().and_then(|mut state| state.ended.take());
        ended.unwrap_or(Err(Failure::Cancelled))
    }

    /// A slot for the output of a task on another thread.
    pub(crate) fn following(task: &TaskRef) -> Arc<Slot> {
        let slot = Slot::new(task.id());
        let _ = slot.remote.task.set(*task);
        let (promise, task) = (Promise::new(&slot), *task);
        // If the runtime is gone, the promise in the command that comes back is broken here.
        let _ = wakeups::send(
            task.name().runtime(),
            Box::new(move |core| forward(core, promise, task)),
        );
        slot
    }
}

/// The duty to fill a slot: dropped unkept, it fills it with "cancelled".
struct Promise(Option<Arc<Slot>>);

impl Promise {
    fn new(slot: &Arc<Slot>) -> Promise {
        Promise(Some(slot.clone()))
    }

    fn keep(mut self, ended: End) {
        if let Some(slot) = self.0.take() {
            slot.complete(ended);
        }
    }

    fn slot(&self) -> &Slot {
        self.0.as_deref().expect("a promise holds its slot until it is kept")
    }

    /// Whether the handle that would ask has been dropped.
    fn is_unwanted(&self) -> bool {
        self.0.as_ref().is_some_and(|slot| Arc::strong_count(slot) == 1)
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        if let Some(slot) = self.0.take() {
            slot.complete(Err(Failure::Cancelled));
        }
    }
}

/// The joiner of a task that has a slot: delivers the outcome on the task's own thread.
struct Forward {
    promise: Mutex<Option<Promise>>,
    task: TaskRef,
}

impl Wake for Forward {
    fn wake(self: Arc<Self>) {
        context::local(self.task.name().runtime(), |core| core.deliver(&self, Waker::noop()));
    }
}

/// Makes a task of this thread fill a slot when it ends.
fn forward(core: &Core, promise: Promise, task: TaskRef) {
    let forward = Arc::new(Forward { promise: Mutex::new(Some(promise)), task });
    let waker = Waker::from(forward.clone());
    core.deliver(&forward, &waker);
}

impl Core {
    /// Hands over a task that has ended; else leaves `waker` for when it has.
    fn deliver(&self, forward: &Forward, waker: &Waker) {
        let Poll::Ready(ended) =
            self.scheduler.poll_end(forward.task.index(), forward.task.id(), waker)
        else {
            return;
        };
        let promise = forward.promise.lock().unwrap_or_else(PoisonError::into_inner).take();
        match (promise, ended) {
            (Some(promise), Some(ended)) if promise.is_unwanted() => {
                self.drop_unwanted(ended, Span::none())
            }
            (Some(promise), Some(ended)) => promise.keep(Ok(ended.task)),
            // There is no such task: the promise is broken, which says "cancelled".
            (promise, _) => drop(promise),
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
    let span = Span::of_task(slot.remote.id, None, place);
    // If the runtime is gone, the command comes back and is dropped here: future and promise.
    let _ = wakeups::send(
        to,
        Box::new(move |core| {
            let remote = promise.slot().remote.clone();
            let future = match catch_unwind(AssertUnwindSafe(|| span.in_scope(make))) {
                Ok(future) => future,
                Err(payload) => return promise.keep(Err(Failure::Panicked(payload))),
            };
            let task =
                core.spawn_with_id(&mut NewTask::of(&mut Some(future)), remote.id, place, span);
            core.note_from_elsewhere(task.index(), remote.id);
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
#[track_caller]
pub fn try_spawn_blocking<F, T>(function: F) -> Option<io::Result<JoinHandle<T>>>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let place = Location::caller();
    context::with_current(|current| match current {
        Current::Here(core) => Some(spawn_blocking(&core.shared, function, place)),
        Current::Elsewhere(handle) => Some(spawn_blocking(&handle.shared, function, place)),
        Current::None => None,
    })
}

/// A blocking closure as a future, for the box of a task.
struct Closure<F>(Option<F>);

// The closure is moved out to be called: nothing is pinned.
impl<F> Unpin for Closure<F> {}

impl<T, F: FnOnce() -> T> Future for Closure<F> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<T> {
        Poll::Ready(self.0.take().expect("a closure is called once")())
    }
}

/// Moves the box of a blocking closure to the pool.
struct AssertSend(BoxedTask);

// SAFETY: `spawn_blocking` alone makes one, of a closure that is `Send`, as is its output.
unsafe impl Send for AssertSend {}

impl AssertSend {
    /// A method, so that a job captures the whole and not the field.
    fn into_inner(self) -> BoxedTask {
        self.0
    }
}

/// Runs a blocking closure, unless it was aborted.
fn run(promise: Promise, mut closure: BoxedTask, span: Span) {
    if promise.slot().remote.is_aborted() {
        return;
    }
    let mut cx = Context::from_waker(Waker::noop());
    let task = closure.as_mut();
    // The span is moved in, so that it is closed when the output is there.
    let call = move || span.in_scope(|| task.poll(&mut cx));
    let ran = catch_unwind(AssertUnwindSafe(call));
    promise.keep(ran.map_err(Failure::Panicked).map(|_ready| closure));
}

/// Runs a closure on the runtime's pool. In a fork of its process there are no threads of that pool:
/// the closure is dropped, which says "cancelled".
pub(crate) fn spawn_blocking<F, T>(
    shared: &Shared,
    function: F,
    place: Place,
) -> io::Result<JoinHandle<T>>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let slot = Slot::new(Id::alone());
    let promise = Promise::new(&slot);
    let span = Span::of_closure(slot.remote.id, place);
    let closure = AssertSend(NewTask::of(&mut Some(Closure(Some(function)))).boxed());
    let job = Box::new(move || run(promise, closure.into_inner(), span));
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
