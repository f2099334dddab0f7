//! `UnixDatagram`: messages to and from anybody, or one peer.

use std::future::Future;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net;
use std::path::Path;
use std::pin::pin;
use std::task::{Context, Poll, ready};

use runtime_core::io::{Interest, Ready, Source};
use runtime_core::task::consume_budget;

use crate::error::explain;
use crate::fd_traits::std_socket;
use crate::methods::{message_readiness_methods, readiness_methods};
use crate::sys::{self, UnixKind};
use crate::unix::fds::fd_methods;
use crate::unix::listener::bind;
use crate::unix::messages::{self, message_methods};
use crate::unix::scout::{self, Scout, Scouts};
use crate::unix::{SocketAddr, WithFds};

/// A Unix socket that carries datagrams.
///
/// A datagram is sent and received whole: what does not fit the buffer given to a receive is cut
/// off and lost. None is lost under way, and they keep their order. A receiver whose queue is full (11
/// datagrams as a rule, `net.unix.max_dgram_qlen`) has its senders wait. Every operation takes `&self`,
/// so tasks share the socket by `&`, `Rc` or `Arc`.
///
/// # Examples
///
/// ```
/// # runtime::block_on(async {
/// let (ours, theirs) = runtime::net::UnixDatagram::pair()?;
/// ours.send(b"hello").await?;
/// let mut buf = [0; 64];
/// let len = theirs.recv(&mut buf).await?;
/// assert_eq!(&buf[..len], b"hello");
///
/// theirs.try_send(b"hi")?;
/// ours.readable().await?;
/// assert_eq!(ours.try_recv(&mut buf)?, 2);
/// theirs.shutdown(std::net::Shutdown::Write)?;
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
///
/// By name, as syslog(3) has it:
///
/// ```
/// use runtime::net::{UnixDatagram, unix::SocketAddr};
///
/// # runtime::block_on(async {
/// # let path = std::env::temp_dir().join(format!("unix-datagram-doc-{}", std::process::id()));
/// let server = UnixDatagram::bind(&path)?;
/// let client = UnixDatagram::unbound()?;
/// client.send_to(b"to whom it may concern", &path).await?;
/// client.send_to_addr(b"the same", &SocketAddr::from_pathname(&path)?).await?;
/// client.connect(&path)?;
/// client.send(b"from now on without a name").await?;
///
/// let mut buf = [0; 64];
/// let (len, sender) = server.recv_from(&mut buf).await?;
/// assert_eq!(&buf[..len], b"to whom it may concern");
/// assert!(sender.is_unnamed());
/// std::fs::remove_file(&path)?;
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub struct UnixDatagram {
    /// Before the sockets they look out for.
    scouts: Scouts,
    pub(crate) io: Source<net::UnixDatagram>,
}

impl UnixDatagram {
    /// A socket with a path for its name, so that others can send to it; with an
    /// [abstract name](SocketAddr) if the path begins with a zero byte.
    ///
    /// Dropping the socket leaves the path: remove it before binding to it again.
    ///
    /// # Errors
    ///
    /// Those of bind(2), naming the address: [`AddrInUse`](io::ErrorKind::AddrInUse) if the path is
    /// there already.
    #[inline]
    pub fn bind<P: AsRef<Path>>(path: P) -> io::Result<UnixDatagram> {
        UnixDatagram::bind_addr(&SocketAddr::of(path)?)
    }

    /// As [`bind`](Self::bind), to any kind of name. With none the kernel picks an abstract one.
    ///
    /// # Errors
    ///
    /// As [`bind`](Self::bind).
    #[inline]
    pub fn bind_addr(addr: &SocketAddr) -> io::Result<UnixDatagram> {
        sys::unix_socket(UnixKind::Datagram)
            .and_then(|socket| bind(socket.as_fd(), addr).map(|()| socket))
            .map(UnixDatagram::from_nonblocking)
            .map_err(|error| explain(error, format_args!("binding a socket to {addr:?}")))
    }

    /// A socket without a name: it sends to others, and they do not know how to answer.
    ///
    /// # Errors
    ///
    /// Those of socket(2).
    #[inline]
    pub fn unbound() -> io::Result<UnixDatagram> {
        sys::unix_socket(UnixKind::Datagram).map(UnixDatagram::from_nonblocking)
    }

