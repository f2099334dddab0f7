//! `UdpSocket`: datagrams to and from anybody, or one peer.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::task::{Context, Poll};

use runtime_core::io::{Interest, Ready, Source};

use super::segments::Gso;
use crate::addr::{ToSocketAddrs, first_of, no_address, resolve};
use crate::error::explain;
use crate::fd_traits::std_socket;
use crate::methods::{message_readiness_methods, readiness_methods};
use crate::sys::{self, Family};

/// A UDP socket.
///
/// A datagram is sent and received whole: what does not fit the buffer given to a receive is cut
/// off and lost. Every operation takes `&self`, so tasks share the socket by `&`, `Rc` or `Arc`.
///
/// # Examples
///
/// ```no_run
/// # async fn example() -> std::io::Result<()> {
/// let socket = runtime::net::UdpSocket::bind("127.0.0.1:9000").await?;
/// let mut buf = [0; 65536];
/// loop {
///     let (len, peer) = socket.recv_from(&mut buf).await?;
///     socket.send_to(&buf[..len], peer).await?;
/// }
/// # }
/// ```
///
/// With one peer, and what there is besides `send` and `recv`:
///
/// ```
/// use std::io::{ErrorKind, IoSlice};
/// use runtime::net::UdpSocket;
///
/// # runtime::block_on(async {
/// let server = UdpSocket::bind("127.0.0.1:0").await?;
/// let client = UdpSocket::bind("127.0.0.1:0").await?;
/// client.connect(server.local_addr()?).await?;
///
/// client.send(b"one").await?;
/// client.send_vectored(&[IoSlice::new(b"t"), IoSlice::new(b"wo")]).await?;
///
/// let mut buf = [0; 64];
/// assert_eq!(server.peek_sender().await?, client.local_addr()?);
/// assert_eq!(server.peek(&mut buf).await?, 3); // and it is still there
/// let (len, sender) = server.peek_from(&mut buf).await?;
/// assert_eq!((&buf[..len], sender), (&b"one"[..], client.local_addr()?));
/// assert_eq!(server.recv(&mut buf).await?, 3);
/// server.readable().await?;
/// assert_eq!(server.try_recv(&mut buf)?, 3);
/// assert_eq!(server.try_recv(&mut buf).unwrap_err().kind(), ErrorKind::WouldBlock);
/// client.writable().await?;
/// assert_eq!(client.try_send(b"three")?, 5);
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub struct UdpSocket {
    pub(crate) io: Source<std::net::UdpSocket>,
    pub(super) gso: Gso,
}

impl UdpSocket {
    /// Binds a socket to the first of the addresses that can be; port 0 picks a free one.
    ///
    /// # Errors
    ///
    /// The last address's error, which names the address; or the look-up's.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost: only the look-up of a name waits.
    #[inline]
    pub async fn bind<A: ToSocketAddrs>(addr: A) -> io::Result<UdpSocket> {
        first_of(resolve(&addr).await?, |addr| {
            std::net::UdpSocket::bind(addr)
                .and_then(UdpSocket::from_std)
                .map_err(|error| explain(error, format_args!("binding a UDP socket to {addr}")))
        })
    }

    /// A socket for IPv4 that is not bound, for options that must be set before
    /// [`bind_to`](Self::bind_to). Sending binds it to a free port.
    ///
    /// # Errors
    ///
    /// Those of socket(2).
    ///
    /// # Examples
    ///
    /// ```
    /// # fn example() -> std::io::Result<()> {
    /// // Every process that does the same gets each datagram of the group.
    /// let socket = runtime::net::UdpSocket::unbound_v4()?;
    /// socket.set_reuseaddr(true)?;
    /// socket.bind_to("0.0.0.0:5353".parse().unwrap())?;
    /// socket.join_multicast_v4("224.0.0.251".parse().unwrap(), "0.0.0.0".parse().unwrap())?;
    /// # Ok(()) }
    /// ```
    #[inline]
    pub fn unbound_v4() -> io::Result<UdpSocket> {
        Ok(UdpSocket::new(sys::udp_socket(Family::V4)?.into()))
    }

    /// As [`unbound_v4`](Self::unbound_v4), for IPv6.
    ///
    /// # Errors
    ///
    /// As there.
    #[inline]
    pub fn unbound_v6() -> io::Result<UdpSocket> {
        Ok(UdpSocket::new(sys::udp_socket(Family::V6)?.into()))
    }

