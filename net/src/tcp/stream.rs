//! `TcpStream`: reading, writing, readiness, options.

use std::io::{self, IoSlice, IoSliceMut, Read};
use std::net::{Shutdown, SocketAddr};
use std::os::fd::AsFd;
use std::task::{Context, Poll};
use std::time::Duration;

use runtime_core::io::{Interest, ReadFd, Ready, Source, WriteFd};

use crate::addr::{ToSocketAddrs, resolve};
use crate::fd_traits::std_socket;
use crate::methods::{read_methods, readiness_methods, write_methods};
use crate::split::{self, Stream};
use crate::sys;
use crate::tcp::connect::connect_any;
use crate::tcp::options::tcp_options;
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
    /// Connects to the first of the addresses that answers.
    ///
    /// Several addresses, of a name or a slice, are tried as [RFC 8305] says ("happy eyeballs"): in
    /// order, with IPv6 and IPv4 taking turns; the next one when one has failed, or after 250 ms
    /// beside those under way. The first to connect wins, and the others are closed.
    ///
    /// [RFC 8305]: https://www.rfc-editor.org/rfc/rfc8305
    ///
    /// # Errors
    ///
    /// What the address failed with, naming it. Of several addresses the text lists every one with its
    /// error, and the kind is that of the last that could be reached. Or the look-up's error.
    ///
    /// An address that never answers is given up after two minutes or so, by the kernel
    /// ([`TimedOut`](io::ErrorKind::TimedOut)); put a timeout of your own around it.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives all attempts up and closes their sockets.
    #[inline]
    pub async fn connect<A: ToSocketAddrs>(addr: A) -> io::Result<TcpStream> {
        connect_any(resolve(&addr).await?).await
    }

    /// Takes over a stream of the standard library and makes it nonblocking. Neither system call nor
    /// runtime is needed beyond that.
    ///
    /// # Errors
    ///
    /// If the socket cannot be made nonblocking.
    #[inline]
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
    #[inline]
    pub fn into_std(self) -> io::Result<std::net::TcpStream> {
        Ok(self.io.into_inner())
    }

    /// A second handle to the same connection, registered by itself. The connection is closed when
    /// the last of them is dropped.
    ///
    /// # Errors
    ///
    /// If there is no descriptor left.
    #[inline]
    pub fn try_clone(&self) -> io::Result<TcpStream> {
        Ok(TcpStream::from_source(Source::new(self.io.get_ref().try_clone()?)))
    }

    /// Around a socket that is nonblocking already.
    #[inline]
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
    ///
    /// # Examples
    ///
    /// ```
    /// # runtime::block_on(async {
    /// # use runtime::net::{TcpListener, TcpStream};
    /// let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let client = TcpStream::connect(listener.local_addr()?).await?;
    /// let (server, _) = listener.accept().await?;
    /// client.write_all(b"GET /").await?;
    /// let mut first = [0; 1];
    /// server.peek(&mut first).await?;
    /// assert_eq!(&first, b"G"); // which protocol it is
    /// let mut all = [0; 5];
    /// server.read_exact(&mut all).await?;
    /// assert_eq!(&all, b"GET /");
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    #[inline]
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
    #[inline]
    pub fn poll_peek(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.io.poll_read_with(cx, |stream| stream.peek(buf))
    }

    /// Two halves that borrow the stream, one to read and one to write.
    #[inline]
    pub fn split(&mut self) -> (ReadHalf<'_>, WriteHalf<'_>) {
        split::split(self)
    }

    /// Two halves that own the stream together, one to read and one to write. Dropping the write half
    /// closes the write direction.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn example() -> std::io::Result<()> {
    /// let stream = runtime::net::TcpStream::connect("example.com:80").await?;
    /// let (reader, writer) = stream.into_split();
    /// runtime::spawn(async move { writer.write_all(b"GET / HTTP/1.0\r\n\r\n").await });
    /// let mut answer = Vec::new();
    /// reader.read_to_end(&mut answer).await?;
    /// # Ok(()) }
    /// ```
    #[inline]
    pub fn into_split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
        split::into_split(self)
    }

    /// The address of this end.
    ///
    /// # Errors
    ///
    /// Those of getsockname(2).
    #[inline]
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().local_addr()
    }

    /// The address of the other end.
    ///
    /// # Errors
    ///
    /// [`NotConnected`](io::ErrorKind::NotConnected) when the connection is gone, and those of
    /// getpeername(2).
    #[inline]
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().peer_addr()
    }

    tcp_options!();
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
        sys::recv(self.io.get_ref(), buf)
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
        sys::send(self.io.get_ref(), buf).map_err(while_connecting)
    }

    #[inline]
    fn write_once_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        sys::send_vectored(self.as_fd(), bufs).map_err(while_connecting)
    }

    #[inline]
    fn shutdown_once(&self) -> io::Result<()> {
        match self.io.get_ref().shutdown(Shutdown::Write) {
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            result => result,
        }
    }
}

/// With fast open the first write connects. If its data cannot go with the first packet, it is to come
/// again once the connection stands.
#[cold]
fn while_connecting(error: io::Error) -> io::Error {
    if sys::is_connecting(&error) { io::ErrorKind::WouldBlock.into() } else { error }
}

impl Stream for TcpStream {
    type Socket = std::net::TcpStream;
    type Addr = SocketAddr;

    #[inline]
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.local_addr()
    }

    #[inline]
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
            #[inline]
            pub async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
                self.as_ref().peek(buf).await
            }

            /// As [`TcpStream::poll_peek`].
            ///
            /// # Errors
            ///
            /// As there.
            #[inline]
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

impl AsRef<TcpStream> for TcpStream {
    #[inline]
    fn as_ref(&self) -> &TcpStream {
        self
    }
}

std_socket!(TcpStream, io: std::net::TcpStream);
