//! `TcpStream`: reading, writing, readiness, options.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::task::{Context, Poll};
use std::time::Duration;

use runtime_core::io::{Interest, ReadFd, Ready, Source, WriteFd};

use crate::addr::{ToSocketAddrs, resolve};
use crate::methods::{read_methods, readiness_methods, write_methods};
use crate::options::options;
use crate::split::{self, Stream};
use crate::sys;
use crate::tcp::connect::connect_any;
use crate::tcp::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, WriteHalf};

/// A TCP connection.
///
/// Every operation takes `&self`: one task may read while another writes, through `&`, `Rc` or
/// `Arc`, or through the [halves](Self::into_split). Dropping the stream closes the connection; data
/// that was written is still sent.
///
/// # Examples
///
/// ```no_run
/// # async fn example() -> std::io::Result<()> {
/// let stream = runtime::net::TcpStream::connect("example.com:80").await?;
/// stream.write_all(b"GET / HTTP/1.0\r\nHost: example.com\r\n\r\n").await?;
/// let mut page = Vec::new();
/// stream.read_to_end(&mut page).await?;
/// println!("{} bytes", page.len());
/// # Ok(()) }
/// ```
pub struct TcpStream {
    io: Source<std::net::TcpStream>,
}

impl TcpStream {
    /// Connects to the first of the addresses that answers, trying them in order.
    ///
    /// # Errors
    ///
    /// The last address's error, which names the address; or the look-up's.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives the attempt up and closes its socket.
    pub async fn connect<A: ToSocketAddrs>(addr: A) -> io::Result<TcpStream> {
        connect_any(resolve(&addr).await?).await
    }

    /// Takes over a stream of the standard library and makes it nonblocking. Neither system call nor
    /// runtime is needed beyond that.
    ///
    /// # Errors
    ///
    /// If the socket cannot be made nonblocking.
    pub fn from_std(stream: std::net::TcpStream) -> io::Result<TcpStream> {
        stream.set_nonblocking(true)?;
        Ok(TcpStream::from_source(Source::new(stream)))
    }

    /// Gives the stream back to the standard library, deregistered. It stays nonblocking; call
    /// [`set_nonblocking(false)`](std::net::TcpStream::set_nonblocking) to block on it.
    ///
    /// # Errors
    ///
    /// None: the signature is tokio's.
    pub fn into_std(self) -> io::Result<std::net::TcpStream> {
        Ok(self.io.into_inner())
    }

    /// A second handle to the same connection, registered by itself. The connection is closed when
    /// the last of them is dropped.
    ///
    /// # Errors
    ///
    /// If there is no descriptor left.
    pub fn try_clone(&self) -> io::Result<TcpStream> {
        Ok(TcpStream::from_source(Source::new(self.io.get_ref().try_clone()?)))
    }

    /// Around a socket that is nonblocking already.
    pub(super) fn from_source(io: Source<std::net::TcpStream>) -> TcpStream {
        TcpStream { io }
    }

    read_methods!();
    write_methods!();
    readiness_methods!();

