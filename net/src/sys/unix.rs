//! Calls on Unix sockets: [unix(7)], with the descriptors that go along.
//!
//! [unix(7)]: https://man7.org/linux/man-pages/man7/unix.7.html

#[cfg(feature = "tokio-io")]
use std::ffi::OsStr;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::SocketAddr;
use std::ptr;

use libc::{c_char, c_int, c_void, gid_t, pid_t, socklen_t, uid_t};

use super::{
    Control, RawAddr, SO_SNDBUF, SO_TYPE, accept_raw, bind_raw, check, check_len, connect_raw,
    control_space, new_socket, option, receive_message, send_message,
};
use crate::UnixSocket;

/// What a Unix socket carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub(crate) enum UnixKind {
    Stream = libc::SOCK_STREAM,
    Datagram = libc::SOCK_DGRAM,
    Seqpacket = libc::SOCK_SEQPACKET,
}

impl UnixKind {
    /// Of a socket from elsewhere. What is no socket counts as a stream: using it will tell.
    #[inline]
    pub(crate) fn of(socket: BorrowedFd<'_>) -> UnixKind {
        match option(socket, &SO_TYPE).map(|kind| kind as c_int) {
            Ok(libc::SOCK_DGRAM) => UnixKind::Datagram,
            Ok(libc::SOCK_SEQPACKET) => UnixKind::Seqpacket,
            _ => UnixKind::Stream,
        }
    }
}

impl FromRawFd for UnixSocket {
    /// As `From<OwnedFd>`.
    #[inline]
    unsafe fn from_raw_fd(fd: RawFd) -> UnixSocket {
        // SAFETY: the caller promises that the descriptor is open and nobody else's.
        UnixSocket::from(unsafe { OwnedFd::from_raw_fd(fd) })
    }
}

/// A Unix socket.
#[inline]
pub(crate) fn unix_socket(kind: UnixKind) -> io::Result<OwnedFd> {
    new_socket(libc::AF_UNIX, kind as c_int, 0)
}

/// [socketpair(2)]: nonblocking and closed on exec.
///
/// [socketpair(2)]: https://man7.org/linux/man-pages/man2/socketpair.2.html
#[inline]
pub(crate) fn unix_pair(kind: UnixKind) -> io::Result<(OwnedFd, OwnedFd)> {
    let kind = kind as c_int | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    let mut fds = [-1; 2];
    // SAFETY: the kernel writes two descriptors, for which there is room.
    check(unsafe { libc::socketpair(libc::AF_UNIX, kind, 0, fds.as_mut_ptr()) })?;
    // SAFETY: the kernel has just made these descriptors and nobody else knows them.
    Ok(unsafe { (OwnedFd::from_raw_fd(fds[0]), OwnedFd::from_raw_fd(fds[1])) })
}

/// A name as the kernel has it. A path ends in a zero, an abstract name begins with one, and no name
/// has no length.
#[inline]
fn encode(addr: &SocketAddr) -> (RawAddr, socklen_t) {
    let (start, name) = match (addr.as_pathname(), addr.as_abstract_name()) {
        (Some(path), _) => (0, path.as_os_str().as_bytes()),
        (None, Some(name)) => (1, name),
        (None, None) => (0, &[][..]),
    };
    let mut unix = libc::sockaddr_un { sun_family: AF_UNIX, sun_path: [0; 108] };
    // The standard library makes no address whose name does not fit, its zero included.
    for (to, from) in unix.sun_path[start..].iter_mut().zip(name) {
        *to = *from as c_char;
    }
    let mut raw = RawAddr::empty();
    raw.unix = unix;
    let zero = usize::from(!addr.is_unnamed());
    (raw, (PATH_OFFSET + name.len() + zero) as socklen_t)
}

/// A name as the standard library has it.
#[cfg(feature = "tokio-io")]
#[inline]
pub(crate) fn unix_addr((raw, len): (RawAddr, socklen_t)) -> io::Result<SocketAddr> {
    let len = (len as usize).saturating_sub(PATH_OFFSET);
    // SAFETY: all members are plain data, initialised, and valid in any pattern.
    let path = unsafe { raw.unix }.sun_path.map(|byte| byte as u8);
    match &path[..len.min(path.len())] {
        [0, name @ ..] => SocketAddr::from_abstract_name(name),
        // The kernel counts the zero at the end. No name is an empty path; so is one of 108 bytes, for which
        // std's type has no room, as the message it came with is not to be lost.
        [path @ .., 0] | path => SocketAddr::from_pathname(OsStr::from_bytes(path))
            .or_else(|_| SocketAddr::from_pathname("")),
    }
}

const AF_UNIX: libc::sa_family_t = libc::AF_UNIX as libc::sa_family_t;
const PATH_OFFSET: usize = mem::offset_of!(libc::sockaddr_un, sun_path);

/// [bind(2)]. Without a name the kernel picks an abstract one.
///
/// [bind(2)]: https://man7.org/linux/man-pages/man2/bind.2.html
#[inline]
pub(crate) fn unix_bind(socket: BorrowedFd<'_>, addr: &SocketAddr) -> io::Result<()> {
    bind_raw(socket, encode(addr))
}

/// [connect(2)]. On a full backlog it says `EAGAIN`, and nothing is under way then.
///
/// [connect(2)]: https://man7.org/linux/man-pages/man2/connect.2.html
#[inline]
pub(crate) fn unix_connect(socket: BorrowedFd<'_>, addr: &SocketAddr) -> io::Result<()> {
    connect_raw(socket, encode(addr))
}

