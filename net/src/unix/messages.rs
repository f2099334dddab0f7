//! The methods of sockets that carry messages: datagrams and sequenced packets.

use std::io::{self, IoSliceMut};
use std::os::fd::BorrowedFd;

use crate::sys;
use crate::unix::Record;

/// Receives a message, into `buf` as much of it as there is room for.
#[inline]
pub(super) fn receive(socket: BorrowedFd<'_>, buf: &mut [u8]) -> io::Result<Record> {
    let room = buf.len();
    let whole = sys::receive_whole(socket, buf)?;
    Ok(Record { len: whole.min(room), truncated: whole > room })
}

/// As [`receive`], into several buffers.
#[inline]
pub(super) fn receive_vectored(
    socket: BorrowedFd<'_>,
    bufs: &mut [IoSliceMut<'_>],
) -> io::Result<Record> {
    let mut control = sys::Control::<0>::new();
    let received = sys::receive_message(socket, bufs, &mut control, 0, 0)?;
    Ok(Record { len: received.len, truncated: received.is_truncated() })
}

/// What both kinds have, within an `impl` of a type with a `Source` in its field `io`.
macro_rules! message_methods {
    () => {
        /// Sends a message to the peer, waiting until there is room; returns its length.
        ///
        /// # Errors
        ///
        /// Those of send(2): [`NotConnected`](io::ErrorKind::NotConnected) without a peer,
        /// `EMSGSIZE` if it is longer than the send buffer, and if the peer is gone
        /// [`ConnectionRefused`](io::ErrorKind::ConnectionRefused) of a datagram,
        /// [`BrokenPipe`](io::ErrorKind::BrokenPipe) of a sequenced packet.
        ///
        /// # Cancel safety
        ///
        /// Nothing is sent by a future that is dropped before it is ready.
        #[inline]
        pub async fn send(&self, buf: &[u8]) -> io::Result<usize> {
            self.io.write_with(|socket| sys::send(socket, buf)).await
        }

        /// As [`send`](Self::send), for futures written by hand.
        ///
        /// # Errors
        ///
        /// As [`send`](Self::send).
        #[inline]
        pub fn poll_send(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
            self.io.poll_write_with(cx, |socket| sys::send(socket, buf))
        }

        /// As [`send`](Self::send), if there is room now.
        ///
        /// # Errors
        ///
        /// [`WouldBlock`](io::ErrorKind::WouldBlock) if there is none, else as [`send`](Self::send).
        #[inline]
        pub fn try_send(&self, buf: &[u8]) -> io::Result<usize> {
            self.io.try_io(Interest::WRITABLE, |socket| sys::send(socket, buf))
        }

        /// As [`send`](Self::send), of a message from several buffers.
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

        message_readiness_methods!();

        /// The name of this end.
        ///
        /// # Errors
        ///
        /// Those of getsockname(2).
        #[inline]
        pub fn local_addr(&self) -> io::Result<SocketAddr> {
            self.io.get_ref().local_addr().map(SocketAddr::from)
        }

        /// The name of the other end.
        ///
        /// # Errors
        ///
        /// [`NotConnected`](io::ErrorKind::NotConnected) without a peer, and those of getpeername(2).
        #[inline]
        pub fn peer_addr(&self) -> io::Result<SocketAddr> {
            self.io.get_ref().peer_addr().map(SocketAddr::from)
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

        /// Closes a direction, or both: no more is sent, or received.
        ///
        /// # Errors
        ///
        /// Those of shutdown(2).
        #[inline]
        pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
            self.io.get_ref().shutdown(how)
        }
    };
}

pub(super) use message_methods;
