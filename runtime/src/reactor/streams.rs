//! `ReadFd` and `WriteFd`: the two traits of everything that bytes are read from or written to, and the
//! futures of one read, one write, and a write of everything.

use std::fmt;
use std::future::Future;
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::AsFd;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use crate::reactor::registration::{Attempt, Done, Wanted};
use crate::reactor::source::Source;
use crate::reactor::waiters::{Ticket, UNUSED};

/// A byte stream to read from: a descriptor that the runtime can wait for, and how to read from it once.
///
/// TCP and Unix streams, their halves, pipes and standard input have it, by `&self`; so have
/// references to them, and [`Box`]es, [`Rc`]s and [`Arc`]s of them. [`copy`] and its neighbours take anything that has it. To
/// read, use the methods of the types themselves: what is here is for those who write such functions,
/// or a stream of their own.
///
/// The bytes are the descriptor's own: `copy` may take them by splice(2) without calling
/// [`read_once`](Self::read_once).
///
/// [`copy`]: https://docs.rs/epoll-runtime/latest/runtime/io/fn.copy.html
///
/// ```
/// use std::fs::File;
/// use std::io::{self, Read, Write};
/// use std::os::fd::{AsFd, BorrowedFd};
/// use runtime::io::{ReadFd, Source, WriteFd};
///
/// /// A character device in nonblocking mode.
/// struct Device(Source<File>);
///
/// impl AsFd for Device {
///     fn as_fd(&self) -> BorrowedFd<'_> {
///         self.0.as_fd()
///     }
/// }
///
/// impl ReadFd for Device {
///     type Io = File;
///
///     fn source(&self) -> &Source<File> {
///         &self.0
///     }
///
///     fn read_once(&self, buf: &mut [u8]) -> io::Result<usize> {
///         self.0.get_ref().read(buf)
///     }
/// }
///
/// impl WriteFd for Device {
///     type Io = File;
///
///     fn source(&self) -> &Source<File> {
///         &self.0
///     }
///
///     fn write_once(&self, buf: &[u8]) -> io::Result<usize> {
///         self.0.get_ref().write(buf)
///     }
/// }
///
/// # runtime::block_on(async {
/// let zero = Device(Source::new(File::options().read(true).write(true).open("/dev/zero")?));
/// zero.writing_all(b"it takes everything").await?;
/// assert_eq!(zero.reading(&mut [7; 16]).await?, 16);
/// # io::Result::Ok(()) }).unwrap();
/// ```
pub trait ReadFd: AsFd {
    /// Who owns the descriptor.
    type Io: AsFd;

    /// Whether a read that is shorter than its buffer proves that nothing is left: true of TCP alone.
    /// On a Unix socket a read stops where descriptors were passed, on a pipe where a write ended.
    const SHORT_READ_DRAINS: bool = false;

    /// What waits for the descriptor.
    fn source(&self) -> &Source<Self::Io>;

    /// Reads what is there now; 0 is the end of the stream.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if there is nothing yet, or those of read(2).
    fn read_once(&self, buf: &mut [u8]) -> io::Result<usize>;

    /// As [`read_once`](Self::read_once), into several buffers: one is filled before the next is begun.
    /// Unless it is written anew it reads into the first that is not empty.
    ///
    /// # Errors
    ///
    /// As [`read_once`](Self::read_once).
    fn read_once_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        match bufs.iter_mut().find(|buf| !buf.is_empty()) {
            Some(buf) => self.read_once(buf),
            None => Ok(0),
        }
    }

    /// Reads what is there, waiting until there is something; 0 is the end of the stream, or an empty
    /// `buf`.
    ///
    /// # Errors
    ///
    /// Those of read(2), and that of registering: no runtime on this thread, no descriptor left.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    #[inline]
    fn reading<'a>(&'a self, buf: &'a mut [u8]) -> Reading<'a, Self> {
        Reading { read: Read { stream: self, buf }, ticket: UNUSED }
    }

    /// As [`reading`](Self::reading), for futures written by hand. The wait stays with the descriptor when
    /// the future that polled is dropped: the next event wakes its task for nothing.
    ///
    /// # Errors
    ///
    /// Those of read(2), and that of registering: no runtime on this thread, no descriptor left.
    #[inline]
    fn poll_read(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let asked = if Self::SHORT_READ_DRAINS { buf.len() } else { 0 };
        self.source().poll_read_stream(cx, asked, |_| self.read_once(buf))
    }

    /// As [`poll_read`](Self::poll_read), into several buffers.
    ///
    /// # Errors
    ///
    /// As [`poll_read`](Self::poll_read).
    #[inline]
    fn poll_read_vectored(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        if bufs.iter().all(|buf| buf.is_empty()) {
            return Poll::Ready(Ok(0));
        }
        self.source().poll_read_with(cx, |_| self.read_once_vectored(bufs))
    }
}

