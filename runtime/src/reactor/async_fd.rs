//! `AsyncFd`: any pollable descriptor, registered at once, and the guards that hand out its readiness.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::task::{Context, Poll, ready};

use crate::context::{self, Current};
use crate::reactor::readiness::{Interest, Ready};
use crate::reactor::registration::{Done, Operation, Readiness, Registration, Seen, Wanted};
use crate::reactor::waiters::SHARED;
use crate::sys::socket;

/// A descriptor of any pollable kind, with its readiness awaited by the runtime.
///
/// As tokio's `io::unix::AsyncFd`: for descriptors this library has no type for (inotify, netlink, a
/// device, a C library's socket). The descriptor must be in nonblocking mode; this does not set it.
/// Creation registers it with the current runtime, and dropping deregisters it before its owner, `T`,
/// closes it. [`Source`](crate::io::Source) is the form that registers when it first has to wait.
///
/// [`read_with`](AsyncFd::read_with) and [`write_with`](AsyncFd::write_with) are the form to prefer:
/// they cannot forget to clear the readiness. With [`readable`](AsyncFd::readable) and
/// [`writable`](AsyncFd::writable) that is up to the guard's user: a wait after an operation that said
/// `WouldBlock`, without [`clear_ready`](AsyncFdReadyGuard::clear_ready), is over at once.
///
/// Readiness is edge-triggered: it stands until an operation says `WouldBlock`. So an operation's
/// closure may report `WouldBlock` only if the descriptor did.
///
/// Any number of tasks may wait for one `AsyncFd`, for the same thing too; each is woken. What it was
/// not registered for may be awaited as well, for the interest is widened then. On a thread other
/// than the registering runtime's everything works, more slowly: the kernel is asked instead of the
/// cache, so there is nothing for `clear_ready` to clear.
///
/// ```
/// use std::io::{Read, Write};
/// use std::os::unix::net::UnixStream;
/// use runtime::io::{AsyncFd, Interest};
/// # runtime::block_on(async {
/// let (a, mut b) = UnixStream::pair()?;
/// a.set_nonblocking(true)?;
/// let a = AsyncFd::new(a)?;
/// b.write_all(b"hello")?;
/// let mut buf = [0; 16];
///
/// let n = a.read_with(|mut stream| stream.read(&mut buf)).await?;
/// assert_eq!(&buf[..n], b"hello");
///
/// // The same with guards, as tokio has it.
/// b.write_all(b"world")?;
/// let n = loop {
///     let mut guard = a.readable().await?;
///     match guard.try_io(|fd| fd.get_ref().read(&mut buf)) {
///         Ok(result) => break result?,
///         Err(_would_block) => continue,
///     }
/// };
/// assert_eq!(&buf[..n], b"world");
///
/// // An operation that may wait for either direction, as TLS libraries have them.
/// let n = a.async_io(Interest::WRITABLE, |mut stream| stream.write(b"bye")).await?;
/// assert_eq!(n, 3);
/// let mut guard = a.writable().await?;
/// assert_eq!(guard.try_io(|fd| fd.get_ref().write(b"!")).expect("there is room")?, 1);
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
///
/// For futures written by hand, and with less than everything to wait for:
///
/// ```
/// use std::future::poll_fn;
/// use std::task::{Poll, ready};
/// use runtime::epoll::EventFd;
/// use runtime::io::{AsyncFd, Interest, Ready};
/// # runtime::block_on(async {
/// let events = AsyncFd::with_interest(EventFd::new()?, Interest::READABLE)?;
/// events.get_ref().write(2)?;
/// let count = poll_fn(|cx| loop {
///     let mut guard = ready!(events.poll_read_ready(cx))?;
///     match guard.try_io(|fd| fd.get_ref().read()) {
///         Ok(result) => break Poll::Ready(result),
///         Err(_would_block) => {} // the readiness is cleared, and the next round leaves the waker
///     }
/// });
/// assert_eq!(count.await?, 2);
///
/// let mut guard = events.ready(Interest::WRITABLE).await?;
/// guard.clear_ready_matching(Ready::WRITABLE); // of that alone, in case an operation said so
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub struct AsyncFd<T: AsRawFd> {
    // Deregistered before the descriptor is closed: fields are dropped in this order.
    registration: Registration,
    /// What a guard's clearing leaves.
    lasting: Ready,
    inner: T,
}

