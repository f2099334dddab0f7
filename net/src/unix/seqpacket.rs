//! `UnixSeqpacket` and its listener: connections that carry messages.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use runtime_core::io::{Interest, Ready, Source};

use crate::acceptor::Acceptor;
use crate::fd_traits::has_fd;
use crate::methods::{message_readiness_methods, readiness_methods};
use crate::sys::{self, UnixKind};
use crate::unix::connect::connect_new;
use crate::unix::fds::fd_methods;
use crate::unix::listener::{accept, listener_methods};
use crate::unix::messages::{self, message_methods};
use crate::unix::{SocketAddr, UCred, WithFds};

/// What [`UnixSeqpacket::recv`] received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Record {
    /// How many bytes are in the buffer; 0 is the end of the connection, or an empty message, which the
    /// kernel does not tell apart.
    pub len: usize,
    /// Whether the message was longer than the buffer, and its rest is lost.
    pub truncated: bool,
}

/// A connection of Unix sockets that carries messages (`SOCK_SEQPACKET` of unix(7)): none is lost, cut
/// in two or put together with another, and they keep their order.
///
/// Every operation takes `&self`, so tasks share the socket by `&`, `Rc` or `Arc`. Dropping it closes
/// the connection; the peer still receives what was sent.
///
/// # Examples
///
/// ```
/// # runtime::block_on(async {
/// let (ours, theirs) = runtime::net::UnixSeqpacket::pair()?;
/// ours.send(b"one").await?;
/// ours.send(b"another").await?;
/// let mut buf = [0; 64];
/// let record = theirs.recv(&mut buf).await?;
/// assert!(!record.truncated);
/// assert_eq!(&buf[..record.len], b"one");
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub struct UnixSeqpacket {
    /// The standard library has no type for the kind; the calls are those of its stream.
    io: Source<net::UnixStream>,
}

impl UnixSeqpacket {
    /// Connects to a path; to an [abstract name](SocketAddr) if it begins with a zero byte.
    ///
    /// # Errors
    ///
    /// Those of connect(2), naming the address. While the listener's backlog is full this
    /// [waits](crate::unix#a-full-backlog).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives the attempt up and closes its socket.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn example() -> std::io::Result<()> {
    /// let socket = runtime::net::UnixSeqpacket::connect("/run/hello").await?;
    /// socket.send(b"hello").await?;
    /// # Ok(()) }
    /// ```
    #[inline]
    pub async fn connect<P: AsRef<Path>>(path: P) -> io::Result<UnixSeqpacket> {
        UnixSeqpacket::connect_addr(&SocketAddr::of(path)?).await
    }

    /// As [`connect`](Self::connect), to any kind of name.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    ///
    /// # Cancel safety
    ///
    /// As [`connect`](Self::connect).
    #[inline]
    pub async fn connect_addr(addr: &SocketAddr) -> io::Result<UnixSeqpacket> {
        connect_new(UnixKind::Seqpacket, addr).await.map(UnixSeqpacket::from_nonblocking)
    }

    /// Two sockets without names, connected to each other.
    ///
    /// # Errors
    ///
    /// Those of socketpair(2).
    #[inline]
    pub fn pair() -> io::Result<(UnixSeqpacket, UnixSeqpacket)> {
        let (one, other) = sys::unix_pair(UnixKind::Seqpacket)?;
        Ok((UnixSeqpacket::from_nonblocking(one), UnixSeqpacket::from_nonblocking(other)))
    }

    /// A second handle to the same connection, registered by itself. The connection is closed when
    /// the last of them is dropped.
    ///
    /// # Errors
    ///
    /// If there is no descriptor left.
    #[inline]
    pub fn try_clone(&self) -> io::Result<UnixSeqpacket> {
        Ok(UnixSeqpacket { io: Source::new(self.io.get_ref().try_clone()?) })
    }

    #[inline]
    fn from_nonblocking(socket: OwnedFd) -> UnixSeqpacket {
        UnixSeqpacket { io: Source::new(socket.into()) }
    }

    message_methods!();
    readiness_methods!();
    fd_methods!(UnixKind::Seqpacket);

    /// Receives a message; what does not fit `buf` is cut off and lost, and that is told. An empty `buf`
    /// takes one too.
    ///
    /// # Errors
    ///
    /// Those of recv(2): [`ConnectionReset`](io::ErrorKind::ConnectionReset) if the peer was closed
    /// with messages unread.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    #[inline]
    pub async fn recv(&self, buf: &mut [u8]) -> io::Result<Record> {
        self.io.read_with(|socket| messages::receive(socket.as_fd(), buf)).await
    }

