//! tokio's `AsyncRead`, `AsyncWrite` and `AsyncSeek` of a file.

use std::io::{self, IoSlice, SeekFrom};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncSeek, AsyncWrite, ReadBuf};

use crate::fs::File;
use crate::fs::cursor::Outcome;

impl AsyncRead for File {
    #[inline]
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        let mut guard = ready!(self.poll_filled(cx, buf.remaining()))?;
        buf.put_slice(guard.with_cursor().1.take(buf.remaining()));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for File {
    #[inline]
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_take_in(cx, &[IoSlice::new(buf)])
    }

    #[inline]
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_take_in(cx, bufs)
    }

    #[inline]
    fn is_write_vectored(&self) -> bool {
        true
    }

    #[inline]
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_ended(cx)
    }

    #[inline]
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_ended(cx)
    }
}

impl AsyncSeek for File {
    #[inline]
    fn start_seek(self: Pin<&mut Self>, position: SeekFrom) -> io::Result<()> {
        let Some(entered) = self.lock.try_enter(&self.file) else {
            let text = "another operation of the file goes on: poll_complete before start_seek";
            return Err(io::Error::other(text));
        };
        self.begin_seek(entered?, position)
    }

    /// 0 if no seek was started, or something was done since: which tokio leaves open.
    #[inline]
    fn poll_complete(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
        match ready!(self.poll_exclusive(cx))? {
            (_, Some(Outcome::Sought { position, .. })) => Poll::Ready(Ok(position)),
            _ => Poll::Ready(Ok(0)),
        }
    }
}
