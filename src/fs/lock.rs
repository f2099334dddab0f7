//! The lock of a file, whose guards go along with the jobs: so what was begun is waited for, also when its
//! future was dropped.

use std::fs::File;
use std::future::poll_fn;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use super::cursor::Cursor;

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
        let cursor = self.when(|state| state.enter(exclusive)).await?;
        Ok(Guard {
            file: file.clone(),
            release: Release { lock: self.clone(), cursor, error: None },
        })
    }

    /// The cursor, once nobody uses the file.
    #[inline]
    pub(super) async fn retire(&self) -> Cursor {
        self.when(State::retire).await
    }

    /// The cursor, if nobody uses the file.
    #[inline]
    pub(super) fn try_retire(&self) -> Option<Cursor> {
        self.state().retire()
    }

    #[inline]
    async fn when<T>(&self, mut condition: impl FnMut(&mut State) -> Option<T>) -> T {
        poll_fn(|cx| {
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
        })
        .await
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
}

impl Drop for Release {
    #[inline]
    fn drop(&mut self) {
        let mut state = self.lock.state();
        state.guards -= 1;
        if self.cursor.is_some() {
            state.cursor = self.cursor.take();
        }
        if let Some(error) = self.error.take() {
            state.error = Some(error);
        }
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
    }
}
