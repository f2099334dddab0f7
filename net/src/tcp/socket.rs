//! `TcpSocket`: options that must be set before `bind` or `connect`.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::time::Duration;

use crate::error::explain;
use crate::options;
use crate::sys::{self, Family};
use crate::tcp::connect;
use crate::tcp::listener::TcpListener;
use crate::tcp::stream::TcpStream;

/// A TCP socket that neither listens nor is connected yet.
///
/// # Examples
///
/// ```no_run
/// # async fn example() -> std::io::Result<()> {
/// let socket = runtime::net::TcpSocket::new_v4()?;
/// socket.set_reuseport(true)?;
/// socket.bind("0.0.0.0:8080".parse().unwrap())?;
/// let listener = socket.listen(1024)?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct TcpSocket {
    fd: OwnedFd,
}

impl TcpSocket {
    /// A socket for IPv4.
    ///
    /// # Errors
    ///
    /// Those of socket(2).
    pub fn new_v4() -> io::Result<TcpSocket> {
        Ok(TcpSocket { fd: sys::tcp_socket(Family::V4)? })
    }

    /// A socket for IPv6.
    ///
    /// # Errors
    ///
    /// Those of socket(2).
    pub fn new_v6() -> io::Result<TcpSocket> {
        Ok(TcpSocket { fd: sys::tcp_socket(Family::V6)? })
    }

    /// Gives the socket its local address. Unlike [`TcpListener::bind`] it sets no option: see
    /// [`set_reuseaddr`](Self::set_reuseaddr).
    ///
    /// # Errors
    ///
    /// Those of bind(2), naming the address.
    pub fn bind(&self, addr: SocketAddr) -> io::Result<()> {
        sys::bind(self.as_fd(), addr)
            .map_err(|error| explain(error, format_args!("binding to {addr}")))
    }

    /// Connects the socket.
    ///
    /// # Errors
    ///
    /// Those of connect(2), naming the address.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives the attempt up and closes the socket.
    pub async fn connect(self, addr: SocketAddr) -> io::Result<TcpStream> {
        connect::connect(self.fd, addr).await
    }

    /// Listens for connections, of which up to `backlog` may wait to be accepted (fewer if
    /// `net.core.somaxconn` is lower).
    ///
    /// # Errors
    ///
    /// Those of listen(2).
    pub fn listen(self, backlog: u32) -> io::Result<TcpListener> {
        sys::listen(self.as_fd(), i32::try_from(backlog).unwrap_or(i32::MAX))?;
        Ok(TcpListener::from_listening(self.fd.into()))
    }