    /// Binds a socket that is not bound yet.
    ///
    /// # Errors
    ///
    /// Those of bind(2), naming the address.
    #[inline]
    pub fn bind_to(&self, addr: SocketAddr) -> io::Result<()> {
        sys::bind(self.as_fd(), addr)
            .map_err(|error| explain(error, format_args!("binding a UDP socket to {addr}")))
    }

    #[inline]
    fn new(socket: std::net::UdpSocket) -> UdpSocket {
        UdpSocket { io: Source::new(socket), gso: Gso::new() }
    }

    /// Sets the peer: [`send`](Self::send) goes there, and only its datagrams are received. Nothing
    /// is sent.
    ///
    /// # Errors
    ///
    /// The last address's error, which names the address; or the look-up's.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost: only the look-up of a name waits.
    #[inline]
    pub async fn connect<A: ToSocketAddrs>(&self, addr: A) -> io::Result<()> {
        first_of(resolve(&addr).await?, |addr| {
            let connected = self.io.get_ref().connect(addr);
            connected.map_err(|error| explain(error, format_args!("setting the peer {addr}")))
        })
    }

    /// Takes over a socket of the standard library and makes it nonblocking. Neither system call nor
    /// runtime is needed beyond that.
    ///
    /// # Errors
    ///
    /// If the socket cannot be made nonblocking.
    #[inline]
    pub fn from_std(socket: std::net::UdpSocket) -> io::Result<UdpSocket> {
        socket.set_nonblocking(true)?;
        Ok(UdpSocket::new(socket))
    }

    /// Gives the socket back to the standard library, deregistered. It stays nonblocking.
    ///
    /// # Errors
    ///
    /// None: the signature is tokio's.
    #[inline]
    pub fn into_std(self) -> io::Result<std::net::UdpSocket> {
        Ok(self.io.into_inner())
    }

    /// A second handle to the same socket, registered by itself.
    ///
    /// # Errors
    ///
    /// If there is no descriptor left.
    #[inline]
    pub fn try_clone(&self) -> io::Result<UdpSocket> {
        Ok(UdpSocket::new(self.io.get_ref().try_clone()?))
    }

    /// Sends a datagram to the peer set by [`connect`](Self::connect); returns its length.
    ///
    /// # Errors
    ///
    /// Those of send(2). [`ConnectionRefused`](io::ErrorKind::ConnectionRefused) is the answer to an
    /// earlier datagram.
    ///
    /// # Cancel safety
    ///
    /// Nothing is sent by a future that is dropped before it is ready.
    #[inline]
    pub async fn send(&self, buf: &[u8]) -> io::Result<usize> {
        self.io.write_with(|socket| socket.send(buf)).await
    }

    /// As [`send`](Self::send), for futures written by hand.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    #[inline]
    pub fn poll_send(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.io.poll_write_with(cx, |socket| socket.send(buf))
    }

    /// As [`send`](Self::send), if there is room now.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if there is none, else as [`send`](Self::send).
    #[inline]
    pub fn try_send(&self, buf: &[u8]) -> io::Result<usize> {
        self.io.try_io(Interest::WRITABLE, |socket| socket.send(buf))
    }

    /// Sends a datagram to the first of the addresses of `target`; returns its length.
    ///
    /// # Errors
    ///
    /// Those of sendto(2), and the look-up's.
    ///
    /// # Cancel safety
    ///
    /// Nothing is sent by a future that is dropped before it is ready.
    #[inline]
    pub async fn send_to<A: ToSocketAddrs>(&self, buf: &[u8], target: A) -> io::Result<usize> {
        let target = resolve(&target).await?.next().ok_or_else(no_address)?;
        self.io.write_with(|socket| socket.send_to(buf, target)).await
    }

    /// As [`send_to`](Self::send_to), for futures written by hand.
    ///
    /// # Errors
    ///
    /// Those of sendto(2).
    #[inline]
    pub fn poll_send_to(
        &self,
        cx: &mut Context<'_>,
        buf: &[u8],
        target: SocketAddr,
    ) -> Poll<io::Result<usize>> {
        self.io.poll_write_with(cx, |socket| socket.send_to(buf, target))
    }

    /// As [`send_to`](Self::send_to), if there is room now.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if there is none, else those of sendto(2).
    #[inline]
    pub fn try_send_to(&self, buf: &[u8], target: SocketAddr) -> io::Result<usize> {
        self.io.try_io(Interest::WRITABLE, |socket| socket.send_to(buf, target))
    }

