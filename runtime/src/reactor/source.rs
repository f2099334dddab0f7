//! `Source`: an fd that registers with the runtime when it first has to wait.

use std::fmt;
use std::future::Future;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::coop;
use crate::reactor::readiness::{Interest, Ready};
use crate::reactor::registration::{Registration, Seen, Wanted};
use crate::reactor::waiters::Ticket;

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

    /// The descriptor's owner.
    #[inline]
    pub fn get_ref(&self) -> &T {
        &self.io
    }

    /// Deregisters the descriptor and gives it back.
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
        op: impl FnMut(&T) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        self.poll_op(Wanted::READ, &mut 0, cx, op)
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
        op: impl FnMut(&T) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        self.poll_op(Wanted::WRITE, &mut 0, cx, op)
    }

    /// As [`poll_read_with`](Source::poll_read_with), for TCP streams: `op` asks for at most `len`
    /// bytes, and fewer prove that the queue is empty, which saves the read that would say `EAGAIN`.
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
        let read = ready!(self.poll_op(Wanted::READ, &mut 0, cx, &mut op));
        Poll::Ready(self.note_short_read(len, read))
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
    pub fn read_with<R, F>(&self, op: F) -> impl Future<Output = io::Result<R>>
    where
        F: FnMut(&T) -> io::Result<R>,
    {
        Operation { source: self, wanted: Wanted::READ, ticket: 0, op }
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
    pub fn write_with<R, F>(&self, op: F) -> impl Future<Output = io::Result<R>>
    where
        F: FnMut(&T) -> io::Result<R>,
    {
        Operation { source: self, wanted: Wanted::WRITE, ticket: 0, op }
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
        Operation {
            source: self,
            wanted: Wanted::READ,
            ticket: 0,
            op: move |io: &T| self.note_short_read(len, op(io)),
        }
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
        let result = op(&self.io);
        if let Err(error) = &result {
            if error.kind() == io::ErrorKind::WouldBlock {
                self.registration.would_block(Wanted::of(interest));
            }
        }
        result
    }

    /// Waits until a read would not block.
    ///
    /// # Errors
    ///
    /// That of registering.
    pub fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.registration.poll_ready(Wanted::READ, &mut 0, cx).map_ok(|_| ())
    }

    /// Waits until a write would not block.
    ///
    /// # Errors
    ///
    /// That of registering.
    pub fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.registration.poll_ready(Wanted::WRITE, &mut 0, cx).map_ok(|_| ())
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
    pub async fn readable(&self) -> io::Result<()> {
        self.wait(Wanted::READ).await.map(|_| ())
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
    pub async fn writable(&self) -> io::Result<()> {
        self.wait(Wanted::WRITE).await.map(|_| ())
    }

    /// Waits until something of `interest` is ready, and says what.
    ///
    /// # Errors
    ///
    /// That of registering.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        self.wait(Wanted::of(interest)).await.map(|seen| seen.ready)
    }

    fn wait(&self, wanted: Wanted) -> Readiness<'_> {
        Readiness { registration: &self.registration, wanted, ticket: 0 }
    }

    /// One page of the path of a read: try, and if that would block, wait.
    #[inline]
    fn poll_op<R>(
        &self,
        wanted: Wanted,
        ticket: &mut Ticket,
        cx: &mut Context<'_>,
        mut op: impl FnMut(&T) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        ready!(coop::poll_proceed(cx));
        loop {
            if !self.registration.is_blocked(wanted) {
                match op(&self.io) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        self.registration.would_block(wanted);
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    result => {
                        coop::made_progress();
                        return Poll::Ready(result);
                    }
                }
            }
            ready!(self.registration.poll_wait(wanted, ticket, cx))?;
        }
    }

    #[inline]
    fn note_short_read(&self, len: usize, read: io::Result<usize>) -> io::Result<usize> {
        if let Ok(n) = read {
            if 0 < n && n < len {
                self.registration.short_read();
            }
        }
        read
    }
}

impl<T: AsFd> AsFd for Source<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.io.as_fd()
    }
}

impl<T: AsFd> AsRawFd for Source<T> {
    fn as_raw_fd(&self) -> RawFd {
        self.io.as_fd().as_raw_fd()
    }
}

impl<T: fmt::Debug> fmt::Debug for Source<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Source").field(&self.io).finish()
    }
}

/// An operation until it is done.
#[must_use = "futures do nothing unless polled"]
struct Operation<'a, T, F> {
    source: &'a Source<T>,
    wanted: Wanted,
    ticket: Ticket,
    op: F,
}

// Nothing in it is pinned: `op` is called, never polled.
impl<T, F> Unpin for Operation<'_, T, F> {}

impl<T: AsFd, R, F: FnMut(&T) -> io::Result<R>> Future for Operation<'_, T, F> {
    type Output = io::Result<R>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<R>> {
        let this = self.get_mut();
        this.source.poll_op(this.wanted, &mut this.ticket, cx, &mut this.op)
    }
}

impl<T, F> Drop for Operation<'_, T, F> {
    #[inline]
    fn drop(&mut self) {
        if self.ticket != 0 {
            self.source.registration.forget(self.ticket);
        }
    }
}

/// A wait for readiness.
pub(super) struct Readiness<'a> {
    pub(super) registration: &'a Registration,
    pub(super) wanted: Wanted,
    pub(super) ticket: Ticket,
}

impl Future for Readiness<'_> {
    type Output = io::Result<Seen>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<Seen>> {
        let this = self.get_mut();
        ready!(coop::poll_proceed(cx));
        let seen = ready!(this.registration.poll_ready(this.wanted, &mut this.ticket, cx));
        coop::made_progress();
        Poll::Ready(seen)
    }
}

impl Drop for Readiness<'_> {
    fn drop(&mut self) {
        if self.ticket != 0 {
            self.registration.forget(self.ticket);
        }
    }
}
