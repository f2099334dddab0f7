//! `TimerFd`: a timer in the kernel whose descriptor becomes readable when it expires.

use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::ptr;
use std::time::Duration;

use super::clock::{boottime_ns, monotonic_ns, saturating_ns, timespec};
use super::{context, cvt, explain_create, owns_fd, read_counter};

/// A timer whose descriptor is readable once it has expired: `timerfd_create(2)`.
///
/// It has nanosecond resolution and is never early. Arming replaces what was armed before and takes
/// back an expiration that nobody has read. A duration that the kernel cannot hold (292 years)
/// means never; so does [`Duration::MAX`]. A time that is past or zero expires at once.
///
/// # Examples
///
/// ```
/// use runtime::epoll::{Epoll, Events, Flags, TimerFd};
/// use std::time::Duration;
///
/// let timer = TimerFd::new()?;
/// let epoll = Epoll::new()?;
/// epoll.add(&timer, Flags::IN, 0)?;
///
/// timer.arm_in(Duration::from_micros(200))?;
/// epoll.wait(&mut Events::with_capacity(1), None)?;
/// assert_eq!(timer.read()?, 1);
///
/// // At a time, and again and again.
/// timer.arm_at(TimerFd::monotonic_now() + Duration::from_micros(200))?;
/// timer.arm_every(Duration::from_micros(200), Duration::from_millis(10))?;
/// epoll.wait(&mut Events::with_capacity(1), None)?;
/// assert!(timer.read()? >= 1);
/// timer.disarm()?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct TimerFd {
    fd: OwnedFd,
}

impl TimerFd {
    /// A timer on CLOCK_MONOTONIC, which stands still while the machine is suspended; disarmed,
    /// close-on-exec and non-blocking.
    ///
    /// # Errors
    ///
    /// When the process or the system has no descriptor left, or the kernel no memory.
    pub fn new() -> io::Result<TimerFd> {
        TimerFd::on(libc::CLOCK_MONOTONIC)
    }

    /// A timer on CLOCK_BOOTTIME, which goes on while the machine is suspended (but does not wake
    /// it); disarmed, close-on-exec and non-blocking.
    ///
    /// # Errors
    ///
    /// As [`new`](TimerFd::new).
    pub fn boottime() -> io::Result<TimerFd> {
        TimerFd::on(libc::CLOCK_BOOTTIME)
    }

    /// Takes over a timerfd from elsewhere, as it is, whatever its clock: one without
    /// `TFD_NONBLOCK` makes [`read`](TimerFd::read) wait.
    pub fn from_owned_fd(fd: OwnedFd) -> TimerFd {
        TimerFd::from(fd)
    }

    /// Now on CLOCK_MONOTONIC, since that clock's zero: what [`arm_at`](TimerFd::arm_at) counts
    /// from on a timer made by [`new`](TimerFd::new).
    pub fn monotonic_now() -> Duration {
        Duration::from_nanos(monotonic_ns() as u64)
    }

    /// Now on CLOCK_BOOTTIME, since that clock's zero: what [`arm_at`](TimerFd::arm_at) counts from
    /// on a timer made by [`boottime`](TimerFd::boottime).
    pub fn boottime_now() -> Duration {
        Duration::from_nanos(boottime_ns() as u64)
    }

    /// Expires once, when the timer's clock shows `at`, counted from the clock's zero.
    ///
    /// # Errors
    ///
    /// When the descriptor is not a timerfd, which only [`from_owned_fd`](TimerFd::from_owned_fd)
    /// can cause.
    pub fn arm_at(&self, at: Duration) -> io::Result<()> {
        self.arm_at_ns(saturating_ns(at))
    }

    /// Expires once, when `after` has passed.
    ///
    /// # Errors
    ///
    /// As [`arm_at`](TimerFd::arm_at).
    pub fn arm_in(&self, after: Duration) -> io::Result<()> {
        self.set(0, saturating_ns(after).max(1), 0)
    }

    /// Expires when `first` has passed, and from then on every `interval`, without drift.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) when `interval` is zero; else as
    /// [`arm_at`](TimerFd::arm_at).
    pub fn arm_every(&self, first: Duration, interval: Duration) -> io::Result<()> {
        if interval.is_zero() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "TimerFd::arm_every: an interval of zero never passes: give a longer one, \
                 or call arm_in",
            ));
        }
        self.set(0, saturating_ns(first).max(1), saturating_ns(interval))
    }

    /// Stops the timer and takes back an expiration that nobody has read.
    ///
    /// # Errors
    ///
    /// As [`arm_at`](TimerFd::arm_at).
    pub fn disarm(&self) -> io::Result<()> {
        self.set(0, 0, 0)
    }

    /// How often the timer has expired since it was armed or last read, which is at least once.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) when it has not.
    pub fn read(&self) -> io::Result<u64> {
        read_counter(self.fd.as_fd())
    }

    /// Expires once, when the timer's clock shows `at_ns`.
    pub(crate) fn arm_at_ns(&self, at_ns: i64) -> io::Result<()> {
        // Zero would disarm, and a negative time is an error to the kernel; 1 is as long past.
        self.set(libc::TFD_TIMER_ABSTIME, at_ns.max(1), 0)
    }

    fn on(clock: libc::clockid_t) -> io::Result<TimerFd> {
        // SAFETY: the call takes no pointers.
        let fd =
            cvt(unsafe { libc::timerfd_create(clock, libc::TFD_CLOEXEC | libc::TFD_NONBLOCK) })
                .map_err(|err| explain_create(err, "timerfd_create"))?;
        // SAFETY: the descriptor was made just now and is nobody else's.
        Ok(TimerFd { fd: unsafe { OwnedFd::from_raw_fd(fd) } })
    }

    fn set(&self, flags: libc::c_int, value_ns: i64, interval_ns: i64) -> io::Result<()> {
        let new =
            libc::itimerspec { it_interval: timespec(interval_ns), it_value: timespec(value_ns) };
        // SAFETY: `new` outlives the call, and the old value is not asked for.
        cvt(unsafe { libc::timerfd_settime(self.fd.as_raw_fd(), flags, &new, ptr::null_mut()) })
            .map_err(|err| {
                context(err, "timerfd_settime: the descriptor is no timer: give from_owned_fd one")
            })?;
        Ok(())
    }
}

owns_fd!(TimerFd);