impl<T: AsRawFd> AsyncFd<T> {
    /// Registers a descriptor, for reading and writing.
    ///
    /// # Errors
    ///
    /// The text says what to do. `PermissionDenied`: epoll cannot wait for regular files and
    /// directories. `AlreadyExists`: this runtime waits for the same number already. No descriptor
    /// left for the runtime's own needs (EMFILE), or the user's limit of watches is reached (ENOSPC). Nor
    /// can it register where a runtime of another thread is entered: [`Source`](crate::io::Source) can.
    ///
    /// # Panics
    ///
    /// With no runtime on this thread.
    #[inline]
    #[track_caller]
    pub fn new(inner: T) -> io::Result<AsyncFd<T>> {
        AsyncFd::with_interest(inner, Interest::READABLE | Interest::WRITABLE)
    }

    /// Registers a descriptor for `interest`.
    ///
    /// # Errors
    ///
    /// As [`new`](AsyncFd::new).
    ///
    /// # Panics
    ///
    /// With no runtime on this thread.
    #[inline]
    #[track_caller]
    pub fn with_interest(inner: T, interest: Interest) -> io::Result<AsyncFd<T>> {
        Ok(AsyncFd::try_with_interest(inner, interest)?)
    }

    /// As [`new`](AsyncFd::new), and an error gives the descriptor's owner back.
    ///
    /// # Errors
    ///
    /// As [`new`](AsyncFd::new).
    ///
    /// # Panics
    ///
    /// With no runtime on this thread.
    #[inline]
    #[track_caller]
    pub fn try_new(inner: T) -> Result<AsyncFd<T>, AsyncFdTryNewError<T>> {
        AsyncFd::try_with_interest(inner, Interest::READABLE | Interest::WRITABLE)
    }

    /// As [`with_interest`](AsyncFd::with_interest), and an error gives the descriptor's owner back.
    ///
    /// # Errors
    ///
    /// As [`new`](AsyncFd::new).
    ///
    /// # Panics
    ///
    /// With no runtime on this thread.
    #[track_caller]
    #[inline]
    pub fn try_with_interest(
        inner: T,
        interest: Interest,
    ) -> Result<AsyncFd<T>, AsyncFdTryNewError<T>> {
        assert!(
            context::with_current(|current| !matches!(current, Current::None)),
            "an AsyncFd was made with no runtime on this thread: make it inside block_on or \
             #[runtime::main], or under Runtime::enter"
        );
        let fd = inner.as_raw_fd();
        match Registration::eager(fd, interest) {
            Ok(registration) => Ok(AsyncFd { registration, lasting: lasting(fd), inner }),
            Err(cause) => Err(AsyncFdTryNewError { inner, cause }),
        }
    }

    /// The descriptor's owner.
    #[inline]
    pub fn get_ref(&self) -> &T {
        &self.inner
    }

    /// The descriptor's owner. It must keep the descriptor it was registered with.
    #[inline]
    pub fn get_mut(&mut self) -> &mut T {
        &mut self.inner
    }

    /// Deregisters the descriptor and gives its owner back.
    #[inline]
    pub fn into_inner(self) -> T {
        let AsyncFd { registration, inner, .. } = self;
        drop(registration);
        inner
    }

    /// Reads by `op`, waiting for readability until it says something else than `WouldBlock`.
    ///
    /// `Interrupted` is tried again.
    ///
    /// # Errors
    ///
    /// Those of `op`, and that of registering anew once the runtime it was made on is gone.
    ///
    /// # Cancel safety
    ///
    /// `op` is called again only after it said `WouldBlock`: dropping the future loses nothing.
    #[inline]
    pub fn read_with<R, F>(&self, op: F) -> impl Future<Output = io::Result<R>>
    where
        F: FnMut(&T) -> io::Result<R>,
    {
        self.operation(Interest::READABLE, op)
    }

