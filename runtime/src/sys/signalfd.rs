//! `SignalFd`: signals as records to read instead of interruptions.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use super::sigmask::BlockedSignals;
use super::signal::SignalInfo;
use super::{cvt, explain_create, owns_fd, retry};

/// Blocked signals as a descriptor, which is readable while one of them waits: `signalfd(2)`.
///
/// The signals must be blocked, or they have their usual effect and never come here. Hence it is
/// made from the guard that blocks them, which is to live as long; who it has to be made before,
/// and what it means for children, is said [there](BlockedSignals).
///
/// Which signals there are depends on the thread that reads: those to the process, and those to
/// that thread itself. The same signal sent twice before it is read comes once, except for the
/// real-time ones, which queue. In the child of a fork make a new one: an epoll goes on watching the
/// parent's signals by the old.
///
/// For one kind of signal use either this or `runtime::signal`, whose handler a blocked signal does
/// not reach.
///
/// # Examples
///
/// ```
/// use runtime::epoll::{BlockedSignals, Epoll, Events, Flags, PidFd, SignalFd};
/// use runtime::signal::unix::SignalKind;
///
/// let blocked = BlockedSignals::new([SignalKind::interrupt(), SignalKind::user_defined1()])?;
/// let signals = SignalFd::new(&blocked)?;
/// let epoll = Epoll::new()?;
/// epoll.add(&signals, Flags::IN, 0)?;
///
/// PidFd::open(std::process::id())?.send_signal(SignalKind::user_defined1())?;
///
/// epoll.wait(&mut Events::with_capacity(1), None)?;
/// let signal = signals.read()?;
/// assert_eq!(signal.kind(), SignalKind::user_defined1());
/// assert_eq!(signal.pid(), Some(std::process::id()));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct SignalFd {
    fd: OwnedFd,
}

impl SignalFd {
    /// Makes the descriptor of the signals that `blocked` blocks; close-on-exec and non-blocking.
    ///
    /// # Errors
    ///
    /// When the process or the system has no descriptor left, or the kernel no memory.
    #[inline]
    pub fn new(blocked: &BlockedSignals) -> io::Result<SignalFd> {
        let flags = libc::SFD_CLOEXEC | libc::SFD_NONBLOCK;
        // SAFETY: the set outlives the call; -1 asks for a new descriptor.
        let fd = cvt(unsafe { libc::signalfd(-1, &blocked.kinds().to_libc(), flags) })
            .map_err(|err| explain_create(err, "signalfd"))?;
        // SAFETY: the descriptor was made just now and is nobody else's.
        Ok(SignalFd { fd: unsafe { OwnedFd::from_raw_fd(fd) } })
    }

    /// Takes over a signalfd from elsewhere, as it is: one without `SFD_NONBLOCK` makes
    /// [`read`](SignalFd::read) wait. Whoever made it has blocked its signals, or has to.
    #[inline]
    pub fn from_owned_fd(fd: OwnedFd) -> SignalFd {
        SignalFd::from(fd)
    }

    /// Takes the next signal; of several that wait, the lowest number.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) when none waits.
    #[inline]
    pub fn read(&self) -> io::Result<SignalInfo> {
        let mut info = MaybeUninit::<libc::signalfd_siginfo>::zeroed();
        const LEN: usize = size_of::<libc::signalfd_siginfo>();
        let n = retry(|| {
            // SAFETY: the pointer and the length are those of `info`, which outlives the call.
            let n = unsafe { libc::read(self.fd.as_raw_fd(), info.as_mut_ptr().cast(), LEN) };
            if n == -1 { Err(io::Error::last_os_error()) } else { Ok(n) }
        })?;
        if n as usize != LEN {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the descriptor did not carry signals: give from_owned_fd a signalfd",
            ));
        }
        // SAFETY: it is integers only, and all of it was written.
        let info = unsafe { info.assume_init() };
        Ok(SignalInfo {
            signal: info.ssi_signo as libc::c_int,
            code: info.ssi_code,
            pid: info.ssi_pid as libc::pid_t,
            uid: info.ssi_uid,
            value: info.ssi_int,
        })
    }
}

owns_fd!(SignalFd);
