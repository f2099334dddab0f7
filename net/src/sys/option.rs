//! Socket options: [getsockopt(2)], [setsockopt(2)], and the options used here with their kinds.
//!
//! [getsockopt(2)]: https://man7.org/linux/man-pages/man2/getsockopt.2.html
//! [setsockopt(2)]: https://man7.org/linux/man-pages/man2/setsockopt.2.html

use std::io;
use std::marker::PhantomData;
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

use libc::{c_int, c_void, socklen_t};

use super::check;
use crate::options::{AddressV4, DontFragment, Flag, Kind, Linger, Milliseconds, Number, Seconds};

/// A socket option, and what kind of value it has.
pub(crate) struct Opt<K> {
    level: c_int,
    name: c_int,
    kind: PhantomData<K>,
}

impl<K> Opt<K> {
    #[inline]
    const fn new(level: c_int, name: c_int) -> Opt<K> {
        Opt { level, name, kind: PhantomData }
    }
}

pub(crate) const SO_REUSEADDR: Opt<Flag> = Opt::new(libc::SOL_SOCKET, libc::SO_REUSEADDR);
pub(crate) const SO_REUSEPORT: Opt<Flag> = Opt::new(libc::SOL_SOCKET, libc::SO_REUSEPORT);
pub(crate) const SO_BROADCAST: Opt<Flag> = Opt::new(libc::SOL_SOCKET, libc::SO_BROADCAST);
pub(crate) const SO_KEEPALIVE: Opt<Flag> = Opt::new(libc::SOL_SOCKET, libc::SO_KEEPALIVE);
pub(crate) const SO_SNDBUF: Opt<Number> = Opt::new(libc::SOL_SOCKET, libc::SO_SNDBUF);
pub(crate) const SO_RCVBUF: Opt<Number> = Opt::new(libc::SOL_SOCKET, libc::SO_RCVBUF);
pub(super) const SO_TYPE: Opt<Number> = Opt::new(libc::SOL_SOCKET, libc::SO_TYPE);
const SO_ERROR: Opt<Number> = Opt::new(libc::SOL_SOCKET, libc::SO_ERROR);
pub(crate) const SO_LINGER: Opt<Linger> = Opt::new(libc::SOL_SOCKET, libc::SO_LINGER);
pub(crate) const TCP_NODELAY: Opt<Flag> = Opt::new(libc::IPPROTO_TCP, libc::TCP_NODELAY);
pub(crate) const TCP_QUICKACK: Opt<Flag> = Opt::new(libc::IPPROTO_TCP, libc::TCP_QUICKACK);
pub(crate) const TCP_KEEPIDLE: Opt<Seconds> = Opt::new(libc::IPPROTO_TCP, libc::TCP_KEEPIDLE);
pub(crate) const TCP_KEEPINTVL: Opt<Seconds> = Opt::new(libc::IPPROTO_TCP, libc::TCP_KEEPINTVL);
pub(crate) const TCP_KEEPCNT: Opt<Number> = Opt::new(libc::IPPROTO_TCP, libc::TCP_KEEPCNT);
pub(crate) const TCP_USER_TIMEOUT: Opt<Milliseconds> =
    Opt::new(libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT);
pub(crate) const TCP_FASTOPEN: Opt<Number> = Opt::new(libc::IPPROTO_TCP, libc::TCP_FASTOPEN);
pub(crate) const TCP_FASTOPEN_CONNECT: Opt<Flag> =
    Opt::new(libc::IPPROTO_TCP, libc::TCP_FASTOPEN_CONNECT);
pub(crate) const IP_TTL: Opt<Number> = Opt::new(libc::IPPROTO_IP, libc::IP_TTL);
pub(crate) const IP_TOS: Opt<Number> = Opt::new(libc::IPPROTO_IP, libc::IP_TOS);
pub(crate) const IPV6_TCLASS: Opt<Number> = Opt::new(libc::IPPROTO_IPV6, libc::IPV6_TCLASS);
pub(crate) const IPV6_UNICAST_HOPS: Opt<Number> =
    Opt::new(libc::IPPROTO_IPV6, libc::IPV6_UNICAST_HOPS);
pub(crate) const IPV6_V6ONLY: Opt<Flag> = Opt::new(libc::IPPROTO_IPV6, libc::IPV6_V6ONLY);
pub(crate) const IP_PKTINFO: Opt<Flag> = Opt::new(libc::IPPROTO_IP, libc::IP_PKTINFO);
pub(crate) const IPV6_RECVPKTINFO: Opt<Flag> = Opt::new(libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO);
pub(crate) const IP_RECVTOS: Opt<Flag> = Opt::new(libc::IPPROTO_IP, libc::IP_RECVTOS);
pub(crate) const IPV6_RECVTCLASS: Opt<Flag> = Opt::new(libc::IPPROTO_IPV6, libc::IPV6_RECVTCLASS);
pub(crate) const IP_MTU_DISCOVER: Opt<DontFragment> =
    Opt::new(libc::IPPROTO_IP, libc::IP_MTU_DISCOVER);
pub(crate) const IPV6_MTU_DISCOVER: Opt<DontFragment> =
    Opt::new(libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER);
