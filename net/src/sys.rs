//! The system calls that the standard library lacks, each as a safe function named like its man page.
#![allow(unsafe_code)]

use std::io::{self, IoSlice};
use std::marker::PhantomData;
use std::mem;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;

use libc::{c_int, c_void, socklen_t};

/// The most buffers the kernel takes in one vectored call (`UIO_MAXIOV`).
pub(crate) const IOV_MAX: usize = 1024;

/// [socket(2)]: a TCP socket of the family of `addr`, nonblocking and closed on exec.
///
/// [socket(2)]: https://man7.org/linux/man-pages/man2/socket.2.html
pub(crate) fn tcp_socket(family: Family) -> io::Result<OwnedFd> {
    let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: no pointers are passed.
    let fd = check(unsafe { libc::socket(family as c_int, kind, libc::IPPROTO_TCP) })?;
    // SAFETY: the kernel has just made this descriptor and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// [bind(2)].
///
/// [bind(2)]: https://man7.org/linux/man-pages/man2/bind.2.html
pub(crate) fn bind(socket: BorrowedFd<'_>, addr: SocketAddr) -> io::Result<()> {
    let (raw, len) = RawAddr::encode(addr);
    // SAFETY: `raw` outlives the call and `len` is the size of its active member.
    check(unsafe { libc::bind(socket.as_raw_fd(), &raw const raw.any, len) }).map(drop)
}

/// [connect(2)]. `EINPROGRESS` is an error here, as in C.
///
/// [connect(2)]: https://man7.org/linux/man-pages/man2/connect.2.html
pub(crate) fn connect(socket: BorrowedFd<'_>, addr: SocketAddr) -> io::Result<()> {
    let (raw, len) = RawAddr::encode(addr);
    // SAFETY: `raw` outlives the call and `len` is the size of its active member.
    check(unsafe { libc::connect(socket.as_raw_fd(), &raw const raw.any, len) }).map(drop)
}

/// [listen(2)]. The kernel caps `backlog` at `/proc/sys/net/core/somaxconn`.
///
/// [listen(2)]: https://man7.org/linux/man-pages/man2/listen.2.html
pub(crate) fn listen(socket: BorrowedFd<'_>, backlog: c_int) -> io::Result<()> {
    // SAFETY: no pointers are passed.
    check(unsafe { libc::listen(socket.as_raw_fd(), backlog) }).map(drop)
}

/// [accept4(2)]: the new socket is nonblocking and closed on exec, in the one call.
///
/// [accept4(2)]: https://man7.org/linux/man-pages/man2/accept.2.html
pub(crate) fn accept(listener: BorrowedFd<'_>) -> io::Result<(OwnedFd, SocketAddr)> {
    let mut raw = RawAddr::empty();
    let mut len = mem::size_of::<RawAddr>() as socklen_t;
    let flags = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: the kernel writes at most `len` bytes into `raw`, which are all valid in any pattern.
    let fd = check(unsafe {
        libc::accept4(listener.as_raw_fd(), &raw mut raw.any, &raw mut len, flags)
    })?;
    // SAFETY: the kernel has just made this descriptor and nobody else knows it.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    Ok((fd, raw.decode()?))
}

/// [getsockname(2)].
///
/// [getsockname(2)]: https://man7.org/linux/man-pages/man2/getsockname.2.html
pub(crate) fn local_addr(socket: BorrowedFd<'_>) -> io::Result<SocketAddr> {
    let mut raw = RawAddr::empty();
    let mut len = mem::size_of::<RawAddr>() as socklen_t;
    // SAFETY: the kernel writes at most `len` bytes into `raw`, which are all valid in any pattern.
    check(unsafe { libc::getsockname(socket.as_raw_fd(), &raw mut raw.any, &raw mut len) })?;
    raw.decode()
}

/// [sendmsg(2)] of several buffers, without `SIGPIPE`: `writev`, which the standard library uses,
/// would raise it in a host program that has not ignored it.
///
/// [sendmsg(2)]: https://man7.org/linux/man-pages/man2/sendmsg.2.html
pub(crate) fn send_vectored(socket: BorrowedFd<'_>, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
    // SAFETY: `msghdr` is plain data for which all zeroes is a valid value.
    let mut msg: libc::msghdr = unsafe { mem::zeroed() };
    msg.msg_iov = bufs.as_ptr().cast::<libc::iovec>().cast_mut();
    msg.msg_iovlen = bufs.len().min(IOV_MAX) as _;
    // SAFETY: `IoSlice` has the layout of `iovec` (std promises it), the slices outlive the call,
    // and sending only reads them.
    let sent = unsafe { libc::sendmsg(socket.as_raw_fd(), &raw const msg, libc::MSG_NOSIGNAL) };
    if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(sent as usize) }
}

