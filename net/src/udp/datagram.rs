//! `Datagram` and `Received`: a datagram and what goes along with it, out and in.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// A datagram to send, or several of one size in one buffer: see
/// [`send_many`](crate::UdpSocket::send_many).
///
/// # Examples
///
/// ```
/// use runtime::net::udp::Datagram;
///
/// let peer = "192.0.2.1:443".parse().unwrap();
/// let datagram = Datagram::new(b"hello").to(peer).tos(0b10);
/// assert_eq!(datagram.to, Some(peer));
///
/// // Two datagrams of 1200 bytes and one of 100, from an address of ours.
/// let segments = Datagram::new(&[0; 2500]).segment_size(1200).from([192, 0, 2, 7].into());
/// assert_eq!(segments.segment_size, Some(1200));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Datagram<'a> {
    /// What to send.
    pub contents: &'a [u8],
    /// Where to; `None` is the peer set by [`connect`](crate::UdpSocket::connect).
    pub to: Option<SocketAddr>,
    /// The address of this machine to send from; `None` leaves the choice to the kernel. On a socket
    /// bound to all addresses this is how an answer comes from the address that was asked:
    /// [`Received::to`]. The kernel passes over an address of the other family.
    pub from: Option<IpAddr>,
    /// The type of service (IPv4) or traffic class (IPv6), whose low two bits are ECN; `None` is the
    /// socket's.
    pub tos: Option<u8>,
    /// The bytes of each datagram that `contents` is to be cut into; the last may be shorter. `None`
    /// does not cut.
    pub segment_size: Option<usize>,
}

impl<'a> Datagram<'a> {
    /// A datagram to the socket's peer, with nothing special about it.
    #[inline]
    pub fn new(contents: &'a [u8]) -> Datagram<'a> {
        Datagram { contents, to: None, from: None, tos: None, segment_size: None }
    }

    /// Sets where to.
    #[must_use]
    #[inline]
    pub fn to(self, to: SocketAddr) -> Datagram<'a> {
        Datagram { to: Some(to), ..self }
    }

    /// Sets the address to send from.
    #[must_use]
    #[inline]
    pub fn from(self, from: IpAddr) -> Datagram<'a> {
        Datagram { from: Some(from), ..self }
    }

    /// Sets the type of service or traffic class.
    #[must_use]
    #[inline]
    pub fn tos(self, tos: u8) -> Datagram<'a> {
        Datagram { tos: Some(tos), ..self }
    }

    /// Sets the size of the datagrams that `contents` is to be cut into.
    #[must_use]
    #[inline]
    pub fn segment_size(self, size: usize) -> Datagram<'a> {
        Datagram { segment_size: Some(size), ..self }
    }
}

/// What is known of a datagram that has been received, or of several put together (GRO): see
/// [`recv_many`](crate::UdpSocket::recv_many).
///
/// # Examples
///
/// An answer from the address that was asked, on a socket that is bound to all of them:
///
/// ```
/// # runtime::block_on(async {
/// use runtime::net::UdpSocket;
/// use runtime::net::udp::Datagram;
///
/// let server = UdpSocket::bind("0.0.0.0:0").await?;
/// server.set_recv_pktinfo(true)?;
/// let client = UdpSocket::bind("127.0.0.1:0").await?;
/// // All of 127/8 is this machine.
/// client.connect(("127.0.0.2", server.local_addr()?.port())).await?;
/// client.send(b"where are you?").await?;
///
/// let mut buf = [0; 1500];
/// let question = server.recv_segmented(&mut buf).await?;
/// let mut answer = Datagram::new(b"here").to(question.from);
/// answer.from = question.to;
/// server.send_many(&mut [answer]).await?;
///
/// // A connected socket takes it from there alone.
/// let len = client.recv(&mut buf).await?;
/// assert_eq!(&buf[..len], b"here");
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Received {
    /// The bytes in the buffer.
    pub len: usize,
    /// The bytes of each datagram in the buffer, of which the last may be shorter. It is `len` if
    /// there is one: always, unless [`set_gro`](crate::UdpSocket::set_gro) has put some together.
    pub segment_size: usize,
    /// Who sent it.
    pub from: SocketAddr,
    /// The address it was sent to, after
    /// [`set_recv_pktinfo`](crate::UdpSocket::set_recv_pktinfo). It is of the family of `from`: on an
    /// IPv6 socket an IPv4 address is a mapped one. Unless it is a group's or a broadcast address, an
    /// answer may be sent [`from`](Datagram::from) it.
    pub to: Option<IpAddr>,
    /// The index of the interface it came in by, after
    /// [`set_recv_pktinfo`](crate::UdpSocket::set_recv_pktinfo).
    pub interface: Option<u32>,
    /// The type of service or traffic class, whose low two bits are ECN, after
    /// [`set_recv_tos`](crate::UdpSocket::set_recv_tos).
    pub tos: Option<u8>,
    /// Whether the end of it has been cut off and lost, as the buffer was too small.
    pub truncated: bool,
}

impl Received {
    /// The datagrams in `buf`, the buffer that was received into: at least one, which may be empty.
    ///
    /// # Panics
    ///
    /// If `buf` is shorter than [`len`](Received::len).
    ///
    /// # Examples
    ///
    /// ```
    /// # runtime::block_on(async {
    /// let socket = runtime::net::UdpSocket::bind("127.0.0.1:0").await?;
    /// socket.send_to(b"hello", socket.local_addr()?).await?;
    /// let mut buf = [0; 1500];
    /// let received = socket.recv_segmented(&mut buf).await?;
    /// for datagram in received.segments(&buf) {
    ///     assert_eq!(datagram, b"hello");
    /// }
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    #[inline]
    pub fn segments<'b>(&self, buf: &'b [u8]) -> impl Iterator<Item = &'b [u8]> + use<'b> {
        pieces(&buf[..self.len], self.segment_size)
    }
}

impl Default for Received {
    /// Nothing from nobody, to be received over.
    #[inline]
    fn default() -> Received {
        Received {
            len: 0,
            segment_size: 0,
            from: SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0),
            to: None,
            interface: None,
            tos: None,
            truncated: false,
        }
    }
}

/// `bytes` in pieces of `size`, as datagrams: no bytes are one piece, and not none.
#[inline]
pub(super) fn pieces(bytes: &[u8], size: usize) -> impl ExactSizeIterator<Item = &[u8]> {
    let size = size.max(1);
    let count = bytes.len().div_ceil(size).max(1);
    (0..count).map(move |piece| {
        let rest = &bytes[piece * size..];
        &rest[..rest.len().min(size)]
    })
}