/// A byte stream to write to: a descriptor that the runtime can wait for, and how to write to it once.
///
/// As [`ReadFd`], which has an example of such a stream.
///
/// ```
/// use std::io;
/// use runtime::io::WriteFd;
///
/// /// To any stream, whichever it is.
/// async fn report(writer: &impl WriteFd, text: &str) -> io::Result<()> {
///     if writer.writing(b"- ").await? < 2 {
///         return Err(io::ErrorKind::WriteZero.into());
///     }
///     writer.writing_all(text.as_bytes()).await
/// }
///
/// # runtime::block_on(async {
/// let (sender, receiver) = runtime::net::unix::pipe::pipe()?;
/// report(&sender, "done").await?;
/// drop(sender);
/// let mut heard = String::new();
/// receiver.read_to_string(&mut heard).await?;
/// assert_eq!(heard, "- done");
/// # io::Result::Ok(()) }).unwrap();
/// ```
pub trait WriteFd: AsFd {
    /// Who owns the descriptor.
    type Io: AsFd;

    /// What waits for the descriptor.
    fn source(&self) -> &Source<Self::Io>;

    /// Writes as much as there is room for now.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if there is none, or those of write(2).
    fn write_once(&self, buf: &[u8]) -> io::Result<usize>;

    /// As [`write_once`](Self::write_once), from several buffers, one after another. Unless it is
    /// written anew it writes the first that is not empty.
    ///
    /// # Errors
    ///
    /// As [`write_once`](Self::write_once).
    fn write_once_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        match bufs.iter().find(|buf| !buf.is_empty()) {
            Some(buf) => self.write_once(buf),
            None => Ok(0),
        }
    }

    /// Closes the write direction and leaves the read direction open, where there are two: on a
    /// socket. Elsewhere it does nothing, and the reader sees the end when the descriptor is closed.
    ///
    /// # Errors
    ///
    /// Those of shutdown(2), without `ENOTCONN`: a connection that is gone is closed.
    fn shutdown_once(&self) -> io::Result<()> {
        Ok(())
    }

    /// Writes as much as there is room for, waiting until there is some.
    ///
    /// # Errors
    ///
    /// Those of write(2), and that of registering: no runtime on this thread, no descriptor left.
    ///
    /// # Cancel safety
    ///
    /// Nothing is written by a future that is dropped before it is ready.
    #[inline]
    fn writing<'a>(&'a self, buf: &'a [u8]) -> Writing<'a, Self> {
        Writing { write: Write { stream: self, buf }, ticket: UNUSED }
    }

    /// Writes all of `buf`.
    ///
    /// # Errors
    ///
    /// As [`writing`](Self::writing), and [`WriteZero`](io::ErrorKind::WriteZero) from a stream that takes
    /// nothing. Part of `buf` may have been written.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: part of `buf` may have been written, and how much is not known.
    #[inline]
    fn writing_all<'a>(&'a self, buf: &'a [u8]) -> WritingAll<'a, Self> {
        WritingAll { writing: self.writing(buf) }
    }

    /// As [`writing`](Self::writing), for futures written by hand. The wait stays as
    /// [`ReadFd::poll_read`] says.
    ///
    /// # Errors
    ///
    /// Those of write(2), and that of registering: no runtime on this thread, no descriptor left.
    #[inline]
    fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.source().poll_write_with(cx, |_| self.write_once(buf))
    }

    /// As [`poll_write`](Self::poll_write), from several buffers.
    ///
    /// # Errors
    ///
    /// As [`poll_write`](Self::poll_write).
    #[inline]
    fn poll_write_vectored(
        &self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.source().poll_write_with(cx, |_| self.write_once_vectored(bufs))
    }
}

/// A read until it is done; made by [`ReadFd::reading`].
#[must_use = "futures do nothing unless polled"]
pub struct Reading<'a, S: ReadFd + ?Sized> {
    read: Read<'a, S>,
    ticket: Ticket,
}

/// A write until it is done; made by [`WriteFd::writing`].
#[must_use = "futures do nothing unless polled"]
pub struct Writing<'a, S: WriteFd + ?Sized> {
    write: Write<'a, S>,
    ticket: Ticket,
}

