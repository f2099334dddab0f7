//! Join and abort handles: what the spawner holds of a task.
//!
//! A handle has two forms. Made on the runtime's thread it is the task's name; made by a `Handle`,
//! by `spawn_blocking`, or once it is awaited on another thread, it is a slot shared with the task
//! (`remote_join.rs`). Both are `Send` when the output is.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use crate::core::Core;
use crate::name::{Name, RuntimeName};
use crate::sync::{AtomicBool, Mutex, OnceLock, Ordering};
use crate::task::cell::Outcome;
use crate::task::remote_join::{Remote, Slot};
use crate::task::scheduler::Join;
use crate::task::untyped::Untyped;
use crate::task::{Failure, Id, JoinError};
use crate::{context, coop, wakeups};

/// A task by name. Its id is never reused, so that a name whose entry is another's by now is told
/// apart.
#[derive(Clone, Copy)]
pub(crate) struct TaskRef {
    name: Name,
    id: Id,
}

/// What another thread knows of whether a task is done.
#[derive(Default)]
struct Watch {
    finished: AtomicBool,
    asked: AtomicBool,
}

/// A question on its way to the owner. Its drop is the answer: also where the runtime went unasked.
struct Question {
    watch: Arc<Watch>,
    finished: bool,
}

impl Question {
    fn answer(mut self, finished: bool) {
        self.finished = finished;
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        self.watch.finished.store(self.finished, Ordering::Release);
        self.watch.asked.store(false, Ordering::Release);
    }
}

/// Made when another thread first asks.
type LazyWatch = OnceLock<Arc<Watch>>;

impl TaskRef {
    pub(crate) fn new(name: Name, id: Id) -> TaskRef {
        TaskRef { name, id }
    }

    /// The name of no task.
    fn nobody(id: Id) -> TaskRef {
        TaskRef { name: Name::new(RuntimeName::NEVER, 0), id }
    }

    pub(crate) fn name(&self) -> Name {
        self.name
    }

    pub(crate) fn index(&self) -> u32 {
        self.name.index()
    }

    pub(crate) fn id(&self) -> Id {
        self.id
    }

    pub(crate) fn abort(&self) {
        let (index, id) = (self.name.index(), self.id);
        let local = context::local(self.name.runtime(), |core| core.abort_task(index, id));
        if local.is_none() {
            // A runtime that is gone has cancelled the task already.
            let _ = wakeups::send(
                self.name.runtime(),
                Box::new(move |core| core.abort_task(index, id)),
            );
        }
    }

    fn detach(&self) {
        let (index, id) = (self.name.index(), self.id);
        let local = context::local(self.name.runtime(), |core| core.detach_task(index, id));
        if local.is_none() {
            // A runtime that is gone has dropped the task already.
            let _ = wakeups::send(
                self.name.runtime(),
                Box::new(move |core| core.detach_task(index, id)),
            );
        }
    }

    fn is_finished(&self, watch: &LazyWatch) -> bool {
        let (index, id) = (self.name.index(), self.id);
        context::local(self.name.runtime(), |core| !core.scheduler.is_pending(index, id))
            .unwrap_or_else(|| self.is_finished_elsewhere(watch))
    }

    /// Only the owner's thread can look, so the question goes to its inbox and the answer is there
    /// for one of the next calls.
    #[cold]
    fn is_finished_elsewhere(&self, watch: &LazyWatch) -> bool {
        let watch = watch.get_or_init(Arc::default);
        if !watch.finished.load(Ordering::Acquire) && !watch.asked.swap(true, Ordering::AcqRel) {
            let (index, id) = (self.name.index(), self.id);
            let question = Question { watch: watch.clone(), finished: true };
            let _ = wakeups::send(
                self.name.runtime(),
                Box::new(move |core| question.answer(!core.scheduler.is_pending(index, id))),
            );
        }
        watch.finished.load(Ordering::Acquire)
    }
}

/// By what the output comes.
enum Form {
    /// By name.
    Task(LazyWatch),
    /// By a slot.
    Shared(Arc<Slot>),
    /// It has come.
    Taken,
}

