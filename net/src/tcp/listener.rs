//! `TcpListener`, and what it does when the process has no descriptor left.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use futures_core::Stream;
use runtime_core::io::Source;
use runtime_core::time::{Instant, Sleep, sleep_until};

use crate::addr::{ToSocketAddrs, first_of, resolve};
use crate::error::explain;
use crate::sys::{self, Family};
use crate::tcp::stream::TcpStream;

/// How many connections may wait to be accepted. A backlog that overflows drops handshakes, which
/// the client repeats only after a second.
const BACKLOG: i32 = 1024;

/// The connections of a listener as a stream; made by [`TcpListener::incoming`].
#[derive(Debug)]
#[must_use = "streams do nothing unless polled"]
pub struct Incoming<'a> {
    listener: &'a TcpListener,
}

impl Stream for Incoming<'_> {
    type Item = io::Result<TcpStream>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let accepted = ready!(self.listener.poll_accept(cx));
        Poll::Ready(Some(accepted.map(|(stream, _peer)| stream)))
    }
}

/// A TCP socket server, listening for connections.
///
/// # Out of descriptors
///
/// When the process or the system has no file descriptor (or no socket memory) left, `accept` fails
/// with an error that says so, and the clients stay in the queue. A server that logs the error and
/// calls `accept` again does not spin: the calls that follow try again at most once per pause, 10 ms
/// long at first and doubled up to a second, and fail only when they find nothing has changed at
/// its end. As soon as a try succeeds, the waiting clients are served and the pauses are over.
///
/// # Examples
///
/// ```no_run
/// # async fn example() -> std::io::Result<()> {
/// let listener = runtime::net::TcpListener::bind("127.0.0.1:8080").await?;
/// loop {
///     let (stream, peer) = listener.accept().await?;
///     println!("{peer} is here");
///     runtime::spawn(async move { stream.write_all(b"hello\n").await });
/// }
/// # }
/// ```
pub struct TcpListener {
    io: Source<std::net::TcpListener>,
    /// Made by the first `accept` that finds no descriptor left.
    exhaustion: OnceLock<Mutex<Exhaustion>>,
}

impl TcpListener {
    /// Listens on the first of the addresses that can be bound; port 0 picks a free one.
    ///
    /// `SO_REUSEADDR` is set, so that a server can be started again at once, and up to 1024
    /// connections may wait (fewer if `net.core.somaxconn` is lower). For other options, see
    /// [`TcpSocket`](crate::TcpSocket).
    ///
    /// # Errors
    ///
    /// The last address's error, which names the address; or the look-up's.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost: only the look-up of a name waits.
    pub async fn bind<A: ToSocketAddrs>(addr: A) -> io::Result<TcpListener> {
        first_of(resolve(&addr).await?, |addr| {
            listen_on(addr).map_err(|error| explain(error, format_args!("listening on {addr}")))
        })
    }

