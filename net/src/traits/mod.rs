//! Other crates' traits of byte streams, each behind the feature that is named like its crate.
//!
//! The lists of types are here. A trait is implemented for a type and for references to it: every operation
//! takes `&self` anyway. The wait of a poll stays with the descriptor, as `ReadFd::poll_read` says.

#[cfg(feature = "tokio-io")]
mod bytes;
#[cfg(feature = "futures-io")]
mod futures_io;
#[cfg(feature = "hyper")]
mod hyper;
#[cfg(feature = "tokio-io")]
mod tokio_io;

#[cfg(any(feature = "hyper", feature = "tokio-io"))]
use std::io;
#[cfg(any(feature = "hyper", feature = "tokio-io"))]
use std::task::{Context, Poll};

#[cfg(any(feature = "hyper", feature = "tokio-io"))]
use runtime_core::io::ReadFd;

#[cfg(any(feature = "hyper", feature = "tokio-io"))]
use crate::sys::{Lent, Room};

/// Hands every type that reads to the macro `$each`, with its generics before it and what goes `$with` it
/// behind.
macro_rules! for_readers {
    ($each:ident! $($with:tt)*) => {
        $crate::traits::for_sockets!($each! $($with)*);
        $crate::traits::for_pipes!($each! $($with)*);
        $each!([] $crate::stdio::Stdin; $($with)*);
    };
}

/// The same for those that are sockets.
macro_rules! for_sockets {
    ($each:ident! $($with:tt)*) => {
        $each!([] $crate::tcp::stream::TcpStream; $($with)*);
        $each!([] $crate::unix::stream::UnixStream; $($with)*);
        $each!([S: $crate::split::Stream] $crate::split::ReadHalf<'_, S>; $($with)*);
        $each!([S: $crate::split::Stream] $crate::split::OwnedReadHalf<S>; $($with)*);
    };
}

/// The same for those that are pipes.
macro_rules! for_pipes {
    ($each:ident! $($with:tt)*) => {
        $each!([] $crate::unix::pipe::Receiver; $($with)*);
        $each!([] $crate::process::ChildStdout; $($with)*);
        $each!([] $crate::process::ChildStderr; $($with)*);
    };
}

/// The same for every type that writes.
macro_rules! for_writers {
    ($each:ident! $($with:tt)*) => {
        $each!([] $crate::tcp::stream::TcpStream; $($with)*);
        $each!([] $crate::unix::stream::UnixStream; $($with)*);
        $each!([S: $crate::split::Stream] $crate::split::WriteHalf<'_, S>; $($with)*);
        $each!([S: $crate::split::Stream] $crate::split::OwnedWriteHalf<S>; $($with)*);
        $each!([] $crate::unix::pipe::Sender; $($with)*);
        $each!([] $crate::process::ChildStdin; $($with)*);
        $each!([] $crate::stdio::Stdout; $($with)*);
        $each!([] $crate::stdio::Stderr; $($with)*);
    };
}

/// Implements a trait, whose functions are in the braces `$body`, for a type and for references to it.
macro_rules! implement {
    ([$($generics:tt)*] $stream:ty; $trait:ident $body:tt) => {
        impl<$($generics)*> $trait for $stream $body
        impl<$($generics)*> $trait for &$stream $body
    };
}

use {for_pipes, for_readers, for_sockets, for_writers, implement};

/// How a type reads into room that need not be initialised.
#[cfg(any(feature = "hyper", feature = "tokio-io"))]
trait ReadRoom: ReadFd {
    /// As [`read_once`](ReadFd::read_once).
    fn read_room_once(&self, room: &mut Lent<'_, impl Room>) -> io::Result<usize>;
}

#[cfg(any(feature = "hyper", feature = "tokio-io"))]
macro_rules! read_room {
    ([$($generics:tt)*] $stream:ty; $read:ident) => {
        impl<$($generics)*> ReadRoom for $stream {
            #[inline]
            fn read_room_once(&self, room: &mut Lent<'_, impl Room>) -> io::Result<usize> {
                room.$read(self)
            }
        }
    };
}

#[cfg(any(feature = "hyper", feature = "tokio-io"))]
for_sockets!(read_room! receive);
#[cfg(any(feature = "hyper", feature = "tokio-io"))]
for_pipes!(read_room! read);

/// How it is read depends on what it is.
#[cfg(any(feature = "hyper", feature = "tokio-io"))]
impl ReadRoom for crate::stdio::Stdin {
    #[inline]
    fn read_room_once(&self, room: &mut Lent<'_, impl Room>) -> io::Result<usize> {
        room.fill(|bytes| self.read_once(bytes))
    }
}

#[cfg(any(feature = "hyper", feature = "tokio-io"))]
impl<S: ReadRoom> ReadRoom for &S {
    #[inline]
    fn read_room_once(&self, room: &mut Lent<'_, impl Room>) -> io::Result<usize> {
        (**self).read_room_once(room)
    }
}

/// Reads what is there to the room of `buffer`.
#[cfg(any(feature = "hyper", feature = "tokio-io"))]
#[inline]
fn poll_read_room<S: ReadRoom>(
    stream: &S,
    cx: &mut Context<'_>,
    buffer: &mut impl Room,
) -> Poll<io::Result<()>> {
    let mut room = Lent::of(buffer);
    if room.len() == 0 {
        return Poll::Ready(Ok(()));
    }
    let asked = crate::methods::asked::<S>(room.len());
    let read = |_: &S::Io| stream.read_room_once(&mut room);
    stream.source().poll_read_stream(cx, asked, read).map_ok(|_read| ())
}
