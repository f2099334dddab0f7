//! The ends that the parent has of a child's standard streams.

use std::fmt;
use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::process::{self, Stdio};
use std::task::{Context, Poll};

use runtime_core::io::{Interest, ReadFd, Ready, Source, WriteFd};

use crate::fd_traits::{has_fd, reads_file, writes_file};
use crate::methods::{read_methods, readiness_methods, write_methods};
use crate::sys;

/// What the three have.
macro_rules! stream {
    ($(#[$doc:meta])* $stream:ident, $methods:ident, $direction:literal) => {
        $(#[$doc])*
        ///
        /// It is nonblocking, and the child's end is not, as programs expect it. Any number of tasks
        /// may use it, by `&`.
        pub struct $stream {
            io: Source<File>,
        }

        impl $stream {
            $methods!();
            readiness_methods!();

            #[doc = concat!("Takes over the standard library's end of a pipe to ", $direction)]
            /// a child, and makes it nonblocking.
            ///
            /// # Errors
            ///
            /// Those of fcntl(2).
            #[inline]
            pub fn from_std(stream: process::$stream) -> io::Result<$stream> {
                let fd = OwnedFd::from(stream);
                sys::set_nonblocking(fd.as_fd(), true)?;
                Ok($stream { io: Source::new(fd.into()) })
            }

            /// Gives the descriptor away, in blocking mode, as another child expects it.
            ///
            /// # Errors
            ///
            /// Those of fcntl(2).
            #[inline]
            pub fn into_owned_fd(self) -> io::Result<OwnedFd> {
                let fd = OwnedFd::from(self.io.into_inner());
                sys::set_nonblocking(fd.as_fd(), false)?;
                Ok(fd)
            }
        }

        has_fd!($stream, io);

        impl fmt::Debug for $stream {
            #[inline]
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($stream)).field("fd", &self.as_raw_fd()).finish()
            }
        }

        /// For another child. As `into_owned_fd`.
        impl TryFrom<$stream> for Stdio {
            type Error = io::Error;

            #[inline]
            fn try_from(stream: $stream) -> io::Result<Stdio> {
                stream.into_owned_fd().map(Stdio::from)
            }
        }
    };
}

stream! {
    /// A child's standard input, to write to. The child reads the end of it when this is dropped.
    ChildStdin, write_methods, "write to"
}
stream! {
    /// A child's standard output, to read from.
    ChildStdout, read_methods, "read from"
}
stream! {
    /// A child's standard error, to read from.
    ChildStderr, read_methods, "read from"
}

writes_file!(ChildStdin);
reads_file!(ChildStdout);
reads_file!(ChildStderr);
