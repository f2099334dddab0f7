//! Segments: one buffer of many datagrams, cut by the kernel (GSO) and put together by it (GRO).

use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};

use super::datagram::pieces;
use super::socket::UdpSocket;
use super::{Datagram, Received};
use crate::sys::{self, Refusal};

/// The most segments of one message (`UDP_MAX_SEGMENTS` before Linux 6.9).
const MOST_SEGMENTS: usize = 64;

/// The most bytes of one message: a datagram of IPv4, less the headers of IP and UDP.
const MOST_BYTES: usize = 65_507;

/// What the kernel is known to refuse to cut, of a socket.
///
/// Whether it can is up to the network card and the way to the peer, and shows only in sending.
#[derive(Debug)]
pub(super) struct Gso {
    /// Segments of this size and larger ones are sent as a message each.
    refused_from: AtomicU32,
}

impl Gso {
    #[inline]
    pub(super) fn new() -> Gso {
        Gso { refused_from: AtomicU32::new(u32::MAX) }
    }

    #[inline]
    pub(super) fn refused_from(&self) -> usize {
        self.refused_from.load(Ordering::Relaxed) as usize
    }

    #[inline]
    pub(super) fn refuse_from(&self, size: usize) {
        self.refused_from.fetch_min(u32::try_from(size).unwrap_or(u32::MAX), Ordering::Relaxed);
    }
}

/// From which segment size on the kernel refuses, if `error`, met in sending `datagram`, means that.
#[inline]
pub(super) fn refused_from(error: &io::Error, datagram: &Datagram<'_>) -> Option<usize> {
    let size = datagram.segment_size?;
    Some(match sys::refusal_of_segments(error)? {
        Refusal::Any => 0,
        Refusal::Size => size,
    })
}

impl<'a> Datagram<'a> {
    /// The datagram as messages for the kernel, each with no more segments than it takes, or with one
    /// if it refuses segments of this size.
    #[inline]
    pub(super) fn messages(
        self,
        refused_from: usize,
    ) -> impl ExactSizeIterator<Item = Datagram<'a>> {
        let whole = self.contents.len();
        let segment = self.segment_size.unwrap_or(whole);
        let segments =
            if segment < refused_from { MOST_SEGMENTS.min(MOST_BYTES / segment.max(1)) } else { 1 };
        pieces(self.contents, segment * segments.max(1)).map(move |contents| Datagram {
            contents,
            segment_size: (contents.len() > segment).then_some(segment),
            ..self
        })
    }
}

impl UdpSocket {
    /// Sends `buf` to the peer set by [`connect`](Self::connect) as datagrams of `segment_size`
    /// bytes, of which the last may be shorter. Returns how many bytes were sent, always whole
    /// datagrams: all, as a rule. As with a stream's write, call again with the rest if there is one.
    ///
    /// The kernel gets one message for up to 64 datagrams and cuts it as late as possible
    /// ([`UDP_SEGMENT`]), often in the network card. Where it refuses, the datagrams are sent by
    /// [sendmmsg(2)] instead, and the socket remembers that.
    ///
    /// # Errors
    ///
    /// Those of sendmmsg(2); [`InvalidInput`](io::ErrorKind::InvalidInput) for a `segment_size` of 0.
    ///
    /// # Cancel safety
    ///
    /// Nothing is sent by a future that is dropped before it is ready.
    ///
    /// # Examples
    ///
    /// ```
    /// # runtime::block_on(async {
    /// use runtime::net::UdpSocket;
    ///
    /// let server = UdpSocket::bind("127.0.0.1:0").await?;
    /// server.set_gro(true)?;
    /// let client = UdpSocket::bind("127.0.0.1:0").await?;
    /// client.connect(server.local_addr()?).await?;
    ///
    /// client.send_segmented(&[7; 2500], 1000).await?;
    ///
    /// let mut buf = vec![0; 65536];
    /// let received = server.recv_segmented(&mut buf).await?;
    /// let sizes: Vec<usize> = received.segments(&buf).map(<[u8]>::len).collect();
    /// assert_eq!(sizes, [1000, 1000, 500]);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    ///
    /// [`UDP_SEGMENT`]: https://man7.org/linux/man-pages/man7/udp.7.html
    /// [sendmmsg(2)]: https://man7.org/linux/man-pages/man2/sendmmsg.2.html
    #[inline]
    pub async fn send_segmented(&self, buf: &[u8], segment_size: usize) -> io::Result<usize> {
        self.send_in_segments(Datagram::new(buf).segment_size(segment_size)).await
    }

    /// As [`send_segmented`](Self::send_segmented), to `target`.
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancel safety
    ///
    /// As there.
    #[inline]
    pub async fn send_segmented_to(
        &self,
        buf: &[u8],
        segment_size: usize,
        target: SocketAddr,
    ) -> io::Result<usize> {
        self.send_in_segments(Datagram::new(buf).segment_size(segment_size).to(target)).await
    }

    #[inline]
    async fn send_in_segments(&self, mut datagram: Datagram<'_>) -> io::Result<usize> {
        let all = datagram.contents.len();
        match self.send_many(std::slice::from_mut(&mut datagram)).await? {
            0 => Ok(all - datagram.contents.len()),
            _ => Ok(all),
        }
    }

    /// Receives a datagram, or several of one size and one sender that the kernel has put together
    /// after [`set_gro`](Self::set_gro). [`Received::segments`] takes them apart again.
    ///
    /// The kernel puts together up to 64 KiB: what `buf` lacks of that may be cut off and lost.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    #[inline]
    pub async fn recv_segmented(&self, buf: &mut [u8]) -> io::Result<Received> {
        let mut received = Received::default();
        let bufs = &mut [IoSliceMut::new(buf)];
        self.recv_many(bufs, std::slice::from_mut(&mut received)).await?;
        Ok(received)
    }
}
