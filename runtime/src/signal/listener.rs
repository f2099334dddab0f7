//! `Signal`: a listener for one kind of signal.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll};

use super::registry::{self, Entry, Ring};
use crate::context::{self, Current};
use crate::coop;
use crate::name::RuntimeName;
use crate::sys::signal::{SignalInfo, SignalKind};

/// Listens for a signal, from this call on.
///
/// As tokio's `signal::unix::signal`. While at least one [`Signal`] of a kind is there, a signal of that
/// kind is told to every one of them and does not do what it does by default; when the last one goes, what
/// was before comes back. It belongs to the current runtime, which wakes it; when that is gone, so is
/// the listening.
///
/// # Errors
///
/// [`InvalidInput`](io::ErrorKind::InvalidInput) for what is not a signal of this system, and for SIGKILL,
/// SIGSTOP, SIGSEGV, SIGBUS, SIGILL and SIGFPE.
///
/// # Panics
///
/// With no runtime on this thread.
///
/// ```no_run
/// use runtime::signal::unix::{SignalKind, signal};
///
/// # async fn example() -> std::io::Result<()> {
/// let mut hangups = signal(SignalKind::hangup())?;
/// while let Some(()) = hangups.recv().await {
///     println!("reading the configuration again");
/// }
/// # Ok(())
/// # }
/// ```
#[track_caller]
#[inline]
pub fn signal(kind: SignalKind) -> io::Result<Signal> {
    let home = context::with_current(|current| match current {
        Current::Here(core) => core.name,
        Current::Elsewhere(handle) => handle.shared.name,
        Current::None => RuntimeName::NONE,
    });
    assert!(
        home != RuntimeName::NONE,
        "a signal was listened for with no runtime on this thread: call signal and ctrl_c inside \
         block_on or #[runtime::main], or under Runtime::enter"
    );
    let entry = registry::add(kind, home)?;
    Ok(Signal { kind, seen: entry.since, entry })
}

/// Hears of signals of one kind; made by [`signal`].
///
/// Every listener hears of every signal, independently of the others. It may be polled by any executor
/// and dropped on any thread.
///
/// # What happens to the process
///
/// - The first listener of a kind installs a handler, and nothing else: no descriptor, no thread, no blocked
///   signal.
/// - A handler that another library had installed before is called as well, after ours. One that is installed
///   later is expected to call ours, as such libraries do.
/// - When the last listener of a kind goes, what was before is put back, unless somebody has replaced our
///   handler meanwhile. So a second Ctrl-C ends a program that waited for one.
///   A signal that is on its way to another thread at that moment may do what it did before.
/// - A child made by fork(2) has what was before from its beginning; listeners of its parent end there, and
///   it may have its own. So programs started by `runtime::process` go on to ignore what their parent was
///   told to ignore, such as SIGHUP under nohup. (For those started by posix_spawn(3), which std's `Command`
///   may use, see [`affects_children`](super::unix::affects_children).)
///
/// The kernel delivers a signal only if some thread does not block it; see `pthread_sigmask(3)`.
#[must_use = "signals are heard of only as long as the listener is there"]
pub struct Signal {
    kind: SignalKind,
    /// The ticket of the last signal that was received.
    seen: u64,
    entry: Entry,
}

impl Signal {
    /// Waits for the next signal. Those that have come since the last call are one.
    ///
    /// So it returns at least once after the last signal, and at most once for each. `None` if the
    /// listener's runtime is gone.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    #[inline]
    pub async fn recv(&mut self) -> Option<()> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// Polls for the next signal: [`recv`](Signal::recv) for futures written by hand.
    #[inline]
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<()>> {
        self.poll(cx, |ring, seen| {
            let head = ring.head();
            let came = head != *seen;
            *seen = head;
            came.then_some(())
        })
    }

    /// Waits for the next signal, and says who sent it, and with which value: each one that was
    /// delivered, the oldest first. (Two that different threads take at the same time may change places.)
    ///
    /// The kernel itself keeps only one signal of a kind for a process that has not looked yet, except
    /// for real-time signals and sigqueue(3). The last 256 of a kind are kept here; of a longer burst the
    /// oldest are overwritten. [`recv`](Signal::recv) passes over those that wait here. `None` if the
    /// listener's runtime is gone.
    ///
    /// tokio has no such method.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    ///
    /// ```no_run
    /// use runtime::signal::unix::{SignalKind, signal};
    ///
    /// # async fn example() -> std::io::Result<()> {
    /// let mut terminations = signal(SignalKind::terminate())?;
    /// if let Some(info) = terminations.recv_info().await {
    ///     println!("told to end by process {:?} of user {:?}", info.pid(), info.uid());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[inline]
    pub async fn recv_info(&mut self) -> Option<SignalInfo> {
        poll_fn(|cx| self.poll_recv_info(cx)).await
    }

    /// Polls for the next signal: [`recv_info`](Signal::recv_info) for futures written by hand.
    #[inline]
    pub fn poll_recv_info(&mut self, cx: &mut Context<'_>) -> Poll<Option<SignalInfo>> {
        let kind = self.kind;
        self.poll(cx, |ring, seen| ring.next(seen).map(|record| registry::info_of(kind, record)))
    }

    #[inline]
    fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        mut look: impl FnMut(&Ring, &mut u64) -> Option<T>,
    ) -> Poll<Option<T>> {
        let Signal { seen, entry, .. } = self;
        let mut look = || match entry.listener.is_closed() {
            true => Poll::Ready(None),
            false => look(entry.ring, seen).map_or(Poll::Pending, |found| Poll::Ready(Some(found))),
        };
        coop::poll(cx, |cx| {
            if let ready @ Poll::Ready(_) = look() {
                return ready;
            }
            entry.listener.wait(cx.waker());
            // One that came before the waker was there has woken nobody.
            look()
        })
    }
}

impl fmt::Debug for Signal {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signal").field("kind", &self.kind).finish_non_exhaustive()
    }
}
