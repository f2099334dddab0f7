//! `PidFd`: a process as a descriptor, which becomes readable when the process has ended.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::ptr;

use super::signal::SignalKind;
use super::{context, cvt, explain_create, owns_fd, retry};

/// A process as a descriptor, which is readable once the process has ended: `pidfd_open(2)`.
///
/// A process id is another's soon after its process was waited for; the descriptor stays with the
/// one process. Any process can be opened, watched with [`Flags::IN`](super::epoll::Flags::IN),
/// and, with the rights of `kill(2)`, sent signals. Waiting for its status is for its parent alone.
///
/// Dropping it does nothing to the process: a child that nobody waits for stays a zombie.
///
/// Linux 5.3; 5.4 for [`wait`](PidFd::wait) and [`try_wait`](PidFd::try_wait).
///
/// # Examples
///
/// ```
/// use runtime::epoll::{Epoll, Events, Flags, PidFd};
/// use std::process::Command;
///
/// let child = Command::new("sh").args(["-c", "exit 3"]).spawn()?;
/// let pid_fd = PidFd::open(child.id())?;
/// let epoll = Epoll::new()?;
/// epoll.add(&pid_fd, Flags::IN, 0)?;
///
/// epoll.wait(&mut Events::with_capacity(1), None)?;
/// let status = pid_fd.try_wait()?.expect("the descriptor is readable");
/// assert_eq!(status.code(), Some(3));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct PidFd {
    fd: OwnedFd,
}

impl PidFd {
    /// Opens the process whose id is `pid` now; close-on-exec.
    ///
    /// Whose id that is, is certain for a child that has not been waited for. Another's may have
    /// ended, and its id be a third one's, since it was learned.
    ///
    /// # Errors
    ///
    /// The text says what to do; the `source()` is the kernel's error.
    ///
    /// - ESRCH: there is no such process; also one that has ended and was waited for.
    /// - [`InvalidInput`](io::ErrorKind::InvalidInput) or, from newer kernels, ENOENT: `pid` is 0,
    ///   too large, or a thread's id rather than a process's.
    /// - [`Unsupported`](io::ErrorKind::Unsupported): the kernel is older than Linux 5.3.
    ///   [`PermissionDenied`](io::ErrorKind::PermissionDenied): a seccomp filter forbids the call.
    /// - When the process or the system has no descriptor left.
    #[inline]
    pub fn open(pid: u32) -> io::Result<PidFd> {
        // What is over `i32::MAX` becomes negative, which the kernel refuses as it does 0.
        // SAFETY: the call takes no pointers.
        let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid as libc::pid_t, 0) };
        let fd = cvt(fd as libc::c_int).map_err(|err| explain_open(err, pid))?;
        // SAFETY: the descriptor was made just now and is nobody else's.
        Ok(PidFd { fd: unsafe { OwnedFd::from_raw_fd(fd) } })
    }

    /// Takes over a pidfd from elsewhere (`clone3(2)`, `SO_PEERPIDFD`), as it is: one with
    /// `PIDFD_NONBLOCK` makes [`wait`](PidFd::wait) return
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) while the process runs.
    #[inline]
    pub fn from_owned_fd(fd: OwnedFd) -> PidFd {
        PidFd::from(fd)
    }

    /// Sends a signal to the process, and never to another that has got its id.
    ///
    /// One that has ended, but was not waited for, takes it without effect. Signal 0 is not sent,
    /// it only checks.
    ///
    /// # Errors
    ///
    /// - ESRCH: the process has ended and was waited for.
    /// - [`PermissionDenied`](io::ErrorKind::PermissionDenied): this user may not signal it.
    /// - [`InvalidInput`](io::ErrorKind::InvalidInput): there is no such signal.
    ///
    /// # Examples
    ///
    /// ```
    /// use runtime::epoll::PidFd;
    /// use runtime::signal::unix::SignalKind;
    ///
    /// let mut child = std::process::Command::new("sleep").arg("1000").spawn()?;
    /// PidFd::open(child.id())?.send_signal(SignalKind::terminate())?;
    /// assert!(!child.wait()?.success());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[inline]
    pub fn send_signal(&self, kind: SignalKind) -> io::Result<()> {
        // SAFETY: without a siginfo the kernel makes one as kill(2) does; there is no other pointer.
        let result = unsafe {
            libc::syscall(
                libc::SYS_pidfd_send_signal,
                self.fd.as_raw_fd(),
                kind.as_raw_value(),
                ptr::null::<libc::siginfo_t>(),
                0,
            )
        };
        cvt(result as libc::c_int).map_err(|err| explain_signal(err, kind))?;
        Ok(())
    }

    /// Waits until the process, a child of this one, has ended, takes its status and with it the
    /// zombie. Blocks the thread; a signal does not end it.
    ///
    /// # Errors
    ///
    /// - ECHILD: the process is not a child of this one, or its status has been taken, or this
    ///   process ignores SIGCHLD, and the kernel then keeps no statuses.
    /// - [`InvalidInput`](io::ErrorKind::InvalidInput): the kernel is older than Linux 5.4.
    #[inline]
    pub fn wait(&self) -> io::Result<ExitStatus> {
        let info = self.waitid(libc::WEXITED)?;
        Ok(exit_status(&info))
    }

    /// Takes the status as [`wait`](PidFd::wait) does if the process has ended; `None` while it
    /// runs.
    ///
    /// # Errors
    ///
    /// As [`wait`](PidFd::wait).
    #[inline]
    pub fn try_wait(&self) -> io::Result<Option<ExitStatus>> {
        let info = self.waitid(libc::WEXITED | libc::WNOHANG)?;
        // SAFETY: `info` is what waitid has written, or, while the child runs, zeros.
        let ended = unsafe { info.si_pid() } != 0;
        Ok(ended.then(|| exit_status(&info)))
    }

    #[inline]
    fn waitid(&self, options: libc::c_int) -> io::Result<libc::siginfo_t> {
        // SAFETY: a siginfo is integers and pointers, for which zeros are valid.
        let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
        let id = self.fd.as_raw_fd() as libc::id_t;
        retry(|| {
            // SAFETY: `info` outlives the call.
            cvt(unsafe { libc::waitid(libc::P_PIDFD, id, &mut info, options) })
        })
        .map_err(explain_wait)?;
        Ok(info)
    }
}