/// Waits for a task and gives its output; dropping it detaches the task.
///
/// As tokio's `task::JoinHandle`. It is `Send` when the output is, and may be awaited on any thread,
/// also by another executor.
///
/// # Cancel safety
///
/// `&mut handle` may be awaited, dropped and awaited again: nothing is lost. A handle whose runtime
/// was dropped gives an error that is "cancelled", also when the task had finished before: its output
/// went with the runtime.
///
/// ```
/// # runtime::block_on(async {
/// let handle = runtime::spawn(async { "done" });
/// assert_eq!(handle.await.unwrap(), "done");
/// # });
/// ```
pub struct JoinHandle<T> {
    /// The task, or nobody's name with its id where it is joined by a slot.
    task: TaskRef,
    /// `drop` leaves it `Taken`, which has nothing to be dropped: most handles have given their output by
    /// then, and their drop is a look at this.
    form: ManuallyDrop<Form>,
    /// It is as `Send` and `Sync` as a lock with the output in it.
    output: PhantomData<Mutex<T>>,
}

// Handles are names or shared slots, never the output itself.
impl<T> Unpin for JoinHandle<T> {}
impl<T> std::panic::UnwindSafe for JoinHandle<T> {}
impl<T> std::panic::RefUnwindSafe for JoinHandle<T> {}

impl<T> JoinHandle<T> {
    pub(crate) fn of_task(task: TaskRef) -> JoinHandle<T> {
        JoinHandle::of(task, Form::Task(OnceLock::new()))
    }

    pub(crate) fn of_slot(slot: Arc<Slot>) -> JoinHandle<T> {
        JoinHandle::of(TaskRef::nobody(slot.remote.id()), Form::Shared(slot))
    }

    fn of(task: TaskRef, form: Form) -> JoinHandle<T> {
        JoinHandle { task, form: ManuallyDrop::new(form), output: PhantomData }
    }

    /// Asks for the task to be cancelled; it ends when its runtime comes to it.
    ///
    /// A task that has finished keeps its output, and a blocking closure that has started goes on.
    /// Awaiting the handle afterwards tells which it was.
    pub fn abort(&self) {
        match &*self.form {
            Form::Task(_) => self.task.abort(),
            Form::Shared(slot) => slot.remote.abort(),
            Form::Taken => {}
        }
    }

    /// A handle that can only abort, which others can keep.
    pub fn abort_handle(&self) -> AbortHandle {
        AbortHandle {
            target: match &*self.form {
                Form::Task(_) | Form::Taken => Target::Task(self.task),
                Form::Shared(slot) => Target::Remote(slot.remote.clone()),
            },
            watch: OnceLock::new(),
        }
    }

    /// Whether the task has ended.
    ///
    /// On a thread that is not the runtime's own the answer may lag behind: the first call asks the
    /// runtime, a later one has the answer.
    pub fn is_finished(&self) -> bool {
        match &*self.form {
            Form::Task(watch) => self.task.is_finished(watch),
            Form::Shared(slot) => slot.remote.is_finished(),
            Form::Taken => true,
        }
    }

    /// The id of the task.
    pub fn id(&self) -> Id {
        self.task.id
    }
}

impl<T: 'static> JoinHandle<T> {
    /// Aborts the task and waits until its future is gone.
    ///
    /// # Errors
    ///
    /// "Cancelled" as a rule; `Ok` with the output if the task had finished, a panic if it had
    /// panicked or its future panicked as it was dropped.
    ///
    /// # Cancel safety
    ///
    /// The abort has been asked for once this is polled; dropping it detaches the task.
    ///
    /// ```
    /// # runtime::block_on(async {
    /// let task = runtime::spawn(std::future::pending::<()>());
    /// assert!(task.cancel().await.unwrap_err().is_cancelled());
    /// # });
    /// ```
    pub async fn cancel(self) -> Result<T, JoinError> {
        self.abort();
        self.await
    }
}

impl<T: 'static> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let outcome = ready!(coop::poll(cx, |cx| match poll_local(&this.task, cx) {
            Some(polled) => polled,
            None => this.poll_elsewhere(cx),
        }));
        *this.form = Form::Taken;
        Poll::Ready(outcome)
    }
}

impl<T: 'static> JoinHandle<T> {
    /// Polls a task that is not to be found in the runtime that is turning here, if one is.
    #[cold]
    fn poll_elsewhere(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, JoinError>> {
        let mut outcome: Option<Outcome<T>> = None;
        let polled = self.form.poll_elsewhere(&mut self.task, cx, &mut Untyped::new(&mut outcome));
        let outcome = ready!(polled).and_then(|()| outcome.unwrap_or(Err(Failure::Cancelled)));
        Poll::Ready(outcome.map_err(|failure| JoinError::new(self.id(), failure)))
    }
}

