//! The halves of a stream. Each method is the stream's own of that name.

use std::error::Error;
use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use runtime_core::io::{Interest, Ready};

use crate::tcp::stream::TcpStream;

/// The read half of a [`TcpStream`], from [`TcpStream::split`].
#[derive(Debug)]
pub struct ReadHalf<'a> {
    stream: &'a TcpStream,
}

/// The write half of a [`TcpStream`], from [`TcpStream::split`].
///
/// Dropping it does not close the write direction: the stream is still there.
#[derive(Debug)]
pub struct WriteHalf<'a> {
    stream: &'a TcpStream,
}

/// The read half of a [`TcpStream`], from [`TcpStream::into_split`].
#[derive(Debug)]
pub struct OwnedReadHalf {
    stream: Arc<TcpStream>,
}

/// The write half of a [`TcpStream`], from [`TcpStream::into_split`].
///
/// Dropping it closes the write direction, so that the peer reads the end of the stream, unless
/// [`forget`](Self::forget) was called.
#[derive(Debug)]
pub struct OwnedWriteHalf {
    stream: Arc<TcpStream>,
    shutdown_on_drop: bool,
}

pub(super) fn split(stream: &mut TcpStream) -> (ReadHalf<'_>, WriteHalf<'_>) {
    (ReadHalf { stream }, WriteHalf { stream })
}

pub(super) fn into_split(stream: TcpStream) -> (OwnedReadHalf, OwnedWriteHalf) {
    let stream = Arc::new(stream);
    let read = OwnedReadHalf { stream: Arc::clone(&stream) };
    (read, OwnedWriteHalf { stream, shutdown_on_drop: true })
}

/// What both kinds of read half offer.
macro_rules! read_half {
    ($half:ty) => {
        impl $half {
            /// See [`TcpStream::read`].
            ///
            /// # Errors
            ///
            /// As there.
            ///
            /// # Cancel safety
            ///
            /// Nothing is lost.
            #[inline]
            pub async fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
                self.as_ref().read(buf).await
            }

            /// See [`TcpStream::read_vectored`].
            ///
            /// # Errors
            ///
            /// As there.
            ///
            /// # Cancel safety
            ///
            /// Nothing is lost.
            pub async fn read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                self.as_ref().read_vectored(bufs).await
            }

            /// See [`TcpStream::read_exact`].
            ///
            /// # Errors
            ///
            /// As there.
            ///
            /// # Cancel safety
            ///
            /// Not cancel safe: how much of `buf` was filled is not known.
            pub async fn read_exact(&self, buf: &mut [u8]) -> io::Result<usize> {
                self.as_ref().read_exact(buf).await
            }

            /// See [`TcpStream::read_to_end`].
            ///
            /// # Errors
            ///
            /// As there.
            ///
            /// # Cancel safety
            ///
            /// What was read until then has been appended to `buf`.
            pub async fn read_to_end(&self, buf: &mut Vec<u8>) -> io::Result<usize> {
                self.as_ref().read_to_end(buf).await
            }

            /// See [`TcpStream::read_to_string`].
            ///
            /// # Errors
            ///
            /// As there.
            ///
            /// # Cancel safety
            ///
            /// Not cancel safe: what was read until then is lost.
            pub async fn read_to_string(&self, buf: &mut String) -> io::Result<usize> {
                self.as_ref().read_to_string(buf).await
            }

            /// See [`TcpStream::peek`].
            ///
            /// # Errors
            ///
            /// As there.
            ///
            /// # Cancel safety
            ///
            /// Nothing is lost.
            pub async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
                self.as_ref().peek(buf).await
            }

            /// See [`TcpStream::poll_peek`].
            ///
            /// # Errors
            ///
            /// As there.
            pub fn poll_peek(
                &self,
                cx: &mut Context<'_>,
                buf: &mut [u8],
            ) -> Poll<io::Result<usize>> {
                self.as_ref().poll_peek(cx, buf)
            }

            /// See [`TcpStream::readable`].
            ///
            /// # Errors
            ///
            /// As there.
            ///
            /// # Cancel safety
            ///
            /// Nothing is lost.
            pub async fn readable(&self) -> io::Result<()> {
                self.as_ref().readable().await
            }

            /// See [`TcpStream::poll_read_ready`].
            ///
            /// # Errors
            ///
            /// As there.
            pub fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.as_ref().poll_read_ready(cx)
            }

            /// See [`TcpStream::try_read`].
            ///
            /// # Errors
            ///
            /// As there.
            pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
                self.as_ref().try_read(buf)
            }

            /// See [`TcpStream::try_read_vectored`].
            ///
            /// # Errors
            ///
            /// As there.
            pub fn try_read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                self.as_ref().try_read_vectored(bufs)
            }
        }
    };
}

