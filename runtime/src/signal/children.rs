//! What a program that is started inherits of what is done to signals here, and how it is undone.

use std::io;

use super::registry;
use crate::sys::sigmask;

/// Whether a program that is started now would inherit what this library does to signals: some are
/// blocked by a [`BlockedSignals`](crate::epoll::BlockedSignals), or were in a thread that goes on with
/// that mask; or one that the process ignores is listened for, and execve(2) would make it the default.
///
/// `runtime::process` looks after that. This is for those who start programs by other means:
///
/// ```no_run
/// use std::os::unix::process::CommandExt;
/// use std::process::Command;
///
/// use runtime::signal::unix::{affects_children, restore_in_child};
///
/// let mut command = Command::new("server");
/// if affects_children() {
///     // SAFETY: it may be called between fork(2) and execve(2).
///     unsafe { command.pre_exec(restore_in_child) };
/// }
/// command.spawn()?;
/// # std::io::Result::Ok(())
/// ```
#[inline]
pub fn affects_children() -> bool {
    sigmask::child_may_inherit_mask() || registry::hides_an_ignored_signal()
}

/// Undoes in a child, between fork(2) and execve(2), what this library has done to signals, and nothing
/// that others have: see [`affects_children`].
///
/// It unblocks them. The dispositions are back since the fork; posix_spawn(3) makes none, and std's
/// `Command` does not use that where it has to call a function. Async-signal-safe.
///
/// # Errors
///
/// None that is known.
#[inline]
pub fn restore_in_child() -> io::Result<()> {
    sigmask::unblock_in_child()
}
