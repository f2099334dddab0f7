//! The notice that this process is the child of a `fork`.

use std::io;

/// Has `f` called in the child of every later `fork()`, before `fork` returns there; for good, so
/// call it once.
///
/// `f` runs with one thread left of a process that may have had many: it may store to atomics and
/// do nothing that takes a lock or allocates. A child made by `vfork`, `posix_spawn` or a bare
/// `clone` is not told.
///
/// # Panics
///
/// When there is no memory for the registration.
#[inline]
pub(crate) fn on_fork_in_child(f: extern "C" fn()) {
    at_fork(None, None, Some(f));
}

/// Has `before` called before every later `fork()`, and after it `in_parent` and `in_child`, all on
/// the thread that forks; for good, so call it once.
///
/// So a lock can be held over the fork, and the child finds whole what it guards. Otherwise as
/// [`on_fork_in_child`].
///
/// # Panics
///
/// When there is no memory for the registration.
#[inline]
pub(crate) fn around_fork(
    before: extern "C" fn(),
    in_parent: extern "C" fn(),
    in_child: extern "C" fn(),
) {
    at_fork(Some(before), Some(in_parent), Some(in_child));
}

type Hook = Option<extern "C" fn()>;

#[inline]
fn at_fork(before: Hook, in_parent: Hook, in_child: Hook) {
    let hook = |f: Hook| f.map(|f| f as unsafe extern "C" fn());
    // SAFETY: these are functions of the program and of the signature asked for; they live as long
    // as the process.
    let error = unsafe { libc::pthread_atfork(hook(before), hook(in_parent), hook(in_child)) };
    assert!(error == 0, "pthread_atfork: {}", io::Error::from_raw_os_error(error));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicI32, Ordering};

    static FORKS: AtomicI32 = AtomicI32::new(0);

    extern "C" fn count() {
        FORKS.fetch_add(1, Ordering::Relaxed);
    }

    #[test]
    fn the_child_is_told_and_the_parent_is_not() {
        on_fork_in_child(count);
        // SAFETY: the child calls nothing but `_exit`, which a child of a process with threads may.
        let child = unsafe { libc::fork() };
        if child == 0 {
            // SAFETY: as above.
            unsafe { libc::_exit(FORKS.load(Ordering::Relaxed)) };
        }
        assert!(child > 0, "fork: {}", io::Error::last_os_error());
        let mut status = 0;
        // SAFETY: `status` outlives the call, and the child is ours and nobody else waits for it.
        let reaped = unsafe { libc::waitpid(child, &mut status, 0) };
        assert_eq!(reaped, child);
        assert!(libc::WIFEXITED(status));
        assert_eq!(libc::WEXITSTATUS(status), 1);
        assert_eq!(FORKS.load(Ordering::Relaxed), 0);
    }
}
