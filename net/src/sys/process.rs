//! What child processes need beyond the standard library's `Command`.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command as StdCommand;

use libc::c_int;
use runtime_core::signal::unix::restore_in_child;

use super::{check, exhausted};
use crate::process::Command;

impl Command {
    /// Has a function called in the child, between fork(2) and execve(2). Several are called in the
    /// order in which they were given.
    ///
    /// An error that it returns is that of [`spawn`](Self::spawn), and the program is not run. Starting
    /// the program takes a fork(2) then; without, posix_spawn(3) is enough, which copies nothing.
    ///
    /// # Safety
    ///
    /// The child is a copy of this thread alone: locks that other threads held stay held, that of the
    /// allocator among them. The function may make only calls that are async-signal-safe (see
    /// signal-safety(7)), and must keep to the rules of descriptors' ownership. See
    /// [`CommandExt::pre_exec`].
    ///
    /// # Examples
    ///
    /// A child in a session of its own, without a terminal:
    ///
    /// ```no_run
    /// use std::io;
    ///
    /// # async fn example() -> io::Result<()> {
    /// let mut command = runtime::process::Command::new("server");
    /// // SAFETY: setsid(2) is async-signal-safe, and touches no memory.
    /// unsafe {
    ///     command.pre_exec(|| match libc::setsid() {
    ///         -1 => Err(io::Error::last_os_error()),
    ///         _ => Ok(()),
    ///     });
    /// }
    /// let child = command.spawn()?;
    /// # Ok(()) }
    /// ```
    #[inline]
    pub unsafe fn pre_exec<F>(&mut self, f: F) -> &mut Command
    where
        F: FnMut() -> io::Result<()> + Send + Sync + 'static,
    {
        // Before it, as it may block signals for the child on purpose.
        self.restore_signals();
        // SAFETY: the caller answers for `f` as this function's contract, which is std's, says.
        unsafe { self.as_std_mut().pre_exec(f) };
        self
    }
}

/// Has the children of a command undo what the engine has done to signals. It also makes std start them
/// by fork(2), whose handlers in the child give ignored signals back.
#[inline]
pub(crate) fn restore_signals(command: &mut StdCommand) {
    // SAFETY: the function is made for a child before exec: it is async-signal-safe, and touches no
    // descriptor.
    unsafe { command.pre_exec(restore_in_child) };
}

/// [kill(2)] of a process group.
///
/// [kill(2)]: https://man7.org/linux/man-pages/man2/kill.2.html
#[inline]
pub(crate) fn signal_group(leader: u32, signal: c_int) -> io::Result<()> {
    // SAFETY: no pointers are passed.
    check(unsafe { libc::kill(-(leader as libc::pid_t), signal) }).map(drop)
}

/// Whether there is no process, or group, of the id (`ESRCH`).
#[inline]
pub(crate) fn is_no_such_process(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ESRCH)
}

/// What has run out, if that is why a process could not be started.
#[inline]
pub(crate) fn exhausted_by_spawning(error: &io::Error) -> Option<&'static str> {
    match error.raw_os_error()? {
        libc::EAGAIN => Some("the limit of processes is reached (raise `ulimit -u`, or pids.max)"),
        libc::ENOMEM => Some("the system has no memory left for another process"),
        _ => exhausted(error),
    }
}
