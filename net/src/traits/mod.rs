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

pub(crate) use {for_pipes, for_sockets};
use {for_readers, for_writers, implement};