    /// Writes by `op`, waiting for writability until it says something else than `WouldBlock`.
    ///
    /// ```
    /// use std::os::unix::net::UnixDatagram;
    /// use runtime::io::AsyncFd;
    /// # runtime::block_on(async {
    /// let (a, b) = UnixDatagram::pair()?;
    /// a.set_nonblocking(true)?;
    /// let a = AsyncFd::new(a)?;
    /// assert_eq!(a.write_with(|socket| socket.send(b"hello")).await?, 5);
    /// # drop(b);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// As [`read_with`](AsyncFd::read_with).
    ///
    /// # Cancel safety
    ///
    /// As [`read_with`](AsyncFd::read_with).
    #[inline]
    pub fn write_with<R, F>(&self, op: F) -> impl Future<Output = io::Result<R>>
    where
        F: FnMut(&T) -> io::Result<R>,
    {
        self.operation(Interest::WRITABLE, op)
    }

    /// Does `op`, waiting for `interest` until it says something else than `WouldBlock`.
    ///
    /// # Errors
    ///
    /// As [`read_with`](AsyncFd::read_with).
    ///
    /// # Cancel safety
    ///
    /// As [`read_with`](AsyncFd::read_with).
    #[inline]
    pub async fn async_io<R>(
        &self,
        interest: Interest,
        op: impl FnMut(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        self.operation(interest, op).await
    }

    /// As [`async_io`](AsyncFd::async_io), with the descriptor's owner by `&mut`.
    ///
    /// # Errors
    ///
    /// As [`read_with`](AsyncFd::read_with).
    ///
    /// # Cancel safety
    ///
    /// As [`read_with`](AsyncFd::read_with).
    #[inline]
    pub async fn async_io_mut<R>(
        &mut self,
        interest: Interest,
        mut op: impl FnMut(&mut T) -> io::Result<R>,
    ) -> io::Result<R> {
        let AsyncFd { registration, inner, .. } = self;
        Operation::new(registration, Wanted::of(interest), || op(inner).map(Done::with)).await
    }

    #[inline]
    fn operation<R, F>(
        &self,
        interest: Interest,
        mut op: F,
    ) -> Operation<'_, Wanted, impl FnMut() -> io::Result<Done<R>>>
    where
        F: FnMut(&T) -> io::Result<R>,
    {
        Operation::new(&self.registration, Wanted::of(interest), move || {
            op(&self.inner).map(Done::with)
        })
    }

    /// Tries an operation once, now, whatever is known of the readiness. (tokio answers `WouldBlock`
    /// without trying where it knows of none.)
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
        self.registration.try_io(interest, || op(&self.inner))
    }

    /// As [`try_io`](AsyncFd::try_io), with the descriptor's owner by `&mut`.
    ///
    /// # Errors
    ///
    /// As [`try_io`](AsyncFd::try_io).
    #[inline]
    pub fn try_io_mut<R>(
        &mut self,
        interest: Interest,
        op: impl FnOnce(&mut T) -> io::Result<R>,
    ) -> io::Result<R> {
        let AsyncFd { registration, inner, .. } = self;
        registration.try_io(interest, || op(inner))
    }

