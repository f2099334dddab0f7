//! The lock of a file, whose guards go along with the jobs: so what was begun is waited for, also when its
//! future was dropped.

use std::fs::File;
use std::future::poll_fn;
use std::io;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use super::cursor::Cursor;
use super::job::not_begun;
use crate::sync::{Mutex, MutexGuard};

/// One operation at a time has the cursor. Those that need none run beside each other and beside it, but
/// each waits, before it begins, until the cursor is there.
pub(super) struct Lock(Mutex<State>);

struct State {
    /// Away while an operation has it.
    cursor: Option<Cursor>,
    /// How many guards there are, with the cursor and without.
    guards: usize,
    /// Left by an operation whose future was dropped.
    error: Option<io::Error>,
    /// Who waits. All are woken whenever a guard goes, as some may have stopped waiting.
    waiting: Vec<Waker>,
}

impl State {
    /// `None` while the cursor is away.
    #[inline]
    fn enter(&mut self, exclusive: bool) -> Option<io::Result<Option<Cursor>>> {
        self.cursor.as_ref()?;
        if let Some(error) = self.error.take() {
            return Some(Err(error));
        }
        self.guards += 1;
        Some(Ok(if exclusive { self.cursor.take() } else { None }))
    }

    /// `None` while there is a guard.
    #[inline]
    fn retire(&mut self) -> Option<Cursor> {
        if self.guards == 0 { self.cursor.take() } else { None }
    }
}

impl Lock {
    #[inline]
    pub(super) fn new() -> Arc<Lock> {
        let cursor = Some(Cursor::default());
        Arc::new(Lock(Mutex::new(State { cursor, guards: 0, error: None, waiting: Vec::new() })))
    }

    /// The right to use the file, with the cursor if it is exclusive; or the error that was left.
    #[inline]
    pub(super) async fn enter(
        self: &Arc<Self>,
        file: &Arc<File>,
        exclusive: bool,
    ) -> io::Result<Guard> {
        poll_fn(|cx| self.poll_enter(cx, file, exclusive)).await
    }

    /// As [`enter`](Self::enter), for futures written by hand.
    #[inline]
    pub(super) fn poll_enter(
        self: &Arc<Self>,
        cx: &mut Context<'_>,
        file: &Arc<File>,
        exclusive: bool,
    ) -> Poll<io::Result<Guard>> {
        let cursor = ready!(self.poll_when(cx, |state| state.enter(exclusive)))?;
        Poll::Ready(Ok(self.guard(file, cursor)))
    }

    /// As an exclusive [`enter`](Self::enter), at once: `None` while the cursor is away.
    #[cfg(feature = "tokio-io")]
    #[inline]
    pub(super) fn try_enter(self: &Arc<Self>, file: &Arc<File>) -> Option<io::Result<Guard>> {
        let entered = self.state().enter(true)?;
        Some(entered.map(|cursor| self.guard(file, cursor)))
    }

    #[inline]
    fn guard(self: &Arc<Self>, file: &Arc<File>, cursor: Option<Cursor>) -> Guard {
        let release = Release { lock: self.clone(), cursor, error: None, is_for_job: false };
        Guard { file: file.clone(), release }
    }

    /// The cursor, once nobody uses the file.
    #[inline]
    pub(super) async fn retire(&self) -> Cursor {
        poll_fn(|cx| self.poll_when(cx, State::retire)).await
    }

    /// The cursor, if nobody uses the file.
    #[inline]
    pub(super) fn try_retire(&self) -> Option<Cursor> {
        self.state().retire()
    }

    /// Forgets the error that was left, which the caller tells in another way.
    #[cfg(any(feature = "futures-io", feature = "tokio-io"))]
    #[cold]
    pub(super) fn forget_error(&self) {
        self.state().error = None;
    }

    #[inline]
    fn poll_when<T>(
        &self,
        cx: &mut Context<'_>,
        condition: impl FnOnce(&mut State) -> Option<T>,
    ) -> Poll<T> {
        // Cloning a waker and dropping it may be foreign code, which must not find the lock held.
        let waker = cx.waker().clone();
        let mut state = self.state();
        match condition(&mut state) {
            Some(value) => Poll::Ready(value),
            None => {
                if !state.waiting.iter().any(|waiting| waiting.will_wake(&waker)) {
                    state.waiting.push(waker);
                }
                Poll::Pending
            }
        }
    }

    #[inline]
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to use a file.
pub(super) struct Guard {
    // Let go before the release: who finds no guard left is the only one to have the file.
    file: Arc<File>,
    release: Release,
}

struct Release {
    lock: Arc<Lock>,
    cursor: Option<Cursor>,
    error: Option<io::Error>,
    /// Of a job that has not begun, and whose outcome nobody else tells.
    is_for_job: bool,
}

impl Guard {
    // Methods, so that a job's closure captures the guard and not the field alone.

    #[inline]
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Of a guard that is exclusive.
    #[inline]
    pub(super) fn with_cursor(&mut self) -> (&File, &mut Cursor) {
        (&self.file, self.release.cursor.as_mut().expect("an exclusive guard has the cursor"))
    }

    /// Holds an error on its way to who waits for it. If nobody does any more, the guard is dropped with it,
    /// and it is the next operation's.
    #[inline]
    pub(super) fn hold_error(&mut self, error: io::Error) {
        self.release.error = Some(error);
    }

    #[inline]
    pub(super) fn take_error(&mut self) -> Option<io::Error> {
        self.release.error.take()
    }

    /// Whether the guard goes with a job that has not begun: if that never does, the next operation hears
    /// of it.
    #[cfg(any(feature = "futures-io", feature = "tokio-io"))]
    #[inline]
    pub(super) fn set_for_job(&mut self, is_for_job: bool) {
        self.release.is_for_job = is_for_job;
    }
}

impl Drop for Release {
    #[inline]
    fn drop(&mut self) {
        let unbegun = self.is_for_job.then(not_begun);
        let mut state = self.lock.state();
        state.guards -= 1;
        if self.cursor.is_some() {
            state.cursor = self.cursor.take();
        }
        if let Some(error) = self.error.take().or(unbegun) {
            state.error = Some(error);
        }
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
    }
}
