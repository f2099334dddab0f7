//! poll(2) of one descriptor, without waiting: its readiness as the kernel has it now.

use std::io;
use std::os::fd::RawFd;

use crate::sys::epoll::Flags;
use crate::sys::{cvt, retry};

/// What `fd` is ready for, of `flags`; errors and hang-ups are always told.
pub(crate) fn now(fd: RawFd, flags: Flags) -> io::Result<Flags> {
    // poll's and epoll's bits are the same up to 16, and those are all there are without the modes.
    let mut entry = libc::pollfd { fd, events: flags.bits() as u16 as i16, revents: 0 };
    // SAFETY: the array is `entry` alone, which outlives the call.
    retry(|| cvt(unsafe { libc::poll(&mut entry, 1, 0) }))?;
    Ok(Flags::from_bits_retain(u32::from(entry.revents as u16)))
}
