//! Other crates' traits of files, each behind the feature that is named like its crate.
//!
//! What a poll begins goes on in the pool, and its guard goes along and leaves the outcome with the cursor: a
//! later poll enters the lock and finds it there. So nothing of it is kept in the file, a poll may come from
//! another task than the one before, and an operation that nobody polls any more is waited for like one whose
//! future was dropped.

#[cfg(feature = "futures-io")]
mod futures_io;
#[cfg(feature = "tokio-io")]
mod tokio_io;

use std::fs::File as StdFile;
use std::io::{self, IoSlice, SeekFrom};
use std::task::{Context, Poll, ready};

use super::File;
use super::cursor::{Cursor, Outcome};
use super::job::start;
use super::lock::Guard;

impl File {
    /// Has the pool do something with the cursor, where it leaves what came of it; an error is left to the
    /// next operation.
    #[inline]
    fn begin(
        &self,
        mut guard: Guard,
        operation: impl FnOnce(&StdFile, &mut Cursor) -> io::Result<Option<Outcome>> + Send + 'static,
    ) -> io::Result<()> {
        guard.set_for_job(true);
        let job = move || {
            guard.set_for_job(false);
            let (file, cursor) = guard.with_cursor();
            match operation(file, cursor) {
                Ok(outcome) => cursor.outcome = outcome,
                Err(error) => guard.hold_error(error),
            }
        };
        // A pool that takes no job drops it, which leaves an error too; this one says more.
        start(job).map(drop).inspect_err(|_| self.lock.forget_error())
    }

    /// Has the pool move the position.
    #[inline]
    fn begin_seek(&self, guard: Guard, asked: SeekFrom) -> io::Result<()> {
        self.begin(guard, move |file, cursor| {
            let position = cursor.seek(file, asked)?;
            Ok(Some(Outcome::Sought { asked, position }))
        })
    }

    /// A guard with the cursor, once what was begun has ended, and what came of that.
    #[inline]
    fn poll_exclusive(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(Guard, Option<Outcome>)>> {
        let mut guard = ready!(self.lock.poll_enter(cx, &self.file, true))?;
        let outcome = guard.with_cursor().1.outcome.take();
        Poll::Ready(Ok((guard, outcome)))
    }

    /// A guard with a cursor that has something unread, or nothing at the end of the file.
    #[inline]
    fn poll_filled(&mut self, cx: &mut Context<'_>, len: usize) -> Poll<io::Result<Guard>> {
        loop {
            let (mut guard, outcome) = ready!(self.poll_exclusive(cx))?;
            if guard.with_cursor().1.has_unread() || matches!(outcome, Some(Outcome::Read)) {
                return Poll::Ready(Ok(guard));
            }
            let len = len.min(self.max_buf_size);
            let fill = move |file: &_, cursor: &mut Cursor| {
                cursor.fill(file, len).map(|()| Some(Outcome::Read))
            };
            self.begin(guard, fill)?;
        }
    }

    /// Takes bytes in as soon as what was begun has ended, and has the pool write them.
    ///
    /// It does not wait for that, since a poll that has taken something has to be ready: what the next one
    /// brings need not be the same.
    #[inline]
    fn poll_take_in(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let (mut guard, _) = ready!(self.poll_exclusive(cx))?;
        let len = guard.with_cursor().1.take_in(bufs, self.max_buf_size);
        if len > 0 {
            self.begin(guard, |file, cursor| cursor.write_all(file).map(|()| None))?;
        }
        Poll::Ready(Ok(len))
    }

    /// Waits for what was begun, and tells its error.
    #[inline]
    fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.lock.poll_enter(cx, &self.file, false).map_ok(drop)
    }
}
