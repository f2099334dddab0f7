//! The one allocation of a task: its future, and its output once that is there.
//!
//! Safe code: the future is pinned by `Pin<Box<_>>`, and outputs leave through `dyn Any`, so that
//! even a mistake in the names could only be a logic error, never a wrong type.

use std::any::Any;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use crate::task::error::Failure;

/// A task of unknown type, as the scheduler holds it.
pub(crate) type BoxedTask = Pin<Box<dyn Task>>;

/// What an output is handed out in.
pub(crate) type Outcome<T> = Result<T, Failure>;

pin_project! {
    #[project = StageProjection]
    enum Stage<F: Future> {
        Running { #[pin] future: F },
        Finished { outcome: Outcome<F::Output> },
    }
}

/// What the scheduler can do with a task without knowing its type.
pub(crate) trait Task {
    /// Polls the future; when it is ready, drops it and keeps the output.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()>;

    /// Drops whatever is there, future or output, and keeps the failure in its place.
    fn fail(self: Pin<&mut Self>, failure: Failure);

    /// Moves the outcome into `into`, an `Option<Outcome<T>>` of the task's own output type.
    fn take(self: Pin<Box<Self>>, into: &mut dyn Any);

    /// The panic that ended the task, if one did.
    fn panic(self: Pin<&mut Self>) -> Option<&mut Failure>;
}

impl<F: Future> Task for Stage<F>
where
    F::Output: 'static,
{
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let output = match self.as_mut().project() {
            StageProjection::Running { future } => ready!(future.poll(cx)),
            StageProjection::Finished { .. } => unreachable!("a finished task is never polled"),
        };
        self.set(Stage::Finished { outcome: Ok(output) });
        Poll::Ready(())
    }

    fn fail(mut self: Pin<&mut Self>, failure: Failure) {
        self.set(Stage::Finished { outcome: Err(failure) });
    }

    fn take(mut self: Pin<Box<Self>>, into: &mut dyn Any) {
        let into = into.downcast_mut::<Option<Outcome<F::Output>>>();
        let into = into.expect("a join handle asks for its own task's output");
        if let StageProjection::Finished { outcome } = self.as_mut().project() {
            *into = Some(mem::replace(outcome, Err(Failure::Cancelled)));
        }
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

/// Boxes a future as a task.
#[inline]
pub(crate) fn new<F>(future: F) -> BoxedTask
where
    F: Future + 'static,
    F::Output: 'static,
{
    Box::pin(Stage::Running { future })
}

/// Moves a finished task's outcome out of it.
#[inline(always)]
pub(crate) fn take<T: 'static>(task: BoxedTask) -> Outcome<T> {
    let mut outcome: Option<Outcome<T>> = None;
    task.take(&mut outcome);
    outcome.expect("a task's outcome is taken once, after it has finished")
}
