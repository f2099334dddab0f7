//! Messages with several buffers and control data: [sendmsg(2)], [recvmsg(2)], [cmsg(3)].
//!
//! [sendmsg(2)]: https://man7.org/linux/man-pages/man2/sendmsg.2.html
//! [recvmsg(2)]: https://man7.org/linux/man-pages/man2/recvmsg.2.html
//! [cmsg(3)]: https://man7.org/linux/man-pages/man3/cmsg.3.html

use std::io::{self, IoSlice, IoSliceMut};
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd};

use libc::{c_int, c_void, socklen_t};

use super::{IOV_MAX, RawAddr, check_len};

/// [sendmsg(2)] to the peer, without `SIGPIPE`: `writev`, which the standard library uses, would raise
/// it in a host program that has not ignored it.
///
/// [sendmsg(2)]: https://man7.org/linux/man-pages/man2/sendmsg.2.html
#[inline]
pub(crate) fn send_vectored(socket: BorrowedFd<'_>, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
    send_message(socket, bufs, None, &[])
}

/// As [`send_vectored`], of one message: a stream may take fewer buffers than it was given, a message not.
#[inline]
pub(crate) fn send_gathered(socket: BorrowedFd<'_>, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
    if bufs.len() > IOV_MAX {
        let text = format!(
            "sending a message from {} buffers: the kernel takes at most {IOV_MAX}; join some",
            bufs.len()
        );
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    send_vectored(socket, bufs)
}

/// [sendmsg(2)] to `to` or to the peer, without `SIGPIPE`, with what a [`Control`] holds. Never waits,
/// also if the socket is in blocking mode.
///
/// [sendmsg(2)]: https://man7.org/linux/man-pages/man2/sendmsg.2.html
#[inline]
pub(crate) fn send_message(
    socket: BorrowedFd<'_>,
    bufs: &[IoSlice<'_>],
    to: Option<&(RawAddr, socklen_t)>,
    control: &[u8],
) -> io::Result<usize> {
    // SAFETY: `msghdr` is plain data for which all zeroes is a valid value.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_iov = bufs.as_ptr().cast::<libc::iovec>().cast_mut();
    message.msg_iovlen = bufs.len().min(IOV_MAX) as _;
    if let Some((addr, len)) = to {
        message.msg_name = (&raw const *addr).cast::<c_void>().cast_mut();
        message.msg_namelen = *len;
    }
    if !control.is_empty() {
        message.msg_control = control.as_ptr().cast::<c_void>().cast_mut();
        message.msg_controllen = control.len() as _;
    }
    let flags = libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT;
    // SAFETY: `IoSlice` has the layout of `iovec` (std promises it); buffers, address and control
    // data are borrowed for longer than the call, and sending only reads them.
    check_len(unsafe { libc::sendmsg(socket.as_raw_fd(), &raw const message, flags) })
}

/// What [`receive_message`] received.
pub(crate) struct Received {
    pub(crate) len: usize,
    /// `MSG_TRUNC`, `MSG_CTRUNC` and their like.
    flags: c_int,
}

impl Received {
    /// Whether the message was longer than the buffers.
    #[inline]
    pub(crate) fn is_truncated(&self) -> bool {
        self.flags & libc::MSG_TRUNC != 0
    }

    /// Whether there was more control data than room for it.
    #[inline]
    pub(crate) fn is_control_truncated(&self) -> bool {
        self.flags & libc::MSG_CTRUNC != 0
    }
}

/// [recvmsg(2)], with at most `room` bytes of control messages; descriptors that come along are closed
/// on exec. Never waits, also if the socket is in blocking mode.
///
/// [recvmsg(2)]: https://man7.org/linux/man-pages/man2/recvmsg.2.html
#[inline]
pub(crate) fn receive_message<const N: usize>(
    socket: BorrowedFd<'_>,
    bufs: &mut [IoSliceMut<'_>],
    control: &mut Control<N>,
    room: usize,
    flags: c_int,
) -> io::Result<Received> {
    let room = room.min(N);
    // SAFETY: `msghdr` is plain data for which all zeroes is a valid value.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_iov = bufs.as_mut_ptr().cast::<libc::iovec>();
    message.msg_iovlen = bufs.len().min(IOV_MAX) as _;
    message.msg_control = control.bytes.as_mut_ptr().cast::<c_void>();
    message.msg_controllen = room as _;
    // SAFETY: `IoSliceMut` has the layout of `iovec` (std promises it); the kernel writes at most the
    // lengths given into buffers and control data, which are borrowed for longer than the call and
    // valid in any pattern.
    let received = unsafe {
        let flags = flags | libc::MSG_DONTWAIT | libc::MSG_CMSG_CLOEXEC;
        libc::recvmsg(socket.as_raw_fd(), &raw mut message, flags)
    };
    let len = check_len(received)?;
    control.len = (message.msg_controllen as usize).min(room);
    Ok(Received { len, flags: message.msg_flags })
}

/// The size of a control message's header, and the alignment of messages.
const HEADER: usize = mem::size_of::<libc::cmsghdr>();
const ALIGN: usize = mem::size_of::<usize>();
const _: () = assert!(HEADER % ALIGN == 0 && mem::offset_of!(libc::cmsghdr, cmsg_len) == 0);
const _: () = assert!(mem::offset_of!(libc::cmsghdr, cmsg_type) == HEADER - 4);

/// The room that a control message of `len` bytes takes (`CMSG_SPACE`).
#[inline]
pub(crate) const fn control_space(len: usize) -> usize {
    HEADER + len.next_multiple_of(ALIGN)
}

/// Room for `N` bytes of control messages, to send or to receive: see [`control_space`].
#[repr(C, align(8))]
pub(crate) struct Control<const N: usize> {
    pub(super) bytes: [u8; N],
    pub(super) len: usize,
}

impl<const N: usize> Control<N> {
    #[inline]
    pub(crate) fn new() -> Control<N> {
        Control { bytes: [0; N], len: 0 }
    }

    /// What is in it, as the kernel wants it.
    #[inline]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Adds a message. There is room, as its maker has counted.
    #[inline]
    pub(crate) fn push(&mut self, level: c_int, kind: c_int, data: &[u8]) {
        let len = HEADER + data.len();
        let room = &mut self.bytes[self.len..][..control_space(data.len())];
        room[..ALIGN].copy_from_slice(&len.to_ne_bytes());
        room[HEADER - 8..HEADER - 4].copy_from_slice(&level.to_ne_bytes());
        room[HEADER - 4..HEADER].copy_from_slice(&kind.to_ne_bytes());
        room[HEADER..len].copy_from_slice(data);
        self.len += control_space(data.len());
    }

    /// The messages in it: level, type, data.
    #[inline]
    pub(crate) fn messages(&self) -> impl Iterator<Item = (c_int, c_int, &[u8])> {
        let mut rest = self.as_bytes();
        std::iter::from_fn(move || {
            let header = rest.get(..HEADER)?;
            let len = usize::from_ne_bytes(header[..ALIGN].try_into().ok()?);
            let level = c_int::from_ne_bytes(header[HEADER - 8..HEADER - 4].try_into().ok()?);
            let kind = c_int::from_ne_bytes(header[HEADER - 4..].try_into().ok()?);
            let data = rest.get(HEADER..len)?;
            rest = rest.get(control_space(data.len())..).unwrap_or_default();
            Some((level, kind, data))
        })
    }
}
