//! Children by `fork` without `exec`.
#![allow(unsafe_code)]

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitStatus;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Runs `body` in a child, which ends with 0 if it returns, with 1 if it panics, and by SIGALRM if it
/// hangs.
pub(crate) fn in_child(body: impl FnOnce()) -> ExitStatus {
    let limit = 120 * super::time_factor();
    // SAFETY: the child allocates, which glibc allows after a fork, locks nothing that other threads
    // of this process hold, and ends by `_exit`.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "fork: {}", io::Error::last_os_error());
    if child == 0 {
        // SAFETY: the call takes a number.
        unsafe { libc::alarm(limit) };
        let result = catch_unwind(AssertUnwindSafe(body));
        // SAFETY: nothing of the child is needed any more.
        unsafe { libc::_exit(i32::from(result.is_err())) };
    }
    let mut status = 0;
    // SAFETY: `status` outlives the call, and the child is ours and nobody else waits for it.
    let reaped = unsafe { libc::waitpid(child, &mut status, 0) };
    assert_eq!(reaped, child);
    ExitStatus::from_raw(status)
}

/// A child must not inherit a lock that another test's thread holds, such as std's on backtraces,
/// which a panic in the child would wait for.
pub(crate) fn one_at_a_time() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[track_caller]
pub(crate) fn assert_fine(status: ExitStatus) {
    assert!(status.success(), "the child: {status}");
}
