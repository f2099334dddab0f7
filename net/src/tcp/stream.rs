//! `TcpStream`: reading, writing, readiness, options.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::task::{Context, Poll};
use std::time::Duration;

use runtime_core::io::{Interest, Ready, Source};

use crate::addr::{ToSocketAddrs, resolve};
use crate::options;
use crate::sys;
use crate::tcp::connect::connect_any;
use crate::tcp::split::{self, OwnedReadHalf, OwnedWriteHalf, ReadHalf, WriteHalf};

/// How much `read_to_end` reads as one operation of the task's budget.
const READ_TO_END_CHUNK: usize = 64 * 1024;

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

    /// Reads what is there into `buf`, waiting until there is something; returns how much, 0 at the
    /// end of the stream (or if `buf` is empty).
    ///
    /// # Errors
    ///
    /// Those of recv(2), [`ConnectionReset`](io::ErrorKind::ConnectionReset) among them.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    #[inline]
    pub async fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        self.io.read_stream(buf.len(), |mut stream| stream.read(buf)).await
    }

    /// As [`read`](Self::read), into several buffers: one is filled before the next is begun.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read), of readv(2).
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub async fn read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        // One call takes no more buffers, and the count is compared with what was asked of the call.
        let taken = bufs.len().min(sys::IOV_MAX);
        let bufs = &mut bufs[..taken];
        let len = bufs.iter().map(|buf| buf.len()).sum();
        if len == 0 {
            return Ok(0);
        }
        self.io.read_stream(len, |mut stream| stream.read_vectored(bufs)).await
    }

    /// Reads until `buf` is full and returns its length.
    ///
    /// # Errors
    ///
    /// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) if the stream ends first, else as
    /// [`read`](Self::read). What was read is at the start of `buf`, but how much is not told.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: the bytes that were read already are in `buf`, and how many is not known.
    pub async fn read_exact(&self, buf: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buf.len() {
            match self.read(&mut buf[filled..]).await? {
                0 => return Err(ended_early(filled, buf.len())),
                read => filled += read,
            }
        }
        Ok(filled)
    }

    /// Reads until the end of the stream, appends everything to `buf` and returns how much it was.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read). What was read before has been appended.
    ///
    /// # Cancel safety
    ///
    /// What was read until then has been appended to `buf`: with it, calling again goes on.
    pub async fn read_to_end(&self, buf: &mut Vec<u8>) -> io::Result<usize> {
        let start = buf.len();
        loop {
            // std appends straight to the vector's spare room, and what it has appended stays there
            // when the call ends in `WouldBlock`, so a repeated call goes on where this one stopped.
            let read = |stream: &std::net::TcpStream| {
                stream.take(READ_TO_END_CHUNK as u64).read_to_end(buf)
            };
            let last = self.io.read_with(read).await?;
            if last < READ_TO_END_CHUNK {
                return Ok(buf.len() - start);
            }
        }
    }

    /// Reads until the end of the stream, appends everything to `buf` and returns how many bytes it
    /// was.
    ///
    /// # Errors
    ///
    /// [`InvalidData`](io::ErrorKind::InvalidData) if it is not UTF-8, else as
    /// [`read`](Self::read). `buf` is as before then, and what was read is lost.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: what was read until then is lost.
    pub async fn read_to_string(&self, buf: &mut String) -> io::Result<usize> {
        let mut bytes = Vec::new();
        self.read_to_end(&mut bytes).await?;
        let text = std::str::from_utf8(&bytes).map_err(|error| {
            io::Error::new(io::ErrorKind::InvalidData, format!("the stream is not text: {error}"))
        })?;
        buf.push_str(text);
        Ok(text.len())
    }

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

    /// Writes as much of `buf` as there is room for, waiting until there is some; returns how much.
    ///
    /// # Errors
    ///
    /// Those of send(2): [`BrokenPipe`](io::ErrorKind::BrokenPipe) once the connection is closed. No
    /// `SIGPIPE` is raised.
    ///
    /// # Cancel safety
    ///
    /// Nothing is written by a future that is dropped before it is ready.
    #[inline]
    pub async fn write(&self, buf: &[u8]) -> io::Result<usize> {
        self.io.write_with(|mut stream| stream.write(buf)).await
    }

    /// As [`write`](Self::write), from several buffers, one after another.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write), of sendmsg(2).
    ///
    /// # Cancel safety
    ///
    /// Nothing is written by a future that is dropped before it is ready.
    pub async fn write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.io.write_with(|stream| sys::send_vectored(stream.as_fd(), bufs)).await
    }

    /// Writes all of `buf`.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write). Part of `buf` may have been written.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: part of `buf` may have been written, and how much is not known.
    pub async fn write_all(&self, mut buf: &[u8]) -> io::Result<()> {
        while !buf.is_empty() {
            match self.write(buf).await? {
                0 => return Err(wrote_nothing()),
                written => buf = &buf[written..],
            }
        }
        Ok(())
    }

    /// Does nothing, as nothing is buffered here.
    ///
    /// # Errors
    ///
    /// None.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub async fn flush(&self) -> io::Result<()> {
        Ok(())
    }

    /// Closes the write direction: the peer reads the end of the stream after what was written. The
    /// read direction stays open. A connection that is gone already is fine.
    ///
    /// # Errors
    ///
    /// Those of shutdown(2), without `ENOTCONN`.
    ///
    /// # Cancel safety
    ///
    /// It is done at the first poll.
    pub async fn shutdown(&self) -> io::Result<()> {
        self.shut_write_down()
    }

    pub(super) fn shut_write_down(&self) -> io::Result<()> {
        match self.io.get_ref().shutdown(Shutdown::Write) {
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            result => result,
        }
    }

    /// Waits until a read would not block: data, the end, or an error is there.
    ///
    /// It may be so for another task too, or no longer when this one comes to it: follow with
    /// [`try_read`](Self::try_read), and wait again on `WouldBlock`.
    ///
    /// # Errors
    ///
    /// If the socket cannot be registered with the runtime.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub async fn readable(&self) -> io::Result<()> {
        self.io.readable().await
    }

    /// Waits until a write would not block: there is room, or an error. As
    /// [`readable`](Self::readable) otherwise.
    ///
    /// # Errors
    ///
    /// If the socket cannot be registered with the runtime.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub async fn writable(&self) -> io::Result<()> {
        self.io.writable().await
    }

    /// Waits until anything of `interest` is so, and returns what is. As
    /// [`readable`](Self::readable) otherwise.
    ///
    /// # Errors
    ///
    /// If the socket cannot be registered with the runtime.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        self.io.ready(interest).await
    }

    /// As [`readable`](Self::readable), for futures written by hand.
    ///
    /// # Errors
    ///
    /// If the socket cannot be registered with the runtime.
    pub fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io.poll_read_ready(cx)
    }

    /// As [`writable`](Self::writable), for futures written by hand.
    ///
    /// # Errors
    ///
    /// If the socket cannot be registered with the runtime.
    pub fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io.poll_write_ready(cx)
    }

    /// Reads what is there now.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if there is nothing, else as [`read`](Self::read).
    pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.io.try_io(Interest::READABLE, |mut stream| stream.read(buf))
    }

    /// As [`try_read`](Self::try_read), into several buffers.
    ///
    /// # Errors
    ///
    /// As [`try_read`](Self::try_read).
    pub fn try_read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.io.try_io(Interest::READABLE, |mut stream| stream.read_vectored(bufs))
    }

    /// Writes as much of `buf` as there is room for now.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if there is none, else as [`write`](Self::write).
    pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        self.io.try_io(Interest::WRITABLE, |mut stream| stream.write(buf))
    }

    /// As [`try_write`](Self::try_write), from several buffers.
    ///
    /// # Errors
    ///
    /// As [`try_write`](Self::try_write).
    pub fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.io.try_io(Interest::WRITABLE, |stream| sys::send_vectored(stream.as_fd(), bufs))
    }

    /// Does an operation of the caller's own on the socket, once and now. When it fails with
    /// `WouldBlock`, the runtime takes note that the socket is not ready.
    ///
    /// # Errors
    ///
    /// Those of `op`. It must return [`WouldBlock`](io::ErrorKind::WouldBlock) only when the socket
    /// has said so for the directions in `interest`.
    pub fn try_io<R>(
        &self,
        interest: Interest,
        op: impl FnOnce() -> io::Result<R>,
    ) -> io::Result<R> {
        self.io.try_io(interest, |_| op())
    }

    /// Does an operation of the caller's own on the socket, waiting for `interest` and repeating it
    /// while it fails with [`WouldBlock`](io::ErrorKind::WouldBlock).
    ///
    /// # Errors
    ///
    /// Those of `op`, and if the socket cannot be registered with the runtime.
    ///
    /// # Cancel safety
    ///
    /// The future waits only between calls of `op`.
    pub async fn async_io<R>(
        &self,
        interest: Interest,
        mut op: impl FnMut() -> io::Result<R>,
    ) -> io::Result<R> {
        loop {
            self.io.ready(interest).await?;
            match self.io.try_io(interest, |_| op()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result,
            }
        }
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

    /// Whether small writes are sent at once (`TCP_NODELAY`).
    ///
    /// # Errors
    ///
    /// Those of getsockopt(2).
    pub fn nodelay(&self) -> io::Result<bool> {
        self.io.get_ref().nodelay()
    }

    /// Sends small writes at once, without Nagle's algorithm (`TCP_NODELAY`).
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.io.get_ref().set_nodelay(nodelay)
    }

    /// Whether data is acknowledged at once (`TCP_QUICKACK`).
    ///
    /// # Errors
    ///
    /// Those of getsockopt(2).
    pub fn quickack(&self) -> io::Result<bool> {
        options::flag(self.as_fd(), &sys::TCP_QUICKACK)
    }

    /// Acknowledges data at once (`TCP_QUICKACK`). The kernel may go back by itself: set it again
    /// after reads if it matters.
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    pub fn set_quickack(&self, quickack: bool) -> io::Result<()> {
        options::set_flag(self.as_fd(), &sys::TCP_QUICKACK, quickack)
    }

    /// How long closing may block to send the rest (`SO_LINGER`), `None` for not at all.
    ///
    /// # Errors
    ///
    /// Those of getsockopt(2).
    pub fn linger(&self) -> io::Result<Option<Duration>> {
        options::linger(self.as_fd())
    }

    /// Makes closing block until the rest is sent, for at most `linger`, in whole seconds rounded up
    /// (`SO_LINGER`).
    ///
    /// The close, and with it **the thread and all its tasks, blocks** for a duration above zero.
    /// [`set_zero_linger`](Self::set_zero_linger) is the use that is fine.
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    pub fn set_linger(&self, linger: Option<Duration>) -> io::Result<()> {
        options::set_linger(self.as_fd(), linger)
    }

    /// Makes closing reset the connection and drop what is unsent (`SO_LINGER` of zero).
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    pub fn set_zero_linger(&self) -> io::Result<()> {
        self.set_linger(Some(Duration::ZERO))
    }

    /// The `IP_TTL` of packets sent.
    ///
    /// # Errors
    ///
    /// Those of getsockopt(2).
    pub fn ttl(&self) -> io::Result<u32> {
        self.io.get_ref().ttl()
    }

    /// Sets the `IP_TTL` of packets sent.
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.io.get_ref().set_ttl(ttl)
    }

    /// Whether an idle connection is probed (`SO_KEEPALIVE`).
    ///
    /// # Errors
    ///
    /// Those of getsockopt(2).
    pub fn keepalive(&self) -> io::Result<bool> {
        options::flag(self.as_fd(), &sys::SO_KEEPALIVE)
    }

    /// Probes an idle connection, so that a peer that is gone is noticed (`SO_KEEPALIVE`).
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    pub fn set_keepalive(&self, keepalive: bool) -> io::Result<()> {
        options::set_flag(self.as_fd(), &sys::SO_KEEPALIVE, keepalive)
    }

    /// How long the connection is idle before it is probed (`TCP_KEEPIDLE`).
    ///
    /// # Errors
    ///
    /// Those of getsockopt(2).
    pub fn keepalive_idle(&self) -> io::Result<Duration> {
        options::seconds(self.as_fd(), &sys::TCP_KEEPIDLE)
    }

    /// Sets how long the connection is idle before it is probed, in whole seconds rounded up
    /// (`TCP_KEEPIDLE`).
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2): zero and more than 32767 seconds are refused.
    pub fn set_keepalive_idle(&self, idle: Duration) -> io::Result<()> {
        options::set_seconds(self.as_fd(), &sys::TCP_KEEPIDLE, idle)
    }

    /// The time between two probes (`TCP_KEEPINTVL`).
    ///
    /// # Errors
    ///
    /// Those of getsockopt(2).
    pub fn keepalive_interval(&self) -> io::Result<Duration> {
        options::seconds(self.as_fd(), &sys::TCP_KEEPINTVL)
    }

    /// Sets the time between two probes, in whole seconds rounded up (`TCP_KEEPINTVL`).
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2): zero and more than 32767 seconds are refused.
    pub fn set_keepalive_interval(&self, interval: Duration) -> io::Result<()> {
        options::set_seconds(self.as_fd(), &sys::TCP_KEEPINTVL, interval)
    }

    /// How many probes go unanswered before the connection counts as broken (`TCP_KEEPCNT`).
    ///
    /// # Errors
    ///
    /// Those of getsockopt(2).
    pub fn keepalive_count(&self) -> io::Result<u32> {
        options::number(self.as_fd(), &sys::TCP_KEEPCNT)
    }

    /// Sets how many probes go unanswered before the connection counts as broken (`TCP_KEEPCNT`).
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2): zero and more than 127 are refused.
    pub fn set_keepalive_count(&self, count: u32) -> io::Result<()> {
        options::set_number(self.as_fd(), &sys::TCP_KEEPCNT, count)
    }
}

#[cold]
fn ended_early(filled: usize, wanted: usize) -> io::Error {
    let text = format!("the stream ended after {filled} of {wanted} bytes");
    io::Error::new(io::ErrorKind::UnexpectedEof, text)
}

#[cold]
fn wrote_nothing() -> io::Error {
    io::Error::new(io::ErrorKind::WriteZero, "the socket took no byte of a write that had some")
}

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
