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
use crate::stdio::Stdin;
#[cfg(any(feature = "hyper", feature = "tokio-io"))]
use crate::sys::{self, Room};

/// Hands every type that reads to the macro `$each`, with its generics before it and what goes `$with` it
/// behind.
///
/// The standard input is not among them: how it is read depends on what it is.
macro_rules! for_readers {
    ($each:ident! $($with:tt)*) => {
        $each!([] $crate::tcp::stream::TcpStream; $($with)*);
        $each!([] $crate::unix::stream::UnixStream; $($with)*);
        $each!([S: $crate::split::Stream] $crate::split::ReadHalf<'_, S>; $($with)*);
        $each!([S: $crate::split::Stream] $crate::split::OwnedReadHalf<S>; $($with)*);
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

use {for_readers, for_writers, implement};

/// Reads what is there to the room of `buffer`, by read(2).
#[cfg(any(feature = "hyper", feature = "tokio-io"))]
#[inline]
fn poll_read_to_room<S: ReadFd>(
    stream: &S,
    cx: &mut Context<'_>,
    buffer: &mut impl Room,
) -> Poll<io::Result<()>> {
    let (_, len) = buffer.room();
    if len == 0 {
        return Poll::Ready(Ok(()));
    }
    let asked = crate::methods::asked::<S>(len);
    let read = |io: &S::Io| sys::read_to_room(io, buffer);
    stream.source().poll_read_stream(cx, asked, read).map_ok(|_read| ())
}

/// As [`poll_read_to_room`], in the way that the standard input is to be read.
#[cfg(any(feature = "hyper", feature = "tokio-io"))]
#[inline]
fn poll_read_stdin_to_room(
    stdin: &Stdin,
    cx: &mut Context<'_>,
    buffer: &mut impl Room,
) -> Poll<io::Result<()>> {
    let (_, len) = buffer.room();
    if len == 0 {
        return Poll::Ready(Ok(()));
    }
    let read = |_: &_| sys::fill_room(buffer, |bytes| stdin.read_once(bytes));
    stdin.source().poll_read_with(cx, read)
}
