//! `Source`: an fd that registers with the runtime when it first has to wait.

use std::fmt;
use std::future::Future;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::task::{Context, Poll};

use crate::reactor::readiness::{Interest, Ready};
use crate::reactor::registration::{
    Done, Operation, Readiness, Registration, ToRead, ToWrite, Wanted,
};
use crate::reactor::waiters::SHARED;

/// A nonblocking descriptor, waited for by the runtime on first need.
///
/// Each operation is tried first; only when the kernel answers `EAGAIN` is the descriptor registered
/// with the current runtime and the task put to sleep. What never waits costs no `epoll_ctl`, and
/// what is accepted here and first read on another thread belongs to that thread's runtime. The
/// sockets of this library stand on it; [`AsyncFd`](crate::io::AsyncFd) is the form that registers at
/// once, as tokio's does.
///
/// Any number of tasks may wait, on the thread of the runtime and on others. Dropping the future of an
/// operation takes its waiter along.
///
/// ```
/// use std::io::{Read, Write};
/// use std::os::unix::net::UnixStream;
/// # runtime::block_on(async {
/// let (a, mut b) = UnixStream::pair()?;
/// a.set_nonblocking(true)?;
/// let source = runtime::io::Source::new(a);
/// b.write_all(b"hello")?;
/// let mut buf = [0; 16];
/// let n = source.read_with(|mut stream| stream.read(&mut buf)).await?;
/// assert_eq!(&buf[..n], b"hello");
///
/// source.write_with(|mut stream| stream.write(b"bye")).await?;
/// source.writable().await?;
/// b.write_all(b"again")?;
/// source.readable().await?;
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub struct Source<T> {
    // Deregistered before the descriptor is closed: fields are dropped in this order.
    registration: Registration,
    io: T,
}

impl<T: AsFd> Source<T> {
    /// Takes a descriptor that is in nonblocking mode. No system call, and no runtime needed.
    ///
    /// A descriptor in blocking mode blocks the whole runtime.
    #[inline]
    pub fn new(io: T) -> Source<T> {
        Source { registration: Registration::new(io.as_fd().as_raw_fd()), io }
    }

    #[inline]
    pub(super) fn registration(&self) -> &Registration {
        &self.registration
    }

    /// The descriptor's owner.
    #[inline]
    pub fn get_ref(&self) -> &T {
        &self.io
    }

    /// Deregisters the descriptor. The next wait registers it anew, with the runtime that is current
    /// then; who waits elsewhere for a duplicate of it is not disturbed.
    #[inline]
    pub fn deregister(&mut self) {
        self.registration = Registration::new(self.as_raw_fd());
    }

    /// Deregisters the descriptor and gives it back.
    #[inline]
    pub fn into_inner(self) -> T {
        let Source { registration, io } = self;
        drop(registration);
        io
    }

    /// Tries to read by `op`, and waits for readability as long as it says `WouldBlock`.
    ///
    /// The wait stays, as it belongs to no future: every task that polled is woken by the next event.
    ///
    /// # Errors
    ///
    /// Those of `op`, and that of registering: no runtime on this thread, no descriptor left.
    #[inline]
    pub fn poll_read_with<R>(
        &self,
        cx: &mut Context<'_>,
        mut op: impl FnMut(&T) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        self.registration
            .poll_op(Wanted::READ, &mut { SHARED }, cx, &mut || op(&self.io).map(Done::with))
    }

    /// As [`poll_read_with`](Source::poll_read_with), to write.
    ///
    /// # Errors
    ///
    /// As there.
    #[inline]
    pub fn poll_write_with<R>(
        &self,
        cx: &mut Context<'_>,
        mut op: impl FnMut(&T) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        self.registration
            .poll_op(Wanted::WRITE, &mut { SHARED }, cx, &mut || op(&self.io).map(Done::with))
    }

    /// As [`poll_read_with`](Source::poll_read_with), for TCP streams: `op` asks for at most `len`
    /// bytes, and fewer prove that the queue is empty, which saves the read that would say `EAGAIN`. A
    /// `len` of 0 proves nothing.
    ///
    /// Only TCP is like that: on a Unix socket a read stops where descriptors were passed, on a pipe
    /// where a write ended. Nor may `op` peek.
    ///
    /// # Errors
    ///
    /// As there.
    #[inline]
    pub fn poll_read_stream(
        &self,
        cx: &mut Context<'_>,
        len: usize,
        mut op: impl FnMut(&T) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        let mut op = || op(&self.io).map(|n| of_stream(n, len));
        self.registration.poll_op(Wanted::READ, &mut { SHARED }, cx, &mut op)
    }

    /// Reads by `op`, waiting for readability as long as it says `WouldBlock`.
    ///
    /// # Errors
    ///
    /// As [`poll_read_with`](Source::poll_read_with).
    ///
    /// # Cancel safety
    ///
    /// `op` is called again only after it said `WouldBlock`: dropping the future loses nothing.
    #[inline]
    pub fn read_with<R, F>(&self, mut op: F) -> impl Future<Output = io::Result<R>>
    where
        F: FnMut(&T) -> io::Result<R>,
    {
        Operation::new(&self.registration, ToRead, move || op(&self.io).map(Done::with))
    }

