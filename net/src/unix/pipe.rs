//! Pipes, anonymous and named.
//!
//! A pipe carries bytes from its [`Sender`]s to its [`Receiver`]s, within a process or between two. The
//! receiver reads the end of the stream once every sender is gone, also those that other processes
//! have; a sender whose every receiver is gone gets [`BrokenPipe`](io::ErrorKind::BrokenPipe). Then the
//! kernel also raises `SIGPIPE`, which programs in Rust ignore from the start; one that has set it back
//! to its default is ended by it.
//!
//! # Atomic writes
//!
//! A write of at most 4096 bytes (`PIPE_BUF`) goes into the pipe as a whole or not at all, never partly
//! and never with another's bytes within. So several senders, also of several processes, can write
//! records of that size into one pipe with [`write_all`](Sender::write_all), and each arrives in one
//! piece. A longer write may be taken in part and be interleaved with those of others. A vectored
//! write counts as one write of all its buffers together.
//!
//! # Named pipes
//!
//! A FIFO is made with mkfifo(1) and opened by its path, with [`OpenOptions`]. Nothing here waits for
//! the other end to be opened:
//!
//! - Opening a [`Sender`] fails with the system's error `ENXIO` while nobody has the FIFO open for
//!   reading. Try again later, or open it for reading too ([`OpenOptions::read_write`]).
//! - A [`Receiver`] that is opened before any sender reads the end of the stream (0 bytes) until there
//!   is one, and so it does between the last sender's leaving and the next one's coming. To
//!   serve one sender after another, open it with [`OpenOptions::read_write`]: as the FIFO
//!   then has a sender for ever, it has no end, and a read waits for the next.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;
use std::process::{ChildStderr, ChildStdin, ChildStdout, Stdio};
use std::task::{Context, Poll};

use runtime_core::io::{Interest, ReadFd, Ready, Source, WriteFd};

use crate::error::explain_making;
use crate::fd_traits::{has_fd, reads_file, writes_file};
use crate::methods::{read_methods, readiness_methods, write_methods};
use crate::sys;

/// Makes a pipe, nonblocking and closed on exec: what is written to the [`Sender`] comes out of the
/// [`Receiver`].
///
/// # Errors
///
/// Those of pipe2(2): no descriptor is left.
///
/// # Examples
///
/// ```
/// use runtime::net::unix::pipe;
///
/// # runtime::block_on(async {
/// let (sender, receiver) = pipe::pipe()?;
/// sender.write_all(b"hello").await?;
/// drop(sender);
/// let mut text = String::new();
/// receiver.read_to_string(&mut text).await?;
/// assert_eq!(text, "hello");
///
/// // For writers that should not have to wait so soon.
/// let (sender, _receiver) = runtime::net::unix::pipe::pipe()?;
/// assert!(sender.set_capacity(128 * 1024)? >= 128 * 1024);
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
#[inline]
pub fn pipe() -> io::Result<(Sender, Receiver)> {
    let (read, write) = sys::pipe().map_err(|error| explain_making(error, "a pipe"))?;
    Ok((Sender::from_file_unchecked(write)?, Receiver::from_file_unchecked(read)?))
}

/// How to open a named pipe (a FIFO).
///
/// # Examples
///
/// ```no_run
/// use runtime::net::unix::pipe;
///
/// # async fn example() -> std::io::Result<()> {
/// let receiver = pipe::OpenOptions::new().read_write(true).open_receiver("/run/commands")?;
/// let mut lines = runtime::io::lines(receiver);
/// while let Some(line) = lines.next_line().await? {
///     println!("{line}");
/// }
/// // And the other side. It is an error, ENXIO, while nobody has the FIFO open for reading.
/// let sender = pipe::OpenOptions::new().open_sender("/run/commands")?;
/// sender.write_all(b"reload\n").await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default)]
pub struct OpenOptions {
    read_write: bool,
    unchecked: bool,
}

impl OpenOptions {
    /// Everything off.
    #[inline]
    pub fn new() -> OpenOptions {
        OpenOptions::default()
    }

    /// Opens the FIFO for reading and writing, whichever end is asked for. Linux allows it.
    ///
    /// A sender can be opened before there is a receiver then, and a receiver never reads the end of the
    /// stream. The price is that a sender gets no error when the last receiver is gone, for it counts
    /// as one itself: its writes wait.
    #[inline]
    pub fn read_write(&mut self, value: bool) -> &mut OpenOptions {
        self.read_write = value;
        self
    }