/// The values of `IP_MTU_DISCOVER`, which are those of `IPV6_MTU_DISCOVER` too.
pub(crate) const PMTUDISC_WANT: c_int = libc::IP_PMTUDISC_WANT;
pub(crate) const PMTUDISC_PROBE: c_int = libc::IP_PMTUDISC_PROBE;
pub(crate) const IP_MULTICAST_LOOP: Opt<Flag> = Opt::new(libc::IPPROTO_IP, libc::IP_MULTICAST_LOOP);
pub(crate) const IP_MULTICAST_TTL: Opt<Number> = Opt::new(libc::IPPROTO_IP, libc::IP_MULTICAST_TTL);
pub(crate) const IP_MULTICAST_IF: Opt<AddressV4> =
    Opt::new(libc::IPPROTO_IP, libc::IP_MULTICAST_IF);
pub(crate) const IPV6_MULTICAST_LOOP: Opt<Flag> =
    Opt::new(libc::IPPROTO_IPV6, libc::IPV6_MULTICAST_LOOP);
pub(crate) const IPV6_MULTICAST_HOPS: Opt<Number> =
    Opt::new(libc::IPPROTO_IPV6, libc::IPV6_MULTICAST_HOPS);
pub(crate) const IPV6_MULTICAST_IF: Opt<Number> =
    Opt::new(libc::IPPROTO_IPV6, libc::IPV6_MULTICAST_IF);
pub(crate) const UDP_GRO: Opt<Flag> = Opt::new(libc::SOL_UDP, libc::UDP_GRO);

/// What the kernel reads and writes as a socket option: plain data, valid in any bit pattern.
pub(crate) trait RawValue: Copy + Default {}
impl RawValue for c_int {}
impl RawValue for RawLinger {}
impl RawValue for [u8; 4] {}

/// `struct linger` of [socket(7)].
///
/// [socket(7)]: https://man7.org/linux/man-pages/man7/socket.7.html
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub(crate) struct RawLinger {
    pub(crate) on: c_int,
    pub(crate) seconds: c_int,
}
const _: () = assert!(mem::size_of::<RawLinger>() == mem::size_of::<libc::linger>());

/// [getsockopt(2)].
///
/// [getsockopt(2)]: https://man7.org/linux/man-pages/man2/getsockopt.2.html
#[inline]
pub(crate) fn option<K: Kind>(socket: BorrowedFd<'_>, opt: &Opt<K>) -> io::Result<K::Value> {
    let mut raw = K::Raw::default();
    let mut len = mem::size_of::<K::Raw>() as socklen_t;
    let into = ptr::from_mut(&mut raw).cast::<c_void>();
    // SAFETY: the kernel writes at most `len` bytes, the size of `raw`, valid in any pattern
    // (`RawValue`).
    check(unsafe {
        libc::getsockopt(socket.as_raw_fd(), opt.level, opt.name, into, &raw mut len)
    })?;
    Ok(K::from_raw(raw))
}

/// [setsockopt(2)].
///
/// [setsockopt(2)]: https://man7.org/linux/man-pages/man2/setsockopt.2.html
#[inline]
pub(crate) fn set_option<K: Kind>(
    socket: BorrowedFd<'_>,
    opt: &Opt<K>,
    value: K::Value,
) -> io::Result<()> {
    let raw = K::into_raw(value);
    let len = mem::size_of::<K::Raw>() as socklen_t;
    let from = ptr::from_ref(&raw).cast::<c_void>();
    // SAFETY: the kernel reads `len` bytes, the size of `raw`, which outlives the call.
    check(unsafe { libc::setsockopt(socket.as_raw_fd(), opt.level, opt.name, from, len) }).map(drop)
}

/// Takes the error that waits on a socket.
#[inline]
pub(crate) fn take_error(socket: BorrowedFd<'_>) -> io::Result<Option<io::Error>> {
    let errno = option(socket, &SO_ERROR)?;
    Ok((errno != 0).then(|| io::Error::from_raw_os_error(errno as c_int)))
}

/// The name of the interface a socket is bound to.
#[inline]
pub(crate) fn device(socket: BorrowedFd<'_>) -> io::Result<Option<Vec<u8>>> {
    let mut name = [0_u8; libc::IFNAMSIZ];
    let mut len = name.len() as socklen_t;
    let (level, option) = (libc::SOL_SOCKET, libc::SO_BINDTODEVICE);
    let into = name.as_mut_ptr().cast::<c_void>();
    // SAFETY: the kernel writes at most `len` bytes, the size of `name`.
    check(unsafe { libc::getsockopt(socket.as_raw_fd(), level, option, into, &raw mut len) })?;
    let name = name.split(|&byte| byte == 0).next().unwrap_or_default();
    Ok((!name.is_empty()).then(|| name.to_vec()))
}

/// Binds a socket to an interface, or to none any more.
#[inline]
pub(crate) fn bind_device(socket: BorrowedFd<'_>, interface: Option<&[u8]>) -> io::Result<()> {
    let name = interface.unwrap_or_default();
    if name.len() >= libc::IFNAMSIZ {
        // The kernel would take the beginning of it.
        return Err(io::Error::from_raw_os_error(libc::ENODEV));
    }
    let (level, option) = (libc::SOL_SOCKET, libc::SO_BINDTODEVICE);
    let (from, len) = (name.as_ptr().cast::<c_void>(), name.len() as socklen_t);
    // SAFETY: the kernel reads at most `len` bytes, the length of `name`.
    check(unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, from, len) }).map(drop)
}
