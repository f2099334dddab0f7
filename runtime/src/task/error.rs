//! `JoinError`: why a task has no output.

use std::any::Any;
use std::fmt;
use std::io;
use std::sync::{Mutex, PoisonError};

use crate::task::Id;

/// What a panic carries.
pub(crate) type Payload = Box<dyn Any + Send + 'static>;

/// How a task failed, without its id: cancelled, or panicked with a payload.
pub(crate) enum Failure {
    Cancelled,
    Panicked(Payload),
}

/// A task did not return: it was cancelled, or it panicked.
///
/// As tokio's `task::JoinError`.
///
/// ```
/// # runtime::block_on(async {
/// let task = runtime::spawn(std::future::pending::<()>());
/// task.abort();
/// assert!(task.await.unwrap_err().is_cancelled());
///
/// let error = runtime::spawn(async { panic!("no") }).await.unwrap_err();
/// assert!(error.is_panic());
/// assert_eq!(error.into_panic().downcast_ref(), Some(&"no"));
/// # });
/// ```
pub struct JoinError(Box<Inner>);

/// Boxed, so that a `Result` with it is no larger than its output: a join moves it several times.
struct Inner {
    id: Id,
    /// A payload need not be `Sync`, an error should be: hence the lock, which is never contended.
    panic: Option<Mutex<Payload>>,
}

impl JoinError {
    #[cold]
    pub(crate) fn new(id: Id, failure: Failure) -> JoinError {
        let panic = match failure {
            Failure::Cancelled => None,
            Failure::Panicked(payload) => Some(Mutex::new(payload)),
        };
        JoinError(Box::new(Inner { id, panic }))
    }

    /// Whether the task was cancelled: aborted, or dropped with its runtime.
    #[inline]
    pub fn is_cancelled(&self) -> bool {
        self.0.panic.is_none()
    }

    /// Whether the task panicked.
    #[inline]
    pub fn is_panic(&self) -> bool {
        self.0.panic.is_some()
    }

    /// What the task panicked with, for `std::panic::resume_unwind`.
    ///
    /// # Panics
    ///
    /// If the task was cancelled; [`try_into_panic`](JoinError::try_into_panic) does not panic.
    #[track_caller]
    #[inline]
    pub fn into_panic(self) -> Box<dyn Any + Send + 'static> {
        self.try_into_panic().expect("the task was cancelled: its JoinError carries no panic")
    }

    /// What the task panicked with.
    ///
    /// # Errors
    ///
    /// If the task was cancelled, the `JoinError` comes back.
    #[inline]
    pub fn try_into_panic(mut self) -> Result<Box<dyn Any + Send + 'static>, JoinError> {
        match self.0.panic.take() {
            Some(payload) => Ok(payload.into_inner().unwrap_or_else(PoisonError::into_inner)),
            None => Err(self),
        }
    }

    /// The id of the task.
    #[inline]
    pub fn id(&self) -> Id {
        self.0.id
    }
}

/// What a panic said, if it said it in words.
#[inline]
pub(crate) fn message(payload: &Payload) -> Option<&str> {
    payload
        .downcast_ref::<&'static str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
}

impl JoinError {
    /// What the panic said, quoted for a message.
    #[inline]
    fn quoted(&self) -> Option<String> {
        let payload = self.0.panic.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner);
        message(&payload).map(|words| format!("{words:?}"))
    }
}

impl fmt::Display for JoinError {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.is_panic(), self.quoted()) {
            (false, _) => write!(f, "task {} was cancelled", self.0.id),
            (true, Some(words)) => write!(f, "task {} panicked with message {words}", self.0.id),
            (true, None) => write!(f, "task {} panicked", self.0.id),
        }
    }
}

impl fmt::Debug for JoinError {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.is_panic(), self.quoted()) {
            (false, _) => write!(f, "JoinError::Cancelled({:?})", self.0.id),
            (true, Some(words)) => write!(f, "JoinError::Panic({:?}, {words}, ...)", self.0.id),
            (true, None) => write!(f, "JoinError::Panic({:?}, ...)", self.0.id),
        }
    }
}

impl std::error::Error for JoinError {}

impl From<JoinError> for io::Error {
    #[inline]
    fn from(error: JoinError) -> io::Error {
        io::Error::other(error)
    }
}