    /// Does not check whether what is opened is a FIFO.
    ///
    /// Other files may then block the whole runtime.
    #[inline]
    pub fn unchecked(&mut self, value: bool) -> &mut OpenOptions {
        self.unchecked = value;
        self
    }

    /// Opens the end to read from. It does not wait for a sender.
    ///
    /// # Errors
    ///
    /// Those of open(2), and [`InvalidInput`](io::ErrorKind::InvalidInput) if it is no FIFO.
    #[inline]
    pub fn open_receiver<P: AsRef<Path>>(&self, path: P) -> io::Result<Receiver> {
        let file = self.open(path.as_ref(), fs::OpenOptions::new().read(true))?;
        Receiver::from_file_unchecked(file)
    }

    /// Opens the end to write to.
    ///
    /// # Errors
    ///
    /// Those of open(2), and [`InvalidInput`](io::ErrorKind::InvalidInput) if it is no FIFO. While no
    /// process has it open for reading, and without [`read_write`](Self::read_write), it is `ENXIO`,
    /// which has no [`ErrorKind`](io::ErrorKind) of its own.
    #[inline]
    pub fn open_sender<P: AsRef<Path>>(&self, path: P) -> io::Result<Sender> {
        let file = self.open(path.as_ref(), fs::OpenOptions::new().write(true))?;
        Sender::from_file_unchecked(file)
    }

    #[inline]
    fn open(&self, path: &Path, options: &mut fs::OpenOptions) -> io::Result<File> {
        if self.read_write {
            options.read(true).write(true);
        }
        let file = options.custom_flags(sys::O_NONBLOCK).open(path)?;
        if !self.unchecked {
            check_fifo(&file)?;
        }
        Ok(file)
    }
}

#[inline]
fn check_fifo(file: &File) -> io::Result<()> {
    if file.metadata()?.file_type().is_fifo() {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::InvalidInput,
        "the file is not a pipe; open it with std::fs, or with `unchecked` if you know better",
    ))
}

/// The end of a pipe to write to.
///
/// See [`pipe()`], and the [module](self) for what writes are atomic.
pub struct Sender {
    io: Source<File>,
}

/// The end of a pipe to read from.
///
/// See [`pipe()`], and the [module](self) for named pipes.
pub struct Receiver {
    io: Source<File>,
}

impl Sender {
    write_methods!();

    /// Takes over the end of a pipe, and makes it nonblocking.
    ///
    /// `O_NONBLOCK` is of the open file: all duplicates of the descriptor, also those that other
    /// processes have, become nonblocking too. For the standard streams that were inherited use
    /// [`stdout`](crate::io::stdout), which leaves them as they are.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) if it is no pipe, or cannot be written to.
    #[inline]
    pub fn from_file(file: File) -> io::Result<Sender> {
        check_fifo(&file)?;
        if !sys::access(file.as_fd())?.write {
            return Err(wrong_end("write to", "reading"));
        }
        sys::set_nonblocking(file.as_fd(), true)?;
        Sender::from_file_unchecked(file)
    }

    /// As [`from_file`](Self::from_file), of a file that is a pipe's end to write to and nonblocking:
    /// the caller answers for that. If it is not, it may block the whole runtime.
    ///
    /// # Errors
    ///
    /// None: the signature is tokio's.
    #[inline]
    pub fn from_file_unchecked(file: File) -> io::Result<Sender> {
        Ok(Sender { io: Source::new(file) })
    }
}

impl Receiver {
    read_methods!();

    /// Takes over the end of a pipe, and makes it nonblocking.
    ///
    /// `O_NONBLOCK` is of the open file: all duplicates of the descriptor, also those that other
    /// processes have, become nonblocking too. For the standard streams that were inherited use
    /// [`stdin`](crate::io::stdin), which leaves them as they are.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) if it is no pipe, or cannot be read from.
    #[inline]
    pub fn from_file(file: File) -> io::Result<Receiver> {
        check_fifo(&file)?;
        if !sys::access(file.as_fd())?.read {
            return Err(wrong_end("read from", "writing"));
        }
        sys::set_nonblocking(file.as_fd(), true)?;
        Receiver::from_file_unchecked(file)
    }

