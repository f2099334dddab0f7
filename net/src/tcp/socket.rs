//! `TcpSocket`: options that must be set before `bind` or `connect`.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::time::Duration;

use crate::error::explain;
use crate::options::options;
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

    options! {
        /// Whether an address may be bound whose last connections still time out (`SO_REUSEADDR`).
        reuseaddr
        /// Lets an address be bound whose last connections still time out (`SO_REUSEADDR`).
        set_reuseaddr = SO_REUSEADDR: bool;

        /// Whether several sockets may share the address (`SO_REUSEPORT`).
        reuseport
        /// Lets several sockets share the address; the kernel spreads connections over them
        /// (`SO_REUSEPORT`).
        set_reuseport = SO_REUSEPORT: bool;

        /// Whether an idle connection is probed (`SO_KEEPALIVE`).
        keepalive
        /// Probes an idle connection; how, is set on the [`TcpStream`] (`SO_KEEPALIVE`).
        set_keepalive = SO_KEEPALIVE: bool;

        /// Whether small writes are sent at once (`TCP_NODELAY`).
        nodelay
        /// Sends small writes at once, without Nagle's algorithm (`TCP_NODELAY`).
        set_nodelay = TCP_NODELAY: bool;

        /// The size of the send buffer in bytes, as the kernel counts: twice what was set
        /// (`SO_SNDBUF`).
        send_buffer_size
        /// Sets the size of the send buffer in bytes (`SO_SNDBUF`).
        set_send_buffer_size = SO_SNDBUF: u32;

        /// The size of the receive buffer in bytes, as the kernel counts: twice what was set
        /// (`SO_RCVBUF`).
        recv_buffer_size
        /// Sets the size of the receive buffer in bytes (`SO_RCVBUF`).
        set_recv_buffer_size = SO_RCVBUF: u32;

        /// See [`TcpStream::linger`].
        linger
        /// See [`TcpStream::set_linger`].
        set_linger = SO_LINGER: Option<Duration>;

        /// The type of service of packets sent over IPv4 (`IP_TOS`).
        tos_v4
        /// Sets the type of service of packets sent over IPv4 (`IP_TOS`).
        set_tos_v4 = IP_TOS: u32;

        /// The traffic class of packets sent over IPv6 (`IPV6_TCLASS`).
        tclass_v6
        /// Sets the traffic class of packets sent over IPv6 (`IPV6_TCLASS`).
        set_tclass_v6 = IPV6_TCLASS: u32;
    }

    /// See [`TcpStream::set_zero_linger`].
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    pub fn set_zero_linger(&self) -> io::Result<()> {
        self.set_linger(Some(Duration::ZERO))
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
