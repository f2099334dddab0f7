//! `TcpListener`, and its connections as a stream.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use runtime_core::io::Source;

use crate::acceptor::Acceptor;
use crate::addr::{ToSocketAddrs, first_of, resolve};
use crate::error::explain;
use crate::fd_traits::std_socket;
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

    #[inline]
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
/// with an error that says so, and the clients stay in the queue. No descriptor is kept in reserve;
/// instead there is a pause. A server that logs the error and calls `accept` again does not spin: the
/// calls that follow wait, trying every 10 ms, and fail only at the end of the pause, 10 ms long at
/// first and doubled up to a second. As soon as descriptors return, at most 10 ms later, the waiting
/// clients are served and the pauses are over.
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
    acceptor: Acceptor<std::net::TcpListener>,
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
    #[inline]
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
    #[inline]
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        self.acceptor.accept(accept).await
    }

    /// As [`accept`](Self::accept), for futures written by hand.
    ///
    /// # Errors
    ///
    /// As [`accept`](Self::accept).
    #[inline]
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        self.acceptor.poll_accept(cx, accept)
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
    #[inline]
    pub fn incoming(&self) -> Incoming<'_> {
        Incoming { listener: self }
    }

    /// A second handle to the same socket, for another runtime: it registers by itself, and is
    /// [exclusive](Self::set_exclusive) if this one is. The socket is closed when the last of them is
    /// dropped.
    ///
    /// # Errors
    ///
    /// If there is no descriptor left.
    #[inline]
    pub fn try_clone(&self) -> io::Result<TcpListener> {
        let mut clone = TcpListener::from_listening(self.acceptor.get_ref().try_clone()?);
        clone.set_exclusive(self.acceptor.is_exclusive());
        Ok(clone)
    }

    /// Whether a connection is to wake only one of the runtimes that wait for this socket
    /// (`EPOLLEXCLUSIVE`), instead of all of them, of which one gets it.
    ///
    /// For a listener that several runtimes share by [`try_clone`](Self::try_clone): each handle to the
    /// socket has to be exclusive, or its runtime is woken as well. The runtime that was woken is the one
    /// that accepts: if it stops accepting at that very moment, the connection waits until the next one
    /// comes.
    ///
    /// Where each runtime can have a socket of its own
    /// ([`TcpSocket::set_reuseport`](crate::TcpSocket::set_reuseport)) the kernel spreads the
    /// connections more evenly; one socket serves better where some connections take long.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn example() -> std::io::Result<()> {
    /// let mut listener = runtime::net::TcpListener::bind("127.0.0.1:8080").await?;
    /// listener.set_exclusive(true);
    /// for _ in 0..4 {
    ///     let listener = listener.try_clone()?;
    ///     std::thread::spawn(move || runtime::block_on(async move { listener.accept().await }));
    /// }
    /// # Ok(()) }
    /// ```
    #[inline]
    pub fn set_exclusive(&mut self, exclusive: bool) {
        self.acceptor.set_exclusive(exclusive);
    }

    /// Takes over a listener of the standard library and makes it nonblocking. Neither system call
    /// nor runtime is needed beyond that.
    ///
    /// # Errors
    ///
    /// If the socket cannot be made nonblocking.
    #[inline]
    pub fn from_std(listener: std::net::TcpListener) -> io::Result<TcpListener> {
        listener.set_nonblocking(true)?;
        Ok(TcpListener::from_listening(listener))
    }

    /// Gives the listener back to the standard library, deregistered. It stays nonblocking.
    ///
    /// # Errors
    ///
    /// None: the signature is tokio's.
    #[inline]
    pub fn into_std(self) -> io::Result<std::net::TcpListener> {
        Ok(self.acceptor.into_inner())
    }

    /// The address listened on: with it the port that port 0 became.
    ///
    /// # Errors
    ///
    /// Those of getsockname(2).
    #[inline]
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.acceptor.get_ref().local_addr()
    }

    /// Takes the error that waits on the socket (`SO_ERROR`).
    ///
    /// # Errors
    ///
    /// Those of getsockopt(2).
    #[inline]
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.acceptor.get_ref().take_error()
    }

    /// The `IP_TTL` of accepted connections.
    ///
    /// # Errors
    ///
    /// Those of getsockopt(2).
    #[inline]
    pub fn ttl(&self) -> io::Result<u32> {
        self.acceptor.get_ref().ttl()
    }

    /// Sets the `IP_TTL` of connections accepted from now on.
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    #[inline]
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.acceptor.get_ref().set_ttl(ttl)
    }

    /// Around a socket that is nonblocking already.
    #[inline]
    pub(super) fn from_listening(listener: std::net::TcpListener) -> TcpListener {
        TcpListener { acceptor: Acceptor::new(listener) }
    }
}

#[inline]
fn listen_on(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = sys::tcp_socket(Family::of(&addr))?;
    sys::set_option(socket.as_fd(), &sys::SO_REUSEADDR, true)?;
    sys::bind(socket.as_fd(), addr)?;
    sys::listen(socket.as_fd(), BACKLOG)?;
    Ok(TcpListener::from_listening(socket.into()))
}

#[inline]
fn accept(listener: &std::net::TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    let (socket, peer) = sys::accept(listener.as_fd())?;
    Ok((TcpStream::from_source(Source::new(socket.into())), peer))
}

std_socket!(TcpListener, acceptor: std::net::TcpListener);