    /// As [`from_file`](Self::from_file), of a file that is a pipe's end to read from and nonblocking:
    /// the caller answers for that. If it is not, it may block the whole runtime.
    ///
    /// # Errors
    ///
    /// None: the signature is tokio's.
    #[inline]
    pub fn from_file_unchecked(file: File) -> io::Result<Receiver> {
        Ok(Receiver { io: Source::new(file) })
    }
}

#[inline]
fn wrong_end(wanted: &str, opened: &str) -> io::Error {
    let text = format!("the pipe's end to {wanted} is needed, and this one is open for {opened}");
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

/// What both ends have.
macro_rules! end {
    ($end:ident, from $($child:ty),*) => {
        impl $end {
            readiness_methods!();

            /// As [`from_file`](Self::from_file).
            ///
            /// # Errors
            ///
            /// As there.
            #[inline]
            pub fn from_owned_fd(fd: OwnedFd) -> io::Result<$end> {
                $end::from_file(fd.into())
            }

            /// As [`from_file_unchecked`](Self::from_file_unchecked).
            ///
            /// # Errors
            ///
            /// As there.
            #[inline]
            pub fn from_owned_fd_unchecked(fd: OwnedFd) -> io::Result<$end> {
                $end::from_file_unchecked(fd.into())
            }

            /// Gives the descriptor away in blocking mode, as child processes expect it.
            ///
            /// # Errors
            ///
            /// Those of fcntl(2).
            #[inline]
            pub fn into_blocking_fd(self) -> io::Result<OwnedFd> {
                let fd = self.into_nonblocking_fd()?;
                sys::set_nonblocking(fd.as_fd(), false)?;
                Ok(fd)
            }

            /// Gives the descriptor away as it is, in nonblocking mode.
            ///
            /// # Errors
            ///
            /// None: the signature is tokio's.
            #[inline]
            pub fn into_nonblocking_fd(self) -> io::Result<OwnedFd> {
                Ok(self.io.into_inner().into())
            }

            /// A second handle to the same end, registered by itself.
            ///
            /// # Errors
            ///
            /// If there is no descriptor left.
            #[inline]
            pub fn try_clone(&self) -> io::Result<$end> {
                $end::from_file_unchecked(self.io.get_ref().try_clone()?)
            }

            /// How many bytes the pipe holds, 65536 as a rule (`F_GETPIPE_SZ`).
            ///
            /// # Errors
            ///
            /// Those of fcntl(2).
            #[inline]
            pub fn capacity(&self) -> io::Result<usize> {
                sys::pipe_capacity(self.as_fd())
            }

            /// Makes the pipe hold `bytes`, and returns how many it holds now: the kernel rounds up to a
            /// power of two of pages (`F_SETPIPE_SZ`).
            ///
            /// # Errors
            ///
            /// Those of fcntl(2): `EPERM` above /proc/sys/fs/pipe-max-size for unprivileged processes,
            /// `EBUSY` if more bytes are in it.
            #[inline]
            pub fn set_capacity(&self, bytes: usize) -> io::Result<usize> {
                sys::set_pipe_capacity(self.as_fd(), bytes)
            }
        }

        has_fd!($end, io);

        impl fmt::Debug for $end {
            #[inline]
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($end)).field("fd", &self.as_raw_fd()).finish()
            }
        }

        /// As `from_owned_fd`.
        impl TryFrom<OwnedFd> for $end {
            type Error = io::Error;

            #[inline]
            fn try_from(fd: OwnedFd) -> io::Result<$end> {
                $end::from_owned_fd(fd)
            }
        }

        /// The descriptor stays nonblocking.
        impl From<$end> for OwnedFd {
            #[inline]
            fn from(end: $end) -> OwnedFd {
                end.io.into_inner().into()
            }
        }

        /// For a child process: the descriptor is given to it in blocking mode.
        impl TryFrom<$end> for Stdio {
            type Error = io::Error;

            #[inline]
            fn try_from(end: $end) -> io::Result<Stdio> {
                end.into_blocking_fd().map(Stdio::from)
            }
        }

        $(
            /// Of a child process of the standard library.
            impl TryFrom<$child> for $end {
                type Error = io::Error;

                #[inline]
                fn try_from(pipe: $child) -> io::Result<$end> {
                    $end::from_owned_fd(pipe.into())
                }
            }
        )*
    };
}

end!(Sender, from ChildStdin);
end!(Receiver, from ChildStdout, ChildStderr);

writes_file!(Sender);
reads_file!(Receiver);
