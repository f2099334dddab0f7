//! poll(2): what a handful of descriptors are ready for, without an epoll instance.

use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::ptr;
use std::time::Duration;

use super::clock::timespec;
use super::deadline::{Deadline, wait_until};
use super::epoll::Flags;
use super::{context, cvt, retry};

/// A descriptor for [`poll`], what to wait for, and what it was ready for last.
///
/// It is the kernel's `struct pollfd`, and borrows the descriptor so that it cannot be closed
/// meanwhile.
///
/// ```
/// use runtime::epoll::{Flags, PollFd};
///
/// let entry = PollFd::new(&std::io::stdin(), Flags::IN).flags();
/// assert_eq!(entry, Flags::IN);
/// ```
#[repr(transparent)]
#[derive(Clone)]
pub struct PollFd<'fd> {
    raw: libc::pollfd,
    fd: PhantomData<BorrowedFd<'fd>>,
}

impl<'fd> PollFd<'fd> {
    /// An entry that waits for `flags` of `fd`. Errors and hang-ups are told unasked.
    ///
    /// `ET`, `ONESHOT`, `EXCLUSIVE` and `WAKEUP` are epoll's alone, and are left out.
    #[inline]
    pub fn new<Fd: AsFd + ?Sized>(fd: &'fd Fd, flags: Flags) -> PollFd<'fd> {
        // poll's and epoll's bits are the same up to 16, and those are all but the modes.
        let events = flags.bits() as u16 as i16;
        let raw = libc::pollfd { fd: fd.as_fd().as_raw_fd(), events, revents: 0 };
        PollFd { raw, fd: PhantomData }
    }

    /// What it is waited for.
    #[inline]
    pub fn flags(&self) -> Flags {
        Flags::from_bits_retain(u32::from(self.raw.events as u16))
    }

    /// What the last [`poll`] has found; [`EMPTY`](Flags::EMPTY) before the first.
    ///
    /// [`NVAL`](Flags::NVAL) if the descriptor was not open.
    #[inline]
    pub fn ready(&self) -> Flags {
        Flags::from_bits_retain(u32::from(self.raw.revents as u16))
    }
}

impl AsFd for PollFd<'_> {
    #[inline]
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: `new` was given the descriptor for 'fd, which this does not outlive.
        unsafe { BorrowedFd::borrow_raw(self.raw.fd) }
    }
}

impl fmt::Debug for PollFd<'_> {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PollFd")
            .field("fd", &self.raw.fd)
            .field("flags", &self.flags())
            .field("ready", &self.ready())
            .finish()
    }
}

/// Waits until one of `fds` is ready or `timeout` has passed, and returns how many are:
/// `ppoll(2)`.
///
/// For a handful of descriptors, once in a while: the kernel goes through all of them in each
/// call. Regular files, which [`Epoll`](super::epoll::Epoll) refuses, are always ready here.
///
/// The timeout is as that of [`Epoll::wait`](super::epoll::Epoll::wait): `None` waits without end,
/// zero only looks, else it is never early, to the nanosecond; a signal does not end the wait.
///
/// # Errors
///
/// [`InvalidInput`](io::ErrorKind::InvalidInput) when `timeout` is over some 292 years (pass
/// `None`), or when there are more `fds` than this process may have open.
///
/// # Examples
///
/// ```
/// use runtime::epoll::{EventFd, Flags, PollFd, poll};
/// use std::time::Duration;
///
/// let (one, other) = (EventFd::new()?, EventFd::new()?);
/// let mut fds = [PollFd::new(&one, Flags::IN), PollFd::new(&other, Flags::IN)];
/// assert_eq!(poll(&mut fds, Some(Duration::from_micros(10)))?, 0);
///
/// other.write(1)?;
/// assert_eq!(poll(&mut fds, None)?, 1);
/// assert_eq!(fds[0].ready(), Flags::EMPTY);
/// assert_eq!(fds[1].ready(), Flags::IN);
/// # Ok::<(), std::io::Error>(())
/// ```
#[inline]
pub fn poll(fds: &mut [PollFd<'_>], timeout: Option<Duration>) -> io::Result<usize> {
    match timeout {
        None => retry(|| ppoll(fds, None)),
        Some(timeout) => {
            let deadline = Deadline::after(timeout, "poll")?;
            wait_until(deadline, |left_ns| ppoll(fds, Some(timespec(left_ns))))
        }
    }
    .map_err(|err| match err.raw_os_error() {
        Some(libc::EINVAL) => context(
            err,
            "poll: more descriptors than this process may have open: raise RLIMIT_NOFILE, or use \
             an Epoll",
        ),
        _ => err,
    })
}

#[inline]
fn ppoll(fds: &mut [PollFd<'_>], timeout: Option<libc::timespec>) -> io::Result<usize> {
    let timeout = timeout.as_ref().map_or(ptr::null(), ptr::from_ref);
    let (list, len) = (fds.as_mut_ptr().cast::<libc::pollfd>(), fds.len() as libc::nfds_t);
    // SAFETY: `PollFd` is transparent, so the list is one of `len` pollfds; the kernel writes their
    // `revents` only. It and the timeout outlive the call, and no signal mask is given.
    let ready = cvt(unsafe { libc::ppoll(list, len, timeout, ptr::null()) })?;
    Ok(ready as usize)
}

/// What `fd` is ready for now, of `flags`; errors and hang-ups are always told.
#[inline]
pub(crate) fn now(fd: RawFd, flags: Flags) -> io::Result<Flags> {
    let mut entry = libc::pollfd { fd, events: flags.bits() as u16 as i16, revents: 0 };
    // SAFETY: the array is `entry` alone, which outlives the call.
    retry(|| cvt(unsafe { libc::poll(&mut entry, 1, 0) }))?;
    Ok(Flags::from_bits_retain(u32::from(entry.revents as u16)))
}