    /// Waits until a read would not block.
    ///
    /// # Errors
    ///
    /// That of registering anew once the runtime it was made on is gone.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    #[inline]
    pub async fn readable(&self) -> io::Result<AsyncFdReadyGuard<'_, T>> {
        self.ready(Interest::READABLE).await
    }

    /// As [`readable`](AsyncFd::readable), with a guard that borrows by `&mut`.
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    #[inline]
    pub async fn readable_mut(&mut self) -> io::Result<AsyncFdReadyMutGuard<'_, T>> {
        self.ready_mut(Interest::READABLE).await
    }

    /// Waits until a write would not block.
    ///
    /// # Errors
    ///
    /// As [`readable`](AsyncFd::readable).
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    #[inline]
    pub async fn writable(&self) -> io::Result<AsyncFdReadyGuard<'_, T>> {
        self.ready(Interest::WRITABLE).await
    }

    /// As [`writable`](AsyncFd::writable), with a guard that borrows by `&mut`.
    ///
    /// # Errors
    ///
    /// As [`readable`](AsyncFd::readable).
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    #[inline]
    pub async fn writable_mut(&mut self) -> io::Result<AsyncFdReadyMutGuard<'_, T>> {
        self.ready_mut(Interest::WRITABLE).await
    }

    /// Waits until something of `interest` is ready; the guard says what.
    ///
    /// ```
    /// use std::os::unix::net::UnixStream;
    /// use runtime::io::{AsyncFd, Interest};
    /// # runtime::block_on(async {
    /// let (a, b) = UnixStream::pair()?;
    /// a.set_nonblocking(true)?;
    /// let a = AsyncFd::new(a)?;
    /// let guard = a.ready(Interest::READABLE | Interest::WRITABLE).await?;
    /// assert!(guard.ready().is_writable() && !guard.ready().is_readable());
    /// # drop(b);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// As [`readable`](AsyncFd::readable).
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    #[inline]
    pub async fn ready(&self, interest: Interest) -> io::Result<AsyncFdReadyGuard<'_, T>> {
        let seen = Readiness::new(&self.registration, Wanted::of(interest)).await?;
        Ok(AsyncFdReadyGuard { async_fd: self, seen })
    }

    /// As [`ready`](AsyncFd::ready), with a guard that borrows by `&mut`.
    ///
    /// # Errors
    ///
    /// As [`readable`](AsyncFd::readable).
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    #[inline]
    pub async fn ready_mut(
        &mut self,
        interest: Interest,
    ) -> io::Result<AsyncFdReadyMutGuard<'_, T>> {
        let seen = Readiness::new(&self.registration, Wanted::of(interest)).await?;
        Ok(AsyncFdReadyMutGuard { async_fd: self, seen })
    }

    /// Waits until a read would not block.
    ///
    /// The wait stays, as it belongs to no future: every task that polled is woken by the next event.
    /// (tokio keeps the last one's waker only.)
    ///
    /// # Errors
    ///
    /// As [`readable`](AsyncFd::readable).
    #[inline]
    pub fn poll_read_ready<'a>(
        &'a self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<AsyncFdReadyGuard<'a, T>>> {
        let seen = ready!(self.poll_ready(Interest::READABLE, cx))?;
        Poll::Ready(Ok(AsyncFdReadyGuard { async_fd: self, seen }))
    }

    /// As [`poll_read_ready`](AsyncFd::poll_read_ready), with a guard that borrows by `&mut`.
    ///
    /// # Errors
    ///
    /// As [`readable`](AsyncFd::readable).
    #[inline]
    pub fn poll_read_ready_mut<'a>(
        &'a mut self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<AsyncFdReadyMutGuard<'a, T>>> {
        let seen = ready!(self.poll_ready(Interest::READABLE, cx))?;
        Poll::Ready(Ok(AsyncFdReadyMutGuard { async_fd: self, seen }))
    }

    /// Waits until a write would not block; as [`poll_read_ready`](AsyncFd::poll_read_ready).
    ///
    /// # Errors
    ///
    /// As [`readable`](AsyncFd::readable).
    #[inline]
    pub fn poll_write_ready<'a>(
        &'a self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<AsyncFdReadyGuard<'a, T>>> {
        let seen = ready!(self.poll_ready(Interest::WRITABLE, cx))?;
        Poll::Ready(Ok(AsyncFdReadyGuard { async_fd: self, seen }))
    }

    /// As [`poll_write_ready`](AsyncFd::poll_write_ready), with a guard that borrows by `&mut`.
    ///
    /// # Errors
    ///
    /// As [`readable`](AsyncFd::readable).
    #[inline]
    pub fn poll_write_ready_mut<'a>(
        &'a mut self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<AsyncFdReadyMutGuard<'a, T>>> {
        let seen = ready!(self.poll_ready(Interest::WRITABLE, cx))?;
        Poll::Ready(Ok(AsyncFdReadyMutGuard { async_fd: self, seen }))
    }

    #[inline]
    fn poll_ready(&self, interest: Interest, cx: &mut Context<'_>) -> Poll<io::Result<Seen>> {
        self.registration.poll_ready(Wanted::of(interest), &mut { SHARED }, cx)
    }

    /// Clears what of `mask` a guard has seen, but for what lasts.
    #[inline]
    fn clear(&self, seen: &mut Seen, mask: Ready) {
        self.registration.clear(*seen, seen.ready & (mask - self.lasting));
        seen.ready -= mask;
    }
}

