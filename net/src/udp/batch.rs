//! `send_many` and `recv_many`: several datagrams in one system call.

use std::io::{self, IoSliceMut};
use std::os::fd::AsFd;
use std::task::{Context, Poll};

use runtime_core::io::Interest;

use super::segments::refused_from;
use super::socket::UdpSocket;
use super::{Datagram, Received};
use crate::sys;

impl UdpSocket {
    /// Sends datagrams, as many as there is room for, at most 64 messages by one [sendmmsg(2)];
    /// returns how many of `datagrams` were sent. Call again with the others.
    ///
    /// A datagram with a [`segment_size`](Datagram::segment_size) is one message, cut by the kernel,
    /// as in [`send_segmented`](Self::send_segmented). Where the kernel refuses, or where it is
    /// longer than the kernel takes, it is several messages. If only some of them were sent it is not
    /// counted, and its [`contents`](Datagram::contents) begin after what was sent; so the number may
    /// be 0, and calling again is still right.
    ///
    /// No memory is allocated.
    ///
    /// # Errors
    ///
    /// Those of sendmmsg(2), if they are about the first of the datagrams. An error of a later one
    /// ends the batch before it, and comes when that one is the first.
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) if a segment size is 0.
    ///
    /// # Cancel safety
    ///
    /// Nothing is sent by a future that is dropped before it is ready.
    ///
    /// # Examples
    ///
    /// ```
    /// # runtime::block_on(async {
    /// use std::io::IoSliceMut;
    /// use runtime::net::UdpSocket;
    /// use runtime::net::udp::{Datagram, Received};
    ///
    /// let a = UdpSocket::bind("127.0.0.1:0").await?;
    /// let b = UdpSocket::bind("127.0.0.1:0").await?;
    /// let to = b.local_addr()?;
    ///
    /// let mut batch = [Datagram::new(b"one").to(to), Datagram::new(b"two").to(to).tos(0b10)];
    /// let mut rest = &mut batch[..];
    /// while !rest.is_empty() {
    ///     let sent = a.send_many(rest).await?;
    ///     rest = &mut rest[sent..];
    /// }
    ///
    /// let (mut first, mut second) = ([0; 1500], [0; 1500]);
    /// let mut bufs = [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)];
    /// let mut received = [Received::default(); 2];
    /// assert_eq!(b.recv_many(&mut bufs, &mut received).await?, 2);
    /// assert_eq!(received[1].from, a.local_addr()?);
    /// assert_eq!(&second[..received[1].len], b"two");
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    ///
    /// [sendmmsg(2)]: https://man7.org/linux/man-pages/man2/sendmmsg.2.html
    #[inline]
    pub async fn send_many(&self, datagrams: &mut [Datagram<'_>]) -> io::Result<usize> {
        self.io.write_with(|_| self.send_batch(datagrams)).await
    }

    /// As [`send_many`](Self::send_many), for futures written by hand.
    ///
    /// # Errors
    ///
    /// As there.
    #[inline]
    pub fn poll_send_many(
        &self,
        cx: &mut Context<'_>,
        datagrams: &mut [Datagram<'_>],
    ) -> Poll<io::Result<usize>> {
        self.io.poll_write_with(cx, |_| self.send_batch(datagrams))
    }

    /// As [`send_many`](Self::send_many), what there is room for now.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if there is room for none, else as there.
    #[inline]
    pub fn try_send_many(&self, datagrams: &mut [Datagram<'_>]) -> io::Result<usize> {
        self.io.try_io(Interest::WRITABLE, |_| self.send_batch(datagrams))
    }

    #[inline]
    fn send_batch(&self, datagrams: &mut [Datagram<'_>]) -> io::Result<usize> {
        if datagrams.iter().any(|datagram| datagram.segment_size == Some(0)) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "a segment size of 0 cuts nothing: give the bytes of each datagram, or none",
            ));
        }
        let known = self.gso.refused_from();
        let Some(first) = datagrams.first().and_then(|first| first.messages(known).next()) else {
            return Ok(0);
        };
        let error = match self.send_messages(datagrams, known) {
            Ok(sent) => return Ok(sent),
            Err(error) => error,
        };
        let Some(refused) = refused_from(&error, &first) else { return Err(error) };
        // Only what helps is remembered: the error may have been about something else.
        let sent = self.send_messages(datagrams, refused)?;
        self.gso.refuse_from(refused);
        Ok(sent)
    }

    /// One system call; no segments of `refused_from` bytes or more are left to the kernel.
    #[inline]
    fn send_messages(
        &self,
        datagrams: &mut [Datagram<'_>],
        refused_from: usize,
    ) -> io::Result<usize> {
        let messages = datagrams.iter().flat_map(|datagram| datagram.messages(refused_from));
        let mut left = sys::send_datagrams(self.as_fd(), messages)?;
        for (done, datagram) in datagrams.iter_mut().enumerate() {
            let messages = datagram.messages(refused_from);
            if left < messages.len() {
                let sent: usize = messages.take(left).map(|message| message.contents.len()).sum();
                datagram.contents = &datagram.contents[sent..];
                return Ok(done);
            }
            left -= messages.len();
        }
        Ok(datagrams.len())
    }

    /// Receives what is there, one datagram into each of `bufs`, by one [recvmmsg(2)]; returns how
    /// many, at least one, and what is known of each in `received`. At most 64, and no more than
    /// either slice has room for; 0 if that is none.
    ///
    /// After [`set_gro`](Self::set_gro) each buffer may get several datagrams: see
    /// [`recv_segmented`](Self::recv_segmented). No memory is allocated.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv). An error after the first datagram ends the batch, and comes with the
    /// next receive.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    ///
    /// [recvmmsg(2)]: https://man7.org/linux/man-pages/man2/recvmmsg.2.html
    #[inline]
    pub async fn recv_many(
        &self,
        bufs: &mut [IoSliceMut<'_>],
        received: &mut [Received],
    ) -> io::Result<usize> {
        self.io.read_with(|socket| sys::receive_datagrams(socket.as_fd(), bufs, received)).await
    }

    /// As [`recv_many`](Self::recv_many), for futures written by hand.
    ///
    /// # Errors
    ///
    /// As there.
    #[inline]
    pub fn poll_recv_many(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        received: &mut [Received],
    ) -> Poll<io::Result<usize>> {
        self.io.poll_read_with(cx, |socket| sys::receive_datagrams(socket.as_fd(), bufs, received))
    }

    /// As [`recv_many`](Self::recv_many), what is there now.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if there is nothing, else as there.
    #[inline]
    pub fn try_recv_many(
        &self,
        bufs: &mut [IoSliceMut<'_>],
        received: &mut [Received],
    ) -> io::Result<usize> {
        self.io.try_io(Interest::READABLE, |socket| {
            sys::receive_datagrams(socket.as_fd(), bufs, received)
        })
    }
}
