//! Moving bytes within the kernel: [splice(2)], [sendfile(2)], and what they need to know of descriptors.
//!
//! [splice(2)]: https://man7.org/linux/man-pages/man2/splice.2.html
//! [sendfile(2)]: https://man7.org/linux/man-pages/man2/sendfile.2.html

use std::io;
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

use libc::off64_t;

use super::{check, check_len, status_flags};

/// [splice(2)] at the current positions, not waiting for the pipe of the two.
///
/// Never with `SPLICE_F_MORE`, which would have TCP keep back a short end.
///
/// [splice(2)]: https://man7.org/linux/man-pages/man2/splice.2.html
#[inline]
pub(crate) fn splice(from: BorrowedFd<'_>, to: BorrowedFd<'_>, len: usize) -> io::Result<usize> {
    let flags = libc::SPLICE_F_MOVE | libc::SPLICE_F_NONBLOCK;
    let here = ptr::null_mut();
    // SAFETY: no offsets are passed, and both descriptors are open while they are borrowed.
    check_len(unsafe { libc::splice(from.as_raw_fd(), here, to.as_raw_fd(), here, len, flags) })
}

/// [sendfile(2)] from `offset` of a file, which is moved on; the file's own position stays.
///
/// [sendfile(2)]: https://man7.org/linux/man-pages/man2/sendfile.2.html
#[inline]
pub(crate) fn send_file(
    to: BorrowedFd<'_>,
    file: BorrowedFd<'_>,
    offset: &mut u64,
    len: usize,
) -> io::Result<usize> {
    let mut at = as_offset(*offset)?;
    // SAFETY: `at` outlives the call, and both descriptors are open while they are borrowed.
    let sent =
        check_len(unsafe { libc::sendfile64(to.as_raw_fd(), file.as_raw_fd(), &raw mut at, len) })?;
    *offset += sent as u64;
    Ok(sent)
}

/// [pread(2)].
///
/// [pread(2)]: https://man7.org/linux/man-pages/man2/pread.2.html
#[inline]
pub(crate) fn read_at(file: BorrowedFd<'_>, buf: &mut [u8], offset: u64) -> io::Result<usize> {
    let (into, offset) = (buf.as_mut_ptr().cast(), as_offset(offset)?);
    // SAFETY: the kernel writes at most `buf.len()` bytes to `buf`, which is borrowed for longer.
    check_len(unsafe { libc::pread64(file.as_raw_fd(), into, buf.len(), offset) })
}

#[inline]
fn as_offset(offset: u64) -> io::Result<off64_t> {
    off64_t::try_from(offset).map_err(|_| {
        let text = format!("reading a file from offset {offset}: no file is as long");
        io::Error::new(io::ErrorKind::InvalidInput, text)
    })
}

/// Whether splice and sendfile can be had for a descriptor without blocking: it is a regular file, or a
/// socket or pipe in nonblocking mode, which is all the kernel goes by on their side. Of terminals and
/// other devices a read may mean more than its bytes.
#[inline]
pub(crate) fn moves_without_blocking(fd: BorrowedFd<'_>) -> io::Result<bool> {
    Ok(match stat(fd)?.st_mode & libc::S_IFMT {
        libc::S_IFREG => true,
        libc::S_IFSOCK | libc::S_IFIFO => status_flags(fd)? & libc::O_NONBLOCK != 0,
        _ => false,
    })
}

/// The size of a regular file, where it has one that counts: the files of /proc say 0.
#[inline]
pub(crate) fn file_size(fd: BorrowedFd<'_>) -> io::Result<Option<u64>> {
    let stat = stat(fd)?;
    let regular = stat.st_mode & libc::S_IFMT == libc::S_IFREG;
    Ok(u64::try_from(stat.st_size).ok().filter(|size| regular && *size > 0))
}

#[inline]
fn stat(fd: BorrowedFd<'_>) -> io::Result<libc::stat64> {
    // SAFETY: `stat64` is plain data for which all zeroes is a valid value.
    let mut stat: libc::stat64 = unsafe { mem::zeroed() };
    // SAFETY: the kernel writes one `stat64` to `stat`.
    check(unsafe { libc::fstat64(fd.as_raw_fd(), &raw mut stat) })?;
    Ok(stat)
}

/// Whether `SIGPIPE` would end the process, as it does unless it is ignored (Rust's start-up does that) or
/// handled. splice and sendfile raise it and know no `MSG_NOSIGNAL`.
#[inline]
pub(crate) fn sigpipe_kills() -> bool {
    // SAFETY: `sigaction` is plain data for which all zeroes is a valid value.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    // SAFETY: nothing is set; the kernel's answer goes to `action`.
    let result = unsafe { libc::sigaction(libc::SIGPIPE, ptr::null(), &raw mut action) };
    result != 0 || action.sa_sigaction == libc::SIG_DFL
}

/// Whether this error says that the kernel does not move bytes between descriptors of these kinds, or
/// not for this process, and has moved none.
#[inline]
pub(crate) fn is_move_refused(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EINVAL | libc::ENOSYS | libc::EPERM | libc::EOPNOTSUPP)
    )
}