owns_fd!(PidFd);

/// What `waitid` says of a child that has ended, as std's type has it: in the form of wait(2).
#[inline]
fn exit_status(info: &libc::siginfo_t) -> ExitStatus {
    // SAFETY: `info` is what waitid has written.
    wait_status(info.si_code, unsafe { info.si_status() })
}

#[inline]
fn wait_status(code: libc::c_int, status: libc::c_int) -> ExitStatus {
    ExitStatus::from_raw(match code {
        libc::CLD_EXITED => (status & 0xff) << 8,
        libc::CLD_DUMPED => status | 0x80,
        _ => status,
    })
}

#[cold]
#[inline]
fn explain_open(err: io::Error, pid: u32) -> io::Error {
    let sentence = match err.raw_os_error() {
        Some(libc::ENOSYS) => {
            "pidfd_open: this kernel has no descriptors of processes, which came \
             with Linux 5.3: use a newer one"
                .into()
        }
        Some(libc::EPERM) => "pidfd_open: a seccomp filter forbids it, as those of old container \
             runtimes do: allow pidfd_open, pidfd_send_signal and waitid"
            .into(),
        Some(libc::ESRCH) => {
            format!("pidfd_open: there is no process {pid}: open a child before it is waited for")
        }
        Some(libc::EINVAL | libc::ENOENT) => {
            format!("pidfd_open: {pid} is not the id of a process: give that, not a thread's")
        }
        _ => return explain_create(err, "pidfd_open"),
    };
    context(err, sentence)
}

#[cold]
#[inline]
fn explain_signal(err: io::Error, kind: SignalKind) -> io::Error {
    let sentence = match err.raw_os_error() {
        Some(libc::ESRCH) => {
            format!("pidfd_send_signal: the process has ended, {kind} has nobody to go to")
        }
        Some(libc::EPERM) => format!(
            "pidfd_send_signal: this user may not send {kind} to the process: run as its user, or \
             with CAP_KILL"
        ),
        Some(libc::EINVAL) => {
            format!("pidfd_send_signal: there is no {kind}: signals go from 1 to SIGRTMAX")
        }
        Some(libc::EBADF) => "pidfd_send_signal: the descriptor is not of a process: give \
             from_owned_fd a pidfd"
            .into(),
        _ => "pidfd_send_signal: the kernel refused".into(),
    };
    context(err, sentence)
}

#[cold]
#[inline]
fn explain_wait(err: io::Error) -> io::Error {
    let sentence = match err.raw_os_error() {
        Some(libc::ECHILD) => {
            "waitid: there is no status to take: the process is not a child of this one, or was \
             waited for, or SIGCHLD is ignored here: wait for each child once, and give SIGCHLD \
             its default action"
        }
        Some(libc::EINVAL) => {
            "waitid: this kernel cannot wait by a descriptor, which came with Linux 5.4: use a \
             newer one"
        }
        Some(libc::EBADF) => {
            "waitid: the descriptor is not of a process: give from_owned_fd a pidfd"
        }
        // PIDFD_NONBLOCK, for which the bare kind says all.
        Some(libc::EAGAIN) => return err,
        _ => "waitid: the kernel refused",
    };
    context(err, sentence)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_tells_an_exit_from_a_signal_and_that_from_a_dump() {
        let exited = wait_status(libc::CLD_EXITED, 6);
        assert_eq!((exited.code(), exited.signal()), (Some(6), None));
        for (code, dumped) in [(libc::CLD_KILLED, false), (libc::CLD_DUMPED, true)] {
            let status = wait_status(code, 6);
            assert_eq!((status.code(), status.signal()), (None, Some(6)));
            assert_eq!(status.core_dumped(), dumped);
        }
    }
}
