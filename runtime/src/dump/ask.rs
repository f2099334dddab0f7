//! Asking for a dump: on the runtime's own thread, or by a command from another.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use super::{Dump, Extent, walk};
use crate::context;
use crate::handle::{Handle, Shared};
use crate::runtime::Runtime;
use crate::wakeups;

/// How long a thread waits for the dump of a runtime of another.
const PATIENCE: Duration = Duration::from_secs(1);

impl Runtime {
    /// What is alive in the runtime, and what it waits for; see [`Handle::dump`].
    ///
    /// ```
    /// let runtime = runtime::Runtime::new()?;
    /// runtime.spawn(std::future::pending::<()>());
    /// assert_eq!(runtime.dump().tasks.len(), 1);
    /// # std::io::Result::Ok(())
    /// ```
    pub fn dump(&self) -> Dump {
        self.handle().dump()
    }
}

impl Handle {
    /// What is alive in the runtime, and what it waits for.
    ///
    /// On the runtime's own thread it is there at once, whatever the thread is in the midst of: a task, a
    /// waker, a destructor. On another thread the runtime is asked for it, and this waits until its loop comes
    /// round, but for one second at most. If it has not come round by then, because a poll hangs or nobody
    /// drives it, the dump [says so](Dump::extent) and has no tasks. That of a runtime that is gone says so too.
    /// So this never blocks for long, and may be called anywhere but in a signal handler, for which there is
    /// [`dump_on`](Handle::dump_on).
    ///
    /// Each dump is a walk over all that is there: some milliseconds with 100,000 tasks.
    ///
    /// tokio's `Handle::dump` is async, and unstable: it polls every task once to see where it is.
    ///
    /// ```
    /// let handle = runtime::Runtime::new()?.handle().clone();
    /// assert!(handle.dump().to_string().contains("it has been dropped"));
    /// # std::io::Result::Ok(())
    /// ```
    #[inline]
    pub fn dump(&self) -> Dump {
        if !self.shared.block.is_of_this_process() {
            return Dump::without_tasks(self.id(), Extent::OfParent);
        }
        context::local(self.shared.name, walk::dump).unwrap_or_else(|| self.ask())
    }

    #[cold]
    fn ask(&self) -> Dump {
        let Shared { name, block, pool, .. } = &*self.shared;
        let was_asleep = block.is_asleep();
        let (answer, answered) = mpsc::channel();
        let asking = Arc::new(());
        let still_asking = Arc::downgrade(&asking);
        let sent = wakeups::send(
            *name,
            Box::new(move |core| {
                if still_asking.strong_count() > 0 {
                    let _ = answer.send(walk::dump(core));
                }
            }),
        );
        // A runtime that goes drops the command, and the sender with it.
        drop(sent);
        match answered.recv_timeout(PATIENCE) {
            Ok(dump) => dump,
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                Dump::without_tasks(self.id(), Extent::Gone)
            }
            Err(mpsc::RecvTimeoutError::Timeout) => Dump {
                blocking: pool.in_flight(),
                under_way: self.poll_under_way(),
                ..Dump::without_tasks(self.id(), Extent::NoAnswer { was_asleep })
            },
        }
    }
}