/// [accept4(2)]: the new socket, and whether its peer has a name.
///
/// [accept4(2)]: https://man7.org/linux/man-pages/man2/accept.2.html
#[inline]
pub(crate) fn unix_accept(listener: BorrowedFd<'_>) -> io::Result<(OwnedFd, bool)> {
    let (socket, (_, len)) = accept_raw(listener)?;
    Ok((socket, len as usize > PATH_OFFSET))
}

/// [recv(2)] of a message: its whole length, of which at most `buf.len()` bytes are in `buf`. Unlike
/// `read`, it takes one with an empty buffer too.
///
/// [recv(2)]: https://man7.org/linux/man-pages/man2/recv.2.html
#[inline]
pub(crate) fn receive_whole(socket: BorrowedFd<'_>, buf: &mut [u8]) -> io::Result<usize> {
    let data = buf.as_mut_ptr().cast::<c_void>();
    // SAFETY: the kernel writes at most `buf.len()` bytes into `buf`, whatever the message's length.
    check_len(unsafe { libc::recv(socket.as_raw_fd(), data, buf.len(), libc::MSG_TRUNC) })
}

/// The most descriptors that go along with one message (`SCM_MAX_FD`).
pub(crate) const SCM_MAX_FD: usize = 253;

const FD: usize = mem::size_of::<RawFd>();
const FDS_SPACE: usize = control_space(SCM_MAX_FD * FD);

/// [sendmsg(2)] with descriptors, at most [`SCM_MAX_FD`].
///
/// [sendmsg(2)]: https://man7.org/linux/man-pages/man2/sendmsg.2.html
#[inline]
pub(crate) fn send_with_fds(
    socket: BorrowedFd<'_>,
    buf: &[u8],
    fds: &[BorrowedFd<'_>],
) -> io::Result<usize> {
    let mut control = Control::<FDS_SPACE>::new();
    if !fds.is_empty() {
        let mut data = [0; SCM_MAX_FD * FD];
        for (to, fd) in data.chunks_exact_mut(FD).zip(fds) {
            to.copy_from_slice(&fd.as_raw_fd().to_ne_bytes());
        }
        control.push(libc::SOL_SOCKET, libc::SCM_RIGHTS, &data[..fds.len() * FD]);
    }
    send_message(socket, &[IoSlice::new(buf)], None, control.as_bytes())
}

/// What [`receive_with_fds`] received.
pub(crate) struct ReceivedWithFds {
    pub(crate) len: usize,
    pub(crate) truncated: bool,
    pub(crate) fds: Vec<OwnedFd>,
    pub(crate) fds_truncated: bool,
}

/// [recvmsg(2)] with at most `max_fds` descriptors; the kernel closes those beyond.
///
/// [recvmsg(2)]: https://man7.org/linux/man-pages/man2/recvmsg.2.html
#[inline]
pub(crate) fn receive_with_fds(
    socket: BorrowedFd<'_>,
    buf: &mut [u8],
    max_fds: usize,
) -> io::Result<ReceivedWithFds> {
    let mut control = Control::<FDS_SPACE>::new();
    // Without the padding, which would have room for one more. No header, no descriptor.
    let room = match max_fds.min(SCM_MAX_FD) {
        0 => 0,
        max_fds => control_space(0) + max_fds * FD,
    };
    let bufs = &mut [IoSliceMut::new(buf)];
    let received = receive_message(socket, bufs, &mut control, room, 0)?;
    let fds = control
        .messages()
        .filter(|(level, kind, _)| (*level, *kind) == (libc::SOL_SOCKET, libc::SCM_RIGHTS))
        .flat_map(|(_, _, data)| data.chunks_exact(FD))
        .map(|fd| {
            let fd = RawFd::from_ne_bytes(fd.try_into().expect("a chunk has the length"));
            // SAFETY: the kernel has just made this descriptor for this message, nobody else knows it,
            // and each is visited once.
            unsafe { OwnedFd::from_raw_fd(fd) }
        })
        .collect();
    Ok(ReceivedWithFds {
        len: received.len,
        truncated: received.is_truncated(),
        fds,
        fds_truncated: received.is_control_truncated(),
    })
}

/// Who is at the other end: user, group, and process if it has a number here.
#[inline]
pub(crate) fn peer_credentials(
    socket: BorrowedFd<'_>,
) -> io::Result<(uid_t, gid_t, Option<pid_t>)> {
    let mut raw = libc::ucred { pid: 0, uid: 0, gid: 0 };
    let mut len = mem::size_of_val(&raw) as socklen_t;
    let into = ptr::from_mut(&mut raw).cast::<c_void>();
    let fd = socket.as_raw_fd();
    // SAFETY: the kernel writes at most `len` bytes, the size of `raw`, valid in any pattern.
    check(unsafe {
        libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_PEERCRED, into, &raw mut len)
    })?;
    Ok((raw.uid, raw.gid, (raw.pid != 0).then_some(raw.pid)))
}

/// Whether what the socket has sent, and nobody has received yet, fills its send buffer.
#[inline]
pub(crate) fn has_full_send_buffer(socket: BorrowedFd<'_>) -> io::Result<bool> {
    let mut unreceived: c_int = 0;
    // SAFETY: the kernel writes one `int`.
    check(unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut unreceived) })?;
    Ok(i64::from(unreceived) >= i64::from(option(socket, &SO_SNDBUF)?))
}
