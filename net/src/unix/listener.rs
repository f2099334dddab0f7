//! `UnixListener`, and its connections as a stream.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use crate::acceptor::Acceptor;
use crate::error::explain;
use crate::fd_traits::std_socket;
use crate::sys::{self, UnixKind};
use crate::unix::SocketAddr;
use crate::unix::stream::UnixStream;

/// How many connections may wait to be accepted. More clients than that wait in `connect`, where
/// nothing but a timer wakes them.
const BACKLOG: i32 = 1024;

/// What listeners of both kinds do, within an `impl` of a type with an `Acceptor` in its field `acceptor`.
/// Takes the kind, the type of its connections, and that of the stream of them.
macro_rules! listener_methods {
    ($kind:expr, $connection:ty, $incoming:ident) => {
        /// Listens on a path, or on an [abstract name](SocketAddr) if it begins with a zero byte. Up to
        /// 1024 connections may wait (fewer if `net.core.somaxconn` is lower).
        ///
        /// # Errors
        ///
        /// Those of bind(2) and listen(2), naming the address:
        /// [`AddrInUse`](io::ErrorKind::AddrInUse) if the path is there already.
        #[inline]
        pub fn bind<P: AsRef<Path>>(path: P) -> io::Result<Self> {
            Self::bind_addr(&SocketAddr::of(path)?)
        }

        /// As [`bind`](Self::bind), to any kind of name. With none the kernel picks an abstract one.
        ///
        /// # Errors
        ///
        /// As [`bind`](Self::bind).
        #[inline]
        pub fn bind_addr(addr: &SocketAddr) -> io::Result<Self> {
            let listening = $crate::unix::listener::listen_on($kind, addr)?;
            Ok(Self { acceptor: Acceptor::new(listening.into()) })
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
        #[inline]
        pub async fn accept(&self) -> io::Result<($connection, SocketAddr)> {
            let (socket, peer) = self.acceptor.accept(accept).await?;
            Ok((<$connection>::from_nonblocking(socket), peer))
        }

        /// As [`accept`](Self::accept), for futures written by hand.
        ///
        /// # Errors
        ///
        /// As [`accept`](Self::accept).
        #[inline]
        pub fn poll_accept(
            &self,
            cx: &mut Context<'_>,
        ) -> Poll<io::Result<($connection, SocketAddr)>> {
            let (socket, peer) = ready!(self.acceptor.poll_accept(cx, accept))?;
            Poll::Ready(Ok((<$connection>::from_nonblocking(socket), peer)))
        }

        /// The connections as a `Stream`, which never ends; each as [`accept`](Self::accept) would give it,
        /// without the peer's name.
        #[inline]
        pub fn incoming(&self) -> $incoming<'_> {
            $incoming { listener: self }
        }

        /// A second handle to the same socket, for another runtime; as [`TcpListener::try_clone`].
        ///
        /// # Errors
        ///
        /// If there is no descriptor left.
        ///
        /// [`TcpListener::try_clone`]: crate::TcpListener::try_clone
        #[inline]
        pub fn try_clone(&self) -> io::Result<Self> {
            let mut acceptor = Acceptor::new(self.acceptor.get_ref().try_clone()?);
            acceptor.set_exclusive(self.acceptor.is_exclusive());
            Ok(Self { acceptor })
        }

        /// As [`TcpListener::set_exclusive`](crate::TcpListener::set_exclusive): whether a connection is
        /// to wake only one of the runtimes that wait for this socket.
        #[inline]
        pub fn set_exclusive(&mut self, exclusive: bool) {
            self.acceptor.set_exclusive(exclusive);
        }

        /// The name listened on.
        ///
        /// # Errors
        ///
        /// Those of getsockname(2).
        #[inline]
        pub fn local_addr(&self) -> io::Result<SocketAddr> {
            self.acceptor.get_ref().local_addr().map(SocketAddr::from)
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
    };
}

pub(super) use listener_methods;

/// The connections of a listener as a stream; made by [`UnixListener::incoming`].
#[derive(Debug)]
#[must_use = "streams do nothing unless polled"]
pub struct Incoming<'a> {
    listener: &'a UnixListener,
}

impl Stream for Incoming<'_> {
    type Item = io::Result<UnixStream>;

    #[inline]
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
///
/// With an abstract name, which leaves no file; and its connections as a stream:
///
/// ```
/// use futures::StreamExt;
/// use runtime::net::{UnixListener, UnixStream, unix::SocketAddr};
///
/// # runtime::block_on(async {
/// let name = SocketAddr::from_abstract_name(format!("hello {}", std::process::id()))?;
/// let listener = UnixListener::bind_addr(&name)?;
/// let client = UnixStream::connect_addr(&name).await?;
/// let server = listener.incoming().next().await.expect("it never ends")?;
/// server.write_all(b"hello").await?;
/// drop(server);
/// let mut greeting = String::new();
/// client.read_to_string(&mut greeting).await?;
/// assert_eq!(greeting, "hello");
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub struct UnixListener {
    acceptor: Acceptor<net::UnixListener>,
}

impl UnixListener {
    listener_methods!(UnixKind::Stream, UnixStream, Incoming);

    /// Takes over a listener of the standard library and makes it nonblocking. Neither system call
    /// nor runtime is needed beyond that.
    ///
    /// # Errors
    ///
    /// If the socket cannot be made nonblocking.
    #[inline]
    pub fn from_std(listener: net::UnixListener) -> io::Result<UnixListener> {
        listener.set_nonblocking(true)?;
        Ok(UnixListener { acceptor: Acceptor::new(listener) })
    }

    /// Gives the listener back to the standard library, deregistered. It stays nonblocking.
    ///
    /// # Errors
    ///
    /// None: the signature is tokio's.
    #[inline]
    pub fn into_std(self) -> io::Result<net::UnixListener> {
        Ok(self.acceptor.into_inner())
    }
}

/// A new socket that listens.
#[inline]
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
#[inline]
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
#[inline]
pub(super) fn accept(listener: &net::UnixListener) -> io::Result<(OwnedFd, SocketAddr)> {
    let (socket, has_name) = sys::unix_accept(listener.as_fd())?;
    let stream = net::UnixStream::from(socket);
    let peer = if has_name { stream.peer_addr()?.into() } else { SocketAddr::unnamed() };
    Ok((stream.into(), peer))
}

std_socket!(UnixListener, acceptor: net::UnixListener);
