//! Calls on sockets of every family: making, binding, connecting, listening, accepting.

use std::io;
use std::mem;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use libc::{c_int, c_void, socklen_t};

use super::{Family, RawAddr, check, check_len};
use crate::TcpSocket;
use crate::error::explain_making;

/// A TCP socket.
#[inline]
pub(crate) fn tcp_socket(family: Family) -> io::Result<OwnedFd> {
    new_socket(family as c_int, libc::SOCK_STREAM, libc::IPPROTO_TCP)
}

/// A UDP socket.
#[inline]
pub(crate) fn udp_socket(family: Family) -> io::Result<OwnedFd> {
    new_socket(family as c_int, libc::SOCK_DGRAM, libc::IPPROTO_UDP)
}

/// [socket(2)]: nonblocking and closed on exec.
///
/// [socket(2)]: https://man7.org/linux/man-pages/man2/socket.2.html
#[inline]
pub(super) fn new_socket(family: c_int, kind: c_int, protocol: c_int) -> io::Result<OwnedFd> {
    let kind = kind | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: no pointers are passed.
    let fd = check(unsafe { libc::socket(family, kind, protocol) })
        .map_err(|error| explain_making(error, "a socket"))?;
    // SAFETY: the kernel has just made this descriptor and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

impl FromRawFd for TcpSocket {
    /// As `From<OwnedFd>`.
    #[inline]
    unsafe fn from_raw_fd(fd: RawFd) -> TcpSocket {
        // SAFETY: the caller promises that the descriptor is open and nobody else's.
        TcpSocket::from(unsafe { OwnedFd::from_raw_fd(fd) })
    }
}

/// [bind(2)].
///
/// [bind(2)]: https://man7.org/linux/man-pages/man2/bind.2.html
#[inline]
pub(crate) fn bind(socket: BorrowedFd<'_>, addr: SocketAddr) -> io::Result<()> {
    bind_raw(socket, RawAddr::encode(addr))
}

#[inline]
pub(super) fn bind_raw(socket: BorrowedFd<'_>, addr: (RawAddr, socklen_t)) -> io::Result<()> {
    let (raw, len) = addr;
    // SAFETY: `raw` outlives the call and has the `len` bytes, as its maker counted them.
    check(unsafe { libc::bind(socket.as_raw_fd(), &raw const raw.any, len) }).map(drop)
}

/// [connect(2)]. `EINPROGRESS` is an error here, as in C.
///
/// [connect(2)]: https://man7.org/linux/man-pages/man2/connect.2.html
#[inline]
pub(crate) fn connect(socket: BorrowedFd<'_>, addr: SocketAddr) -> io::Result<()> {
    connect_raw(socket, RawAddr::encode(addr))
}

#[inline]
pub(super) fn connect_raw(socket: BorrowedFd<'_>, addr: (RawAddr, socklen_t)) -> io::Result<()> {
    let (raw, len) = addr;
    // SAFETY: `raw` outlives the call and has the `len` bytes, as its maker counted them.
    check(unsafe { libc::connect(socket.as_raw_fd(), &raw const raw.any, len) }).map(drop)
}

/// [listen(2)]. The kernel caps `backlog` at `/proc/sys/net/core/somaxconn`.
///
/// [listen(2)]: https://man7.org/linux/man-pages/man2/listen.2.html
#[inline]
pub(crate) fn listen(socket: BorrowedFd<'_>, backlog: c_int) -> io::Result<()> {
    // SAFETY: no pointers are passed.
    check(unsafe { libc::listen(socket.as_raw_fd(), backlog) }).map(drop)
}

/// [accept4(2)]: the new socket and its peer.
///
/// [accept4(2)]: https://man7.org/linux/man-pages/man2/accept.2.html
#[inline]
pub(crate) fn accept(listener: BorrowedFd<'_>) -> io::Result<(OwnedFd, SocketAddr)> {
    let (socket, (raw, _)) = accept_raw(listener)?;
    Ok((socket, raw.decode()?))
}

/// The new socket, nonblocking and closed on exec in the one call, and its peer's address.
#[inline]
pub(super) fn accept_raw(listener: BorrowedFd<'_>) -> io::Result<(OwnedFd, (RawAddr, socklen_t))> {
    let mut raw = RawAddr::empty();
    let mut len = mem::size_of::<RawAddr>() as socklen_t;
    let flags = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: the kernel writes at most `len` bytes into `raw`, which are all valid in any pattern.
    let fd = check(unsafe {
        libc::accept4(listener.as_raw_fd(), &raw mut raw.any, &raw mut len, flags)
    })?;
    // SAFETY: the kernel has just made this descriptor and nobody else knows it.
    Ok((unsafe { OwnedFd::from_raw_fd(fd) }, (raw, len)))
}

/// [send(2)], without `SIGPIPE`: `write`, which the standard library uses on Unix sockets, would raise
/// it in a host program that has not ignored it.
///
/// [send(2)]: https://man7.org/linux/man-pages/man2/send.2.html
#[inline]
pub(crate) fn send(socket: &(impl AsFd + AsRawFd), buf: &[u8]) -> io::Result<usize> {
    let data = buf.as_ptr().cast::<c_void>();
    // SAFETY: the kernel reads `buf.len()` bytes of `buf`, which is borrowed for the call.
    check_len(unsafe { libc::send(socket.as_raw_fd(), data, buf.len(), libc::MSG_NOSIGNAL) })
}

/// [recv(2)], as the standard library has it, which does not inline it.
///
/// [recv(2)]: https://man7.org/linux/man-pages/man2/recv.2.html
#[inline]
pub(crate) fn recv(socket: &(impl AsFd + AsRawFd), buf: &mut [u8]) -> io::Result<usize> {
    let data = buf.as_mut_ptr().cast::<c_void>();
    // SAFETY: the kernel writes at most `buf.len()` bytes into `buf`, which is borrowed for the call.
    check_len(unsafe { libc::recv(socket.as_raw_fd(), data, buf.len(), 0) })
}

/// [getsockname(2)].
///
/// [getsockname(2)]: https://man7.org/linux/man-pages/man2/getsockname.2.html
#[inline]
pub(crate) fn local_addr(socket: BorrowedFd<'_>) -> io::Result<SocketAddr> {
    let mut raw = RawAddr::empty();
    let mut len = mem::size_of::<RawAddr>() as socklen_t;
    // SAFETY: the kernel writes at most `len` bytes into `raw`, which are all valid in any pattern.
    check(unsafe { libc::getsockname(socket.as_raw_fd(), &raw mut raw.any, &raw mut len) })?;
    raw.decode()
}
