//! The halves of a stream of either kind: one reads, the other writes.
//!
//! Their names for TCP are in [`tcp`](crate::tcp), those for Unix streams in [`unix`](crate::unix).
//!
//! ```
//! use runtime::net::UnixStream;
//!
//! # runtime::block_on(async {
//! let (mut ours, theirs) = UnixStream::pair()?;
//!
//! // Halves that borrow: for two futures in one task.
//! let (read, write) = ours.split();
//! let (wrote, echoed) = runtime::join!(write.write_all(b"ping"), async {
//!     let mut buf = [0; 4];
//!     theirs.read_exact(&mut buf).await?;
//!     theirs.write_all(&buf).await?;
//!     read.read_exact(&mut buf).await
//! });
//! wrote?;
//! assert_eq!(echoed?, 4);
//!
//! // Halves that own: for two tasks. Dropping the one that writes closes its direction.
//! let (read, write) = ours.into_split();
//! runtime::spawn(async move { write.write_all(b"the end").await });
//! let mut heard = String::new();
//! theirs.read_to_string(&mut heard).await?;
//! assert_eq!(heard, "the end");
//! drop(theirs);
//! assert_eq!(read.read(&mut [0]).await?, 0);
//!
//! // What belongs together can be put together.
//! let (ours, _theirs) = UnixStream::pair()?;
//! let (read, write) = ours.into_split();
//! assert!(read.ready(runtime::io::Interest::WRITABLE).await?.is_writable());
//! let stream = read.reunite(write).expect("they are of one stream");
//! stream.write_all(b"as before").await?;
//! # std::io::Result::Ok(()) }).unwrap();
//! ```

use std::error::Error;
use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::sync::Arc;
use std::task::{Context, Poll};

use runtime_core::io::{Interest, ReadFd, Ready, Source, WriteFd};

use crate::methods::{read_methods, write_methods};
pub(crate) use sealed::Stream;

mod sealed {
    use std::io;
    use std::os::fd::AsFd;

    use runtime_core::io::{ReadFd, WriteFd};

    /// A stream that comes apart, and its addresses.
    pub trait Stream:
        ReadFd<Io = <Self as Stream>::Socket> + WriteFd<Io = <Self as Stream>::Socket>
    {
        /// What the standard library calls the socket.
        type Socket: AsFd;
        /// Its kind of address.
        type Addr;

        /// The address of this end.
        fn local_addr(&self) -> io::Result<Self::Addr>;

        /// The address of the other end.
        fn peer_addr(&self) -> io::Result<Self::Addr>;
    }
}

/// The read half of a stream `S`, from its `split`: [`TcpStream::split`](crate::TcpStream::split),
/// [`UnixStream::split`](crate::UnixStream::split).
#[derive(Debug)]
pub struct ReadHalf<'a, S> {
    stream: &'a S,
}

/// The write half of a stream `S`, from its `split`: [`TcpStream::split`](crate::TcpStream::split),
/// [`UnixStream::split`](crate::UnixStream::split).
///
/// Dropping it does not close the write direction: the stream is still there.
#[derive(Debug)]
pub struct WriteHalf<'a, S> {
    stream: &'a S,
}

/// The read half of a stream `S`, from its `into_split`:
/// [`TcpStream::into_split`](crate::TcpStream::into_split),
/// [`UnixStream::into_split`](crate::UnixStream::into_split).
#[derive(Debug)]
pub struct OwnedReadHalf<S> {
    stream: Arc<S>,
}

/// The write half of a stream `S`, from its `into_split`:
/// [`TcpStream::into_split`](crate::TcpStream::into_split),
/// [`UnixStream::into_split`](crate::UnixStream::into_split).
///
/// Dropping it closes the write direction, so that the peer reads the end of the stream, unless
/// [`forget`](Self::forget) was called.
#[derive(Debug)]
pub struct OwnedWriteHalf<S: Stream> {
    stream: Arc<S>,
    shutdown_on_drop: bool,
}

#[inline]
pub(crate) fn split<S>(stream: &mut S) -> (ReadHalf<'_, S>, WriteHalf<'_, S>) {
    (ReadHalf { stream }, WriteHalf { stream })
}

#[inline]
pub(crate) fn into_split<S: Stream>(stream: S) -> (OwnedReadHalf<S>, OwnedWriteHalf<S>) {
    let stream = Arc::new(stream);
    let read = OwnedReadHalf { stream: Arc::clone(&stream) };
    (read, OwnedWriteHalf { stream, shutdown_on_drop: true })
}

/// What both kinds of read half are.
macro_rules! read_half {
    ([$($generics:tt)*] $half:ty) => {
        impl<$($generics)*> $half {
            read_methods!();
        }

        impl<$($generics)*> ReadFd for $half {
            type Io = S::Socket;
            const SHORT_READ_DRAINS: bool = S::SHORT_READ_DRAINS;

            #[inline]
            fn source(&self) -> &Source<S::Socket> {
                ReadFd::source(&*self.stream)
            }

            #[inline]
            fn read_once(&self, buf: &mut [u8]) -> io::Result<usize> {
                self.stream.read_once(buf)
            }

            #[inline]
            fn read_once_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                self.stream.read_once_vectored(bufs)
            }
        }
    };
}

