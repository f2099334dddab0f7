//! The system calls that the standard library lacks, each as a safe function named like its man page.
#![allow(unsafe_code)]

mod addr;
mod datagram;
mod message;
mod option;
mod pipe;
mod poll;
mod process;
#[cfg(any(feature = "hyper", feature = "tokio-io"))]
mod room;
mod socket;
mod splice;
mod stdio;
mod unix;

use std::io;

use libc::c_int;

pub(crate) use addr::*;
pub(crate) use datagram::*;
pub(crate) use message::*;
pub(crate) use option::*;
pub(crate) use pipe::*;
pub(crate) use poll::*;
pub(crate) use process::*;
#[cfg(any(feature = "hyper", feature = "tokio-io"))]
pub(crate) use room::*;
pub(crate) use socket::*;
pub(crate) use splice::*;
pub(crate) use stdio::*;
pub(crate) use unix::*;

/// The most buffers the kernel takes in one vectored call (`UIO_MAXIOV`).
pub(crate) const IOV_MAX: usize = 1024;

/// Whether a nonblocking socket is being connected now (`EINPROGRESS`).
#[inline]
pub(crate) fn is_connecting(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EINPROGRESS)
}

/// Whether a socket without an error says that it has no peer, yet or any more.
#[inline]
pub(crate) fn is_not_connected(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ENOTCONN)
}

/// Whether this error of `connect` says that there is no way from here to the address, of which its
/// host knows nothing.
#[inline]
pub(crate) fn is_unreachable(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(
            libc::ENETUNREACH
                | libc::EHOSTUNREACH
                | libc::EADDRNOTAVAIL
                | libc::EAFNOSUPPORT
                | libc::ENETDOWN
        )
    )
}

/// Whether this error of `accept` was the new connection's, which is gone, and not the listener's:
/// [accept(2)] says to try again. (`EOPNOTSUPP` is on its list too, but a socket that does not
/// listen would give it for ever.)
///
/// [accept(2)]: https://man7.org/linux/man-pages/man2/accept.2.html
#[inline]
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
#[inline]
pub(crate) fn exhausted(error: &io::Error) -> Option<&'static str> {
    match error.raw_os_error()? {
        libc::EMFILE => Some("the process has no file descriptor left (raise `ulimit -n`)"),
        libc::ENFILE => Some("the system has no file descriptor left (raise fs.file-max)"),
        libc::ENOBUFS | libc::ENOMEM => Some("the system has no socket memory left"),
        _ => None,
    }
}

#[inline]
fn check(result: c_int) -> io::Result<c_int> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// As [`check`], for calls that return a count of bytes.
#[inline]
fn check_len(result: isize) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}
