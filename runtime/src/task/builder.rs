//! `task::Builder`: spawning with a name, or with an error where the system refuses.

use std::fmt;
use std::future::Future;
use std::io;
use std::panic::Location;

use crate::context::{self, Current};
use crate::task::cell::NewTask;
use crate::task::{JoinHandle, remote_join};

/// Spawns a task with a name, for panics and dumps. A plain `spawn` has its place in the source.
///
/// As tokio's `task::Builder`.
///
/// ```
/// # runtime::block_on(async {
/// let task = runtime::task::Builder::new().name("answer").spawn(async { 42 }).unwrap();
/// assert_eq!(task.await.unwrap(), 42);
/// # });
/// ```
#[derive(Default, Clone, Copy)]
#[must_use = "a builder spawns nothing until `spawn` is called"]
pub struct Builder<'a> {
    name: Option<&'a str>,
}

impl<'a> Builder<'a> {
    /// A task without a name yet.
    #[inline]
    pub fn new() -> Builder<'a> {
        Builder::default()
    }

    /// Names the task. Names need not be unique.
    #[inline]
    pub fn name(self, name: &'a str) -> Builder<'a> {
        Builder { name: Some(name) }
    }

    /// Spawns the future on the current runtime; see [`spawn`](crate::task::spawn).
    ///
    /// # Errors
    ///
    /// None today; a `Result` as tokio's.
    ///
    /// # Panics
    ///
    /// As [`spawn`](crate::task::spawn).
    #[track_caller]
    #[inline]
    pub fn spawn<F>(self, future: F) -> io::Result<JoinHandle<F::Output>>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let place = Location::caller();
        let mut future = Some(future);
        let new = &mut NewTask::of(&mut future);
        let spawned = context::with_current(|current| match current {
            Current::Here(core) => Some(core.spawn_named(new, place, self.name)),
            Current::Elsewhere(_) | Current::None => None,
        });
        Ok(JoinHandle::of_task(spawned.expect(
            "task::Builder::spawn was called with no runtime of this thread current: call it \
             inside block_on or #[runtime::main], or under Runtime::enter",
        )))
    }

    /// Runs the closure on the current runtime's pool, as
    /// [`spawn_blocking`](crate::task::spawn_blocking), for those who want the error: that function panics
    /// with it. The name is not kept.
    ///
    /// # Errors
    ///
    /// If the system refuses the pool's first thread.
    ///
    /// # Panics
    ///
    /// With no runtime on this thread.
    ///
    /// ```
    /// # runtime::block_on(async {
    /// let sum = runtime::task::Builder::new().spawn_blocking(|| (1..=10).sum::<u32>())?;
    /// assert_eq!(sum.await?, 55);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    #[inline]
    pub fn spawn_blocking<F, T>(self, function: F) -> io::Result<JoinHandle<T>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        match remote_join::try_spawn_blocking(function) {
            Some(spawned) => spawned,
            None => panic!(
                "spawn_blocking was called with no runtime on this thread: call it inside block_on or \
                 #[runtime::main], or use Handle::spawn_blocking"
            ),
        }
    }
}

impl fmt::Debug for Builder<'_> {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("name", &self.name).finish()
    }
}
