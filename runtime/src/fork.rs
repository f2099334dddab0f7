//! What a `fork` leaves in the child: an era of its own.
//!
//! The child shares the parent's epoll instances, eventfds and timerfds, and even held locks. So each
//! runtime and inbox block remembers the era it was made in; in a later one handles only close their
//! descriptors, wakes go nowhere, and a new runtime takes a fresh block.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crate::{context, sys};

/// How many forks lie between this process and the first.
static ERA: AtomicU32 = AtomicU32::new(0);

extern "C" fn begin_era() {
    // One thread is left and nothing may be locked: a store is all.
    ERA.store(ERA.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
}

#[inline]
pub(crate) fn era() -> u32 {
    ERA.load(Ordering::Relaxed)
}

/// Counts eras from now on.
pub(crate) fn watch() {
    // Not a `Once`, which a fork might find taken: the child would wait for a thread that it does not have.
    // So two threads may both come here; that a fork then counts twice does no harm.
    static WATCHED: AtomicBool = AtomicBool::new(false);
    if !WATCHED.load(Ordering::Acquire) {
        sys::fork::on_fork_in_child(begin_era);
        WATCHED.store(true, Ordering::Release);
    }
}

/// Call this in the child after `fork()` to use this library there.
///
/// Runtimes that were alive stay with the parent: the child must neither turn them nor expect their
/// tasks to go on. This clears them from the thread, so that a child forked inside a task can make
/// and run runtimes of its own. The parent's handles may be dropped: they close their descriptors
/// and touch nothing that the parent uses. Its sockets and timers may be used: they wait with a runtime
/// of the child. What its tasks and threads are doing goes on there: here their join handles say
/// "cancelled", unless the outcome was there before. Listeners for signals end at the fork, without this
/// call: the child does with a signal what was done before they were there.
///
/// Without a runtime in this thread at the time of the `fork` it does nothing. Nor has it to be called
/// before `exec`: all descriptors of a runtime are close-on-exec.
///
/// `fork` in a program with several threads allows little in the child, see fork(2) and
/// signal-safety(7); std's `Command` is the tool for running programs.
///
/// ```
/// // after fork() returned 0:
/// runtime::after_fork();
/// assert_eq!(runtime::block_on(async { 1 + 1 }), 2);
/// ```
pub fn after_fork() {
    context::forget_all();
}
