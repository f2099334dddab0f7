//! Other crates' traits of byte streams, each behind the feature that is named like its crate.
//!
//! The lists of types are here. A trait is implemented for a type and for references to it: every operation
//! takes `&self` anyway. The wait of a poll stays with the descriptor, as `ReadFd::poll_read` says.

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

/// Hands every type that reads, and references to it, to the macro `$implement`, with its generics.
///
/// The standard input is not among them: how it is read depends on what it is.
macro_rules! for_readers {
    ($implement:ident) => {
        $implement!([] $crate::tcp::stream::TcpStream);
        $implement!([] $crate::unix::stream::UnixStream);
        $implement!([S: $crate::split::Stream] $crate::split::ReadHalf<'_, S>);
        $implement!([S: $crate::split::Stream] $crate::split::OwnedReadHalf<S>);
        $implement!([] $crate::unix::pipe::Receiver);
        $implement!([] $crate::process::ChildStdout);
        $implement!([] $crate::process::ChildStderr);
    };
}

/// The same for every type that writes.
macro_rules! for_writers {
    ($implement:ident) => {
        $implement!([] $crate::tcp::stream::TcpStream);
        $implement!([] $crate::unix::stream::UnixStream);
        $implement!([S: $crate::split::Stream] $crate::split::WriteHalf<'_, S>);
        $implement!([S: $crate::split::Stream] $crate::split::OwnedWriteHalf<S>);
        $implement!([] $crate::unix::pipe::Sender);
        $implement!([] $crate::process::ChildStdin);
        $implement!([] $crate::stdio::Stdout);
        $implement!([] $crate::stdio::Stderr);
    };
}

use {for_readers, for_writers};

/// Reads what is there to the room of `buffer`, by read(2).
#[cfg(any(feature = "hyper", feature = "tokio-io"))]
#[inline]
fn poll_read_to_room<S: ReadFd>(
    stream: &S,
    cx: &mut Context<'_>,
    buffer: &mut impl crate::sys::Room,
) -> Poll<io::Result<()>> {
    let (_, len) = buffer.room();
    if len == 0 {
        return Poll::Ready(Ok(()));
    }
    let asked = crate::methods::asked::<S>(len);
    let read = |io: &S::Io| crate::sys::read_to_room(io, buffer);
    stream.source().poll_read_stream(cx, asked, read).map_ok(|_read| ())
}