    /// As [`recv`](Self::recv), for futures written by hand.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    #[inline]
    pub fn poll_recv(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<Record>> {
        self.io.poll_read_with(cx, |socket| messages::receive(socket.as_fd(), buf))
    }

    /// As [`recv`](Self::recv), if there is a message now.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if there is none, else as [`recv`](Self::recv).
    #[inline]
    pub fn try_recv(&self, buf: &mut [u8]) -> io::Result<Record> {
        self.io.try_io(Interest::READABLE, |socket| messages::receive(socket.as_fd(), buf))
    }

    /// As [`recv`](Self::recv), into several buffers, at most 1024: one is filled before the next is
    /// begun.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    #[inline]
    pub async fn recv_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<Record> {
        self.io.read_with(|socket| messages::receive_vectored(socket.as_fd(), bufs)).await
    }

    /// The user, group and process at the other end.
    ///
    /// # Errors
    ///
    /// Those of getsockopt(2).
    #[inline]
    pub fn peer_cred(&self) -> io::Result<UCred> {
        UCred::of_peer(self.as_fd())
    }
}

/// A server of connections that carry messages. As [`UnixListener`](crate::UnixListener) otherwise:
/// dropping it leaves its path.
///
/// # Examples
///
/// ```no_run
/// # async fn example() -> std::io::Result<()> {
/// let listener = runtime::net::UnixSeqpacketListener::bind("/run/hello")?;
/// loop {
///     let (socket, _peer) = listener.accept().await?;
///     runtime::spawn(async move { socket.send(b"hello").await });
/// }
/// # }
/// ```
///
/// Its connections as a stream:
///
/// ```
/// use futures::StreamExt;
/// use runtime::net::{UnixSeqpacket, UnixSeqpacketListener, unix::SocketAddr};
///
/// # runtime::block_on(async {
/// let name = SocketAddr::from_abstract_name(format!("packets {}", std::process::id()))?;
/// let listener = UnixSeqpacketListener::bind_addr(&name)?;
/// let client = UnixSeqpacket::connect_addr(&name).await?;
/// let server = listener.incoming().next().await.expect("it never ends")?;
/// client.send(b"hello").await?;
/// assert_eq!(server.recv(&mut [0; 64]).await?.len, 5);
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub struct UnixSeqpacketListener {
    acceptor: Acceptor<net::UnixListener>,
}

impl UnixSeqpacketListener {
    listener_methods!(UnixKind::Seqpacket, UnixSeqpacket, SeqpacketIncoming);
}

/// The connections of a listener as a stream; made by [`UnixSeqpacketListener::incoming`].
#[derive(Debug)]
#[must_use = "streams do nothing unless polled"]
pub struct SeqpacketIncoming<'a> {
    listener: &'a UnixSeqpacketListener,
}

impl Stream for SeqpacketIncoming<'_> {
    type Item = io::Result<UnixSeqpacket>;

    #[inline]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let accepted = ready!(self.listener.poll_accept(cx));
        Poll::Ready(Some(accepted.map(|(socket, _peer)| socket)))
    }
}

/// What both are, beside what they do.
macro_rules! owns_a_socket {
    ($type:ty, $field:ident, $name:literal) => {
        has_fd!($type, $field);

        impl From<$type> for OwnedFd {
            /// Gives the socket away, deregistered. It stays nonblocking.
            #[inline]
            fn from(socket: $type) -> OwnedFd {
                socket.$field.into_inner().into()
            }
        }

        impl fmt::Debug for $type {
            #[inline]
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let fd = self.as_raw_fd();
                f.debug_struct($name).field("fd", &fd).field("local", &self.local_addr()).finish()
            }
        }
    };
}

owns_a_socket!(UnixSeqpacket, io, "UnixSeqpacket");
owns_a_socket!(UnixSeqpacketListener, acceptor, "UnixSeqpacketListener");

impl TryFrom<OwnedFd> for UnixSeqpacket {
    type Error = io::Error;

    /// Takes over a connected socket of this kind and makes it nonblocking.
    #[inline]
    fn try_from(socket: OwnedFd) -> io::Result<UnixSeqpacket> {
        let socket = net::UnixStream::from(socket);
        socket.set_nonblocking(true)?;
        Ok(UnixSeqpacket { io: Source::new(socket) })
    }
}

impl TryFrom<OwnedFd> for UnixSeqpacketListener {
    type Error = io::Error;

    /// Takes over a listening socket of this kind and makes it nonblocking.
    #[inline]
    fn try_from(socket: OwnedFd) -> io::Result<UnixSeqpacketListener> {
        let socket = net::UnixListener::from(socket);
        socket.set_nonblocking(true)?;
        Ok(UnixSeqpacketListener { acceptor: Acceptor::new(socket) })
    }
}
