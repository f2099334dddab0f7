//! Passing descriptors: what `recv_with_fds` gives, and the methods of all sockets that pass them.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use crate::sys::{self, SCM_MAX_FD, UnixKind};

/// What [`recv_with_fds`](crate::UnixStream::recv_with_fds) received.
#[derive(Debug)]
#[non_exhaustive]
pub struct WithFds {
    /// How many bytes are in the buffer. Of a connection, 0 is its end if there was room for one.
    pub len: usize,
    /// Whether the message was longer than the buffer, and its rest is lost. Never of a stream.
    pub truncated: bool,
    /// The descriptors, in the order they were sent; closed on exec.
    pub fds: Vec<OwnedFd>,
    /// Whether there were more descriptors than were asked for, or than this process can have
    /// (`ulimit -n`). The kernel has closed those that are not here.
    pub fds_truncated: bool,
}

/// [`sys::send_with_fds`], of what can be sent.
#[inline]
pub(super) fn send(
    kind: UnixKind,
    socket: BorrowedFd<'_>,
    buf: &[u8],
    fds: &[BorrowedFd<'_>],
) -> io::Result<usize> {
    if fds.len() > SCM_MAX_FD {
        return Err(too_many(fds.len()));
    }
    if kind == UnixKind::Stream && buf.is_empty() && !fds.is_empty() {
        return Err(no_byte());
    }
    sys::send_with_fds(socket, buf, fds)
}

#[cold]
fn too_many(count: usize) -> io::Error {
    let text = format!(
        "sending {count} descriptors: at most {SCM_MAX_FD} go along with one message; send several"
    );
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

#[cold]
fn no_byte() -> io::Error {
    let text = "sending descriptors: on a stream they go along with bytes; send at least one";
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

#[inline]
pub(super) fn receive(
    socket: BorrowedFd<'_>,
    buf: &mut [u8],
    max_fds: usize,
) -> io::Result<WithFds> {
    let sys::ReceivedWithFds { len, truncated, fds, fds_truncated } =
        sys::receive_with_fds(socket, buf, max_fds)?;
    Ok(WithFds { len, truncated, fds, fds_truncated })
}

/// The methods that pass descriptors, within an `impl` of a type with a `Source` in its field `io`. Takes
/// its kind.
macro_rules! fd_methods {
    ($kind:expr) => {
        /// Sends `buf` and duplicates of `fds` along with it, waiting until there is room; returns how
        /// much of `buf` was sent. See [passing descriptors](crate::unix#passing-descriptors).
        ///
        /// On a stream that may be less than all of it: the descriptors have gone with what was sent,
        /// so the rest is for [`write_all`](crate::UnixStream::write_all).
        ///
        /// # Errors
        ///
        /// [`InvalidInput`](io::ErrorKind::InvalidInput) of more than 253 descriptors, and on a stream
        /// of some with no byte; else those of sendmsg(2), `ETOOMANYREFS` among them if too many are
        /// under way and not received.
        ///
        /// # Cancel safety
        ///
        /// Nothing is sent by a future that is dropped before it is ready.
        #[inline]
        pub async fn send_with_fds(&self, buf: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<usize> {
            let send = |_: &_| $crate::unix::fds::send($kind, self.as_fd(), buf, fds);
            self.io.write_with(send).await
        }

        /// As [`send_with_fds`](Self::send_with_fds), if there is room now.
        ///
        /// # Errors
        ///
        /// [`WouldBlock`](io::ErrorKind::WouldBlock) if there is none, else as
        /// [`send_with_fds`](Self::send_with_fds).
        #[inline]
        pub fn try_send_with_fds(&self, buf: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<usize> {
            let send = |_: &_| $crate::unix::fds::send($kind, self.as_fd(), buf, fds);
            self.io.try_io(Interest::WRITABLE, send)
        }

        /// Receives into `buf`, with at most `max_fds` descriptors that came along, waiting until there
        /// is something. See [passing descriptors](crate::unix#passing-descriptors).
        ///
        /// # Errors
        ///
        /// Those of recvmsg(2). Descriptors that are lost are none: look at
        /// [`fds_truncated`](WithFds::fds_truncated).
        ///
        /// # Cancel safety
        ///
        /// Nothing is lost.
        #[inline]
        pub async fn recv_with_fds(&self, buf: &mut [u8], max_fds: usize) -> io::Result<WithFds> {
            self.io.read_with(|_| $crate::unix::fds::receive(self.as_fd(), buf, max_fds)).await
        }

        /// As [`recv_with_fds`](Self::recv_with_fds), of what is there now.
        ///
        /// # Errors
        ///
        /// [`WouldBlock`](io::ErrorKind::WouldBlock) if there is nothing, else as
        /// [`recv_with_fds`](Self::recv_with_fds).
        #[inline]
        pub fn try_recv_with_fds(&self, buf: &mut [u8], max_fds: usize) -> io::Result<WithFds> {
            let receive = |_: &_| $crate::unix::fds::receive(self.as_fd(), buf, max_fds);
            self.io.try_io(Interest::READABLE, receive)
        }
    };
}

pub(super) use fd_methods;
