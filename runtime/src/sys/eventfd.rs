//! `EventFd`: a counter in the kernel that one thread adds to and another waits for.

use std::io;
use std::os::fd::{AsFd, FromRawFd, OwnedFd};

use super::{context, cvt, explain_create, owns_fd, read_counter, write_counter};

/// A counter in the kernel whose descriptor is readable while the counter is not zero:
/// `eventfd(2)`.
///
/// The simplest way to wake a thread that waits in an [`Epoll`](super::epoll::Epoll): any thread,
/// or a signal handler, [`write`](EventFd::write)s; the waiter [`read`](EventFd::read)s.
///
/// # Examples
///
/// ```
/// use runtime::epoll::EventFd;
///
/// let event = EventFd::new()?;
/// event.write(2)?;
/// event.write(3)?;
/// assert_eq!(event.read()?, 5);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct EventFd {
    fd: OwnedFd,
}

impl EventFd {
    /// A counter at zero, close-on-exec and non-blocking.
    ///
    /// # Errors
    ///
    /// When the process or the system has no descriptor left, or the kernel no memory.
    pub fn new() -> io::Result<EventFd> {
        // SAFETY: the call takes no pointers.
        let fd = cvt(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) })
            .map_err(|err| explain_create(err, "eventfd"))?;
        // SAFETY: the descriptor was made just now and is nobody else's.
        Ok(EventFd { fd: unsafe { OwnedFd::from_raw_fd(fd) } })
    }

    /// Takes over an eventfd from elsewhere, as it is: one without `EFD_NONBLOCK` makes
    /// [`read`](EventFd::read) and [`write`](EventFd::write) wait, one with `EFD_SEMAPHORE` is read
    /// one by one.
    pub fn from_owned_fd(fd: OwnedFd) -> EventFd {
        EventFd::from(fd)
    }

    /// Adds `value` to the counter, which wakes whoever waits for it.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) when the sum would exceed `u64::MAX - 1`: the
    /// counter stays as it was, readable, so a wake-up loses nothing by it.
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) when `value` is `u64::MAX`.
    pub fn write(&self, value: u64) -> io::Result<()> {
        write_counter(self.fd.as_fd(), value).map_err(|err| match err.raw_os_error() {
            Some(libc::EINVAL) => context(
                err,
                "eventfd write: the counter ends at u64::MAX - 1; write a smaller value",
            ),
            _ => err,
        })
    }

    /// Takes the counter's value and sets it to zero.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) when the counter is zero.
    pub fn read(&self) -> io::Result<u64> {
        read_counter(self.fd.as_fd())
    }
}

owns_fd!(EventFd);
