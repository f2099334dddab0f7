//! `Metrics`: a snapshot of what a runtime has done; and the counters behind it, which any thread may read.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use crate::context;
use crate::core::Core;
use crate::handle::Handle;
use crate::runtime::Runtime;
use crate::sys::clock::monotonic_ns;

/// A count that the loop alone changes: no read-modify-write, so that it costs what a plain one does.
#[derive(Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    #[inline(always)]
    pub(crate) fn add(&self, n: u64) {
        self.set(self.get() + n);
    }

    #[inline(always)]
    pub(crate) fn set(&self, n: u64) {
        self.0.store(n, Ordering::Relaxed);
    }

    #[inline(always)]
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How long the loop has been busy, in one word, so that any thread sees it whole: the sum while it is not, the
/// sum minus the time since when it is, which is negative.
#[derive(Default)]
pub(crate) struct Busy(AtomicI64);

impl Busy {
    #[inline(always)]
    pub(crate) fn begins(&self) {
        self.0.store(self.0.load(Ordering::Relaxed) - monotonic_ns(), Ordering::Relaxed);
    }

    #[inline(always)]
    pub(crate) fn ends(&self) {
        self.0.store(self.0.load(Ordering::Relaxed) + monotonic_ns(), Ordering::Relaxed);
    }

    /// It is busy until what comes back is dropped, but for what ends and begins in between.
    pub(crate) fn scope(&self) -> impl Drop {
        struct Ends<'a>(&'a Busy);
        impl Drop for Ends<'_> {
            fn drop(&mut self) {
                self.0.ends();
            }
        }
        self.begins();
        Ends(self)
    }

    fn sum(&self) -> Duration {
        let word = self.0.load(Ordering::Relaxed);
        let sum = if word < 0 { word + monotonic_ns() } else { word };
        Duration::from_nanos(sum.max(0) as u64)
    }
}

#[derive(Default)]
pub(crate) struct Counters {
    /// Whether they are in use.
    counting: bool,
    pub(crate) turns: Count,
    pub(crate) polls: Count,
    pub(crate) parks: Count,
    pub(crate) busy: Busy,
    pub(crate) events: Count,
    pub(crate) remote_wakes: Count,
    pub(crate) timers_fired: Count,
    pub(crate) budget_exhaustions: Count,
    pub(crate) tasks_alive: Count,
    pub(crate) fds_registered: Count,
}

/// What a runtime has done since it was built, and what it holds; made by [`Runtime::metrics`] and
/// [`Handle::metrics`].
///
/// Numbers grow for ever; a rate is the difference of two snapshots.
///
/// ```
/// let runtime = runtime::Builder::new().metrics(true).build()?;
/// runtime.block_on(async {
///     runtime::spawn(async { runtime::task::yield_now().await }).await.unwrap();
/// });
/// let metrics = runtime.metrics();
/// assert!(metrics.polls >= 3);
/// assert_eq!(metrics.tasks_alive, 0);
/// # std::io::Result::Ok(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Metrics {
    /// Whether the runtime counts ([`Builder::metrics`](crate::Builder::metrics)). If not, all is 0 but for
    /// `tasks_alive` and `fds_registered`, and these too on a thread that is not the runtime's.
    pub counting: bool,
    /// Rounds of the loop.
    pub turns: u64,
    /// How often tasks were polled, the future of `block_on` included, or dropped for an abort.
    pub polls: u64,
    /// How often the loop had nothing to do and waited, in the kernel or spinning.
    pub parks: u64,
    /// How long the loop ran and did not wait; what a poll blocks for is part of it.
    pub busy: Duration,
    /// Events that the kernel reported. A wake-up from another thread and the expiry of a timer are events too,
    /// if the loop slept for them in epoll.
    pub events: u64,
    /// Tasks that other threads have woken, also those that were about to run anyway.
    pub remote_wakes: u64,
    /// Deadlines that came before they were cancelled.
    pub timers_fired: u64,
    /// How often a task had used up what it may do in a poll, and had to let the others go first
    /// ([`consume_budget`](crate::task::consume_budget)).
    pub budget_exhaustions: u64,
    /// Tasks that have not ended; the future of `block_on` is none. On another thread than the runtime's: when it
    /// last waited, or ended a turn.
    pub tasks_alive: usize,
    /// Descriptors that the runtime watches. On another thread as `tasks_alive`.
    pub fds_registered: usize,
}

impl Counters {
    pub(crate) fn new(counting: bool) -> Counters {
        Counters { counting, ..Counters::default() }
    }

    /// The runtime is gone, and what it held.
    pub(crate) fn holds_nothing(&self) {
        self.tasks_alive.set(0);
        self.fds_registered.set(0);
    }

    fn snapshot(&self) -> Metrics {
        Metrics {
            counting: self.counting,
            turns: self.turns.get(),
            polls: self.polls.get(),
            parks: self.parks.get(),
            busy: self.busy.sum(),
            events: self.events.get(),
            remote_wakes: self.remote_wakes.get(),
            timers_fired: self.timers_fired.get(),
            budget_exhaustions: self.budget_exhaustions.get(),
            tasks_alive: self.tasks_alive.get() as usize,
            fds_registered: self.fds_registered.get() as usize,
        }
    }
}

impl Core {
    fn metrics(&self) -> Metrics {
        Metrics {
            tasks_alive: self.scheduler.alive(),
            fds_registered: self.reactor.registered(),
            ..self.shared.counters.snapshot()
        }
    }
}

impl Runtime {
    /// What the runtime has done, and what it holds, now.
    ///
    /// It counts if [`Builder::metrics`](crate::Builder::metrics) was on; see [`Metrics::counting`]. As tokio's
    /// `Handle::metrics`, but a snapshot.
    ///
    /// ```
    /// let runtime = runtime::Runtime::new()?;
    /// runtime.spawn(std::future::pending::<()>());
    /// assert_eq!(runtime.metrics().tasks_alive, 1);
    /// # std::io::Result::Ok(())
    /// ```
    pub fn metrics(&self) -> Metrics {
        self.core.metrics()
    }
}

impl Handle {
    /// As [`Runtime::metrics`], from any thread, also while the loop hangs in a poll.
    ///
    /// ```
    /// let runtime = runtime::Builder::new().metrics(true).build()?;
    /// let handle = runtime.handle().clone();
    /// runtime.block_on(async {});
    /// let turns = std::thread::spawn(move || handle.metrics().turns).join().unwrap();
    /// assert_eq!(turns, 1);
    /// # std::io::Result::Ok(())
    /// ```
    pub fn metrics(&self) -> Metrics {
        let here = context::local(self.shared.name, Core::metrics);
        here.unwrap_or_else(|| self.shared.counters.snapshot())
    }
}