    /// The address bound to.
    ///
    /// # Errors
    ///
    /// Those of getsockname(2).
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        sys::local_addr(self.as_fd())
    }

    /// Whether an address may be bound whose last connections still time out (`SO_REUSEADDR`).
    ///
    /// # Errors
    ///
    /// Those of getsockopt(2).
    pub fn reuseaddr(&self) -> io::Result<bool> {
        options::flag(self.as_fd(), &sys::SO_REUSEADDR)
    }

    /// Lets an address be bound whose last connections still time out (`SO_REUSEADDR`).
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    pub fn set_reuseaddr(&self, reuseaddr: bool) -> io::Result<()> {
        options::set_flag(self.as_fd(), &sys::SO_REUSEADDR, reuseaddr)
    }

    /// Whether several sockets may share the address (`SO_REUSEPORT`).
    ///
    /// # Errors
    ///
    /// Those of getsockopt(2).
    pub fn reuseport(&self) -> io::Result<bool> {
        options::flag(self.as_fd(), &sys::SO_REUSEPORT)
    }

    /// Lets several sockets share the address; the kernel spreads connections over them
    /// (`SO_REUSEPORT`).
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    pub fn set_reuseport(&self, reuseport: bool) -> io::Result<()> {
        options::set_flag(self.as_fd(), &sys::SO_REUSEPORT, reuseport)
    }

    /// Whether an idle connection is probed (`SO_KEEPALIVE`).
    ///
    /// # Errors
    ///
    /// Those of getsockopt(2).
    pub fn keepalive(&self) -> io::Result<bool> {
        options::flag(self.as_fd(), &sys::SO_KEEPALIVE)
    }

    /// Probes an idle connection; how, is set on the [`TcpStream`] (`SO_KEEPALIVE`).
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    pub fn set_keepalive(&self, keepalive: bool) -> io::Result<()> {
        options::set_flag(self.as_fd(), &sys::SO_KEEPALIVE, keepalive)
    }

    /// Whether small writes are sent at once (`TCP_NODELAY`).
    ///
    /// # Errors
    ///
    /// Those of getsockopt(2).
    pub fn nodelay(&self) -> io::Result<bool> {
        options::flag(self.as_fd(), &sys::TCP_NODELAY)
    }

    /// Sends small writes at once, without Nagle's algorithm (`TCP_NODELAY`).
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        options::set_flag(self.as_fd(), &sys::TCP_NODELAY, nodelay)
    }

    /// The size of the send buffer in bytes, as the kernel counts: twice what was set (`SO_SNDBUF`).
    ///
    /// # Errors
    ///
    /// Those of getsockopt(2).
    pub fn send_buffer_size(&self) -> io::Result<u32> {
        options::number(self.as_fd(), &sys::SO_SNDBUF)
    }

    /// Sets the size of the send buffer in bytes (`SO_SNDBUF`).
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    pub fn set_send_buffer_size(&self, size: u32) -> io::Result<()> {
        options::set_number(self.as_fd(), &sys::SO_SNDBUF, size)
    }

    /// The size of the receive buffer in bytes, as the kernel counts: twice what was set
    /// (`SO_RCVBUF`).
    ///
    /// # Errors
    ///
    /// Those of getsockopt(2).
    pub fn recv_buffer_size(&self) -> io::Result<u32> {
        options::number(self.as_fd(), &sys::SO_RCVBUF)
    }

    /// Sets the size of the receive buffer in bytes (`SO_RCVBUF`).
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    pub fn set_recv_buffer_size(&self, size: u32) -> io::Result<()> {
        options::set_number(self.as_fd(), &sys::SO_RCVBUF, size)
    }

    /// See [`TcpStream::linger`].
    ///
    /// # Errors
    ///
    /// Those of getsockopt(2).
    pub fn linger(&self) -> io::Result<Option<Duration>> {
        options::linger(self.as_fd())
    }

    /// See [`TcpStream::set_linger`].
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    pub fn set_linger(&self, linger: Option<Duration>) -> io::Result<()> {
        options::set_linger(self.as_fd(), linger)
    }

    /// See [`TcpStream::set_zero_linger`].
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    pub fn set_zero_linger(&self) -> io::Result<()> {
        self.set_linger(Some(Duration::ZERO))
    }

    /// The type of service of packets sent over IPv4 (`IP_TOS`).
    ///
    /// # Errors
    ///
    /// Those of getsockopt(2).
    pub fn tos_v4(&self) -> io::Result<u32> {
        options::number(self.as_fd(), &sys::IP_TOS)
    }

    /// Sets the type of service of packets sent over IPv4 (`IP_TOS`).
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    pub fn set_tos_v4(&self, tos: u32) -> io::Result<()> {
        options::set_number(self.as_fd(), &sys::IP_TOS, tos)
    }

    /// The traffic class of packets sent over IPv6 (`IPV6_TCLASS`).
    ///
    /// # Errors
    ///
    /// Those of getsockopt(2).
    pub fn tclass_v6(&self) -> io::Result<u32> {
        options::number(self.as_fd(), &sys::IPV6_TCLASS)
    }

    /// Sets the traffic class of packets sent over IPv6 (`IPV6_TCLASS`).
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    pub fn set_tclass_v6(&self, tclass: u32) -> io::Result<()> {
        options::set_number(self.as_fd(), &sys::IPV6_TCLASS, tclass)
    }
}

impl AsFd for TcpSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsRawFd for TcpSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}
