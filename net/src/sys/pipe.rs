//! Calls on pipes, and on the modes of any descriptor.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd};

use libc::c_int;

use super::check;

/// For `open`: neither wait for the other end of a FIFO nor become nonblocking later.
pub(crate) const O_NONBLOCK: c_int = libc::O_NONBLOCK;

/// [pipe2(2)]: the end to read from and the end to write to, nonblocking and closed on exec.
///
/// [pipe2(2)]: https://man7.org/linux/man-pages/man2/pipe.2.html
#[inline]
pub(crate) fn pipe() -> io::Result<(File, File)> {
    let mut fds = [0; 2];
    // SAFETY: the kernel writes two descriptors into the array, which has room for them.
    check(unsafe { libc::pipe2(fds.as_mut_ptr(), libc::O_NONBLOCK | libc::O_CLOEXEC) })?;
    // SAFETY: the kernel has just made both and nobody else knows them.
    unsafe { Ok((File::from_raw_fd(fds[0]), File::from_raw_fd(fds[1]))) }
}

/// What a descriptor was opened for.
#[derive(Clone, Copy)]
pub(crate) struct Access {
    pub(crate) read: bool,
    pub(crate) write: bool,
}

/// The access mode of an open file (`F_GETFL`).
#[inline]
pub(crate) fn access(fd: BorrowedFd<'_>) -> io::Result<Access> {
    let mode = status_flags(fd)? & libc::O_ACCMODE;
    let both = mode == libc::O_RDWR;
    Ok(Access { read: both || mode == libc::O_RDONLY, write: both || mode == libc::O_WRONLY })
}

/// Sets or clears `O_NONBLOCK`, which is of the open file: every duplicate has it too.
#[inline]
pub(crate) fn set_nonblocking(fd: BorrowedFd<'_>, on: bool) -> io::Result<()> {
    let flags = status_flags(fd)?;
    let wanted = if on { flags | libc::O_NONBLOCK } else { flags & !libc::O_NONBLOCK };
    if wanted != flags {
        // SAFETY: no pointers are passed.
        check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, wanted) })?;
    }
    Ok(())
}

#[inline]
pub(super) fn status_flags(fd: BorrowedFd<'_>) -> io::Result<c_int> {
    // SAFETY: no pointers are passed.
    check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) })
}

/// How many bytes a pipe holds (`F_GETPIPE_SZ`).
#[inline]
pub(crate) fn pipe_capacity(pipe: BorrowedFd<'_>) -> io::Result<usize> {
    // SAFETY: no pointers are passed.
    check_size(unsafe { libc::fcntl(pipe.as_raw_fd(), libc::F_GETPIPE_SZ) })
}

/// Makes a pipe hold at least `size` bytes, and tells how many it holds now (`F_SETPIPE_SZ`).
#[inline]
pub(crate) fn set_pipe_capacity(pipe: BorrowedFd<'_>, size: usize) -> io::Result<usize> {
    let size = c_int::try_from(size).unwrap_or(c_int::MAX);
    // SAFETY: no pointers are passed.
    check_size(unsafe { libc::fcntl(pipe.as_raw_fd(), libc::F_SETPIPE_SZ, size) })
}

#[inline]
fn check_size(result: c_int) -> io::Result<usize> {
    check(result).map(|size| usize::try_from(size).unwrap_or(0))
}
