//! Asking a descriptor what it is ready for: [poll(2)] that does not wait. The end and errors count.
//!
//! [poll(2)]: https://man7.org/linux/man-pages/man2/poll.2.html

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use libc::c_short;

use super::check;

/// Whether a read would not block.
#[inline]
pub(crate) fn is_readable(fd: BorrowedFd<'_>) -> io::Result<bool> {
    poll(fd, libc::POLLIN)
}

/// Whether a write would not block. Of a datagram socket that is connected to a Unix name, asking has
/// it told when the peer's queue has room.
#[inline]
pub(crate) fn is_writable(fd: BorrowedFd<'_>) -> io::Result<bool> {
    poll(fd, libc::POLLOUT)
}

#[inline]
fn poll(fd: BorrowedFd<'_>, events: c_short) -> io::Result<bool> {
    let mut entry = libc::pollfd { fd: fd.as_raw_fd(), events, revents: 0 };
    // SAFETY: the array is `entry` alone, which outlives the call.
    check(unsafe { libc::poll(&raw mut entry, 1, 0) }).map(|ready| ready > 0)
}