/// Writes until nothing is left; made by [`WriteFd::writing_all`].
#[must_use = "futures do nothing unless polled"]
pub struct WritingAll<'a, S: WriteFd + ?Sized> {
    /// The next write, of what is left.
    writing: Writing<'a, S>,
}

struct Read<'a, S: ?Sized> {
    stream: &'a S,
    buf: &'a mut [u8],
}

struct Write<'a, S: ?Sized> {
    stream: &'a S,
    buf: &'a [u8],
}

impl<S: ReadFd + ?Sized> Attempt<usize> for Read<'_, S> {
    #[inline]
    fn attempt(&mut self) -> io::Result<Done<usize>> {
        let read = self.stream.read_once(self.buf)?;
        let drained = S::SHORT_READ_DRAINS && 0 < read && read < self.buf.len();
        Ok(Done { value: read, drained })
    }
}

impl<S: WriteFd + ?Sized> Attempt<usize> for Write<'_, S> {
    #[inline]
    fn attempt(&mut self) -> io::Result<Done<usize>> {
        self.stream.write_once(self.buf).map(Done::with)
    }
}

impl<S: ReadFd + ?Sized> Future for Reading<'_, S> {
    type Output = io::Result<usize>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let Reading { read, ticket } = self.get_mut();
        if read.buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        read.stream.source().registration().poll_op(Wanted::READ, ticket, cx, read)
    }
}

impl<S: WriteFd + ?Sized> Future for Writing<'_, S> {
    type Output = io::Result<usize>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let Writing { write, ticket } = self.get_mut();
        write.stream.source().registration().poll_op(Wanted::WRITE, ticket, cx, write)
    }
}

impl<S: WriteFd + ?Sized> Future for WritingAll<'_, S> {
    type Output = io::Result<()>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let writing = &mut self.get_mut().writing;
        while !writing.write.buf.is_empty() {
            match ready!(Pin::new(&mut *writing).poll(cx))? {
                0 => return Poll::Ready(Err(wrote_nothing())),
                written => writing.write.buf = &writing.write.buf[written..],
            }
        }
        Poll::Ready(Ok(()))
    }
}

#[cold]
fn wrote_nothing() -> io::Error {
    io::Error::new(io::ErrorKind::WriteZero, "the stream took no byte of a write that had some")
}

impl<S: ReadFd + ?Sized> Drop for Reading<'_, S> {
    #[inline]
    fn drop(&mut self) {
        self.read.stream.source().registration().forget(self.ticket);
    }
}

impl<S: WriteFd + ?Sized> Drop for Writing<'_, S> {
    #[inline]
    fn drop(&mut self) {
        self.write.stream.source().registration().forget(self.ticket);
    }
}

/// Shows what is left to do.
macro_rules! debug {
    ($future:ident: $stream:ident, $bytes:literal, |$this:ident| $left:expr) => {
        impl<S: $stream + ?Sized> fmt::Debug for $future<'_, S> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let $this = self;
                f.debug_struct(stringify!($future)).field($bytes, &$left).finish_non_exhaustive()
            }
        }
    };
}

debug!(Reading: ReadFd, "room", |this| this.read.buf.len());
debug!(Writing: WriteFd, "bytes", |this| this.write.buf.len());
debug!(WritingAll: WriteFd, "bytes", |this| this.writing.write.buf.len());

/// What points to a stream is one.
macro_rules! by_pointer {
    ($($pointer:ty),*) => {$(
        impl<S: ReadFd + ?Sized> ReadFd for $pointer {
            type Io = S::Io;
            const SHORT_READ_DRAINS: bool = S::SHORT_READ_DRAINS;

            #[inline]
            fn source(&self) -> &Source<S::Io> {
                (**self).source()
            }

            #[inline]
            fn read_once(&self, buf: &mut [u8]) -> io::Result<usize> {
                (**self).read_once(buf)
            }

            #[inline]
            fn read_once_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                (**self).read_once_vectored(bufs)
            }
        }

        impl<S: WriteFd + ?Sized> WriteFd for $pointer {
            type Io = S::Io;

            #[inline]
            fn source(&self) -> &Source<S::Io> {
                (**self).source()
            }

            #[inline]
            fn write_once(&self, buf: &[u8]) -> io::Result<usize> {
                (**self).write_once(buf)
            }

            #[inline]
            fn write_once_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
                (**self).write_once_vectored(bufs)
            }

            fn shutdown_once(&self) -> io::Result<()> {
                (**self).shutdown_once()
            }
        }
    )*};
}

by_pointer!(&S, &mut S, Box<S>, Rc<S>, Arc<S>);