    /// Two sockets without names, each the peer of the other.
    ///
    /// # Errors
    ///
    /// Those of socketpair(2).
    #[inline]
    pub fn pair() -> io::Result<(UnixDatagram, UnixDatagram)> {
        let (one, other) = sys::unix_pair(UnixKind::Datagram)?;
        Ok((UnixDatagram::from_nonblocking(one), UnixDatagram::from_nonblocking(other)))
    }

    /// Sets the peer, by its path: [`send`](Self::send) goes there, and only its datagrams are received.
    ///
    /// What the peer before has sent and nobody received is lost then; if it was connected to this
    /// socket, its next operation gives [`ConnectionReset`](io::ErrorKind::ConnectionReset).
    ///
    /// # Errors
    ///
    /// Those of connect(2), naming the address.
    #[inline]
    pub fn connect<P: AsRef<Path>>(&self, path: P) -> io::Result<()> {
        self.connect_addr(&SocketAddr::of(path)?)
    }

    /// As [`connect`](Self::connect), by any kind of name.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    #[inline]
    pub fn connect_addr(&self, addr: &SocketAddr) -> io::Result<()> {
        sys::unix_connect(self.as_fd(), addr.as_std())
            .map_err(|error| explain(error, format_args!("setting the peer {addr:?}")))
    }

    /// Takes over a socket of the standard library and makes it nonblocking. Neither system call nor
    /// runtime is needed beyond that.
    ///
    /// # Errors
    ///
    /// If the socket cannot be made nonblocking.
    #[inline]
    pub fn from_std(socket: net::UnixDatagram) -> io::Result<UnixDatagram> {
        socket.set_nonblocking(true)?;
        Ok(UnixDatagram::from_nonblocking(socket.into()))
    }

    /// Gives the socket back to the standard library, deregistered. It stays nonblocking.
    ///
    /// # Errors
    ///
    /// None: the signature is tokio's.
    #[inline]
    pub fn into_std(self) -> io::Result<net::UnixDatagram> {
        Ok(self.io.into_inner())
    }

    /// A second handle to the same socket, registered by itself.
    ///
    /// # Errors
    ///
    /// If there is no descriptor left.
    #[inline]
    pub fn try_clone(&self) -> io::Result<UnixDatagram> {
        Ok(UnixDatagram::from_nonblocking(self.io.get_ref().try_clone()?.into()))
    }

    #[inline]
    pub(super) fn from_nonblocking(socket: OwnedFd) -> UnixDatagram {
        UnixDatagram { scouts: Scouts::default(), io: Source::new(socket.into()) }
    }

    message_methods!();
    readiness_methods!();
    fd_methods!(UnixKind::Datagram);

    /// Sends a datagram to the socket with this path, waiting until there is room in its queue; returns
    /// its length.
    ///
    /// While it waits for a receiver that is not this socket's peer, a second socket is connected to
    /// that receiver, as the kernel tells nobody else of the room. ([`writable`](Self::writable) knows of
    /// the peer alone.)
    ///
    /// # Errors
    ///
    /// Those of sendto(2), and if no second socket can be had.
    ///
    /// # Cancel safety
    ///
    /// Nothing is sent by a future that is dropped before it is ready.
    #[inline]
    pub async fn send_to<P: AsRef<Path>>(&self, buf: &[u8], target: P) -> io::Result<usize> {
        self.send_to_addr(buf, &SocketAddr::of(target)?).await
    }

