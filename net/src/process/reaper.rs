//! Children that are not reaped yet: waiting for them, and what becomes of those that nobody waits for.

use std::collections::LinkedList;
use std::io;
use std::mem;
use std::process::{self, ExitStatus};
use std::sync::{Mutex, PoisonError};

use runtime_core::epoll::PidFd;
use runtime_core::io::Source;
use runtime_core::{Handle, Id};

/// A child whose status nobody has taken, so that its id is still its own.
pub(super) struct Unreaped {
    pidfd: Source<PidFd>,
    /// The runtime that was current when it was last waited for.
    waited_in: Option<Id>,
    pid: u32,
    /// Whose child it is: in the child of a fork, not this process's.
    parent: u32,
}

impl Unreaped {
    #[inline]
    pub(super) fn new(pidfd: PidFd, pid: u32) -> Unreaped {
        Unreaped { pidfd: Source::new(pidfd), waited_in: None, pid, parent: process::id() }
    }

    #[inline]
    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    #[inline]
    pub(super) fn pidfd(&self) -> &PidFd {
        self.pidfd.get_ref()
    }

    /// Waits until it has ended, and reaps it.
    #[inline]
    pub(super) async fn wait(&mut self) -> io::Result<ExitStatus> {
        // The pidfd follows who waits: the runtime that watched it before may not be driven any more.
        let runtime = Handle::try_current().ok().map(|runtime| runtime.id());
        if mem::replace(&mut self.waited_in, runtime) != runtime {
            self.pidfd.deregister();
        }
        let reap = |pidfd: &PidFd| pidfd.try_wait()?.ok_or(io::ErrorKind::WouldBlock.into());
        self.pidfd.read_with(reap).await
    }

    /// Reaps it if it has ended.
    #[inline]
    pub(super) fn try_wait(&self) -> io::Result<Option<ExitStatus>> {
        self.pidfd().try_wait()
    }

    /// Whether this is the process that has started it, and not a fork of that.
    #[inline]
    pub(super) fn is_ours(&self) -> bool {
        self.parent == process::id()
    }

    /// Whether there will be something to reap. An error says that somebody else has done it or, after a
    /// fork, that it is not this process's to do.
    #[inline]
    fn is_left(&self) -> bool {
        matches!(self.try_wait(), Ok(None))
    }
}

/// Children that were abandoned where there was no runtime, or whose runtime has gone since.
///
/// A list, so that nothing is allocated under the lock: who allocates may have to wait for a fork to end,
/// and its child would find the lock held by a thread that it does not have.
static ORPHANS: Mutex<LinkedList<Unreaped>> = Mutex::new(LinkedList::new());

/// Has a child reaped that nobody waits for any more: by the current runtime or, without one, by
/// `home`.
#[inline]
pub(super) fn abandon(child: Unreaped, home: Option<Handle>) {
    if !child.is_left() {
        return;
    }
    let abandoned = Abandoned(Some(child));
    if let Some(runtime) = Handle::try_current().ok().or(home) {
        runtime.spawn(abandoned.reap());
    }
}

/// Looks after the orphans, now that somebody has a runtime, perhaps.
#[inline]
pub(super) fn adopt_orphans() {
    // Who holds the lock is busy with them, or has stayed behind when this process was forked.
    let orphans = ORPHANS.try_lock().map(|mut orphans| mem::take(&mut *orphans));
    orphans.into_iter().flatten().for_each(|child| abandon(child, None));
}

/// A child that nobody waits for. Dropped before it was reaped, by a runtime that ends, it is an orphan.
struct Abandoned(Option<Unreaped>);

impl Abandoned {
    #[inline]
    async fn reap(mut self) {
        if let Some(child) = &mut self.0 {
            if child.wait().await.is_ok() {
                self.0 = None;
            }
        }
    }
}

impl Drop for Abandoned {
    #[inline]
    fn drop(&mut self) {
        if let Some(child) = self.0.take().filter(Unreaped::is_left) {
            let mut orphan = LinkedList::from([child]);
            ORPHANS.lock().unwrap_or_else(PoisonError::into_inner).append(&mut orphan);
        }
    }
}
