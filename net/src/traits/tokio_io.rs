//! tokio's `AsyncRead` and `AsyncWrite`. Flushing does nothing, since nothing is buffered.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use runtime_core::io::{ReadFd, WriteFd};
use tokio_io::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{for_readers, for_writers, poll_read_to_room};

macro_rules! read {
    ([$($generics:tt)*] $stream:ty) => {
        read!(@ [$($generics)*] $stream);
        read!(@ [$($generics)*] &$stream);
    };
    (@ [$($generics:tt)*] $stream:ty) => {
        impl<$($generics)*> AsyncRead for $stream {
            #[inline]
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                poll_read_to_room(&*self, cx, buf)
            }
        }
    };
}

macro_rules! write {
    ([$($generics:tt)*] $stream:ty) => {
        write!(@ [$($generics)*] $stream);
        write!(@ [$($generics)*] &$stream);
    };
    (@ [$($generics:tt)*] $stream:ty) => {
        impl<$($generics)*> AsyncWrite for $stream {
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
        }
    };
}

for_readers!(read);
for_writers!(write);

macro_rules! read_stdin {
    ($stdin:ty) => {
        impl AsyncRead for $stdin {
            #[inline]
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                let read = ready!(ReadFd::poll_read(&*self, cx, buf.initialize_unfilled()))?;
                buf.advance(read);
                Poll::Ready(Ok(()))
            }
        }
    };
}

read_stdin!(crate::stdio::Stdin);
read_stdin!(&crate::stdio::Stdin);
