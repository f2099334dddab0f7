//! Calls on descriptors that others have too, which must stay in the mode they are in: each of these
//! transfers once, and does not wait.

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::{self, ManuallyDrop};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, RawFd};

use libc::{c_int, c_long};

use super::{Control, IOV_MAX, check_len, receive_message};

/// What a write to a pipe that has room takes without waiting.
pub(crate) const PIPE_BUF: usize = libc::PIPE_BUF;

/// For `open`: not to become this process's controlling terminal.
pub(crate) const O_NOCTTY: c_int = libc::O_NOCTTY;

/// The descriptor of a standard stream, which is not ours to close. Should the program have closed
/// it, every use says `EBADF`.
#[inline]
pub(crate) fn standard(number: RawFd) -> ManuallyDrop<File> {
    // SAFETY: it is never closed through this `File`, since it is never dropped. Who closes a standard
    // descriptor and lets the number be used anew redirects the stream, which is the custom.
    ManuallyDrop::new(unsafe { File::from_raw_fd(number) })
}

/// Whether a device, by its number, is /dev/null.
#[inline]
pub(crate) fn is_null_device(device: u64) -> bool {
    device == libc::makedev(1, 3)
}

/// Whether this is a pseudo-terminal's master: only those have a number to tell (`TIOCGPTN`).
#[inline]
pub(crate) fn is_pty_master(fd: BorrowedFd<'_>) -> bool {
    let mut number = 0u32;
    // SAFETY: the kernel writes an `unsigned int` to the pointer, which is valid for the call.
    unsafe { libc::ioctl(fd.as_raw_fd(), libc::TIOCGPTN, &raw mut number) == 0 }
}

/// Whether a terminal hands its input out by lines (`ICANON`).
#[inline]
pub(crate) fn is_canonical(terminal: BorrowedFd<'_>) -> bool {
    // SAFETY: `termios` is plain data for which all zeroes is a valid value.
    let mut mode: libc::termios = unsafe { mem::zeroed() };
    // SAFETY: the kernel writes a `termios` to the pointer, which is valid for the call.
    let told = unsafe { libc::tcgetattr(terminal.as_raw_fd(), &raw mut mode) } == 0;
    told && mode.c_lflag & libc::ICANON != 0
}

/// Whether the error is `EBADF`: closed, or not open for what was tried.
#[inline]
pub(crate) fn is_bad_descriptor(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EBADF)
}

/// [recv(2)] from a socket that may be in blocking mode.
///
/// [recv(2)]: https://man7.org/linux/man-pages/man2/recv.2.html
#[inline]
pub(crate) fn receive_now(
    socket: BorrowedFd<'_>,
    bufs: &mut [IoSliceMut<'_>],
) -> io::Result<usize> {
    let received = receive_message(socket, bufs, &mut Control::<0>::new(), 0, 0)?;
    Ok(received.len)
}

/// As [`receive_now`], leaving the data where it is.
#[inline]
pub(crate) fn peek_now(socket: BorrowedFd<'_>, buf: &mut [u8]) -> io::Result<usize> {
    let bufs = &mut [IoSliceMut::new(buf)];
    Ok(receive_message(socket, bufs, &mut Control::<0>::new(), 0, libc::MSG_PEEK)?.len)
}

/// [preadv2(2)] with `RWF_NOWAIT`, at the file's own position. `None` if the kernel cannot do that to
/// this kind of file: it can to anonymous pipes, since Linux 6.4.
///
/// [preadv2(2)]: https://man7.org/linux/man-pages/man2/preadv2.2.html
#[inline]
pub(crate) fn read_now(
    fd: BorrowedFd<'_>,
    bufs: &mut [IoSliceMut<'_>],
) -> Option<io::Result<usize>> {
    let (bufs, count) = (bufs.as_mut_ptr().cast::<libc::iovec>(), bufs.len().min(IOV_MAX));
    // SAFETY: `IoSliceMut` has the layout of `iovec` (std promises it), and the buffers are borrowed
    // for longer than the call.
    supported(unsafe { at_position_now(libc::SYS_preadv2, fd, bufs, count) })
}

/// [pwritev2(2)], as [`read_now`].
///
/// [pwritev2(2)]: https://man7.org/linux/man-pages/man2/pwritev2.2.html
#[inline]
pub(crate) fn write_now(fd: BorrowedFd<'_>, bufs: &[IoSlice<'_>]) -> Option<io::Result<usize>> {
    let (bufs, count) = (bufs.as_ptr().cast::<libc::iovec>(), bufs.len().min(IOV_MAX));
    // SAFETY: `IoSlice` has the layout of `iovec` (std promises it); the buffers are borrowed for
    // longer than the call, and writing only reads them.
    supported(unsafe { at_position_now(libc::SYS_pwritev2, fd, bufs, count) })
}

/// By its number: the C library has these calls only since glibc 2.26.
///
/// # Safety
///
/// `call` is `preadv2` or `pwritev2`, and `bufs` are `count` buffers that it may use.
#[inline]
unsafe fn at_position_now(
    call: c_long,
    fd: BorrowedFd<'_>,
    bufs: *const libc::iovec,
    count: usize,
) -> c_long {
    // The position comes in two halves, the lower of which is all of it on 64-bit machines.
    let (here, high): (c_long, c_long) = (-1, 0);
    // As wide as what `syscall` reads: this one lies on the stack, with anything above an `int`.
    let flags = c_long::from(libc::RWF_NOWAIT);
    // SAFETY: the caller answers for the buffers; the rest are numbers.
    unsafe { libc::syscall(call, fd.as_raw_fd(), bufs, count, here, high, flags) }
}

#[inline]
fn supported(result: c_long) -> Option<io::Result<usize>> {
    match check_len(result as isize) {
        Err(error) if is_unsupported(&error) => None,
        result => Some(result),
    }
}

/// What the kernel says to a flag that it does not know, or not for this kind of file.
#[inline]
fn is_unsupported(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EOPNOTSUPP | libc::EINVAL | libc::ENOSYS))
}