/// The address family of a socket.
#[derive(Clone, Copy)]
#[repr(i32)]
pub(crate) enum Family {
    V4 = libc::AF_INET,
    V6 = libc::AF_INET6,
}

impl Family {
    pub(crate) fn of(addr: &SocketAddr) -> Family {
        if addr.is_ipv4() { Family::V4 } else { Family::V6 }
    }
}

/// A socket option and the C type of its value.
pub(crate) struct Opt<T> {
    level: c_int,
    name: c_int,
    value: PhantomData<T>,
}

/// What the kernel reads and writes as a socket option: plain data, valid in any bit pattern.
pub(crate) trait OptValue: Copy + Default {}
impl OptValue for c_int {}
impl OptValue for Linger {}

/// `struct linger` of [socket(7)].
///
/// [socket(7)]: https://man7.org/linux/man-pages/man7/socket.7.html
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub(crate) struct Linger {
    pub(crate) on: c_int,
    pub(crate) seconds: c_int,
}
const _: () = assert!(mem::size_of::<Linger>() == mem::size_of::<libc::linger>());

impl<T> Opt<T> {
    const fn new(level: c_int, name: c_int) -> Opt<T> {
        Opt { level, name, value: PhantomData }
    }
}

pub(crate) const SO_REUSEADDR: Opt<c_int> = Opt::new(libc::SOL_SOCKET, libc::SO_REUSEADDR);
pub(crate) const SO_REUSEPORT: Opt<c_int> = Opt::new(libc::SOL_SOCKET, libc::SO_REUSEPORT);
pub(crate) const SO_KEEPALIVE: Opt<c_int> = Opt::new(libc::SOL_SOCKET, libc::SO_KEEPALIVE);
pub(crate) const SO_SNDBUF: Opt<c_int> = Opt::new(libc::SOL_SOCKET, libc::SO_SNDBUF);
pub(crate) const SO_RCVBUF: Opt<c_int> = Opt::new(libc::SOL_SOCKET, libc::SO_RCVBUF);
pub(crate) const SO_LINGER: Opt<Linger> = Opt::new(libc::SOL_SOCKET, libc::SO_LINGER);
pub(crate) const TCP_NODELAY: Opt<c_int> = Opt::new(libc::IPPROTO_TCP, libc::TCP_NODELAY);
pub(crate) const TCP_QUICKACK: Opt<c_int> = Opt::new(libc::IPPROTO_TCP, libc::TCP_QUICKACK);
pub(crate) const TCP_KEEPIDLE: Opt<c_int> = Opt::new(libc::IPPROTO_TCP, libc::TCP_KEEPIDLE);
pub(crate) const TCP_KEEPINTVL: Opt<c_int> = Opt::new(libc::IPPROTO_TCP, libc::TCP_KEEPINTVL);
pub(crate) const TCP_KEEPCNT: Opt<c_int> = Opt::new(libc::IPPROTO_TCP, libc::TCP_KEEPCNT);
pub(crate) const IP_TOS: Opt<c_int> = Opt::new(libc::IPPROTO_IP, libc::IP_TOS);
pub(crate) const IPV6_TCLASS: Opt<c_int> = Opt::new(libc::IPPROTO_IPV6, libc::IPV6_TCLASS);

/// [getsockopt(2)].
///
/// [getsockopt(2)]: https://man7.org/linux/man-pages/man2/getsockopt.2.html
pub(crate) fn option<T: OptValue>(socket: BorrowedFd<'_>, opt: &Opt<T>) -> io::Result<T> {
    let mut value = T::default();
    let mut len = mem::size_of::<T>() as socklen_t;
    let into = ptr::from_mut(&mut value).cast::<c_void>();
    // SAFETY: the kernel writes at most `len` bytes, the size of `T`, valid in any pattern
    // (`OptValue`).
    check(unsafe {
        libc::getsockopt(socket.as_raw_fd(), opt.level, opt.name, into, &raw mut len)
    })?;
    Ok(value)
}