    /// The next connection, and the address it comes from.
    ///
    /// Errors of a connection that failed before it was accepted are passed over, as
    /// [accept(2)](https://man7.org/linux/man-pages/man2/accept.2.html) asks.
    ///
    /// # Errors
    ///
    /// Those of the listener itself; of these a server meets
    /// [no descriptor left](#out-of-descriptors), and goes on.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost: a connection is either returned or still in the queue.
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        loop {
            match self.io.read_with(accept_one).await {
                Ok(accepted) => return Ok(self.accepted(accepted)),
                Err(error) => sleep_until(self.pause_after(error)?).await,
            }
        }
    }

    /// As [`accept`](Self::accept), for futures written by hand.
    ///
    /// # Errors
    ///
    /// As [`accept`](Self::accept).
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        loop {
            match ready!(self.io.poll_read_with(cx, accept_one)) {
                Ok(accepted) => return Poll::Ready(Ok(self.accepted(accepted))),
                Err(error) => {
                    let until = self.pause_after(error)?;
                    ready!(self.poll_pause(until, cx));
                }
            }
        }
    }

    /// The connections as a `Stream`, which never ends; each as [`accept`](Self::accept) would give it,
    /// without the peer's address.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use futures::StreamExt;
    ///
    /// # async fn example() -> std::io::Result<()> {
    /// let listener = runtime::net::TcpListener::bind("127.0.0.1:8080").await?;
    /// let mut incoming = listener.incoming();
    /// while let Some(stream) = incoming.next().await {
    ///     let stream = stream?;
    ///     runtime::spawn(async move { stream.write_all(b"hello").await });
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn incoming(&self) -> Incoming<'_> {
        Incoming { listener: self }
    }

    fn accepted(&self, (socket, peer): (OwnedFd, SocketAddr)) -> (TcpStream, SocketAddr) {
        if self.exhaustion.get().is_some() {
            self.exhaustion().pause = None;
        }
        (TcpStream::from_source(Source::new(socket.into())), peer)
    }

    /// When to try again after this error, or the error for the caller.
    fn pause_after(&self, error: io::Error) -> io::Result<Instant> {
        let Some(what) = sys::exhausted(&error) else { return Err(error) };
        self.exhaustion().pause(Instant::now()).ok_or_else(|| {
            let text = format_args!("accepting a connection, which waits until it can be: {what}");
            explain(error, text)
        })
    }

    /// Pending until then, whoever else waits. The lock is not held where wakers and timers are
    /// cloned, polled or dropped.
    fn poll_pause(&self, until: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let mut sleep = Box::pin(sleep_until(until));
        if sleep.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        let sleeper = (cx.waker().clone(), sleep);
        let gone = self.exhaustion().put(sleeper);
        drop(gone);
        Poll::Pending
    }

    fn exhaustion(&self) -> MutexGuard<'_, Exhaustion> {
        let state = self.exhaustion.get_or_init(Mutex::default);
        state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes over a listener of the standard library and makes it nonblocking. Neither system call
    /// nor runtime is needed beyond that.
    ///
    /// # Errors
    ///
    /// If the socket cannot be made nonblocking.
    pub fn from_std(listener: std::net::TcpListener) -> io::Result<TcpListener> {
        listener.set_nonblocking(true)?;
        Ok(TcpListener::from_listening(listener))
    }

    /// Gives the listener back to the standard library, deregistered. It stays nonblocking.
    ///
    /// # Errors
    ///
    /// None: the signature is tokio's.
    pub fn into_std(self) -> io::Result<std::net::TcpListener> {
        Ok(self.io.into_inner())
    }

    /// The address listened on: with it the port that port 0 became.
    ///
    /// # Errors
    ///
    /// Those of getsockname(2).
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().local_addr()
    }

    /// The `IP_TTL` of accepted connections.
    ///
    /// # Errors
    ///
    /// Those of getsockopt(2).
    pub fn ttl(&self) -> io::Result<u32> {
        self.io.get_ref().ttl()
    }

    /// Sets the `IP_TTL` of connections accepted from now on.
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.io.get_ref().set_ttl(ttl)
    }

    /// Around a socket that is nonblocking already.
    pub(super) fn from_listening(listener: std::net::TcpListener) -> TcpListener {
        TcpListener { io: Source::new(listener), exhaustion: OnceLock::new() }
    }
}

fn listen_on(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = sys::tcp_socket(Family::of(&addr))?;
    sys::set_option(socket.as_fd(), &sys::SO_REUSEADDR, true)?;
    sys::bind(socket.as_fd(), addr)?;
    sys::listen(socket.as_fd(), BACKLOG)?;
    Ok(TcpListener::from_listening(socket.into()))
}

/// One connection, past those that failed while they waited.
fn accept_one(listener: &std::net::TcpListener) -> io::Result<(OwnedFd, SocketAddr)> {
    loop {
        match sys::accept(listener.as_fd()) {
            Err(error) if sys::is_of_new_socket(&error) => {}
            result => return result,
        }
    }
}

/// The pauses of a listener that has run out of descriptors.
///
/// An error is told at most once per pause: the first at once, opening a pause, and the next when a
/// try at or after its end fails too, opening one twice as long. Within a pause a call that fails
/// waits for the end.
#[derive(Default)]
struct Exhaustion {
    pause: Option<(Instant, Duration)>,
    /// The tasks that wait in `poll_accept`, each with a timer of its own: a task that goes away
    /// must not take the others' wake with it.
    sleepers: Vec<Sleeper>,
}

type Sleeper = (Waker, Pin<Box<Sleep>>);

impl Exhaustion {
    const SHORTEST: Duration = Duration::from_millis(10);
    const LONGEST: Duration = Duration::from_secs(1);

    /// The end of the current pause; at or after it, opens the next and returns `None`.
    fn pause(&mut self, now: Instant) -> Option<Instant> {
        let length = match self.pause {
            Some((until, _)) if now < until => return Some(until),
            Some((_, length)) => (length * 2).min(Self::LONGEST),
            None => Self::SHORTEST,
        };
        self.pause = Some((now + length, length));
        None
    }

    /// Adds a sleeper and gives back those it replaces and those whose time has come.
    fn put(&mut self, sleeper: Sleeper) -> Vec<Sleeper> {
        let (gone, waiting) = self
            .sleepers
            .drain(..)
            .partition(|(waker, sleep)| sleep.is_elapsed() || waker.will_wake(&sleeper.0));
        self.sleepers = waiting;
        self.sleepers.push(sleeper);
        gone
    }
}

impl TryFrom<std::net::TcpListener> for TcpListener {
    type Error = io::Error;

    fn try_from(listener: std::net::TcpListener) -> io::Result<TcpListener> {
        TcpListener::from_std(listener)
    }
}

impl AsFd for TcpListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.io.get_ref().as_fd()
    }
}

impl AsRawFd for TcpListener {
    fn as_raw_fd(&self) -> RawFd {
        self.io.get_ref().as_raw_fd()
    }
}

impl fmt::Debug for TcpListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.io.get_ref().fmt(f)
    }
}