impl Form {
    /// Polls a task of a runtime that is not turning here. If it is of another thread, that is the slot
    /// which the task fills, made now. Moves the outcome into `into`, of an `Outcome<T>`; a failure says
    /// that there is none.
    fn poll_elsewhere(
        &mut self,
        task: &mut TaskRef,
        cx: &mut Context<'_>,
        into: &mut Untyped<'_>,
    ) -> Poll<Result<(), Failure>> {
        if let Form::Task(_) = self {
            match context::local(task.name.runtime(), |core| core.poll_join(task, cx, into)) {
                Some(Join::Pending) => return Poll::Pending,
                Some(Join::Complete) => return Poll::Ready(Ok(())),
                Some(Join::Gone) => return Poll::Ready(Err(Failure::Cancelled)),
                None => {
                    *self = Form::Shared(Slot::following(task));
                    // A task has one joiner. Back where its runtime turns the handle would be that by the
                    // name, instead of what fills the slot.
                    *task = TaskRef::nobody(task.id);
                }
            }
        }
        match self {
            Form::Shared(slot) => slot.poll(cx, into),
            Form::Task(_) => unreachable!("it was just replaced"),
            Form::Taken => panic!("a JoinHandle was polled after it had given its output"),
        }
    }
}

impl Core {
    #[inline(always)]
    fn poll_join(&self, task: &TaskRef, cx: &mut Context<'_>, into: &mut Untyped<'_>) -> Join {
        self.scheduler.poll_join(task.name.index(), task.id, cx.waker(), into)
    }
}

/// Polls a task of the runtime that is turning; `None` if it has no such task.
#[inline]
fn poll_local<T: 'static>(
    task: &TaskRef,
    cx: &mut Context<'_>,
) -> Option<Poll<Result<T, JoinError>>> {
    let mut outcome: Option<Outcome<T>> = None;
    let join = context::turning(task.name.runtime(), |core| {
        core.poll_join(task, cx, &mut Untyped::new(&mut outcome))
    })?;
    match (join, outcome) {
        (Join::Pending, _) => Some(Poll::Pending),
        (_, Some(outcome)) => {
            Some(Poll::Ready(outcome.map_err(|failure| JoinError::new(task.id, failure))))
        }
        (_, None) => None,
    }
}

impl<T> JoinHandle<T> {
    /// A call, so that the drop of a handle that has given its output stays short.
    #[inline(never)]
    fn abandon(&mut self) {
        if let Form::Task(_) = *self.form {
            self.task.detach();
        }
        *self.form = Form::Taken;
    }
}

impl<T> Drop for JoinHandle<T> {
    #[inline(always)]
    fn drop(&mut self) {
        match *self.form {
            Form::Taken => {}
            _ => self.abandon(),
        }
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle").field("id", &self.id()).finish_non_exhaustive()
    }
}

#[derive(Clone)]
enum Target {
    Task(TaskRef),
    Remote(Arc<Remote>),
}

/// Aborts a task without the right to its output.
///
/// As tokio's `task::AbortHandle`.
///
/// ```
/// # runtime::block_on(async {
/// let task = runtime::spawn(std::future::pending::<()>());
/// let abort = task.abort_handle();
/// abort.abort();
/// assert!(task.await.unwrap_err().is_cancelled());
/// # });
/// ```
#[derive(Clone)]
pub struct AbortHandle {
    target: Target,
    watch: LazyWatch,
}

impl AbortHandle {
    /// As [`JoinHandle::abort`].
    pub fn abort(&self) {
        match &self.target {
            Target::Task(task) => task.abort(),
            Target::Remote(remote) => remote.abort(),
        }
    }

    /// As [`JoinHandle::is_finished`].
    pub fn is_finished(&self) -> bool {
        match &self.target {
            Target::Task(task) => task.is_finished(&self.watch),
            Target::Remote(remote) => remote.is_finished(),
        }
    }

    /// The id of the task.
    pub fn id(&self) -> Id {
        match &self.target {
            Target::Task(task) => task.id,
            Target::Remote(remote) => remote.id(),
        }
    }
}

impl fmt::Debug for AbortHandle {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AbortHandle").field("id", &self.id()).finish_non_exhaustive()
    }
}
