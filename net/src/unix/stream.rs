//! `UnixStream`: connecting, reading, writing, passing descriptors.

use std::io::{self, IoSlice, IoSliceMut, Read};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net;
use std::path::Path;
use std::task::{Context, Poll};

use runtime_core::io::{Interest, ReadFd, Ready, Source, WriteFd};

use crate::fd_traits::std_socket;
use crate::methods::{read_methods, readiness_methods, write_methods};
use crate::split::{self, Stream};
use crate::sys::{self, UnixKind};
use crate::unix::connect::connect_new;
use crate::unix::fds::fd_methods;
use crate::unix::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, SocketAddr, UCred, WithFds, WriteHalf};

/// A connection of Unix sockets that carries bytes.
///
/// Every operation takes `&self`: one task may read while another writes, through `&`, `Rc` or
/// `Arc`, or through the [halves](Self::into_split). Dropping the stream closes the connection; the
/// peer still reads what was written. If bytes are left unread here then, the peer's reads fail with
/// [`ConnectionReset`](io::ErrorKind::ConnectionReset), once.
///
/// # Examples
///
/// ```
/// # runtime::block_on(async {
/// let (ours, theirs) = runtime::net::UnixStream::pair()?;
/// ours.write_all(b"hello").await?;
/// ours.shutdown().await?;
/// let mut text = String::new();
/// theirs.read_to_string(&mut text).await?;
/// assert_eq!(text, "hello");
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub struct UnixStream {
    io: Source<net::UnixStream>,
}

impl UnixStream {
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
    /// let stream = runtime::net::UnixStream::connect("/run/hello").await?;
    /// stream.write_all(b"hello").await?;
    /// # Ok(()) }
    /// ```
    #[inline]
    pub async fn connect<P: AsRef<Path>>(path: P) -> io::Result<UnixStream> {
        UnixStream::connect_addr(&SocketAddr::of(path)?).await
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
    pub async fn connect_addr(addr: &SocketAddr) -> io::Result<UnixStream> {
        connect_new(UnixKind::Stream, addr).await.map(UnixStream::from_nonblocking)
    }

    /// Two streams without names, connected to each other.
    ///
    /// # Errors
    ///
    /// Those of socketpair(2).
    #[inline]
    pub fn pair() -> io::Result<(UnixStream, UnixStream)> {
        let (one, other) = sys::unix_pair(UnixKind::Stream)?;
        Ok((UnixStream::from_nonblocking(one), UnixStream::from_nonblocking(other)))
    }

    /// Takes over a stream of the standard library and makes it nonblocking. Neither system call nor
    /// runtime is needed beyond that.
    ///
    /// # Errors
    ///
    /// If the socket cannot be made nonblocking.
    #[inline]
    pub fn from_std(stream: net::UnixStream) -> io::Result<UnixStream> {
        stream.set_nonblocking(true)?;
        Ok(UnixStream { io: Source::new(stream) })
    }

    /// Gives the stream back to the standard library, deregistered. It stays nonblocking; call
    /// [`set_nonblocking(false)`](net::UnixStream::set_nonblocking) to block on it.
    ///
    /// # Errors
    ///
    /// None: the signature is tokio's.
    #[inline]
    pub fn into_std(self) -> io::Result<net::UnixStream> {
        Ok(self.io.into_inner())
    }

    /// A second handle to the same connection, registered by itself. The connection is closed when
    /// the last of them is dropped.
    ///
    /// # Errors
    ///
    /// If there is no descriptor left.
    #[inline]
    pub fn try_clone(&self) -> io::Result<UnixStream> {
        Ok(UnixStream { io: Source::new(self.io.get_ref().try_clone()?) })
    }

    #[inline]
    pub(super) fn from_nonblocking(socket: OwnedFd) -> UnixStream {
        UnixStream { io: Source::new(socket.into()) }
    }

    read_methods!();
    write_methods!();
    readiness_methods!();
    fd_methods!(UnixKind::Stream);

    /// Two halves that borrow the stream, one to read and one to write.
    #[inline]
    pub fn split(&mut self) -> (ReadHalf<'_>, WriteHalf<'_>) {
        split::split(self)
    }

    /// Two halves that own the stream together, one to read and one to write. Dropping the write half
    /// closes the write direction.
    #[inline]
    pub fn into_split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
        split::into_split(self)
    }

    /// The name of this end.
    ///
    /// # Errors
    ///
    /// Those of getsockname(2).
    #[inline]
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().local_addr().map(SocketAddr::from)
    }

    /// The name of the other end: of one that has connected, as a rule none.
    ///
    /// # Errors
    ///
    /// Those of getpeername(2).
    #[inline]
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().peer_addr().map(SocketAddr::from)
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

    /// Takes the error that waits on the socket (`SO_ERROR`).
    ///
    /// # Errors
    ///
    /// Those of getsockopt(2).
    #[inline]
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.io.get_ref().take_error()
    }
}

/// A short read proves nothing here: it ends where descriptors were passed.
impl ReadFd for UnixStream {
    type Io = net::UnixStream;

    #[inline]
    fn source(&self) -> &Source<net::UnixStream> {
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

impl WriteFd for UnixStream {
    type Io = net::UnixStream;

    #[inline]
    fn source(&self) -> &Source<net::UnixStream> {
        &self.io
    }

    #[inline]
    fn write_once(&self, buf: &[u8]) -> io::Result<usize> {
        sys::send(self.io.get_ref(), buf)
    }

    #[inline]
    fn write_once_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        sys::send_vectored(self.as_fd(), bufs)
    }

    #[inline]
    fn shutdown_once(&self) -> io::Result<()> {
        match self.io.get_ref().shutdown(Shutdown::Write) {
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            result => result,
        }
    }
}

impl AsRef<UnixStream> for UnixStream {
    #[inline]
    fn as_ref(&self) -> &UnixStream {
        self
    }
}

impl Stream for UnixStream {
    type Socket = net::UnixStream;
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

std_socket!(UnixStream, io: net::UnixStream);