    /// As [`send`](Self::send), of a datagram from several buffers.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send), and [`InvalidInput`](io::ErrorKind::InvalidInput) of more than 1024
    /// buffers.
    ///
    /// # Cancel safety
    ///
    /// Nothing is sent by a future that is dropped before it is ready.
    #[inline]
    pub async fn send_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.io.write_with(|socket| sys::send_gathered(socket.as_fd(), bufs)).await
    }

    /// Receives a datagram; returns how much of it is in `buf`. A datagram may be empty, and an empty
    /// `buf` takes one too.
    ///
    /// # Errors
    ///
    /// Those of recv(2): on a connected socket
    /// [`ConnectionRefused`](io::ErrorKind::ConnectionRefused), once per datagram that nobody took.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    #[inline]
    pub async fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.io.read_with(|socket| socket.recv(buf)).await
    }

    /// As [`recv`](Self::recv), for futures written by hand.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    #[inline]
    pub fn poll_recv(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.io.poll_read_with(cx, |socket| socket.recv(buf))
    }

    /// As [`recv`](Self::recv), if there is a datagram now.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if there is none, else as [`recv`](Self::recv).
    #[inline]
    pub fn try_recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.io.try_io(Interest::READABLE, |socket| socket.recv(buf))
    }

    /// As [`recv`](Self::recv), into several buffers, at most 1024, one after another.
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
        let mut receive = |socket: BorrowedFd<'_>| {
            sys::receive_message(socket, bufs, &mut sys::Control::<0>::new(), 0, 0)
        };
        self.io.read_with(|socket| receive(socket.as_fd())).await.map(|received| received.len)
    }

    /// As [`recv`](Self::recv), with the address the datagram came from.
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
        self.io.read_with(|socket| socket.recv_from(buf)).await
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
        self.io.poll_read_with(cx, |socket| socket.recv_from(buf))
    }

    /// As [`recv_from`](Self::recv_from), if there is a datagram now.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if there is none, else as [`recv`](Self::recv).
    #[inline]
    pub fn try_recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.io.try_io(Interest::READABLE, |socket| socket.recv_from(buf))
    }

    /// As [`recv`](Self::recv), but leaves the datagram to be received again, whole.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    #[inline]
    pub async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.io.read_with(|socket| socket.peek(buf)).await
    }

    /// As [`peek`](Self::peek), for futures written by hand.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    #[inline]
    pub fn poll_peek(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.io.poll_read_with(cx, |socket| socket.peek(buf))
    }

    /// As [`peek`](Self::peek), if there is a datagram now.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if there is none, else as [`recv`](Self::recv).
    #[inline]
    pub fn try_peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.io.try_io(Interest::READABLE, |socket| socket.peek(buf))
    }

    /// As [`peek`](Self::peek), with the address the datagram came from.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    #[inline]
    pub async fn peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.io.read_with(|socket| socket.peek_from(buf)).await
    }

    /// As [`peek_from`](Self::peek_from), for futures written by hand.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    #[inline]
    pub fn poll_peek_from(
        &self,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<(usize, SocketAddr)>> {
        self.io.poll_read_with(cx, |socket| socket.peek_from(buf))
    }

    /// As [`peek_from`](Self::peek_from), if there is a datagram now.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if there is none, else as [`recv`](Self::recv).
    #[inline]
    pub fn try_peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.io.try_io(Interest::READABLE, |socket| socket.peek_from(buf))
    }

    /// The address the next datagram comes from; the datagram is left to be received.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    #[inline]
    pub async fn peek_sender(&self) -> io::Result<SocketAddr> {
        Ok(self.peek_from(&mut []).await?.1)
    }

    /// Polls for [`peek_sender`](Self::peek_sender); every task that polled is woken by the next event.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    #[inline]
    pub fn poll_peek_sender(&self, cx: &mut Context<'_>) -> Poll<io::Result<SocketAddr>> {
        self.poll_peek_from(cx, &mut []).map_ok(|(_, sender)| sender)
    }

    /// As [`peek_sender`](Self::peek_sender), if there is a datagram now.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if there is none, else as [`recv`](Self::recv).
    #[inline]
    pub fn try_peek_sender(&self) -> io::Result<SocketAddr> {
        self.try_peek_from(&mut []).map(|(_, sender)| sender)
    }

    message_readiness_methods!();
    readiness_methods!();

    /// The address bound to: with it the port that port 0 became.
    ///
    /// # Errors
    ///
    /// Those of getsockname(2).
    #[inline]
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().local_addr()
    }

    /// The address set by [`connect`](Self::connect).
    ///
    /// # Errors
    ///
    /// [`NotConnected`](io::ErrorKind::NotConnected) if none was, and those of getpeername(2).
    #[inline]
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().peer_addr()
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

std_socket!(UdpSocket, io: std::net::UdpSocket);