/// A stream that was shut down stays so, and is not reported again. With anything else closing can be
/// over: a FIFO gets its next writer, a UDP socket has told of its error.
#[inline]
fn lasting(fd: RawFd) -> Ready {
    if socket::is_stream(fd) { Ready::READ_CLOSED | Ready::WRITE_CLOSED } else { Ready::EMPTY }
}

impl<T: AsRawFd> AsRawFd for AsyncFd<T> {
    #[inline]
    fn as_raw_fd(&self) -> RawFd {
        self.inner.as_raw_fd()
    }
}

impl<T: AsRawFd + AsFd> AsFd for AsyncFd<T> {
    #[inline]
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.as_fd()
    }
}

impl<T: AsRawFd + fmt::Debug> fmt::Debug for AsyncFd<T> {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncFd").field("inner", &self.inner).finish()
    }
}

/// Readiness of an [`AsyncFd`] that was seen, for the one who acts on it to clear; from
/// [`readable`](AsyncFd::readable), [`writable`](AsyncFd::writable), [`ready`](AsyncFd::ready).
///
/// Only what was seen is cleared: an event that came since stands.
#[must_use = "readiness that is not cleared after a WouldBlock ends the next wait at once"]
pub struct AsyncFdReadyGuard<'a, T: AsRawFd> {
    async_fd: &'a AsyncFd<T>,
    seen: Seen,
}

/// As [`AsyncFdReadyGuard`], borrowing the [`AsyncFd`] by `&mut`.
#[must_use = "readiness that is not cleared after a WouldBlock ends the next wait at once"]
pub struct AsyncFdReadyMutGuard<'a, T: AsRawFd> {
    async_fd: &'a mut AsyncFd<T>,
    seen: Seen,
}

impl<'a, T: AsRawFd> AsyncFdReadyGuard<'a, T> {
    /// Says that an operation has reported `WouldBlock`, or would.
    ///
    /// The next wait is for the next event. That the peer of a stream socket has shut down stays: it
    /// is not reported again.
    #[inline]
    pub fn clear_ready(&mut self) {
        self.clear_ready_matching(Ready::ALL);
    }

    /// As [`clear_ready`](AsyncFdReadyGuard::clear_ready), for what of `ready` was seen.
    #[inline]
    pub fn clear_ready_matching(&mut self, ready: Ready) {
        self.async_fd.clear(&mut self.seen, ready);
    }

    /// Says in code that the readiness is left as it is, as it is without a call too.
    #[inline]
    pub fn retain_ready(&mut self) {}

    /// What is ready, of what was waited for.
    #[inline]
    pub fn ready(&self) -> Ready {
        self.seen.ready
    }

    /// Does `op`; if it says `WouldBlock`, clears the readiness.
    ///
    /// # Errors
    ///
    /// [`TryIoError`] in place of `WouldBlock`; the errors of `op` are in the inner result.
    #[inline]
    pub fn try_io<R>(
        &mut self,
        op: impl FnOnce(&'a AsyncFd<T>) -> io::Result<R>,
    ) -> Result<io::Result<R>, TryIoError> {
        let result = op(self.async_fd);
        if would_block(&result) {
            self.clear_ready();
            return Err(TryIoError(()));
        }
        Ok(result)
    }

    /// The `AsyncFd`.
    #[inline]
    pub fn get_ref(&self) -> &'a AsyncFd<T> {
        self.async_fd
    }

    /// The descriptor's owner.
    #[inline]
    pub fn get_inner(&self) -> &'a T {
        self.async_fd.get_ref()
    }
}

