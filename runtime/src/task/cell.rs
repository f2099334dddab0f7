//! The one allocation of a task: its future, and its output once that is there.
//!
//! Safe code: the future is pinned by `Pin<Box<_>>`, and outputs leave through `Untyped`, so that
//! even a mistake in the names could only be a logic error, never a wrong type.

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use crate::task::error::Failure;
use crate::task::untyped::Untyped;

/// A task of unknown type, as the scheduler holds it.
pub(crate) type BoxedTask = Pin<Box<dyn Task>>;

/// What an output is handed out in.
pub(crate) type Outcome<T> = Result<T, Failure>;

pin_project! {
    #[project = StageProjection]
    #[project_replace = StageReplacement]
    enum Stage<F: Future> {
        Running { #[pin] future: F },
        Finished { outcome: Outcome<F::Output> },
        Empty,
    }
}

/// What the scheduler can do with a task without knowing its type.
pub(crate) trait Task {
    /// Polls the future; when it is ready, drops it and keeps the output.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()>;

    /// Drops whatever is there, future or output, and keeps the failure in its place.
    fn fail(self: Pin<&mut Self>, failure: Failure);

    /// Moves the outcome into `into`, which is `None`, of an `Outcome<T>` of the task's own output type, and
    /// empties the task. Runs no foreign code.
    fn take(self: Pin<&mut Self>, into: &mut Untyped<'_>);

    /// Takes the future out of `new` and starts over with it, if it is of this task's type. The task has been
    /// emptied by `take` or `empty`. Runs no foreign code.
    fn renew(self: Pin<&mut Self>, new: &mut Untyped<'_>) -> bool;

    /// Drops whatever is there.
    fn empty(self: Pin<&mut Self>);

    /// The panic that ended the task, if one did.
    fn panic(self: Pin<&mut Self>) -> Option<&mut Failure>;
}

impl<F: Future + 'static> Task for Stage<F>
where
    F::Output: 'static,
{
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let output = match self.as_mut().project() {
            StageProjection::Running { future } => ready!(future.poll(cx)),
            _ => unreachable!("a finished task is never polled"),
        };
        self.set(Stage::Finished { outcome: Ok(output) });
        Poll::Ready(())
    }

    fn fail(mut self: Pin<&mut Self>, failure: Failure) {
        self.set(Stage::Finished { outcome: Err(failure) });
    }

    fn take(self: Pin<&mut Self>, into: &mut Untyped<'_>) {
        let into =
            into.get::<Outcome<F::Output>>().expect("a join handle asks for its own task's output");
        if let StageReplacement::Finished { outcome } = self.project_replace(Stage::Empty) {
            // `None` is forgotten: to look whether something is to be dropped costs each join.
            mem::forget(into.replace(outcome));
        }
    }

    fn renew(mut self: Pin<&mut Self>, new: &mut Untyped<'_>) -> bool {
        let Some(new) = new.get::<F>() else { return false };
        let Some(future) = new.take() else { return false };
        // Looked at, though it is always so: what is known to be empty is not dropped.
        if let StageProjection::Empty = self.as_mut().project() {
            self.set(Stage::Running { future });
            return true;
        }
        *new = Some(future);
        false
    }

    fn empty(mut self: Pin<&mut Self>) {
        self.set(Stage::Empty);
    }

    fn panic(self: Pin<&mut Self>) -> Option<&mut Failure> {
        match self.project() {
            StageProjection::Finished { outcome: Err(failure @ Failure::Panicked(_)) } => {
                Some(failure)
            }
            _ => None,
        }
    }
}

/// A future that is to become a task, in a new box or in one that is left over from its like.
pub(crate) struct NewTask<'a> {
    future: Untyped<'a>,
    boxed: fn(&mut Untyped<'_>) -> BoxedTask,
}

impl<'a> NewTask<'a> {
    #[inline]
    pub(crate) fn of<F>(future: &'a mut Option<F>) -> NewTask<'a>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        NewTask { future: Untyped::new(future), boxed: boxed::<F> }
    }

    /// Makes the task in `spare`, if that is of the right type.
    #[inline]
    pub(crate) fn renew(&mut self, spare: &mut BoxedTask) -> bool {
        spare.as_mut().renew(&mut self.future)
    }

    pub(crate) fn boxed(&mut self) -> BoxedTask {
        (self.boxed)(&mut self.future)
    }
}

fn boxed<F>(future: &mut Untyped<'_>) -> BoxedTask
where
    F: Future + 'static,
    F::Output: 'static,
{
    let future = future.get::<F>().and_then(Option::take);
    Box::pin(Stage::Running { future: future.expect("a new task has its future") })
}
