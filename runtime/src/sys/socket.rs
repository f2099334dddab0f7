//! What the engine asks a descriptor about being a socket.

use std::os::fd::RawFd;

use crate::sys::cvt;

/// Whether `fd` is a stream socket.
pub(crate) fn is_stream(fd: RawFd) -> bool {
    let mut kind: libc::c_int = 0;
    let mut len = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the pointers are those of `kind` and of its length, which outlive the call.
    let got = cvt(unsafe {
        libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_TYPE, (&raw mut kind).cast(), &raw mut len)
    });
    got.is_ok() && kind == libc::SOCK_STREAM
}
