//! `TcpSocket`: options that must be set before `bind` or `connect`.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};
use std::time::Duration;

use crate::error::explain;
use crate::options::options;
use crate::sys::{self, Family};
use crate::tcp::connect;
use crate::tcp::listener::TcpListener;
use crate::tcp::options::tcp_options;
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
    #[inline]
    pub fn new_v4() -> io::Result<TcpSocket> {
        Ok(TcpSocket { fd: sys::tcp_socket(Family::V4)? })
    }

    /// A socket for IPv6.
    ///
    /// # Errors
    ///
    /// Those of socket(2).
    #[inline]
    pub fn new_v6() -> io::Result<TcpSocket> {
        Ok(TcpSocket { fd: sys::tcp_socket(Family::V6)? })
    }

    /// Takes over a socket made by other means, such as the `socket2` crate, which is neither connected
    /// nor connecting, and makes it nonblocking.
    ///
    /// It comes as a stream of the standard library because that is what such crates convert to.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # fn made_elsewhere() -> std::net::TcpStream { unimplemented!() }
    /// # async fn example() -> std::io::Result<()> {
    /// let socket = runtime::net::TcpSocket::from_std_stream(made_elsewhere());
    /// let stream = socket.connect("127.0.0.1:80".parse().unwrap()).await?;
    /// # Ok(()) }
    /// ```
    #[inline]
    pub fn from_std_stream(std_stream: std::net::TcpStream) -> TcpSocket {
        // What is no socket at all refuses it, and says so when it is connected or listens.
        let _ = std_stream.set_nonblocking(true);
        TcpSocket { fd: std_stream.into() }
    }

    /// Gives the socket its local address. Unlike [`TcpListener::bind`] it sets no option: see
    /// [`set_reuseaddr`](Self::set_reuseaddr).
    ///
    /// # Errors
    ///
    /// Those of bind(2), naming the address.
    #[inline]
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
    #[inline]
    pub async fn connect(self, addr: SocketAddr) -> io::Result<TcpStream> {
        connect::connect(self.fd, addr).await
    }

    /// Listens for connections, of which up to `backlog` may wait to be accepted (fewer if
    /// `net.core.somaxconn` is lower).
    ///
    /// # Errors
    ///
    /// Those of listen(2).
    #[inline]
    pub fn listen(self, backlog: u32) -> io::Result<TcpListener> {
        sys::listen(self.as_fd(), i32::try_from(backlog).unwrap_or(i32::MAX))?;
        Ok(TcpListener::from_listening(self.fd.into()))
    }

    /// The address bound to.
    ///
    /// # Errors
    ///
    /// Those of getsockname(2).
    #[inline]
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

        /// How many connections that begin with data may wait for their handshake to end
        /// (`TCP_FASTOPEN`); 0 for no fast open.
        fastopen
        /// Accepts connections that begin with data ([fast open]), of which so many may wait for
        /// their handshake to end (`TCP_FASTOPEN`). Set it before [`listen`](Self::listen), and
        /// `net.ipv4.tcp_fastopen` of the system to 2 or 3.
        ///
        /// A client's first data may come twice then, as in a repeated request.
        ///
        /// [fast open]: https://www.rfc-editor.org/rfc/rfc7413
        set_fastopen = TCP_FASTOPEN: u32;

        /// Whether connecting waits for the first write, to send data with the first packet
        /// (`TCP_FASTOPEN_CONNECT`).
        fastopen_connect
        /// Makes [`connect`](Self::connect) end at once if the server allowed [fast open] before, and
        /// the first write connect, with its data in the first packet (`TCP_FASTOPEN_CONNECT`).
        ///
        /// Nothing happens on such a connection before the first write: a read waits, and it has no
        /// `peer_addr` yet. Errors of connecting are told by what follows, and a server may see the
        /// first data twice.
        ///
        /// [fast open]: https://www.rfc-editor.org/rfc/rfc7413
        set_fastopen_connect = TCP_FASTOPEN_CONNECT: bool;
    }

    tcp_options!();
}

impl From<OwnedFd> for TcpSocket {
    /// Takes over a TCP socket that was made elsewhere, and makes it nonblocking.
    #[inline]
    fn from(fd: OwnedFd) -> TcpSocket {
        TcpSocket::from_std_stream(fd.into())
    }
}

impl From<TcpSocket> for OwnedFd {
    /// The socket stays nonblocking.
    #[inline]
    fn from(socket: TcpSocket) -> OwnedFd {
        socket.fd
    }
}

impl IntoRawFd for TcpSocket {
    #[inline]
    fn into_raw_fd(self) -> RawFd {
        self.fd.into_raw_fd()
    }
}

impl AsFd for TcpSocket {
    #[inline]
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsRawFd for TcpSocket {
    #[inline]
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}
