//! `UnixSocket`: options and names before `connect` or `listen`.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};
use std::os::unix::net;
use std::path::Path;

use crate::error::explain;
use crate::options::options;
use crate::sys::{self, UnixKind};
use crate::unix::datagram::UnixDatagram;
use crate::unix::listener::{UnixListener, bind};
use crate::unix::stream::UnixStream;
use crate::unix::{SocketAddr, connect};

/// A Unix socket that neither listens nor is connected yet.
///
/// # Examples
///
/// ```no_run
/// # async fn example() -> std::io::Result<()> {
/// let socket = runtime::net::UnixSocket::new_stream()?;
/// socket.bind("/run/client")?;
/// let stream = socket.connect("/run/server").await?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct UnixSocket {
    /// Of either kind; the standard library has no type for both.
    socket: net::UnixDatagram,
    kind: UnixKind,
}

impl UnixSocket {
    /// A socket that carries bytes, to become a stream or a listener.
    ///
    /// # Errors
    ///
    /// Those of socket(2).
    #[inline]
    pub fn new_stream() -> io::Result<UnixSocket> {
        UnixSocket::new(UnixKind::Stream)
    }

    /// A socket that carries datagrams.
    ///
    /// # Errors
    ///
    /// Those of socket(2).
    #[inline]
    pub fn new_datagram() -> io::Result<UnixSocket> {
        UnixSocket::new(UnixKind::Datagram)
    }

    #[inline]
    fn new(kind: UnixKind) -> io::Result<UnixSocket> {
        Ok(UnixSocket { socket: sys::unix_socket(kind)?.into(), kind })
    }

    /// Gives the socket a path; an [abstract name](SocketAddr) if it begins with a zero byte.
    ///
    /// # Errors
    ///
    /// Those of bind(2), naming the address.
    #[inline]
    pub fn bind<P: AsRef<Path>>(&self, path: P) -> io::Result<()> {
        self.bind_addr(&SocketAddr::of(path)?)
    }

    /// As [`bind`](Self::bind), to any kind of name. With none the kernel picks an abstract one.
    ///
    /// # Errors
    ///
    /// As [`bind`](Self::bind).
    #[inline]
    pub fn bind_addr(&self, addr: &SocketAddr) -> io::Result<()> {
        bind(self.as_fd(), addr)
            .map_err(|error| explain(error, format_args!("binding to {addr:?}")))
    }

    /// Connects the socket, as [`UnixStream::connect`] does.
    ///
    /// # Errors
    ///
    /// Those of [`UnixStream::connect`], and if the socket carries datagrams.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives the attempt up and closes the socket.
    #[inline]
    pub async fn connect<P: AsRef<Path>>(self, path: P) -> io::Result<UnixStream> {
        self.connect_addr(&SocketAddr::of(path)?).await
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
    pub async fn connect_addr(self, addr: &SocketAddr) -> io::Result<UnixStream> {
        self.expect(UnixKind::Stream, "connecting a datagram socket as a stream; use `datagram`")?;
        connect::connect(self.socket.into(), addr).await.map(UnixStream::from_nonblocking)
    }

    /// Listens for connections, of which up to `backlog` may wait to be accepted (fewer if
    /// `net.core.somaxconn` is lower).
    ///
    /// # Errors
    ///
    /// Those of listen(2), and if the socket carries datagrams.
    ///
    /// # Examples
    ///
    /// With a backlog of its own:
    ///
    /// ```no_run
    /// # fn example() -> std::io::Result<()> {
    /// let socket = runtime::net::UnixSocket::new_stream()?;
    /// socket.bind("/run/hello")?;
    /// let listener = socket.listen(4096)?;
    /// # Ok(()) }
    /// ```
    #[inline]
    pub fn listen(self, backlog: u32) -> io::Result<UnixListener> {
        self.expect(UnixKind::Stream, "listening on a datagram socket; use `new_stream`")?;
        sys::listen(self.as_fd(), i32::try_from(backlog).unwrap_or(i32::MAX))?;
        UnixListener::from_std(OwnedFd::from(self.socket).into())
    }

    /// The datagram socket that it is.
    ///
    /// # Errors
    ///
    /// If the socket carries bytes.
    #[inline]
    pub fn datagram(self) -> io::Result<UnixDatagram> {
        self.expect(
            UnixKind::Datagram,
            "sending datagrams by a stream socket; use `new_datagram`",
        )?;
        Ok(UnixDatagram::from_nonblocking(self.socket.into()))
    }

    #[inline]
    fn expect(&self, kind: UnixKind, mistake: &str) -> io::Result<()> {
        if self.kind == kind { Ok(()) } else { Err(io::Error::other(mistake)) }
    }

    /// The name bound to.
    ///
    /// # Errors
    ///
    /// Those of getsockname(2).
    #[inline]
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr().map(SocketAddr::from)
    }

    options! {
        /// The size of the send buffer in bytes, as the kernel counts: twice what was set
        /// (`SO_SNDBUF`).
        send_buffer_size
        /// Sets the size of the send buffer in bytes (`SO_SNDBUF`): what is sent and not yet
        /// received fits in it, with the kernel's overhead.
        set_send_buffer_size = SO_SNDBUF: u32;
    }
}

impl From<OwnedFd> for UnixSocket {
    /// A socket from elsewhere, made nonblocking.
    #[inline]
    fn from(fd: OwnedFd) -> UnixSocket {
        let kind = UnixKind::of(fd.as_fd());
        let socket = net::UnixDatagram::from(fd);
        // What is no socket at all refuses it, and says so when it is connected or listens.
        let _ = socket.set_nonblocking(true);
        UnixSocket { socket, kind }
    }
}

impl From<UnixSocket> for OwnedFd {
    #[inline]
    fn from(socket: UnixSocket) -> OwnedFd {
        socket.socket.into()
    }
}

impl IntoRawFd for UnixSocket {
    #[inline]
    fn into_raw_fd(self) -> RawFd {
        self.socket.into_raw_fd()
    }
}

impl AsFd for UnixSocket {
    #[inline]
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl AsRawFd for UnixSocket {
    #[inline]
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}