    /// As [`send_to`](Self::send_to), to any kind of name.
    ///
    /// # Errors
    ///
    /// As [`send_to`](Self::send_to).
    ///
    /// # Cancel safety
    ///
    /// Nothing is sent by a future that is dropped before it is ready.
    #[inline]
    pub async fn send_to_addr(&self, buf: &[u8], target: &SocketAddr) -> io::Result<usize> {
        let mut no_scout = None;
        loop {
            consume_budget().await;
            // Not by what is known of the socket's readiness: that begins at a quarter of its buffer.
            match self.io.try_io(Interest::WRITABLE, |ours| scout::send_to(ours, buf, target)) {
                Ok(Some(len)) => return Ok(len),
                Ok(None) => match (Scout::at(target), no_scout.take()) {
                    (Ok(scout), _) => scout.room().await?,
                    (Err(error), None) => no_scout = Some(error),
                    (Err(error), Some(_)) => return Err(error),
                },
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.io.writable().await?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// As [`send_to`](Self::send_to), for futures written by hand.
    ///
    /// # Errors
    ///
    /// As [`send_to`](Self::send_to).
    #[inline]
    pub fn poll_send_to<P: AsRef<Path>>(
        &self,
        cx: &mut Context<'_>,
        buf: &[u8],
        target: P,
    ) -> Poll<io::Result<usize>> {
        let target = SocketAddr::of(target)?;
        let mut no_scout = None;
        loop {
            ready!(pin!(consume_budget()).poll(cx));
            match self.io.try_io(Interest::WRITABLE, |ours| scout::send_to(ours, buf, &target)) {
                Ok(Some(len)) => return Poll::Ready(Ok(len)),
                Ok(None) => match (Scout::at(&target), no_scout.take()) {
                    (Ok(scout), _) => {
                        if scout.poll_room(cx)?.is_pending() {
                            self.scouts.put(cx.waker(), scout);
                            return Poll::Pending;
                        }
                    }
                    (Err(error), None) => no_scout = Some(error),
                    (Err(error), Some(_)) => return Poll::Ready(Err(error)),
                },
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.io.poll_write_ready(cx))?;
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// As [`send_to`](Self::send_to), if there is room now.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if there is none, else those of sendto(2).
    #[inline]
    pub fn try_send_to<P: AsRef<Path>>(&self, buf: &[u8], target: P) -> io::Result<usize> {
        self.try_send_to_addr(buf, &SocketAddr::of(target)?)
    }

    /// As [`try_send_to`](Self::try_send_to), to any kind of name.
    ///
    /// # Errors
    ///
    /// As [`try_send_to`](Self::try_send_to).
    #[inline]
    pub fn try_send_to_addr(&self, buf: &[u8], target: &SocketAddr) -> io::Result<usize> {
        self.io.try_io(Interest::WRITABLE, |socket| socket.send_to_addr(buf, target.as_std()))
    }

    /// Receives a datagram; returns how much of it is in `buf`. A datagram may be empty, and an empty
    /// `buf` takes one too.
    ///
    /// # Errors
    ///
    /// Those of recv(2): [`ConnectionReset`](io::ErrorKind::ConnectionReset) if the peer has taken
    /// another peer and left datagrams unread.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    #[inline]
    pub async fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.io.read_with(|socket| receive(socket, buf)).await
    }

    /// As [`recv`](Self::recv), for futures written by hand.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    #[inline]
    pub fn poll_recv(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.io.poll_read_with(cx, |socket| receive(socket, buf))
    }

    /// As [`recv`](Self::recv), if there is a datagram now.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if there is none, else as [`recv`](Self::recv).
    #[inline]
    pub fn try_recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.io.try_io(Interest::READABLE, |socket| receive(socket, buf))
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
    pub async fn recv_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let receive = |socket: &net::UnixDatagram| {
            messages::receive_vectored(socket.as_fd(), bufs).map(|record| record.len)
        };
        self.io.read_with(receive).await
    }

    /// As [`recv`](Self::recv), with the name of the sender, if it has one.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    #[inline]
    pub async fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.io.read_with(|socket| receive_from(socket, buf)).await
    }

    /// As [`recv_from`](Self::recv_from), for futures written by hand.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    #[inline]
    pub fn poll_recv_from(
        &self,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<(usize, SocketAddr)>> {
        self.io.poll_read_with(cx, |socket| receive_from(socket, buf))
    }

    /// As [`recv_from`](Self::recv_from), if there is a datagram now.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if there is none, else as [`recv`](Self::recv).
    #[inline]
    pub fn try_recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.io.try_io(Interest::READABLE, |socket| receive_from(socket, buf))
    }
}

#[inline]
fn receive(socket: &net::UnixDatagram, buf: &mut [u8]) -> io::Result<usize> {
    messages::receive(socket.as_fd(), buf).map(|record| record.len)
}

#[inline]
fn receive_from(socket: &net::UnixDatagram, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
    socket.recv_from(buf).map(|(len, from)| (len, from.into()))
}

std_socket!(UnixDatagram, io: net::UnixDatagram);
