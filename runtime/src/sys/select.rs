//! select(2): for code that thinks in its three sets; poll(2) does the same without its limit.

use std::fmt;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::ptr;
use std::time::Duration;

use super::clock::timespec;
use super::deadline::{Deadline, wait_until};
use super::{context, cvt, retry};

/// Waits until a descriptor of `read` can be read, one of `write` be written, one of `except` has
/// something exceptional, or `timeout` has passed: `pselect(2)`.
///
/// A descriptor may be in several of the lists, and any of them may be empty. "Exceptional" is
/// what [`Flags::PRI`](super::epoll::Flags::PRI) is. [`poll`](super::poll::poll()) does the same
/// for descriptors of any number.
///
/// The timeout is as that of [`Epoll::wait`](super::epoll::Epoll::wait): `None` waits without end,
/// zero only looks, else it is never early, to the nanosecond; a signal does not end the wait.
///
/// # Errors
///
/// [`InvalidInput`](io::ErrorKind::InvalidInput) when a descriptor's number is `FD_SETSIZE` (1024)
/// or over, or `timeout` over some 292 years (pass `None`). EBADF when a descriptor is not open.
///
/// # Examples
///
/// ```
/// use runtime::epoll::{EventFd, select};
/// use std::os::fd::AsFd;
///
/// let (one, other) = (EventFd::new()?, EventFd::new()?);
/// other.write(1)?;
/// let selected = select(&[one.as_fd(), other.as_fd()], &[], &[], None)?;
/// assert_eq!(selected.len(), 1);
/// assert!(selected.is_readable(&other) && !selected.is_readable(&one));
///
/// let selected = select(&[], &[one.as_fd()], &[one.as_fd()], None)?;
/// assert!(selected.is_writable(&one) && !selected.is_exceptional(&one));
/// # Ok::<(), std::io::Error>(())
/// ```
#[inline]
pub fn select(
    read: &[BorrowedFd<'_>],
    write: &[BorrowedFd<'_>],
    except: &[BorrowedFd<'_>],
    timeout: Option<Duration>,
) -> io::Result<Selected> {
    let asked = [FdSet::of(read)?, FdSet::of(write)?, FdSet::of(except)?];
    let highest = [read, write, except].into_iter().flatten().map(AsRawFd::as_raw_fd).max();
    let end = highest.map_or(0, |highest| highest + 1);
    let mut sets = asked;
    let mut call = |timeout| {
        // What the kernel leaves in them after an error is anything.
        sets = asked;
        pselect(end, &mut sets, timeout)
    };
    let len = match timeout {
        None => retry(|| call(None)),
        Some(timeout) => {
            let deadline = Deadline::after(timeout, "select")?;
            wait_until(deadline, |left_ns| call(Some(timespec(left_ns))))
        }
    }
    .map_err(|err| match err.raw_os_error() {
        Some(libc::EBADF) => {
            context(err, "select: a descriptor is not open: poll tells which, by Flags::NVAL")
        }
        _ => err,
    })?;
    Ok(Selected { sets, len })
}

fn pselect(
    end: libc::c_int,
    [read, write, except]: &mut [FdSet; 3],
    timeout: Option<libc::timespec>,
) -> io::Result<usize> {
    let timeout = timeout.as_ref().map_or(ptr::null(), ptr::from_ref);
    // SAFETY: `end` is at most FD_SETSIZE, as `FdSet::of` takes no number above; the sets and the
    // timeout outlive the call, and no signal mask is given.
    let len = cvt(unsafe {
        libc::pselect(end, &mut read.0, &mut write.0, &mut except.0, timeout, ptr::null())
    })?;
    Ok(len as usize)
}

/// What [`select`] has found.
#[derive(Clone, Copy)]
pub struct Selected {
    sets: [FdSet; 3],
    len: usize,
}

impl Selected {
    /// How many are ready; a descriptor that is for several of the lists counts several times.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether none is ready: the time has passed.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether `fd` was among `read`, and a read would not block.
    #[inline]
    pub fn is_readable(&self, fd: impl AsFd) -> bool {
        self.sets[0].has(fd.as_fd().as_raw_fd())
    }

    /// Whether `fd` was among `write`, and a write would not block.
    #[inline]
    pub fn is_writable(&self, fd: impl AsFd) -> bool {
        self.sets[1].has(fd.as_fd().as_raw_fd())
    }

    /// Whether `fd` was among `except`, and something exceptional is there, such as urgent data.
    #[inline]
    pub fn is_exceptional(&self, fd: impl AsFd) -> bool {
        self.sets[2].has(fd.as_fd().as_raw_fd())
    }
}

impl fmt::Debug for Selected {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [read, write, except] = &self.sets;
        f.debug_struct("Selected")
            .field("read", read)
            .field("write", write)
            .field("except", except)
            .finish()
    }
}

/// A bit for each descriptor below `FD_SETSIZE`.
#[derive(Clone, Copy)]
struct FdSet(libc::fd_set);

impl FdSet {
    #[inline]
    fn of(fds: &[BorrowedFd<'_>]) -> io::Result<FdSet> {
        let mut set = MaybeUninit::uninit();
        // SAFETY: FD_ZERO writes the whole set.
        let mut set = unsafe {
            libc::FD_ZERO(set.as_mut_ptr());
            set.assume_init()
        };
        for fd in fds.iter().map(AsRawFd::as_raw_fd) {
            if fd as usize >= libc::FD_SETSIZE {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    format!(
                        "select: descriptor {fd} is beyond its sets, which end at {}: call poll, \
                         which takes any",
                        libc::FD_SETSIZE - 1
                    ),
                ));
            }
            // SAFETY: the number is within the set.
            unsafe { libc::FD_SET(fd, &mut set) };
        }
        Ok(FdSet(set))
    }

    #[inline]
    fn has(&self, fd: RawFd) -> bool {
        // SAFETY: the number is within the set.
        (fd as usize) < libc::FD_SETSIZE && unsafe { libc::FD_ISSET(fd, &self.0) }
    }
}

impl fmt::Debug for FdSet {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers = 0..libc::FD_SETSIZE as RawFd;
        f.debug_set().entries(numbers.filter(|fd| self.has(*fd))).finish()
    }
}