    /// As [`read`](Self::read), but leaves the data where it is, to be read again.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        self.io.read_with(|stream| stream.peek(buf)).await
    }

    /// As [`peek`](Self::peek), for futures written by hand.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn poll_peek(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.io.poll_read_with(cx, |stream| stream.peek(buf))
    }

    /// Two halves that borrow the stream, one to read and one to write.
    pub fn split(&mut self) -> (ReadHalf<'_>, WriteHalf<'_>) {
        split::split(self)
    }

    /// Two halves that own the stream together, one to read and one to write. Dropping the write half
    /// closes the write direction.
    pub fn into_split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
        split::into_split(self)
    }

    /// The address of this end.
    ///
    /// # Errors
    ///
    /// Those of getsockname(2).
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().local_addr()
    }

    /// The address of the other end.
    ///
    /// # Errors
    ///
    /// [`NotConnected`](io::ErrorKind::NotConnected) when the connection is gone, and those of
    /// getpeername(2).
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().peer_addr()
    }

    /// Takes the error that waits on the socket (`SO_ERROR`).
    ///
    /// # Errors
    ///
    /// Those of getsockopt(2).
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.io.get_ref().take_error()
    }

    options! {
        /// Whether small writes are sent at once (`TCP_NODELAY`).
        nodelay
        /// Sends small writes at once, without Nagle's algorithm (`TCP_NODELAY`).
        set_nodelay = TCP_NODELAY: bool;

        /// Whether data is acknowledged at once (`TCP_QUICKACK`).
        quickack
        /// Acknowledges data at once (`TCP_QUICKACK`). The kernel may go back by itself: set it again
        /// after reads if it matters.
        set_quickack = TCP_QUICKACK: bool;

        /// How long closing may block to send the rest (`SO_LINGER`), `None` for not at all.
        linger
        /// Makes closing block until the rest is sent, for at most `linger`, in whole seconds rounded
        /// up (`SO_LINGER`).
        ///
        /// The close, and with it **the thread and all its tasks, blocks** for a duration above zero.
        /// [`set_zero_linger`](Self::set_zero_linger) is the use that is fine.
        set_linger = SO_LINGER: Option<Duration>;

        /// The `IP_TTL` of packets sent.
        ttl
        /// Sets the `IP_TTL` of packets sent.
        set_ttl = IP_TTL: u32;

        /// Whether an idle connection is probed (`SO_KEEPALIVE`).
        keepalive
        /// Probes an idle connection, so that a peer that is gone is noticed (`SO_KEEPALIVE`).
        set_keepalive = SO_KEEPALIVE: bool;

        /// How long the connection is idle before it is probed (`TCP_KEEPIDLE`).
        keepalive_idle
        /// Sets how long the connection is idle before it is probed, in whole seconds rounded up
        /// (`TCP_KEEPIDLE`). The kernel refuses zero and more than 32767 seconds.
        set_keepalive_idle = TCP_KEEPIDLE: Duration;

        /// The time between two probes (`TCP_KEEPINTVL`).
        keepalive_interval
        /// Sets the time between two probes, in whole seconds rounded up (`TCP_KEEPINTVL`). The kernel
        /// refuses zero and more than 32767 seconds.
        set_keepalive_interval = TCP_KEEPINTVL: Duration;

        /// How many probes go unanswered before the connection counts as broken (`TCP_KEEPCNT`).
        keepalive_count
        /// Sets how many probes go unanswered before the connection counts as broken (`TCP_KEEPCNT`).
        /// The kernel refuses zero and more than 127.
        set_keepalive_count = TCP_KEEPCNT: u32;
    }

    /// Makes closing reset the connection and drop what is unsent (`SO_LINGER` of zero).
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    pub fn set_zero_linger(&self) -> io::Result<()> {
        self.set_linger(Some(Duration::ZERO))
    }
}

impl ReadFd for TcpStream {
    type Io = std::net::TcpStream;
    const SHORT_READ_DRAINS: bool = true;

    #[inline]
    fn source(&self) -> &Source<std::net::TcpStream> {
        &self.io
    }

    #[inline]
    fn read_once(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.io.get_ref().read(buf)
    }

    #[inline]
    fn read_once_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.io.get_ref().read_vectored(bufs)
    }
}

impl WriteFd for TcpStream {
    type Io = std::net::TcpStream;

    #[inline]
    fn source(&self) -> &Source<std::net::TcpStream> {
        &self.io
    }

    /// `send(2)` with `MSG_NOSIGNAL`: no `SIGPIPE` is raised.
    #[inline]
    fn write_once(&self, buf: &[u8]) -> io::Result<usize> {
        self.io.get_ref().write(buf)
    }

    #[inline]
    fn write_once_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        sys::send_vectored(self.as_fd(), bufs)
    }

    fn shutdown_once(&self) -> io::Result<()> {
        match self.io.get_ref().shutdown(Shutdown::Write) {
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            result => result,
        }
    }
}

impl Stream for TcpStream {
    type Socket = std::net::TcpStream;
    type Addr = SocketAddr;

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.local_addr()
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.peer_addr()
    }
}

/// What both read halves can, beside what those of every stream can.
macro_rules! peeking_half {
    ($half:ty) => {
        impl $half {
            /// As [`TcpStream::peek`].
            ///
            /// # Errors
            ///
            /// As there.
            ///
            /// # Cancel safety
            ///
            /// Nothing is lost.
            pub async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
                self.as_ref().peek(buf).await
            }

            /// As [`TcpStream::poll_peek`].
            ///
            /// # Errors
            ///
            /// As there.
            pub fn poll_peek(
                &self,
                cx: &mut Context<'_>,
                buf: &mut [u8],
            ) -> Poll<io::Result<usize>> {
                self.as_ref().poll_peek(cx, buf)
            }
        }
    };
}

peeking_half!(ReadHalf<'_>);
peeking_half!(OwnedReadHalf);

impl TryFrom<std::net::TcpStream> for TcpStream {
    type Error = io::Error;

    fn try_from(stream: std::net::TcpStream) -> io::Result<TcpStream> {
        TcpStream::from_std(stream)
    }
}

impl AsFd for TcpStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.io.get_ref().as_fd()
    }
}

impl AsRawFd for TcpStream {
    fn as_raw_fd(&self) -> RawFd {
        self.io.get_ref().as_raw_fd()
    }
}

impl fmt::Debug for TcpStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.io.get_ref().fmt(f)
    }
}
