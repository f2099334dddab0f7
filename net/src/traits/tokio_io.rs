//! tokio's `AsyncRead` and `AsyncWrite`. Flushing does nothing, since nothing is buffered.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use runtime_core::io::WriteFd;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{for_readers, for_writers, implement};
use crate::sys::poll_read_room;

for_readers! { implement! AsyncRead {
    #[inline]
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        poll_read_room(&*self, cx, buf)
    }
} }

for_writers! { implement! AsyncWrite {
    #[inline]
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        WriteFd::poll_write(&*self, cx, buf)
    }

    #[inline]
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        WriteFd::poll_write_vectored(&*self, cx, bufs)
    }

    #[inline]
    fn is_write_vectored(&self) -> bool {
        true
    }

    #[inline]
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    #[inline]
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.shutdown_once())
    }
} }