    /// As [`read_with`](Source::read_with), for a listener of which several runtimes have a duplicate
    /// (dup(2)) each: what comes wakes one of those that wait, and not all of them (`EPOLLEXCLUSIVE`).
    /// No duplicate may be waited for in another way.
    ///
    /// What woke a runtime is that one's: if it does not read it, the others hear of the listener again
    /// with the next that comes.
    ///
    /// # Errors
    ///
    /// As [`poll_read_with`](Source::poll_read_with).
    ///
    /// # Cancel safety
    ///
    /// As [`read_with`](Source::read_with).
    #[inline]
    pub fn read_exclusive_with<R, F>(&self, mut op: F) -> impl Future<Output = io::Result<R>>
    where
        F: FnMut(&T) -> io::Result<R>,
    {
        let op = move || op(&self.io).map(Done::with);
        Operation::new(&self.registration, Wanted::EXCLUSIVE_READ, op)
    }

    /// As [`poll_read_with`](Source::poll_read_with), in the way of
    /// [`read_exclusive_with`](Source::read_exclusive_with).
    ///
    /// # Errors
    ///
    /// As [`poll_read_with`](Source::poll_read_with).
    #[inline]
    pub fn poll_read_exclusive_with<R>(
        &self,
        cx: &mut Context<'_>,
        mut op: impl FnMut(&T) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        let mut op = || op(&self.io).map(Done::with);
        self.registration.poll_op(Wanted::EXCLUSIVE_READ, &mut { SHARED }, cx, &mut op)
    }

    /// Writes by `op`, waiting for writability as long as it says `WouldBlock`.
    ///
    /// # Errors
    ///
    /// As [`poll_read_with`](Source::poll_read_with).
    ///
    /// # Cancel safety
    ///
    /// As [`read_with`](Source::read_with).
    #[inline]
    pub fn write_with<R, F>(&self, mut op: F) -> impl Future<Output = io::Result<R>>
    where
        F: FnMut(&T) -> io::Result<R>,
    {
        Operation::new(&self.registration, ToWrite, move || op(&self.io).map(Done::with))
    }

    /// As [`read_with`](Source::read_with), for TCP streams; see
    /// [`poll_read_stream`](Source::poll_read_stream).
    ///
    /// # Errors
    ///
    /// As [`poll_read_with`](Source::poll_read_with).
    ///
    /// # Cancel safety
    ///
    /// As [`read_with`](Source::read_with).
    #[inline]
    pub fn read_stream<F>(&self, len: usize, mut op: F) -> impl Future<Output = io::Result<usize>>
    where
        F: FnMut(&T) -> io::Result<usize>,
    {
        Operation::new(&self.registration, ToRead, move || op(&self.io).map(|n| of_stream(n, len)))
    }

    /// Tries an operation once, now.
    ///
    /// # Errors
    ///
    /// Those of `op`. After `WouldBlock` the readiness of `interest` is no longer assumed.
    #[inline]
    pub fn try_io<R>(
        &self,
        interest: Interest,
        op: impl FnOnce(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        self.registration.try_io(interest, || op(&self.io))
    }

    /// Waits until a read would not block.
    ///
    /// # Errors
    ///
    /// That of registering.
    #[inline]
    pub fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.registration.poll_ready(Wanted::READ, &mut { SHARED }, cx).map_ok(|_| ())
    }

    /// Waits until a write would not block.
    ///
    /// # Errors
    ///
    /// That of registering.
    #[inline]
    pub fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.registration.poll_ready(Wanted::WRITE, &mut { SHARED }, cx).map_ok(|_| ())
    }

    /// Waits until a read would not block.
    ///
    /// # Errors
    ///
    /// That of registering.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    #[inline]
    pub async fn readable(&self) -> io::Result<()> {
        Readiness::new(&self.registration, Wanted::READ).await.map(|_| ())
    }

    /// Waits until a write would not block.
    ///
    /// # Errors
    ///
    /// That of registering.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    #[inline]
    pub async fn writable(&self) -> io::Result<()> {
        Readiness::new(&self.registration, Wanted::WRITE).await.map(|_| ())
    }

    /// Waits until something of `interest` is ready, and says what.
    ///
    /// # Errors
    ///
    /// That of registering. That includes a wait for what a
    /// file on a disk never reports, an error or urgent data: it is always readable and writable.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    #[inline]
    pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        Readiness::new(&self.registration, Wanted::of(interest)).await.map(|seen| seen.ready)
    }
}

/// What a read of `n` out of `len` bytes tells of a TCP stream: if it is short, nothing is left.
#[inline]
fn of_stream(n: usize, len: usize) -> Done<usize> {
    Done { value: n, drained: 0 < n && n < len }
}

impl<T: AsFd> AsFd for Source<T> {
    #[inline]
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.io.as_fd()
    }
}

impl<T: AsFd> AsRawFd for Source<T> {
    #[inline]
    fn as_raw_fd(&self) -> RawFd {
        self.io.as_fd().as_raw_fd()
    }
}

impl<T: fmt::Debug> fmt::Debug for Source<T> {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Source").field(&self.io).finish()
    }
}
