//! Jobs: what is handed to the blocking pool, and how its outcome comes back.

use std::io;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};

use runtime_core::__private::{context, try_spawn_blocking};

use crate::task::{JoinError, JoinHandle};

/// Hands a job to the pool of the current runtime.
#[inline]
pub(super) fn start<T: Send + 'static>(
    job: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    try_spawn_blocking(job).unwrap_or_else(|| {
        panic!(
            "a future of runtime::fs was polled with no runtime on this thread: await it inside \
             block_on or #[runtime::main], or under Runtime::enter"
        )
    })
}

/// What a handle gave, without the layer that a pool puts around it.
#[inline]
pub(super) fn outcome<T>(joined: Result<T, JoinError>) -> io::Result<T> {
    joined.map_err(|error| match error.try_into_panic() {
        Ok(payload) => resume_unwind(payload),
        Err(_) => not_begun(),
    })
}

/// The error of a job that was dropped.
#[cold]
pub(super) fn not_begun() -> io::Error {
    io::Error::other(
        "not begun, as the runtime was dropped or is that of the process before a fork: use \
         runtime::fs in a runtime that runs",
    )
}

/// A job whose future was dropped is not begun any more.
struct CancelOnDrop<T>(JoinHandle<T>);

impl<T> Drop for CancelOnDrop<T> {
    #[inline]
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Has the pool do something, and waits for it.
#[inline]
pub(super) async fn run<T: Send + 'static>(
    job: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let mut job = CancelOnDrop(start(job)?);
    outcome((&mut job.0).await)?
}

/// As [`run`], for what has a path: "reading a.txt: no such file".
#[inline]
pub(super) async fn run_at<T: Send + 'static>(
    doing: &str,
    path: &Path,
    job: impl FnOnce(PathBuf) -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let owned = path.to_owned();
    run(move || job(owned)).await.map_err(|error| at(error, doing, path))
}

/// As [`run_at`], for what has two: "renaming a.txt to b.txt: no such file".
#[inline]
pub(super) async fn run_between<T: Send + 'static>(
    doing: &str,
    from: &Path,
    to: &Path,
    job: impl FnOnce(PathBuf, PathBuf) -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let (owned_from, owned_to) = (from.to_owned(), to.to_owned());
    run(move || job(owned_from, owned_to))
        .await
        .map_err(|error| context(error, format!("{doing} {} to {}", from.display(), to.display())))
}

/// The error of doing something with a path.
#[inline]
pub(super) fn at(error: io::Error, doing: &str, path: &Path) -> io::Error {
    context(error, format!("{doing} {}", path.display()))
}