/// What both kinds of write half are.
macro_rules! write_half {
    ([$($generics:tt)*] $half:ty) => {
        impl<$($generics)*> $half {
            write_methods!();
        }

        impl<$($generics)*> WriteFd for $half {
            type Io = S::Socket;

            #[inline]
            fn source(&self) -> &Source<S::Socket> {
                WriteFd::source(&*self.stream)
            }

            #[inline]
            fn write_once(&self, buf: &[u8]) -> io::Result<usize> {
                self.stream.write_once(buf)
            }

            #[inline]
            fn write_once_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
                self.stream.write_once_vectored(bufs)
            }

            #[inline]
            fn shutdown_once(&self) -> io::Result<()> {
                self.stream.shutdown_once()
            }
        }
    };
}

/// What all four are.
macro_rules! half {
    ([$($generics:tt)*] $half:ty) => {
        impl<$($generics)*> $half {
            /// Waits until anything of `interest` is so, and returns what is.
            ///
            /// # Errors
            ///
            /// If the descriptor cannot be registered with the runtime.
            ///
            /// # Cancel safety
            ///
            /// Nothing is lost.
            #[inline]
            pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
                ReadFd::source(&*self.stream).ready(interest).await
            }

            /// The address of this end.
            ///
            /// # Errors
            ///
            /// Those of getsockname(2).
            #[inline]
            pub fn local_addr(&self) -> io::Result<S::Addr> {
                self.stream.local_addr()
            }

            /// The address of the other end.
            ///
            /// # Errors
            ///
            /// [`NotConnected`](io::ErrorKind::NotConnected) when the connection is gone, and those of
            /// getpeername(2).
            #[inline]
            pub fn peer_addr(&self) -> io::Result<S::Addr> {
                self.stream.peer_addr()
            }
        }

        impl<$($generics)*> AsRef<S> for $half {
            #[inline]
            fn as_ref(&self) -> &S {
                &self.stream
            }
        }

        impl<$($generics)*> AsFd for $half {
            #[inline]
            fn as_fd(&self) -> BorrowedFd<'_> {
                self.stream.as_fd()
            }
        }

        impl<$($generics)*> AsRawFd for $half {
            #[inline]
            fn as_raw_fd(&self) -> RawFd {
                self.as_fd().as_raw_fd()
            }
        }
    };
}

read_half!(['a, S: Stream] ReadHalf<'a, S>);
read_half!([S: Stream] OwnedReadHalf<S>);
write_half!(['a, S: Stream] WriteHalf<'a, S>);
write_half!([S: Stream] OwnedWriteHalf<S>);
half!(['a, S: Stream] ReadHalf<'a, S>);
half!(['a, S: Stream] WriteHalf<'a, S>);
half!([S: Stream] OwnedReadHalf<S>);
half!([S: Stream] OwnedWriteHalf<S>);

impl<S: Stream> OwnedReadHalf<S> {
    /// Puts the halves of one stream together again.
    ///
    /// # Errors
    ///
    /// If they are of different streams; the error gives them back.
    #[inline]
    pub fn reunite(self, other: OwnedWriteHalf<S>) -> Result<S, ReuniteError<S>> {
        reunite(self, other)
    }
}

impl<S: Stream> OwnedWriteHalf<S> {
    /// Puts the halves of one stream together again.
    ///
    /// # Errors
    ///
    /// If they are of different streams; the error gives them back.
    #[inline]
    pub fn reunite(self, other: OwnedReadHalf<S>) -> Result<S, ReuniteError<S>> {
        reunite(other, self)
    }

    /// Drops the half without closing the write direction.
    #[inline]
    pub fn forget(mut self) {
        self.shutdown_on_drop = false;
    }
}

#[inline]
fn reunite<S: Stream>(
    read: OwnedReadHalf<S>,
    write: OwnedWriteHalf<S>,
) -> Result<S, ReuniteError<S>> {
    if !Arc::ptr_eq(&read.stream, &write.stream) {
        return Err(ReuniteError(read, write));
    }
    write.forget();
    Ok(Arc::into_inner(read.stream).expect("only the two halves share the stream"))
}

impl<S: Stream> Drop for OwnedWriteHalf<S> {
    #[inline]
    fn drop(&mut self) {
        if self.shutdown_on_drop {
            // Nobody is left to be told, and a connection that is gone is closed as well.
            let _ = self.stream.shutdown_once();
        }
    }
}

/// The two halves given to [`reunite`](OwnedReadHalf::reunite), which are of different streams.
#[derive(Debug)]
pub struct ReuniteError<S: Stream>(pub OwnedReadHalf<S>, pub OwnedWriteHalf<S>);

impl<S: Stream> fmt::Display for ReuniteError<S> {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the halves are of different streams and cannot be put together")
    }
}

impl<S: Stream + fmt::Debug> Error for ReuniteError<S> {}

/// The pattern by which a `ReuniteError` is taken apart, for the modules where that name is an alias: an
/// alias is a type and no pattern.
#[doc(hidden)]
pub mod pattern {
    pub use super::ReuniteError;
}