/// [setsockopt(2)].
///
/// [setsockopt(2)]: https://man7.org/linux/man-pages/man2/setsockopt.2.html
pub(crate) fn set_option<T: OptValue>(
    socket: BorrowedFd<'_>,
    opt: &Opt<T>,
    value: T,
) -> io::Result<()> {
    let len = mem::size_of::<T>() as socklen_t;
    let from = ptr::from_ref(&value).cast::<c_void>();
    // SAFETY: the kernel reads `len` bytes, the size of `value`, which outlives the call.
    check(unsafe { libc::setsockopt(socket.as_raw_fd(), opt.level, opt.name, from, len) }).map(drop)
}

/// Whether a nonblocking `connect` goes on by itself after this error: `EINPROGRESS`, and `EINTR`,
/// after which calling it again would be wrong.
pub(crate) fn is_connecting(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EINPROGRESS | libc::EINTR))
}

/// Whether a socket without an error says that it has no peer, yet or any more.
pub(crate) fn is_not_connected(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ENOTCONN)
}

/// Whether this error of `accept` was the new connection's, which is gone, and not the listener's:
/// [accept(2)] says to try again. (`EOPNOTSUPP` is on its list too, but a socket that does not
/// listen would give it for ever.)
///
/// [accept(2)]: https://man7.org/linux/man-pages/man2/accept.2.html
pub(crate) fn is_of_new_socket(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(
            libc::ECONNABORTED
                | libc::EPROTO
                | libc::ENETDOWN
                | libc::ENOPROTOOPT
                | libc::EHOSTDOWN
                | libc::ENONET
                | libc::EHOSTUNREACH
                | libc::ENETUNREACH
        )
    )
}

/// What the process or the system has run out of, if that is why `accept` failed. The connection
/// stays in the queue.
pub(crate) fn exhausted(error: &io::Error) -> Option<&'static str> {
    match error.raw_os_error()? {
        libc::EMFILE => Some("the process has no file descriptor left (raise `ulimit -n`)"),
        libc::ENFILE => Some("the system has no file descriptor left (raise fs.file-max)"),
        libc::ENOBUFS | libc::ENOMEM => Some("the system has no socket memory left"),
        _ => None,
    }
}

/// `struct sockaddr` of either family.
#[repr(C)]
union RawAddr {
    any: libc::sockaddr,
    v4: libc::sockaddr_in,
    v6: libc::sockaddr_in6,
}

impl RawAddr {
    fn empty() -> RawAddr {
        // SAFETY: all members are plain data for which all zeroes is a valid value.
        unsafe { mem::zeroed() }
    }

    fn encode(addr: SocketAddr) -> (RawAddr, socklen_t) {
        let mut raw = RawAddr::empty();
        match addr {
            SocketAddr::V4(addr) => {
                raw.v4 = libc::sockaddr_in {
                    sin_family: libc::AF_INET as libc::sa_family_t,
                    sin_port: addr.port().to_be(),
                    sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(addr.ip().octets()) },
                    sin_zero: [0; 8],
                };
                (raw, mem::size_of::<libc::sockaddr_in>() as socklen_t)
            }
            SocketAddr::V6(addr) => {
                raw.v6 = libc::sockaddr_in6 {
                    sin6_family: libc::AF_INET6 as libc::sa_family_t,
                    sin6_port: addr.port().to_be(),
                    sin6_flowinfo: addr.flowinfo(),
                    sin6_addr: libc::in6_addr { s6_addr: addr.ip().octets() },
                    sin6_scope_id: addr.scope_id(),
                };
                (raw, mem::size_of::<libc::sockaddr_in6>() as socklen_t)
            }
        }
    }

    fn decode(self) -> io::Result<SocketAddr> {
        // SAFETY: `empty` and `encode` initialise every byte, the kernel writes over some of them,
        // and all members are valid in any bit pattern; the family only says which one is meant.
        let (any, v4, v6) = unsafe { (self.any, self.v4, self.v6) };
        match c_int::from(any.sa_family) {
            libc::AF_INET => {
                let ip = Ipv4Addr::from(v4.sin_addr.s_addr.to_ne_bytes());
                Ok(SocketAddrV4::new(ip, u16::from_be(v4.sin_port)).into())
            }
            libc::AF_INET6 => {
                let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr);
                let port = u16::from_be(v6.sin6_port);
                Ok(SocketAddrV6::new(ip, port, v6.sin6_flowinfo, v6.sin6_scope_id).into())
            }
            family => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("the socket's address family is {family}, and not IPv4 or IPv6"),
            )),
        }
    }
}

fn check(result: c_int) -> io::Result<c_int> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