impl<T: AsRawFd> AsyncFdReadyMutGuard<'_, T> {
    /// As [`AsyncFdReadyGuard::clear_ready`].
    #[inline]
    pub fn clear_ready(&mut self) {
        self.clear_ready_matching(Ready::ALL);
    }

    /// As [`AsyncFdReadyGuard::clear_ready_matching`].
    #[inline]
    pub fn clear_ready_matching(&mut self, ready: Ready) {
        self.async_fd.clear(&mut self.seen, ready);
    }

    /// As [`AsyncFdReadyGuard::retain_ready`].
    #[inline]
    pub fn retain_ready(&mut self) {}

    /// What is ready, of what was waited for.
    #[inline]
    pub fn ready(&self) -> Ready {
        self.seen.ready
    }

    /// As [`AsyncFdReadyGuard::try_io`].
    ///
    /// # Errors
    ///
    /// As there.
    #[inline]
    pub fn try_io<R>(
        &mut self,
        op: impl FnOnce(&mut AsyncFd<T>) -> io::Result<R>,
    ) -> Result<io::Result<R>, TryIoError> {
        let result = op(self.async_fd);
        if would_block(&result) {
            self.clear_ready();
            return Err(TryIoError(()));
        }
        Ok(result)
    }

    /// The `AsyncFd`.
    #[inline]
    pub fn get_ref(&self) -> &AsyncFd<T> {
        self.async_fd
    }

    /// The `AsyncFd`.
    #[inline]
    pub fn get_mut(&mut self) -> &mut AsyncFd<T> {
        self.async_fd
    }

    /// The descriptor's owner.
    #[inline]
    pub fn get_inner(&self) -> &T {
        self.async_fd.get_ref()
    }

    /// The descriptor's owner.
    #[inline]
    pub fn get_inner_mut(&mut self) -> &mut T {
        self.async_fd.get_mut()
    }
}

#[inline]
fn would_block<R>(result: &io::Result<R>) -> bool {
    matches!(result, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

impl<T: AsRawFd + fmt::Debug> fmt::Debug for AsyncFdReadyGuard<'_, T> {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncFdReadyGuard")
            .field("async_fd", &self.async_fd)
            .field("ready", &self.seen.ready)
            .finish()
    }
}

impl<T: AsRawFd + fmt::Debug> fmt::Debug for AsyncFdReadyMutGuard<'_, T> {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncFdReadyMutGuard")
            .field("async_fd", &self.async_fd)
            .field("ready", &self.seen.ready)
            .finish()
    }
}

/// The operation given to [`AsyncFdReadyGuard::try_io`] would have blocked; the readiness is cleared.
#[derive(Debug)]
pub struct TryIoError(());

impl fmt::Display for TryIoError {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the operation would block: wait for readiness and try it again")
    }
}

impl Error for TryIoError {}

/// Why an [`AsyncFd`] could not be made, with the descriptor's owner in it.
///
/// ```
/// use std::fs::File;
/// use runtime::io::AsyncFd;
/// # runtime::block_on(async {
/// // epoll does not take regular files.
/// let (file, error) = AsyncFd::try_new(File::open("/proc/self/exe")?).unwrap_err().into_parts();
/// assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied);
/// # drop(file);
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub struct AsyncFdTryNewError<T> {
    inner: T,
    cause: io::Error,
}

impl<T> AsyncFdTryNewError<T> {
    /// The descriptor's owner, and the error.
    #[inline]
    pub fn into_parts(self) -> (T, io::Error) {
        (self.inner, self.cause)
    }
}

impl<T> fmt::Display for AsyncFdTryNewError<T> {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.cause, f)
    }
}

impl<T> fmt::Debug for AsyncFdTryNewError<T> {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.cause, f)
    }
}

impl<T> Error for AsyncFdTryNewError<T> {
    /// The kernel's error behind the text above.
    #[inline]
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.source()
    }
}

impl<T> From<AsyncFdTryNewError<T>> for io::Error {
    #[inline]
    fn from(error: AsyncFdTryNewError<T>) -> io::Error {
        error.cause
    }
}