/// What both kinds of write half offer.
macro_rules! write_half {
    ($half:ty) => {
        impl $half {
            /// See [`TcpStream::write`].
            ///
            /// # Errors
            ///
            /// As there.
            ///
            /// # Cancel safety
            ///
            /// Nothing is written by a future that is dropped before it is ready.
            #[inline]
            pub async fn write(&self, buf: &[u8]) -> io::Result<usize> {
                self.as_ref().write(buf).await
            }

            /// See [`TcpStream::write_vectored`].
            ///
            /// # Errors
            ///
            /// As there.
            ///
            /// # Cancel safety
            ///
            /// Nothing is written by a future that is dropped before it is ready.
            pub async fn write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
                self.as_ref().write_vectored(bufs).await
            }

            /// See [`TcpStream::write_all`].
            ///
            /// # Errors
            ///
            /// As there.
            ///
            /// # Cancel safety
            ///
            /// Not cancel safe: how much of `buf` was written is not known.
            pub async fn write_all(&self, buf: &[u8]) -> io::Result<()> {
                self.as_ref().write_all(buf).await
            }

            /// See [`TcpStream::flush`].
            ///
            /// # Errors
            ///
            /// None.
            ///
            /// # Cancel safety
            ///
            /// Nothing is lost.
            pub async fn flush(&self) -> io::Result<()> {
                self.as_ref().flush().await
            }

            /// See [`TcpStream::shutdown`].
            ///
            /// # Errors
            ///
            /// As there.
            ///
            /// # Cancel safety
            ///
            /// It is done at the first poll.
            pub async fn shutdown(&self) -> io::Result<()> {
                self.as_ref().shutdown().await
            }

            /// See [`TcpStream::writable`].
            ///
            /// # Errors
            ///
            /// As there.
            ///
            /// # Cancel safety
            ///
            /// Nothing is lost.
            pub async fn writable(&self) -> io::Result<()> {
                self.as_ref().writable().await
            }

            /// See [`TcpStream::poll_write_ready`].
            ///
            /// # Errors
            ///
            /// As there.
            pub fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.as_ref().poll_write_ready(cx)
            }

            /// See [`TcpStream::try_write`].
            ///
            /// # Errors
            ///
            /// As there.
            pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
                self.as_ref().try_write(buf)
            }

            /// See [`TcpStream::try_write_vectored`].
            ///
            /// # Errors
            ///
            /// As there.
            pub fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
                self.as_ref().try_write_vectored(bufs)
            }
        }
    };
}

/// What all four offer.
macro_rules! half {
    ($half:ty) => {
        impl $half {
            /// See [`TcpStream::ready`].
            ///
            /// # Errors
            ///
            /// As there.
            ///
            /// # Cancel safety
            ///
            /// Nothing is lost.
            pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
                self.as_ref().ready(interest).await
            }

            /// See [`TcpStream::local_addr`].
            ///
            /// # Errors
            ///
            /// As there.
            pub fn local_addr(&self) -> io::Result<SocketAddr> {
                self.as_ref().local_addr()
            }

            /// See [`TcpStream::peer_addr`].
            ///
            /// # Errors
            ///
            /// As there.
            pub fn peer_addr(&self) -> io::Result<SocketAddr> {
                self.as_ref().peer_addr()
            }
        }

        impl AsRef<TcpStream> for $half {
            #[inline]
            fn as_ref(&self) -> &TcpStream {
                &self.stream
            }
        }
    };
}

read_half!(ReadHalf<'_>);
read_half!(OwnedReadHalf);
write_half!(WriteHalf<'_>);
write_half!(OwnedWriteHalf);
half!(ReadHalf<'_>);
half!(WriteHalf<'_>);
half!(OwnedReadHalf);
half!(OwnedWriteHalf);

impl OwnedReadHalf {
    /// Puts the halves of one stream together again.
    ///
    /// # Errors
    ///
    /// If they are of different streams; the error gives them back.
    pub fn reunite(self, other: OwnedWriteHalf) -> Result<TcpStream, ReuniteError> {
        reunite(self, other)
    }
}

impl OwnedWriteHalf {
    /// Puts the halves of one stream together again.
    ///
    /// # Errors
    ///
    /// If they are of different streams; the error gives them back.
    pub fn reunite(self, other: OwnedReadHalf) -> Result<TcpStream, ReuniteError> {
        reunite(other, self)
    }

    /// Drops the half without closing the write direction.
    pub fn forget(mut self) {
        self.shutdown_on_drop = false;
    }
}

fn reunite(read: OwnedReadHalf, write: OwnedWriteHalf) -> Result<TcpStream, ReuniteError> {
    if !Arc::ptr_eq(&read.stream, &write.stream) {
        return Err(ReuniteError(read, write));
    }
    write.forget();
    Ok(Arc::into_inner(read.stream).expect("only the two halves share the stream"))
}

impl Drop for OwnedWriteHalf {
    fn drop(&mut self) {
        if self.shutdown_on_drop {
            // Nobody is left to be told, and a connection that is gone is closed as well.
            let _ = self.stream.shut_write_down();
        }
    }
}

/// The two halves given to `reunite`, which are of different streams.
#[derive(Debug)]
pub struct ReuniteError(pub OwnedReadHalf, pub OwnedWriteHalf);

impl fmt::Display for ReuniteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the halves are of different streams and cannot be put together")
    }
}

impl Error for ReuniteError {}
