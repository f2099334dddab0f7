//! `UnixListener`, and its connections as a stream.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use crate::acceptor::Acceptor;
use crate::error::explain;
use crate::sys::{self, UnixKind};
use crate::unix::SocketAddr;
use crate::unix::stream::UnixStream;

/// How many connections may wait to be accepted. More clients than that wait in `connect`, where
/// nothing but a timer wakes them.
const BACKLOG: i32 = 1024;

/// The connections of a listener as a stream; made by [`UnixListener::incoming`].
#[derive(Debug)]
#[must_use = "streams do nothing unless polled"]
pub struct Incoming<'a> {
    listener: &'a UnixListener,
}

impl Stream for Incoming<'_> {
    type Item = io::Result<UnixStream>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let accepted = ready!(self.listener.poll_accept(cx));
        Poll::Ready(Some(accepted.map(|(stream, _peer)| stream)))
    }
}

/// A Unix socket server, listening for connections that carry bytes.
///
/// Dropping it closes the socket and leaves its path, as tokio's does: remove the file before binding
/// to the path again, or use an [abstract name](SocketAddr).
///
/// When the process or the system has no descriptor left, `accept` does what
/// [`TcpListener`](crate::TcpListener#out-of-descriptors)'s does.
///
/// # Examples
///
/// ```no_run
/// # async fn example() -> std::io::Result<()> {
/// let listener = runtime::net::UnixListener::bind("/run/hello")?;
/// loop {
///     let (stream, _peer) = listener.accept().await?;
///     println!("user {} is here", stream.peer_cred()?.uid());
///     runtime::spawn(async move { stream.write_all(b"hello\n").await });
/// }
/// # }
/// ```
pub struct UnixListener {
    acceptor: Acceptor<net::UnixListener>,
}

impl UnixListener {
    /// Listens on a path, or on an [abstract name](SocketAddr) if it begins with a zero byte. Up to
    /// 1024 connections may wait (fewer if `net.core.somaxconn` is lower).
    ///
    /// # Errors
    ///
    /// Those of bind(2) and listen(2), naming the address:
    /// [`AddrInUse`](io::ErrorKind::AddrInUse) if the path is there already.
    pub fn bind<P: AsRef<Path>>(path: P) -> io::Result<UnixListener> {
        UnixListener::bind_addr(&SocketAddr::of(path)?)
    }

    /// As [`bind`](Self::bind), to any kind of name. With none the kernel picks an abstract one.
    ///
    /// # Errors
    ///
    /// As [`bind`](Self::bind).
    pub fn bind_addr(addr: &SocketAddr) -> io::Result<UnixListener> {
        listen_on(UnixKind::Stream, addr).map(UnixListener::from_listening)
    }

    /// The next connection, and the name of its other end, which as a rule has none.
    ///
    /// # Errors
    ///
    /// Those of the listener itself; of these a server meets
    /// [no descriptor left](crate::TcpListener#out-of-descriptors), and goes on.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost: a connection is either returned or still in the queue.
    pub async fn accept(&self) -> io::Result<(UnixStream, SocketAddr)> {
        self.acceptor.accept(accept_stream).await
    }

    /// As [`accept`](Self::accept), for futures written by hand.
    ///
    /// # Errors
    ///
    /// As [`accept`](Self::accept).
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(UnixStream, SocketAddr)>> {
        self.acceptor.poll_accept(cx, accept_stream)
    }

    /// The connections as a `Stream`, which never ends; each as [`accept`](Self::accept) would give it,
    /// without the peer's name.
    pub fn incoming(&self) -> Incoming<'_> {
        Incoming { listener: self }
    }

    /// Takes over a listener of the standard library and makes it nonblocking. Neither system call
    /// nor runtime is needed beyond that.
    ///
    /// # Errors
    ///
    /// If the socket cannot be made nonblocking.
    pub fn from_std(listener: net::UnixListener) -> io::Result<UnixListener> {
        listener.set_nonblocking(true)?;
        Ok(UnixListener { acceptor: Acceptor::new(listener) })
    }

    /// Gives the listener back to the standard library, deregistered. It stays nonblocking.
    ///
    /// # Errors
    ///
    /// None: the signature is tokio's.
    pub fn into_std(self) -> io::Result<net::UnixListener> {
        Ok(self.acceptor.into_inner())
    }

    /// The name listened on.
    ///
    /// # Errors
    ///
    /// Those of getsockname(2).
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.acceptor.get_ref().local_addr().map(SocketAddr::from)
    }

    /// Takes the error that waits on the socket (`SO_ERROR`).
    ///
    /// # Errors
    ///
    /// Those of getsockopt(2).
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.acceptor.get_ref().take_error()
    }

    /// Around a socket that is nonblocking already.
    pub(super) fn from_listening(socket: OwnedFd) -> UnixListener {
        UnixListener { acceptor: Acceptor::new(socket.into()) }
    }
}

/// A new socket that listens.
pub(super) fn listen_on(kind: UnixKind, addr: &SocketAddr) -> io::Result<OwnedFd> {
    let listen = || {
        let socket = sys::unix_socket(kind)?;
        bind(socket.as_fd(), addr)?;
        sys::listen(socket.as_fd(), BACKLOG)?;
        Ok(socket)
    };
    listen().map_err(|error| explain(error, format_args!("listening on {addr:?}")))
}

/// bind(2), with the remedy for what most often goes wrong.
pub(super) fn bind(socket: BorrowedFd<'_>, addr: &SocketAddr) -> io::Result<()> {
    sys::unix_bind(socket, addr.as_std()).map_err(|error| {
        match (error.kind(), addr.as_pathname()) {
            (io::ErrorKind::AddrInUse, Some(_)) => {
                explain(error, "the path is there already (remove it if its socket is gone)")
            }
            _ => error,
        }
    })
}

/// A connection of either kind, as the standard library's type for the one.
pub(super) fn accept(listener: &net::UnixListener) -> io::Result<(OwnedFd, SocketAddr)> {
    let (socket, has_name) = sys::unix_accept(listener.as_fd())?;
    let stream = net::UnixStream::from(socket);
    let peer = if has_name { stream.peer_addr()?.into() } else { SocketAddr::unnamed() };
    Ok((stream.into(), peer))
}

fn accept_stream(listener: &net::UnixListener) -> io::Result<(UnixStream, SocketAddr)> {
    accept(listener).map(|(socket, peer)| (UnixStream::from_nonblocking(socket), peer))
}

impl TryFrom<net::UnixListener> for UnixListener {
    type Error = io::Error;

    fn try_from(listener: net::UnixListener) -> io::Result<UnixListener> {
        UnixListener::from_std(listener)
    }
}

impl AsFd for UnixListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.acceptor.get_ref().as_fd()
    }
}

impl AsRawFd for UnixListener {
    fn as_raw_fd(&self) -> RawFd {
        self.acceptor.get_ref().as_raw_fd()
    }
}

impl fmt::Debug for UnixListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.acceptor.get_ref().fmt(f)
    }
}
