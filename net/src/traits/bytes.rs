//! The methods with a `bytes::BufMut`, by tokio's names: they read and receive into room that need not be
//! initialised, and append what they got.

use std::io;
use std::net::SocketAddr;

use ::bytes::BufMut;
use runtime_core::io::{Interest, ReadFd};

use super::for_readers;
use crate::sys::{self, Chunk};
use crate::unix::SocketAddr as UnixSocketAddr;
use crate::{UdpSocket, UnixDatagram};

macro_rules! try_read_buf {
    ([$($generics:tt)*] $stream:ty;) => {
        impl<$($generics)*> $stream {
            /// As `try_read`, appending to `buf` what was read. It reads at most as much as `buf` has room
            /// for in one piece, its [`chunk_mut`](BufMut::chunk_mut): of a `Vec` or `BytesMut` what it has
            /// reserved, or if that is nothing, a little that it reserves. Behind the feature `tokio-io`.
            ///
            /// # Errors
            ///
            /// As `try_read`: [`WouldBlock`](io::ErrorKind::WouldBlock) if there is nothing.
            ///
            /// # Panics
            ///
            /// If `buf` does.
            ///
            /// # Examples
            ///
            /// ```
            /// # runtime::block_on(async {
            /// let (a, b) = runtime::net::UnixStream::pair()?;
            /// b.write_all(b"hello").await?;
            ///
            /// let mut buf = Vec::with_capacity(4096);
            /// a.readable().await?;
            /// assert_eq!(a.try_read_buf(&mut buf)?, 5);
            /// assert_eq!(buf, b"hello");
            /// # std::io::Result::Ok(()) }).unwrap();
            /// ```
            #[inline]
            pub fn try_read_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
                let source = ReadFd::source(self);
                let read = |_: &_| sys::read_room_once(self, &mut Chunk(buf));
                source.try_io(Interest::READABLE, read)
            }
        }
    };
}

for_readers!(try_read_buf!);

macro_rules! receive_buf {
    ($socket:ident, $addr:ty, $from_raw:expr) => {
        impl $socket {
            /// As [`recv`](Self::recv), appending the datagram to `buf`, as much of it as `buf` has room for
            /// in one piece, its [`chunk_mut`](BufMut::chunk_mut): reserve enough. Behind the feature
            /// `tokio-io`.
            ///
            /// # Errors
            ///
            /// As [`recv`](Self::recv).
            ///
            /// # Panics
            ///
            /// If `buf` does.
            ///
            /// # Cancel safety
            ///
            /// Nothing is lost.
            ///
            /// # Examples
            ///
            /// ```
            /// # runtime::block_on(async {
            /// let (a, b) = runtime::net::UnixDatagram::pair()?;
            /// let mut buf = Vec::with_capacity(1500);
            /// a.send(b"one").await?;
            /// a.send(b"two").await?;
            /// assert_eq!(b.recv_buf(&mut buf).await?, 3);
            /// assert_eq!(b.recv_buf(&mut buf).await?, 3);
            /// assert_eq!(buf, b"onetwo");
            /// # std::io::Result::Ok(()) }).unwrap();
            /// ```
            #[inline]
            pub async fn recv_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
                let receive = |socket: &_| sys::receive_to_room(socket, &mut Chunk(buf));
                self.io.read_with(receive).await
            }

            /// As [`recv_buf`](Self::recv_buf), if there is a datagram now.
            ///
            /// # Errors
            ///
            /// [`WouldBlock`](io::ErrorKind::WouldBlock) if there is none, else as [`recv`](Self::recv).
            ///
            /// # Panics
            ///
            /// If `buf` does.
            #[inline]
            pub fn try_recv_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
                let receive = |socket: &_| sys::receive_to_room(socket, &mut Chunk(buf));
                self.io.try_io(Interest::READABLE, receive)
            }

            /// As [`recv_buf`](Self::recv_buf), with the address the datagram came from.
            ///
            /// # Errors
            ///
            /// As [`recv`](Self::recv).
            ///
            /// # Panics
            ///
            /// If `buf` does.
            ///
            /// # Cancel safety
            ///
            /// Nothing is lost.
            #[inline]
            pub async fn recv_buf_from<B: BufMut>(
                &self,
                buf: &mut B,
            ) -> io::Result<(usize, $addr)> {
                let receive = |socket: &_| sys::receive_from_to_room(socket, &mut Chunk(buf));
                let (len, from) = self.io.read_with(receive).await?;
                Ok((len, $from_raw(from)?))
            }

            /// As [`recv_buf_from`](Self::recv_buf_from), if there is a datagram now.
            ///
            /// # Errors
            ///
            /// [`WouldBlock`](io::ErrorKind::WouldBlock) if there is none, else as [`recv`](Self::recv).
            ///
            /// # Panics
            ///
            /// If `buf` does.
            #[inline]
            pub fn try_recv_buf_from<B: BufMut>(&self, buf: &mut B) -> io::Result<(usize, $addr)> {
                let receive = |socket: &_| sys::receive_from_to_room(socket, &mut Chunk(buf));
                let (len, from) = self.io.try_io(Interest::READABLE, receive)?;
                Ok((len, $from_raw(from)?))
            }
        }
    };
}

receive_buf!(UdpSocket, SocketAddr, |(addr, _)| sys::RawAddr::decode(addr));
receive_buf!(UnixDatagram, UnixSocketAddr, |from| sys::unix_addr(from).map(UnixSocketAddr::from));
