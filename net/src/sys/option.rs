//! Socket options: [getsockopt(2)], [setsockopt(2)], and the numbers of the options used here.
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
